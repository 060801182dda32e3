"""Early stopping: successive halving, Hyperband, ASHA.

Jamieson and Talwalkar (AISTATS 2016); Li et al., Hyperband (JMLR 2018); Li et al., A System for Massively Parallel
Hyperparameter Tuning (MLSys 2020), with one worker. A rung is a point of the curve; what is promoted is carried on and
pays the difference. On a table whose learning rate falls in one cycle, accuracies before the last third say nothing (on
fashion14 their tau with the truth is .15 at epoch 5): these searchers then do worse than random, for a reason of the
table; try them on train_loss too.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator

from numpy.random import Generator

from nasbench_ws.errors import SearcherError
from nasbench_ws.search.moves import moves_of
from nasbench_ws.search.oracle import Seen
from nasbench_ws.search.searcher import Ask, Setting, or_worst


def rungs(epochs: tuple[float, ...], eta: float) -> list[float]:
    """The first point times eta, again and again, at the points nearest below; the last is a full training.

    >>> rungs(tuple(range(1, 11)), 3), rungs(tuple(range(1, 11)), 4), rungs((200.0,), 3)
    ([1, 3, 10], [1, 4, 10], [200.0])
    """
    if eta <= 1:
        raise SearcherError(f"eta is {eta:g}: one of so many is promoted, so that it must be above 1, such as 3")
    chosen = [epochs[0]]
    while (target := chosen[-1] * eta) * math.sqrt(eta) <= epochs[-1]:  # the last stride is not a short one
        chosen.append(max(epoch for epoch in epochs if epoch <= target * (1 + 1e-9)))
        if chosen[-1] == chosen[-2]:
            chosen[-1] = next(epoch for epoch in epochs if epoch > chosen[-2])
    return [epoch for epoch in chosen if epoch < epochs[-1]] + [epochs[-1]]


class Asha:
    """Promotes whatever is among the best 1 / eta of its rung, else begins another random child.

    Args:
        eta: 3; 4 in the paper on random search with weight sharing.
    """

    def __init__(self, setting: Setting, rng: Generator, eta: float = 3.0) -> None:
        self._moves, self._rng, self._eta = moves_of(setting.space), rng, eta
        self._rungs = rungs(setting.epochs, eta)
        self._at: list[list[tuple[float, int, int]]] = [[] for _ in self._rungs]  # best first: (-value, trial, child)
        self._promoted: list[set[int]] = [set() for _ in self._rungs]
        self._asked = 0

    def ask(self) -> Ask:
        for rung in reversed(range(len(self._rungs) - 1)):
            for _, trial, child in self._at[rung][: int(len(self._at[rung]) / self._eta)]:
                if trial not in self._promoted[rung]:
                    self._promoted[rung].add(trial)
                    self._asked = rung + 1
                    return Ask(child, self._rungs[rung + 1], trial)
        self._asked = 0
        return Ask(self._moves.random(self._rng), self._rungs[0])

    def tell(self, trial: int, ask: Ask, seen: Seen) -> None:
        bisect.insort(self._at[self._asked], (-or_worst(seen.signal), trial, ask.child))


class SuccessiveHalving:
    """eta^r random children at the first of r + 1 rungs, the best 1 / eta of them at the next; then anew."""

    def __init__(self, setting: Setting, rng: Generator, eta: float = 3.0) -> None:
        self._moves, self._rng, self._eta = moves_of(setting.space), rng, eta
        self._rungs = rungs(setting.epochs, eta)
        self._values: list[tuple[float, int, int]] = []
        self._asks = self._forever()

    def brackets(self) -> list[tuple[int, int]]:
        """(children, first rung) of each, which are run in turn."""
        top = len(self._rungs) - 1
        return [(round(self._eta**top), 0)]

    def ask(self) -> Ask:
        return next(self._asks)

    def tell(self, trial: int, ask: Ask, seen: Seen) -> None:
        self._values.append((or_worst(seen.signal), trial, ask.child))

    def _forever(self) -> Iterator[Ask]:
        while True:
            for count, first in self.brackets():
                self._values = []
                for _ in range(count):
                    yield Ask(self._moves.random(self._rng), self._rungs[first])
                for epochs in self._rungs[first + 1 :]:
                    best = sorted(self._values, reverse=True)[: max(1, round(len(self._values) / self._eta))]
                    self._values = []
                    for _, trial, child in best:
                        yield Ask(child, epochs, trial)


class Hyperband(SuccessiveHalving):
    """Brackets that begin at every rung, the more children the earlier."""

    def brackets(self) -> list[tuple[int, int]]:
        top = len(self._rungs) - 1
        return [(math.ceil((top + 1) / (s + 1) * self._eta**s), top - s) for s in range(top, -1, -1)]
