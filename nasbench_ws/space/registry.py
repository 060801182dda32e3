"""Spaces by name: the built-in ones, and those that users register.

    deeper64      the paper's: 3 edges, 4 operations, 64 children
    topology729   3 nodes, 6 edges, each absent, an identity or a separable convolution: what matters is the graph
    nasbench201   the five operations of NAS-Bench-201 (Dong & Yang 2020) on the same 6 edges, 15,625 children;
                  the canonical string behind the space's name is NAS-Bench-201's own

    register_space(Space("mine", 2, ("max_pool_3x3", "sep_conv_3x3")))
    get_space("mine")
    get_space("my.py:SPACE")          # of a file of your own, with whatever operations it registers
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nasbench_ws.errors import UsageError, near_misses
from nasbench_ws.plugins import Plugins
from nasbench_ws.space.cell import Space
from nasbench_ws.space.macro import SMALL
from nasbench_ws.space.operations import content

DEEPER64 = Space("deeper64", 2, ("max_pool_3x3", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_5x5"))
TOPOLOGY729 = Space("topology729", 3, ("none", "skip_connect", "sep_conv_3x3"))
# In the order of the benchmark's own list, so that its digits from 0 are these choices.
NASBENCH201 = Space("nasbench201", 3, ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"))
SPACES: dict[str, Space] = {space.name: space for space in (DEEPER64, TOPOLOGY729, NASBENCH201)}


def register_space(space: Space) -> Space:
    """Make `space` known to `get_space`. A name keeps its meaning: another space under it is refused.

    UsageError too where there is nothing to rank: one operation alone, or two names of the same one.
    """
    if space.name not in SPACES:
        _check_children(space)
    known = SPACES.setdefault(space.name, space)
    if known != space:
        raise UsageError(
            f"the name {space.name} belongs to another space, {known._summary}; "
            f"give {space._summary} a name of its own"
        )
    return known


def get_space(name: str) -> Space:
    """The registered space of that name; or a file's or module's, `FILE.py:NAME`, which it registers.

    Such a space travels to other processes with the file: there it is run, so that its operations are known there.
    """
    if ":" in name:
        return _of_a_file(name)
    if name not in SPACES:
        raise UsageError(
            f"there is no space {name!r}{near_misses(name, SPACES)}; known: {', '.join(SPACES)}; "
            "make your own known with register_space(Space(...)), or name it with its file, --space FILE.py:NAME"
        )
    return SPACES[name]


def known_space(space: Space) -> Space:
    """The registered space of the name of a table's space, which travels with its file; or the table's own.

    UsageError where the registered one is another: its children, in its order, are not the table's.
    """
    known = SPACES.get(space.name, space)
    if known != space:
        raise UsageError(
            f"the table's space is {space!r}, and here {known!r} is registered; their children are not the same: "
            "register the table's, or give yours a name of its own"
        )
    return known


_PLUGINS = Plugins("space", "nasbench_ws.spaces", UsageError, SPACES, SPACES, "nasbench-ws strategies")
_files: dict[str, Space] = {}  # that have been run


def _of_a_file(name: str) -> Space:
    path, _, attribute = name.partition(":")
    where = f"{os.path.realpath(path)}:{attribute}" if path.endswith(".py") else name
    if where not in _files:
        found = _PLUGINS.find(where if Path(path).is_file() else name)
        if not isinstance(found, Space):
            raise UsageError(f"{name} is {type(found).__name__} {str(found)[:60]!r}, and must be a Space(...)")
        space = register_space(found)
        vars(space)["made_again"] = get_space, (where,)
        _files[where] = space
    return _files[where]


_MACROS = (SMALL, replace(SMALL, channels=64, cells=SMALL.cells + 1))  # where operations of a user's own are compared


def _check_children(space: Space) -> None:
    """UsageError where there is nothing to rank: one child alone, or children that two names of one operation make."""
    if len(space.operations) == 1:
        raise UsageError(
            f"{space.name} has the operation {space.operations[0]} alone, and so one child, which makes no ranking; "
            "give it two operations or more"
        )
    names: dict[object, str] = {}
    for operation in space.operations:
        try:
            layers = tuple(content(operation, macro) for macro in _MACROS)
        except UsageError:  # it is not for networks of that size, or wrong: a network says which
            continue
        other = names.setdefault(layers, operation)
        if other != operation:
            raise UsageError(
                f"the operations {other} and {operation} of {space.name} are the same, so that every network "
                "has several names and is trained as often; leave one of them out"
            )


def space_to_dict(space: Space) -> dict[str, Any]:
    """As JSON keeps it; the form is written where it is not the usual one."""
    written = {"name": space.name, "nodes": space.nodes, "operations": list(space.operations)}
    return written if space.form == "full" else {**written, "form": space.form}


def space_from_dict(data: Mapping[str, Any]) -> Space:
    """The space; the registered one where that is the same, for what it already remembers."""
    space = Space(data["name"], data["nodes"], tuple(data["operations"]), data.get("form", "full"))
    known = SPACES.get(space.name)
    return known if known is not None and known == space else space
