"""New tables, and everything that can be wrong with one.

Not here: what the columns mean (tables/columns.py), files (tables/file.py), runs into tables (tables/merge.py).

    columns = blank_columns(space, macro, seeds, epochs)     # nothing trained yet: NaN, status missing
    content = Content(root_attributes(recipe, space, macro, ...), columns)
    problems(content)                                        # [] where all is sound
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench_ws.errors import UsageError
from nasbench_ws.recipe import Recipe
from nasbench_ws.space.cell import Space
from nasbench_ws.space.child import child_network, mac_count, parameter_count
from nasbench_ws.space.macro import Macro, build_macro, macro_to_dict
from nasbench_ws.space.registry import space_to_dict
from nasbench_ws.tables.columns import (
    ATTRIBUTES,
    CURVES,
    DIVERGED,
    FAILED,
    FORMAT,
    METRICS,
    MISSING,
    NAMES,
    OK,
    PUBLISHED,
    STATUSES,
    Content,
    canonical_json,
)
from nasbench_ws.tables.form import form_problems, identity_problems


def root_attributes(
    recipe: Recipe, space: Space, macro: Macro, images_digest: str, environments: Sequence[Mapping[str, Any]],
    licence: str, citation: str,
) -> dict[str, str | int]:  # fmt: skip
    """What the root of a table says of it, in the order of ATTRIBUTES; what has parts is JSON."""
    parts = [canonical_json(part) for part in (recipe.to_dict(), space_to_dict(space), macro_to_dict(macro))]
    rest = (recipe.images, images_digest, canonical_json([dict(one) for one in environments]), licence, citation)
    return dict(zip(ATTRIBUTES, (FORMAT, 1, *parts, *rest), strict=True))


def blank_columns(space: Space, macro: Macro, seeds: Sequence[int], epochs: Sequence[float]) -> dict[str, NDArray[Any]]:
    """Every column of a table in which no run has been made."""
    networks = [child_network(macro, child) for child in space]
    columns: dict[str, NDArray[Any]] = {
        "seeds": np.array(seeds, "<i8"),
        "epochs": np.array(epochs, "<f8"),
        **names_of(space, np.arange(len(space))),
        "params": np.array([parameter_count(network) for network in networks], "<i8"),
        "macs": np.array([mac_count(network) for network in networks], "<i8"),
        "status": np.full((len(space), len(seeds)), MISSING, "<i1"),
        "environment": np.full((len(space), len(seeds)), -1, "<i2"),
    }
    shape = (len(space), len(seeds), len(epochs))
    return columns | {name: np.full(shape, np.nan) for name in CURVES}


def problems(content: Content) -> list[str]:
    """Everything that is invalid in a table: one line each, the first offence of its kind. Sound: none."""
    found = list(form_problems(content, content.columns))
    if found:
        return found
    found = list(identity_problems(content))
    if found and content.version > 1:  # which children the rows are of is not known
        return found
    return [*found, *_root_problems(content), *_child_problems(content), *_run_problems(content)]


def _root_problems(content: Content) -> Iterator[str]:
    if content.foreign:
        if content.attributes["macro"]:
            yield "it has a macro and no recipe; a table of others has neither, and one of own runs has both"
        if not str(content.attributes["source"]).strip():
            yield "it has neither a recipe nor a source, which says where its numbers come from"
    else:
        yield from _recipe_problems(content)
    for axis in ("seeds", "epochs"):
        values = content.columns[axis]
        if not (np.isfinite(values).all() and (np.diff(values) > 0).all() and values[0] >= 0):
            yield f"its {axis} are {values.tolist()}; they must rise, from 0 or more"
    environment, missing = content.columns.get("environment"), content.columns["status"] == MISSING
    if environment is not None and (
        (environment < -1) | (environment >= len(content.environments)) | ((environment == -1) != missing)
    ).any():
        yield f"its environment must be -1 where a run is missing, else below {len(content.environments)}"


def _recipe_problems(content: Content) -> Iterator[str]:
    recipe, space, macro = content.recipe, content.space, content.macro
    if recipe.space != space.name:
        yield f"its recipe is for the space {recipe.space}, and its space is {space.name}"
    if content.attributes["images"] != recipe.images:
        yield f"its recipe is for the images {recipe.images}, and its images are {content.attributes['images']}"
    try:
        described = build_macro(recipe, macro.height, macro.width, macro.image_channels, macro.classes)
    except UsageError as error:
        yield f"its recipe describes no network: {error}"
    else:
        if macro != described:
            yield f"its macro {macro.name} is not the one that its recipe describes"


def _child_problems(content: Content) -> Iterator[str]:
    rows = content.rows
    if content.foreign:
        expected = names_of(content.space, rows)
    else:
        whole = blank_columns(content.space, content.macro, [0], [0.0])
        expected = {name: whole[name][rows] for name in ("spec", "name", "hash", "params", "macs")}
    for name in ("spec", "name", "params", "macs", *(["hash"] if content.version > 1 else [])):
        there = content.columns.get(name)
        if there is None:
            continue
        wrong = np.flatnonzero(there != expected[name] if name in expected else there < 0)
        if len(wrong):
            must = _text(expected[name][wrong[0]]) if name in expected else "0 or more"
            yield f"its {name} of {content.space[rows[wrong[0]]].name} is {_text(there[wrong[0]])}, and must be {must}"
    isomorph = content.columns.get("isomorph")
    if isomorph is not None:
        place = np.searchsorted(rows, isomorph)
        known = (isomorph >= 0) & (isomorph <= rows) & (rows[np.minimum(place, len(rows) - 1)] == isomorph)
        wrong = np.flatnonzero(~known | (isomorph[np.where(known, place, 0)] != isomorph))
        if len(wrong):
            yield (
                f"its isomorph of {content.space[rows[wrong[0]]].name} is {isomorph[wrong[0]]}, and must be the index "
                "of the first row that computes the same"
            )


def names_of(space: Space, rows: NDArray[np.int64]) -> dict[str, NDArray[np.bytes_]]:
    """Hash, spec and name of the children in these places."""
    children = [space[row] for row in rows.tolist()]
    return {name: np.array([getattr(child, name) for child in children]).astype("S") for name in NAMES}


def _run_problems(content: Content) -> Iterator[str]:
    columns, children, rows = content.columns, content.space, content.rows
    curves = {name: content.curve(name) for name in CURVES if name in columns}
    status = columns["status"]  # (A, S)

    def where(wrong: NDArray[Any]) -> str:
        place = tuple(np.argwhere(wrong)[0])
        epoch = f" at epoch {columns['epochs'][place[2]]:g}" if len(place) > 2 else ""
        return f"{children[rows[place[0]]].name} with seed {columns['seeds'][place[1]]}{epoch}"

    wrong = (status < 0) | (status >= len(STATUSES))
    if wrong.any():
        yield f"its status of {where(wrong)} is {status[wrong][0]}; it must be 0 to {len(STATUSES) - 1}"
    for name, column in curves.items():  # (A, S, E)
        wrong = np.isinf(column) | (column < 0) | ((column > 1) if name.endswith("_accuracy") else False)
        if wrong.any():
            limits = "in [0, 1]" if name.endswith("_accuracy") else "finite and at least 0"
            yield f"its {name} of {where(wrong)} is {column[wrong][0]}; it must be {limits}, or NaN"
        wrong = np.isnan(column) & (status == OK)[..., None]
        if content.foreign:
            wrong[..., :-1] = False  # others may have looked at the end alone
            wrong &= name == content.truth
        if wrong.any():
            yield f"its {name} of {where(wrong)} is NaN, and the run's status is ok"
        wrong = ~np.isnan(column) & ((status == FAILED) | (status == MISSING))[..., None]
        if wrong.any():
            ended = STATUSES[status[wrong.any(2)][0]]
            yield f"its {name} of {where(wrong)} is a number, and the run's status is {ended}"
    wrong = np.isnan(curves[content.truth][..., -1]) & (status == PUBLISHED)
    if wrong.any():
        yield f"its last {content.truth} of {where(wrong)} is NaN, and its status is published"
    absent = np.isnan(np.stack([curves[name] for name in METRICS if name in curves]))  # (5, A, S, E)
    ragged = (absent.any(0) != absent.all(0)).any(2) | (absent[0, ..., :-1] & ~absent[0, ..., 1:]).any(2)
    wrong = (status == DIVERGED) & (ragged | ~absent[0, ..., -1])
    if wrong.any():
        yield f"its run of {where(wrong)} diverged; from some epoch on, and at the last, all must be NaN"


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
