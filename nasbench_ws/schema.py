"""What a table holds: columns with their axes, units and meaning, root attributes, and the digest over both.

A table is columnar: one array a column, over the axes architecture (children in order of index), seed and
epoch. A number that is missing is NaN, and `status` says why. Not here: files (table_file.py), questions
(table.py).

    columns = blank_columns(space, macro, seeds, epochs)     # nothing trained yet: NaN, status missing
    content = Content(root_attributes(recipe, space, macro, ...), columns)
    content.digest, problems(content)                        # SHA-256, and [] where all is sound

No torch here.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench_ws.network import Macro, child_network, mac_count, parameter_count
from nasbench_ws.recipe import Recipe
from nasbench_ws.runs import METRICS, macro_from_dict, macro_to_dict
from nasbench_ws.space import SPACES, Space

FORMAT = "nasbench-ws table"
SCHEMA_VERSION = 1
STATUSES = ("ok", "diverged", "failed", "missing")  # a status is stored as its place here
OK, DIVERGED, FAILED, MISSING = range(4)
DIGEST_RULE = (
    "SHA-256 of: the canonical JSON (sorted keys, no blanks, ASCII) of the root attributes but digest and "
    "digest_rule; then, for each dataset in the order of their names, '<name> <shape> <dtype>\\n' in ASCII, such "
    "as 'params 64 <i8', axes joined by x, and its bytes in C order, little-endian"
)
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
Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Content:
    """A whole table in memory: what its file holds, word for word, and what the words mean.

    Attributes stay as they were read, so that a table keeps its digest when a later Recipe has more keys.
    """

    attributes: Mapping[str, str | int]  # of the root, but for the digest and its rule; see root_attributes
    columns: Columns

    @cached_property
    def recipe(self) -> Recipe:
        return Recipe.from_dict(json.loads(str(self.attributes["recipe"])))

    @cached_property
    def space(self) -> Space:
        """The registered space where that is the same, for what it already remembers."""
        data = json.loads(str(self.attributes["space"]))
        space = Space(data["name"], data["nodes"], tuple(data["operations"]))
        known = SPACES.get(space.name)
        return known if known == space else space

    @cached_property
    def macro(self) -> Macro:
        return macro_from_dict(json.loads(str(self.attributes["macro"])))

    @cached_property
    def environments(self) -> tuple[dict[str, Any], ...]:
        """Library versions and device of the machines that runs were made on."""
        return tuple(dict(environment) for environment in json.loads(str(self.attributes["environments"])))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Children, seeds, epochs."""
        return len(self.space), len(self.columns["seeds"]), len(self.columns["epochs"])

    @cached_property
    def digest(self) -> str:
        """As DIGEST_RULE says."""
        digest = hashlib.sha256(_json(dict(self.attributes)).encode())
        for name in sorted(self.columns):
            column = np.ascontiguousarray(self.columns[name])
            shape = "x".join(map(str, column.shape))
            digest.update(f"{name} {shape} {column.dtype.str}\n".encode())
            digest.update(column.data if column.dtype.kind != "S" else column.tobytes())
        return digest.hexdigest()


ATTRIBUTES = (
    "format", "schema_version", "recipe", "space", "macro", "images", "images_digest", "environments", "licence",
    "citation",
)  # fmt: skip


def root_attributes(
    recipe: Recipe, space: Space, macro: Macro, images_digest: str, environments: Sequence[Mapping[str, Any]],
    licence: str, citation: str,
) -> dict[str, str | int]:  # fmt: skip
    """What the root of a table says of it, in the order of ATTRIBUTES; what has parts is JSON."""
    cell = {"name": space.name, "nodes": space.nodes, "operations": list(space.operations)}
    parts = [_json(part) for part in (recipe.to_dict(), cell, macro_to_dict(macro))]
    rest = (recipe.images, images_digest, _json([dict(environment) for environment in environments]), licence, citation)
    return dict(zip(ATTRIBUTES, (FORMAT, SCHEMA_VERSION, *parts, *rest), strict=True))


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def blank_columns(space: Space, macro: Macro, seeds: Sequence[int], epochs: Sequence[float]) -> dict[str, NDArray[Any]]:
    """Every column of a table in which no run has been made."""
    networks = [child_network(macro, child) for child in space]
    columns: dict[str, NDArray[Any]] = {
        "seeds": np.array(seeds, "<i8"),
        "epochs": np.array(epochs, "<f8"),
        **{name: np.array([getattr(child, name) for child in space]).astype("S") for name in ("hash", "spec", "name")},
        "params": np.array([parameter_count(network) for network in networks], "<i8"),
        "macs": np.array([mac_count(network) for network in networks], "<i8"),
        "status": np.full((len(space), len(seeds)), MISSING, "<i1"),
        "environment": np.full((len(space), len(seeds)), -1, "<i2"),
    }
    shape = (len(space), len(seeds), len(epochs))
    return columns | {name: np.full(shape, np.nan) for name, column in COLUMNS.items() if column.axes == _POINT}


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
    index = {hash.encode(): i for hash, i in space._hashes}  # far faster than by way of 4096 Architectures
    if len(set(found)) < len(found):
        twice = Counter(found).most_common(1)[0][0]
        rows = [row for row, hash in enumerate(found) if hash == twice]
        yield f"its hash {twice.decode(errors='replace')} stands in more than one row: {rows}"
        return
    for row, hash in enumerate(found):
        if index.get(hash) != row:
            yield (
                f"its row {row} has hash {hash.decode(errors='replace')}, and child {row} of {space.name} is "
                f"{space[row].name}, {space[row].hash}"
            )
            return


def problems(content: Content) -> list[str]:
    """Everything in a table that cannot be: one line each, the first offence of its kind. Sound: none."""
    found = list(form_problems(content.space, content.columns))
    if not found:
        found = [
            *identity_problems(content.space, content.columns),
            *_root_problems(content),
            *_child_problems(content),
            *_run_problems(content),
        ]
    return found


def _root_problems(content: Content) -> Iterator[str]:
    recipe, space, macro = content.recipe, content.space, content.macro
    if recipe.space != space.name:
        yield f"its recipe is for the space {recipe.space}, and its space is {space.name}"
    if content.attributes["images"] != recipe.images:
        yield f"its recipe is for the images {recipe.images}, and its images are {content.attributes['images']}"
    if macro != recipe.build_macro(macro.height, macro.width, macro.image_channels, macro.classes):
        yield f"its macro {macro.name} is not the one that its recipe describes"
    for axis in ("seeds", "epochs"):
        values = content.columns[axis]
        if not (np.isfinite(values).all() and (np.diff(values) > 0).all() and values[0] >= 0):
            yield f"its {axis} are {values.tolist()}; they must rise, from 0 or more"
    environment, missing = content.columns["environment"], content.columns["status"] == MISSING
    if ((environment < -1) | (environment >= len(content.environments)) | ((environment == -1) != missing)).any():
        yield f"its environment must be -1 where a run is missing, else below {len(content.environments)}"


def _child_problems(content: Content) -> Iterator[str]:
    expected = blank_columns(content.space, content.macro, [0], [0.0])
    for name in ("spec", "name", "params", "macs"):
        wrong = np.flatnonzero(content.columns[name] != expected[name])
        if len(wrong):
            there, right = content.columns[name][wrong[0]], expected[name][wrong[0]]
            yield f"its {name} of {content.space[wrong[0]].name} is {_text(there)}, and must be {_text(right)}"


def _run_problems(content: Content) -> Iterator[str]:
    columns, children = content.columns, content.space
    status = columns["status"]  # (A, S)

    def where(wrong: NDArray[Any]) -> str:
        place = tuple(np.argwhere(wrong)[0])
        epoch = f" at epoch {columns['epochs'][place[2]]:g}" if len(place) > 2 else ""
        return f"{children[place[0]].name} with seed {columns['seeds'][place[1]]}{epoch}"

    wrong = (status < 0) | (status >= len(STATUSES))
    if wrong.any():
        yield f"its status of {where(wrong)} is {status[wrong][0]}; it must be 0 to {len(STATUSES) - 1}"
    for name in (*METRICS, "seconds"):
        column = columns[name]  # (A, S, E)
        wrong = np.isinf(column) | (column < 0) | ((column > 1) if name.endswith("_accuracy") else False)
        if wrong.any():
            limits = "in [0, 1]" if name.endswith("_accuracy") else "finite and at least 0"
            yield f"its {name} of {where(wrong)} is {column[wrong][0]}; it must be {limits}, or NaN"
        wrong = np.isnan(column) & (status == OK)[..., None]
        if wrong.any():
            yield f"its {name} of {where(wrong)} is NaN, and the run's status is ok"
        wrong = ~np.isnan(column) & ((status == FAILED) | (status == MISSING))[..., None]
        if wrong.any():
            ended = STATUSES[status[wrong.any(2)][0]]
            yield f"its {name} of {where(wrong)} is a number, and the run's status is {ended}"
    absent = np.isnan(np.stack([columns[name] for name in METRICS]))  # (5, A, S, E)
    ragged = (absent.any(0) != absent.all(0)).any(2) | (absent[0, ..., :-1] & ~absent[0, ..., 1:]).any(2)
    wrong = (status == DIVERGED) & (ragged | ~absent[0, ..., -1])
    if wrong.any():
        yield f"its run of {where(wrong)} diverged; from some epoch on, and at the last, all must be NaN"


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
