"""Intervals: the t interval they are without table noise, and coverage by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from nasbench_ws import metrics
from nasbench_ws.errors import MetricError
from nasbench_ws.metrics import intervals as resample

nan = float("nan")
NAMES = ("kendall_tau", "spearman", "pearson", "weighted_tau", "sparse_tau", "top_rank@3", "regret@1")


def rng(seed=0):
    return np.random.default_rng(seed)


def world(instances, seeds, noise, children=64):
    """Scores (instances, children) and accuracies (children, seeds) of children evenly apart, both noisy."""
    true = np.linspace(0.80, 0.86, children)
    scores = true + noise.normal(size=(instances, children)) * 0.02
    return scores, true[:, None] + noise.normal(size=(children, seeds)) * 0.01


# ---------------------------------------------------------------------------------------------- intervals


def test_without_table_noise_an_interval_is_the_t_interval():
    scores, accuracy = world(4, 3, rng())
    truth = accuracy.mean(axis=1)
    for name, interval in resample.intervals(scores, truth, NAMES, rng=rng()).items():
        values = metrics.measure(scores, truth, [name])[name]
        expected = resample.t_interval(values)
        assert (interval.mean, interval.std, interval.n) == (expected.mean, expected.std, 4)
        assert interval.method == "t over 4 instances"
        low, high = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
        assert (expected.low, expected.high) == pytest.approx((low, high))
        assert interval.low == pytest.approx(max(low, {"top_rank@3": 1, "regret@1": 0}.get(name, -1)), abs=5e-3)
        assert interval.high == pytest.approx(high, rel=5e-3)


def test_table_noise_widens_an_interval_around_the_same_mean():
    scores, accuracy = world(5, 3, rng(1))
    with_seeds = resample.intervals(scores, accuracy, NAMES, rng=rng())
    without = resample.intervals(scores, accuracy.mean(axis=1), NAMES, rng=rng())
    for name in NAMES[:5]:
        assert with_seeds[name].mean == without[name].mean
        assert with_seeds[name].high - with_seeds[name].low > 1.02 * (without[name].high - without[name].low)
        assert with_seeds[name].method == "t over 5 instances, table seeds resampled"
        assert with_seeds[name].low < with_seeds[name].mean < with_seeds[name].high


def test_intervals_are_reproducible_and_leave_the_global_generator_alone():
    scores, accuracy = world(3, 3, rng(2))
    before = np.random.get_state()[1].tolist()
    first, second = (resample.intervals(scores, accuracy, NAMES, rng=rng(5), resamples=300) for _ in range(2))
    assert first == second
    assert np.random.get_state()[1].tolist() == before


def test_a_t_interval_covers_what_it_promises_at_three_instances():
    values = rng(3).normal(size=(2000, 3))
    covered = np.mean([interval.low <= 0 <= interval.high for interval in map(resample.t_interval, values)])
    assert covered >= 0.93


def test_resampling_three_instances_would_not():
    noise = rng(4)
    values = noise.normal(size=(2000, 3))
    means = np.take_along_axis(values[:, None], noise.integers(3, size=(2000, 300, 3)), axis=2).mean(axis=2)
    low, high = np.quantile(means, [0.025, 0.975], axis=1)
    assert np.mean((low <= 0) & (high >= 0)) < 0.8  # the reason, given in the module, for the t interval


def test_intervals_cover_at_three_instances_when_table_and_instances_are_drawn_anew():
    noise, names = rng(6), ("kendall_tau", "pearson", "regret@1")
    worlds = [world(20, 3, noise) for _ in range(200)]
    expected = {name: np.mean([metrics.measure(s, a.mean(axis=1), [name])[name] for s, a in worlds]) for name in names}
    covered = dict.fromkeys(names, 0.0)
    for _ in range(150):
        scores, accuracy = world(3, 3, noise)
        for name, interval in resample.intervals(scores, accuracy, names, rng=noise, resamples=400).items():
            covered[name] += (interval.low <= expected[name] <= interval.high) / 150
    assert min(covered.values()) >= 0.9, covered


def test_one_instance_without_a_prior_has_no_interval():
    scores, accuracy = world(1, 3, rng())
    for truth in (accuracy, accuracy[:, 0]):
        for interval in resample.intervals(
            scores, truth, ["kendall_tau", "regret@1"], rng=rng(), resamples=50
        ).values():
            assert (interval.method, interval.n) == ("none", 1)
            assert math.isnan(interval.low)
            assert math.isnan(interval.std)
            assert interval.reason == "one instance: how much the metric varies over instances is not known"


def test_an_undefined_metric_has_a_reason():
    scores, accuracy = world(3, 3, rng())
    (sparse,) = resample.intervals(scores, accuracy, ["sparse_tau"], rng=rng(), resamples=50, delta=1).values()
    assert sparse.reason == "all 64 ground-truth values are within 1 of one another: no ranking to compare"
    scores[1] = 0.5
    (tau,) = resample.intervals(scores, accuracy, ["kendall_tau"], rng=rng(), resamples=50).values()
    assert math.isnan(tau.mean)
    assert math.isnan(tau.low)
    assert tau.reason == "all 64 scores of row 1 are equal: no ranking to compare"


@pytest.mark.parametrize("at_once", [1, 640, 10**6])
def test_drawn_truths_come_from_each_childs_own_seeds(at_once, monkeypatch):
    monkeypatch.setattr(resample, "VALUES_AT_ONCE", at_once)
    accuracy = np.array([[0.1, 0.2, 0.6], [nan, 0.5, 0.7], [nan, nan, 0.9], [0.3, 0.3, 0.3]])
    truths = np.concatenate([part for _, part in resample._drawn_truths(accuracy, 4000, rng())])
    assert truths.shape == (4000, 4)
    np.testing.assert_allclose(truths.mean(axis=0), [0.3, 0.6, 0.9, 0.3], atol=5e-3)
    # The variance of a mean of c seeds, estimated without bias: var(ddof=1) / c.
    np.testing.assert_allclose(truths.var(axis=0), [0.07 / 3, 0.02 / 2, 0, 0], rtol=0.1, atol=1e-12)
    assert set(truths[:, 1].round(6)) == set((0.6 + np.array([-0.1, 0, 0.1]) * math.sqrt(2)).round(6))


ERRORS = [
    (
        lambda: resample.intervals([[1, 2]], [1, 2], ["pearson"], rng=rng(), level=95),
        "level=95: it must be a fraction between 0 and 1, such as 0.95",
    ),
    (
        lambda: resample.intervals([[1, 2]], [1, 2], ["pearson"], rng=rng(), resamples=0),
        "resamples=0: at least 1 is needed, and 2000 for a 95 % interval",
    ),
    (
        lambda: resample.intervals([[1, 2]], [1, 2], ["regret@3"], rng=rng()),
        "K=3 of 2 children cannot be taken: K must be from 1 to 2",
    ),
    (
        lambda: resample.t_interval([0.5, nan]),
        "1 of 2 values are not finite, shape (2,): one finite value for each instance, (n,), is needed; leave out "
        "instances without one",
    ),
]


@pytest.mark.parametrize(("call", "message"), ERRORS, ids=[message[:40] for _, message in ERRORS])
def test_errors_say_what_was_met_and_what_is_allowed(call, message):
    with pytest.raises(MetricError) as error:
        call()
    assert str(error.value) == message
