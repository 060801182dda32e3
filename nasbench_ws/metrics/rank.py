"""Rank metrics: how well do scores order the children of a space?

Holds correlations as pure functions on numpy arrays, for one score vector and for many at once. Does not hold the
metrics of the top of a ranking (top.py), their arithmetic (arithmetic.py), the checks of what they are given
(values.py), intervals (intervals.py) or what a table's noise leaves to reach (bound.py), and never reads a table.

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
from nasbench_ws.metrics.arithmetic import CORRELATIONS, DELTA, TOP, Array, Truths, checked_tolerance, partial, tau_b
from nasbench_ws.metrics.values import (
    check_labels,
    checked_control,
    checked_count,
    checked_matrix,
    checked_numbers,
    checked_vector,
)

EVALUATION = (
    "kendall_tau", "spearman", "pearson", "weighted_tau", "sparse_tau", "top_rank@1", "top_rank@3",
    "precision_at_top@5", "precision_at_bottom@5", "regret@1", "ndcg@5",
)  # fmt: skip
"""The metrics of scores and truth alone that an evaluation reports; `@` separates a function from its K."""

REPORTED = (*EVALUATION, "partial_tau")
"""All that an evaluation reports: partial tau is given parameter counts."""


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
    return single("kendall_tau", scores, truth)


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

    Args:
        score_matrix: (rows, n), a ranking a row.
        truth: (n,) ground truth, in the same order.
        k: rows from the end; None: all.

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
    return single("spearman", scores, truth)


def pearson(scores: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Pearson's r of (n,) scores with (n,) truth, in [-1, 1] and with its sign.

    Source: `scipy.stats.pearsonr`.

    >>> round(pearson([1, 2, 3, 5], [0.9, 0.8, 0.7, 0.6]), 4)
    -0.9827
    """
    return single("pearson", scores, truth)


def weighted_tau(scores: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Weighted tau of (n,) scores with (n,) truth, in [-1, 1]: the top of the ranking weighs most.

    A pair weighs 1/r_i + 1/r_j with r the ranks by (scores, truth), then by (truth, scores); the mean
    of both. Source: Vigna, "A weighted correlation index for rankings with ties", 2015;
    `scipy.stats.weightedtau` with its defaults.

    >>> round(weighted_tau([1, 2, 3, 4], [6, 5, 8, 9]), 4)
    0.8133
    >>> round(weighted_tau([1, 2, 3, 4], [5, 6, 9, 8]), 4)
    0.52
    """
    return single("weighted_tau", scores, truth)


def partial_tau(scores: npt.ArrayLike, truth: npt.ArrayLike, control: npt.ArrayLike) -> float:
    """Partial Kendall tau of (n,) scores with (n,) truth, given a (n,) control such as parameter counts; in [-1, 1].

    What scores know of the truth beyond the control: (t_st - t_sc t_tc) / sqrt((1 - t_sc^2) (1 - t_tc^2)), with t
    the three tau-b. 0 of scores that order children as the control does and at random where it ties. NaN where scores
    or truth order the children exactly as the control, or its reverse: nothing is left to explain.

    Args:
        scores: (n,), higher is better.
        truth: (n,) ground truth, in the same order.
        control: (n,) what is given, such as parameter counts.

    Source: Kendall, "Partial rank correlation", Biometrika 32, 1942.

    >>> round(partial_tau([1, 2, 4, 3], [1, 3, 4, 2], [1, 1, 2, 2]), 4)
    0.6325
    """
    return single("partial_tau", scores, truth, control=control)


def tau_ties_random(scores: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Kendall's tau of (n,) scores with (n,) truth, its expected value when ties in scores are broken at random.

    A tied pair is as often concordant as discordant, and no longer left out of the denominator:
    (concordant - discordant) / sqrt(all pairs * pairs untied in truth). The convention of the top-K metrics; tau-b
    favours scores with ties. Never larger in size than `kendall_tau`; 0 of scores that are all equal.

    >>> round(kendall_tau([1, 1, 2, 2], [1, 2, 3, 4]), 4), round(tau_ties_random([1, 1, 2, 2], [1, 2, 3, 4]), 4)
    (0.8165, 0.6667)
    """
    check_labels(scores=scores, truth=truth)
    s, y = checked_vector(scores, "scores"), checked_vector(truth, "truth")
    if (s == s[0]).all() and len(s) == len(y) and len(y) > 1 and not (y == y[0]).all():
        return 0.0
    untied = 1 - sum(c * (c - 1) for c in np.unique(s, return_counts=True)[1].tolist()) / max(len(s) * (len(s) - 1), 1)
    return single("kendall_tau", s, y) * math.sqrt(untied)


def sparse_tau(scores: npt.ArrayLike, truth: npt.ArrayLike, delta: float = DELTA) -> float:
    """Sparse tau of (n,) scores with (n,) truth: tau-b where truths closer than `delta` tie, in [-1, 1].

    `delta` is an accuracy fraction; a difference of exactly `delta` counts, whatever its binary rounding. Ties of
    this kind need not be transitive: no bin has an edge that parts two children .0001 apart. NaN if no two truths
    are `delta` apart: `undefined_reason(scores, truth, delta)`.

    Args:
        scores: (n,), higher is better.
        truth: (n,) ground truth, in the same order.
        delta: the least difference in truth that counts.

    Source: "sparse" as in Yu et al., "Evaluating the search phase of neural architecture search", 2020, who round
    accuracies to .001 instead.

    >>> round(sparse_tau([3, 1, 2, 4], [0.8002, 0.8007, 0.8101, 0.8204]), 4)
    0.5477
    >>> sparse_tau([1, 2], [0.861, 0.862])
    1.0
    """
    return single("sparse_tau", scores, truth, delta=delta)


# ------------------------------------------------------------------------------------------- many at once


def measure(
    score_matrix: npt.ArrayLike,
    truth: npt.ArrayLike,
    metrics: Sequence[str] = EVALUATION,
    *,
    delta: float = DELTA,
    control: npt.ArrayLike | None = None,
) -> dict[str, Array]:
    """Every named metric of every row of (rows, n) scores with truth.

    A name is a function of this module, and its K after an `@`: "regret@1". "partial_tau" takes a `control`, (n,),
    such as parameter counts. Truth (n,) gives {name: (rows,)}; truth (truths, n), as `intervals` draws it, gives
    {name: (truths, rows)}.

    Args:
        score_matrix: (rows, n), a ranking a row.
        truth: (n,), or (truths, n).
        metrics: their names.
        delta: of sparse tau.
        control: (n,), of partial tau.

    >>> measure([[1, 2, 3], [3, 1, 2]], [0.5, 0.6, 0.7], ["spearman", "top_rank@1"])
    {'spearman': array([ 1. , -0.5]), 'top_rank@1': array([1., 3.])}
    """
    check_labels(score_matrix=score_matrix, truth=truth, control=control)
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
            result = tau_b(truths.y, scores, checked_tolerance(delta))
        elif name == "partial_tau":
            result = partial(truths, scores, checked_control(control, scores.shape[1]))
        elif k is None:
            result = CORRELATIONS[name](truths, scores)
        else:
            result = np.stack([TOP[name](truths, row, k) for row in scores], axis=1)
        results[metric] = result if values.ndim > 1 else result[0]
    return results


def undefined_reason(scores: npt.ArrayLike, truth: npt.ArrayLike, delta: float = 0.0) -> str | None:
    """Why a correlation of (n,) or (rows, n) scores with (n,) truth is NaN, or None where it is defined.

    `delta` is sparse tau's.

    Args:
        scores: (n,) or (rows, n).
        truth: (n,).
        delta: sparse tau's; 0: truths tie where they are equal.

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
    if (y == y[0]).all():
        return f"all {len(y)} ground-truth values are equal: no ranking to compare"
    if delta and not np.isfinite(tau_b(y[None], np.arange(len(y), dtype=np.float64)[None], delta)).all():
        return f"all {len(y)} ground-truth values are within {delta:g} of one another: no ranking to compare"
    return None


def single(
    metric: str, scores: npt.ArrayLike, truth: npt.ArrayLike, delta: float = DELTA, control: npt.ArrayLike | None = None
) -> float:
    """One metric of (n,) scores with (n,) truth."""
    check_labels(scores=scores, truth=truth, control=control)
    row = checked_vector(scores, "scores")[None]
    return float(measure(row, checked_vector(truth, "truth"), [metric], delta=delta, control=control)[metric][0])


def reported(n: int) -> tuple[str, ...]:
    """All that an evaluation of n children reports."""
    return (*evaluation_metrics(n), "partial_tau")


def evaluation_metrics(n: int) -> tuple[str, ...]:
    """Those of EVALUATION that n children have: a K of theirs is at most n.

    >>> "top_rank@3" in evaluation_metrics(2), evaluation_metrics(64) == EVALUATION
    (False, True)
    """
    return tuple(metric for metric in EVALUATION if int(metric.partition("@")[2] or 0) <= n)


def _parse(metric: str, n: int) -> tuple[str, int | None]:
    """A metric's name and its K."""
    name, at, k = metric.partition("@")
    if name in TOP and k.removeprefix("-").isdecimal():
        return name, checked_count(int(k), n)
    if not at and (name in CORRELATIONS or name in ("sparse_tau", "partial_tau")):
        return name, None
    known = [*CORRELATIONS, "sparse_tau", "partial_tau", *(f"{top}@K" for top in TOP)]
    raise MetricError(f"no metric {metric!r}{near_misses(metric, known)}: known are {', '.join(known)}")
