"""A table as a pandas frame, as an xarray data set, or as the few lines of HTML that a notebook shows.

load("fashion14").to_frame("seed")             # extra [pandas]
load("fashion14").to_xarray()                  # extra [xarray]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nasbench_ws.errors import UsageError, extra
from nasbench_ws.tables.columns import BY_CHILD, COLUMNS_2, CURVES, NAMES, STATUSES

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from nasbench_ws.tables.table import Table


def to_frame(table: Table, level: str = "architecture") -> pd.DataFrame:
    """A pandas frame with a row for each architecture (means over seeds at the last epoch), seed, or epoch.

    Runs that the table was never to have, where children have different numbers of seeds, have no rows.
    """
    with extra("pandas", "to_frame needs pandas"):
        import pandas as pd
    if level not in ("architecture", "seed", "epoch"):
        raise UsageError(f"there is no level {level!r}; a row is of an architecture, a seed or an epoch")
    if level == "architecture":
        known = (*NAMES, *(name for name in (*BY_CHILD[3:], *CURVES) if table.has(name)))
        return pd.DataFrame({name: table.column(name) for name in known}).set_index("hash")
    children, seeds, epochs = len(table), *table.content.shape[1:]
    runs = epochs if level == "epoch" else 1
    data = {"hash": np.repeat(table.column("hash"), seeds * runs)}
    data["seed"] = np.tile(np.repeat(table.seeds, runs), children)
    data["epoch"] = np.tile(table.epochs if level == "epoch" else table.epochs[-1:], children * seeds)
    data["status"] = np.repeat(np.array(STATUSES)[table.status.ravel()], runs)
    get = table.curves if level == "epoch" else table.by_seed
    data |= {name: get(name).ravel() for name in CURVES if table.has(name)}
    wanted = np.repeat(table.planned.ravel(), runs)
    return pd.DataFrame(data)[wanted].reset_index(drop=True)


def to_xarray(table: Table) -> xr.Dataset:
    """An xarray data set: every column over architecture (hash), seed and epoch, with its units."""
    with extra("xarray", "to_xarray needs xarray"):
        import xarray as xr
    variables = {}
    for name, column in COLUMNS_2.items():
        if name in ("seeds", "epochs", "hash") or not table.has(name):
            continue
        if name in (*BY_CHILD, *CURVES):
            values = table.column(name) if name in BY_CHILD else table.curves(name)
        elif name == "status":
            values = np.array(STATUSES)[table.status]
        else:
            values = table.whole(table.content.columns[name], -1)
        variables[name] = (column.axes, values, {"units": column.units, "long_name": column.meaning})
    coordinates = {"architecture": table.column("hash"), "seed": table.seeds, "epoch": table.epochs}
    return xr.Dataset(variables, coordinates, {"table": table.name, "digest": table.digest})


def to_html(table: Table) -> str:
    """What it is, and its five best children."""
    from nasbench_ws.markup import number, paragraph
    from nasbench_ws.markup import table as rows_of

    rows = [
        (entry.name, number(entry.truth.mean, 4), number(entry.truth.std, 4), f"{entry.params or 0:,}")
        for entry in map(table.query, np.argsort(-table.column("truth"), kind="stable")[:5])
    ]
    name = table.truth_name.replace("_", " ")
    return paragraph(repr(table)) + rows_of(["best children", name, "std of seeds", "parameters"], rows)
