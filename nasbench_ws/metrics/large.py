"""Tau of thousands of children: the same numbers as from signs of pairs (arithmetic.py), in n log n steps.

    tau_b_of_many(rows, columns)                       # (a, n), (b, n) -> (a, b)
    weighted_taus_of_many(rows, columns)

15,625 children have 122 million pairs. Without a tolerance scipy counts them; ties within a tolerance are not
transitive, so that no sort knows them: those pairs are counted by a tree of sorted blocks. Not here: which children are
many.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

Array = npt.NDArray[np.float64]


def tau_b_of_many(rows: Array, columns: Array, margin: float = 0.0) -> Array:
    """Tau-b of (a, n) with (b, n); two values in `rows` tie where they differ by no more than `margin`."""
    return np.array([
        [_tau_within(row, column, margin) if margin else float(stats.kendalltau(row, column).statistic)
         for column in columns]
        for row in rows
    ])  # fmt: skip


def weighted_taus_of_many(rows: Array, columns: Array) -> Array:
    """Weighted tau, hyperbolic weights, of (a, n) with (b, n); children that are equal in both go by their places."""
    return np.array([[stats.weightedtau(row, column).statistic for column in columns] for row in rows])


def _tau_within(one: Array, other: Array, margin: float) -> float:
    alike, unlike, untied = _pairs_within(one, other, margin)
    ties, n = np.unique(other, return_counts=True)[1].astype(float), len(one)
    product = float(untied) * (n * (n - 1) - (ties * (ties - 1)).sum()) / 2
    return float(np.clip((alike - unlike) / np.sqrt(product), -1.0, 1.0)) if product > 0 else np.nan


def _pairs_within(one: Array, other: Array, margin: float) -> tuple[int, int, int]:
    """Of the pairs (i, j) with one[i] > one[j] + margin: how many have other[i] > other[j], how many less, and all.

    With children in order of `one`, the j of an i are the first so many. These are a few whole blocks of a tree whose
    level k has blocks of 2**k children, each sorted by `other`; a search in all blocks of a level is one search in
    their sorted concatenation.
    """
    order = np.argsort(one, kind="stable")
    sorted_one = one[order]
    ranks = np.unique(other[order], return_inverse=True)[1].astype(np.int64)  # of `other`, dense
    first = np.searchsorted(sorted_one + margin, sorted_one, side="left")  # how many j each i is above
    n, width = len(one), int(ranks.max()) + 1
    above = np.zeros(n, dtype=np.int64)  # other[j] < other[i], and
    at_most = np.zeros(n, dtype=np.int64)  # other[j] <= other[i]
    place = np.arange(n)
    for level in range(int(n).bit_length()):
        asked = np.flatnonzero(first >> level & 1)
        if not len(asked):
            continue
        keys = np.sort((place >> level) * width + ranks)  # blocks are side by side: block, then rank
        block = (first[asked] >> (level + 1)) * 2  # the block that bit of `first` stands for
        start = block << level
        key = block * width + ranks[asked]
        above[asked] += np.searchsorted(keys, key, side="left") - start
        at_most[asked] += np.searchsorted(keys, key, side="right") - start
    untied = int(first.sum())
    return int(above.sum()), untied - int(at_most.sum()), untied
