"""Sharing strategies: one pure function, key(arch, slot), says which children use the same weights where.

Two children share a slot's weights if and only if their keys there are equal. The built-in ones follow, each
in the notation that commands take; `sharing/strategies.py` reads names and files.

    key = groups("similar", 4, DEEPER64)
    components(SMALL, list(DEEPER64), key)    # children that share nothing train apart: 4 groups of 16
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from nasbench_ws.errors import NasbenchError, StrategyError
from nasbench_ws.space.blocks import Slot
from nasbench_ws.space.cell import Architecture, Edge, Space
from nasbench_ws.space.child import child_network
from nasbench_ws.space.macro import Macro

Key = Callable[[Architecture, Slot], Hashable]


def full(arch: Architecture, slot: Slot) -> Hashable:
    """Every child uses the same weights."""
    return None


def none(arch: Architecture, slot: Slot) -> Hashable:
    """No child shares anything: standalone training."""
    return arch


def prefix(k: int, cells: int) -> Key:
    """Share the stem and the first k cells; what comes behind, the classifier included, is the child's own."""
    if not 0 <= k <= cells:
        raise StrategyError(f"a prefix of {k} cells; this network has {cells}, so k is between 0 and {cells}")

    def key(arch: Architecture, slot: Slot) -> Hashable:
        return None if slot.cell <= k else arch

    return key


def edge(which: Edge, space: Space) -> Key:
    """Split on one edge, as few-shot NAS does: children share if they have the same operation there."""
    if which not in space.edges:
        allowed = ", ".join(f"{a}->{b}" for a, b in space.edges)
        raise StrategyError(f"no edge {which[0]}->{which[1]} in {space.name}; its edges are {allowed}")

    def key(arch: Architecture, slot: Slot) -> Hashable:
        return arch.operation(which)

    return key


def private(kinds: Sequence[str]) -> Key:
    """Layers of these kinds are each child's own (`private:bn`), all others shared."""

    def key(arch: Architecture, slot: Slot) -> Hashable:
        return arch if slot.kind in kinds else None

    return key


def shared(kinds: Sequence[str]) -> Key:
    """The complement of `private`: only layers of these kinds are shared."""

    def key(arch: Architecture, slot: Slot) -> Hashable:
        return None if slot.kind in kinds else arch

    return key


def dependent(arch: Architecture, slot: Slot) -> Hashable:
    """Inter-choice dependent weights: an edge's weights depend on the operations that feed its source node."""
    if slot.edge is None:
        return None
    return tuple(arch.operation(edge) for edge in arch.space.edges if edge[1] == slot.edge[0])


def call_key(key: Key, arch: Architecture, slot: Slot) -> Hashable:
    """The strategy's key; StrategyError where it raises, or returns something that has no hash."""
    try:
        value = key(arch, slot)
    except NasbenchError:
        raise
    except Exception as error:
        raise StrategyError(
            f"the strategy's key raised {type(error).__name__}: {error}, for child {arch.name} at {slot}; "
            f"it must return a value for every child and slot"
        ) from error
    try:
        hash(value)
    except TypeError:
        raise StrategyError(
            f"the strategy's key for child {arch.name} at {slot} is {value!r}, which is not hashable; "
            f"return a string, a number, None or a tuple of those"
        ) from None
    return value


def components(macro: Macro, children: Sequence[Architecture], key: Key) -> list[list[int]]:
    """The finest division of the children into sets between which nothing is shared.

    Each set is a super-net of its own and is trained as such. Numbers of children, ascending.
    """
    parent = list(range(len(children)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[tuple[Slot, Hashable], int] = {}
    for number, arch in enumerate(children):
        for slot, _ in child_network(macro, arch).layers():
            other = first.setdefault((slot, call_key(key, arch, slot)), number)
            if other != number:
                a, b = sorted((root(other), root(number)))
                parent[b] = a
    sets: dict[int, list[int]] = {}
    for number in range(len(children)):
        sets.setdefault(root(number), []).append(number)
    return list(sets.values())
