"""Whether the values of a table can be: what every question relies on, asked of each table that is read.

    [*value_problems(content)]        # [] where numbers are finite, in their limits, and as the status of each run says

A digest says that a file is whole, not that it is true. A millisecond for the tables that ship. Not here: shapes, types
and which child a row is of (tables/form.py), and what takes the network of each child to know (tables/checks.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench_ws.tables.columns import (
    CURVES,
    DIVERGED,
    FAILED,
    METRICS,
    NO_RUN,
    OK,
    PUBLISHED,
    STATUSES,
    UNPLANNED,
    Content,
)


def value_problems(content: Content) -> Iterator[str]:
    """Each names the first offence of its kind. Shapes and types, and which children the rows are of, must be right."""
    yield from _axis_problems(content)
    yield from _row_problems(content)
    yield from _run_problems(content)


def _axis_problems(content: Content) -> Iterator[str]:
    for axis in ("seeds", "epochs"):
        values = content.columns[axis]
        if not (np.isfinite(values).all() and (np.diff(values) > 0).all() and values[0] >= 0):
            yield f"its {axis} are {values.tolist()}; they must rise, from 0 or more"
    if "environment" not in content.columns and not content.foreign:
        yield "it has a recipe, as one of own runs has, and no environment, which says on what machine each was made"
    environment, missing = content.columns.get("environment"), np.isin(content.columns["status"], NO_RUN)
    if (
        environment is not None
        and ((environment < -1) | (environment >= len(content.environments)) | ((environment == -1) != missing)).any()
    ):
        yield f"its environment must be -1 where a run is missing, else below {len(content.environments)}"


def _row_problems(content: Content) -> Iterator[str]:
    rows = content.rows
    for name in ("params", "macs"):
        there = content.columns.get(name)
        wrong = np.flatnonzero(there < 0) if there is not None else np.zeros(0, int)
        if there is not None and len(wrong):
            yield f"its {name} of {content.space[rows[wrong[0]]].name} is {there[wrong[0]]}, and must be 0 or more"
    isomorph = content.columns.get("isomorph")
    if isomorph is not None:
        place = np.searchsorted(rows, isomorph)
        known = (isomorph >= 0) & (isomorph <= rows) & (rows[np.minimum(place, len(rows) - 1)] == isomorph)
        wrong = np.flatnonzero(~known | (isomorph[np.where(known, place, 0)] != isomorph))
        if len(wrong):
            yield (
                f"its isomorph of {content.space[rows[wrong[0]]].name} is {isomorph[wrong[0]]}, and must be the index "
                "of the first row that computes the same"
            )


def _run_problems(content: Content) -> Iterator[str]:
    columns, children, rows = content.columns, content.space, content.rows
    curves = {name: content.curve(name) for name in CURVES if name in columns}
    status = columns["status"]  # (A, S)

    def where(wrong: NDArray[Any]) -> str:
        place = tuple(np.argwhere(wrong)[0])
        epoch = f" at epoch {columns['epochs'][place[2]]:g}" if len(place) > 2 else ""
        return f"{children[rows[place[0]]].name} with seed {columns['seeds'][place[1]]}{epoch}"

    wrong = (status < 0) | (status >= len(STATUSES))
    if wrong.any():
        yield f"its status of {where(wrong)} is {status[wrong][0]}; it must be 0 to {len(STATUSES) - 1}"
    nothing = np.flatnonzero((status == UNPLANNED).all(axis=1))
    if len(nothing):
        yield f"nobody wanted a run of {children[rows[nothing[0]]].name}, which has a row; it needs one that was wanted"
    for name, column in curves.items():  # (A, S, E)
        wrong = np.isinf(column) | (column < 0) | ((column > 1) if name.endswith("_accuracy") else False)
        if wrong.any():
            limits = "in [0, 1]" if name.endswith("_accuracy") else "finite and at least 0"
            yield f"its {name} of {where(wrong)} is {column[wrong][0]}; it must be {limits}, or NaN"
        wrong = np.isnan(column) & (status == OK)[..., None]
        if content.foreign:
            wrong[..., :-1] = False  # others may have looked at the end alone
            wrong &= name == content.truth
        if wrong.any():
            yield f"its {name} of {where(wrong)} is NaN, and the run's status is ok"
        wrong = ~np.isnan(column) & np.isin(status, (FAILED, *NO_RUN))[..., None]
        if wrong.any():
            ended = STATUSES[status[wrong.any(2)][0]]
            yield f"its {name} of {where(wrong)} is a number, and the run's status is {ended}"
    wrong = np.isnan(curves[content.truth][..., -1]) & (status == PUBLISHED)
    if wrong.any():
        yield f"its last {content.truth} of {where(wrong)} is NaN, and its status is published"
    absent = np.isnan(np.stack([curves[name] for name in METRICS if name in curves]))  # (5, A, S, E)
    ragged = (absent.any(0) != absent.all(0)).any(2) | (absent[0, ..., :-1] & ~absent[0, ..., 1:]).any(2)
    wrong = (status == DIVERGED) & (ragged | ~absent[0, ..., -1])
    if wrong.any():
        yield f"its run of {where(wrong)} diverged; from some epoch on, and at the last, all must be NaN"
