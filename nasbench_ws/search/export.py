"""A table for optimisers that know nothing of this package: files that hold all they need.

    export_csv(table)                       # text: a line for each child, seed and epoch
    export_arrays(table, stream)            # .npz: what Syne Tune's BlackboxTabular is made of
    space_json(table.space)                 # space/exchange.py: a ConfigSpace

Costs are modelled seconds: stored ones say what else the machine did. No torch.
"""

from __future__ import annotations

import csv
import io
import json
from typing import IO

import numpy as np

from nasbench_ws.errors import TableError
from nasbench_ws.search.oracle import modelled_seconds
from nasbench_ws.space.exchange import parameter_names
from nasbench_ws.tables.columns import METRICS
from nasbench_ws.tables.table import Table

NUMBERS = ("params", "macs", "modelled_seconds")


def export_csv(table: Table) -> str:
    """Columns: name, an operation an edge (`O01`), params, macs, modelled_seconds of a full training, seed, epoch, and
    every metric; empty where a run has none.
    """
    text = io.StringIO()
    write = csv.writer(text, lineterminator="\n").writerow
    write(["name", *parameter_names(table.space, "plain"), *NUMBERS, "seed", "epoch", *METRICS])
    columns = np.stack([table.curves(name) for name in METRICS], axis=-1)  # (n, seeds, epochs, metrics)
    numbers = [table.column("params").tolist(), table.column("macs").tolist(), modelled_seconds(table).tolist()]
    for child, *of_child in zip(table.space, *numbers, strict=True):
        for seed, runs in zip(table.seeds.tolist(), columns[child.index].tolist(), strict=True):
            for epoch, values in zip(table.epochs.tolist(), runs, strict=True):
                known = ["" if value != value else repr(value) for value in values]
                write([child.name, *child.choices_dict("plain").values(), *of_child, seed, epoch, *known])
    return text.getvalue()


def export_arrays(table: Table, stream: IO[bytes]) -> None:
    """Arrays: `configurations` (n, edges) of operations by `parameters`, `fidelities` (epochs,), and `objectives` (n,
    seeds, epochs, 3) by `names`: valid_error to minimise, seconds so far, test_error to judge by.

    TableError where a run is missing: Syne Tune would fill it with the epoch before.
    """
    absent = table.absent()
    if absent:
        child, seed, status = absent[0]
        raise TableError(
            f"{table.name} lacks {len(absent)} runs, the first {child} seed {seed} ({status}), and a blackbox has no "
            "holes; export csv, or build what is missing"
        )
    parts = table.epochs / table.epochs[-1]
    seconds = modelled_seconds(table)[:, None, None] * parts * np.ones((1, len(table.seeds), 1))
    errors = [1 - table.curves(name) for name in ("valid_accuracy", "test_accuracy")]
    np.savez_compressed(
        stream,
        parameters=np.array(parameter_names(table.space, "plain")),
        configurations=np.array([list(child.choices_dict().values()) for child in table.space]),
        operations=np.array(table.space.operations),
        fidelities=table.epochs,
        names=np.array(["valid_error", "seconds", "test_error"]),
        objectives=np.stack([errors[0], seconds, errors[1]], axis=-1),
        source=np.array(json.dumps({"table": table.name, "digest": table.digest})),
    )
