"""The bound of a table and its references, by definition and against a known truth."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats
from test_intervals import rng, world

from nasbench_ws import load, metrics
from nasbench_ws.errors import MetricError
from nasbench_ws.metrics.bound import bound, standalone
from nasbench_ws.metrics.ceiling import noise_ceiling


def test_the_bound_of_tau_is_what_a_perfect_ranking_reaches():
    noise, control = rng(1), rng(2).permutation(64)
    said, reached = [], []
    for _ in range(40):
        _, accuracy = world(1, 10, noise)
        one = bound(accuracy, ["kendall_tau", "partial_tau"], rng=noise, control=control, simulations=40)
        said.append([one["kendall_tau"].mean, one["partial_tau"].mean])
        truth = accuracy.mean(axis=1)
        reached.append([metrics.kendall_tau(range(64), truth), metrics.partial_tau(range(64), truth, control)])
    assert np.mean(said, axis=0) == pytest.approx(np.mean(reached, axis=0), abs=0.01)
    assert one["kendall_tau"].std == pytest.approx(np.std(reached, axis=0)[0], rel=0.4)


def test_the_shipped_tables_bound_is_the_ceilings_perfect_predictor():
    seeds = load("fashion14").by_seed("test_accuracy")
    ceiling = noise_ceiling(seeds, rng=rng()).perfect.mean
    assert bound(seeds, ["kendall_tau"], rng=rng())["kendall_tau"].mean == pytest.approx(ceiling, abs=0.003)


def test_a_table_with_one_seed_has_no_bound():
    (one,) = bound(np.arange(8.0), ["kendall_tau"], rng=rng()).values()
    assert math.isnan(one.mean)
    assert one.reason == "every child has one seed: its noise and its accuracy cannot be separated"


@pytest.mark.parametrize("size", [1, 2, 4])
def test_standalone_training_is_ranked_against_the_other_seeds(size):
    valid, test = rng(1).random((2, 12, 5))
    control = rng(2).permutation(12)
    found = standalone(valid, test, size, ["kendall_tau", "partial_tau"], rng=rng(), control=control)
    taus, partials = [], []
    for own in itertools.combinations(range(5), size):
        scores, truth = valid[:, own].mean(axis=1), np.delete(test, own, axis=1).mean(axis=1)
        taus.append(stats.kendalltau(scores, truth).statistic)
        partials.append(metrics.partial_tau(scores, truth, control))
    assert found["kendall_tau"] == pytest.approx((np.mean(taus), np.std(taus), min(taus), max(taus), len(taus)))
    assert found["partial_tau"].mean == pytest.approx(np.mean(partials))


def test_standalone_training_needs_another_seed_and_the_same_runs():
    assert math.isnan(standalone(np.ones((4, 1)), np.ones((4, 1)), rng=rng())["kendall_tau"].mean)
    valid, test = rng(1).random((2, 12, 5))
    valid[3, 2] = np.nan
    each = [  # only seeds that every child has rank them; the others' mean is over all that a child has
        stats.kendalltau(valid[:, seed], np.delete(test, seed, axis=1).mean(axis=1)).statistic for seed in (0, 1, 3, 4)
    ]
    assert standalone(valid, test, rng=rng())["kendall_tau"].mean == pytest.approx(np.mean(each))
    with pytest.raises(MetricError) as error:
        standalone(valid, test[:, :2], rng=rng())
    assert str(error.value) == ("scores have shape (12, 5) and truth (12, 2): both are needed of the same runs")
