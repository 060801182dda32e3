"""Whether the columns of a table are of its schema, and its rows the children that they should be.

    [*form_problems(content, forms), *identity_problems(content)]        # [] where all fits

The first is asked before any column is read, of their shapes and types alone. Not here: values (tables/checks.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench_ws.errors import ArchitectureError
from nasbench_ws.tables.columns import METRICS, NEEDED_2, OTHER_TYPES, Column, Content, columns_of


class Form(NamedTuple):
    """What can be known of a column before it is read."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def form_problems(content: Content, columns: Mapping[str, Form | NDArray[Any]]) -> Iterator[str]:
    """Columns that are absent, unknown, or of another type or shape."""
    version, known = content.version, columns_of(content.version)
    if version > 1 and content.truth not in METRICS:
        yield f"its truth is {content.truth!r}; it must be one of {', '.join(METRICS)}"
    needed = known if version == 1 else {*NEEDED_2, content.truth} & known.keys()
    for name in sorted({*needed, *columns}):
        if name not in columns:
            yield f"it has no {name}"
        elif name not in known:
            yield f"it has an unknown {name}; a table of schema {version} has {', '.join(known)}"
    if not {"seeds", "epochs", "name"} <= columns.keys():
        return
    lengths = {axis: _length(columns[name]) for axis, name in (("seed", "seeds"), ("epoch", "epochs"))}
    lengths["architecture"] = len(content.space) if version == 1 else _length(columns["name"])
    if lengths["architecture"] > len(content.space):
        yield f"it has {lengths['architecture']} rows, and {content.space.name} has {len(content.space)} children"
    for name, column in known.items():
        if name in columns:
            yield from _misfits(content, column, columns[name], lengths)


def _length(column: Form | NDArray[Any]) -> int:
    return column.shape[0] if column.shape else 0


def _misfits(content: Content, column: Column, there: Form | NDArray[Any], lengths: Mapping[str, int]) -> Iterator[str]:
    name, shape, dtype = column.name, there.shape, there.dtype
    expected = tuple(lengths[axis] for axis in column.axes)
    if shape != expected or 0 in shape:
        yield f"its {name} has shape {shape}; it must be {expected} ({' x '.join(column.axes)}), none of them 0"
    allowed = [column.dtype]
    if content.version > 1 and name in OTHER_TYPES:
        allowed.append(OTHER_TYPES[name])
    if dtype.kind != "S" if column.dtype == "S" else dtype.str not in {np.dtype(one).str for one in allowed}:
        yield f"its {name} is of type {dtype.str}; it must be {' or '.join(allowed)}"
    elif dtype.kind == "i" and name in OTHER_TYPES and not content.counted.get(name, 0) > 0:
        yield f"its {name} is of counts, and its attribute counted does not say of how many images"


def identity_problems(content: Content) -> Iterator[str]:
    """Rows that are not the child they should be. Which child a row is says its hash in schema 1, its name in 2."""
    yield from _by_hash(content) if content.version == 1 else _by_name(content)


def _by_hash(content: Content) -> Iterator[str]:
    space, found = content.space, content.columns["hash"].tolist()
    if len(set(found)) < len(found):
        counts = Counter(found)
        twice = next(hash for hash in found if counts[hash] > 1)
        rows = [row for row, hash in enumerate(found) if hash == twice]
        listed = f"{rows}" if len(rows) <= 8 else f"{rows[:8]} and {len(rows) - 8} more"
        yield f"its hash {twice.decode(errors='replace')} stands in more than one row: {listed}"
        return
    index = {hash.encode(): i for hash, i in space._hashes}  # far faster than by way of 4096 Architectures
    for row, hash in enumerate(found):
        if index.get(hash) != row:
            yield (
                f"its row {row} has hash {hash.decode(errors='replace')}, and child {row} of {space.name} is "
                f"{space[row].name}, {space[row].hash}"
            )
            return


def _by_name(content: Content) -> Iterator[str]:
    try:
        rows = content.rows
    except ArchitectureError as error:
        yield f"its names are not of children: {error}"
        return
    wrong = np.flatnonzero(np.diff(rows) <= 0)
    if len(wrong):
        before, after = (content.space[rows[wrong[0] + i]].name for i in (0, 1))
        yield f"its row {wrong[0] + 1} is of {after}, behind {before}; each child has one row, in order of index"
