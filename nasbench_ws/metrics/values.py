"""What every metric is given: vectors and matrices of scores, checked, and NaN ranked last where that is asked for.

    nan_as_worst([0.5, float("nan"), 0.7])      # a child without a score stands below all others
    rankable(score_matrix)                      # the rows that rank something, NaN below all else

No table is read here, and no scipy.
"""

from __future__ import annotations

import operator

import numpy as np
import numpy.typing as npt

from nasbench_ws.errors import MetricError
from nasbench_ws.metrics.arithmetic import Array


def nan_as_worst(scores: npt.ArrayLike) -> Array:
    """A copy of scores, (n,) or (rows, n), in which children that diverged rank last, tied with one another.

    Every score that is not finite becomes the next float below the lowest finite score of its row, so that
    Pearson's r stays defined as well.

    >>> nan_as_worst([0.5, float("nan"), 0.25]).tolist()
    [0.5, 0.24999999999999997, 0.25]
    """
    values = checked_numbers(scores, "scores").copy()
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


# -------------------------------------------------------------------------------------------------- input


def checked_numbers(values: npt.ArrayLike, name: str) -> Array:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise MetricError(f"{name} must be an array of numbers: {error}") from None


def checked_finite(values: Array, name: str) -> Array:
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


def checked_vector(values: npt.ArrayLike, name: str) -> Array:
    array = checked_numbers(values, name)
    if array.ndim != 1 or not array.size:
        raise MetricError(f"{name} has shape {array.shape}: one number for each child, (n,), is needed")
    return checked_finite(array, name)


def checked_matrix(values: npt.ArrayLike, name: str) -> Array:
    array = checked_numbers(values, name)
    if array.ndim != 2 or not array.size:
        raise MetricError(f"{name} has shape {array.shape}: one row of n children each, (rows, n), is needed")
    return checked_finite(array, name)


def checked_index(k: int) -> int:
    try:
        return operator.index(k)
    except TypeError:
        raise MetricError(f"K={k!r} is no count: it must be a whole number of children, such as 5") from None


def checked_count(k: int, n: int, of: str = "children") -> int:
    if not 1 <= checked_index(k) <= n:
        raise MetricError(f"K={k} of {n} {of} cannot be taken: K must be from 1 to {n}")
    return checked_index(k)
