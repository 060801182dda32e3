"""How far a measured number can be trusted: intervals, paired differences, the noise ceiling.

Holds the statistics around the metrics of `metrics`; does not define a metric, nor read a table.

    rng = numpy.random.default_rng(0)
    intervals(scores, table_accuracy, rng=rng)["kendall_tau"]   # (instances, n), (n, seeds) -> Interval
    noise_ceiling(table_accuracy, rng=rng).perfect.mean         # what a perfect predictor would reach

What is random, and what is not. A space is enumerated in full: its children are no sample. Two things
would differ if all were done again: the *instances* (super-nets trained from other seeds) and the
*table* (children trained from other seeds). An interval is about the mean metric over instances
against the mean accuracy over as many table seeds as there are, and adds up both sources:

* instances, 2 or more: a deviation drawn from the t distribution with instances - 1 degrees of freedom.
  Resampling the instances themselves gives intervals too narrow: with 3 of them the 95 % percentile
  interval runs from the least to the largest and holds the true mean 75 % of the time. The t interval
  holds it 95 % of the time on normal data (tests simulate this).
* one instance: its spread over seeds cannot be known. A correlation is resampled over children
  instead, "how different would it be in another space like this one?"; a top-K metric is not, because a
  child drawn twice fills the top twice.
* the table: every child's seeds are drawn with replacement, each child's on their own since their seeds
  are independent, and the truth and all metrics computed anew. A drawn truth is noisier than the table's, so
  that metrics against it are lower: the spread is kept, that shift removed. Deviations are scaled by
  sqrt(seeds / (seeds - 1)), since a resample of few seeds varies too little.

Sources are added as if independent, each resample drawing one deviation from each, and the interval is
between percentiles, cut to the metric's range. If all instances agree exactly (as T1R often does), the
interval has no width on their account: read it beside n. A bound need not be a value the metric takes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from nasbench_ws.errors import MetricError
from nasbench_ws.metrics import DELTA, EVALUATION, Array, kendall_tau, kendall_taus, measure, undefined_reason

_VALUES_AT_ONCE = 2**17  # truths x children drawn together: 1 MiB, so that every step stays in cache
_MOST_SPLITS = 200  # split halves beyond this are drawn at random: 10 seeds have 126, 12 have 462
_FEWEST_CHILDREN = 4  # among 3 children tau takes 4 values: no ceiling worth naming
# The pooled noise variance counts in a child's own like so many seeds: judged by its own two seeds alone, many a child
# seems to have no noise, and the ceiling comes out .03 too high.
_PRIOR_SEEDS = 4


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


@dataclass(frozen=True)
class Difference:
    """a - b, paired over n instances."""

    mean: float
    low: float
    high: float
    std: float  # of the differences, dividing by n - 1
    n: int
    level: float
    p_value: float
    verdict: str  # "distinguishable" or "not distinguishable"
    method: str
    reason: str | None = None


class Spread(NamedTuple):
    """n values of tau-b; the standard deviation divides by n."""

    mean: float
    std: float
    min: float
    max: float
    n: int


@dataclass(frozen=True)
class Ceiling:
    """How well a table's own seeds agree on the ranking of its top fraction of children."""

    fraction: float
    children: int
    seeds: int
    single_seeds: Spread  # S-Tau: seed against seed
    held_out: Spread  # each seed against the mean of the others
    split_half: Spread  # the mean of half the seeds against the mean of the rest
    perfect: Spread  # the true means against the mean over all seeds, simulated
    reason: str | None = None


def intervals(
    score_matrix: npt.ArrayLike,
    truth_by_seed: npt.ArrayLike,
    metrics: Sequence[str] = EVALUATION,
    *,
    rng: np.random.Generator,
    resamples: int = 10_000,
    level: float = 0.95,
    delta: float = DELTA,
) -> dict[str, Interval]:
    """The mean over instances of every named metric, with its interval: {name: Interval}.

    `score_matrix` is (instances, n); `truth_by_seed` (n, seeds) accuracies, NaN for a missing seed, or (n,)
    for a truth without seeds, whose noise then counts for nothing. See above for what is resampled.
    """
    seeds = _accuracies(truth_by_seed)
    _check(resamples, level)
    truth = np.nanmean(seeds, axis=1)
    values = measure(score_matrix, truth, metrics, delta=delta)
    scores = np.asarray(score_matrix, dtype=np.float64)  # of a shape that measure has checked
    count, n = scores.shape
    table = bool((np.isfinite(seeds).sum(axis=1) > 1).any())

    drawn = {metric: np.zeros(resamples) for metric in metrics}  # deviations of the mean over instances
    over_children: dict[str, Array] = {}
    if table:
        for part, truths in _drawn_truths(seeds, resamples, rng):
            for metric, value in measure(scores, truths, metrics, delta=delta).items():
                drawn[metric][part] = value.mean(axis=1)
        for metric, value in drawn.items():
            drawn[metric] = value - value[np.isfinite(value)].mean() if np.isfinite(value).any() else value
    if count == 1:
        over_children = _over_children(scores[0], truth, metrics, resamples, rng, delta)
    # Evenly spaced quantiles in random order: without table noise the interval is the t interval itself.
    spaced = (rng.permutation(resamples) + 0.5) / resamples
    deviates = stats.t.ppf(spaced, count - 1) if count > 1 else spaced

    result = {}
    for metric in metrics:
        mean, std = float(values[metric].mean()), _std(values[metric])
        draws, method = drawn[metric], "table seeds resampled" if table else ""
        if count > 1:
            draws = mean + draws + deviates * std / math.sqrt(count)
            method = f"t over {count} instances" + (", table seeds resampled" if table else "")
        elif metric in over_children:
            draws = draws + over_children[metric]
            method = f"one instance: {n} children" + (" and table seeds" if table else "") + " resampled"
        else:
            draws = mean + draws
            method = "one instance: table seeds resampled" if table else "none"
        reason = None
        draws = draws[np.isfinite(draws)]
        if math.isnan(mean):
            binned = np.floor(truth / delta) if metric == "sparse_tau" else truth
            reason = undefined_reason(scores, binned)
        elif method == "none":
            reason = "one instance and one table seed: neither's spread is known"
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
    half = float(stats.t.ppf((1 + level) / 2, n - 1)) * std / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, std, n, level, f"t over {n} instances")


def paired_difference(a: npt.ArrayLike, b: npt.ArrayLike, level: float = 0.95) -> Difference:
    """Is strategy a's metric different from b's? Values (instances,) of both, paired by instance seed.

    The t interval of the mean of a - b: "distinguishable" if it leaves out 0. The table is the same for both, and
    its noise is left out. One pair is never distinguishable.

    >>> paired_difference([0.5, 0.6, 0.7], [0.4, 0.55, 0.55]).verdict
    'not distinguishable'
    """
    first, second = (np.atleast_1d(np.asarray(x, dtype=np.float64)) for x in (a, b))
    if first.shape != second.shape:
        raise MetricError(
            f"a has shape {first.shape} and b {second.shape}: a paired difference needs the same instances of "
            "both; evaluate both with the same seeds"
        )
    interval = t_interval(first - second, level)
    mean, std, n = interval.mean, interval.std, interval.n
    if n > 1 and std > 0:
        p_value = float(2 * stats.t.sf(abs(mean) / (std / math.sqrt(n)), n - 1))
    else:
        p_value = math.nan if n == 1 else float(mean == 0)
    apart = interval.low > 0 or interval.high < 0  # false for NaN
    return Difference(
        mean, interval.low, interval.high, std, n, level, p_value,
        "distinguishable" if apart else "not distinguishable",
        "t of paired differences" if n > 1 else "none",
        "one pair of instances: the spread of their difference is not known" if n == 1 else None,
    )  # fmt: skip


def noise_ceiling(
    accuracy_by_seed: npt.ArrayLike,
    fraction: float = 1.0,
    *,
    rng: np.random.Generator,
    simulations: int = 200,
) -> Ceiling:
    """What the seed noise of (n, seeds) accuracies leaves for a predictor to reach, in tau-b.

    NaN marks a missing seed; a comparison leaves out children that lack a side of it. Only the
    `fraction` of children with the highest mean over all seeds counts: a selection that favours lucky children.

    `perfect` is an estimate. A child's noise variance is that of its seeds, drawn towards the pooled one as
    if 4 more seeds had shown it; its mean's is that / seeds. True means are the table's, shrunk towards their
    common mean by sqrt(1 - noise / total) until their variance is what the mean noise leaves. From these,
    tables are drawn with normal noise, ranked, cut to their own top fraction, and compared with the true
    means. In simulations it is off by up to .01 with 10 seeds (.04 in the top quarter), and by up to .03
    (.1) with 2 or 3; most so where weak children are the noisier ones.
    """
    seeds = _accuracies(accuracy_by_seed)
    if not 0 < fraction <= 1:
        raise MetricError(f"fraction={fraction} of the children: it must be above 0 and at most 1, such as 0.25")
    n, count = seeds.shape
    size = round(fraction * n)
    means = np.nanmean(seeds, axis=1)
    unknown = Spread(math.nan, math.nan, math.nan, math.nan, 0)
    reason = None
    if size < _FEWEST_CHILDREN:
        reason = (
            f"the top {fraction:.0%} of {n} children are {size}: a ceiling needs at least {_FEWEST_CHILDREN} children"
        )
    elif not (np.isfinite(seeds).sum(axis=1) > 1).any():
        reason = "every child has one seed: its noise cannot be told from its accuracy"
    if reason:
        return Ceiling(fraction, size, count, unknown, unknown, unknown, unknown, reason)
    top = seeds[_top(means, size)]
    single = [(top[:, i], top[:, j]) for i, j in itertools.combinations(range(count), 2)]
    halves = [(_mean(top, half), _mean(top, ~half)) for half in _halves(count, rng)]
    each = np.eye(count, dtype=bool)
    held_out = [(_mean(top, seed), _mean(top, ~seed)) for seed in each]
    perfect, reason = _perfect(seeds, size, rng, simulations)
    return Ceiling(fraction, size, count, _agreement(single), _agreement(held_out), _agreement(halves), perfect, reason)


# --------------------------------------------------------------------------------------------- the ceiling


def _agreement(comparisons: list[tuple[Array, Array]]) -> Spread:
    taus = []
    for a, b in comparisons:
        both = np.isfinite(a) & np.isfinite(b)
        if both.sum() > 1:
            taus.append(kendall_tau(a[both], b[both]))
    return _spread(np.array(taus))


def _spread(taus: Array) -> Spread:
    taus = taus[np.isfinite(taus)]
    if not len(taus):
        return Spread(math.nan, math.nan, math.nan, math.nan, 0)
    return Spread(float(taus.mean()), float(taus.std()), float(taus.min()), float(taus.max()), len(taus))


def _top(means: Array, size: int) -> npt.NDArray[np.intp]:
    return np.argsort(-means, kind="stable")[:size]


def _mean(seeds: Array, chosen: npt.NDArray[np.bool_]) -> Array:
    """Mean over the chosen seeds that are there; NaN for a child that has none of them."""
    there = np.isfinite(seeds) & chosen
    total, count = np.where(there, seeds, 0.0).sum(axis=1), there.sum(axis=1)
    means = np.full(len(seeds), np.nan)
    np.divide(total, count, out=means, where=count > 0)
    return means


def _halves(count: int, rng: np.random.Generator) -> Iterator[npt.NDArray[np.bool_]]:
    """Masks of half the seeds (the smaller half if odd): every split once, or 200 drawn at random."""
    size = count // 2
    total = math.comb(count, size) // (2 if count % 2 == 0 else 1)
    if total <= _MOST_SPLITS:
        chosen = itertools.islice(itertools.combinations(range(count), size), total)  # the rest are mirrored
        picks = [list(pick) for pick in chosen]
    else:
        picks = [rng.permutation(count)[:size].tolist() for _ in range(_MOST_SPLITS)]
    for pick in picks:
        yield np.isin(np.arange(count), pick)


def _perfect(seeds: Array, size: int, rng: np.random.Generator, simulations: int) -> tuple[Spread, str | None]:
    counts = np.isfinite(seeds).sum(axis=1)
    means = np.nanmean(seeds, axis=1)
    squares = np.nansum((seeds - means[:, None]) ** 2, axis=1)
    pooled = squares.sum() / (counts - 1).sum()
    noise = (squares + _PRIOR_SEEDS * pooled) / (counts - 1 + _PRIOR_SEEDS) / counts
    total = float(means.var(ddof=1))
    if total <= noise.mean():
        reason = "children differ no more than the noise of their means: there is no ranking to reach"
        return Spread(math.nan, math.nan, math.nan, math.nan, 0), reason
    true = means.mean() + (means - means.mean()) * math.sqrt(1 - noise.mean() / total)
    tables = true + rng.standard_normal((simulations, len(true))) * np.sqrt(noise)
    if size == len(true):
        return _spread(kendall_taus(tables, true)), None
    tops = [_top(table, size) for table in tables]
    taus = [kendall_tau(true[top], table[top]) for top, table in zip(tops, tables, strict=True)]
    return _spread(np.array(taus)), None


# ----------------------------------------------------------------------------------------------- resamples


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
    at_once = max(_VALUES_AT_ONCE // n, 1)
    for start in range(0, resamples, at_once):
        size = min(at_once, resamples - start)
        pick = (rng.random((size, n, most), dtype=np.float32) * counts[:, None].astype(np.float32)).astype(np.intp)
        drawn = deviations.take(first + np.minimum(pick, counts[:, None] - 1))
        yield slice(start, start + size), means + np.einsum("bns,ns->bn", drawn, weight)


def _over_children(
    scores: Array, truth: Array, metrics: Sequence[str], resamples: int, rng: np.random.Generator, delta: float
) -> dict[str, Array]:
    """Correlations of resampled children {name: (resamples,)}.

    With w_i the number of times child i is drawn, a sum over pairs is a quadratic form in w, as
    sum over i < j of w_i w_j s_ij t_ij: all resamples are one matrix product. Copies of a child tie.
    """
    n = len(scores)
    known = [metric for metric in metrics if metric in _CORRELATIONS]
    result = {metric: np.full(resamples, np.nan) for metric in known}
    at_once = max(_VALUES_AT_ONCE // n, 1)
    for start in range(0, resamples if known else 0, at_once):
        size = min(at_once, resamples - start)
        drawn = rng.integers(n, size=(size, n)) + np.arange(size)[:, None] * n
        times = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)
        for metric in known:
            y = np.floor(truth / delta) if metric == "sparse_tau" else truth
            result[metric][start : start + size] = _CORRELATIONS[metric](scores, y, times)
    return result


def _tau_drawn(x: Array, y: Array, times: Array) -> Array:
    s, t = _signs(x), _signs(y)
    agree, left, right = (((times @ pairs) * times).sum(axis=1) for pairs in (s * t, abs(s), abs(t)))
    return _ratio(agree, left * right)


def _spearman_drawn(x: Array, y: Array, times: Array) -> Array:
    left, right = times @ _signs(x).T, times @ _signs(y).T  # twice the average ranks, less their mean
    return _ratio((times * left * right).sum(axis=1), (times * left**2).sum(axis=1) * (times * right**2).sum(axis=1))


def _pearson_drawn(x: Array, y: Array, times: Array) -> Array:
    left, right = ((v - v.mean()) / max(np.abs(v - v.mean()).max(), np.finfo(float).tiny) for v in (x, y))
    n = len(x)
    mean_left, mean_right = times @ left / n, times @ right / n
    agree = times @ (left * right) / n - mean_left * mean_right
    return _ratio(agree, (times @ left**2 / n - mean_left**2) * (times @ right**2 / n - mean_right**2))


def _weighted_tau_drawn(x: Array, y: Array, times: Array) -> Array:
    """As the metric: a child's weight is the sum of 1 / place over the places its copies take."""
    s, t = _signs(x), _signs(y)
    agree, left, right = (times @ pairs.T for pairs in (s * t, abs(s), abs(t)))
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, len(x) + 1))])
    total = np.zeros(len(times))
    for order in (np.lexsort((-y, -x)), np.lexsort((-x, -y))):  # the last key sorts first
        copies = times[:, order].astype(np.intp)
        last = copies.cumsum(axis=1)
        weight = np.empty_like(times)
        weight[:, order] = harmonic[last] - harmonic[last - copies]
        sums = [(weight * per_child).sum(axis=1) for per_child in (agree, left, right)]
        total += _ratio(sums[0], sums[1] * sums[2])
    return total / 2


_CORRELATIONS: dict[str, Callable[[Array, Array, Array], Array]] = {
    "kendall_tau": _tau_drawn,
    "sparse_tau": _tau_drawn,
    "spearman": _spearman_drawn,
    "pearson": _pearson_drawn,
    "weighted_tau": _weighted_tau_drawn,
}


def _signs(values: Array) -> Array:
    """sign(v_i - v_j), (n, n)."""
    signs: Array = np.subtract(values[:, None] > values, values[:, None] < values, dtype=np.float64)
    return signs


def _ratio(agree: Array, product: Array) -> Array:
    ratio = np.full(agree.shape, np.nan)
    np.divide(agree, np.sqrt(np.maximum(product, 0.0)), out=ratio, where=product > 0)
    return ratio


def _percentiles(draws: Array, level: float, bounds: tuple[float, float]) -> tuple[float, float]:
    low, high = np.clip(np.quantile(draws, [(1 - level) / 2, (1 + level) / 2]), *bounds)
    return float(low), float(high)


def _range(metric: str, truth: Array) -> tuple[float, float]:
    if metric in _CORRELATIONS:
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
        raise MetricError(f"resamples={resamples}: at least 1 is needed, and 10000 for a 95 % interval")
    if not 0 < level < 1:
        raise MetricError(f"level={level}: it must be a fraction between 0 and 1, such as 0.95")


def _accuracies(by_seed: npt.ArrayLike) -> Array:
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
