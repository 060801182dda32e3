"""DYNAS: large children keep a high learning rate for longer, and momentum is kept apart by an edge's operation.

Jeon, Oh, Jeong, Ham: Subnet-Aware Dynamic Supernet Training for Neural Architecture Search (CVPR 2025). Children are
drawn evenly. The rate of child a is lr0 (1 - t)^c(a), where c falls with the logarithm of its parameters, from GAMMA of
the smallest to 1 / GAMMA of the largest. One edge is drawn for good, and each of its operations has momenta of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.rankers.run import Run
from nasbench_ws.space.child import child_network, parameter_count

GAMMA = 4.0


@dataclass
class Dynas:
    """`edge` is the number of the edge whose operations have momenta of their own."""

    readouts: ClassVar[tuple[str, ...]] = ("onehot",)

    def start(self, run: Run) -> None:
        self._powers = powers(np.array([
            parameter_count(child_network(run.net.macro, child)) for child in run.problem.children
        ]))  # fmt: skip
        rng = np.random.Generator(np.random.PCG64(run.derived("the edge of momenta")))
        self.edge = int(rng.integers(len(run.space.edges)))
        momentum = run.net.supernet.weights.momentum
        self._momenta = [torch.zeros_like(momentum) for _ in run.space.operations]

    def iterate(self, run: Run) -> None:
        choices = run.draw_child(purpose="paths")
        momentum, own = run.net.supernet.weights.momentum, self._momenta[int(choices[self.edge])]
        momentum.copy_(own)
        run.child_step(run.weight_batch(), choices, self.lr(run, run.number(choices)))
        own.copy_(momentum)

    def lr(self, run: Run, number: int) -> float:
        """The recipe's highest rate after its warm-up, falling with the child's own power."""
        warm, recipe = run.recipe.warmup, run.recipe
        if run.progress < warm:
            return recipe.lr * run.progress / warm
        left = max(0.0, 1 - run.progress) / (1 - warm) if warm < 1 else 0.0
        rate: float = recipe.lr * left ** self._powers[number]
        return rate


def powers(params: Array) -> Array:
    """c(a) of each child, linear in log parameters: GAMMA where they are fewest, 1 / GAMMA where most.

    >>> powers(np.array([100.0, 1000.0, 10000.0])).round(9).tolist()
    [4.0, 2.125, 0.25]
    """
    size = np.log(np.asarray(params, dtype=np.float64))
    low, high = float(size.min()), float(size.max())
    if math.isclose(low, high):
        return np.ones(len(size))
    found: Array = GAMMA + (1 / GAMMA - GAMMA) * (size - low) / (high - low)
    return found
