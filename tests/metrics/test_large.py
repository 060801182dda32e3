"""Tau of many children is what signs of pairs give, ties and tolerances included."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from nasbench_ws.metrics import arithmetic, pairs
from nasbench_ws.metrics.rank import kendall_tau, sparse_tau, weighted_tau


@pytest.mark.parametrize("n", [5, 64, 257])
@pytest.mark.parametrize("ties", [False, True], ids=["distinct", "ties"])
def test_counted_and_looked_at_are_equal(n: int, ties: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(n)
    truth = rng.random(n)
    scores = truth + 0.3 * rng.random(n)
    if ties:
        truth, scores = np.round(truth, 1), np.round(scores, 1)
    whole = [
        lambda: kendall_tau(scores, truth),
        lambda: sparse_tau(scores, truth, 0.05),
        lambda: sparse_tau(scores, truth, 0.1),  # what rounded truths differ by
    ]
    looked_at = [one() for one in whole]
    monkeypatch.setattr(arithmetic, "MANY", 0)
    assert [one() for one in whole] == pytest.approx(looked_at, abs=1e-12)
    if not ties:
        assert weighted_tau(scores, truth) == pytest.approx(stats.weightedtau(scores, truth).statistic, abs=1e-12)


def test_thousands_take_no_time_and_no_memory() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(15_625)
    scores = truth + rng.random(15_625)
    assert kendall_tau(scores, truth) == pytest.approx(stats.kendalltau(scores, truth).statistic, abs=1e-12)
    assert kendall_tau(scores, truth) < sparse_tau(scores, truth) < 1


def test_pairs_of_many_are_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    by_seed = np.random.default_rng(0).random((64, 1)) + 0.1 * np.random.default_rng(1).random((64, 3))
    every = pairs.decidable(by_seed)
    monkeypatch.setattr(pairs, "MANY", 0)
    drawn = pairs.decidable(by_seed)
    assert (drawn.better != drawn.worse).all()
    assert len(drawn) / pairs.DRAWN_PAIRS == pytest.approx(len(every) / (64 * 63 / 2), abs=0.002)
    scores = by_seed.mean(axis=1) + 0.3 * np.random.default_rng(2).random(64)
    assert drawn.accuracy(scores)[0] == pytest.approx(every.accuracy(scores)[0], abs=0.002)
