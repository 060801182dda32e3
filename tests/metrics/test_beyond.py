"""Beyond parameter count: partial tau against three tau-b, ties at random against all orders, pairs by their rule."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from nasbench_ws import load, metrics
from nasbench_ws.errors import MetricError
from nasbench_ws.metrics.pairs import Pairs, decidable, undecided_by

levels = st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=3, max_size=12)


def tau(x, y):
    return stats.kendalltau(x, y).statistic


@settings(deadline=None)
@given(rows=levels)
def test_partial_tau_is_kendalls_formula_of_three_tau_b(rows):
    s, y, c = np.array(rows, dtype=float).T
    if any((v == v[0]).all() for v in (s, y, c)):
        assert math.isnan(metrics.partial_tau(s, y, c))
        return
    sy, sc, yc = tau(s, y), tau(s, c), tau(y, c)
    left = (1 - sc**2) * (1 - yc**2)
    expected = (sy - sc * yc) / math.sqrt(left) if left > 1e-9 else math.nan
    value = metrics.partial_tau(s, y, c)
    assert value == pytest.approx(expected, abs=1e-9, nan_ok=True)
    assert math.isnan(value) or -1 <= value <= 1
    assert metrics.partial_tau(y, s, c) == pytest.approx(value, abs=1e-12, nan_ok=True)
    assert metrics.partial_tau(-s, y, c) == pytest.approx(-value, abs=1e-12, nan_ok=True)
    assert metrics.partial_tau(s, y, -c) == pytest.approx(value, abs=1e-12, nan_ok=True)
    assert metrics.partial_tau(np.exp(s), y * 1e-3, c**3) == pytest.approx(value, abs=1e-12, nan_ok=True)


def test_partial_tau_is_nothing_where_a_ranking_is_the_control():
    control, truth = [1, 2, 3, 4], [1, 3, 2, 4]
    assert math.isnan(metrics.partial_tau(control, truth, control))
    assert math.isnan(metrics.partial_tau(truth, [4, 3, 2, 1], control))
    assert metrics.partial_tau(truth, truth, control) == pytest.approx(1)


def test_partial_tau_of_the_control_with_its_ties_broken_at_random_is_about_nothing():
    table = load("fashion14")
    rng, params = np.random.default_rng(0), table.column("params").astype(float)
    broken = params + rng.random((500, 64))
    value = metrics.measure(broken, table.truth, ["partial_tau"], control=params)["partial_tau"]
    assert abs(value.mean()) < 0.02
    # Only 16 numbers of parameters: the ties that were broken are no knowledge of the truth, nor against it.
    expected = metrics.tau_ties_random(params, table.truth)
    assert metrics.kendall_taus(broken, table.truth).mean() == pytest.approx(expected, abs=0.003)


@settings(deadline=None, max_examples=10)  # of five rows each order is counted
@given(rows=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=2, max_size=5))
def test_ties_at_random_are_the_mean_over_all_orders(rows):
    s, y = np.array(rows, dtype=float).T
    if (y == y[0]).all():
        assert math.isnan(metrics.tau_ties_random(s, y))
        return
    taus = [tau(np.lexsort((order, s)).argsort(), y) for order in itertools.permutations(range(len(s)))]
    assert metrics.tau_ties_random(s, y) == pytest.approx(np.mean(taus), abs=1e-12)


def test_the_pairs_that_the_shipped_table_decides_are_those_of_welchs_rule():
    table = load("fashion14")
    seeds, params = table.by_seed("test_accuracy"), table.column("params")
    expected, left = 0, []
    for i, j in itertools.combinations(range(64), 2):
        own = [table.query(child).test_accuracy for child in (i, j)]
        gap = own[0].mean - own[1].mean
        if abs(gap) > 2 * math.sqrt(sum(one.std**2 / len(one.values) for one in own)):
            expected += 1
            if np.sign(params[i] - params[j]) != np.sign(gap):
                left.append((i, j) if gap > 0 else (j, i))
    pairs = decidable(seeds)
    undecided = undecided_by(params, pairs)
    assert len(pairs) == expected
    assert sorted(zip(undecided.better.tolist(), undecided.worse.tolist(), strict=True)) == sorted(left)
    assert undecided.accuracy(table.truth).tolist() == [1.0]
    assert undecided.accuracy([-table.truth, np.ones(64)]).tolist() == [0.0, 0.5]
    tied = float((params[undecided.better] == params[undecided.worse]).mean())
    assert undecided.accuracy(params).tolist() == [tied / 2]


def test_pairs_at_their_limits():
    assert len(decidable([[0.5], [0.9]])) == 0  # no seed to judge the noise by
    assert math.isnan(decidable([[0.5], [0.9]]).accuracy([1, 2])[0])
    assert len(decidable([[0.5, 0.5], [0.9, float("nan")]])) == 0
    assert len(decidable([[0.5, 0.5], [0.9, 0.9]])) == 1
    with pytest.raises(MetricError) as error:
        Pairs(2, np.array([0]), np.array([1])).accuracy([1, 2, 3])
    assert str(error.value) == "scores are of 3 children and the pairs of 2: give one for each"


@settings(deadline=None, max_examples=50)
@given(data=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=7), k=st.integers(1, 3))
def test_the_chance_to_surpass_random_is_that_of_all_ways_to_choose_and_to_draw(data, k):
    scores, truth = np.array(data, dtype=float).T
    k = min(k, len(scores))
    best = np.sort(scores)[::-1][:k].sum()
    ways = [way for way in itertools.combinations(range(len(scores)), k) if scores[list(way)].sum() == best]
    chances = [
        np.mean([np.mean([(np.sign(truth[i] - truth[j]) + 1) / 2 for j in range(len(truth)) if j != i]) for i in way])
        for way in ways
    ]
    assert metrics.p_random(scores, truth, k) == pytest.approx(np.mean(chances))


def test_the_area_under_a_learning_curve_is_scipys_and_of_a_constant_the_constant():
    steps, taus = np.array([0, 16, 64, 640]), np.array([0.3, 0.5, 0.6, 0.55])
    log = np.log2(1 + steps)
    assert metrics.alc(steps, taus) == pytest.approx(integrate.trapezoid(taus, log) / (log[-1] - log[0]))
    assert metrics.alc(steps, np.full(4, 0.7)) == pytest.approx(0.7)
    assert math.isnan(metrics.alc([0, 1], [math.nan, 1]))
    for wrong, text in (
        ([0], "1 steps and values of shape (1,); give one of each for two points at least"),
        ([1, 1], "steps are [1.0, 1.0]; they begin at 0 or later, and each is larger than the one before"),
    ):
        with pytest.raises(MetricError) as caught:
            metrics.alc(wrong, np.ones(len(wrong)))
        assert str(caught.value) == text
