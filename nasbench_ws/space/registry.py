"""Spaces by name: the built-in one, and those that users register.

    register_space(Space("mine", 2, ("max_pool_3x3", "sep_conv_3x3")))
    get_space("mine")
"""

from __future__ import annotations

from nasbench_ws.errors import UsageError, near_misses
from nasbench_ws.space.cell import Space

DEEPER64 = Space("deeper64", 2, ("max_pool_3x3", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_5x5"))
SPACES: dict[str, Space] = {DEEPER64.name: DEEPER64}


def register_space(space: Space) -> Space:
    """Make `space` known to `get_space`. A name keeps its meaning: another space under it is refused."""
    known = SPACES.setdefault(space.name, space)
    if known != space:
        raise UsageError(
            f"the name {space.name} belongs to another space, {known._summary}; "
            f"give {space._summary} a name of its own"
        )
    return known


def get_space(name: str) -> Space:
    """The registered space of that name."""
    if name not in SPACES:
        raise UsageError(
            f"there is no space {name!r}{near_misses(name, SPACES)}; known: {', '.join(SPACES)}; "
            "make your own known with register_space(Space(...))"
        )
    return SPACES[name]
