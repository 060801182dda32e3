"""Auto-DeepLab's search of the cell: DARTS of the first order, whose gates begin to move at half time.

Liu et al.: Auto-DeepLab: Hierarchical Neural Architecture Search for Semantic Image Segmentation (CVPR 2019).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.rankers.relaxed.gates import Adam, Alphas
from nasbench_ws.rankers.run import Run
from nasbench_ws.training.mixed import Draw

AUTHORS = Adam(lr=3e-3, updates=14_870, betas=(0.9, 0.999))  # 20 epochs of 743
FROZEN = 0.5  # of the budget, before gates move


@dataclass
class AutoDeepLab:
    """`lr` is Adam's for the gates; 0: the authors', scaled."""

    lr: float = 0.0
    hold: ClassVar[float] = 0.5
    readouts: ClassVar[tuple[str, ...]] = ("logp", "onehot", "perturbation")

    def start(self, run: Run) -> None:
        here = int((1 - FROZEN) * run.updates(2 * run.relaxed_cost)) or 1
        self.alphas = Alphas(run, AUTHORS, here, self.lr)

    def iterate(self, run: Run) -> None:
        run.weight_step(run.weight_batch(), self.mixture())
        if run.progress >= FROZEN:
            gates = torch.softmax(self.alphas.values, dim=1)
            self.alphas.step(gates, run.gate_gradient(run.gate_batch(), Draw.of(gates)))

    def mixture(self) -> Draw:
        return Draw.of(torch.softmax(self.alphas.values, dim=1))

    def probabilities(self) -> Array:
        return self.alphas.probabilities
