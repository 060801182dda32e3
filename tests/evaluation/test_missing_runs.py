"""Tables that lack runs: with `allow_missing` everything is answered of the children that have all of theirs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from nasbench_ws.cli import group
from nasbench_ws.errors import ResultError, TableError, UsageError
from nasbench_ws.evaluation.evaluate import evaluate
from nasbench_ws.evaluation.leaderboard import leaderboard
from nasbench_ws.evaluation.reproduction.claims import findings
from nasbench_ws.metrics.rank import kendall_tau
from nasbench_ws.rankers.plan import Plan
from nasbench_ws.report.card import card
from nasbench_ws.report.results import results_page
from nasbench_ws.report.table import table_page
from nasbench_ws.results.compare import compare
from nasbench_ws.results.join import join
from nasbench_ws.results.outcome import Window
from nasbench_ws.results.result import Result
from nasbench_ws.results.truth import Among, judged
from nasbench_ws.tables.columns import CURVES, DIVERGED, FAILED, MISSING, Content
from nasbench_ws.tables.table import Table, write_table

pytestmark = pytest.mark.usefixtures("quick")
LACKING = {3: MISSING, 7: DIVERGED, 20: FAILED}  # by child, of its first seed


@pytest.fixture
def holed(tiny: Any) -> Table:
    """The tiny table without a run of three of its children."""
    columns = {name: column.copy() for name, column in tiny.table.content.columns.items()}
    for child, status in LACKING.items():
        columns["status"][child, 0] = status
        for name in CURVES:
            columns[name][child, 0] = np.nan
        if status == MISSING:
            columns["environment"][child, 0] = -1
    return Table(Content(tiny.table.content.attributes, columns), "holed")


def test_children_stopped_early_are_ranked_where_their_runs_are(tiny: Any, holed: Table) -> None:
    with pytest.raises(TableError, match="leave these children out \\(--allow-missing\\)"):
        evaluate("alone:0.5", holed, instances=1)
    known = [child for child in range(64) if child not in LACKING]
    found = evaluate("alone:0.5", holed, instances=1, allow_missing=True).metrics["kendall_tau"].values
    early = holed.content.columns["valid_accuracy"][known, 0, 0]
    truth = holed.by_seed("truth")[known, 1:].mean(axis=1)  # without the seed that was looked at
    assert found == pytest.approx((kendall_tau(early, truth),))


def test_a_super_net_is_measured_on_the_children_that_are_known(tiny: Any, holed: Table, tmp_path: Path) -> None:
    plan = Plan("full", tiny.recipe, steps=64, batch_norm=("running",), last=2, average=0.5)
    with pytest.raises(TableError, match="leave these children out \\(--allow-missing\\)"):
        evaluate("full", holed, plan=plan, load=tiny.load, instances=1)
    one = evaluate("full", holed, plan=plan, load=tiny.load, instances=1, allow_missing=True)
    whole = evaluate("full", tiny.table, plan=plan, load=tiny.load, instances=1)
    known = [child for child in range(64) if child not in LACKING]
    assert np.array_equal(one.scores, whole.scores)  # all are trained and scored
    assert one.assessment.table.name == "61 of 64 children of holed"
    beside = whole.against(Among(tiny.table, known))
    assert one.metrics["kendall_tau"].values == beside.metrics["kendall_tau"].values
    assert one.assessment.window is not None
    one.save(tmp_path / "one.json")
    assert Result.load(tmp_path / "one.json") == one
    more = evaluate("full", holed, plan=plan, load=tiny.load, instances=1, first_seed=1, allow_missing=True)
    both = join([one, more], judged(holed, allow_missing=True))
    assert both.metrics["kendall_tau"].n == 2
    with pytest.raises(UsageError, match="results are compared at one table"):
        compare([both, whole])
    assert len(compare([both, one]).pairs) == 1
    page = results_page([both], judged(holed, allow_missing=True))
    assert "61 of 64 children of holed" in page
    board = leaderboard(table=holed, allow_missing=True)
    assert board.table == "61 of 64 children of holed"
    assert "alone, epoch 1 of 1" in str(board)
    ours, theirs = (
        findings({"shuffle": both}, judged(holed, allow_missing=True)),
        findings({"shuffle": one}, tiny.table),
    )
    assert {found.what for found in ours} > {"T1R of 61: shuffle, running"}
    assert "T1R of 64: shuffle, running" in {found.what for found in theirs}
    gt_tau = next(found for found in ours if found.what == "GT-Tau: shuffle, running")
    assert gt_tau.mean == both.metrics["kendall_tau"].mean


def test_rankers_a_table_page_and_no_child_at_all(holed: Table) -> None:
    judge = judged(holed, allow_missing=True)
    assert evaluate("params", holed, allow_missing=True).metrics["kendall_tau"].mean == pytest.approx(
        judge_tau(judge), abs=1e-12
    )
    page = table_page(holed, allow_missing=True)
    assert "3 of them missing" in page
    assert "What follows is of the 61 children that lack no run." in page
    columns = {name: column.copy() for name, column in holed.content.columns.items()}
    columns["status"][1:, 0], columns["environment"][1:, 0] = MISSING, -1
    for name in CURVES:
        columns[name][1:, 0] = np.nan
    nearly_none = Table(Content(holed.content.attributes, columns), "nearly none")
    with pytest.raises(UsageError, match="1 child of nearly none makes no ranking; name 2 or more"):
        evaluate("params", nearly_none, allow_missing=True)


def judge_tau(judge: Any) -> float:
    from scipy.stats import kendalltau

    return float(kendalltau(judge.column("params"), judge.truth).statistic)


def test_parts_of_a_table_are_told_apart(holed: Table) -> None:
    known = judged(holed, allow_missing=True)
    assert judged(holed, allow_missing=False) is holed
    assert len({holed.digest, known.digest, Among(holed, range(60)).digest}) == 3
    assert Among(holed, range(64)).digest == holed.digest


def test_what_trained_whom_is_renumbered(make: Any) -> None:
    window = Window(np.arange(2 * 3 * 64, dtype=float).reshape(2, 3, 64), ((((0,), (2,), (5,)),),) * 2)
    some = make(window=window, last=3).outcome.among([2, 5, 9])
    assert some.window.trained == ((((), (0,), (1,)),),) * 2
    assert np.array_equal(some.window.scores, window.scores[..., [2, 5, 9]])
    assert np.array_equal(some.own, make().outcome.own[:, [2, 5, 9]])


def test_commands_say_who_is_left_out(holed: Table, tmp_path: Path) -> None:
    path, result, page = (str(tmp_path / name) for name in ("holed.h5", "p.json", "page.html"))
    write_table(Path(path), holed.content)
    for command in (
        ["evaluate", "random", "--instances", "2", "--out", result],
        ["leaderboard", "--json"],
        ["why", result],
        ["join", result, "--out", str(tmp_path / "j.json")],
        ["report", "-o", page],
        ["report", result, "-o", page, "--force"],
        ["report", result, "--figure", "scatter", "-o", page, "--force"],
    ):
        found = CliRunner().invoke(group, [*command, "--table", path, "--allow-missing"], catch_exceptions=False)
        assert found.exit_code == 0, found.output
        assert "left out, for holed.h5 lacks runs: 114, 124, 221\n" in found.stderr
        if "--json" in command:
            assert json.loads(found.stdout)["table"] == "61 of 64 children of holed.h5"


def test_the_card_of_a_table_that_lacks_runs(tiny: Any, holed: Table, tmp_path: Path) -> None:
    with pytest.raises(TableError, match="holed gives no ground truth: it lacks 114 seed 0 \\(missing\\)"):
        card(holed)
    text = card(holed, [tiny.table], allow_missing=True)
    seeds = len(holed.seeds)
    assert f"({64 * seeds} runs, 3 of them missing or diverged)" in text
    assert "Figures are of the 61 children that lack no run." in text
    assert "| all (61) |" in text
    assert "| tiny, macro small | 1.000 | 1.000 |" in text
    assert "Children that are the same network" not in text
    write_table(tmp_path / "holed.h5", holed.content)
    words = ["data", "card", "--table", str(tmp_path / "holed.h5")]
    whole = CliRunner().invoke(group, [*words, "--against", str(tmp_path / "holed.h5"), "--allow-missing"])
    assert whole.stderr == "left out, for holed.h5 lacks runs: 114, 124, 221\n"
    assert whole.stdout.startswith("# The table `holed.h5`")


def test_a_result_of_some_children_alone_has_no_others_to_leave_out(make: Any, holed: Table) -> None:
    judge = judged(holed, allow_missing=True)
    few = make().among(judge)
    assert few.scores.shape == (2, 61)
    assert few.among(judge) is few
    with pytest.raises(ResultError) as caught:
        few.among(Among(holed, range(5, 15)))
    assert str(caught.value) == (
        "the scores of full are of 61 children, and those of 10 of 64 children of holed are others; measure it against "
        "a table of the same space"
    )
