"""Controllers that are trained on what their children reach: NAS with RL, and NASNet.

Zoph and Le, Neural Architecture Search with Reinforcement Learning (ICLR 2017): two LSTM layers of 35 units from
U(-.08, .08), Adam 6e-4, reward the cubed maximum of the last five epochs' validation accuracies, REINFORCE with an
exponential baseline; 8 children an update here (the paper: 8 a controller replica).
Zoph et al., Learning Transferable Architectures for Scalable Image Recognition (CVPR 2018): one layer of 100 units, PPO
with clipping at .2, Adam 3.5e-4, an entropy bonus of 1e-5, baseline of momentum .95, 20 children an update.

At 64 children these rates hardly move a controller: it says so itself.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from nasbench_ws.search.gradient import Adam, Baseline
from nasbench_ws.search.lstm import Array, Controller, log_softmax
from nasbench_ws.search.moves import moves_of
from nasbench_ws.search.oracle import Seen
from nasbench_ws.search.searcher import Ask, Setting


class NasRl:
    """REINFORCE.

    Args:
        rate: Adam's.
        batch: children an update.
    """

    layers, units, momentum = 2, 35, 0.9

    def __init__(self, setting: Setting, rng: Generator, rate: float = 6e-4, batch: int = 8) -> None:
        moves = moves_of(setting.space)
        self._strides = np.array(moves.strides)
        self._batch = batch
        # In single precision, as both papers trained: half the time of five hundred searches.
        shape = (moves.edges, moves.operations, self.layers, self.units)
        self.controller = Controller(*shape, rng, 0.08, np.float32)
        self._adam = Adam(self.controller.weights, rate)
        self._baseline = Baseline(self.momentum)
        self._choices = self.controller.sample(batch)
        self._rewards: list[float] = []

    def ask(self) -> Ask:
        return Ask(int(self._choices[len(self._rewards)] @ self._strides))

    def tell(self, trial: int, ask: Ask, seen: Seen) -> None:
        self._rewards.append(self.reward(seen))
        if len(self._rewards) == self._batch:
            rewards = np.array(self._rewards)
            there = np.isfinite(rewards)
            advantages = np.array([r - self._baseline(r) for r in rewards[there].tolist()])
            if len(advantages):
                self.learn(self._choices[there], advantages)
            self._choices, self._rewards = self.controller.sample(self._batch), []

    def reward(self, seen: Seen) -> float:
        return float(np.max(seen.curve[-5:])) ** 3

    def learn(self, choices: NDArray[np.intp], advantages: Array) -> None:
        probability = np.exp(log_softmax(self.controller.forward(choices)))
        d_logits = advantages[:, None, None] * (_one_hot(choices, self.controller.operations) - probability)
        self._adam.step(self.controller.backward(d_logits / len(choices)))


class NasNet(NasRl):
    """PPO."""

    layers, units, momentum = 1, 100, 0.95
    clip, entropy, passes = 0.2, 1e-5, 4  # the number of passes over a batch is not in the paper

    def __init__(self, setting: Setting, rng: Generator, rate: float = 3.5e-4, batch: int = 20) -> None:
        super().__init__(setting, rng, rate, batch)

    def reward(self, seen: Seen) -> float:
        return seen.signal

    def learn(self, choices: NDArray[np.intp], advantages: Array) -> None:
        chosen = _one_hot(choices, self.controller.operations)
        old: Array | None = None  # log probabilities of those that drew the children: of the first pass
        for _ in range(self.passes):
            log_p = log_softmax(self.controller.forward(choices))
            probability = np.exp(log_p)
            own = (log_p * chosen).sum(axis=(1, 2))
            old = own if old is None else old
            ratio = np.exp(own - old)
            stopped = np.where(advantages > 0, ratio > 1 + self.clip, ratio < 1 - self.clip)
            weight = np.where(stopped, 0.0, ratio * advantages)
            spread = -(probability * log_p).sum(axis=2, keepdims=True)  # (B, edges, 1)
            d_entropy = -probability * (log_p + spread)
            d_logits = weight[:, None, None] * (chosen - probability) + self.entropy * d_entropy
            self._adam.step(self.controller.backward(d_logits / len(choices)))


def _one_hot(choices: NDArray[np.intp], operations: int) -> Array:
    ones: Array = (choices[:, :, None] == np.arange(operations)).astype(np.float64)
    return ones
