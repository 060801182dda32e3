"""Evolution: by age, by pairs, by growth, on a super-net.

Real et al., Regularized Evolution for Image Classifier Architecture Search (AAAI 2019): `RegularizedEvolution`.
Real et al., Large-Scale Evolution of Image Classifiers (ICML 2017): `LargeScale`.
Liu et al., Hierarchical Representations for Efficient Architecture Search (ICLR 2018): `Hierarchical`.
Guo et al., Single Path One-Shot Neural Architecture Search with Uniform Sampling (ECCV 2020): `SinglePathEvolution`.

A child on a table inherits no weights from its parent, and motifs of motifs have no counterpart in a cell of one level.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from nasbench_ws.search.moves import moves_of
from nasbench_ws.search.oracle import Seen
from nasbench_ws.search.searcher import Ask, Setting, or_worst

TRIES = 10  # draws for each child that was not scored before


class RegularizedEvolution:
    """The oldest dies. Authors 100/25, NAS-Bench-101 100/10, NATS-Bench and here 10/3.

    Args:
        population: children alive.
        sample: drawn with replacement for each tournament, as the authors' code does.
    """

    def __init__(self, setting: Setting, rng: Generator, population: int = 10, sample: int = 3) -> None:
        self._moves, self._rng, self._size, self._sample = moves_of(setting.space), rng, population, sample
        self._alive: deque[tuple[float, int]] = deque()

    def ask(self) -> Ask:
        if len(self._alive) < self._size:
            return Ask(self._moves.random(self._rng))
        drawn = self._rng.integers(len(self._alive), size=self._sample).tolist()
        parent = max((self._alive[i] for i in drawn), key=lambda one: one[0])
        return Ask(self._moves.mutate(parent[1], self._rng))

    def tell(self, trial: int, ask: Ask, seen: Seen) -> None:
        self._alive.append((or_worst(seen.signal), ask.child))
        if len(self._alive) > self._size:
            self._alive.popleft()


class LargeScale:
    """Of two drawn at random the worse dies, and a mutated copy of the better takes its place.

    Authors: 1,000 individuals that begin trivial; here 10 that begin random. Of the 11 mutations two exist on a table:
    another operation, and (1 in 11) none, which trains the same child again.
    """

    def __init__(self, setting: Setting, rng: Generator, population: int = 10) -> None:
        self._moves, self._rng, self._size = moves_of(setting.space), rng, max(2, population)
        self._alive: list[tuple[float, int]] = []

    def ask(self) -> Ask:
        if len(self._alive) < self._size:
            return Ask(self._moves.random(self._rng))
        first, second = self._rng.choice(len(self._alive), size=2, replace=False).tolist()
        worse, better = sorted((first, second), key=lambda i: self._alive[i][0])
        child = self._alive[better][1]
        del self._alive[worse]
        return Ask(child if self._rng.random() < 1 / 11 else self._moves.mutate(child, self._rng))

    def tell(self, trial: int, ask: Ask, seen: Seen) -> None:
        self._alive.append((or_worst(seen.signal), ask.child))


class Hierarchical:
    """The winner of a tournament is mutated; nobody dies.

    Args:
        start: random individuals (the authors': 200, each a trivial one after 1,000 mutations, which is uniform).
        part: of the population in a tournament, at least two.
    """

    def __init__(self, setting: Setting, rng: Generator, start: int = 10, part: float = 0.05) -> None:
        self._moves, self._rng, self._start, self._part = moves_of(setting.space), rng, max(1, start), part
        self._alive: list[tuple[float, int]] = []

    def ask(self) -> Ask:
        if len(self._alive) < self._start:
            return Ask(self._moves.random(self._rng))
        size = min(len(self._alive), max(2, round(self._part * len(self._alive))))
        drawn = self._rng.choice(len(self._alive), size=size, replace=False).tolist()
        winner = max((self._alive[i] for i in drawn), key=lambda one: one[0])
        return Ask(self._moves.mutate(winner[1], self._rng))

    def tell(self, trial: int, ask: Ask, seen: Seen) -> None:
        self._alive.append((or_worst(seen.signal), ask.child))


class SinglePathEvolution:
    """Half of a generation crosses the best, half mutates them; a child is scored once.

    Authors: population 50, the 10 best are parents, 25 crossings and 25 mutations of probability .1 an operation.

    Args:
        population: here scaled to the space and to the budget; the other numbers follow in proportion.
    """

    def __init__(self, setting: Setting, rng: Generator, population: int = 10) -> None:
        self._moves, self._rng, self._size = moves_of(setting.space), rng, max(2, population)
        self._parents = max(2, population // 5)
        self._scores: dict[int, float] = {}
        self._next: deque[int] = deque()

    def ask(self) -> Ask:
        if not self._next:
            self._generation()
        return Ask(self._next.popleft())

    def tell(self, trial: int, ask: Ask, seen: Seen) -> None:
        self._scores[ask.child] = max(or_worst(seen.signal), self._scores.get(ask.child, -math.inf))

    def _generation(self) -> None:
        """Children that were not scored before, as the authors draw until they have them; else random ones."""
        order = sorted(self._scores, key=lambda child: -self._scores[child])
        best = self._moves.choices[order[: self._parents]]
        half = self._size // 2 if order else 0
        for count, draw in ((half, self._crossed), (self._size - half if order else 0, self._mutated)):
            for child in draw(best, TRIES * count) if count else ():
                if len(self._next) == self._size or count == 0:
                    break
                if child not in self._scores and child not in self._next:
                    self._next.append(child)
                    count -= 1
        while len(self._next) < self._size:
            self._next.append(self._moves.random(self._rng))

    def _crossed(self, best: NDArray[np.intp], count: int) -> list[int]:
        first, second = best[self._rng.integers(len(best), size=(2, count))]  # (count, edges) each
        return self._children(np.where(self._rng.random(first.shape) < 0.5, first, second))

    def _mutated(self, best: NDArray[np.intp], count: int) -> list[int]:
        parents = best[self._rng.integers(len(best), size=count)]
        other = self._rng.integers(self._moves.operations, size=parents.shape)
        return self._children(np.where(self._rng.random(parents.shape) < 0.1, other, parents))

    def _children(self, choices: NDArray[np.intp]) -> list[int]:
        children: list[int] = (choices @ np.array(self._moves.strides)).tolist()
        return children
