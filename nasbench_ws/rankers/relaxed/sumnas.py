"""SUMNAS: shared weights learn as a meta-learner does, from where several steps of single children would lead.

Ha, Kim, Park, Yoo: SUMNAS: Supernet with Unbiased Meta-Features for NAS (ICLR 2022). For as many children as there are
operations, each operation of each edge once: K steps on the batch from the same weights; the mean of (start - end) is
the gradient of one outer step (Reptile), here of rate 1: shared weights move to the mean of the ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from nasbench_ws.rankers.run import Run


@dataclass
class Sumnas:
    """`inner` is K."""

    inner: int = 2
    first: ClassVar[str] = "inner"
    readouts: ClassVar[tuple[str, ...]] = ("onehot",)

    def start(self, run: Run) -> None:
        pass

    def iterate(self, run: Run) -> None:
        batch, weights = run.weight_batch(), run.net.supernet.weights
        start = weights.values.clone()
        orders = np.argsort(run.uniform("paths"), axis=1)  # (edges, operations): which child gets which operation
        moved, used = torch.zeros_like(start), torch.zeros_like(start)
        for child in range(orders.shape[1]):
            weights.values.copy_(start)
            weights.momentum.zero_()
            for _ in range(self.inner):
                run.child_step(batch, orders[:, child])
            own = weights.active(run.number(orders[:, child]))
            moved[own] += weights.values[own] - start[own]
            used[own] += 1
        weights.values.copy_(start + moved / used.clamp(min=1))
