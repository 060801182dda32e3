"""Many tests at once, and the best of many: what must be paid for having looked often.

    holm([0.01, 0.04, 0.03])                    # adjusted p values
    best_of(estimates, rng=rng).overestimate    # by how much the largest mean flatters the strategy that has it

Not here: the estimates themselves (estimates.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nasbench_ws.errors import MetricError
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.metrics.estimates import Estimate


def holm(p_values: npt.ArrayLike) -> Array:
    """Holm's adjusted p values of (tests,), in their order: the chance that any rejection is false stays below alpha.

    NaN, a test that could not be made, stays NaN and counts for nothing. Source: Holm, "A simple sequentially
    rejective multiple test procedure", 1979.

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    adjusted, made = np.full(p.shape, np.nan), np.flatnonzero(np.isfinite(p))
    order = made[np.argsort(p[made], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


@dataclass(frozen=True)
class Best:
    """The largest of many means, and what its being the largest adds to it."""

    index: int
    mean: float
    overestimate: float  # expected, of the mean that turned out largest
    low: float  # simultaneous over all: it holds whichever is picked
    high: float
    among: int


def best_of(estimates: Sequence[Estimate], *, rng: np.random.Generator, level: float = 0.95, draws: int = 4000) -> Best:
    """The estimate with the largest mean, its expected overestimate, and an interval that allows for the choice.

    The overestimate is simulated: true means are the estimates' own, shrunk towards their common mean until they vary
    no more than noise leaves; each draw adds t-distributed noise of every estimate's variance and asks how far the
    largest is above its truth. The interval is Bonferroni's, at 1 - (1 - level) / number.

    Estimates without a variance count for nothing. MetricError where none has one.
    """
    known = [(i, one) for i, one in enumerate(estimates) if math.isfinite(one.variance)]
    if not known:
        raise MetricError(f"none of {len(estimates)} means has a variance: the best of them has no interval")
    index, best = max(known, key=lambda pair: pair[1].mean)
    means = np.array([one.mean for _, one in known])
    errors = np.sqrt([one.variance for _, one in known])
    total = float(means.var(ddof=1)) if len(means) > 1 else 0.0
    left = math.sqrt(max(1 - float((errors**2).mean()) / total, 0.0)) if total else 0.0
    true = means.mean() + left * (means - means.mean())
    noise = (
        np.stack(
            [rng.standard_normal(draws) if math.isinf(one.df) else rng.standard_t(one.df, draws) for _, one in known],
            axis=1,
        )
        * errors
    )  # (draws, estimates)
    drawn = true + noise
    largest = drawn.argmax(axis=1)
    over = float((drawn[np.arange(draws), largest] - true[largest]).mean())
    low, high = best.interval(1 - (1 - level) / len(known))
    return Best(index, best.mean, over, low, high, len(known))
