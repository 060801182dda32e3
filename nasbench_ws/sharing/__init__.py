"""Who shares which weights, and who trains when.

    from nasbench_ws.sharing import components, groups
    key = groups("similar", 4, DEEPER64)

keys.py holds the rule and the built-in keys, groups.py divisions of the children, schedules.py which child trains at
which step, strategies.py everything by name or from a user's file.
"""

from nasbench_ws.sharing.groups import groups, groups_from_file
from nasbench_ws.sharing.keys import (
    Key,
    call_key,
    components,
    dependent,
    edge,
    full,
    none,
    prefix,
    private,
    shared,
)

__all__ = [
    "Key", "call_key", "components", "dependent", "edge", "full", "groups", "groups_from_file", "none", "prefix",
    "private", "shared",
]  # fmt: skip
