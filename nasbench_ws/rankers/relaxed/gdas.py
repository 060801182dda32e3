"""GDAS: one operation an edge is drawn and run; its gate is 1 in value and Gumbel-softmax in gradient.

Dong and Yang: Searching for a Robust Neural Architecture in Four GPU Hours (CVPR 2019).

    y = softmax((log softmax(a) + G) / tau),  i = argmax y,  g = onehot(i) - stop(y) + y,  tau from 10 to .1

dL/da flows through the selected gate alone: J^T e_i dL/dg_i, with J the Jacobian of y.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.rankers.relaxed.gates import Adam, Alphas, straight_through
from nasbench_ws.rankers.run import Run

AUTHORS = Adam(lr=3e-4, updates=39_100)  # 100 epochs of 391


@dataclass
class Gdas:
    """`lr` is Adam's for the gates; 0: the authors', scaled."""

    lr: float = 0.0
    hold: ClassVar[float] = 0.5
    readouts: ClassVar[tuple[str, ...]] = ("logp", "onehot")

    def start(self, run: Run) -> None:
        self.alphas = Alphas(run, AUTHORS, run.updates(2), self.lr)
        self.temperature = 10.0

    def iterate(self, run: Run) -> None:
        self.temperature = 10 - 9.9 * min(run.progress, 1.0)
        gates = straight_through(self.alphas.values, run.gumbel(), self.temperature)
        run.child_step(run.weight_batch(), gates.argmax(dim=1).numpy())
        gates = straight_through(self.alphas.values, run.gumbel(), self.temperature)
        draw = run.one_hot(gates.argmax(dim=1).numpy())
        self.alphas.step(gates, run.gate_gradient(run.gate_batch(), draw))

    def probabilities(self) -> Array:
        return self.alphas.probabilities
