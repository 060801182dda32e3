"""Over the seeds of a table: means, deviations, and which runs' seconds can be compared.

Children may have different numbers of seeds. What nobody wanted is in no mean; what was wanted and is not there makes
it NaN, but where others made the table or the caller leaves it out.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from nasbench_ws.tables.columns import GOOD, STATUSES, UNPLANNED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nasbench_ws.space.cell import Architecture
    from nasbench_ws.tables.table import Table


def means(table: Table, runs: NDArray[np.float64], skip_missing: bool) -> NDArray[np.float64]:
    """(children, seeds, ...) over seeds; NaN where a child has none."""
    if not skip_missing and table.planned.all():
        return np.asarray(runs.mean(axis=1))
    return mean_over(runs, _counted(table, runs, skip_missing))


def deviations(table: Table, runs: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """(children,) standard deviations (n - 1) of (children, seeds); NaN of one seed."""
    if not table.foreign and table.planned.all():
        return runs.std(axis=1, ddof=1) if runs.shape[1] > 1 else np.full(len(runs), np.nan)
    return deviation_over(runs, _counted(table, runs, table.foreign), mean)


def mean_over(runs: NDArray[np.float64], there: NDArray[np.bool_], axis: int = 1) -> NDArray[np.float64]:
    """Along an axis, of seeds if not otherwise said, over what is there; NaN where nothing is."""
    count = there.sum(axis=axis)
    return np.where(count > 0, np.where(there, runs, 0.0).sum(axis=axis) / np.maximum(count, 1), np.nan)


def deviation_over(
    runs: NDArray[np.float64], there: NDArray[np.bool_], mean: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(children,) of (children, seeds), dividing by n - 1, over the seeds that are there; NaN of fewer than two."""
    count = there.sum(axis=1)
    squares = np.where(there, (runs - mean[:, None]) ** 2, 0.0).sum(axis=1)
    return np.where(count > 1, np.sqrt(squares / np.maximum(count - 1, 1)), np.nan)


def _counted(table: Table, runs: NDArray[np.float64], skip_missing: bool) -> NDArray[np.bool_]:
    """Which of (children, seeds, ...) are in a mean."""
    if skip_missing:
        return ~np.isnan(runs)
    planned = table.planned.reshape(*table.planned.shape, *[1] * (runs.ndim - 2))
    return np.broadcast_to(planned, runs.shape)


def common(table: Table) -> NDArray[np.intp]:
    """Places of the seeds that are wanted of every child: with each of them, all are ranked."""
    return np.flatnonzero(table.planned.all(axis=0))


def seeds_each(table: Table) -> str:
    """How many seeds a child has, as `10` or `10 to 27`."""
    return spelled(table.planned.sum(axis=1))


def spelled(counts: NDArray[np.int64]) -> str:
    """A number, or the least and the most of them.

    >>> spelled(np.array([27, 10, 27]))
    '10 to 27'
    """
    return " to ".join(map(str, sorted({int(counts.min()), int(counts.max())})))


def absent(table: Table) -> list[tuple[Architecture, int, str]]:
    """As `Table.absent`."""
    status = table.content.columns["status"]
    lacking = ~np.isin(status, (*GOOD, UNPLANNED))
    if table.foreign:
        lacking &= ~np.isin(status, GOOD).any(axis=1, keepdims=True)
    rows = table.content.rows
    return [
        (table.space[rows[i]], int(table.seeds[j]), STATUSES[status[i, j]])
        for i, j in np.argwhere(lacking).tolist()
    ]


def alike(table: Table) -> NDArray[np.bool_]:
    """(children, seeds) the runs whose seconds can be compared: of the machine that made most of them.

    All of a table that others made.
    """
    made = table.content.columns.get("environment")
    if made is None or table.foreign:
        return np.ones(table.status.shape, dtype=bool)
    names = machines(table)
    most = Counter(names[i] for i in made.ravel().tolist() if i >= 0).most_common(1)
    mine = [i for i, name in enumerate(names) if most and name == most[0][0]]
    return table.whole(np.isin(made, mine), False)


def machines(table: Table) -> list[str]:
    """The machine of each of the table's environments."""
    return [machine(str(one.get("device", ""))) for one in table.content.environments]


def machine(device: str) -> str:
    """A device as runs are compared by: however many runs were in lockstep on it.

    >>> machine("NVIDIA H200, torch, 216 runs in lockstep")
    'NVIDIA H200, torch, runs in lockstep'
    """
    return re.sub(r"\d+ (?=runs in lockstep$)", "", device)
