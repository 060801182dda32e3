"""What every metric is given: vectors and matrices of scores, checked, and NaN ranked last where that is asked for.

    nan_as_worst([0.5, float("nan"), 0.7])      # a child without a score stands below all others
    rankable(score_matrix)                      # the rows that rank something, NaN below all else

No table is read here, and no scipy.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import numpy.typing as npt

from nasbench_ws.errors import MetricError
from nasbench_ws.metrics.arithmetic import Array

_EXACT = 2.0**53  # up to here every integer is a float64


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
        with np.errstate(over="ignore"):
            below = np.nextafter(row[finite].min(), -np.inf)
        if not finite.all() and np.isinf(below):
            raise MetricError(
                f"the lowest score is {row[finite].min()}, and no float is below it for children without a score: "
                "rank the scores, or scale them, first"
            )
        row[~finite] = below
    return values


def rankable(score_matrix: npt.ArrayLike) -> Array:
    """The rows of (rows, n) scores that have a finite one, (usable, n), each as `nan_as_worst` makes it.

    >>> rankable([[0.5, 0.25], [float("nan"), float("nan")]]).tolist()
    [[0.5, 0.25]]
    """
    matrix = checked_numbers(score_matrix, "score_matrix")
    if matrix.ndim != 2:
        raise MetricError(_no_matrix(matrix, "score_matrix"))
    usable = matrix[np.isfinite(matrix).any(axis=1)]
    return nan_as_worst(usable) if len(usable) else usable


# -------------------------------------------------------------------------------------------------- input


def checked_numbers(values: npt.ArrayLike, name: str) -> Array:
    """As float64; what is masked is NaN. Integers that float64 would make equal are refused, as they would tie."""
    try:
        if isinstance(values, np.ma.MaskedArray):
            return np.ma.filled(values.astype(np.float64), np.nan)
        numbers = np.asarray(values, dtype=np.float64)
        array = np.asarray(values)
    except (TypeError, ValueError, OverflowError) as error:
        raise MetricError(f"{name} must be an array of numbers: {error}") from None
    if (
        array.dtype.kind in "iuO"
        and array.size
        and np.abs(numbers).max(initial=0.0, where=~np.isnan(numbers)) >= _EXACT
    ):
        whole = array.ravel().tolist()
        if len(set(whole)) > len(set(numbers.ravel().tolist())):
            raise MetricError(
                f"{name} has integers beyond 2**53 that differ and are one number in float64 (the largest is "
                f"{max(whole)}): give their ranks, or divide them by a common factor"
            )
    return numbers


def check_labels(**named: Any) -> None:
    """Children that pandas labels must be in one order: values are taken by position.

    Args:
        named: What is compared, by name; what has no labels is in the order of the rest.
    """
    labelled = [(name, _labels(values)) for name, values in named.items()]
    known = [(name, labels) for name, labels in labelled if labels is not None]
    for name, labels in known[1:]:
        first, expected = known[0]
        at = next((i for i, (a, b) in enumerate(zip(expected, labels, strict=False)) if a != b), None)
        if at is not None:
            raise MetricError(
                f"{first} and {name} label their children differently: number {at} is {expected[at]!r} in {first} and "
                f"{labels[at]!r} in {name}; put both in one order, such as with {name}.reindex({first}.index)"
            )


def _labels(values: Any) -> list[Any] | None:
    """The children's labels of a pandas Series or DataFrame (rows, n)."""
    if not hasattr(values, "iloc"):
        return None
    return list(values.index if np.ndim(values) == 1 else values.columns)


def checked_control(values: npt.ArrayLike | None, n: int) -> Array:
    """What a metric is given the children for, (n,)."""
    if values is None:
        raise MetricError("partial_tau needs a control: one number for each child, such as its parameters")
    control = checked_vector(values, "control")
    if len(control) != n:
        raise MetricError(f"control is of {len(control)} children and scores of {n}: give one number for each child")
    return control


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
        raise MetricError(_no_matrix(array, name))
    return checked_finite(array, name)


def _no_matrix(array: Array, name: str) -> str:
    return f"{name} has shape {array.shape}: one row of n children each, (rows, n), is needed"


def checked_index(k: int) -> int:
    if isinstance(k, bool):
        raise MetricError(f"K={k!r} is no count: it must be a whole number of children, such as 5")
    try:
        return operator.index(k)
    except TypeError:
        raise MetricError(f"K={k!r} is no count: it must be a whole number of children, such as 5") from None


def checked_count(k: int, n: int, of: str = "children") -> int:
    if not 1 <= checked_index(k) <= n:
        raise MetricError(f"K={k} of {n} {of} cannot be taken: K must be from 1 to {n}")
    return checked_index(k)
