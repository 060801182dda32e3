"""What an evaluation says, every sentence in full, and what stands beside its tau."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from nasbench_ws import Result, load, metrics
from nasbench_ws.evaluation.experiment import longer_results, shipped_results
from nasbench_ws.metrics.prior import Regime
from nasbench_ws.results.assess import assess, measured
from nasbench_ws.results.assessment import Figure, Gap, Metric, Reach, Standing
from nasbench_ws.results.standing import minus_params, standing, usual, usual_of
from nasbench_ws.results.text import gap_text
from nasbench_ws.results.verdict import verdict
from nasbench_ws.tables.table import Table

nan = math.nan
GAP = Gap(-0.51, (-0.6, -0.4), 0.001, 0.18, "distinguishable", (3, 1), 0.95, None)
STANDING = Standing(
    reach={"kendall_tau": Reach(0.898, 0.013, 0.681, 0.031), "partial_tau": Reach(0.753, 0.03, 0.37, 0.046)},
    params_ties_random=0.75, minus_params=GAP, standalone_macs=52.4e12, children_accuracy=0.45,
    standalone_accuracy=0.86, chance=0.1, ensemble=0.3, decidable=1542, undecided=107, undecided_right=0.49,
)  # fmt: skip


def figure(mean: float, low: float, high: float, n: int = 3, reason: str | None = None) -> Metric:
    return Metric(mean, 0.1, (low, high), n, 0.95, "a test", reason, (mean,) * n)


METRICS = {"kendall_tau": figure(0.271, 0.175, 0.367), "partial_tau": figure(0.06, -0.07, 0.18)}
PARAMS = {"params": {"kendall_tau": Figure(0.777, nan, (0.75, 0.8), 1, 0.95, "", None)}}
WHOLE = (
    "GT-Tau 0.27 [0.17, 0.37] over 3 super-nets. Counting parameters: 0.78 (0.75 with ties broken at random). One "
    "standalone training of every child: 0.68, at 78 times the compute. The most any ranking can be expected to reach, "
    "given 10 seeds a child: 0.90. Beyond parameter count: partial tau 0.06 [-0.07, 0.18] (one standalone training "
    "0.37, most 0.75). The children score 45 % on average; alone they reach 86 %: the super-net is far from trained."
)


def told(found: Standing | None = STANDING, measured: Any = None, **options: Any) -> str:
    options = {"seeds": 10, "kind": "super-net", "macs": 0.6712e12} | options
    return verdict(METRICS if measured is None else measured, PARAMS, found, **options)


def test_a_verdict_in_full() -> None:
    assert told() == WHOLE


def test_instances_that_diverged_are_in_the_count() -> None:
    assert told(diverged=2).startswith("GT-Tau 0.27 [0.17, 0.37] over 3 of 5 super-nets (2 diverged). Counting")
    assert told(None, {}) == "Every instance diverged: there is nothing to rank."


def test_under_training_is_said_below_half_of_the_way_from_chance() -> None:
    assert "far from trained" not in told(replace(STANDING, children_accuracy=0.49))
    assert "far from trained" in told(replace(STANDING, children_accuracy=0.47))
    for unknown in ("children_accuracy", "standalone_accuracy", "chance"):
        assert "far from trained" not in told(replace(STANDING, **{unknown: nan}))


def test_what_is_not_known_is_not_said() -> None:
    reach = {name: Reach(nan, nan, nan, nan) for name in STANDING.reach}
    assert told(replace(STANDING, reach=reach, chance=nan)) == (
        "GT-Tau 0.27 [0.17, 0.37] over 3 super-nets. Counting parameters: 0.78 (0.75 with ties broken at random). The "
        "table has too few seeds for a bound. Beyond parameter count: partial tau 0.06 [-0.07, 0.18]."
    )
    assert ", at" not in told(macs=nan)
    void = {"kendall_tau": figure(0.27, nan, nan, 1, "one value"), "partial_tau": figure(nan, nan, nan, 1, "none")}
    assert told(replace(STANDING, chance=nan), void, kind="ranking").startswith("GT-Tau 0.27 over 1 ranking. Counting")
    assert told(replace(STANDING, chance=nan), void).endswith(" Beyond parameter count: no partial tau, for none.")


def test_nothing_is_called_a_ceiling_or_above_one() -> None:
    table = load("fashion14")
    for scores in (table.truth, table.column("params"), -table.truth):
        said = assess(scores.astype(float), table).verdict
        assert "ceiling" not in said
        assert "above" not in said


def test_no_verdict_on_a_constant_score(tiny: Any, quick: None) -> None:
    """Nor where one instance of several ranks nothing: a mean over the others would hide it."""
    scores = np.random.default_rng(6).random((2, 64))
    scores[1] = 0.1
    found = assess(scores, tiny.table)
    assert math.isnan(found.metrics["kendall_tau"].mean)
    assert found.verdict == "No verdict: all 64 scores of row 1 are equal: no ranking to compare."
    assert found.standing is not None
    assert found.standing.minus_params.reason == "a ranking of equal scores has no tau"
    assert found.metrics["regret@1"].mean > 0  # a draw among them all has an expected regret


# -- what stands beside it --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table() -> Table:
    return load("fashion14")


def test_parameters_against_themselves_are_neither_above_nor_below(table: Table) -> None:
    params = table.column("params").astype(float)
    for scores in (params[None], np.stack([params, params])):
        found = minus_params(scores, table, None, Regime())
        assert (found.mean, found.verdict) == (0.0, "not distinguishable")
        assert found.reason == "neither varies, between instances or over tables: there is nothing to test"
        assert gap_text(found).startswith("+0.000, not tested: ")


def test_one_ranking_given_twice_decides_no_more_than_given_once(table: Table) -> None:
    """A gain of .006 over parameter count, beside a deviation of as much over tables."""
    counts = np.array([[op == table.space.operations[-1] for op in arch.choices] for arch in table.space])
    scores = table.column("params") - 1e-3 * counts.sum(axis=1) + 1e-6 * np.arange(64)
    once, twice = (minus_params(np.stack([scores] * n), table, None, Regime()) for n in (1, 2))
    assert once.interval == twice.interval
    assert once.verdict == twice.verdict
    intervals = [assess(np.stack([scores] * n), table).metrics["kendall_tau"].interval for n in (1, 2)]
    assert intervals[0] == intervals[1]


def test_one_super_net_has_an_interval_from_what_is_usual(table: Table) -> None:
    scores = table.truth + np.random.default_rng(0).normal(size=64) * 0.02
    found = assess(scores, table, batch_norm="recalibrate:1024")
    tau, top = found.metrics["kendall_tau"], found.metrics["top_rank@1"]
    assert 0.2 < tau.interval[1] - tau.interval[0] < 0.45
    assert tau.method == "moderated t over 1 instance, table seeds resampled"
    assert top.reason is not None
    assert top.reason.startswith("1 instance leaves more than half of 1 to 64 open: top_rank@1 has an interval from ")


def test_ways_of_training_have_a_variance_of_their_own(table: Table) -> None:
    mode = "recalibrate:1024"
    for file, own_way in (("enas", True), ("panda", True), ("similar-4-child-updates", False)):
        result = Result.load(shipped_results() / f"{file}.json")
        outcome = result.outcome
        assert outcome.regime == Regime(own_way=own_way)
        mine, others = (usual(table, mode, Regime(own_way=one)) for one in (own_way, not own_way))
        assert usual_of(outcome, mode) == mine != others
        scores, kept = outcome.scores[mode], result.under(mode)["kendall_tau"].interval
        assert measured(scores, table, mode, Regime(own_way=own_way))["kendall_tau"].interval == kept
        other = measured(scores, table, mode, Regime(own_way=not own_way))["kendall_tau"].interval
        if file == "enas":  # which varies most: by the variance of other super-nets its interval is narrower
            assert other[1] - other[0] < 0.7 * (kept[1] - kept[0])


def test_longer_training_has_a_variance_of_its_own(table: Table) -> None:
    mode = "recalibrate:1024"
    result = Result.load(longer_results() / "enas-39200.json")
    assert result.outcome.regime == Regime(own_way=True, steps=39_200)
    here, shorter = (usual(table, mode, one) for one in (result.outcome.regime, Regime(own_way=True)))
    assert usual_of(result.outcome, mode) == here != shorter
    scores, kept = result.outcome.scores[mode], result.under(mode)["kendall_tau"].interval
    assert measured(scores, table, mode, result.outcome.regime)["kendall_tau"].interval == kept
    assert measured(scores, table, mode, Regime(own_way=True))["kendall_tau"].interval != kept


def test_what_is_usual_is_of_super_nets_on_that_problem_only(table: Table, tiny: Any) -> None:
    assert usual(table, "running", Regime())["kendall_tau"].std > 0
    assert usual(table, None, Regime()) == {}
    assert usual(tiny.table, "running", Regime()) == {}


def test_the_shipped_full_stands_where_its_scores_put_it(table: Table) -> None:
    result = Result.load(shipped_results() / "shuffle.json")
    scores, truth, params = result.scores, table.truth, table.column("params").astype(float)
    found = standing(scores, table, result.outcome.batch_norm, result.outcome.regime)
    assert found.ensemble == pytest.approx(stats.kendalltau(scores.mean(axis=0), truth).statistic)
    assert found.children_accuracy == pytest.approx(scores.mean())
    assert (found.decidable, found.undecided) == (1630, 123)
    assert found.params_ties_random == pytest.approx(0.758, abs=5e-4)
    reach = found.reach
    assert [round(one.bound, 2) for one in reach.values()] == [0.92, 0.80]
    assert [round(one.standalone, 2) for one in reach.values()] == [0.69, 0.37]
    mean = metrics.kendall_taus(scores, truth).mean() - metrics.kendall_tau(params, truth)
    assert found.minus_params.mean == pytest.approx(mean)
    assert found.minus_params.verdict == "distinguishable"
    assert found.standalone_macs / result.outcome.cost.macs == pytest.approx(78, abs=0.5)
    assert found.chance == 0.1
