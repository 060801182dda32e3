"""A table for optimisers that know nothing of this package: files that hold all they need.

    export_csv(table)                       # text: a line for each child, seed and epoch
    export_arrays(table, stream)            # .npz: what Syne Tune's BlackboxTabular is made of
    space_json(table.space)                 # space/exchange.py: a ConfigSpace

Costs of own tables are modelled seconds: stored ones say what else the machine did. A table that others made has what
it has: columns that it does not know are left out.
"""

from __future__ import annotations

import csv
import io
import json
from typing import IO

import numpy as np
from numpy.typing import NDArray

from nasbench_ws.errors import TableError
from nasbench_ws.search.costs import full_seconds
from nasbench_ws.space.cell import Architecture
from nasbench_ws.space.exchange import parameter_names
from nasbench_ws.tables.columns import METRICS, NO_RUN
from nasbench_ws.tables.over_seeds import common
from nasbench_ws.tables.table import Table


def export_csv(table: Table) -> str:
    """Columns: name, an operation an edge (`O01`), params, macs, modelled_seconds of a full training, seed, epoch, and
    every metric; empty where a run has none. Of a table that others made: what it knows, seconds as it gives them, and
    the runs that there are.
    """
    text = io.StringIO()
    write = csv.writer(text, lineterminator="\n").writerow
    metrics = [name for name in METRICS if table.has(name)]
    numbers = {name: table.column(name).tolist() for name in ("params", "macs") if table.has(name)}
    seconds = full_seconds(table)
    if np.isfinite(seconds).any():
        numbers["seconds" if table.foreign else "modelled_seconds"] = seconds.tolist()
    write(["name", *parameter_names(table.space, "plain"), *numbers, "seed", "epoch", *metrics])
    columns = np.stack([table.curves(name) for name in metrics], axis=-1)  # (n, seeds, epochs, metrics)
    there = ~np.isin(table.status, NO_RUN) if table.foreign else table.planned
    for child, *of_child in zip(table.space, *numbers.values(), strict=True):
        for place, (seed, runs) in enumerate(zip(table.seeds.tolist(), columns[child.index].tolist(), strict=True)):
            if not there[child.index, place]:
                continue
            for epoch, values in zip(table.epochs.tolist(), runs, strict=True):
                known = ["" if value != value else repr(value) for value in values]
                write([child.name, *child.choices_dict("plain").values(), *of_child, seed, epoch, *known])
    return text.getvalue()


def export_arrays(table: Table, stream: IO[bytes]) -> None:
    """Arrays: `configurations` (n, edges) of operations by `parameters`, `fidelities` (epochs,), and `objectives` (n,
    seeds, epochs, 3) by `names`: valid_error to minimise, seconds so far, test_error to judge by.

    Of seeds, those that every child has. TableError where a run is missing: Syne Tune would fill it with the epoch
    before. Of a table that others made, the children are taken, and the seeds that all of them have; what judges is its
    ground truth, and where it has no seconds, epochs are spent.
    """
    if table.foreign:
        _export_foreign(table, stream)
        return
    absent = table.absent()
    if absent:
        child, seed, status = absent[0]
        raise TableError(
            f"{table.name} lacks {len(absent)} runs, the first {child} seed {seed} ({status}), and a blackbox has no "
            "holes; export csv, or build what is missing"
        )
    parts, seeds = table.epochs / table.epochs[-1], common(table)
    _check_common(table, seeds)
    seconds = full_seconds(table)[:, None, None] * parts * np.ones((1, len(seeds), 1))
    errors = [1 - table.curves(name)[:, seeds] for name in ("valid_accuracy", "test_accuracy")]
    objectives = np.stack([errors[0], seconds, errors[1]], axis=-1)
    _save(table, stream, list(table.space), ["valid_error", "seconds", "test_error"], objectives)


def _check_common(table: Table, seeds: NDArray[np.intp]) -> None:
    if not len(seeds):
        raise TableError(f"{table.name} has no seed that all its children have; a blackbox has no holes: export csv")


def _export_foreign(table: Table, stream: IO[bytes]) -> None:
    truth = table.curves("truth")
    whole = np.flatnonzero(np.isfinite(truth[:, :, -1]).any(axis=1))
    seeds = np.flatnonzero(np.isfinite(truth[whole, :, -1]).all(axis=0))  # those that every child has
    _check_common(table, seeds)
    judged = truth[np.ix_(whole, seeds)]
    error = 1 - judged if table.truth_name.endswith("accuracy") else judged
    spent = full_seconds(table)[whole]
    spent = np.where(np.isfinite(spent), spent, table.epochs[-1])[:, None, None] * (table.epochs / table.epochs[-1])
    names = [table.truth_name.replace("accuracy", "error"), "seconds" if table.has("seconds") else "epochs"]
    objectives = np.stack([error, np.broadcast_to(spent, error.shape)], axis=-1)
    _save(table, stream, [table.space[i] for i in whole.tolist()], names, objectives)


def _save(
    table: Table, stream: IO[bytes], children: list[Architecture], names: list[str], objectives: NDArray[np.float64]
) -> None:
    np.savez_compressed(
        stream,
        parameters=np.array(parameter_names(table.space, "plain")),
        configurations=np.array([list(child.choices_dict().values()) for child in children]),
        operations=np.array(table.space.operations),
        fidelities=table.epochs,
        names=np.array(names),
        objectives=objectives,
        source=np.array(json.dumps({"table": table.name, "digest": table.digest})),
    )
