"""DARTS: softmax gates on every edge, moved by held-back images while the rest move the weights.

Liu, Simonyan, Yang: DARTS: Differentiable Architecture Search (ICLR 2019). min over a of L_A(w*(a), a), where w*(a) is
least for L_W. First order: grad_a L_A(w, a). Second order (`darts:second`): at w' = w - xi (mu v + grad_w L_W + l w),

    d = grad_w' L_A(w', a),  e = .01 / ||d||,  h = (grad_a L_W(w + e d) - grad_a L_W(w - e d)) / 2e
    grad_a L_A(w', a) - xi h

with xi the learning rate of w, mu its momentum, v the momentum buffer and l the weight decay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.rankers.relaxed.gates import Adam, Alphas
from nasbench_ws.rankers.run import Batch, Run
from nasbench_ws.training.mixed import Draw

AUTHORS = Adam(lr=3e-4, updates=19_550)  # 50 epochs of 391


@dataclass
class Darts:
    """`lr` is Adam's for the gates; 0: the authors', scaled."""

    second: bool = False
    lr: float = 0.0
    hold: ClassVar[float] = 0.5
    readouts: ClassVar[tuple[str, ...]] = ("logp", "onehot", "perturbation")
    adam: ClassVar[Adam] = AUTHORS

    def start(self, run: Run) -> None:
        passes = (5 if self.second else 2) * run.relaxed_cost
        self.alphas = Alphas(run, self.adam, run.updates(passes), self.lr)

    def iterate(self, run: Run) -> None:
        batch, held = run.weight_batch(), run.gate_batch()
        gates = torch.softmax(self.alphas.values, dim=1)
        if self.second:
            gradient = unrolled(run, Draw.of(gates), batch, held)
        else:
            gradient = run.gate_gradient(held, Draw.of(gates))
        self.alphas.step(gates, gradient)
        run.weight_step(batch, self.mixture())

    def mixture(self) -> Draw:
        return Draw.of(torch.softmax(self.alphas.values, dim=1))

    def probabilities(self) -> Array:
        return self.alphas.probabilities


def unrolled(run: Run, draw: Draw, batch: Batch, held: Batch, xi: float | None = None) -> Tensor:
    """dL/dgates of the loss on held images after one step of the weights on the batch; nothing changes.

    xi: that step's learning rate; None: the recipe's of this moment.
    """
    net, recipe, rate = run.net, run.recipe, run.lr if xi is None else xi
    weights = net.supernet.weights
    before = weights.values.clone()

    def gradients(some: Batch, at: Tensor) -> tuple[Tensor, Tensor]:
        """Of the weights and of the gates, at other weights; and it is paid for."""
        weights.values.copy_(at)
        found, learnt = net.weights_gradient(*some, draw)
        run.pay(len(some[0]), net.macs(draw.active))
        return found, learnt.gates

    try:
        own, _ = gradients(batch, before)
        moved = before - rate * (recipe.momentum * weights.momentum + own + recipe.weight_decay * before)
        direction, gates = gradients(held, moved)
        size = float(direction.norm())
        if rate == 0 or size == 0:
            return gates
        e = 0.01 / size
        (_, up), (_, down) = gradients(batch, before + e * direction), gradients(batch, before - e * direction)
    finally:
        weights.values.copy_(before)
        run.meter.gate_steps += 1
    return gates - rate * (up - down) / (2 * e)
