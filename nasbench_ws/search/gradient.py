"""What REINFORCE and the controllers share: Adam, and a baseline that forgets.

Kingma and Ba, Adam (ICLR 2015), algorithm 1, uphill.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Adam:
    """Steps uphill, in place, on a list of arrays."""

    def __init__(self, weights: Sequence[Array], rate: float) -> None:
        self._weights, self._rate, self._steps = weights, rate, 0
        self._first = [np.zeros_like(w) for w in weights]
        self._second = [np.zeros_like(w) for w in weights]

    def step(self, gradients: Sequence[Array]) -> None:
        self._steps += 1
        scale = float(self._rate * np.sqrt(1 - 0.999**self._steps) / (1 - 0.9**self._steps))
        for w, m, v, g in zip(self._weights, self._first, self._second, gradients, strict=True):
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            w += scale * m / (np.sqrt(v) + 1e-8)


class Baseline:
    """Exponential mean of rewards, corrected for its start; the present reward counts (NAS-Bench-101, NATS-Bench)."""

    def __init__(self, momentum: float) -> None:
        self._momentum, self._sum, self._weight = momentum, 0.0, 0.0

    def __call__(self, reward: float) -> float:
        self._sum = self._momentum * self._sum + (1 - self._momentum) * reward
        self._weight = self._momentum * self._weight + 1 - self._momentum
        return self._sum / self._weight
