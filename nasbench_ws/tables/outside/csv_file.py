"""A table from a CSV of accuracies, or from any file with a line for each child, or for each child and seed.

    content = from_csv("runs.csv", get_space("nasbench201"), Asked("test_accuracy", percent=True), source="my lab")
    write_table("mine.h5", content)

Children are named in the file, by any of their names, so that their order does not matter; columns are seeds, or a
column `seed` says which one a line is of. Whatever reads scores reads this (space/by_child.py). Not here: files of
other benchmarks (nats.py and so on).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench_ws.errors import TableError, UsageError, near_misses
from nasbench_ws.space.by_child import ByChild, numbers_by_child
from nasbench_ws.space.cell import Space
from nasbench_ws.space.grids import Grid, read_grid
from nasbench_ws.tables.columns import METRICS, Content
from nasbench_ws.tables.outside.foreign import foreign


@dataclass(frozen=True)
class Asked:
    """What a file cannot say of itself.

    Args:
        truth: what its numbers are: test_accuracy, valid_accuracy, or a loss.
        percent: whether accuracies are from 0 to 100.
        columns: those of the seeds; by default what can be meant.
        params: the column of parameter counts, if there is one.
        macs: the column of multiply-adds.
        partial: whether children may be absent.
        epochs: passes over the training images that all runs made.
    """

    truth: str = "test_accuracy"
    percent: bool = False
    columns: Sequence[str] = ()
    params: str | None = None
    macs: str | None = None
    partial: bool = False
    epochs: float = 1.0

    def __post_init__(self) -> None:
        if self.truth not in METRICS:
            near = near_misses(self.truth, METRICS)
            raise UsageError(f"truth is {self.truth!r}{near}; it is one of {', '.join(METRICS)}")


def from_csv(path: str | Path | Grid, space: Space, asked: Asked = Asked(), **known: Any) -> Content:
    """The table in a file.

    Args:
        path: CSV, JSON or a frame's file that names children; "-" for standard input, or a grid of it.
        space: whose children.
        asked: what its numbers are.
        known: source, images, licence, citation: see `foreign`.

    TableError names children that are missing or doubled, and numbers that are none; ArchitectureError a name that is
    no child's.
    """
    grid = read_grid(path, TableError)  # once: standard input has no more
    path = grid.name
    if grid.in_order:
        raise TableError(
            f"{path} is an array that names no children, and benchmarks differ in their order; give a file with a "
            "column for the child, such as digits, a hash or the canonical string"
        )
    found = numbers_by_child(grid, space, asked.columns, partial=True, error_type=TableError)
    _check_whole(path, space, found, asked.partial)
    rows = np.array(found.present)
    runs = fractions(path, space, rows, found.values[:, rows].T, asked)
    sizes: dict[str, Any] = {
        name: _sizes(grid, space, column, rows) for name, column in (("params", asked.params), ("macs", asked.macs))
        if column is not None
    }  # fmt: skip
    return foreign(space, rows, {asked.truth: runs}, truth=asked.truth, epochs=[asked.epochs], **sizes, **known)


def _check_whole(path: str, space: Space, found: ByChild, partial: bool) -> None:
    absent = sorted(set(range(len(space))) - set(found.present))
    if absent and not partial:
        listed = ", ".join(space[index].name for index in absent[:5]) + ", ..." * (len(absent) > 5)
        raise TableError(
            f"{path} has no line for {len(absent)} of the {len(space)} children of {space.name} ({listed}); add them, "
            "or give --partial for a table of those that it has"
        )


def fractions(
    path: str | Path, space: Space, rows: NDArray[np.int64], values: NDArray[np.float64], asked: Asked
) -> NDArray[np.float64]:
    """(n, seeds) accuracies as fractions, losses as they are. TableError where they are of another kind."""
    lacking = np.flatnonzero(np.isnan(values).all(axis=1))
    if len(lacking):
        raise TableError(
            f"{path} has no number for {space[rows[lacking[0]]].name}"
            f"{f' and {len(lacking) - 1} more children' * (len(lacking) > 1)}; leave out its line, with --partial"
        )
    if not asked.truth.endswith("_accuracy"):
        return values
    most, least = float(np.nanmax(values)), float(np.nanmin(values))
    row = rows[int(np.nanargmax(np.nanmax(values, axis=1)))]
    small, known = (values <= 1).sum(axis=0), (~np.isnan(values)).sum(axis=0)
    if 1 < most <= 100 and (2 * small > known).any():  # of a column: one of seeds, or a child, of another kind
        raise TableError(
            f"{path} has {small.sum():,} accuracies of at most 1, as fractions are, and {(values > 1).sum():,} above, "
            f"up to {most:g} ({space[row].name}), as percent; write all as fractions, or all as percent with --percent"
        )
    if asked.percent:
        if most <= 1:
            raise TableError(f"{path} has accuracies up to {most:g}, which are no percent; leave out --percent")
        values = values / 100
    elif 1 < most <= 100:
        raise TableError(
            f"{path} has accuracies up to {most:g} ({space[row].name}), which look like percent; give --percent, or "
            "divide them by 100"
        )
    if least < 0 or most > 100:
        odd = least if least < 0 else most
        raise TableError(
            f"{path} has the {asked.truth} {odd:g}, which is none; if it is a loss, say so: --truth valid_loss"
        )
    return values


def _sizes(grid: Grid, space: Space, column: str, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) whole numbers; a long file has them in each line of a child, all the same."""
    values = numbers_by_child(grid, space, [column], partial=True, error_type=TableError).values[:, rows]
    known = np.nanmax(values, axis=0)
    wrong = np.flatnonzero(~(known >= 0) | (np.nanmin(values, axis=0) != known) | (known != np.round(known)))
    if len(wrong):
        raise TableError(
            f"{grid.name} has {column} {values[0, wrong[0]]:g} for {space[rows[wrong[0]]].name}; give one whole number "
            "of 0 or more for each child"
        )
    sizes: NDArray[np.int64] = known.astype(np.int64)
    return sizes
