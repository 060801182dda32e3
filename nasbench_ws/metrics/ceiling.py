"""How well a table's own seeds agree on a ranking, and the bound beside it (`perfect`): results keep it as `ceiling`.

    noise_ceiling(table_accuracy, rng=rng).held_out.mean        # (n, seeds); one seed against the others' mean
    noise_ceiling(table_accuracy, 0.25, rng=rng).perfect.mean   # the true means, within the top quarter

Not here: intervals (`resample`), and reading a table.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nasbench_ws.errors import MetricError
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.metrics.intervals import accuracies
from nasbench_ws.metrics.rank import kendall_tau, kendall_taus

_MOST_SPLITS = 200  # split halves beyond this are drawn at random: 10 seeds have 126, 12 have 462
FEWEST_CHILDREN = 4  # among 3 children tau takes 4 values: no bound worth naming
# The pooled noise variance counts in a child's own like so many seeds: judged by its own two seeds alone, many a child
# seems to have no noise, and the bound comes out .03 too high.
_PRIOR_SEEDS = 4


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


def noise_ceiling(
    accuracy_by_seed: npt.ArrayLike,
    fraction: float = 1.0,
    *,
    rng: np.random.Generator,
    simulations: int = 200,
) -> Ceiling:
    """What the seed noise of (n, seeds) accuracies leaves for a predictor to reach, in tau-b.

    NaN marks a missing seed. Seeds that all these children have are compared, where there are two or more
    (`whole_rankings`); else a comparison leaves out children that lack a side of it. Only the
    `fraction` of children with the highest mean over all seeds counts: a selection that favours lucky children.

    `perfect` is an estimate. A child's noise variance is that of its seeds, drawn towards the pooled one as
    if 4 more seeds had shown it; its mean's is that / seeds. True means are the table's, shrunk towards their
    common mean by sqrt(1 - noise / total) until their variance is what the mean noise leaves. From these,
    tables are drawn with normal noise, ranked, cut to their own top fraction, and compared with the true
    means. In simulations it is off by up to .01 with 10 seeds (.04 in the top quarter), and by up to .03
    (.1) with 2 or 3; most so where weak children are the noisier ones.
    """
    seeds = accuracies(accuracy_by_seed)
    if not 0 < fraction <= 1:
        raise MetricError(f"fraction={fraction} of the children: it must be above 0 and at most 1, such as 0.25")
    n, count = seeds.shape
    size = round(fraction * n)
    means = np.nanmean(seeds, axis=1)
    unknown = Spread(math.nan, math.nan, math.nan, math.nan, 0)
    reason = None
    if size < FEWEST_CHILDREN:
        reason = (
            f"the top {fraction:.0%} of {n} children are {size}: a bound needs at least {FEWEST_CHILDREN} children"
        )
    elif not (np.isfinite(seeds).sum(axis=1) > 1).any():
        reason = "every child has one seed: its noise and its accuracy cannot be separated"
    if reason:
        return Ceiling(fraction, size, count, unknown, unknown, unknown, unknown, reason)
    top = seeds[_top(means, size)]
    whole = whole_rankings(top)
    some = np.ascontiguousarray(top[:, whole])
    single = [(some[:, i], some[:, j]) for i, j in itertools.combinations(range(len(whole)), 2)]
    halves = [(_mean(some, half), _mean(some, ~half)) for half in _halves(len(whole), rng)]
    held_out = [(_mean(top, seed), _mean(top, ~seed)) for seed in np.eye(count, dtype=bool)[whole]]
    perfect, reason = _perfect(seeds, size, rng, simulations)
    return Ceiling(fraction, size, count, _agreement(single), _agreement(held_out), _agreement(halves), perfect, reason)


def whole_rankings(accuracy_by_seed: Array) -> npt.NDArray[np.intp]:
    """Which of (n, seeds) every child has: those of which each ranks them all; all seeds where there are not two.

    >>> whole_rankings(np.array([[0.5, 0.6, np.nan], [0.7, 0.8, 0.9]])).tolist()
    [0, 1]
    """
    whole = np.flatnonzero(np.isfinite(accuracy_by_seed).all(axis=0))
    return whole if len(whole) > 1 else np.arange(accuracy_by_seed.shape[1])


def _agreement(comparisons: list[tuple[Array, Array]]) -> Spread:
    taus = []
    for a, b in comparisons:
        both = np.isfinite(a) & np.isfinite(b)
        if both.sum() > 1:
            taus.append(kendall_tau(a[both], b[both]))
    return spread(np.array(taus))


def spread(taus: Array) -> Spread:
    """Of the values that are defined."""
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
    found = simulated_tables(seeds, rng, simulations)
    if isinstance(found, str):
        return Spread(math.nan, math.nan, math.nan, math.nan, 0), found
    true, tables = found
    if size == len(true):
        return spread(kendall_taus(tables, true)), None
    tops = [_top(table, size) for table in tables]
    taus = [kendall_tau(true[top], table[top]) for top, table in zip(tops, tables, strict=True)]
    return spread(np.array(taus)), None


def simulated_tables(seeds: Array, rng: np.random.Generator, simulations: int) -> tuple[Array, Array] | str:
    """True means (n,) as (n, seeds) accuracies suggest them, and tables (simulations, n) drawn from these; or why not.

    See `noise_ceiling` for how.
    """
    counts = np.isfinite(seeds).sum(axis=1)
    if not (counts > 1).any():
        return "every child has one seed: its noise and its accuracy cannot be separated"
    means = np.nanmean(seeds, axis=1)
    squares = np.nansum((seeds - means[:, None]) ** 2, axis=1)
    pooled = squares.sum() / (counts - 1).sum()
    noise = (squares + _PRIOR_SEEDS * pooled) / (counts - 1 + _PRIOR_SEEDS) / counts
    total = float(means.var(ddof=1))
    if total <= noise.mean():
        return "children differ no more than the noise of their means: there is no ranking to reach"
    true = means.mean() + (means - means.mean()) * math.sqrt(1 - noise.mean() / total)
    return true, true + rng.standard_normal((simulations, len(true))) * np.sqrt(noise)
