"""The table of topology729 and its leaderboard: each network counts once, and every number that ships is recomputed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from nasbench_ws import load, metrics
from nasbench_ws.evaluation.experiment import shipped_results
from nasbench_ws.evaluation.leaderboard import leaderboard
from nasbench_ws.evaluation.reference import shipped_full
from nasbench_ws.recipe import recipe_of
from nasbench_ws.report.card import card
from nasbench_ws.report.results import results_page
from nasbench_ws.report.table import table_page
from nasbench_ws.results.assess import assess
from nasbench_ws.results.result import Result
from nasbench_ws.results.truth import Among, judged, once, places_of
from nasbench_ws.results.why import why
from nasbench_ws.results.yardstick import yardstick
from nasbench_ws.search import World
from nasbench_ws.space.isomorphism import representatives, sees_image
from nasbench_ws.tables.table import Table

DATA = Path(__file__).parents[2] / "data"
SHIPPED = sorted(shipped_results("topology729").glob("*.json"))


@pytest.fixture(scope="module")
def table() -> Table:
    return load("fashion14-topology")


def test_every_network_counts_once(table: Table) -> None:
    first = np.array(representatives(table.space, table.macro.output))
    networks = np.flatnonzero(first == np.arange(729))
    assert (len(table), len(networks), len(table.seeds), table.absent()) == (729, 99, 7, [])
    judge = once(table)
    assert places_of(judge) == networks.tolist()
    assert (judge.truth == table.truth[networks]).all()
    assert (table.truth == table.truth[first]).all()
    assert (judge.name, judge.digest, len(judge)) == (table.name, table.digest, 99)
    assert len(judged(table, allow_missing=True)) == 99
    assert set(Among.top(table, 0.25).places) < set(networks.tolist())
    assert len(Among.top(table, 0.25)) == 25
    assert [entry.index for entry in table.best("test_accuracy", 99)] == sorted(
        networks.tolist(), key=lambda place: -table.truth[place]
    )
    assert once(load("fashion14")).name == "fashion14"
    assert len(once(load("nasbench201-cifar10"))) == 15_625  # which others trained apart


def test_scores_of_other_names_of_a_network_do_not_count(table: Table) -> None:
    rng = np.random.default_rng(0)
    scores = rng.random(729)
    networks = np.flatnonzero(table.firsts)
    found = assess(scores, table)
    expected = stats.kendalltau(scores[networks], table.truth[networks]).statistic
    assert found.metrics["kendall_tau"].mean == pytest.approx(expected, abs=1e-12)
    assert assess(scores[networks], table).metrics == found.metrics
    assert assess(np.where(table.firsts, scores, rng.random(729)), table).metrics == found.metrics


def test_the_aims_of_the_table_are_met(table: Table) -> None:
    """Parameters do not decide it, and seeds do not blur it."""
    found = yardstick(table)
    assert found.reach["partial_tau"].bound > 0.8
    assert 0 < found.baselines["params"]["kendall_tau"].mean < 0.6
    assert table.recipe == recipe_of("topology729")


@pytest.mark.parametrize("path", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_every_number_that_ships_is_recomputed(table: Table, path: Path) -> None:
    result, networks = Result.load(path), np.flatnonzero(table.firsts)
    assert result["table"] == {"name": table.name, "digest": table.digest}
    for mode in ("recalibrate:1024", "running"):
        rows = result.outcome.scores[mode][:, networks]
        truth, params = table.truth[networks], table.column("params")[networks].astype(float)
        taus = [stats.kendalltau(row, truth).statistic for row in rows]
        assert result.under(mode)["kendall_tau"].values == pytest.approx(taus, abs=1e-12)
        partial = [metrics.partial_tau(row, truth, params) for row in rows]
        assert result.under(mode)["partial_tau"].values == pytest.approx(partial, abs=1e-12)


def test_what_ships_is_measured_as_the_package_measures(table: Table) -> None:
    result = Result.load(SHIPPED[0])
    assert result.against(table).data == result.data


def test_a_search_knows_a_network_under_all_its_names(table: Table) -> None:
    other = int(np.flatnonzero(~table.firsts)[-1])
    first = int(table.column("isomorph")[other])
    rules = {"repeats": "cached"}
    world = World(table, seed=3, **rules)
    price = world.price(other, 2)
    assert price == World(table, seed=3, **rules).price(first, 2) > 0
    seen = world(table.space[first])
    again = world(table.space[other])
    assert (again.signal, again.cost) == (seen.signal, 0)
    assert world.truth(other) == world.truth(first)
    fresh = World(table, seed=3)
    shown = [fresh(table.space[index]).signal for index in (first, other, first, other)]
    runs = [run for _, run, _ in fresh.trials]
    assert len(set(runs)) == 4  # of one network's seeds, none is shown twice
    assert shown == [table.query(first).valid_accuracy.values[run] for run in runs]


def test_pages_and_explanations_are_of_the_networks(table: Table) -> None:
    result = Result.load(shipped_results("topology729") / "shuffle.json")
    found = why(result, table)
    assert found.shares == why(result, once(table)).shares
    assert found.decided < 99 * 98 / 2
    assert "99" in results_page([result], table)
    pytest.importorskip("matplotlib")
    axes = result.plot.scatter(table)
    assert len(axes.containers[0].lines[0].get_xdata()) == 99


def test_the_leaderboard_has_what_ships(table: Table) -> None:
    board = leaderboard(table=table)
    nets = {row.name for row in board.rows if row.kind == "super-net"}
    assert nets == {
        "full", "full uniform", "full fair", "edge:0-1", "edge:2-3", "groups:similar:9", "groups:random:9",
        "private:bn", "none",
    }  # fmt: skip
    assert str(board).startswith("Kendall tau on fashion14-topology (7 seeds, 99 networks); expected at most: 0.860.\n")
    assert (board.networks, board.left_out, len(board.results)) == (99, 0, len(SHIPPED))
    assert board.markdown() in (DATA / "PILOT-topology.md").read_text()


def test_the_card_is_made_of_the_table(table: Table) -> None:
    assert (DATA / "README-topology.md").read_text() == card(table, (), shipped_full(table))


def test_a_child_that_does_not_see_the_image_is_flagged(table: Table) -> None:
    blind = [child for child in table.space if not sees_image(child, "last")]
    assert len(blind) == 67
    assert all(table.truth[child.index] == pytest.approx(0.1, abs=1e-12) for child in blind)
    assert table.query("111111").sees_image is False
    assert table.query("111111").to_dict()["sees_image"] is False
    assert "sees_image" not in table.query("333333").to_dict()
    assert load("nasbench201-cifar10").query(0).sees_image is None
    said = "The output of 111111 does not depend on the image."
    assert said in table_page(table)
