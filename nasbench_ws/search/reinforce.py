"""REINFORCE on independent choices, and MnasNet's reward for accuracy and cost.

Williams, Simple Statistical Gradient-Following Algorithms (Machine Learning 1992); the baseline as NAS-Bench-101 (SGD)
and NATS-Bench (Adam .01, momentum .9) run it. On accuracies that differ by .01 their rates hardly move a parameter in
64 trials; `reinforce:adam:0.1` is the default here.
Tan et al., MnasNet (CVPR 2019), equation 2: ACC (C / T)^w; Bender et al., TuNAS (CVPR 2020): ACC - w |C / T - 1|.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator

from nasbench_ws.errors import SearcherError
from nasbench_ws.search.gradient import Adam, Baseline
from nasbench_ws.search.moves import moves_of
from nasbench_ws.search.oracle import Seen
from nasbench_ws.search.searcher import Ask, Setting


class Reinforce:
    """One softmax an edge; theta += rate (reward - baseline) d log p.

    Args:
        optimiser: sgd or adam.
        rate: its learning rate; None: .1 for adam, .5 for sgd.
    """

    def __init__(self, setting: Setting, rng: Generator, optimiser: str = "adam", rate: float | None = None) -> None:
        if optimiser not in ("sgd", "adam"):
            raise SearcherError(f"reinforce has no optimiser {optimiser!r}; write reinforce:adam:RATE or :sgd:RATE")
        self._moves, self._rng = moves_of(setting.space), rng
        self._theta = np.zeros((self._moves.edges, self._moves.operations))
        self._rate = rate if rate is not None else {"sgd": 0.5, "adam": 0.1}[optimiser]
        self._adam = Adam([self._theta], self._rate) if optimiser == "adam" else None
        self._baseline = Baseline(0.9)
        self._strides = np.array(self._moves.strides)
        self._chosen = self._probability = self._theta

    def ask(self) -> Ask:
        exponent = np.exp(self._theta - self._theta.max(axis=1, keepdims=True))
        self._probability = exponent / exponent.sum(axis=1, keepdims=True)
        level = self._rng.random((self._moves.edges, 1))
        choices = np.minimum((self._probability.cumsum(axis=1) < level).sum(axis=1), self._moves.operations - 1)
        self._chosen = np.zeros_like(self._theta)
        self._chosen[np.arange(len(choices)), choices] = 1.0
        return Ask(int(choices @ self._strides))

    def tell(self, trial: int, ask: Ask, seen: Seen) -> None:
        reward = self.reward(seen)
        if math.isnan(reward):
            return
        gradient = (reward - self._baseline(reward)) * (self._chosen - self._probability)
        if self._adam is not None:
            self._adam.step([gradient])
        else:
            self._theta += self._rate * gradient

    def reward(self, seen: Seen) -> float:
        return seen.signal


class Mnas(Reinforce):
    """REINFORCE for accuracy at a price: the reward is high where the child is good and costs at most the target.

    Args:
        target: multiply-adds of one image; 0: those of the median child.
        kind: soft: acc (C / T)^w; hard: acc, but acc T / C above the target; abs: acc - w |C / T - 1|.
        weight: of the price; None: -.07 for soft (the paper's), .07 for abs.
    """

    def __init__(
        self, setting: Setting, rng: Generator, target: float = 0.0, kind: str = "soft", weight: float | None = None
    ) -> None:
        super().__init__(setting, rng)
        if kind not in ("soft", "hard", "abs"):
            raise SearcherError(f"mnas has no reward {kind!r}; write mnas:TARGET:soft, :hard or :abs")
        self._target, self._kind = target or float(np.median(setting.macs)), kind
        self._weight = weight if weight is not None else {"soft": -0.07, "hard": -1.0, "abs": 0.07}[kind]
        self._best: int | None = None
        self._reward = -math.inf

    def tell(self, trial: int, ask: Ask, seen: Seen) -> None:
        super().tell(trial, ask, seen)
        reward = self.reward(seen)
        if reward > self._reward:
            self._best, self._reward = ask.child, reward

    def reward(self, seen: Seen) -> float:
        price = seen.macs / self._target
        if self._kind == "abs":
            return seen.signal - self._weight * abs(price - 1)
        factor = float(price**self._weight)
        return seen.signal * (factor if self._kind == "soft" else min(1.0, factor))

    def incumbent(self) -> int | None:
        """The child of the highest reward."""
        return self._best
