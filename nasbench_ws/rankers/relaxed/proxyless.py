"""ProxylessNAS: binary gates. Children are drawn and trained; now and then the gates move, by one of three rules.

Cai, Zhu, Han: ProxylessNAS: Direct Neural Architecture Search on Target Task and Hardware (ICLR 2019). p = softmax(a).

    full    dL/da_i = sum_j dL/dg_j p_j (delta_ij - p_i), with dL/dg_j = <dL/dx, z_j> of all, at the drawn child
    two     the same between two operations drawn from p, whose joint probability is kept
    rl      REINFORCE: ten children on a batch, their accuracies less a moving baseline
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.rankers.relaxed.gates import Adam, Alphas, softmax
from nasbench_ws.rankers.run import Run
from nasbench_ws.training.mixed import Draw

AUTHORS = Adam(lr=1e-3, updates=114_300, betas=(0.0, 0.999), decay=0.0)  # 119 epochs of 961
WARM = 41 / 160  # of the budget, before gates move
STEPS, CHILDREN = 5, 10  # of the weights to one of the gates; drawn for one step of `rl`


@dataclass
class Proxyless:
    """`lr` is Adam's for the gates; 0: the authors', scaled."""

    two: bool = False
    rl: bool = False
    lr: float = 0.0
    hold: ClassVar[float] = 0.1
    readouts: ClassVar[tuple[str, ...]] = ("logp", "onehot")

    def start(self, run: Run) -> None:
        extra = (run.relaxed_cost - 1) / 3 / (1 if not self.two else len(run.space.operations) - 1)
        cost = CHILDREN / 3 if self.rl else 1 + extra
        here = int((1 - WARM) * run.updates(STEPS + cost)) or 1
        self.alphas = Alphas(run, AUTHORS, here, self.lr)
        self._steps, self._baseline = 0, float("nan")

    def iterate(self, run: Run) -> None:
        run.child_step(run.weight_batch(), run.draw_child(self.probabilities()))
        self._steps += 1
        if run.progress >= WARM and self._steps >= STEPS:
            self._steps = 0
            (self._reinforce if self.rl else self._two if self.two else self._full)(run)

    def probabilities(self) -> Array:
        return self.alphas.probabilities

    def _full(self, run: Run) -> None:
        p = self.probabilities()
        hot = run.one_hot(run.draw_child(p))
        draw = Draw(hot.gates, np.ones_like(hot.active))
        gradient = run.gate_gradient(run.gate_batch(), draw, silent=~hot.active).numpy()
        self.alphas.update(torch.from_numpy(through(p, gradient)))

    def _two(self, run: Run) -> None:
        values = self.alphas.values
        order = np.argsort(-(np.log(self.probabilities()) + run.gumbel()), axis=1)
        pair = np.zeros(run.net.shape, dtype=bool)
        np.put_along_axis(pair, order[:, :2], values=True, axis=1)
        q = softmax(np.where(pair, values.detach().numpy(), -np.inf))
        hot = run.one_hot(run.draw_child(q, "pair")).active
        draw = Draw(torch.from_numpy(hot.astype(np.float64)), pair)
        gradient = run.gate_gradient(run.gate_batch(), draw, silent=~hot).numpy()
        mass = np.log(np.where(pair, np.exp(values.detach().numpy()), 0).sum(axis=1))
        self.alphas.update(torch.from_numpy(through(q, gradient)))
        with torch.no_grad():
            now = np.log(np.where(pair, np.exp(values.numpy()), 0).sum(axis=1))
            values -= torch.from_numpy(pair * (now - mass)[:, None])

    def _reinforce(self, run: Run) -> None:
        p, batch = self.probabilities(), run.gate_batch()
        drawn = [run.draw_child(p) for _ in range(CHILDREN)]
        rewards = np.array([run.child_accuracy(batch, choices) for choices in drawn])
        mean = float(rewards.mean())
        self._baseline = mean if np.isnan(self._baseline) else self._baseline + 0.99 * (mean - self._baseline)
        run.meter.gate_steps += 1
        self.alphas.update(torch.from_numpy(-score_gradient(p, drawn, rewards - self._baseline)))


def through(p: Array, gradient: Array) -> Array:
    """dL/da from dL/dg, by edge: sum_j dL/dg_j p_j (delta_ij - p_i)."""
    value: Array = p * (gradient - (gradient * p).sum(axis=1, keepdims=True))
    return value


def score_gradient(p: Array, drawn: list[np.ndarray], advantages: Array) -> Array:
    """Mean of advantage times grad log p(child), in a: an edge's is onehot - p."""
    hot = np.stack([np.eye(p.shape[1])[choices] for choices in drawn])
    value: Array = (advantages[:, None, None] * (hot - p)).mean(axis=0)
    return value
