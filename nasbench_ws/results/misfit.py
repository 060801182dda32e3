"""Whether a recipe and a table are of the same networks, on the same images.

    misfit(result.outcome.recipe, table)        # "images", or None

Not here: whether the children are the same, for which a recipe has a name alone (result.py, `check_children`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nasbench_ws.recipe import Recipe
from nasbench_ws.space.problem import Problem
from nasbench_ws.tables.table import Table


def misfit(recipe: Mapping[str, Any], table: Table) -> str | None:
    """The first key of a recipe by which it ranks something else than the table; None where it does not."""
    if not recipe:
        return None
    ours = Recipe.from_dict(recipe)
    if ours.space != table.space.name:
        return "space"
    return Problem.of(ours, table.space).difference(Problem.of(table.recipe, table.space))
