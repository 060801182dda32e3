"""Which children train at each step. An architecture is the same in every cell, so a child is a number.

A schedule is a function of the children and a random generator that yields, for ever, the numbers of the
children of each step: usually one, several where their gradients are summed. Give a name below, or a function
of your own with that signature.

    steps = realise(SCHEDULES["shuffle"], children, 640, seed=0)   # (640, 1) numbers, audited
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nasbench_ws.errors import NasbenchError, StrategyError, UsageError, near_misses
from nasbench_ws.plugins import Plugins, meant_here, raised, staying_here, users_code
from nasbench_ws.sharing.keys import Key
from nasbench_ws.sharing.mixed import Mixed
from nasbench_ws.space.cell import Architecture
from nasbench_ws.space.macro import Macro

Children = Sequence[Architecture]
MOST_A_STEP = 65_536
Schedule = Callable[[Children, np.random.Generator], Iterator[Sequence[int]]]


def cycle(children: Children, rng: np.random.Generator) -> Iterator[Sequence[int]]:
    """The paper's: a fixed cycle in lexicographic order."""
    yield from itertools.cycle([(i,) for i in sorted(range(len(children)), key=lambda i: children[i].index)])


def order(children: Children, rng: np.random.Generator) -> Iterator[Sequence[int]]:
    """One random permutation, repeated (the paper's "orders")."""
    yield from itertools.cycle([(int(i),) for i in rng.permutation(len(children))])


def shuffle(children: Children, rng: np.random.Generator) -> Iterator[Sequence[int]]:
    """A new permutation in every cycle (the paper's "reshuffled")."""
    while True:
        yield from [(int(i),) for i in rng.permutation(len(children))]


def uniform(children: Children, rng: np.random.Generator) -> Iterator[Sequence[int]]:
    """Independent uniform draws (SPOS, RS-WS; the paper's text)."""
    while True:
        yield from [(int(i),) for i in rng.integers(len(children), size=1024)]


def similar(children: Children, rng: np.random.Generator) -> Iterator[Sequence[int]]:
    """A fixed cycle in which neighbours differ in one operation, as far as the children at hand allow.

    The order is that of a modular Gray code over the space's operations; all children of a space, or those
    that share their first edges' operations, differ in exactly one operation from step to step.
    """

    def rank(number: int) -> tuple[int, ...]:
        arch = children[number]
        radix, total, digits = len(arch.space.operations), 0, []
        for choice in arch.choices:  # undo digit = (own - next more significant) mod radix
            total = (total + choice) % radix
            digits.append(total)
        return tuple(digits)

    yield from itertools.cycle([(i,) for i in sorted(range(len(children)), key=rank)])


def fair(children: Children, rng: np.random.Generator) -> Iterator[Sequence[int]]:
    """Strict fairness (FairNAS): as many children a step as there are operations, every operation of every
    edge exactly once, gradients summed into one update. Needs all children of the space.
    """
    space = children[0].space
    if len(children) != len(space):
        raise StrategyError(
            f"the schedule 'fair' needs all {len(space)} children in one super-net, and this strategy makes one "
            f"of {len(children)}; use 'shuffle', which is fair to children, instead"
        )
    number = {arch.choices: i for i, arch in enumerate(children)}
    while True:
        columns = [rng.permutation(len(space.operations)) for _ in space.edges]
        yield [number[tuple(int(c) for c in choices)] for choices in zip(*columns, strict=True)]


SCHEDULES: dict[str, Schedule] = {
    f.__name__: f for f in (cycle, order, shuffle, uniform, similar, fair)
}


MIXED = "mixed:"
USAGES = ("mixed:params", "mixed:macs", "mixed:FILE.json")
PLUGINS = Plugins("schedule", "nasbench_ws.schedules", UsageError, SCHEDULES, list(SCHEDULES), "nasbench-ws evaluate")


def get_schedule(name: str | Schedule, macro: Macro | None = None) -> Schedule:
    """The schedule of that name, or the function itself.

    Args:
        name: as `shuffle`, `mixed:params`, or `FILE.py:FUNCTION` and `MODULE:FUNCTION` of a function of your own.
        macro: the network around a cell, in which `mixed:params` and `mixed:macs` count.

    UsageError lists the known names, or says what is wrong with the file.
    """
    if callable(name):
        return name
    if name in SCHEDULES:
        return SCHEDULES[name]
    if name.startswith(MIXED):
        return Mixed(name.removeprefix(MIXED), macro)
    if ":" not in name:
        raise UsageError(
            f"unknown schedule {name!r}{near_misses(name, [*SCHEDULES, *USAGES])}; known are "
            f"{', '.join([*SCHEDULES, *USAGES])}, and your own is FILE.py:FUNCTION"
        )
    if meant_here(name) is not None:
        return _own(name)
    file = Path(name.partition(":")[0])
    state = file.stat() if file.is_file() else None
    return _kept(name, (state.st_mtime_ns, state.st_size) if state else (0, 0))


@functools.lru_cache(maxsize=8)
def _kept(name: str, state: tuple[int, int]) -> Schedule:
    """Made once for a state of its file: every part of an evaluation asks for it, and the file is code."""
    return _own(name)


def _own(name: str) -> Schedule:
    found, arguments = PLUGINS.found(name)
    schedule = PLUGINS.make(name, found, arguments)
    if not callable(schedule):
        raise UsageError(
            f"the schedule {name!r} is of type {type(schedule).__name__}; name a function of the children and a random "
            "generator that yields the numbers of the children of each step"
        )
    own: Schedule = schedule
    return own


def name_of(schedule: str | Schedule) -> str:
    if isinstance(schedule, str):
        return schedule
    return getattr(schedule, "__name__", type(schedule).__name__)  # an object with __call__ has none


def realise(
    schedule: Schedule, children: Children, steps: int, seed: int, check: bool = True
) -> npt.NDArray[np.int32]:
    """The numbers of the children of each step: (steps, children a step), checked by `audit` unless `check` is false.

    A schedule of the user's own is asked twice, with equal generators: a worker has to find the same steps again.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    drawn = _drawn(schedule, children, steps, rng)
    if len(drawn) < steps:
        raise StrategyError(f"the schedule ended after {len(drawn)} of {steps} steps; it must go on for ever")
    widths = {len(numbers) for numbers in drawn}
    if len(widths) != 1 or 0 in widths:
        raise StrategyError(
            f"the schedule trains {sorted(widths)} children a step; it must be one number of at least 1 throughout"
        )
    if not any(schedule is built_in for built_in in SCHEDULES.values()):
        again = _drawn(schedule, children, steps, np.random.Generator(np.random.PCG64(seed)))
        if again != drawn:
            step = next(i for i, (a, b) in enumerate(zip(drawn, again, strict=False)) if a != b)
            raise StrategyError(
                f"the schedule {name_of(schedule)} yields {drawn[step]} at step {step + 1}, and {again[step]} when "
                "asked again with the same generator; it must draw from that generator alone"
            )
    try:
        sequence = np.array(drawn, dtype=np.int32)
    except OverflowError:
        raise StrategyError(
            f"the schedule names child {max(max(n) for n in drawn)}; children are numbered 0 to {len(children) - 1}"
        ) from None
    if sequence.min() < 0 or sequence.max() >= len(children):
        raise StrategyError(
            f"the schedule names child {sequence.min() if sequence.min() < 0 else sequence.max()}; "
            f"children are numbered 0 to {len(children) - 1}"
        )
    if check:
        audit(children, sequence)
    return sequence


def _drawn(schedule: Schedule, children: Children, steps: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """The first `steps` steps, as ints; StrategyError for what raises, or yields something else."""
    try:
        with users_code(), staying_here():
            return [_numbers(step) for step in itertools.islice(schedule(children, rng), steps)]
    except (NasbenchError, KeyboardInterrupt):
        raise
    except BaseException as error:  # SystemExit too
        raise StrategyError(
            f"the schedule {name_of(schedule)} raised {raised(error)}; "
            "it must yield, for ever, sequences of the numbers of the children that a step trains"
        ) from error


def _numbers(step: Sequence[int]) -> tuple[int, ...]:
    """One step's children, of whatever kind of int; floats and texts are none, though numpy would take them."""
    try:
        listed = tuple(itertools.islice(step, MOST_A_STEP + 1))
        if any(isinstance(number, bool | np.bool_) for number in listed):
            raise TypeError
        numbers = tuple(map(operator.index, listed))
    except TypeError:
        raise StrategyError(f"the schedule yields {step!r}; it must yield sequences of child numbers (ints)") from None
    if len(numbers) > MOST_A_STEP:
        raise StrategyError(f"the schedule yields more than {MOST_A_STEP:,} children for one step; give fewer")
    return numbers


def takes_over(later: Sequence[tuple[float, Key]], steps: int) -> dict[int, Key]:
    """The step after which each of a strategy's later keys takes over. StrategyError where that is never.

    >>> from nasbench_ws.sharing.keys import full
    >>> takes_over([(0.5, full)], 640) == {320: full}
    True
    """
    at = {round(part * steps): key for part, key in later}
    if len(at) < len(later) or not all(0 < step < steps for step in at):
        parts = [part for part, _ in later]
        raise StrategyError(
            f"the strategy's later keys take over after {parts} of the steps, which of {steps} steps is after "
            f"{[round(part * steps) for part in parts]}; each must train for a step at least: give more steps, or "
            "other parts"
        )
    return at


def updates(children: Children, sequence: npt.NDArray[np.int32]) -> dict[str, int]:
    """How often each child is trained in a sequence, by its name."""
    counts = np.bincount(sequence.ravel(), minlength=len(children))
    return {arch.name: int(count) for arch, count in zip(children, counts, strict=True)}


def audit(children: Children, sequence: npt.NDArray[np.int32]) -> dict[str, dict[str, int]]:
    """How often each child, and each operation on each edge, is trained in a realised sequence.

    StrategyError where the children at hand have an operation that is never trained, or where steps would
    have sufficed to train every child twice over and one is never trained: its score would mean nothing.
    """
    counts = list(updates(children, sequence).values())
    operations: dict[str, int] = {}
    for arch, count in zip(children, counts, strict=True):
        for edge in arch.space.edges:
            name = f"{edge[0]}->{edge[1]} {arch.operation(edge)}"
            operations[name] = operations.get(name, 0) + int(count)
    starved = [name for name, count in operations.items() if count == 0]
    if starved:
        raise StrategyError(
            f"the schedule never trains {starved[0]}{f' and {len(starved) - 1} more' if len(starved) > 1 else ''} "
            f"in {len(sequence)} steps; give more steps, or a schedule that visits every operation"
        )
    never = [arch.name for arch, count in zip(children, counts, strict=True) if count == 0]
    if never and sequence.size >= 20 * len(children):  # even `uniform` leaves one out with odds of 1e-7
        raise StrategyError(
            f"the schedule never trains child {never[0]}{f' and {len(never) - 1} more' if len(never) > 1 else ''} "
            f"in {len(sequence)} steps; a schedule must visit every child"
        )
    return {
        "children": updates(children, sequence),
        "operations": operations,
    }
