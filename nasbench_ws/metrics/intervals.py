"""How far a measured number can be trusted: intervals of means over instances.

Holds the statistics around the metrics of `metrics`; does not define a metric, nor read a table. What a table's own
noise leaves to reach is `ceiling`.

    rng = numpy.random.default_rng(0)
    intervals(scores, table_accuracy, rng=rng)["kendall_tau"]   # (instances, n), (n, seeds) -> Interval

What is random, and what is not. A space is enumerated in full: its children are no sample. Two things
would differ if all were done again: the *instances* (super-nets trained from other seeds) and the
*table* (children trained from other seeds). An interval is about the mean metric over instances
against the mean accuracy over as many table seeds as there are, and adds up both sources:

* instances: a deviation drawn from the t distribution of `estimates.estimate`: with a prior, its variance is drawn
  towards what is usual, and one instance has an interval too; without one it is the t interval of 2 or more.
  Resampling the instances themselves gives intervals too narrow: with 3 of them the 95 % percentile
  interval runs from the least to the largest and holds the true mean 75 % of the time. The t interval
  holds it 95 % of the time on normal data (tests simulate this).
* a ranking that does not vary (`varies=False`: parameter counts): no deviation; the table's noise is all there is.
* one instance without a prior: its spread over seeds cannot be known, and there is no interval.
* the table: every child's seeds are drawn with replacement, each child's on their own since their seeds
  are independent, and the truth and all metrics computed anew. A drawn truth is noisier than the table's, so
  that metrics against it are lower: the spread is kept, that shift removed. Deviations are scaled by
  sqrt(seeds / (seeds - 1)), since a resample of few seeds varies too little.

Sources are added as if independent, each resample drawing one deviation from each, and the interval is
between percentiles, cut to the metric's range. If all instances agree exactly (as T1R often does), and there is no
prior, the interval has no width on their account: read it beside n. A bound need not be a value the metric takes.
Where the prior alone says that n instances leave more than half of the metric's range open (T1R of one), there
is no interval, and a reason. This is decided before the values are seen, so that it selects no narrow ones.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nasbench_ws.errors import MetricError
from nasbench_ws.metrics.arithmetic import DELTA, Array
from nasbench_ws.metrics.estimates import Prior, estimate
from nasbench_ws.metrics.rank import EVALUATION, measure, undefined_reason
from nasbench_ws.metrics.student import quantile

VALUES_AT_ONCE = 2**17  # truths x children drawn together: 1 MiB, so that every step stays in cache
_WIDEST = 0.5  # of a metric's range: a wider interval tells little
_ONE_INSTANCE = "one instance: how much the metric varies over instances is not known"
_NOTHING_VARIES = "the ranking does not vary, and the table has one seed a child: nothing that varies is known"


@dataclass(frozen=True)
class Interval:
    """The mean of a metric over n instances, and where it may lie; NaN with a reason where unknown."""

    mean: float
    low: float
    high: float
    std: float  # over instances, dividing by n - 1
    n: int
    level: float
    method: str  # which sources of noise low and high count
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON, with the two ends under `interval`."""
        return {
            "mean": self.mean, "std": self.std, "interval": [self.low, self.high], "n": self.n, "level": self.level,
            "method": self.method, "reason": self.reason,
        }  # fmt: skip


def intervals(
    score_matrix: npt.ArrayLike,
    truth_by_seed: npt.ArrayLike,
    metrics: Sequence[str] = EVALUATION,
    *,
    rng: np.random.Generator,
    resamples: int = 2000,
    level: float = 0.95,
    delta: float = DELTA,
    prior: Mapping[str, Prior] | None = None,
    control: npt.ArrayLike | None = None,
    varies: bool = True,
) -> dict[str, Interval]:
    """The mean over instances of every named metric, with its interval: {name: Interval}.

    Args:
        score_matrix: (instances, n).
        truth_by_seed: (n, seeds) accuracies, NaN for a missing seed, or (n,) for a truth without seeds, whose noise
            then counts for nothing.
        prior: by metric, the variance over instances that is usual.
        control: what "partial_tau" is given the children for.
        varies: False for a ranking that is the same whenever it is made.

    See above for what is resampled.
    """
    seeds = accuracies(truth_by_seed)
    _check(resamples, level)
    truth = np.nanmean(seeds, axis=1)
    values = measure(score_matrix, truth, metrics, delta=delta, control=control)
    scores = np.asarray(score_matrix, dtype=np.float64)  # of a shape that measure has checked
    count = len(scores)
    table = bool((np.isfinite(seeds).sum(axis=1) > 1).any())

    weights = np.full(count, 1.0 / count)
    drawn = table_deviations(
        scores, seeds, weights, metrics, rng=rng, resamples=resamples, delta=delta, control=control
    )
    # Evenly spaced quantiles in random order: without table noise the interval is the t interval itself.
    spaced = (rng.permutation(resamples) + 0.5) / resamples
    noise = ", table seeds resampled" if table else ""

    result = {}
    for metric in metrics:
        mean, std = float(values[metric].mean()), _std(values[metric])
        draws, reason, usual = drawn[metric], None, (prior or {}).get(metric)
        if not varies:
            draws, method = mean + draws, f"does not vary{noise}" if table else "none"
        elif usual is not None and np.isfinite(values[metric]).all():
            one = estimate(values[metric], usual)
            draws = mean + draws + quantile(spaced, one.df) * math.sqrt(one.variance)
            method = f"moderated t over {count} instance{'s' if count > 1 else ''}{noise}"
            reason = _void(metric, usual, count, level, _range(metric, truth))
        elif count > 1:
            draws = mean + draws + quantile(spaced, count - 1) * std / math.sqrt(count)
            method = f"t over {count} instances{noise}"
        else:
            method = "none"
        draws = draws[np.isfinite(draws)]
        if math.isnan(mean):
            reason = undefined_reason(scores, truth, delta if metric == "sparse_tau" else 0.0)
            reason = reason or "scores or truth order the children as the control does: nothing is left to explain"
        elif method == "none":
            reason = _ONE_INSTANCE if varies else _NOTHING_VARIES
        elif not len(draws):
            reason = "the metric is undefined for every resampled table"
        low, high = (math.nan, math.nan) if reason else _percentiles(draws, level, _range(metric, truth))
        result[metric] = Interval(mean, low, high, std, count, level, method, reason)
    return result


def t_interval(values: npt.ArrayLike, level: float = 0.95) -> Interval:
    """The mean of (n,) independent values with its t interval; NaN bounds if n is 1.

    >>> interval = t_interval([0.4, 0.5, 0.6])
    >>> round(interval.low, 4), round(interval.high, 4)
    (0.2516, 0.7484)
    """
    _check(1, level)
    array = np.atleast_1d(np.asarray(values, dtype=np.float64))
    if array.ndim != 1 or not array.size or not np.isfinite(array).all():
        raise MetricError(
            f"{int((~np.isfinite(array)).sum())} of {array.size} values are not finite, shape {array.shape}: "
            "one finite value for each instance, (n,), is needed; leave out instances without one"
        )
    n, mean, std = len(array), float(array.mean()), _std(array)
    if n == 1:
        return Interval(mean, math.nan, math.nan, std, n, level, "none", "one value: its spread is not known")
    half = float(quantile((1 + level) / 2, n - 1)) * std / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, std, n, level, f"t over {n} instances")


# ----------------------------------------------------------------------------------------------- resamples


def table_deviations(
    score_matrix: npt.ArrayLike,
    truth_by_seed: npt.ArrayLike,
    weights: npt.ArrayLike,
    metrics: Sequence[str],
    *,
    rng: np.random.Generator,
    resamples: int = 2000,
    delta: float = DELTA,
    control: npt.ArrayLike | None = None,
) -> dict[str, Array]:
    """How a weighted sum of the rows' metrics deviates over redrawn tables: {name: (resamples,)}, each of mean 0.

    Weights of 1 / a for the rows of one strategy and -1 / b for those of another give the noise that the table puts
    on their difference: `.std()` of it is `estimates.difference`'s `table_std`. Zeros without several seeds a child.
    """
    seeds, weight = accuracies(truth_by_seed), np.asarray(weights, dtype=np.float64)
    drawn = {metric: np.zeros(resamples) for metric in metrics}
    if not (np.isfinite(seeds).sum(axis=1) > 1).any():
        return drawn
    for part, truths in _drawn_truths(seeds, resamples, rng):
        for metric, value in measure(score_matrix, truths, metrics, delta=delta, control=control).items():
            drawn[metric][part] = value @ weight
    for metric, value in drawn.items():
        drawn[metric] = value - value[np.isfinite(value)].mean() if np.isfinite(value).any() else value
    return drawn


def _drawn_truths(seeds: Array, resamples: int, rng: np.random.Generator) -> Iterator[tuple[slice, Array]]:
    """Truths (resamples, n), a slice of resamples at a time, each child's seeds drawn with replacement."""
    n, most = seeds.shape
    there = np.sort(seeds, axis=1)  # NaN last: child i's seeds are its first counts[i] values
    counts = np.isfinite(seeds).sum(axis=1)
    means = np.nanmean(seeds, axis=1)
    weight = np.where(np.arange(most) < counts[:, None], 1.0 / counts[:, None], 0.0)  # as many draws as seeds
    weight *= np.sqrt(counts / np.maximum(counts - 1, 1))[:, None]
    deviations = np.where(np.isfinite(there), there - means[:, None], 0.0).ravel()
    first = np.arange(n)[:, None] * most
    at_once = max(VALUES_AT_ONCE // n, 1)
    for start in range(0, resamples, at_once):
        size = min(at_once, resamples - start)
        pick = (rng.random((size, n, most), dtype=np.float32) * counts[:, None].astype(np.float32)).astype(np.intp)
        drawn = deviations.take(first + np.minimum(pick, counts[:, None] - 1))
        yield slice(start, start + size), means + np.einsum("bns,ns->bn", drawn, weight)


def _void(metric: str, usual: Prior, count: int, level: float, bounds: tuple[float, float]) -> str | None:
    """Why no interval is given, where the usual spread leaves more than half of the metric's range open."""

    def width(n: int) -> float:
        return float(2 * quantile(np.array((1 + level) / 2), usual.df + n - 1) * usual.std / math.sqrt(n))

    most = _WIDEST * (bounds[1] - bounds[0])
    if width(count) <= most:
        return None
    needed = next(n for n in itertools.count(count + 1) if width(n) <= most)
    return (
        f"{count} instance{'s leave' if count > 1 else ' leaves'} more than half of {bounds[0]:g} to {bounds[1]:.3g} "
        f"open: {metric} has an interval from {needed} instances on"
    )


def _percentiles(draws: Array, level: float, bounds: tuple[float, float]) -> tuple[float, float]:
    low, high = np.clip(np.quantile(draws, [(1 - level) / 2, (1 + level) / 2]), *bounds)
    return float(low), float(high)


def _range(metric: str, truth: Array) -> tuple[float, float]:
    if "@" not in metric:
        return -1.0, 1.0
    name = metric.partition("@")[0]
    if name.endswith("_rank"):
        return 1.0, float(len(truth))
    return 0.0, float(truth.max() - truth.min()) if name == "regret" else 1.0


# --------------------------------------------------------------------------------------------------- input


def _std(values: Array) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else math.nan


def _check(resamples: int, level: float) -> None:
    if resamples < 1:
        raise MetricError(f"resamples={resamples}: at least 1 is needed, and 2000 for a 95 % interval")
    if not 0 < level < 1:
        raise MetricError(f"level={level}: it must be a fraction between 0 and 1, such as 0.95")


def accuracies(by_seed: npt.ArrayLike) -> Array:
    seeds = np.asarray(by_seed, dtype=np.float64)
    seeds = seeds[:, None] if seeds.ndim == 1 else seeds
    if seeds.ndim != 2 or not seeds.size:
        raise MetricError(f"accuracies by seed have shape {seeds.shape}: one row of seeds for each child is needed")
    if np.isinf(seeds).any():
        raise MetricError(f"{np.isinf(seeds).sum()} accuracies are infinite: write NaN for a seed that is missing")
    empty = np.flatnonzero(np.isnan(seeds).all(axis=1))
    if len(empty):
        first = ", ".join(map(str, empty[:5])) + (", ..." if len(empty) > 5 else "")
        raise MetricError(
            f"{len(empty)} of {len(seeds)} children have no finished seed (children {first}): every child needs "
            "at least one; train them, or leave them out of scores and truth alike"
        )
    return seeds
