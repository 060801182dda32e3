"""What a searcher is: it asks for a child, and is told what training it showed.

    class Mine:
        def __init__(self, setting, rng):
            self.children, self.rng = len(setting.space), rng

        def ask(self):
            return int(self.rng.integers(self.children))        # a child, or Ask(child, epochs, resume); None: done

        def tell(self, trial, ask, seen):
            ...                                                 # seen.signal: higher is better, NaN where it diverged

All randomness comes from `rng`, which belongs to this searcher and repetition alone. It may have a method
`incumbent()` with its own choice of the best child, or None while it has none; without, the rules choose. Where it has
one of a few things that other repetitions have too, such as a super-net, `instance` says which: intervals are then over
these. Not here: the
worlds (oracle.py), names (names.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from nasbench_ws.search.oracle import Seen
from nasbench_ws.space.cell import ArchitectureLike, Space


class Ask(NamedTuple):
    """Train a child up to `epochs`, one of the table's points; None: in full.

    `resume` is the number of an earlier trial of the same child that is carried on: only the difference is paid.
    """

    child: int
    epochs: float | None = None
    resume: int | None = None


@dataclass(frozen=True)
class Setting:
    """What is known before anything is trained.

    Args:
        space: its children are 0 to len(space) - 1.
        epochs: the points at which training can stop, the last a full training.
        evaluations: the budget, in full trainings of a mean child.
        params: (children,)
        macs: (children,) multiply-adds of one image's forward pass; parameters where the table does not know them.
        limit: multiply-adds that a choice may have at most; None: any.
        networks: (children,) the first child that is the same network; None: each is its own.
    """

    space: Space
    epochs: tuple[float, ...]
    evaluations: float
    params: NDArray[np.int64]
    macs: NDArray[np.int64]
    limit: float | None = None
    networks: tuple[int, ...] | None = None


class Searcher(Protocol):
    """A search of one repetition: asked for a child and shown the outcome in turn, until its budget is spent."""

    def ask(self) -> Ask | ArchitectureLike | None:
        """The next child to look at; None: no more."""

    def tell(self, trial: int, ask: Ask, seen: Seen) -> None:
        """What came of it.

        Args:
            trial: its number, from 0, by which a later `Ask` carries it on.
            ask: what was asked for.
            seen: the signal and what it cost.
        """


Make: TypeAlias = Callable[[Setting, Generator], Searcher]
MakeTasks: TypeAlias = Callable[[Sequence[Setting], Generator], Sequence[Searcher]]  # one search of several tables


def or_worst(signal: float) -> float:
    """A signal to order by: a run that diverged is worse than all."""
    return -math.inf if math.isnan(signal) else signal
