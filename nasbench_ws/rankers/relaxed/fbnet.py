"""FBNet: Gumbel-softmax gates on held-back images, frozen for the first ninth; with a cost term as `fbnet:macs`.

Wu et al.: FBNet: Hardware-Aware Efficient ConvNet Design via Differentiable Architecture Search (CVPR 2019).
T(p) = 5 exp(-4.05 p). With `macs` the gates' loss is CE * alpha * log(LAT)^beta, alpha .2 and beta .6, where LAT is
exact: what every child has, and the sum of gates times multiply-adds, in thousands.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.rankers.relaxed.gates import Adam, Alphas, relaxed
from nasbench_ws.rankers.run import Run
from nasbench_ws.training.mixed import Draw

AUTHORS = Adam(lr=0.01, updates=10_800, betas=(0.9, 0.999), decay=5e-4)
FROZEN = 1 / 9  # of the budget, before gates move
STEPS = 4  # of the weights, to one of the gates
ALPHA, BETA = 0.2, 0.6


@dataclass
class Fbnet:
    """`lr` is Adam's for the gates; 0: the authors', scaled."""

    macs: bool = False
    lr: float = 0.0
    hold: ClassVar[float] = 0.2
    readouts: ClassVar[tuple[str, ...]] = ("logp", "onehot", "sampled:6")

    def start(self, run: Run) -> None:
        here = int((1 - FROZEN) * run.updates(run.relaxed_cost * (STEPS + 1))) or 1
        self.alphas = Alphas(run, AUTHORS, here, self.lr, deviation=0.0, mean=1 / len(run.space.operations))
        self.temperature = 5.0
        self._steps = 0

    def iterate(self, run: Run) -> None:
        self.temperature = 5 * math.exp(-4.05 * min(run.progress, 1.0))
        gates = relaxed(self.alphas.values, run.gumbel(), self.temperature)
        if run.progress < FROZEN or self._steps < STEPS:
            run.weight_step(run.weight_batch(), Draw.of(gates))
            self._steps += 1
            return
        gradient, self._steps = run.gate_gradient(run.gate_batch(), Draw.of(gates)), 0
        self.alphas.step(gates, with_cost(run, gates.detach(), gradient) if self.macs else gradient)

    def probabilities(self) -> Array:
        return self.alphas.probabilities


def with_cost(run: Run, gates: Tensor, gradient: Tensor) -> Tensor:
    """d(CE alpha log(LAT)^beta)/dgates from dCE/dgates, and the loss of that batch."""
    own = torch.from_numpy(run.net.own_macs / 1000)
    latency = run.net.common_macs / 1000 + float((gates * own).sum())
    log = math.log(latency)
    found: Tensor = ALPHA * log**BETA * gradient + run.loss * ALPHA * BETA * log ** (BETA - 1) / latency * own
    return found
