"""JSON files of a user's that say something of every child, as groups and weights do. Not here: what they say."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, TypeVar

from nasbench_ws.errors import StrategyError
from nasbench_ws.limits import bytes_of
from nasbench_ws.space.cell import Space
from nasbench_ws.space.grids import once

T = TypeVar("T")


def read_json(path: str, what: str, form: str) -> Any:
    """What a file holds, no key twice. StrategyError says that it is no JSON of `what`, and to write `form`."""
    try:
        return json.loads(bytes_of(path, StrategyError, f"give JSON as {form}"), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise StrategyError(f"{path} is no JSON of {what} ({error}); write {form}") from None  # no frames of json


def of_every_child(
    path: str, pairs: Iterable[tuple[str, T]], space: Space, verb: str, twice: str, none: str
) -> dict[int, T]:
    """By a child's index. StrategyError where one is named twice, by whatever name, or not at all.

    Args:
        path: of the file, for messages.
        pairs: a child, by any of its names, and what is said of it.
        space: whose children.
        verb, twice, none: as "puts", "into a group" and "into no group".
    """
    found: dict[int, T] = {}
    for name, value in pairs:
        child = space.architecture(name)
        if child.index in found:
            raise StrategyError(f"{path} {verb} child {child.name} {twice} twice; name it once")
        found[child.index] = value
    missing = [arch.name for arch in space if arch.index not in found]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise StrategyError(f"{path} {verb} child {missing[0]}{more} {none}; every child needs one")
    return found
