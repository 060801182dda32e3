"""One-Shot: all operations at once, each dropped with a probability that rises; single operations are read off.

Bender, Kindermans, Zoph, Vasudevan, Le: Understanding and Simplifying One-Shot Architecture Search (ICML 2018). An
operation is kept with probability 1 - p r^(1/k), where p goes from 0 to 1 and k is the number of alternatives: at the
end all k are dropped with probability r, whatever k. Masks are drawn for each ghost batch of 32 images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.rankers.run import Run
from nasbench_ws.space.cell import Edge
from nasbench_ws.training.mixed import Draw

GHOST = 32  # images with masks and batch statistics of their own


@dataclass
class OneShot:
    """`rate` is r; `fan` says what counts as alternatives: those on an edge, or all that lead to a node."""

    rate: float = 0.05
    fan: str = "edge"
    first: ClassVar[str] = "rate"
    readouts: ClassVar[tuple[str, ...]] = ("onehot", "perturbation")
    modes: ClassVar[tuple[str, ...]] = ("batch:500",)

    def start(self, run: Run) -> None:
        self._dropped = drop_rates(self.rate, self.fan, run.space.edges, len(run.space.operations))

    def iterate(self, run: Run) -> None:
        images, labels = run.weight_batch()
        count = max(1, len(images) // GHOST)
        parts = []
        for some, right in zip(images.chunk(count), labels.chunk(count), strict=True):
            kept: NDArray[np.bool_] = run.uniform() >= min(run.progress, 1.0) * self._dropped
            parts.append(((some.contiguous(), right.contiguous()), Draw.of(torch.ones(kept.shape), kept)))
        run.ghost_step(parts)

    def mixture(self) -> Draw:
        return Draw.of(torch.ones(self._dropped.shape))


def drop_rates(rate: float, fan: str, edges: tuple[Edge, ...], operations: int) -> Array:
    """(edges, operations) r^(1/k) at the end of training.

    >>> drop_rates(0.05, "node", ((0, 1), (0, 2), (1, 2)), 4)[:, 0].round(3).tolist()
    [0.473, 0.688, 0.688]
    """
    into = [operations * (sum(edge[1] == one[1] for one in edges) if fan == "node" else 1) for edge in edges]
    return np.repeat(np.array([rate ** (1 / k) for k in into])[:, None], operations, axis=1)
