"""Whether a recipe, or what was trained by it, and a table are of the same networks, on the same images.

    misfit(outcome.recipe, table, outcome.images_digest)        # "images", or None

Not here: whether the children are the same, for which a recipe has a name alone (result.py, `check_children`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nasbench_ws.recipe import Recipe
from nasbench_ws.space.problem import Problem
from nasbench_ws.tables.table import Table


def misfit(recipe: Mapping[str, Any], table: Table, images_digest: str | None = None) -> str | None:
    """The first key of a recipe by which it ranks something else than the table; None where it does not.

    Args:
        recipe: as its JSON; {} of what trains nothing.
        table: which has a recipe.
        images_digest: of the images that were looked at, where it is known: two folders may have one name, and one
            folder two.
    """
    if images_digest is not None and table.content.attributes["images_digest"] not in ("", images_digest):
        return "images"
    if not recipe:
        return None
    ours = Recipe.from_dict(recipe)
    if ours.space != table.space.name:
        return "space"
    return Problem.of(ours, table.space).difference(Problem.of(table.recipe, table.space))
