"""Local search: to the first better neighbour, and on from a random child where there is none.

White et al., Exploring the Loss Landscape in Neural Architecture Search (UAI 2021).
"""

from __future__ import annotations

import math

from numpy.random import Generator

from nasbench_ws.search.moves import moves_of
from nasbench_ws.search.oracle import Seen
from nasbench_ws.search.searcher import Ask, Setting, or_worst


class LocalSearch:
    def __init__(self, setting: Setting, rng: Generator) -> None:
        self._moves, self._rng = moves_of(setting.space), rng
        self._value = -math.inf
        self._next: list[int] | None = None  # neighbours to try; None: about to start

    def ask(self) -> Ask:
        if self._next:
            return Ask(self._next.pop())
        self._next = None
        return Ask(self._moves.random(self._rng))

    def tell(self, trial: int, ask: Ask, seen: Seen) -> None:
        value = or_worst(seen.signal)
        if self._next is None or value > self._value:
            neighbours = self._moves.neighbours(ask.child)
            self._value, self._next = value, [neighbours[i] for i in self._rng.permutation(len(neighbours)).tolist()]
