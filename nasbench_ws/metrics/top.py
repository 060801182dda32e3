"""Metrics of the top and bottom of a ranking: what a search that keeps K children gains by the scores.

    top_rank(scores, truth, 3)                  # T3R, from 1
    survival(scores, truth, drop=0.5, k=5)      # of the 5 best, the part that half the space keeps

Conventions as in rank.py. Not here: correlations (rank.py), arithmetic (arithmetic.py).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from nasbench_ws.errors import MetricError
from nasbench_ws.metrics.rank import single
from nasbench_ws.metrics.values import check_labels, checked_count, checked_index, checked_vector


def top_rank(scores: npt.ArrayLike, truth: npt.ArrayLike, n: int) -> float:
    """TnR: the best ground-truth rank among the n children scored highest; 1 is perfect.

    Args:
        scores: (n,), higher is better.
        truth: (n,) ground truth, in the same order.
        n: how many children, from 1 to all.

    Source: the Deeper Insights paper (T1R, T3R). An expected value, hence a float, where scores tie.

    >>> top_rank([0.9, 0.8, 0.7], [0.5, 0.7, 0.6], 1), top_rank([0.9, 0.8, 0.7], [0.5, 0.7, 0.6], 2)
    (3.0, 1.0)
    >>> top_rank([0.9, 0.9, 0.7], [0.5, 0.7, 0.6], 1)
    2.0
    """
    return single(f"top_rank@{checked_index(n)}", scores, truth)


def best_rank(scores: npt.ArrayLike, truth: npt.ArrayLike, k: int) -> float:
    """BR@K: the best ground-truth rank among the K children scored highest, from 1: TnR by another name.

    Args:
        scores: (n,), higher is better.
        truth: (n,) ground truth, in the same order.
        k: how many children, from 1 to n.

    Source: Ning et al., "Evaluating efficient performance estimators of neural architectures", 2021,
    who take K as a fraction of the space and divide the rank by n; divide by n to compare with them.

    >>> best_rank([0.9, 0.8, 0.7], [0.5, 0.7, 0.6], 2)
    1.0
    """
    return single(f"best_rank@{checked_index(k)}", scores, truth)


def worst_rank(scores: npt.ArrayLike, truth: npt.ArrayLike, k: int) -> float:
    """WR@K: the worst ground-truth rank among the K children scored highest, from 1. Source: as `best_rank`.

    Args:
        scores: (n,), higher is better.
        truth: (n,) ground truth, in the same order.
        k: how many children, from 1 to n.

    >>> worst_rank([0.9, 0.8, 0.7], [0.5, 0.7, 0.6], 2)
    3.0
    """
    return single(f"worst_rank@{checked_index(k)}", scores, truth)


def precision_at_top(scores: npt.ArrayLike, truth: npt.ArrayLike, k: int) -> float:
    """P@topK: the fraction of the K children scored highest whose ground-truth rank is at most K, in [0, 1].

    Args:
        scores: (n,), higher is better.
        truth: (n,) ground truth, in the same order.
        k: how many children, from 1 to n.

    >>> precision_at_top([0.9, 0.8, 0.7], [0.5, 0.7, 0.6], 2)
    0.5
    """
    return single(f"precision_at_top@{checked_index(k)}", scores, truth)


def precision_at_bottom(scores: npt.ArrayLike, truth: npt.ArrayLike, k: int) -> float:
    """P@bottomK: the fraction of the K children scored lowest that are among the K worst, in [0, 1].

    Among the K worst is a child with fewer than K children strictly worse.

    Args:
        scores: (n,), higher is better.
        truth: (n,) ground truth, in the same order.
        k: how many children, from 1 to n.

    >>> precision_at_bottom([0.9, 0.8, 0.7, 0.1], [0.5, 0.7, 0.6, 0.4], 2)
    0.5
    """
    return single(f"precision_at_bottom@{checked_index(k)}", scores, truth)


def regret(scores: npt.ArrayLike, truth: npt.ArrayLike, k: int) -> float:
    """regret@K: the best truth of all minus the best among the K children scored highest.

    In the units of truth (an accuracy fraction), at least 0; 0 is perfect.

    Args:
        scores: (n,), higher is better.
        truth: (n,) ground truth, in the same order.
        k: how many children, from 1 to n.

    >>> round(regret([0.9, 0.8, 0.7], [0.5, 0.7, 0.6], 1), 6)
    0.2
    """
    return single(f"regret@{checked_index(k)}", scores, truth)


def p_random(scores: npt.ArrayLike, truth: npt.ArrayLike, k: int = 1) -> float:
    """The chance that a child chosen by its score is truly better than another one drawn at random, in [0, 1].

    Of K children scored highest, the mean; an equal truth counts half. (n - rank) / (n - 1) of the one chosen where
    nothing ties; .5 of scores that know nothing. Source: Yu et al., "Evaluating the search phase of neural
    architecture search", ICLR 2020 (probability to surpass random search).

    Args:
        scores: (n,), higher is better.
        truth: (n,) ground truth, in the same order.
        k: how many children are chosen, from 1 to n.

    >>> p_random([0.9, 0.8, 0.7], [0.6, 0.7, 0.5]), p_random([1, 1, 1], [0.6, 0.7, 0.5])
    (0.5, 0.5)
    """
    return single(f"p_random@{checked_index(k)}", scores, truth)


def ndcg(scores: npt.ArrayLike, truth: npt.ArrayLike, k: int) -> float:
    """NDCG@K: sum over places p = 1..K of gain / log2(p + 1), divided by its largest value; in [0, 1].

    The gain is linear, (truth - min) / (max - min): of raw accuracies, which differ in their second
    digit, NDCG would be near 1 for any order. NaN where truth is constant. Source: Järvelin and
    Kekäläinen, 2002; ties as in McSherry and Najork, 2008.

    Args:
        scores: (n,), higher is better.
        truth: (n,) ground truth, in the same order.
        k: how many children, from 1 to n.

    >>> ndcg([0.9, 0.8, 0.7], [0.7, 0.6, 0.5], 2), round(ndcg([0.9, 0.8, 0.7], [0.6, 0.7, 0.5], 2), 4)
    (1.0, 0.8597)
    """
    return single(f"ndcg@{checked_index(k)}", scores, truth)


def survival(scores: npt.ArrayLike, truth: npt.ArrayLike, *, drop: float, k: int) -> float:
    """Of the K best children, the fraction left when the part `drop` of all that is scored lowest is dropped.

    As a search that prunes its space by a super-net does. Ties in scores: the expected value over random tie-breaking;
    among the K best is a child with fewer than K children strictly better. In [0, 1]; a random score leaves 1 - drop.

    Args:
        scores: (n,), higher is better.
        truth: (n,) ground truth, in the same order.
        drop: part of the children, at least 0 and less than 1.
        k: how many of the best, from 1 to n.

    >>> survival([0.9, 0.8, 0.7, 0.1], [0.5, 0.7, 0.6, 0.4], drop=0.5, k=2)
    0.5
    >>> survival([1, 1, 1, 1], [0.5, 0.7, 0.6, 0.4], drop=0.25, k=2)
    0.75
    """
    if not 0 <= drop < 1:
        raise MetricError(f"drop is {drop}; it is a part of the children, at least 0 and less than 1")
    check_labels(scores=scores, truth=truth)
    s, y = checked_vector(scores, "scores"), checked_vector(truth, "truth")
    if len(s) != len(y):
        raise MetricError(f"{len(s)} scores and {len(y)} truths; give one of each for each child")
    count = checked_count(k, len(y), "children")
    best = (y[None, :] > y[:, None]).sum(axis=1) < count
    left = len(s) - math.floor(drop * len(s) + 1e-9)
    above, level = (s[None, :] > s[:, None]).sum(axis=1), (s[None, :] == s[:, None]).sum(axis=1)
    stays = np.clip((left - above) / level, 0.0, 1.0)  # the chance that a child's place among its equals is kept
    return float(stays[best].mean())
