"""Q-learning with replay.

Baker et al., Designing Neural Network Architectures using Reinforcement Learning (ICLR 2017): a child is written edge
after edge, epsilon falls on a schedule, and after each new child 128 trajectories are replayed from memory. Constants
as in the authors' code: rate .01, no discount, no reward on the way.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.random import Generator

from nasbench_ws.search.moves import moves_of
from nasbench_ws.search.oracle import Seen
from nasbench_ws.search.searcher import Ask, Setting

# epsilon: children trained at it, of 2,700
SCHEDULE = {1.0: 1500, 0.9: 100, 0.8: 100, 0.7: 100, 0.6: 150, 0.5: 150, 0.4: 150, 0.3: 150, 0.2: 150, 0.1: 150}
REPLAYED, RATE, FIRST_Q = 128, 0.01, 0.5
# reward; the last action's place in Q; of each earlier one, from the last, its place and that of the state it led to
Trajectory: TypeAlias = "tuple[float, int, tuple[tuple[int, int], ...]]"


class MetaQnn:
    """The schedule is scaled to the budget.

    Args:
        start: Q at first: authors: .5 ("around an average model's accuracy, better too low"); else the mean of the
            first four observations less .02, which is what their sentence means on another table.
    """

    def __init__(self, setting: Setting, rng: Generator, start: str = "mean") -> None:
        self._moves, self._rng = moves_of(setting.space), rng
        base, edges = self._moves.operations, self._moves.edges
        # All of Q in one list: state (edge, choices before) has its operations side by side from `first` on.
        self._starts = [sum(base**e for e in range(1, edge + 1)) for edge in range(edges)]
        self._q = [FIRST_Q] * sum(base ** (e + 1) for e in range(edges))
        ends = np.cumsum(list(SCHEDULE.values())) / sum(SCHEDULE.values()) * setting.evaluations
        self._ends, self._epsilons = ends.tolist(), list(SCHEDULE)
        self._memory: list[Trajectory] = []
        self._first: list[float] | None = [] if start == "mean" else None

    def ask(self) -> Ask:
        trials = len(self._memory)
        epsilon = next((e for e, end in zip(self._epsilons, self._ends, strict=True) if trials < end), 0.1)
        base, child = self._moves.operations, 0
        for edge in range(self._moves.edges):
            state = self._starts[edge] + child * base
            values = self._q[state : state + base]
            if self._rng.random() < epsilon:
                action = int(self._rng.integers(base))
            else:
                best = max(values)
                ties = [i for i, value in enumerate(values) if value == best]
                action = ties[int(self._rng.integers(len(ties)))] if len(ties) > 1 else ties[0]
            child = child * base + action
        return Ask(child)

    def tell(self, trial: int, ask: Ask, seen: Seen) -> None:
        if math.isnan(seen.signal):
            return
        if self._first is not None:
            self._first.append(seen.signal)
            if len(self._first) == 4:  # before that nothing is certain enough to replay
                self._q = [sum(self._first) / 4 - 0.02] * len(self._q)
                self._first = None
        self._memory.append(self._trajectory(ask.child, seen.signal))
        if self._first is None:
            self._replay()

    def _trajectory(self, child: int, reward: float) -> Trajectory:
        base = self._moves.operations
        prefixes = [child // stride for stride in self._moves.strides]  # choices up to and with each edge
        places = [start + prefix for start, prefix in zip(self._starts, prefixes, strict=True)]
        states = [start + prefix * base for start, prefix in zip(self._starts[1:], prefixes[:-1], strict=True)]
        return reward, places[-1], tuple(zip(reversed(places[:-1]), reversed(states), strict=True))

    def _replay(self) -> None:
        q, base, memory = self._q, self._moves.operations, self._memory
        for number in self._rng.integers(len(memory), size=REPLAYED).tolist():
            target, last, earlier = memory[number]
            q[last] += RATE * (target - q[last])
            for place, state in earlier:
                q[place] += RATE * (max(q[state : state + base]) - q[place])
