"""What a table holds: columns with their axes, units and meaning, root attributes, and the digest over both.

Schema 1 is a table of this package's own runs, with every column. Schema 2 is also for tables that others made: what is
ground truth is named, and what is not known is absent (docs/tables.md). A table is columnar: one array a column, over
the axes architecture (children in order of index), seed and epoch. A number that is missing is NaN, and `status` says
why. Not here: files (tables/file.py), questions (tables/table.py), whether columns fit (tables/form.py), new tables and
what is wrong with one (tables/checks.py).

    content = read_table("my.h5")
    content.columns["test_accuracy"], content.digest         # (children, seeds, epochs), SHA-256
    content.recipe, content.macro                            # read when asked for; UsageError where others made it

Every first question of a process waits for the imports here: only what a query needs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

import numpy as np

from nasbench_ws.errors import TableError, UsageError, near_misses
from nasbench_ws.space.cell import Space
from nasbench_ws.space.names import indices_of
from nasbench_ws.space.registry import space_from_dict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nasbench_ws.recipe import Recipe
    from nasbench_ws.space.macro import Macro

T = TypeVar("T")
FORMAT = "nasbench-ws table"
SCHEMA_VERSIONS = (1, 2)
REMEDY = "make it again with `nasbench-ws merge` from its runs, or fetch it again"
STATUSES = ("ok", "diverged", "failed", "missing", "published", "unplanned")  # a status is stored as its place here
OK, DIVERGED, FAILED, MISSING, PUBLISHED, UNPLANNED = range(6)
GOOD = (OK, PUBLISHED)  # with a last test accuracy; "published" is all that others have told, a mean of their seeds
NO_RUN = (MISSING, UNPLANNED)  # "unplanned": a seed that other children have, and nobody wanted of this one
DIGEST_RULE = (
    "SHA-256 of: the canonical JSON (sorted keys, no blanks, ASCII) of the root attributes but digest and "
    "digest_rule; then, for each dataset in the order of their names, '<name> <shape> <dtype>\\n' in ASCII, such "
    "as 'params 64 <i8', axes joined by x, and its bytes in C order, little-endian"
)
METRICS = ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy", "test_accuracy")
CURVES = (*METRICS, "seconds")  # the columns by epoch
NAMES = ("hash", "spec", "name")  # of a child; they follow from the space, whatever a table stores
BY_CHILD = (*NAMES, "params", "macs", "isomorph")
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
# Schema 2 has these besides. An accuracy may be a count of right images, -1 where there is none: exact, and a quarter
# of the bytes.
ISOMORPH = Column("isomorph", _CHILD, "<i8", "index", "the smallest child that computes the same, or the child itself")
COLUMNS_2 = {**COLUMNS, ISOMORPH.name: ISOMORPH}
OTHER_TYPES = {**{name: "<i4" for name in METRICS if name.endswith("_accuracy")}, "seconds": "<f4"}
NEEDED_2 = ("seeds", "epochs", "name", "status")  # and what is ground truth
Columns: TypeAlias = "Mapping[str, NDArray[Any]]"


class Content:
    """A whole table in memory: what its file holds, word for word, and what the words mean.

    `attributes` are the root's but for the digest and its rule (see root_attributes). They stay as they were read, so
    that a table keeps its digest when a later Recipe has more keys. `source` is for messages.
    """

    def __init__(self, attributes: Mapping[str, str | int], columns: Columns, source: str = "the table") -> None:
        self.attributes, self.columns, self.source = attributes, columns, source

    @property
    def version(self) -> int:
        return int(self.attributes["schema_version"])

    @property
    def foreign(self) -> bool:
        """Did others make it? Then how its children were trained is known in words at most, by `source`."""
        return self.version > 1 and not self.attributes["recipe"]

    @property
    def truth(self) -> str:
        """The column that is ground truth."""
        return "test_accuracy" if self.version == 1 else str(self.attributes["truth"])

    @cached_property
    def counted(self) -> dict[str, int]:
        """By column: of how many images an accuracy is a count."""
        return self._part("counted", lambda data: {str(k): int(v) for k, v in data.items()}) if self.version > 1 else {}

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """(n,) the index of each row's child, rising; all of the space's in schema 1."""
        if self.version == 1:
            return np.arange(len(self.space))
        return indices_of(self.space, self.columns["name"])

    def curve(self, name: str) -> NDArray[np.float64]:
        """(n, seeds, epochs) of a column by epoch; NaN throughout where there is no such column."""
        stored = self.columns.get(name)
        if stored is None:
            values = np.full((len(self.rows), *self.shape[1:]), np.nan)
        elif stored.dtype.kind == "i":
            values = np.where(stored < 0, np.nan, stored / self.counted[name])
        elif stored.dtype == np.float64:
            return stored
        else:
            values = stored.astype(np.float64)
        values.flags.writeable = False
        return values

    @cached_property
    def recipe(self) -> Recipe:
        """TableError where the attribute is not one; so for the other parts. UsageError where others made the table."""
        from nasbench_ws.recipe import Recipe  # queries do without

        self._refuse_foreign()
        return self._part("recipe", Recipe.from_dict)

    @cached_property
    def space(self) -> Space:
        """The registered space where that is the same, for what it already remembers."""
        return self._part("space", space_from_dict)

    @cached_property
    def macro(self) -> Macro:
        from nasbench_ws.space.macro import macro_from_dict

        self._refuse_foreign()
        return self._part("macro", macro_from_dict)

    @cached_property
    def environments(self) -> tuple[dict[str, Any], ...]:
        """Library versions and device of the machines that runs were made on."""
        return self._part("environments", lambda data: tuple(map(_environment, data)))

    def _refuse_foreign(self) -> None:
        if self.foreign:
            raise UsageError(
                f"others made {self.source}, and it has no recipe to train by ({self.attributes['source']}); measure "
                "scores with `assess` and searchers with `search`, or train against a table that has a recipe, such as "
                "fashion14"
            )

    def _part(self, name: str, read: Callable[[Any], T]) -> T:
        text = str(self.attributes[name])
        try:
            return read(json.loads(text))
        except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:  # UsageError is a ValueError
            raise TableError(f"{self.source} has {name} {text[:80]}, which is invalid: {error}; {REMEDY}") from error

    @property
    def shape(self) -> tuple[int, int, int]:
        """Children, seeds, epochs."""
        return len(self.columns["name"]), len(self.columns["seeds"]), len(self.columns["epochs"])

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


def _environment(data: Any) -> dict[str, Any]:
    """ValueError where it is not of versions, each a text by its library's name, and a device."""
    versions = data.get("versions") if isinstance(data, dict) else None
    texts = isinstance(versions, dict) and all(isinstance(version, str) for version in versions.values())
    if not texts or not isinstance(data.get("device"), str):
        raise ValueError("each is an object of versions, which are texts by library, and a device, a text")
    return dict(data)


ATTRIBUTES = (  # of schema 1
    "format", "schema_version", "recipe", "space", "macro", "images", "images_digest", "environments", "licence",
    "citation",
)  # fmt: skip


ATTRIBUTES_2 = (
    "format", "schema_version", "space", "truth", "source", "recipe", "macro", "counted", "images", "images_digest",
    "environments", "licence", "citation",
)  # fmt: skip


def attributes_of(version: int) -> tuple[str, ...]:
    """Names of the root's attributes but for the digest and its rule, in the order in which they are written."""
    return ATTRIBUTES if version == 1 else ATTRIBUTES_2


def columns_of(version: int) -> Mapping[str, Column]:
    """The columns that a table of that schema has, or in schema 2 may have."""
    return COLUMNS if version == 1 else COLUMNS_2


def canonical_json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def refuse_column(name: str, known: Sequence[str]) -> None:
    """UsageError: that column is none of those known."""
    if name in ("accuracy", "loss"):
        splits = " or ".join(column for column in CURVES if column.endswith(name))
        raise UsageError(f"there is no column {name!r}: the split is part of the name; ask for {splits}")
    raise UsageError(f"there is no column {name!r} here{near_misses(name, known)}; there are {', '.join(known)}")
