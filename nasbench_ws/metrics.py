"""Rank metrics: how well do scores order the children of a space?

Holds pure functions on numpy arrays, for one score vector and for many at once. Does not hold
intervals or the noise ceiling (`resample`), and never reads a table or runs a network.

    kendall_tau(scores, truth)                  # (n,) against (n,): GT-Tau of one score vector
    kendall_taus(snapshots, truth)              # (rows, n) against (n,): one tau-b a row
    measure(instances, truth, ["kendall_tau", "top_rank@3"])       # {name: (rows,)}

Conventions, for every function:
* `scores` and `truth` list the same n children in the same order; higher is better in both.
* A ground-truth rank counts from 1 and is a competition rank: 1 + the number of children strictly
  better. Two children that tie for best both have rank 1, and the next has rank 3.
* Children with equal scores are ordered at random: a top-K metric is its expected value over all
  such orders, in closed form. All scores equal thus gives the value of choosing K blindly.
* A correlation with a constant vector is NaN, and `undefined_reason` says why.
* A score that is not finite, vectors of different lengths, and K outside 1..n raise MetricError.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nasbench_ws.errors import MetricError, near_misses

Array = npt.NDArray[np.float64]

EVALUATION = (
    "kendall_tau", "spearman", "pearson", "weighted_tau", "sparse_tau", "top_rank@1", "top_rank@3",
    "precision_at_top@5", "precision_at_bottom@5", "regret@1", "ndcg@5",
)  # fmt: skip
"""The metrics an evaluation reports unless told otherwise; `@` separates a function from its K."""

DELTA = 0.001  # width of sparse tau's bins: a tenth of a percentage point of accuracy

# Pair signs held at once. Half a MiB of float32 stays in a core's cache, and keeps every partial sum
# of a float32 product far below 2**24, up to which float32 counts exactly.
_SIGNS_AT_ONCE = 2**17


class Stability(NamedTuple):
    """S-Tau: tau-b over all pairs of rows."""

    mean: float
    min: float
    max: float


class MeanStd(NamedTuple):
    """A mean and a population standard deviation."""

    mean: float
    std: float


# ---------------------------------------------------------------------------------------- correlations


def kendall_tau(scores: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """GT-Tau: Kendall's tau-b of (n,) scores with (n,) truth.

    (concordant - discordant pairs) / sqrt(pairs untied in scores * pairs untied in truth), in [-1, 1].
    Source: Kendall, "The treatment of ties in ranking problems", 1945; `scipy.stats.kendalltau`.

    >>> round(kendall_tau([0.1, 0.2, 0.3, 0.3], [0.5, 0.7, 0.6, 0.9]), 4)
    0.5477
    """
    return _single("kendall_tau", scores, truth)


def kendall_taus(score_matrix: npt.ArrayLike, truth: npt.ArrayLike) -> Array:
    """GT-Tau of every row: tau-b of (rows, n) scores with (n,) truth -> (rows,).

    >>> kendall_taus([[1, 2, 3], [3, 2, 1], [1, 3, 2]], [0.7, 0.8, 0.9]).round(4).tolist()
    [1.0, -1.0, 0.3333]
    """
    return measure(score_matrix, _vector(truth, "truth"), ["kendall_tau"])["kendall_tau"]


def kendall_tau_matrix(score_matrix: npt.ArrayLike) -> Array:
    """Tau-b of every two rows: (rows, n) -> (rows, rows), symmetric, ones on the diagonal.

    With s the signs of all n(n-1)/2 pairs of a row, concordant - discordant is the product s_a . s_b:
    one matrix product instead of rows**2 / 2 calls, taken in chunks so that memory stays bounded.

    >>> kendall_tau_matrix([[1, 2, 3], [1, 3, 2]]).round(4).tolist()
    [[1.0, 0.3333], [0.3333, 1.0]]
    """
    return _tau_b(_matrix(score_matrix, "score_matrix"))


def stability_tau(score_matrix: npt.ArrayLike) -> Stability:
    """S-Tau of (rows, n) scores: mean, min and max of tau-b over the pairs of different rows.

    NaN where there is one row only, or where a row is constant. Source: the Deeper Insights paper.

    >>> stability_tau([[1, 2, 3, 4], [1, 2, 3, 4], [4, 3, 2, 1]])
    Stability(mean=-0.3333333333333333, min=-1.0, max=1.0)
    """
    taus = kendall_tau_matrix(score_matrix)
    pairs = taus[np.triu_indices(len(taus), 1)]
    if not pairs.size:
        return Stability(math.nan, math.nan, math.nan)
    return Stability(float(pairs.mean()), float(pairs.min()), float(pairs.max()))


def gt_tau_mean(score_matrix: npt.ArrayLike, truth: npt.ArrayLike, k: int | None = None) -> MeanStd:
    """GT-Tau-Mean-k and GT-Tau-Std-k: over the last k rows (snapshots) of (rows, n); all rows if k is None.

    The standard deviation divides by k. Source: the Deeper Insights paper, k = 64 mini-batches.

    >>> gt_tau_mean([[1, 3, 2], [3, 2, 1], [1, 2, 3]], [0.7, 0.8, 0.9], k=2)
    MeanStd(mean=0.0, std=1.0)
    """
    rows = _matrix(score_matrix, "score_matrix")
    last = len(rows) if k is None else _count(k, len(rows), "snapshots")
    taus = kendall_taus(rows[-last:], truth)
    return MeanStd(float(taus.mean()), float(taus.std()))


def spearman(scores: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Spearman's rho of (n,) scores with (n,) truth: Pearson's r of their average ranks, in [-1, 1].

    Source: `scipy.stats.spearmanr`.

    >>> round(spearman([0.1, 0.2, 0.3, 0.3], [0.5, 0.7, 0.6, 0.9]), 4)
    0.6325
    """
    return _single("spearman", scores, truth)


def pearson(scores: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Pearson's r of (n,) scores with (n,) truth, in [-1, 1] and with its sign.

    Source: `scipy.stats.pearsonr`.

    >>> round(pearson([1, 2, 3, 5], [0.9, 0.8, 0.7, 0.6]), 4)
    -0.9827
    """
    return _single("pearson", scores, truth)


def weighted_tau(scores: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Weighted tau of (n,) scores with (n,) truth, in [-1, 1]: the top of the ranking weighs most.

    A pair weighs 1/r_i + 1/r_j with r the ranks by (scores, truth), then by (truth, scores); the mean
    of both. Source: Vigna, "A weighted correlation index for rankings with ties", 2015;
    `scipy.stats.weightedtau` with its defaults.

    >>> [round(weighted_tau([1, 2, 3, 4], truth), 4) for truth in ([6, 5, 8, 9], [5, 6, 9, 8])]
    [0.8133, 0.52]
    """
    return _single("weighted_tau", scores, truth)


def sparse_tau(scores: npt.ArrayLike, truth: npt.ArrayLike, delta: float = DELTA) -> float:
    """Sparse tau of (n,) scores with (n,) truth: tau-b with floor(truth / delta), in [-1, 1].

    Differences in truth smaller than a bin of `delta` (an accuracy fraction) do not count. NaN if all
    children share a bin: `undefined_reason(scores, numpy.floor(truth / delta))`.

    >>> round(sparse_tau([3, 1, 2, 4], [0.8002, 0.8007, 0.8101, 0.8204]), 4)
    0.5477
    """
    return _single("sparse_tau", scores, truth, delta=delta)


# ------------------------------------------------------------------------------------- the top and bottom


def top_rank(scores: npt.ArrayLike, truth: npt.ArrayLike, n: int) -> float:
    """TnR: the best ground-truth rank among the n children scored highest; 1 is perfect.

    Source: the Deeper Insights paper (T1R, T3R). An expected value, hence a float, where scores tie.

    >>> top_rank([0.9, 0.8, 0.7], [0.5, 0.7, 0.6], 1), top_rank([0.9, 0.8, 0.7], [0.5, 0.7, 0.6], 2)
    (3.0, 1.0)
    >>> top_rank([0.9, 0.9, 0.7], [0.5, 0.7, 0.6], 1)
    2.0
    """
    return _single(f"top_rank@{_index(n)}", scores, truth)


def best_rank(scores: npt.ArrayLike, truth: npt.ArrayLike, k: int) -> float:
    """BR@K: the best ground-truth rank among the K children scored highest, from 1: TnR by another name.

    Source: Ning et al., "Evaluating efficient performance estimators of neural architectures", 2021,
    who take K as a fraction of the space and divide the rank by n; divide by n to compare with them.

    >>> best_rank([0.9, 0.8, 0.7], [0.5, 0.7, 0.6], 2)
    1.0
    """
    return _single(f"best_rank@{_index(k)}", scores, truth)


def worst_rank(scores: npt.ArrayLike, truth: npt.ArrayLike, k: int) -> float:
    """WR@K: the worst ground-truth rank among the K children scored highest, from 1. Source: as `best_rank`.

    >>> worst_rank([0.9, 0.8, 0.7], [0.5, 0.7, 0.6], 2)
    3.0
    """
    return _single(f"worst_rank@{_index(k)}", scores, truth)


def precision_at_top(scores: npt.ArrayLike, truth: npt.ArrayLike, k: int) -> float:
    """P@topK: the fraction of the K children scored highest whose ground-truth rank is at most K, in [0, 1].

    >>> precision_at_top([0.9, 0.8, 0.7], [0.5, 0.7, 0.6], 2)
    0.5
    """
    return _single(f"precision_at_top@{_index(k)}", scores, truth)


def precision_at_bottom(scores: npt.ArrayLike, truth: npt.ArrayLike, k: int) -> float:
    """P@bottomK: the fraction of the K children scored lowest that are among the K worst, in [0, 1].

    Among the K worst is a child with fewer than K children strictly worse.

    >>> precision_at_bottom([0.9, 0.8, 0.7, 0.1], [0.5, 0.7, 0.6, 0.4], 2)
    0.5
    """
    return _single(f"precision_at_bottom@{_index(k)}", scores, truth)


def regret(scores: npt.ArrayLike, truth: npt.ArrayLike, k: int) -> float:
    """regret@K: the best truth of all minus the best among the K children scored highest.

    In the units of truth (an accuracy fraction), at least 0; 0 is perfect.

    >>> round(regret([0.9, 0.8, 0.7], [0.5, 0.7, 0.6], 1), 6)
    0.2
    """
    return _single(f"regret@{_index(k)}", scores, truth)


def ndcg(scores: npt.ArrayLike, truth: npt.ArrayLike, k: int) -> float:
    """NDCG@K: sum over places p = 1..K of gain / log2(p + 1), divided by its largest value; in [0, 1].

    The gain is linear, (truth - min) / (max - min): of raw accuracies, which differ in their second
    digit, NDCG would be near 1 for any order. NaN where truth is constant. Source: Järvelin and
    Kekäläinen, 2002; ties as in McSherry and Najork, 2008.

    >>> ndcg([0.9, 0.8, 0.7], [0.7, 0.6, 0.5], 2), round(ndcg([0.9, 0.8, 0.7], [0.6, 0.7, 0.5], 2), 4)
    (1.0, 0.8597)
    """
    return _single(f"ndcg@{_index(k)}", scores, truth)


def survival(scores: npt.ArrayLike, truth: npt.ArrayLike, *, drop: float, k: int) -> float:
    """Of the K best children, the fraction left when the part `drop` of all that is scored lowest is dropped.

    As a search that prunes its space by a super-net does. Ties in scores: the expected value over random tie-breaking;
    among the K best is a child with fewer than K children strictly better. In [0, 1]; a random score leaves 1 - drop.

    >>> survival([0.9, 0.8, 0.7, 0.1], [0.5, 0.7, 0.6, 0.4], drop=0.5, k=2)
    0.5
    >>> survival([1, 1, 1, 1], [0.5, 0.7, 0.6, 0.4], drop=0.25, k=2)
    0.75
    """
    if not 0 <= drop < 1:
        raise MetricError(f"drop is {drop}; it is a part of the children, at least 0 and less than 1")
    s, y = _vector(scores, "scores"), _vector(truth, "truth")
    if len(s) != len(y):
        raise MetricError(f"{len(s)} scores and {len(y)} truths; give one of each for each child")
    count = _count(k, len(y), "children")
    best = (y[None, :] > y[:, None]).sum(axis=1) < count
    left = len(s) - math.floor(drop * len(s) + 1e-9)
    above, level = (s[None, :] > s[:, None]).sum(axis=1), (s[None, :] == s[:, None]).sum(axis=1)
    stays = np.clip((left - above) / level, 0.0, 1.0)  # the chance that a child's place among its equals is kept
    return float(stays[best].mean())


# ------------------------------------------------------------------------------------------- many at once


def measure(
    score_matrix: npt.ArrayLike,
    truth: npt.ArrayLike,
    metrics: Sequence[str] = EVALUATION,
    *,
    delta: float = DELTA,
) -> dict[str, Array]:
    """Every named metric of every row of (rows, n) scores with truth.

    A name is a function of this module, and its K after an `@`: "regret@1". Truth (n,) gives {name: (rows,)};
    truth (truths, n), as `resample` draws it, gives {name: (truths, rows)}.

    >>> measure([[1, 2, 3], [3, 1, 2]], [0.5, 0.6, 0.7], ["spearman", "top_rank@1"])
    {'spearman': array([ 1. , -0.5]), 'top_rank@1': array([1., 3.])}
    """
    scores = _matrix(score_matrix, "score_matrix")
    values = _numbers(truth, "truth")
    truths = _Truths(_matrix(values if values.ndim > 1 else _vector(values, "truth")[None], "truth"))
    if scores.shape[1] != truths.y.shape[1]:
        raise MetricError(
            f"scores are of {scores.shape[1]} children and truth of {truths.y.shape[1]}: "
            "one of each is needed for every child, in the same order"
        )
    results = {}
    for metric in metrics:
        name, k = _parse(metric, scores.shape[1])
        if name == "sparse_tau":
            result = _tau_b(truths.binned(delta), scores)
        elif k is None:
            result = _CORRELATIONS[name](truths, scores)
        else:
            result = np.stack([_TOP[name](truths, row, k) for row in scores], axis=1)
        results[metric] = result if values.ndim > 1 else result[0]
    return results


def undefined_reason(scores: npt.ArrayLike, truth: npt.ArrayLike) -> str | None:
    """Why a correlation of (n,) or (rows, n) scores with (n,) truth is NaN, or None where it is defined.

    >>> undefined_reason([0.1, 0.1, 0.1], [0.5, 0.6, 0.7])
    'all 3 scores are equal: no ranking to compare'
    """
    rows = np.asarray(scores, dtype=np.float64)
    y = _vector(truth, "truth")
    if len(y) == 1:
        return "there is one child only: no ranking to compare"
    for index, row in enumerate(np.atleast_2d(rows)):
        if (row == row[0]).all():
            where = f" of row {index}" if rows.ndim > 1 else ""
            return f"all {len(row)} scores{where} are equal: no ranking to compare"
    return f"all {len(y)} ground-truth values are equal: no ranking to compare" if (y == y[0]).all() else None


def nan_as_worst(scores: npt.ArrayLike) -> Array:
    """A copy of scores, (n,) or (rows, n), in which children that diverged rank last, tied with one another.

    Every score that is not finite becomes the next float below the lowest finite score of its row, so that
    Pearson's r stays defined as well.

    >>> nan_as_worst([0.5, float("nan"), 0.25]).tolist()
    [0.5, 0.24999999999999997, 0.25]
    """
    values = _numbers(scores, "scores").copy()
    for row in values if values.ndim > 1 else [values]:
        finite = np.isfinite(row)
        if not finite.any():
            raise MetricError(
                f"none of {row.size} scores is finite: there is no ranking to complete; "
                "look at the run that produced them"
            )
        row[~finite] = np.nextafter(row[finite].min(), -np.inf)
    return values


def rankable(score_matrix: npt.ArrayLike) -> Array:
    """The rows of (rows, n) scores that have a finite one, (usable, n), each as `nan_as_worst` makes it.

    >>> rankable([[0.5, 0.25], [float("nan"), float("nan")]]).tolist()
    [[0.5, 0.25]]
    """
    matrix = np.asarray(score_matrix, dtype=np.float64)
    usable = matrix[np.isfinite(matrix).any(axis=1)]
    return nan_as_worst(usable) if len(usable) else usable


# ---------------------------------------------------------------------------------------------- pair signs


def _tau_b(rows: Array, columns: Array | None = None) -> Array:
    """Tau-b of (a, n) with (b, n) -> (a, b); with itself if `columns` is None."""
    split = len(rows)
    # Children first: the two sides of a block of pairs are then whole rows of memory.
    children = np.ascontiguousarray((rows if columns is None else np.concatenate([rows, columns])).T)
    agree = np.zeros((split, split if columns is None else len(columns)))
    untied = np.zeros(children.shape[1])
    # A symmetric chunk has at least as many pairs as rows: adding up its product then costs less than the product.
    least = split if columns is None else 1
    for signs in _pair_signs(children, max(_SIGNS_AT_ONCE // children.shape[1], least)):  # (pairs, a + b)
        # x.T @ x of one array lets BLAS compute half of a symmetric product.
        agree += signs.T @ signs if columns is None else signs[:, :split].T @ signs[:, split:]
        untied += np.einsum("pr,pr->r", signs, signs)
    product = np.outer(untied[:split], untied if columns is None else untied[split:])
    return np.clip(_divide(agree, np.sqrt(product)), -1.0, 1.0)


def _pair_signs(children: Array, at_once: int) -> Iterator[npt.NDArray[np.float32]]:
    """sign(x_i - x_j) of all pairs i < j of (n, rows), in chunks of at most (at_once, rows)."""
    n = len(children)
    partners = np.arange(n - 1, 0, -1)  # child i has n - 1 - i pairs with later children
    ends = np.cumsum(partners)
    for start in range(0, n * (n - 1) // 2, at_once):
        stop = min(start + at_once, n * (n - 1) // 2)
        lowest, highest = np.searchsorted(ends, start, "right"), np.searchsorted(ends, stop, "left")
        i = np.repeat(np.arange(lowest, highest + 1), partners[lowest : highest + 1])
        first_pair = ends[lowest] - partners[lowest]
        i = i[start - first_pair : stop - first_pair]
        j = np.arange(start, stop) - (ends[i] - partners[i]) + i + 1
        left, right = children.take(i, axis=0), children.take(j, axis=0)
        signs = (left > right).view(np.int8)  # comparing, not subtracting: exact for any two floats
        signs -= (left < right).view(np.int8)
        yield signs.astype(np.float32)


# ------------------------------------------------------------------------------------------------ kernels


class _Truths:
    """Ground truths y (truths, n), with what several metrics need of them, computed once."""

    def __init__(self, y: Array) -> None:
        self.y = y

    @cached_property
    def ranks(self) -> tuple[Array, Array]:
        return _places(self.y)

    @cached_property
    def gain(self) -> Array:
        gain: Array = self.y - self.y.min(axis=1, keepdims=True)
        return gain

    @cached_property
    def best_gains(self) -> Array:
        return -np.sort(-self.gain, axis=1)

    def binned(self, delta: float) -> Array:
        if not (math.isfinite(delta) and delta > 0):
            raise MetricError(f"delta={delta} is no width of a bin: it must be above 0, such as {DELTA}")
        return np.floor(self.y / delta)


def _places(values: Array) -> tuple[Array, Array]:
    """Places by decreasing value, (rows, n) -> lowest and highest place among ties, each from 1 to n."""
    order = np.argsort(-values, axis=-1)
    ranked = np.take_along_axis(values, order, axis=-1)
    place = np.arange(values.shape[-1])
    begins = np.ones(values.shape, dtype=bool)
    begins[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    ends = np.roll(begins, -1, axis=1)  # a block ends where the next one begins; the roll ends the last
    lowest, highest = np.empty(values.shape), np.empty(values.shape)
    first = np.maximum.accumulate(np.where(begins, place, 0), axis=1)
    last = np.minimum.accumulate(np.where(ends, place, values.shape[-1])[:, ::-1], axis=1)[:, ::-1]
    np.put_along_axis(lowest, order, first + 1.0, axis=-1)
    np.put_along_axis(highest, order, last + 1.0, axis=-1)
    return lowest, highest


def _spearman(truths: _Truths, scores: Array) -> Array:
    return _pearson(np.add(*truths.ranks), np.add(*_places(scores)))


def _pearson(y: Array, scores: Array) -> Array:
    rows, columns = _centred(y), _centred(scores)
    product = np.outer((rows**2).sum(axis=1), (columns**2).sum(axis=1))
    return np.clip(_divide(rows @ columns.T, np.sqrt(product)), -1.0, 1.0)


def _centred(rows: Array) -> Array:
    """Rows less their mean, scaled to about 1 by a power of two: exact, and squares stay in range."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    centred[(rows == rows[:, :1]).all(axis=1)] = 0.0  # a mean of equal numbers may be off by a rounding
    _, exponent = np.frexp(np.abs(centred).max(axis=1, keepdims=True))
    scaled: Array = np.ldexp(centred, -exponent)
    return scaled


def _weighted_tau(truths: _Truths, scores: Array) -> Array:
    """Weights that add make a sum over pairs a sum over children: with h_i the weight of child i,
    sum over i < j of (h_i + h_j) s_ij t_ij = sum over i of h_i (sum over j of s_ij t_ij)."""
    (low, high), (score_low, score_high) = truths.ranks, _places(scores)
    n = scores.shape[1]
    y, x = high.astype(np.float32), score_high.astype(np.float32)
    untied, score_untied = n - 1 - (high - low), n - 1 - (score_high - score_low)  # children of another value
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, n + 1))])
    agree, truth_sum, score_sum = np.zeros((3, 2, len(low), len(scores)))  # by either order of places
    for i in range(n):  # compare child i with all: sums over j as products (truths, n) @ (n, rows)
        t, s = np.sign(y - y[:, i : i + 1]), np.sign(x - x[:, i : i + 1])  # 1 where i is better than j
        t_ties, s_ties = (t == 0).astype(np.float32), (s == 0).astype(np.float32)
        alike = (t_ties @ s_ties.T).astype(np.intp)  # equal in both, i itself among them
        by_truth = low[:, i : i + 1] + t_ties @ (s < 0).astype(np.float32).T  # place by truth, then score
        by_score = score_low[:, i] + (t < 0).astype(np.float32) @ s_ties.T
        place = np.stack([by_truth, by_score]).astype(np.intp)
        # 1 / place; children equal in both share the mean of their places' weights.
        weight = (harmonic[place + alike - 1] - harmonic[place - 1]) / alike
        agree += weight * (t @ s.T)
        truth_sum += weight * untied[:, i : i + 1]
        score_sum += weight * score_untied[:, i]
    result: Array = _divide(agree, np.sqrt(truth_sum * score_sum)).mean(axis=0)
    return np.clip(result, -1.0, 1.0)


class _Chosen(NamedTuple):
    """The K children scored highest: those surely in, and how many are drawn of those tied at the edge."""

    sure: npt.NDArray[np.intp]
    tied: npt.NDArray[np.intp]
    drawn: int


def _chosen(scores: Array, k: int) -> _Chosen:
    threshold = np.partition(scores, len(scores) - k)[len(scores) - k]
    sure = np.flatnonzero(scores > threshold)
    return _Chosen(sure, np.flatnonzero(scores == threshold), k - len(sure))


def _expected_least(values: Array, chosen: _Chosen) -> Array:
    """Expected least of (truths, n) values over the chosen children -> (truths,).

    Drawing r of t tied children, the j-th least is the least drawn with probability
    C(t - j, r - 1) / C(t, r): r / t for j = 1, then times (t - j - r + 1) / (t - j) from j to j + 1.
    """
    t, r = len(chosen.tied), chosen.drawn
    j = np.arange(1, t)
    steps = np.maximum(t - j - r + 1, 0) / (t - j)
    probability = np.cumprod(np.concatenate([[r / t], steps]))
    tied = np.sort(values[:, chosen.tied], axis=1)
    if len(chosen.sure):
        tied = np.minimum(tied, values[:, chosen.sure].min(axis=1, keepdims=True))
    least: Array = tied @ probability
    return least


def _top_rank(truths: _Truths, scores: Array, k: int) -> Array:
    return _expected_least(truths.ranks[0], _chosen(scores, k))


def _worst_rank(truths: _Truths, scores: Array, k: int) -> Array:
    return -_expected_least(-truths.ranks[0], _chosen(scores, k))


def _regret(truths: _Truths, scores: Array, k: int) -> Array:
    # The best minus each, before the expectation: 0 is then exactly 0.
    return _expected_least(truths.y.max(axis=1, keepdims=True) - truths.y, _chosen(scores, k))


def _precision(rank: Array, scores: Array, k: int) -> Array:
    chosen = _chosen(scores, k)
    hit = rank <= k
    tied = hit[:, chosen.tied].mean(axis=1) * chosen.drawn
    precision: Array = (hit[:, chosen.sure].sum(axis=1) + tied) / k
    return precision


def _precision_at_top(truths: _Truths, scores: Array, k: int) -> Array:
    return _precision(truths.ranks[0], scores, k)


def _precision_at_bottom(truths: _Truths, scores: Array, k: int) -> Array:
    return _precision(len(scores) + 1 - truths.ranks[1], -scores, k)


def _ndcg(truths: _Truths, scores: Array, k: int) -> Array:
    places = np.arange(1, len(scores) + 1)
    discount = np.where(places <= k, 1.0 / np.log2(places + 1.0), 0.0)
    _, block, sizes = np.unique(-scores, return_inverse=True, return_counts=True)
    shared = np.add.reduceat(discount, np.cumsum(sizes) - sizes) / sizes  # a tie shares its places' discounts
    return np.minimum(_divide(truths.gain @ shared[block], truths.best_gains @ discount), 1.0)


_CORRELATIONS: dict[str, Callable[[_Truths, Array], Array]] = {
    "kendall_tau": lambda truths, scores: _tau_b(truths.y, scores),
    "spearman": _spearman,
    "pearson": lambda truths, scores: _pearson(truths.y, scores),
    "weighted_tau": _weighted_tau,
}
_TOP: dict[str, Callable[[_Truths, Array, int], Array]] = {
    "top_rank": _top_rank,
    "best_rank": _top_rank,
    "worst_rank": _worst_rank,
    "precision_at_top": _precision_at_top,
    "precision_at_bottom": _precision_at_bottom,
    "regret": _regret,
    "ndcg": _ndcg,
}


# -------------------------------------------------------------------------------------------------- input


def _single(metric: str, scores: npt.ArrayLike, truth: npt.ArrayLike, delta: float = DELTA) -> float:
    row = _vector(scores, "scores")[None]
    return float(measure(row, _vector(truth, "truth"), [metric], delta=delta)[metric][0])


def _divide(numerator: Array, denominator: Array) -> Array:
    """NaN, without a warning, where the denominator is 0."""
    quotient = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator > 0)
    return quotient


def _numbers(values: npt.ArrayLike, name: str) -> Array:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise MetricError(f"{name} must be an array of numbers: {error}") from None


def _finite(values: Array, name: str) -> Array:
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        first = ", ".join((f"row {at[0]} " if values.ndim > 1 else "") + f"child {at[-1]}" for at in bad[:5])
        more = ", ..." if len(bad) > 5 else ""
        step = (
            "average the seeds that finished, or leave these children out"
            if name == "truth"
            else "leave these children out, or rank them last with nan_as_worst(scores)"
        )
        raise MetricError(
            f"{len(bad)} of {values.size} values of {name} are not finite ({first}{more}): "
            f"a metric needs a number for every child; {step}"
        )
    return values


def _vector(values: npt.ArrayLike, name: str) -> Array:
    array = _numbers(values, name)
    if array.ndim != 1 or not array.size:
        raise MetricError(f"{name} has shape {array.shape}: one number for each child, (n,), is needed")
    return _finite(array, name)


def _matrix(values: npt.ArrayLike, name: str) -> Array:
    array = _numbers(values, name)
    if array.ndim != 2 or not array.size:
        raise MetricError(f"{name} has shape {array.shape}: one row of n children each, (rows, n), is needed")
    return _finite(array, name)


def _index(k: int) -> int:
    try:
        return operator.index(k)
    except TypeError:
        raise MetricError(f"K={k!r} is no count: it must be a whole number of children, such as 5") from None


def _count(k: int, n: int, of: str = "children") -> int:
    if not 1 <= _index(k) <= n:
        raise MetricError(f"K={k} of {n} {of} cannot be taken: K must be from 1 to {n}")
    return _index(k)


def _parse(metric: str, n: int) -> tuple[str, int | None]:
    """A metric's name and its K."""
    name, at, k = metric.partition("@")
    if name in _TOP and k.removeprefix("-").isdecimal():
        return name, _count(int(k), n)
    if not at and (name in _CORRELATIONS or name == "sparse_tau"):
        return name, None
    known = [*_CORRELATIONS, "sparse_tau", *(f"{top}@K" for top in _TOP)]
    raise MetricError(f"no metric {metric!r}{near_misses(metric, known)}: known are {', '.join(known)}")
