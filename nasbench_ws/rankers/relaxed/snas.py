"""SNAS: Gumbel-softmax gates that grow colder, and one batch that moves weights and gates alike.

Xie, Zheng, Liu, Lin: SNAS: Stochastic Neural Architecture Search (ICLR 2019). g = softmax((a + G) / T), one draw an
iteration for all cells, T(p) = 1 - .97 p over the part p of the budget that is spent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.rankers.relaxed.gates import Adam, Alphas, relaxed
from nasbench_ws.rankers.run import Run
from nasbench_ws.training.mixed import Draw

AUTHORS = Adam(lr=3e-4, updates=117_300, clip=10.0)  # 150 epochs of 782


@dataclass
class Snas:
    """`lr` is Adam's for the gates; 0: the authors', scaled."""

    lr: float = 0.0
    readouts: ClassVar[tuple[str, ...]] = ("logp", "onehot")

    def start(self, run: Run) -> None:
        self.alphas = Alphas(run, AUTHORS, run.updates(run.relaxed_cost), self.lr, deviation=0.01, mean=1.0)
        self.temperature = 1.0

    def iterate(self, run: Run) -> None:
        self.temperature = 1 - 0.97 * min(run.progress, 1.0)
        gates = relaxed(self.alphas.values, run.gumbel(), self.temperature)
        learnt = run.weight_step(run.weight_batch(), Draw.of(gates))
        self.alphas.step(gates, learnt.gates)

    def probabilities(self) -> Array:
        return self.alphas.probabilities
