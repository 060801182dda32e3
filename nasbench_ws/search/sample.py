"""What a sample of searches is, and what it says of a mean: intervals and paired tests.

    interval(regret, result.instance)                      # 95 %, over repetitions
    corrected([(own, random, result.instance)])            # p values of no difference, after Holm

Repetitions are the sample, except where they share super-nets: five hundred searches that begin with one of five
super-nets are a sample of five, and what is said of the strategy is said by the means of each. Not here: which figures
there are (compare.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from nasbench_ws.metrics.corrections import holm
from nasbench_ws.seeds import derive

Array = NDArray[np.float64]
RESAMPLES = 1000
LEVEL = 0.05


@dataclass(frozen=True)
class Estimate:
    """A mean over repetitions and its 95 % interval."""

    mean: float
    low: float
    high: float


def estimate(values: Array, instance: NDArray[np.int64]) -> Estimate:
    low, high = interval(values, instance)
    return Estimate(float(values.mean()), float(low), float(high))


def interval(values: Array, instance: NDArray[np.int64]) -> tuple[Array, Array]:
    """Of the mean over repetitions; where these share super-nets, over the means of each, by Student's t."""
    if (instance < 0).all():
        low, high = np.quantile(weights(len(values)) @ values, [LEVEL / 2, 1 - LEVEL / 2], axis=0)
        return low, high
    each = means(values, instance)
    if len(each) == 1:
        return each[0] * np.nan, each[0] * np.nan  # of one super-net nothing is known but itself
    half = stats.t.ppf(1 - LEVEL / 2, len(each) - 1) * each.std(axis=0, ddof=1) / math.sqrt(len(each))
    return each.mean(axis=0) - half, each.mean(axis=0) + half


def means(values: Array, instance: NDArray[np.int64]) -> Array:
    """(instances, ...) the mean over the repetitions of each; the repetitions themselves where they share nothing."""
    if (instance < 0).all():
        return values
    return np.stack([values[instance == one].mean(axis=0) for one in np.unique(instance)])


def fewer(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of two searchers' super-nets those that are fewer; what both share nothing of is no sample of its own."""
    shared = [instance for instance in (one, other) if (instance >= 0).any()]
    return min(shared, key=lambda instance: len(np.unique(instance)), default=one)


def weights(count: int) -> Array:
    """(RESAMPLES, count) bootstrap weights, the same for everyone of as many repetitions: so that pairs stay pairs."""
    rng = np.random.default_rng(derive("bootstrap over repetitions", count))
    return rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES) / count


def _paired_p(one: Array, other: Array, instance: NDArray[np.int64]) -> float:
    """Of equal means, by the paired t test over repetitions, or super-nets; 1 where they never differ."""
    difference = means(one - other, instance)
    if len(difference) < 2 or not np.ptp(difference) > 1e-15:
        return 1.0 if abs(difference.mean()) < 1e-15 or len(difference) < 2 else 0.0
    return float(stats.ttest_1samp(difference, 0.0).pvalue)


def corrected(pairs: Sequence[tuple[Array, Array, NDArray[np.int64]]]) -> list[float]:
    values: list[float] = holm([_paired_p(*pair) for pair in pairs]).tolist() if pairs else []
    return values
