"""What a table holds: columns with their axes, units and meaning, root attributes, and the digest over both.

A table is columnar: one array a column, over the axes architecture (children in order of index), seed and
epoch. A number that is missing is NaN, and `status` says why. Not here: files (tables/file.py), questions
(tables/table.py), new tables and what is wrong with one (tables/checks.py).

    content = read_table("my.h5")
    content.columns["test_accuracy"], content.digest         # (children, seeds, epochs), SHA-256
    content.recipe, content.macro                            # read when asked for

Every first question of a process waits for the imports here: only what a query needs.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

import numpy as np

from nasbench_ws.errors import TableError
from nasbench_ws.space.cell import Space
from nasbench_ws.space.registry import space_from_dict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nasbench_ws.recipe import Recipe
    from nasbench_ws.space.macro import Macro

T = TypeVar("T")
FORMAT = "nasbench-ws table"
SCHEMA_VERSION = 1
REMEDY = "make it again with `nasbench-ws merge` from its runs, or fetch it again"
STATUSES = ("ok", "diverged", "failed", "missing", "published")  # a status is stored as its place here
OK, DIVERGED, FAILED, MISSING, PUBLISHED = range(5)
GOOD = (OK, PUBLISHED)  # with a last test accuracy; "published" is all that others have told, a mean of their seeds
DIGEST_RULE = (
    "SHA-256 of: the canonical JSON (sorted keys, no blanks, ASCII) of the root attributes but digest and "
    "digest_rule; then, for each dataset in the order of their names, '<name> <shape> <dtype>\\n' in ASCII, such "
    "as 'params 64 <i8', axes joined by x, and its bytes in C order, little-endian"
)
METRICS = ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy", "test_accuracy")
CURVES = (*METRICS, "seconds")  # the columns by epoch
_CHILD, _RUN, _POINT = ("architecture",), ("architecture", "seed"), ("architecture", "seed", "epoch")


class Column(NamedTuple):
    name: str
    axes: tuple[str, ...]
    dtype: str  # as numpy writes it; S: ASCII text of any fixed length
    units: str
    meaning: str


COLUMNS = {
    column.name: column
    for column in (
        Column("seeds", ("seed",), "<i8", "index", "seed indices along the seed axis, rising"),
        Column("epochs", ("epoch",), "<f8", "passes over the training images", "points along the epoch axis, rising"),
        Column("hash", _CHILD, "S", "text", "first 16 hex digits of SHA-256 of spec: the child's key"),
        Column("spec", _CHILD, "S", "text", "canonical string: nodes joined by +, each |operation~source|..."),
        Column("name", _CHILD, "S", "text", "operation on each edge, counted from 1, in edge order"),
        Column("params", _CHILD, "<i8", "parameters", "trainable parameters"),
        Column("macs", _CHILD, "<i8", "multiply-adds", "of one image's forward pass: convolutions and classifier"),
        Column("status", _RUN, "<i1", "code", "how the run ended: a place in the attribute codes"),
        Column("environment", _RUN, "<i2", "index", "entry of the root's environments it ran in; -1: did not run"),
        Column("train_loss", _POINT, "<f8", "nats", "mean cross-entropy of the training batches since the last point"),
        Column("train_accuracy", _POINT, "<f8", "fraction", "of images in those training batches"),
        Column("valid_loss", _POINT, "<f8", "nats", "mean cross-entropy on the validation images"),
        Column("valid_accuracy", _POINT, "<f8", "fraction", "of the validation images; to score and choose by"),
        Column("test_accuracy", _POINT, "<f8", "fraction", "of the test images; ground truth, never to choose by"),
        Column("seconds", _POINT, "<f8", "seconds", "wall-clock time since the run began, scoring included"),
    )
}
Columns: TypeAlias = "Mapping[str, NDArray[Any]]"


class Content:
    """A whole table in memory: what its file holds, word for word, and what the words mean.

    `attributes` are the root's but for the digest and its rule (see root_attributes). They stay as they were read, so
    that a table keeps its digest when a later Recipe has more keys. `source` is for messages.
    """

    def __init__(self, attributes: Mapping[str, str | int], columns: Columns, source: str = "the table") -> None:
        self.attributes, self.columns, self.source = attributes, columns, source

    @cached_property
    def recipe(self) -> Recipe:
        """TableError where the attribute is not one; so for the other parts."""
        from nasbench_ws.recipe import Recipe  # queries do without

        return self._part("recipe", Recipe.from_dict)

    @cached_property
    def space(self) -> Space:
        """The registered space where that is the same, for what it already remembers."""
        return self._part("space", space_from_dict)

    @cached_property
    def macro(self) -> Macro:
        from nasbench_ws.space.macro import macro_from_dict

        return self._part("macro", macro_from_dict)

    @cached_property
    def environments(self) -> tuple[dict[str, Any], ...]:
        """Library versions and device of the machines that runs were made on."""
        return self._part("environments", lambda data: tuple(dict(environment) for environment in data))

    def _part(self, name: str, read: Callable[[Any], T]) -> T:
        text = str(self.attributes[name])
        try:
            return read(json.loads(text))
        except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:  # UsageError is a ValueError
            raise TableError(f"{self.source} has {name} {text[:80]}, which cannot be: {error}; {REMEDY}") from error

    @property
    def shape(self) -> tuple[int, int, int]:
        """Children, seeds, epochs."""
        return len(self.space), len(self.columns["seeds"]), len(self.columns["epochs"])

    @cached_property
    def digest(self) -> str:
        """As DIGEST_RULE says."""
        digest = sha256(canonical_json(dict(self.attributes)).encode())
        for name in sorted(self.columns):
            column = np.ascontiguousarray(self.columns[name])
            shape = "x".join(map(str, column.shape))
            digest.update(f"{name} {shape} {column.dtype.str}\n".encode())
            digest.update(column.data if column.dtype.kind != "S" else column.tobytes())
        return str(digest.hexdigest())


ATTRIBUTES = (
    "format", "schema_version", "recipe", "space", "macro", "images", "images_digest", "environments", "licence",
    "citation",
)  # fmt: skip


def canonical_json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


class Form(NamedTuple):
    """What can be known of a column before it is read."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def form_problems(space: Space, columns: Mapping[str, Form | NDArray[Any]]) -> Iterator[str]:
    """Columns that are absent, unknown, or of another type or shape."""
    for name in sorted({*COLUMNS, *columns}):
        if name not in columns:
            yield f"it has no {name}"
        elif name not in COLUMNS:
            yield f"it has an unknown {name}; a table of schema {SCHEMA_VERSION} has {', '.join(COLUMNS)}"
    if not {"seeds", "epochs"} <= columns.keys():
        return
    lengths = {"architecture": len(space)}
    lengths |= {axis[:-1]: columns[axis].shape[0] if columns[axis].shape else 0 for axis in ("seeds", "epochs")}
    for name, column in COLUMNS.items():
        if name in columns:
            shape, dtype = columns[name].shape, columns[name].dtype
            expected = tuple(lengths[axis] for axis in column.axes)
            if shape != expected or 0 in shape:
                yield f"its {name} has shape {shape}; it must be {expected} ({' x '.join(column.axes)}), none of them 0"
            if dtype.kind != "S" if column.dtype == "S" else dtype.str != np.dtype(column.dtype).str:
                yield f"its {name} is of type {dtype.str}; it must be {column.dtype}"


def identity_problems(space: Space, columns: Columns) -> Iterator[str]:
    """Rows that are not the child they should be. Its hash says which child a row is."""
    found = columns["hash"].tolist()
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
