"""Rank metrics: how well do scores order the children of a space?

Holds pure functions on numpy arrays, for one score vector and for many at once. Does not hold their
arithmetic (arithmetic.py), the checks of what it is given (values.py), intervals
(intervals.py) or the noise ceiling (metrics/ceiling.py), and never reads a table.

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
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nasbench_ws.errors import MetricError, near_misses
from nasbench_ws.metrics.arithmetic import CORRELATIONS, DELTA, TOP, Array, Truths, tau_b
from nasbench_ws.metrics.values import (
    checked_count,
    checked_index,
    checked_matrix,
    checked_numbers,
    checked_vector,
)

EVALUATION = (
    "kendall_tau", "spearman", "pearson", "weighted_tau", "sparse_tau", "top_rank@1", "top_rank@3",
    "precision_at_top@5", "precision_at_bottom@5", "regret@1", "ndcg@5",
)  # fmt: skip
"""The metrics an evaluation reports unless told otherwise; `@` separates a function from its K."""

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
    return measure(score_matrix, checked_vector(truth, "truth"), ["kendall_tau"])["kendall_tau"]


def kendall_tau_matrix(score_matrix: npt.ArrayLike) -> Array:
    """Tau-b of every two rows: (rows, n) -> (rows, rows), symmetric, ones on the diagonal.

    With s the signs of all n(n-1)/2 pairs of a row, concordant - discordant is the product s_a . s_b:
    one matrix product instead of rows**2 / 2 calls, taken in chunks so that memory stays bounded.

    >>> kendall_tau_matrix([[1, 2, 3], [1, 3, 2]]).round(4).tolist()
    [[1.0, 0.3333], [0.3333, 1.0]]
    """
    return tau_b(checked_matrix(score_matrix, "score_matrix"))


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
    rows = checked_matrix(score_matrix, "score_matrix")
    last = len(rows) if k is None else checked_count(k, len(rows), "snapshots")
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
    return _single(f"top_rank@{checked_index(n)}", scores, truth)


def best_rank(scores: npt.ArrayLike, truth: npt.ArrayLike, k: int) -> float:
    """BR@K: the best ground-truth rank among the K children scored highest, from 1: TnR by another name.

    Source: Ning et al., "Evaluating efficient performance estimators of neural architectures", 2021,
    who take K as a fraction of the space and divide the rank by n; divide by n to compare with them.

    >>> best_rank([0.9, 0.8, 0.7], [0.5, 0.7, 0.6], 2)
    1.0
    """
    return _single(f"best_rank@{checked_index(k)}", scores, truth)


def worst_rank(scores: npt.ArrayLike, truth: npt.ArrayLike, k: int) -> float:
    """WR@K: the worst ground-truth rank among the K children scored highest, from 1. Source: as `best_rank`.

    >>> worst_rank([0.9, 0.8, 0.7], [0.5, 0.7, 0.6], 2)
    3.0
    """
    return _single(f"worst_rank@{checked_index(k)}", scores, truth)


def precision_at_top(scores: npt.ArrayLike, truth: npt.ArrayLike, k: int) -> float:
    """P@topK: the fraction of the K children scored highest whose ground-truth rank is at most K, in [0, 1].

    >>> precision_at_top([0.9, 0.8, 0.7], [0.5, 0.7, 0.6], 2)
    0.5
    """
    return _single(f"precision_at_top@{checked_index(k)}", scores, truth)


def precision_at_bottom(scores: npt.ArrayLike, truth: npt.ArrayLike, k: int) -> float:
    """P@bottomK: the fraction of the K children scored lowest that are among the K worst, in [0, 1].

    Among the K worst is a child with fewer than K children strictly worse.

    >>> precision_at_bottom([0.9, 0.8, 0.7, 0.1], [0.5, 0.7, 0.6, 0.4], 2)
    0.5
    """
    return _single(f"precision_at_bottom@{checked_index(k)}", scores, truth)


def regret(scores: npt.ArrayLike, truth: npt.ArrayLike, k: int) -> float:
    """regret@K: the best truth of all minus the best among the K children scored highest.

    In the units of truth (an accuracy fraction), at least 0; 0 is perfect.

    >>> round(regret([0.9, 0.8, 0.7], [0.5, 0.7, 0.6], 1), 6)
    0.2
    """
    return _single(f"regret@{checked_index(k)}", scores, truth)


def ndcg(scores: npt.ArrayLike, truth: npt.ArrayLike, k: int) -> float:
    """NDCG@K: sum over places p = 1..K of gain / log2(p + 1), divided by its largest value; in [0, 1].

    The gain is linear, (truth - min) / (max - min): of raw accuracies, which differ in their second
    digit, NDCG would be near 1 for any order. NaN where truth is constant. Source: Järvelin and
    Kekäläinen, 2002; ties as in McSherry and Najork, 2008.

    >>> ndcg([0.9, 0.8, 0.7], [0.7, 0.6, 0.5], 2), round(ndcg([0.9, 0.8, 0.7], [0.6, 0.7, 0.5], 2), 4)
    (1.0, 0.8597)
    """
    return _single(f"ndcg@{checked_index(k)}", scores, truth)


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
    s, y = checked_vector(scores, "scores"), checked_vector(truth, "truth")
    if len(s) != len(y):
        raise MetricError(f"{len(s)} scores and {len(y)} truths; give one of each for each child")
    count = checked_count(k, len(y), "children")
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
    scores = checked_matrix(score_matrix, "score_matrix")
    values = checked_numbers(truth, "truth")
    truths = Truths(checked_matrix(values if values.ndim > 1 else checked_vector(values, "truth")[None], "truth"))
    if scores.shape[1] != truths.y.shape[1]:
        raise MetricError(
            f"scores are of {scores.shape[1]} children and truth of {truths.y.shape[1]}: "
            "one of each is needed for every child, in the same order"
        )
    results = {}
    for metric in metrics:
        name, k = _parse(metric, scores.shape[1])
        if name == "sparse_tau":
            result = tau_b(truths.binned(delta), scores)
        elif k is None:
            result = CORRELATIONS[name](truths, scores)
        else:
            result = np.stack([TOP[name](truths, row, k) for row in scores], axis=1)
        results[metric] = result if values.ndim > 1 else result[0]
    return results


def undefined_reason(scores: npt.ArrayLike, truth: npt.ArrayLike) -> str | None:
    """Why a correlation of (n,) or (rows, n) scores with (n,) truth is NaN, or None where it is defined.

    >>> undefined_reason([0.1, 0.1, 0.1], [0.5, 0.6, 0.7])
    'all 3 scores are equal: no ranking to compare'
    """
    rows = np.asarray(scores, dtype=np.float64)
    y = checked_vector(truth, "truth")
    if len(y) == 1:
        return "there is one child only: no ranking to compare"
    for index, row in enumerate(np.atleast_2d(rows)):
        if (row == row[0]).all():
            where = f" of row {index}" if rows.ndim > 1 else ""
            return f"all {len(row)} scores{where} are equal: no ranking to compare"
    return f"all {len(y)} ground-truth values are equal: no ranking to compare" if (y == y[0]).all() else None


def _single(metric: str, scores: npt.ArrayLike, truth: npt.ArrayLike, delta: float = DELTA) -> float:
    row = checked_vector(scores, "scores")[None]
    return float(measure(row, checked_vector(truth, "truth"), [metric], delta=delta)[metric][0])


def _parse(metric: str, n: int) -> tuple[str, int | None]:
    """A metric's name and its K."""
    name, at, k = metric.partition("@")
    if name in TOP and k.removeprefix("-").isdecimal():
        return name, checked_count(int(k), n)
    if not at and (name in CORRELATIONS or name == "sparse_tau"):
        return name, None
    known = [*CORRELATIONS, "sparse_tau", *(f"{top}@K" for top in TOP)]
    raise MetricError(f"no metric {metric!r}{near_misses(metric, known)}: known are {', '.join(known)}")
