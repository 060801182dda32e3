"""Whether scores and a table are of the same thing: the same children, networks and images.

    problem_of(recipe, table)                   # what that recipe ranks; UsageError where the table is of another
    belongs(result, table)                      # may it stand beside the table's
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nasbench_ws.errors import UsageError
from nasbench_ws.recipe import Recipe
from nasbench_ws.results.misfit import misfit
from nasbench_ws.results.result import Result
from nasbench_ws.space.code import operation_codes, other_code
from nasbench_ws.space.problem import Problem
from nasbench_ws.space.registry import known_space
from nasbench_ws.tables.table import Table


def problem_of(recipe: Mapping[str, Any], table: Table) -> Problem:
    """What a recipe, as JSON, ranks; the table's own where it is {}. UsageError where the table is of something else.

    A super-net of other children, images or networks says nothing of the table's.
    """
    theirs = Problem.of(table.recipe, table.space)
    if not recipe:
        return theirs
    name = misfit(recipe, table)
    if name is not None:
        ours, stored = getattr(Recipe.from_dict(recipe), name), getattr(table.recipe, name)
        raise UsageError(
            f"recipe {name} is {ours!r}, and the table's is {stored!r}; a super-net is compared with "
            f"children of the same kind: leave {name} as it is, or build a table with {ours!r}"
        )
    known = known_space(table.space)
    codes = operation_codes(known)
    for environment in table.content.environments if codes else ():
        other = other_code(environment["versions"], codes)
        if other is not None:
            raise UsageError(
                f"{table.name} was made by other code than is here: {other}; a super-net is compared with children of "
                "the same operations: take the code as it was, or build the table again"
            )
    return Problem.of(Recipe.from_dict(recipe), known)


def belongs(one: Result, table: Table) -> bool:
    """Is that of the table's images and networks, and scored on all validation images?

    What no recipe trained, as a proxy, is of the table that it was measured on.
    """
    outcome = one.outcome
    if outcome.valid_images or outcome.quick or misfit(outcome.recipe, table, outcome.images_digest) is not None:
        return False
    return bool(outcome.recipe) or one.assessment.table.digest == table.digest
