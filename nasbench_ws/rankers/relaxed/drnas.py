"""DrNAS: gates drawn from Dirichlet distributions, whose concentrations move by the draw's own gradient.

Chen, Wang, Cheng, Tang, Hsieh: DrNAS: Dirichlet Neural Architecture Search (ICLR 2021). g ~ Dirichlet(elu(a) + 1) by
edge; the gates' loss has 1e-3 times the divergence from the even Dirichlet(1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Dirichlet, kl_divergence
from torch.nn import functional as F

from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.rankers.relaxed.gates import Adam, Alphas
from nasbench_ws.rankers.run import Run
from nasbench_ws.training.mixed import Draw

AUTHORS = Adam(lr=3e-4, updates=19_550, decay=0.0)  # as of DARTS; the divergence takes the place of its decay
DIVERGENCE = 1e-3


@dataclass
class DrNas:
    """`lr` is Adam's for the gates; 0: the authors', scaled."""

    lr: float = 0.0
    hold: ClassVar[float] = 0.5
    readouts: ClassVar[tuple[str, ...]] = ("logp", "onehot", "perturbation")

    def start(self, run: Run) -> None:
        self.alphas = Alphas(run, AUTHORS, run.updates(2 * run.relaxed_cost), self.lr)
        self._drawn, self._order = 0, np.argsort(run.space.operations)  # wherever in its list a space has them

    def iterate(self, run: Run) -> None:
        gates = self._draw(run)
        self.alphas.values.grad = None
        divergence = DIVERGENCE * kl_divergence(self._beliefs(), Dirichlet(torch.ones_like(self.alphas.values))).sum()
        gradient = run.gate_gradient(run.gate_batch(), Draw.of(gates))
        torch.autograd.backward([gates, divergence], [gradient, torch.ones_like(divergence)])
        self.alphas.update()
        run.weight_step(run.weight_batch(), Draw.of(self._draw(run)))

    def mixture(self) -> Draw:
        return Draw.of(torch.from_numpy(self.probabilities()))

    def probabilities(self) -> Array:
        """The mean of the distributions."""
        found: Array = self._beliefs().mean.detach().numpy().copy()
        return found

    def _beliefs(self) -> Dirichlet:
        return Dirichlet(F.elu(self.alphas.values) + 1)

    def _draw(self, run: Run) -> Tensor:
        """Gates with their gradient; torch draws them from its global generator, which is put back."""
        self._drawn += 1
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(run.derived(f"dirichlet {self._drawn}"))
            drawn: Tensor = Dirichlet(self._beliefs().concentration[:, self._order]).rsample()
        return drawn[:, np.argsort(self._order)]
