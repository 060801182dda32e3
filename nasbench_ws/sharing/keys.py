"""Sharing strategies: one pure function, key(arch, slot), says which children use the same weights where.

Two children share a slot's weights if and only if their keys there are equal. The built-in ones follow, each
in the notation that commands take; `sharing/strategies.py` reads names and files.

    key = groups("similar", 4, DEEPER64)
    components(SMALL, list(DEEPER64), key)    # children that share nothing train apart: 4 groups of 16
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import itertools
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from nasbench_ws.errors import NasbenchError, StrategyError, UsageError
from nasbench_ws.plugins import raised, staying_here, users_code
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
    check_edge(which, space)

    def key(arch: Architecture, slot: Slot) -> Hashable:
        return arch.operation(which)

    return key


def check_edge(which: Edge, space: Space) -> None:
    """StrategyError for an edge that the space has not."""
    if which not in space.edges:
        allowed = ", ".join(f"{a}->{b}" for a, b in space.edges)
        raise StrategyError(f"no edge {which[0]}->{which[1]} in {space.name}; its edges are {allowed}")


def operation_groups(parts: Sequence[tuple[Edge, Sequence[Sequence[str]]]]) -> Key:
    """Split on groups of operations: children share if theirs are of one group, on each of these edges.

    Args:
        parts: edges, each with groups of names of operations that have every operation once.
    """
    group_of = [(which, {name: i for i, group in enumerate(groups) for name in group}) for which, groups in parts]

    def key(arch: Architecture, slot: Slot) -> Hashable:
        return tuple(known[arch.operation(which)] for which, known in group_of)

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


RETURN = "return a string, a number, None or a tuple of those"
UNSTEADY = (
    "its key must not depend on hash() of a text, the order of a set, id() or state, which differ from process to "
    "process: compute it from arch and slot alone"
)
PLAIN = (type(None), bool, int, str, bytes, Architecture)  # what most keys are: no more to ask of them


def call_key(key: Key, arch: Architecture, slot: Slot) -> Hashable:
    """The strategy's key for a child and a slot.

    Args:
        key: the strategy's function.
        arch: the child.
        slot: the place of a layer in it.

    Raises:
        StrategyError: it raises, or what it returns cannot be compared by value: it has no hash, as a list; it is
            equal to itself alone, as an object without `__eq__` or a tensor (no child would ever share by it); or
            not even to itself, as NaN or an array.
    """
    try:
        with users_code():
            value = key(arch, slot)
            if type(value) in PLAIN:
                return value
            hash(value)
            reason = _incomparable(value)
    except UsageError as error:  # of `arch.operation`
        if slot.edge is not None:
            raise
        raise StrategyError(
            f"the strategy's key asked child {arch.name} for the operation of an edge at {slot}, which is on none "
            f"(slot.edge is None: {error}); where a slot is on no edge, as in the stem, reductions and the classifier, "
            "return a key of its own, such as None"
        ) from None
    except (NasbenchError, KeyboardInterrupt):
        raise
    except TypeError as error:
        if "unhashable" not in str(error):
            raise _raised(error, arch, slot) from error
        raise StrategyError(
            f"the strategy's key for child {arch.name} at {slot} is {value!r}, which is not hashable; {RETURN}"
        ) from None
    except BaseException as error:  # SystemExit too
        raise _raised(error, arch, slot) from error
    if reason is not None:
        raise StrategyError(f"the strategy's key for child {arch.name} at {slot} is {value!r}, {reason}; {RETURN}")
    return value


def _raised(error: BaseException, arch: Architecture, slot: Slot) -> StrategyError:
    return StrategyError(
        f"the strategy's key raised {raised(error)}, for child {arch.name} at {slot}; "
        f"it must return a value for every child and slot"
    )


def _incomparable(value: Any) -> str | None:
    """Why two equal values of this kind would not be one key; None for values that compare as such."""
    if type(value) in PLAIN or isinstance(value, enum.Enum):  # members are the same objects in every process
        return None
    if isinstance(value, tuple | frozenset):
        return next((reason for item in value if (reason := _incomparable(item)) is not None), None)
    if dataclasses.is_dataclass(value) and not callable(value) and type(value).__eq__ is not object.__eq__:
        parts = (getattr(value, field.name) for field in dataclasses.fields(value) if field.compare)
        return next((reason for item in parts if (reason := _incomparable(item)) is not None), None)
    kind: Any = type(value)
    if callable(value) or kind.__eq__ is object.__eq__ or kind.__hash__ is object.__hash__:
        kind_name = kind.__name__
        return f"and one of type {kind_name} is equal to itself alone, so that no two children would share by it"
    same = value == value  # not so of NaN, and of arrays and tensors it is none
    if type(same).__name__ not in ("bool", "bool_"):
        return f"and comparing objects of type {type(value).__name__} gives no yes or no"
    if not same:
        return "which is not equal to itself"
    return None


@staying_here()
def partners(macro: Macro, children: Sequence[Architecture], keys: Sequence[Key]) -> list[str]:
    """For each child a short digest of whom it shares its slots with, under each of the keys, whatever their values.

    Two processes that make the same of a strategy have the same digests.
    """
    first: dict[tuple[int, Slot, Hashable], int] = {}
    found = []
    for number, arch in enumerate(children):
        layers = [slot for slot, _ in child_network(macro, arch).layers()]
        places = ((which, slot, call_key(key, arch, slot)) for which, key in enumerate(keys) for slot in layers)
        shared = [first.setdefault(place, number) for place in places]
        found.append(hashlib.sha256(repr(shared).encode()).hexdigest()[:8])
    return found


@staying_here()
def check_less(macro: Macro, children: Sequence[Architecture], keys: Sequence[Key]) -> None:
    """StrategyError unless each key shares nothing that the one before did not: sharing only becomes less with time.

    Args:
        macro: the network around a cell.
        children: those that are trained.
        keys: in the order of time.
    """
    for before, after in itertools.pairwise(keys):
        first: dict[tuple[Slot, Hashable], tuple[Architecture, Hashable]] = {}
        for arch in children:
            for slot, _ in child_network(macro, arch).layers():
                was = call_key(before, arch, slot)
                other, theirs = first.setdefault((slot, call_key(after, arch, slot)), (arch, was))
                if theirs != was:
                    raise StrategyError(
                        f"a later key shares {slot} between children that did not share it before, such as "
                        f"{other.name} and {arch.name}; sharing may only become less with time"
                    )


@staying_here()
def components(macro: Macro, children: Sequence[Architecture], key: Key) -> list[list[int]]:
    """The finest division of the children into sets between which nothing is shared.

    Each set is a super-net of its own and is trained as such. Numbers of children, ascending. StrategyError where a
    key is another when it is asked for again, from the last child to the first: one that counts its calls, or draws.

    Args:
        macro: the network around a cell.
        children: those that are trained.
        key: what is shared.
    """
    parent = list(range(len(children)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[tuple[Slot, Hashable], int] = {}
    asked: list[tuple[Architecture, Slot, Hashable]] = []
    for number, arch in enumerate(children):
        for slot, _ in child_network(macro, arch).layers():
            value = call_key(key, arch, slot)
            asked.append((arch, slot, value))
            try:
                other = first.setdefault((slot, value), number)
            except Exception as error:  # an __eq__ of the user's own
                raise _raised(error, arch, slot) from error
            if other != number:
                a, b = sorted((root(other), root(number)))
                parent[b] = a
    for arch, slot, value in reversed(asked):
        again = call_key(key, arch, slot)
        if again is not value and (again != value or hash(again) != hash(value)):
            raise StrategyError(
                f"the strategy's key for child {arch.name} at {slot} is {value!r}, and {again!r} when asked for again; "
                "it must depend on the child and the slot alone, not on chance or on earlier calls"
            )
    sets: dict[int, list[int]] = {}
    for number in range(len(children)):
        sets.setdefault(root(number), []).append(number)
    return list(sets.values())
