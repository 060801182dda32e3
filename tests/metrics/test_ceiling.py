"""The noise ceiling: its parts by definition, and the perfect predictor against a known truth."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats
from test_intervals import nan, rng, world

from nasbench_ws import metrics
from nasbench_ws.errors import MetricError
from nasbench_ws.metrics.ceiling import _halves, noise_ceiling


def test_the_ceilings_parts_follow_their_definitions():
    _, accuracy = world(1, 4, rng())
    ceiling = noise_ceiling(accuracy, rng=rng())
    columns = accuracy.T
    single = [stats.kendalltau(a, b).statistic for a, b in itertools.combinations(columns, 2)]
    held_out = [stats.kendalltau(columns[s], np.delete(columns, s, 0).mean(axis=0)).statistic for s in range(4)]
    halves = [
        stats.kendalltau(columns[list(h)].mean(axis=0), np.delete(columns, h, 0).mean(axis=0)).statistic
        for h in [(0, 1), (0, 2), (0, 3)]
    ]
    for spread, taus in (
        (ceiling.single_seeds, single), (ceiling.held_out, held_out), (ceiling.split_half, halves),
    ):  # fmt: skip
        assert spread == pytest.approx((np.mean(taus), np.std(taus), min(taus), max(taus), len(taus)), abs=1e-12)
    assert (ceiling.children, ceiling.seeds, ceiling.reason) == (64, 4, None)
    assert ceiling.single_seeds.mean < ceiling.held_out.mean < ceiling.perfect.mean


@pytest.mark.parametrize(("seeds", "splits"), [(2, 1), (5, 10), (10, 126), (11, 200)])
def test_every_split_is_taken_once_unless_they_are_many(seeds, splits):
    halves = [tuple(half) for half in _halves(seeds, rng())]
    assert len(halves) == splits
    assert all(sum(half) == seeds // 2 for half in halves)
    if splits < 200:
        assert len({frozenset([half, tuple(not x for x in half)]) for half in halves}) == splits


def test_the_top_fraction_is_the_ceiling_of_those_children():
    _, accuracy = world(1, 3, rng())
    best = accuracy[np.argsort(-accuracy.mean(axis=1))[:16]]
    quarter = noise_ceiling(accuracy, 0.25, rng=rng())
    whole = noise_ceiling(best, rng=rng())
    assert quarter.children == 16
    assert quarter.single_seeds == pytest.approx(whole.single_seeds)
    assert quarter.held_out == pytest.approx(whole.held_out)
    assert quarter.perfect.mean < noise_ceiling(accuracy, rng=rng()).perfect.mean


def test_missing_seeds_are_left_out_and_never_filled_in():
    _, accuracy = world(1, 3, rng())
    accuracy[5, 1] = nan
    ceiling = noise_ceiling(accuracy, rng=rng())
    assert ceiling.single_seeds.n == 1  # the seeds that all have
    assert ceiling.single_seeds.mean == pytest.approx(stats.kendalltau(accuracy[:, 0], accuracy[:, 2]).statistic)
    accuracy[6, 0] = nan  # now none but the third has all: children that lack a side of a comparison are left out
    ceiling = noise_ceiling(accuracy, rng=rng())
    there = [np.delete(accuracy, lacking, axis=0) for lacking in ([5, 6], 6, 5)]
    pairs = [(one[:, a], one[:, b]) for one, (a, b) in zip(there, [(0, 1), (0, 2), (1, 2)], strict=True)]
    assert ceiling.single_seeds.mean == pytest.approx(np.mean([stats.kendalltau(*pair).statistic for pair in pairs]))
    assert ceiling.perfect.n == 200


@pytest.mark.parametrize(("seeds", "within"), [(3, 0.02), (10, 0.01)])
def test_the_perfect_predictor_is_estimated_near_what_it_reaches(seeds, within):
    noise, estimated, reached = rng(1), [], []
    for _ in range(60):
        _, accuracy = world(1, seeds, noise)
        estimated.append(noise_ceiling(accuracy, rng=noise, simulations=20).perfect.mean)
        reached.append(metrics.kendall_tau(np.arange(64), accuracy.mean(axis=1)))
    assert np.mean(estimated) == pytest.approx(np.mean(reached), abs=within)


def test_a_table_without_noise_has_no_ceiling_below_one():
    accuracy = np.repeat(np.arange(8.0)[:, None], 3, axis=1)
    ceiling = noise_ceiling(accuracy, rng=rng())
    assert ceiling.single_seeds.min == ceiling.held_out.min == ceiling.split_half.min == ceiling.perfect.min == 1


@pytest.mark.parametrize(
    ("accuracy", "fraction", "reason"),
    [
        (rng().random((30, 3)), 0.1, "the top 10% of 30 children are 3: a bound needs at least 4 children"),
        (rng().random((30, 1)), 1, "every child has one seed: its noise and its accuracy cannot be separated"),
        (
            np.array([[0.0, 1.0]] * 8),
            1,
            "children differ no more than the noise of their means: there is no ranking to reach",
        ),
    ],
)
def test_no_ceiling_is_nan_with_a_reason(accuracy, fraction, reason):
    ceiling = noise_ceiling(accuracy, fraction, rng=rng())
    assert math.isnan(ceiling.perfect.mean)
    assert ceiling.reason == reason


ERRORS = [
    (
        lambda: noise_ceiling([[nan, nan], [0.5, nan]], rng=rng()),
        "1 of 2 children have no finished seed (children 0): every child needs at least one; train them, or leave "
        "them out of scores and truth alike",
    ),
    (
        lambda: noise_ceiling([[0.5, math.inf]], rng=rng()),
        "1 accuracies are infinite: write NaN for a seed that is missing",
    ),
    (
        lambda: noise_ceiling([[[0.5]]], rng=rng()),
        "accuracies by seed have shape (1, 1, 1): one row of seeds for each child is needed",
    ),
    (
        lambda: noise_ceiling([[0.5, 0.6]], 25, rng=rng()),
        "fraction=25 of the children: it must be above 0 and at most 1, such as 0.25",
    ),
]


@pytest.mark.parametrize(("call", "message"), ERRORS, ids=[message[:40] for _, message in ERRORS])
def test_errors_say_what_was_met_and_what_is_allowed(call, message):
    with pytest.raises(MetricError) as error:
        call()
    assert str(error.value) == message
