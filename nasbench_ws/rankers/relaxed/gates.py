"""Architecture parameters: numbers by edge and operation, what makes gates of them, and the Adam that moves them.

    alphas = Alphas(run, Adam(lr=3e-4, updates=19_550, betas=(0.5, 0.999), decay=1e-3), here=895)
    gates = torch.softmax(alphas.values, dim=1)
    alphas.step(gates, run.gate_gradient(batch, Draw.of(gates)))

Rates are the authors', scaled by their number of updates over that of the budget: Adam moves a number by about its rate
at each update, so that fewer updates at the same rate would leave everything as it was.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.rankers.run import Run

MOST = 0.1  # of a scaled rate


@dataclass(frozen=True)
class Adam:
    """The authors' settings; `updates` is how many gate updates they make."""

    lr: float
    updates: int
    betas: tuple[float, float] = (0.5, 0.999)
    decay: float = 1e-3  # L2, added to the gradient
    clip: float = 0.0  # of the gradient's norm; 0: none

    def scaled(self, here: int) -> float:
        """The rate for `here` updates.

        >>> round(Adam(lr=3e-4, updates=19_550).scaled(895), 4), Adam(lr=1e-3, updates=114_300).scaled(694)
        (0.0066, 0.1)
        """
        return min(MOST, self.lr * self.updates / here)


class Alphas:
    """`values` (edges, operations) float64, normal with a mean and a deviation at first.

    Args:
        run: whose noise they start from.
        adam: how they move.
        here: gate updates in the budget.
        lr: a rate in the place of the scaled one; 0: the scaled one.
    """

    def __init__(
        self, run: Run, adam: Adam, here: int, lr: float = 0.0, deviation: float = 1e-3, mean: float = 0.0
    ) -> None:
        self.values = torch.from_numpy(mean + deviation * run.normal()).requires_grad_()
        self.lr, self._clip = lr or adam.scaled(here), adam.clip
        self._adam = torch.optim.Adam([self.values], self.lr, adam.betas, weight_decay=adam.decay)

    def step(self, gates: Tensor, gradient: Tensor) -> None:
        """One update from dL/dgates, through whatever made the gates of the values."""
        self._adam.zero_grad()
        torch.autograd.backward([gates], [gradient])
        self.update()

    def update(self, gradient: Tensor | None = None) -> None:
        """One update from dL/dvalues, or from what is in their `grad`."""
        if gradient is not None:
            self.values.grad = gradient
        if self._clip:
            torch.nn.utils.clip_grad_norm_([self.values], self._clip)
        self._adam.step()

    @property
    def probabilities(self) -> Array:
        """Softmax over the operations of each edge."""
        found: Array = torch.softmax(self.values.detach(), dim=1).numpy().copy()
        return found


def relaxed(values: Tensor, noise: Array, temperature: float) -> Tensor:
    """The Gumbel-softmax: softmax((a + G) / T) by edge (Jang et al., Maddison et al., 2017)."""
    return torch.softmax((values + torch.from_numpy(noise)) / temperature, dim=1)


def straight_through(values: Tensor, noise: Array, temperature: float) -> Tensor:
    """One-hot in value, and in gradient the Gumbel-softmax of log-probabilities (Dong and Yang, GDAS, 2019)."""
    soft = relaxed(torch.log_softmax(values, dim=1), noise, temperature)
    hard = torch.zeros_like(soft).scatter_(1, soft.argmax(dim=1, keepdim=True), 1.0)
    return hard - soft.detach() + soft


def softmax(values: Array) -> Array:
    """By edge, in numpy."""
    shifted = np.exp(values - values.max(axis=1, keepdims=True))
    found: Array = shifted / shifted.sum(axis=1, keepdims=True)
    return found
