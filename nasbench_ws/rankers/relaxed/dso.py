"""DSO-NAS: gates that only an L1 penalty holds down; an operation whose gate stays at 0 is dropped.

Zhang, Huang, Wang, Xiang, Pan: You Only Search Once: Single Shot Neural Architecture Search via Direct Sparse
Optimization (TPAMI 2020). From half time on, gates move by accelerated proximal gradient (APG-NAG), elementwise:

    v <- mu v;  z <- soft(g - eta dL/dg, eta gamma);  v <- z - g + v;  g <- max(0, z + mu v)

Without gradient, gates fall by eta gamma / (1 - mu) at a step. Here batch norms make their common scale immaterial but
for the last cell, so the penalty is felt in the competition between operations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.rankers.readouts import additive
from nasbench_ws.rankers.run import Run
from nasbench_ws.training.mixed import Draw

ETA, MU, CLIP = 0.1, 0.9, 2.0
FALL = 1.3  # of a gate without gradient over all its steps: gamma follows from it, and from how many there are
DEAD = 50  # gate steps at 0 after which an operation is dropped


@dataclass
class Dso:
    """`gamma` is the penalty; 0: as `FALL` says."""

    gamma: float = 0.0
    hold: ClassVar[float] = 0.5
    readouts: ClassVar[tuple[str, ...]] = ("gates", "onehot", "perturbation")

    def start(self, run: Run) -> None:
        here = int(0.5 * run.updates(2 * run.relaxed_cost)) or 1
        self._gamma = self.gamma or FALL * (1 - MU) / (ETA * here)
        self.lambdas, self._speed = np.ones(run.net.shape), np.zeros(run.net.shape)
        self._died, self._zero = np.full(run.net.shape, np.nan), np.zeros(run.net.shape, dtype=int)
        self._steps = 0

    def iterate(self, run: Run) -> None:
        run.weight_step(run.weight_batch(), self.mixture())
        if run.progress < 0.5:
            return
        gradient = run.gate_gradient(run.gate_batch(), self.mixture()).numpy()
        alive = self._zero < DEAD
        gates, speed = apg_nag(self.lambdas, self._speed, gradient, self._gamma)
        self.lambdas, self._speed = np.where(alive, gates, 0.0), np.where(alive, speed, 0.0)
        self._steps += 1
        zero = self.lambdas == 0
        self._died = np.where(zero & np.isnan(self._died), self._steps, np.where(zero, self._died, np.nan))
        self._zero = np.where(zero, self._zero + 1, 0)

    def mixture(self) -> Draw:
        return Draw.of(torch.from_numpy(self.lambdas), self._zero < DEAD)

    def gates(self) -> Array:
        return self.lambdas

    def read(self, run: Run, name: str) -> Array:
        """Of what is alive its gate; of what is dead how late it died, below 0."""
        dead = self._died / max(self._steps, 1) - 1
        return additive(np.where(np.isnan(self._died), self.lambdas, dead), run.choices)


def apg_nag(gates: Array, speed: Array, gradient: Array, gamma: float) -> tuple[Array, Array]:
    """One step: the gates and the speed after it."""
    kept = MU * speed
    moved = gates - ETA * np.clip(gradient, -CLIP, CLIP)
    shrunk = np.sign(moved) * np.maximum(np.abs(moved) - ETA * gamma, 0)
    faster = shrunk - gates + kept
    return np.maximum(0, shrunk + MU * faster), faster
