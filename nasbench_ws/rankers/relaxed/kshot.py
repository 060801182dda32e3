"""K-shot NAS: K sets of weights, and every child has a mixture of them of its own.

Su, You, Zheng, Wang, Qian, Zhang, Xu: K-shot NAS: Learnable Weight-Sharing for NAS with K-shot Supernets (ICML 2021). A
child's weights are sum_k lambda_k(a) W_k; the simplex code lambda(a) is a softmax of what a small net makes of the
child, here the sum of a vector of K numbers for each of its (edge, operation). Children are drawn evenly; the gradient
of the mixture moves all W_k, in proportion to their parts, and through the softmax the net.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from nasbench_ws.rankers.run import Run
from nasbench_ws.sharing.keys import full
from nasbench_ws.training.supernet import SuperNet

RATE = 1e-3  # of Adam, for the net


@dataclass
class KShot:
    """`k` is K."""

    k: int = 2
    first: ClassVar[str] = "k"
    readouts: ClassVar[tuple[str, ...]] = ("onehot",)

    def start(self, run: Run) -> None:
        net, children = run.net.supernet, run.problem.children
        others = [
            SuperNet(run.recipe, net.macro, children, full, run.derived(f"shot {shot}"), net.weights.dtype).weights
            for shot in range(1, self.k)
        ]
        self._values = torch.stack([net.weights.values.clone(), *(one.values for one in others)])  # (K, n)
        self._momenta = torch.zeros_like(self._values)
        self._gradient = torch.zeros_like(net.weights.values)
        self._places: dict[int, torch.Tensor] = {}  # what a child uses, by its number
        shape = len(run.space.edges), len(run.space.operations), self.k
        self._codes = torch.zeros(shape, dtype=torch.float64, requires_grad=True)
        self._adam = torch.optim.Adam([self._codes], RATE)

    @property
    def copies(self) -> int:
        return self.k

    def simplex(self, run: Run, number: int) -> torch.Tensor:
        """lambda (K,) of a child."""
        choices = torch.from_numpy(run.choices[number])
        return torch.softmax(self._codes[torch.arange(len(choices)), choices].sum(dim=0), dim=0)

    def put(self, run: Run, number: int) -> torch.Tensor:
        """The child's mixture into the weights that it uses, whose places are returned."""
        weights = run.net.supernet.weights
        if number not in self._places:
            self._places[number] = weights.active(number)
        at = self._places[number]
        parts = self.simplex(run, number).detach().to(weights.dtype)
        weights.values[at] = parts @ self._values[:, at]
        return at

    def iterate(self, run: Run) -> None:
        number = run.number(run.draw_child(purpose="paths"))
        at, batch, lr = self.put(run, number), run.weight_batch(), run.lr
        outcome = run.net.supernet.accumulate(number, *batch, self._gradient)
        own = self._gradient[at]
        self._gradient.zero_()
        parts = self.simplex(run, number)
        self._adam.zero_grad()
        torch.autograd.backward([parts], [self._values[:, at].double() @ own.double()])
        self._adam.step()
        learnt = parts.detach().to(own.dtype)[:, None] * own + run.recipe.weight_decay * self._values[:, at]
        self._momenta[:, at] = run.recipe.momentum * self._momenta[:, at] + learnt
        self._values[:, at] -= lr * self._momenta[:, at]
        run.stepped(number, len(batch[0]), outcome.loss)
