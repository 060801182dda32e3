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
    FORMAT,
    MISSING,
    NAMES,
    Content,
    canonical_json,
)
from nasbench_ws.tables.form import form_problems, identity_problems
from nasbench_ws.tables.values import value_problems


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
    return [*found, *_root_problems(content), *_child_problems(content), *value_problems(content)]


def _root_problems(content: Content) -> Iterator[str]:
    if content.foreign:
        if content.attributes["macro"]:
            yield "it has a macro and no recipe; a table of others has neither, and one of own runs has both"
        if not str(content.attributes["source"]).strip():
            yield "it has neither a recipe nor a source, which says where its numbers come from"
    else:
        yield from _recipe_problems(content)


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
        if there is None or name not in expected:
            continue
        differs = there != expected[name]
        wrong = np.flatnonzero(differs if there.dtype.kind == "S" else differs & (there >= 0))  # less: values.py
        if len(wrong):
            child, must = content.space[rows[wrong[0]]], _text(expected[name][wrong[0]])
            yield f"its {name} of {child.name} is {_text(there[wrong[0]])}, and must be {must}"


def names_of(space: Space, rows: NDArray[np.int64]) -> dict[str, NDArray[np.bytes_]]:
    """Hash, spec and name of the children in these places."""
    children = [space[row] for row in rows.tolist()]
    return {name: np.array([getattr(child, name) for child in children]).astype("S") for name in NAMES}


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
