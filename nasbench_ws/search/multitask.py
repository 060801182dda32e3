"""Evolution of modules, and of champions: on one table, or on several at once.

    search("coevolution", table), search("ctr", table)
    search_tables(["multitask:coevolution", "multitask:ctr"], oracles)   # what one table says of a module counts on all

Liang, Meyerson and Miikkulainen, Evolutionary Architecture Search for Deep Multitask Networks (GECCO 2018).
CM: a population of modules for each place, whose fitness is that of the networks they took part in. CTR: each task
keeps one champion, and a mutated one replaces it where it is better; the modules that mutants get are shared by the
tasks. Here a task is a table, a module an operation of an edge. On one table CTR is a (1+1) evolution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from nasbench_ws.search.moves import Moves, moves_of
from nasbench_ws.search.oracle import Seen
from nasbench_ws.search.searcher import Ask, Setting, or_worst

PRIOR = 2.0  # observations' worth of the mean of all, in a module's fitness
TEMPERATURE = 0.01  # of choosing modules by fitness, in the unit of the signal
Array = NDArray[np.float64]


class Modules:
    """What was seen of the operations of each edge, by task.

    With several tasks an observation counts as what it is above its own task's mean, so that a task where all networks
    do well does not make its modules look good. Spreads are left as they are.
    """

    def __init__(self, moves: Moves, tasks: int) -> None:
        self._moves = moves
        self._sums = np.zeros((tasks, moves.edges, moves.operations))
        self._counts = np.zeros_like(self._sums)

    def hear(self, task: int, child: int, signal: float) -> None:
        places = np.arange(self._moves.edges), self._moves.choices[child]
        self._sums[task][places] += signal
        self._counts[task][places] += 1

    def fitness(self) -> Array:
        """(edges, operations)"""
        sums, counts = self._sums, self._counts
        means = sums.sum(axis=(1, 2)) / np.maximum(counts.sum(axis=(1, 2)), 1)  # (tasks,)
        if len(sums) == 1:
            fitness: Array = (sums[0] + PRIOR * means[0]) / (counts[0] + PRIOR)
            return fitness
        above = (sums - counts * means[:, None, None]).sum(axis=0)
        shared: Array = above / (counts.sum(axis=0) + PRIOR)
        return shared


class Coevolution:
    """Modules are the operations of each edge; networks draw them in proportion to exp(fitness / temperature).

    Args:
        networks: in a generation.
        temperature: in the unit of the signal.
        modules: shared with other tasks; None: its own.
        task: its place among them.
    """

    def __init__(
        self, setting: Setting, rng: Generator, networks: int = 6, temperature: float = TEMPERATURE,
        modules: Modules | None = None, task: int = 0,
    ) -> None:  # fmt: skip
        self._moves, self._rng = moves_of(setting.space), rng
        self._networks, self._temperature = max(1, networks), temperature
        self._modules, self._task = modules or Modules(self._moves, 1), task
        self._next: list[int] = []

    @classmethod
    def for_tasks(
        cls, settings: Sequence[Setting], rng: Generator, networks: int = 6, temperature: float = TEMPERATURE
    ) -> list[Coevolution]:
        modules = Modules(moves_of(settings[0].space), len(settings))
        return [cls(setting, rng, networks, temperature, modules, task) for task, setting in enumerate(settings)]

    def ask(self) -> Ask:
        if not self._next:
            self._next = self._assembled()
        return Ask(self._next.pop())

    def tell(self, trial: int, ask: Ask, seen: Seen) -> None:
        if not math.isnan(seen.signal):
            self._modules.hear(self._task, ask.child, seen.signal)

    def _assembled(self) -> list[int]:
        fitness = self._modules.fitness()
        weight = np.exp((fitness - fitness.max(axis=1, keepdims=True)) / self._temperature)
        below = (weight / weight.sum(axis=1, keepdims=True)).cumsum(axis=1)  # (edges, operations)
        level = self._rng.random((self._networks, self._moves.edges, 1))
        choices = np.minimum((below < level).sum(axis=2), self._moves.operations - 1)
        children: list[int] = (choices @ np.array(self._moves.strides)).tolist()
        return children


class Champion:
    """CTR.

    Args:
        modules: of several tasks: a mutated edge gets one of its other operations in proportion to exp(fitness /
            TEMPERATURE); None: any of them.
        task: its place among them.
    """

    def __init__(self, setting: Setting, rng: Generator, modules: Modules | None = None, task: int = 0) -> None:
        self._moves, self._rng = moves_of(setting.space), rng
        self._modules, self._task = modules, task
        self._best: int | None = None
        self._value = -math.inf

    @classmethod
    def for_tasks(cls, settings: Sequence[Setting], rng: Generator) -> list[Champion]:
        modules = Modules(moves_of(settings[0].space), len(settings)) if len(settings) > 1 else None
        return [cls(setting, rng, modules, task) for task, setting in enumerate(settings)]

    def ask(self) -> Ask:
        child = self._best
        if child is None:
            return Ask(self._moves.random(self._rng))
        return Ask(self._moves.mutate(child, self._rng) if self._modules is None else self._challenger(child))

    def tell(self, trial: int, ask: Ask, seen: Seen) -> None:
        if self._modules is not None and not math.isnan(seen.signal):
            self._modules.hear(self._task, ask.child, seen.signal)
        if or_worst(seen.signal) > self._value:
            self._best, self._value = ask.child, seen.signal

    def _challenger(self, child: int) -> int:
        """One edge, uniformly, gets another module: the fitter the likelier."""
        assert self._modules is not None
        edge = int(self._rng.integers(self._moves.edges))
        fitness, own = self._modules.fitness()[edge], self._moves.choice(child, edge)
        weight = np.exp((fitness - fitness.max()) / TEMPERATURE)
        weight[own] = 0.0
        if not weight.sum() > 0:  # there is no other operation, or none that is not far worse
            return self._moves.mutate(child, self._rng)
        other = int(self._rng.choice(len(weight), p=weight / weight.sum()))
        return child + (other - own) * self._moves.strides[edge]
