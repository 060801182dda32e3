"""Accuracy and multiply-adds: how much of what a table allows a search would hand over.

    reached(result)                                     # (R,) part of the hypervolume of the table's own front
    hypervolume([0.90, 0.92], [1e5, 3e5], (0.8, 4e5))   # the area that two networks dominate

A search's front are the networks that it trained in full and that no other beats in both, by the mean of what it
observed. They are judged by their mean test accuracy over all seeds; the reference point is the worst accuracy and the
largest cost of the table, so that the whole table reaches 1. Zitzler and Thiele, Multiobjective Evolutionary
Algorithms (IEEE TEC 1999), for two objectives.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nasbench_ws.search.result import SearchResult

Array = NDArray[np.float64]


def hypervolume(
    accuracy: Array | Sequence[float], macs: Array | Sequence[float], reference: tuple[float, float]
) -> float:
    """The area of accuracies and costs that the networks are at least as good as.

    Args:
        accuracy: higher is better.
        macs: of each; lower is better.
        reference: the lowest accuracy and the highest cost that count.
    """
    value, cost = np.asarray(accuracy, dtype=np.float64), np.asarray(macs, dtype=np.float64)
    order = np.argsort(cost, kind="stable")
    order = order[(value[order] > reference[0]) & (cost[order] <= reference[1])]
    best = np.maximum.accumulate(value[order]) - reference[0]  # up to each cost
    until = np.append(cost[order][1:], reference[1])
    return float((best * (until - cost[order])).sum())


def front(value: Array, macs: Array) -> NDArray[np.intp]:
    """Places of those that no other is at least as good as in both, and better in one; of equals the first."""
    order = np.lexsort((-value, macs))  # by cost, then the better first
    before = np.concatenate([[-np.inf], np.maximum.accumulate(value[order])[:-1]])
    return order[value[order] > before]


def reached(result: SearchResult) -> Array:
    """(R,) part of the table's hypervolume that each search's front has; 1 where the table has none to reach."""
    truth, macs = result.truth, result.macs.astype(np.float64)
    known = np.isfinite(truth)
    reference = float(truth[known].min()), float(macs[known].max())
    whole = hypervolume(truth[known], macs[known], reference)
    if not whole > 0:
        return np.ones(len(result))
    full = (result.run >= 0) & (result.point == len(result.header["epochs"]) - 1) & np.isfinite(result.signal)
    parts = np.zeros(len(result))
    for place, counts in enumerate(full):
        children, where = np.unique(result.networks[result.child[place, counts]], return_inverse=True)
        mean = np.bincount(where, weights=result.signal[place, counts]) / np.maximum(np.bincount(where), 1)
        chosen = children[front(mean, macs[children])]
        chosen = chosen[known[chosen]]
        parts[place] = hypervolume(truth[chosen], macs[chosen], reference) / whole
    return parts
