"""One network under several names: whose runs a child's row holds, in tables of schema 2.

A table of own runs of a space in which children are the same network (space/isomorphism.py) has the column `isomorph`,
and the first child's runs stand in the rows of the others too, where these have none of their own. How many children
are one network is how often its first stands in that column.

    attributes, columns = with_isomorphs(attributes, columns, space, macro)
    copied(content)                       # (children,) which rows hold another's runs

Not here: how tables are merged (tables/merge.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench_ws.space.cell import Space
from nasbench_ws.space.isomorphism import representatives
from nasbench_ws.space.macro import Macro
from nasbench_ws.tables.columns import ATTRIBUTES_2, CURVES, ISOMORPH, MISSING, Content

_BY_RUN = ("status", "environment", *CURVES)


def with_isomorphs(
    attributes: Mapping[str, str | int], columns: Mapping[str, NDArray[Any]], space: Space, macro: Macro
) -> tuple[dict[str, str | int], dict[str, NDArray[Any]]]:
    """The same content as schema 2, with isomorphs and their runs; unchanged where every child is its own."""
    first = np.array(representatives(space, macro.output), dtype=ISOMORPH.dtype)
    rows = np.arange(len(space))
    if (first == rows).all():
        return dict(attributes), dict(columns)
    empty = (first != rows) & (columns["status"] == MISSING).all(axis=1)
    filled = {name: np.where(_along(empty, columns[name]), columns[name][first], columns[name]) for name in _BY_RUN}
    new: dict[str, str | int] = {**attributes, "schema_version": 2, "truth": "test_accuracy", "counted": "{}"}
    new["source"] = "own runs; a child that is the same network as an earlier one has that one's"
    return {name: new[name] for name in ATTRIBUTES_2}, {**columns, **filled, ISOMORPH.name: first}


def copied(content: Content) -> NDArray[np.bool_]:
    """(rows,) whether a row holds the runs of the first child that is the same network, number for number."""
    isomorph = content.columns.get(ISOMORPH.name)
    if isomorph is None or content.foreign:
        return np.zeros(len(content.rows), dtype=bool)
    place = np.searchsorted(content.rows, isomorph)
    same: NDArray[np.bool_] = place != np.arange(len(place))
    for name in _BY_RUN:
        values = content.columns[name]
        other = values[place]
        equal = (values == other) | ((values != values) & (other != other))  # NaN is NaN's like
        same &= np.asarray(equal).reshape(len(values), -1).all(axis=1)
    return same


def _along(rows: NDArray[np.bool_], values: NDArray[Any]) -> NDArray[np.bool_]:
    """(rows,) shaped to be broadcast along the other axes of values."""
    return rows.reshape(-1, *[1] * (values.ndim - 1))
