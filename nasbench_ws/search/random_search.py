"""Random search, with and without replacement, and its traps: index order, and re-evaluation of the best few.

Li and Talwalkar, Random Search and Reproducibility for Neural Architecture Search (UAI 2019): the baseline that every
other searcher is measured against here.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from nasbench_ws.search.moves import moves_of
from nasbench_ws.search.oracle import Seen
from nasbench_ws.search.searcher import Ask, Setting, or_worst


class Random:
    """Uniform, with replacement."""

    def __init__(self, setting: Setting, rng: Generator) -> None:
        self._moves, self._rng = moves_of(setting.space), rng

    def ask(self) -> Ask:
        return Ask(self._moves.random(self._rng))

    def tell(self, trial: int, ask: Ask, seen: Seen) -> None:
        pass


class RandomWithout:
    """A permutation of the children, then the same again."""

    def __init__(self, setting: Setting, rng: Generator) -> None:
        self._order = rng.permutation(len(setting.space)).tolist()
        self._count = 0

    def ask(self) -> Ask:
        child = self._order[self._count % len(self._order)]
        self._count += 1
        return Ask(child)

    def tell(self, trial: int, ask: Ask, seen: Seen) -> None:
        pass


class Enumerate(RandomWithout):
    """In order of index: a searcher that does better than this only where the order helps it is no searcher."""

    def __init__(self, setting: Setting, rng: Generator) -> None:
        self._order, self._count = list(range(len(setting.space))), 0


class ReEvaluate(RandomWithout):
    """Random without replacement for a part of the budget; the rest goes to its best few in turn, judged by their mean.

    On a table whose noise is larger than what its best children differ by, choosing well beats looking further.
    """

    def __init__(self, setting: Setting, rng: Generator, keep: int = 5, part: float = 2 / 3) -> None:
        super().__init__(setting, rng)
        self._keep, self._first = keep, max(1, round(part * setting.evaluations))
        self._seen: dict[int, list[float]] = {}
        self._told = 0
        self._best: list[int] = []

    def ask(self) -> Ask:
        if self._told < self._first:
            return super().ask()
        if not self._best:
            order = sorted(self._seen, key=lambda child: -max(self._seen[child]))
            self._best = order[: self._keep]
        return Ask(self._best[(self._told - self._first) % len(self._best)])

    def tell(self, trial: int, ask: Ask, seen: Seen) -> None:
        self._seen.setdefault(ask.child, []).append(or_worst(seen.signal))
        self._told += 1

    def incumbent(self) -> int | None:
        if not self._best:
            return None
        return max(self._best, key=lambda child: float(np.mean(self._seen[child])))
