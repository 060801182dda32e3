"""The leaderboard: every number in it is one of the stored scores', and only like stands beside like."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import scored
from scipy import stats

import nasbench_ws
from nasbench_ws import metrics
from nasbench_ws.errors import ResultError, UsageError
from nasbench_ws.evaluation.board_figure import forest
from nasbench_ws.evaluation.board_row import mean_text
from nasbench_ws.evaluation.evaluate import evaluate
from nasbench_ws.evaluation.experiment import Experiment, kept, longer_results, shipped_results
from nasbench_ws.evaluation.leaderboard import MODES, entries, leaderboard
from nasbench_ws.rankers.rows import ROWS
from nasbench_ws.results.compare import compare, matches
from nasbench_ws.results.result import Result
from nasbench_ws.results.yardstick import yardstick
from nasbench_ws.tables.columns import Content
from nasbench_ws.tables.table import Table, load

SHIPPED = sorted(shipped_results().glob("*.json"))
LONGER = sorted(longer_results().glob("*.json"))


@pytest.fixture
def folder(make: Callable[..., Result], tiny: Any, tmp_path: Path) -> Path:
    """Three strategies: one of a single super-net, and one at each match of several."""
    good = np.array([tiny.table.truth, tiny.table.truth + scored(3)[0] / 1000])
    for name, changes, budget in (
        ("full", {"scores": {"running": scored(), "recalibrate:1024": good}}, {"super_nets": 1}),
        ("groups-compute", {"scores": {"running": scored(1)}}, {"super_nets": 4, "match": "compute"}),
        ("groups-updates", {"scores": {"running": scored(2)}}, {"super_nets": 4, "match": "child-updates"}),
    ):
        result = make(strategy=name, **changes)
        budget = {**result["budget"], "steps": 64, "child_updates": 64, **budget}
        Result.from_dict({**result.data, "budget": budget}).save(tmp_path / f"{name}.json")
    return tmp_path


def test_rows_are_the_scores_in_order(folder: Path, tiny: Any) -> None:
    board = leaderboard(table=tiny.table, folder=folder, match="group-compute")
    assert set(board.results) == {"full", "groups-compute"}
    assert [row.place for row in board.rows] == list(range(1, len(board.rows) + 1))
    means = [row.mean for row in board.rows]
    assert means == sorted(means, reverse=True)
    nets = {(row.name, row.batch_norm): row for row in board.rows if row.kind == "super-net"}
    assert set(nets) == {("full", "running"), ("full", "recalibrate:1024"), ("groups-compute", "running")}
    for (name, mode), row in nets.items():
        result = board.results[name]
        scores = result.scores if mode == "running" else np.array(result["other_batch_norm"][mode]["scores"])
        taus = [stats.kendalltau(one, tiny.table.truth).statistic for one in scores]
        assert row.mean == pytest.approx(np.mean(taus), abs=1e-12)
        assert row.s_tau == pytest.approx(stats.kendalltau(*scores).statistic, abs=1e-12)
        together = stats.kendalltau(scores.mean(axis=0), tiny.table.truth).statistic
        assert row.ensemble == pytest.approx(together, abs=1e-12)
        control = tiny.table.column("params")
        partial = [metrics.partial_tau(one, tiny.table.truth, control) for one in scores]
        assert row.partial_tau == pytest.approx(np.mean(partial), abs=1e-12)
    assert board.rows[0].name == "full"
    early = {row.name: row for row in board.rows if row.name.startswith("alone")}
    truths = tiny.table.by_seed("test_accuracy").T  # (seeds, children)
    others = [np.delete(truths, seed, axis=0).mean(axis=0) for seed in range(len(truths))]
    for epoch in tiny.table.epochs:
        row = early[f"alone, epoch {epoch:g} of 1"]
        valid = tiny.table.by_seed("valid_accuracy", epoch).T
        taus = [stats.kendalltau(one, other).statistic for one, other in zip(valid, others, strict=True)]
        assert row.mean == pytest.approx(np.mean(taus), abs=1e-12)
        assert row.macs == tiny.table.column("macs").sum() * 3 * 256 * epoch
    assert {"parameter count", "multiply-adds", "random"} <= {row.name for row in board.rows}
    by_regret = leaderboard(table=tiny.table, folder=folder, metric="regret@1")
    assert by_regret.rows[0].mean == min(row.mean for row in by_regret.rows if row.mean is not None)


def test_rankers_that_stop_early_do_not_see_test_images(folder: Path, tiny: Any) -> None:
    """Other test accuracies change what their scores are worth, and not the scores: so their S-Tau stays."""
    content = tiny.table.content
    columns = {**content.columns, "test_accuracy": content.columns["test_accuracy"][::-1].copy()}
    other = Table(Content(content.attributes, columns))
    rows = [
        {row.name: row for row in leaderboard(table=table, folder=folder).rows if row.name.startswith("alone")}
        for table in (tiny.table, other)
    ]
    assert rows[0].keys() == rows[1].keys()
    for name, row in rows[0].items():
        assert row.s_tau == rows[1][name].s_tau
        assert row.mean != rows[1][name].mean


def test_it_prints_in_80_columns_and_as_markdown(folder: Path, tiny: Any) -> None:
    board = leaderboard(table=tiny.table, folder=folder, batch_norm="running", match="child-updates")
    lines = str(board).splitlines()
    assert max(map(len, lines)) <= 80
    assert not any("recalibrate" in line for line in lines)
    assert any("groups-updates" in line for line in lines)
    whole = leaderboard(table=tiny.table, folder=folder)
    lines = whole.markdown().splitlines()
    head, rule, *table = [line for line in lines if line.startswith("|")]
    assert head == "| | recalibrate:1024 | partial | running | partial | n | cost |"
    assert len(table) == len({row.name for row in whole.rows})
    assert {line.count("|") for line in (head, rule, *table)} == {8}
    (full,) = [line for line in table if "`full`" in line]
    for row in whole.rows:
        assert row.name != "full" or f"{row.mean:.2f} [" in full
    frame = board.to_frame()
    assert list(frame["name"]) == [row.name for row in board.rows]
    known = frame[frame["low"].notna()]
    assert (known["low"] <= known["mean"]).all()
    assert set(frame[frame["low"].isna()]["kind"]) == {"ranker"}  # chance, and standalone training


def test_only_like_stands_beside_like(folder: Path, make: Callable[..., Result], tiny: Any) -> None:
    full, groups, updates = (Result.load(folder / f"{n}.json") for n in ("full", "groups-compute", "groups-updates"))
    assert matches(full) == {"group-compute", "child-updates", "steps"}
    assert matches(groups) == {"group-compute"}  # whose file says compute
    assert compare([full, groups]).match == "group-compute"
    assert compare([updates, full]).match == "child-updates"
    with pytest.raises(UsageError) as caught:
        compare([full, groups, updates])
    assert str(caught.value) == (
        "groups-compute has match group-compute, and groups-updates child-updates; results are compared at one match: "
        "evaluate them alike"
    )
    own = leaderboard([make(strategy="mine.py:Mine")], tiny.table, folder=folder)
    assert "mine.py:Mine" in str(own)
    proxy = evaluate("random", tiny.table, instances=2)  # which trains nothing: it stands beside all
    both = [make(strategy="darts", match="group-compute", scores={"logp": scored(), "running": scored(2)}), proxy]
    with_rankers = leaderboard(both, tiny.table, folder=folder)
    rows = {(row.name, row.batch_norm): row for row in with_rankers.rows if row.given}
    assert rows.keys() == {("darts", "logp"), ("darts", "running"), ("random", "")}
    lines = with_rankers.markdown().splitlines()
    assert any(line.endswith("| running | partial | other readouts | n | cost |") for line in lines), lines[5]
    (line,) = [line for line in lines if line.startswith("| **`darts`**")]
    assert line.split(" | ")[-3] == f"logp {mean_text(rows['darts', 'logp'])}"
    assert "triangles: other readouts" in forest(with_rankers)
    assert rows["random", ""].kind == "ranker"
    assert np.isnan(rows["random", ""].ensemble)
    assert with_rankers.steps == 6400
    with pytest.raises(UsageError) as caught:
        leaderboard([groups], tiny.table, folder=folder)
    assert str(caught.value) == (
        "given 1 (groups-compute) took 6,400 steps matched in group-compute, and the leaderboard has 6,400 matched in "
        "child-updates: evaluate it with --steps 6400 --match child-updates, or look at the leaderboard of its own "
        "steps and match"
    )
    with pytest.raises(UsageError) as caught:
        leaderboard(table=tiny.table, folder=folder, steps="6400")  # type: ignore[arg-type]
    assert str(caught.value) == "steps is '6400'; it must be a whole number"
    with pytest.raises(ResultError) as caught_result:
        leaderboard(table=tiny.table, folder=folder / "gone")
    text = f"{folder / 'gone'} is no folder; give one with results of `nasbench-ws evaluate`"
    assert str(caught_result.value) == text
    for options, text in (
        ({"match": "epochs"}, "unknown match 'epochs'; known are child-updates, group-compute, steps"),
        ({"metric": "regret"}, "unknown metric 'regret' (did you mean regret@1?); known are kendall_tau, spearman, "),
    ):
        with pytest.raises(UsageError) as caught:
            leaderboard(table=tiny.table, folder=folder, **options)
        assert str(caught.value).startswith(text)


def test_entries_are_whole() -> None:
    table = load("fashion14")
    found = {one.name: one for one in entries(table)}
    wanted = {f"{kind}-{m}" for kind in ("similar", "random") for m in (2, 4, 8, 16, 32)} | {"none"}
    wanted |= {f"edge-{a}-{b}" for a, b in table.space.edges}
    for match in ("group-compute", "child-updates"):
        for name in wanted:
            assert found[f"{name}-{match}"].plan.match == match
    assert {"shuffle", "private-bn", *(f"prefix-{k}" for k in range(table.macro.cells + 1))} <= set(found)
    for one in found.values():
        assert one.instances >= 5
        assert one.plan.batch_norm == MODES
        assert one.plan.steps == 6400


@pytest.mark.parametrize("path", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_what_ships_is_what_its_name_says(path: Path) -> None:
    """Each is of the shipped table, of the plan that its name stands for, and its tau is that of its scores."""
    table, result = load("fashion14"), Result.load(path)
    assert result["table"]["digest"] == table.digest
    taus = [stats.kendalltau(row, table.truth).statistic for row in result.scores]
    assert result["metrics"]["kendall_tau"]["values"] == pytest.approx(taus, abs=1e-12)
    if not result.outcome.match:  # of no super-net
        assert (result.outcome.strategy.replace(":", "-"), result.outcome.instances) == (path.stem, 5)
        return
    if result.outcome.strategy.partition(":")[0] in ROWS:  # gates, controllers and the like
        assert (result.outcome.strategy.replace(":", "-"), result.outcome.steps) == (path.stem, 6400)
        assert result.outcome.seeds == tuple(range(result.outcome.instances))
        assert set(MODES) < {*result.outcome.scores, ""}
        _check_additive(result)
        return
    named = {one.name: one for one in [*entries(table), *_of_scale(table)]}
    named |= {one.name: one for one in map(_of_one_division, named.values()) if one.what.kind == "random"}
    again = kept(named[path.stem], path.parent)
    assert again is not None


@pytest.mark.parametrize("path", LONGER, ids=[path.stem for path in LONGER])
def test_what_ships_of_more_steps_is_what_its_name_says(path: Path) -> None:
    """As the leaderboard at 6,400 steps has them, but for the steps; or of the claims at the paper's scale."""
    table, result = load("fashion14"), Result.load(path)
    name, _, steps = path.stem.rpartition("-")
    outcome = result.outcome
    assert outcome.steps == int(steps) > 6400
    assert result["table"]["digest"] == table.digest
    assert outcome.seeds == tuple(range(outcome.instances))
    row = outcome.strategy.partition(":")[0] in ROWS
    asked = [one for one in _of_scale(table, "paper") if one.name == name]
    if asked:  # as far as they were run
        assert kept(asked[0], path.parent / "none") is not None
    else:
        assert outcome.strategy.replace(":", "-") == name
        assert outcome.schedule == ("" if row else "shuffle")
        assert outcome.instances >= (3 if row else 5)
    assert set(MODES) < {*outcome.scores, ""}
    taus = [stats.kendalltau(row, table.truth).statistic for row in result.scores]
    assert result["metrics"]["kendall_tau"]["values"] == pytest.approx(taus, abs=1e-12)
    _check_additive(result)


def _check_additive(result: Result) -> None:
    """L19: no score that adds up over edges ranks better than such scores can; ENAS's gates follow one another."""
    bound = 0.878  # the best that a search found for the shipped table (tests/rankers/test_proxies.py)
    for mode in {"logp", "gates", "perturbation"} & result.outcome.scores.keys():
        if not result.outcome.strategy.startswith("enas"):
            assert max(result.under(mode)["kendall_tau"].values) < bound


def test_each_number_of_steps_has_a_leaderboard(make: Callable[..., Result], tmp_path: Path, tiny: Any) -> None:
    usual, longer = leaderboard(), leaderboard(steps=39_200)
    assert {one.outcome.steps for one in usual.results.values() if one.outcome.match} == {usual.steps} == {6400}
    assert {one.outcome.steps for one in longer.results.values() if one.outcome.match} == {39_200}
    assert {"full", "none"} <= {row.name for row in longer.rows}
    assert [row for row in usual.rows if row.kind == "ranker"] == [
        replace(row, place=one.place)
        for row, one in zip(
            (row for row in longer.rows if row.kind == "ranker"),
            (row for row in usual.rows if row.kind == "ranker"), strict=True,
        )
    ]  # fmt: skip
    assert usual.left_out == longer.left_out == 0
    assert leaderboard([longer.results["full-39200"]]).steps == 39_200  # one's own stand beside those of as many
    with pytest.raises(UsageError) as caught:
        leaderboard(steps=100)
    there = "6,400, 12,800, 25,600, 39,200, 78,400, 156,800"
    assert str(caught.value) == f"no result matched in child-updates took 100 steps; there are results of {there}"
    for steps, seed in ((100, 1), (200, 2)):
        plan = {**make().outcome.plan, "steps": steps}
        make(strategy=f"mine.py:S{steps}", plan=plan, scores={"running": scored(seed)}).save(tmp_path / f"{steps}.json")
    for steps in (100, 200):
        board = leaderboard((), tiny.table, folder=tmp_path, steps=steps)
        assert {row.name for row in board.rows if row.kind == "super-net"} == {f"mine.py:S{steps}"}
    assert leaderboard((), tiny.table, folder=tmp_path).steps == 100


def _of_one_division(one: Experiment) -> Experiment:
    """Random groups as they ship: the division of seed 0 for all instances."""
    plan = replace(one.plan, strategy=f"{one.plan.strategy}:0")
    return replace(one, what=replace(one.what, division=0), plan=plan)


def _of_scale(table: Any, scale: str = "standard") -> list[Experiment]:
    from nasbench_ws.evaluation.reproduction import SCALES, experiments

    return experiments(table, SCALES[scale])


def test_the_yardstick_measures_what_is_known(tmp_path: Path, quick: None) -> None:
    """Standalone training to the end is `none` at the table's own budget (test_evaluation.py has that it is the same to
    the last bit): it reaches what one training reaches, less than the bound. Random scores give 0.
    """
    table = load("fashion14")
    board = leaderboard(table=table, folder=tmp_path)
    rows = {row.name: row for row in board.rows}
    alone, chance = rows[f"alone, epoch {table.epochs[-1]:g} of {table.recipe.epochs:g}"], rows["random"]
    assert alone.macs == pytest.approx(table.recipe.steps * table.recipe.batch_size * 3 * table.column("macs").sum())
    assert alone.mean == pytest.approx(yardstick(table).reach["kendall_tau"].standalone, abs=1e-12)
    assert alone.mean < board.bound < 1
    assert abs(rows["parameter count"].interval[1] - rows["parameter count"].interval[0]) < 0.08
    assert abs(chance.mean) < 4 * chance.std / np.sqrt(chance.n)


def test_results_with_the_same_scores_are_one_row_that_names_both(
    make: Callable[..., Result], tiny: Any, tmp_path: Path
) -> None:
    for name, seed in (("edge:0->1", 5), ("groups:similar:4", 5), ("none", 6)):
        make(strategy=name, scores={"running": scored(seed)}).save(tmp_path / f"{name.replace(':', '-')}.json")
    board = leaderboard(table=tiny.table, folder=tmp_path)
    assert {row.name for row in board.rows if row.kind == "super-net"} == {"edge:0-1 = groups:similar:4", "none"}


def test_low_is_good_is_compared_best_first(make: Callable[..., Result], tiny: Any) -> None:
    good = make(strategy="good", scores={"running": np.array([tiny.table.truth] * 2)})
    bad = make(strategy="bad", scores={"running": -np.array([tiny.table.truth] * 2)})
    for metric in ("top_rank@1", "regret@1", "kendall_tau", "ndcg@5"):
        found = compare([bad, good], metric)
        assert [row.name for row in found.rows] == ["good", "bad"]
        assert found.pairs[0].verdict == "not distinguishable"  # equal instances have no spread, and no prior here
        assert math.isnan(found.bound) == (metric != "kendall_tau")


def test_the_findings_show_what_ships() -> None:
    text = (Path(__file__).parents[2] / "docs" / "findings.md").read_text()
    assert leaderboard().markdown() in text


def test_a_shipped_row_is_recomputed_from_its_scores() -> None:
    assert nasbench_ws.leaderboard is leaderboard
    table, result = load("fashion14"), Result.load(SHIPPED[0])
    assert result.against(table).data == result.data


def test_a_shipped_result_serves_only_what_it_was_run_as(tiny: Any, tmp_path: Path) -> None:
    table = load("fashion14")
    one = {one.name: one for one in [*entries(table), *_of_scale(table)]}["drift"]
    assert kept(one, tmp_path) is not None
    assert kept(one, tmp_path, shipped=False) is None
    fewer = replace(one, plan=replace(one.plan, batch_norm=("running",)))
    assert kept(fewer, tmp_path) is not None
    assert kept(replace(one, plan=replace(one.plan, steps=640)), tmp_path) is None
    other = replace(one, plan=replace(one.plan, recipe=replace(table.recipe, lr=0.3)))
    assert kept(other, tmp_path) is None


def test_results_of_other_images_are_not_measured_on_this_table(make: Callable[..., Result], tiny: Any) -> None:
    """Those that ship are left out and counted; one that is given is refused."""
    board = leaderboard(table=tiny.table)
    assert {row.kind for row in board.rows} == {"ranker"}
    count = len(SHIPPED) + len(LONGER)
    assert board.caption().endswith(f"\nOf other images or networks, or some images: {count} results, left out.")
    recipe = {**tiny.recipe.to_dict(), "images": "fashion14"}
    with pytest.raises(UsageError) as caught:
        leaderboard([make(recipe=recipe, plan={"steps": 6400, "schedule": "shuffle", "last": 0})], tiny.table)
    assert str(caught.value) == (
        "recipe images is 'fashion14', and the table's is 'tiny'; a super-net is compared with children of the same "
        "kind: leave images as it is, or build a table with 'fashion14'"
    )
    plan = {"steps": 6400, "schedule": "shuffle", "last": 0}
    other = make(plan=plan, images_digest="0" * 64, table=tiny.remade(tiny.recipe, seed=5))
    with pytest.raises(ResultError) as refused:  # two folders may have one name
        leaderboard([other], tiny.table)
    assert str(refused.value) == (
        "the scores of full are of other images than tiny; measure it against a table of the same networks and images"
    )
