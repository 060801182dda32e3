"""Pairs of children: those that a table can decide, and those of them that a control cannot.

    chosen = undecided_by(params, decidable(test_accuracy_by_seed))
    chosen.accuracy(scores)                     # 0.5 is chance; of 107 pairs on fashion14

Parameter counts order most pairs of a table right. What a ranking adds shows in the pairs whose order the table's seeds
settle and the control ties or gets wrong. Not here: partial tau (rank.py), which asks the same of all pairs at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nasbench_ws.errors import MetricError
from nasbench_ws.metrics.arithmetic import MANY, Array
from nasbench_ws.metrics.intervals import accuracies
from nasbench_ws.metrics.values import check_labels, checked_control, checked_matrix, checked_vector

DRAWN_PAIRS = 2**20
STANDARD_ERRORS = 2.0  # apart by more, and the table counts as having decided


@dataclass(frozen=True)
class Pairs:
    """Pairs (better, worse) of n children, as the table has them."""

    children: int
    better: npt.NDArray[np.intp]
    worse: npt.NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.better)

    def accuracy(self, scores: npt.ArrayLike) -> Array:
        """The part of the pairs that each row of (rows, n) scores orders right; a tie is half. NaN without pairs."""
        rows = checked_matrix(np.atleast_2d(np.asarray(scores)), "scores")
        if rows.shape[1] != self.children:
            raise MetricError(
                f"scores are of {rows.shape[1]} children and the pairs of {self.children}: give one for each"
            )
        if not len(self):
            return np.full(len(rows), np.nan)
        first, second = rows[:, self.better], rows[:, self.worse]
        right: Array = ((first > second) + 0.5 * (first == second)).mean(axis=1)
        return right


def decidable(accuracy_by_seed: npt.ArrayLike) -> Pairs:
    """Pairs whose means over seeds differ by more than 2 standard errors, from (n, seeds) accuracies.

    A child with one seed has no standard error of its own and is in no pair. Of more than 2,048 children, 2**20 pairs
    drawn at random (the same for everyone) stand for all.

    >>> len(decidable([[0.5, 0.6], [0.7, 0.8], [0.95, 0.96]]))
    3
    """
    seeds = accuracies(accuracy_by_seed)
    counts, means = np.isfinite(seeds).sum(axis=1), np.nanmean(seeds, axis=1)
    squares = np.nansum((seeds - means[:, None]) ** 2, axis=1)
    variance = np.where(counts > 1, squares / np.maximum(counts - 1, 1) / counts, np.inf)
    i, j = _every_pair(len(means))
    apart = np.abs(means[i] - means[j]) > STANDARD_ERRORS * np.sqrt(variance[i] + variance[j])
    i, j = i[apart], j[apart]
    first = means[i] > means[j]
    return Pairs(len(means), np.where(first, i, j), np.where(first, j, i))


def _every_pair(n: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    if n <= MANY:
        return np.triu_indices(n, 1)
    rng = np.random.Generator(np.random.PCG64(n))
    i = rng.integers(n, size=DRAWN_PAIRS)
    j = (i + rng.integers(1, n, size=DRAWN_PAIRS)) % n
    return np.minimum(i, j), np.maximum(i, j)


def undecided_by(control: npt.ArrayLike, pairs: Pairs) -> Pairs:
    """Those pairs that a (n,) control ties or orders wrong."""
    check_labels(control=control)
    values = checked_control(checked_vector(control, "control"), pairs.children)
    kept = values[pairs.better] <= values[pairs.worse]
    return Pairs(pairs.children, pairs.better[kept], pairs.worse[kept])
