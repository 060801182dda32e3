"""From scores to metrics, baselines and bounds: known answers, and scipy. What is said of them: test_verdict.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from nasbench_ws.errors import MetricError, TableError
from nasbench_ws.metrics.prior import Regime
from nasbench_ws.metrics.rank import REPORTED
from nasbench_ws.results.assess import assess, window_taus
from nasbench_ws.results.schema import derived_json
from nasbench_ws.results.yardstick import ceilings
from nasbench_ws.tables.columns import CURVES, Content
from nasbench_ws.tables.table import Table

N = 64


@pytest.fixture
def table(tiny: Any, quick: None) -> Table:
    return tiny.table  # type: ignore[no-any-return]


def ladder(tiny: Any) -> Table:
    """A table whose child i has test accuracy 0.1 + i / 100 with every seed."""
    content: Content = tiny.table.content
    columns = {name: column.copy() for name, column in content.columns.items()}
    for name in CURVES:
        columns[name][:] = 0.1 + np.arange(N)[:, None, None] / 100
    return Table(Content(content.attributes, columns), "ladder")


# -- known answers ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("quick")
def test_a_small_example_by_hand(tiny: Any) -> None:
    """The right order but for the best two, which are swapped: one pair of 2,016 disagrees."""
    scores = np.arange(N, dtype=float)
    scores[[62, 63]] = scores[[63, 62]]
    found = assess(scores, ladder(tiny))
    means = {name: metric.mean for name, metric in found.metrics.items()}
    assert set(means) == set(REPORTED)
    assert means["kendall_tau"] == pytest.approx(1 - 2 / 2016, abs=1e-12)
    assert means["sparse_tau"] == pytest.approx(1 - 2 / 2016, abs=1e-12)
    assert means["spearman"] == pytest.approx(1 - 6 * 2 / (N * (N**2 - 1)), abs=1e-12)
    assert means["top_rank@1"] == 2
    assert means["top_rank@3"] == 1
    assert means["regret@1"] == pytest.approx(0.01, abs=1e-12)
    assert means["precision_at_top@5"] == means["precision_at_bottom@5"] == 1
    assert found.diverged == 0
    assert found.s_tau is None  # one instance agrees with no other
    assert found.metrics["kendall_tau"].values == (means["kendall_tau"],)
    assert set(vars(found.metrics["kendall_tau"])) == {
        "mean", "std", "interval", "n", "level", "method", "reason", "values",
    }  # fmt: skip


def test_a_perfect_score(table: Table) -> None:
    found = assess(table.truth, table)
    metrics = {name: metric.mean for name, metric in found.metrics.items()}
    for name in ("kendall_tau", "spearman", "pearson", "weighted_tau", "ndcg@5"):
        assert metrics[name] == pytest.approx(1, abs=1e-12)
    assert metrics["top_rank@1"] == metrics["top_rank@3"] == 1
    assert metrics["regret@1"] == 0
    reverse = assess(-table.truth, table).metrics
    assert reverse["kendall_tau"].mean == pytest.approx(-1, abs=1e-12)
    assert reverse["top_rank@1"].mean == N


def test_instances_are_averaged(table: Table) -> None:
    rng = np.random.default_rng(1)
    scores = rng.random((3, N))
    found = assess(scores, table)
    taus = [stats.kendalltau(row, table.truth).statistic for row in scores]
    tau = found.metrics["kendall_tau"]
    assert tau.values == pytest.approx(taus, abs=1e-12)
    assert tau.mean == pytest.approx(np.mean(taus), abs=1e-12)
    assert tau.std == pytest.approx(np.std(taus, ddof=1), abs=1e-12)
    assert tau.interval[0] < tau.mean < tau.interval[1]
    assert (tau.n, tau.level, tau.reason) == (3, 0.95, None)
    pairs = [stats.kendalltau(scores[i], scores[j]).statistic for i, j in ((0, 1), (0, 2), (1, 2))]
    assert vars(found.s_tau) == pytest.approx({"mean": np.mean(pairs), "min": min(pairs), "max": max(pairs)}, abs=1e-12)


def test_the_same_scores_are_assessed_alike(table: Table) -> None:
    scores = np.random.default_rng(2).random((2, N))
    assert derived_json(assess(scores, table)) == derived_json(assess(scores.tolist(), table))


# -- baselines ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["params", "macs"])
def test_scores_equal_to_a_baseline_reach_what_it_reaches(table: Table, name: str) -> None:
    found = assess(table.column(name), table)
    for metric, baseline in found.baselines[name].items():
        assert found.metrics[metric].mean == pytest.approx(baseline.mean, nan_ok=True)


def test_random_rankings_reach_nothing(table: Table) -> None:
    random = assess(table.truth, table).baselines["random"]
    assert set(random) == set(REPORTED)
    assert abs(random["kendall_tau"].mean) < 0.06  # of 20 rankings, whose deviation is .083
    low, high = random["kendall_tau"].interval
    assert -0.3 < low < 0 < high < 0.3
    assert random["top_rank@1"].mean == pytest.approx((N + 1) / 2, abs=15)
    assert random["kendall_tau"].n == 20
    assert random["kendall_tau"].method == "central 95 % of random rankings"


def test_the_ceiling_is_of_the_tables_seeds(table: Table) -> None:
    found = ceilings(table.by_seed("test_accuracy"))
    assert {name: one.children for name, one in vars(found).items()} == {"all": 64, "top_quarter": 16, "top_tenth": 6}
    assert all(one.seeds == 3 for one in vars(found).values())
    runs = table.by_seed("test_accuracy")
    held_out = [stats.kendalltau(runs[:, i], np.delete(runs, i, axis=1).mean(axis=1)).statistic for i in range(3)]
    assert found.all.held_out.mean == pytest.approx(np.mean(held_out), abs=1e-12)
    assert found.all.held_out.mean < found.all.perfect.mean < 1
    assert found == assess(table.truth, table).ceiling


# -- what diverged ------------------------------------------------------------------------------------


def test_instances_that_diverged_are_counted_and_left_out(table: Table) -> None:
    scores = np.random.default_rng(3).random((4, N))
    scores[[0, 2]] = np.nan
    found = assess(scores, table)
    assert found.diverged == 2
    assert found.metrics == assess(scores[[1, 3]], table).metrics
    assert found.metrics["kendall_tau"].n == 2


def test_a_child_that_diverged_is_ranked_last(table: Table) -> None:
    scores = np.random.default_rng(4).random((2, N))
    scores[1, 7] = np.nan
    found = assess(scores, table)
    scores[1, 7] = -1
    assert found.metrics["kendall_tau"].values == assess(scores, table).metrics["kendall_tau"].values
    assert found.diverged == 0
    assert found.s_tau == assess(scores, table).s_tau


def test_when_all_diverged_there_is_no_metric(table: Table) -> None:
    found = assess(np.full((2, N), np.nan), table)
    assert found.diverged == 2
    assert found.metrics == {}
    assert found.s_tau is None
    assert found.verdict == "Every instance diverged: there is nothing to rank."
    assert set(found.baselines) == {"params", "macs", "random"}


# -- windows ------------------------------------------------------------------------------------------


def test_tau_over_a_window(table: Table) -> None:
    """GT-Tau-Mean-k and GT-Tau-Std-k: over the window first, then over instances."""
    window = np.random.default_rng(5).random((2, 3, N))
    taus = np.array([[stats.kendalltau(row, table.truth).statistic for row in one] for one in window])
    found = window_taus(window, table)
    assert found.mean == pytest.approx(taus.mean(), abs=1e-12)
    assert found.std == pytest.approx(taus.std(axis=1).mean(), abs=1e-12)
    window[1, 2, 5] = np.nan
    first = window_taus(window, table)
    window[1, 2, 5] = -1
    assert first == window_taus(window, table)


# -- refusals -----------------------------------------------------------------------------------------


def test_scores_for_other_children(table: Table) -> None:
    with pytest.raises(MetricError) as caught:
        assess(np.zeros((2, 16)), table)
    assert str(caught.value) == ("16 scores for the 64 children of the table; give one for each, in its order")


def test_a_table_that_lacks_a_run(tiny: Any, quick: None) -> None:
    with pytest.raises(TableError) as caught:
        assess(np.zeros(N), tiny.remade(tiny.recipe, status=3))
    assert str(caught.value) == (
        "tiny gives no ground truth: it lacks 112 seed 1 (missing); build what is missing, leave these children "
        "out (--allow-missing), or take column('test_accuracy', skip_missing=True) and say so"
    )


def test_a_regime_goes_with_a_way_of_batch_norm(table: Table) -> None:
    scores = np.random.default_rng(5).normal(size=(3, N))
    with pytest.raises(MetricError) as caught:
        assess(scores, table, regime=Regime(steps=39_200))
    assert str(caught.value) == (
        "a regime says how much super-nets vary, and without batch_norm no super-net is assumed: give the mode that "
        "the scores were read under as well, such as batch_norm='running'"
    )
    with pytest.raises(MetricError) as caught:
        assess(scores, table, batch_norm="running", regime=39_200)  # type: ignore[arg-type]
    assert str(caught.value) == "regime=39200: give a Regime, such as Regime(steps=39_200)"
    usual = assess(scores, table, batch_norm="running")
    assert derived_json(usual) == derived_json(assess(scores, table, batch_norm="running", regime=Regime()))
