"""Strategies by name: built-in ones with their arguments, a user's file, a module, an installed package.

A strategy is an object with a method `key(arch, slot)` (see `sharing`), a class that makes one of the name's arguments,
or the bare function. It may also have `schedule`, a name or function of `schedule`, and `later`, a list of (part of the
steps, key): sharing that becomes less with time, as few-shot methods split a trained super-net. A class or a key with a
parameter `macro` or `space` gets it: `slot.cell == macro.cells` is the last cell, however many there are.

    resolve("groups:similar:8", DEEPER64, SMALL)
    resolve("my.py:MyStrategy", DEEPER64, SMALL)
    resolve("my.py:Clusters:5", DEEPER64, SMALL)         # Clusters(5)

A strategy's file is code, and is run as such.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nasbench_ws.errors import StrategyError, near_misses
from nasbench_ws.plugins import Plugins, meant_here, named
from nasbench_ws.seeds import derive
from nasbench_ws.sharing import keys
from nasbench_ws.sharing.groups import groups, groups_from_file
from nasbench_ws.sharing.keys import Key
from nasbench_ws.sharing.schedules import Schedule
from nasbench_ws.space.cell import Edge, Space
from nasbench_ws.space.macro import Macro

ENTRY_POINTS = "nasbench_ws.strategies"
KINDS = ("conv", "depthwise", "pointwise", "bn", "linear")
MOST_KEYS = 1000  # that take over one after another
DEFAULT_SCHEDULE = "shuffle"  # fair to every child, and no child is always the last


@dataclass(frozen=True)
class Strategy:
    """`name` is the text it was asked for by, from which a worker process makes it again."""

    name: str
    key: Key
    schedule: str | Schedule = DEFAULT_SCHEDULE
    later: tuple[tuple[float, Key], ...] = ()  # keys that take over after a part of the steps, in (0, 1)


@dataclass(frozen=True)
class BuiltIn:
    """`usage` is the notation with its arguments; `make` gets them as text, with space and macro."""

    usage: str
    help: str
    make: Callable[[list[str], Space, Macro], Key]
    arguments: tuple[int, ...] = (1,)  # how many it takes
    later: Callable[[list[str], Space, Macro], tuple[tuple[float, Key], ...]] = lambda a, s, m: ()


def _integer(text: str, what: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise StrategyError(f"{what} is {text!r}; it must be a whole number") from None


def _groups(arguments: list[str], space: Space, macro: Macro) -> Key:
    if arguments[0] == "file":
        return groups_from_file(":".join(arguments[1:]), space)
    kind, count = arguments[0], _integer(arguments[1], "the number of groups")
    seed = _integer(arguments[2], "the seed of the groups") if len(arguments) > 2 else 0
    return groups(kind, count, space, seed)


def _edge(arguments: list[str], space: Space, macro: Macro) -> Key:
    return keys.edge(_edge_of(arguments[0]), space)


def _edge_of(text: str) -> Edge:
    parts = re.split("->|-", text)  # a shell takes an unquoted > for a redirection
    if len(parts) != 2:
        raise StrategyError(f"edge {text!r}; write source-target, for example 0-1")
    if parts[0] and not parts[1]:
        raise StrategyError(
            f"edge {text!r} has no target; write source-target, for example 0-1: of 0->1, a shell takes > and what "
            "follows for the name of a file to write"
        )
    which: Edge = (_integer(parts[0], "the edge's source"), _integer(parts[1], "the edge's target"))
    return which


def _split(arguments: list[str], space: Space, macro: Macro) -> tuple[tuple[float, Key], ...]:
    at = arguments[1] if len(arguments) > 1 else "0.5"
    try:
        part = float(at)
    except ValueError:
        raise StrategyError(f"the part of the steps before the split is {at!r}; write a number such as 0.5") from None
    return _in_order([(part, _edge(arguments, space, macro))])


def _curriculum(arguments: list[str], space: Space, macro: Macro) -> tuple[tuple[float, Key], ...]:
    """Full sharing at first; then the children split on one edge after another, at equal distances in time."""
    count = len(space.edges)

    def split_on(edges: tuple[Edge, ...]) -> Key:
        return lambda arch, slot: tuple(arch.operation(edge) for edge in edges)

    return tuple(((i + 1) / (count + 1), split_on(space.edges[: i + 1])) for i in range(count))


def _operation_groups(arguments: list[str], space: Space, macro: Macro) -> Key:
    """`0-1` and `13+24`: on that edge, the first and third operation of the space here, the others there."""
    which = _edge_of(arguments[0])
    keys.check_edge(which, space)
    listed = [part.split(",") if "," in part else list(part) for part in re.split(r"[+|]", arguments[1])]
    count = len(space.operations)
    if sorted(one for part in listed for one in part) != sorted(str(o + 1) for o in range(count)) or len(listed) < 2:
        names = ", ".join(f"{o} {name}" for o, name in enumerate(space.operations, start=1))
        raise StrategyError(
            f"groups of operations {arguments[1]!r}; write the number of each operation once, in two groups or more, "
            f"as {'+'.join(_halves(count))}: {names}"
        )
    groups = [[space.operations[int(one) - 1] for one in part] for part in listed]
    return keys.operation_groups([(which, groups)])


def _halves(count: int) -> list[str]:
    apart = "," if count > 9 else ""
    return [apart.join(str(o) for o in some) for some in (range(1, count // 2 + 1), range(count // 2 + 1, count + 1))]


def _in_order(later: Any) -> tuple[tuple[float, Key], ...]:
    """`later` as a strategy gives it, checked."""
    try:
        if isinstance(later, Iterator):  # empty when it is asked again, and then there would be no later keys
            raise TypeError
        listed = tuple(itertools.islice(later, MOST_KEYS))
        if any(isinstance(part, str) for part, _ in listed):
            raise ValueError
        found = tuple((float(part), key) for part, key in listed)
    except (TypeError, ValueError):
        text = f"the strategy's later is {later!r}; it must be a list of (part of the steps, key)"
        raise StrategyError(text) from None
    parts = [part for part, _ in found]
    if parts != sorted(set(parts)) or not all(0 < part < 1 for part in parts):
        raise StrategyError(f"the strategy's later keys take over at {parts}; these must ascend between 0 and 1")
    if not all(callable(key) for _, key in found):
        raise StrategyError(f"the strategy's later is {later!r}; it must be a list of (part of the steps, key)")
    return found


def _kinds(arguments: list[str]) -> list[str]:
    kinds = arguments[0].split("+")
    for kind in kinds:
        if kind not in KINDS:
            raise StrategyError(
                f"unknown kind of layer {kind!r}{near_misses(kind, KINDS)}; known are {', '.join(KINDS)}"
            )
    return kinds


BUILT_IN: dict[str, BuiltIn] = {
    "full": BuiltIn("full", "one set of weights for all children", lambda a, s, m: keys.full, (0,)),
    "none": BuiltIn("none", "every child on its own: standalone training", lambda a, s, m: keys.none, (0,)),
    "groups": BuiltIn(
        "groups:similar:M | groups:random:M[:SEED] | groups:file:PATH",
        "M groups, each a super-net of its own; random ones differ from instance to instance without a SEED",
        _groups,
        (2, 3),
    ),
    "prefix": BuiltIn(
        "prefix:K",
        "share the stem and the first K cells",
        lambda a, s, m: keys.prefix(_integer(a[0], "the number of cells"), m.cells),
    ),
    "edge": BuiltIn("edge:I-J", "few-shot: split on the operation of one edge", _edge),
    "opsplit": BuiltIn(
        "opsplit:I-J:GROUPS",
        "split on groups of one edge's operations, by number: opsplit:0-1:13+24",
        _operation_groups,
        (2,),
    ),
    "private": BuiltIn(
        "private:KIND[+KIND]",
        "layers of these kinds are each child's own, e.g. private:bn",
        lambda a, s, m: keys.private(_kinds(a)),
    ),
    "shared": BuiltIn(
        "shared:KIND[+KIND]",
        "only layers of these kinds are shared, e.g. shared:bn",
        lambda a, s, m: keys.shared(_kinds(a)),
    ),
    "split": BuiltIn(
        "split:I-J[:PART]",
        "full at first; split on an edge after that part of the steps (0.5), copies inheriting",
        lambda a, s, m: keys.full,
        (1, 2),
        _split,
    ),
    "curriculum": BuiltIn(
        "curriculum",
        "full at first; then split on one edge after another",
        lambda a, s, m: keys.full,
        (0,),
        _curriculum,
    ),
    "dependent": BuiltIn(
        "dependent",
        "an edge's weights depend on the operations that feed it",
        lambda a, s, m: keys.dependent,
        (0,),
    ),
}


PLUGINS = Plugins(
    "strategy", ENTRY_POINTS, StrategyError, BUILT_IN, [b.usage for b in BUILT_IN.values()], "nasbench-ws strategies"
)


def of_instance(name: str, seed: int) -> str:
    """The strategy's name in an instance: random groups without a seed of their own are drawn from the instance's.

    One partition for all instances would say something of that partition, and nothing of random groups.

    >>> of_instance("groups:random:4:7", 0), of_instance("full", 0)
    ('groups:random:4:7', 'full')
    """
    head, *arguments = name.split(":")
    if head == "groups" and len(arguments) == 2 and arguments[0] == "random":
        return f"{name}:{derive('random groups', seed)}"
    return name


def name_of(thing: Any) -> str:
    """What an object, a class or a function of a user's own is called, where it says nothing itself."""
    kind = thing if isinstance(thing, type) or hasattr(thing, "__qualname__") else type(thing)
    return str(getattr(thing, "name", None) or kind.__qualname__.rpartition("<locals>.")[2])


def resolve(name: str, space: Space, macro: Macro) -> Strategy:
    """The strategy of that name for a space and a macro. StrategyError says what is wrong with the name.

    Args:
        name: as `groups:similar:8`, `my.py:MyStrategy`, or of an installed one.
        space: whose children share.
        macro: the network around a cell.
    """
    head, _, rest = name.partition(":")
    if head in BUILT_IN:
        here = meant_here(name)  # a file of groups
        if here is not None:
            return adopt(name, here, space, macro)
        built_in = BUILT_IN[head]
        arguments = rest.split(":") if rest else []
        if len(arguments) not in built_in.arguments:
            raise StrategyError(f"strategy {name!r} is not written like {built_in.usage}")
        later = built_in.later(arguments, space, macro)
        return Strategy(name, built_in.make(arguments, space, macro), later=later)
    found, given = PLUGINS.found(name)
    return adopt(name, found, space, macro, given)


def adopt(
    name: str, found: Any, space: Space, macro: Macro, arguments: Sequence[int | float | str] = ()
) -> Strategy:
    """The strategy that an object is, a class makes of the arguments, or a function is the key of.

    A class that has parameters `space` or `macro` gets these, and so does a key. StrategyError says what it lacks.
    """
    thing = PLUGINS.make(name, found, arguments, space=space, macro=macro)

    def attribute(of: str, default: Any = None) -> Any:
        return PLUGINS.run(lambda: getattr(thing, of, default), f"the {of} of the strategy {name!r}")

    key = attribute("key") or (thing if callable(thing) else None)
    if not callable(key):
        raise StrategyError(
            f"strategy {name!r} is of type {type(thing).__name__}, without a method key(arch, slot); "
            f"give it one, or name a function of those two arguments"
        )

    def bound(key: Any) -> Key:
        known = named(key, {"space": space, "macro": macro})
        return functools.partial(key, **known) if known else key

    schedule = attribute("schedule", DEFAULT_SCHEDULE)
    if not (isinstance(schedule, str) or callable(schedule)):
        raise StrategyError(
            f"strategy {name!r} has schedule {schedule!r}; give the name of one, or a function of the children and a "
            f"random generator"
        )
    later = tuple((part, bound(one)) for part, one in _in_order(attribute("later", ())))
    return Strategy(name, bound(key), schedule, later)
