"""Evolution of modules, and of one champion: what multitask evolution is on one task.

Liang, Meyerson and Miikkulainen, Evolutionary Architecture Search for Deep Multitask Networks (GECCO 2018).
CM: a population of modules for each place, whose fitness is that of the networks they took part in. CTR: each task
keeps one champion, and a mutated one replaces it where it is better. A table is one task, so that modules are shared
with no other task, and CTR is a (1+1) evolution. No torch.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator

from nasbench_ws.search.moves import moves_of
from nasbench_ws.search.oracle import Seen
from nasbench_ws.search.searcher import Ask, Setting, or_worst

PRIOR = 2.0  # observations' worth of the mean of all, in a module's fitness


class Coevolution:
    """Modules are the operations of each edge; networks draw them in proportion to exp(fitness / temperature).

    Args:
        networks: in a generation.
        temperature: in the unit of the signal.
    """

    def __init__(self, setting: Setting, rng: Generator, networks: int = 6, temperature: float = 0.01) -> None:
        self._moves, self._rng = moves_of(setting.space), rng
        self._networks, self._temperature = max(1, networks), temperature
        shape = (self._moves.edges, self._moves.operations)
        self._sums, self._counts = np.zeros(shape), np.zeros(shape)
        self._next: list[int] = []

    def ask(self) -> Ask:
        if not self._next:
            self._next = self._assembled()
        return Ask(self._next.pop())

    def tell(self, trial: int, ask: Ask, seen: Seen) -> None:
        if math.isnan(seen.signal):
            return
        places = np.arange(self._moves.edges), self._moves.choices[ask.child]
        self._sums[places] += seen.signal
        self._counts[places] += 1

    def _assembled(self) -> list[int]:
        mean = self._sums.sum() / max(self._counts.sum(), 1)
        fitness = (self._sums + PRIOR * mean) / (self._counts + PRIOR)
        weight = np.exp((fitness - fitness.max(axis=1, keepdims=True)) / self._temperature)
        below = (weight / weight.sum(axis=1, keepdims=True)).cumsum(axis=1)  # (edges, operations)
        level = self._rng.random((self._networks, self._moves.edges, 1))
        choices = np.minimum((below < level).sum(axis=2), self._moves.operations - 1)
        children: list[int] = (choices @ np.array(self._moves.strides)).tolist()
        return children


class Champion:
    """CTR."""

    def __init__(self, setting: Setting, rng: Generator) -> None:
        self._moves, self._rng = moves_of(setting.space), rng
        self._best: int | None = None
        self._value = -math.inf

    def ask(self) -> Ask:
        child = self._best
        return Ask(self._moves.random(self._rng) if child is None else self._moves.mutate(child, self._rng))

    def tell(self, trial: int, ask: Ask, seen: Seen) -> None:
        if or_worst(seen.signal) > self._value:
            self._best, self._value = ask.child, seen.signal
