"""GM-NAS: few-shot NAS that divides an edge's operations in two, those apart whose gradients disagree.

Hu, Wang, Bender, Cheng, Hsieh: Generalizing Few-Shot NAS with Gradient Matching (ICLR 2022). Children are drawn evenly
and trained. Twice, an edge and two halves of its operations are chosen: gradients of what children share that differ
only there, one for each operation, have cosine distances; halves are those with the least distance within, the edge is
the one with the most between. Weights are copied, each half goes on with its own, and the learning rate starts again
after the last division.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.rankers.run import Batch, Run
from nasbench_ws.sharing.keys import operation_groups
from nasbench_ws.space.cell import Edge

AT = (0.3, 0.6)  # of the budget; the authors' are epochs 15 and 30 of 50
COMPARING = 0.03  # of the budget, for the gradients of a division; theirs are of 100 batches

Halves = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass
class GmNas:
    """`divided` are edges, with the halves of their operations' numbers, in the order in which they were chosen."""

    readouts: ClassVar[tuple[str, ...]] = ("onehot",)
    divided: list[tuple[Edge, Halves]] = field(default_factory=list, init=False)

    def start(self, run: Run) -> None:
        pass

    def iterate(self, run: Run) -> None:
        edges = len(run.space.edges)
        due = AT[len(self.divided)] if len(self.divided) < min(len(AT), edges) else 1.0
        if run.progress >= due:
            self.divide(run)
        else:
            run.child_step(run.weight_batch(), run.draw_child(purpose="paths"), self.lr(run))

    def lr(self, run: Run) -> float:
        """The recipe's, which starts again after the last division."""
        if len(self.divided) < len(AT):
            return run.lr
        steps, part = run.plan.steps, (run.progress - AT[-1]) / (1 - AT[-1])
        return run.recipe.learning_rate(min(max(part, 0.0), 1.0) * steps, steps)

    def divide(self, run: Run) -> None:
        """The edge that is worth most, and from here on two copies of what its operations shared."""
        edges, operations = len(run.space.edges), len(run.space.operations)
        batches = max(1, round(COMPARING * run.plan.steps / (edges * operations)))
        distances = np.zeros((edges, operations, operations))
        known = {edge for edge, _ in self.divided}
        for _ in range(batches):
            batch, others = run.weight_batch(), run.draw_child(purpose="compared")
            for e in (e for e in range(edges) if run.space.edges[e] not in known):
                distances[e] += cosine_distances(shared_gradients(run, batch, others, e))
        found = {e: halves(distances[e]) for e in range(edges) if run.space.edges[e] not in known}
        best = max(found, key=lambda e: cut(distances[e], found[e]))
        self.divided.append((run.space.edges[best], found[best]))
        names = run.space.operations
        run.net.supernet.divide(
            operation_groups([(edge, [[names[o] for o in half] for half in two]) for edge, two in self.divided])
        )


def shared_gradients(run: Run, batch: Batch, others: NDArray[np.int64], e: int) -> torch.Tensor:
    """(operations, n) gradients of what children share that have each operation on edge number e, and `others` else.

    Each is paid for as a step; statistics stay as they are.
    """
    net, weights = run.net.supernet, run.net.supernet.weights
    kept, rows, common = weights.snapshot(), [], torch.ones(len(weights.values), dtype=torch.bool)
    for operation in range(len(run.space.operations)):
        choices = others.copy()
        choices[e] = operation
        number = run.number(choices)
        gradient, used = torch.zeros_like(weights.values), torch.zeros_like(common)
        net.accumulate(number, *batch, gradient)
        weights.restore(kept)
        run.pay(len(batch[0]), int(run.child_macs[number]))
        used[weights.active(number)] = True
        common &= used
        rows.append(gradient)
    return torch.stack(rows)[:, common]


def cosine_distances(rows: torch.Tensor) -> Array:
    """1 - cosine of each pair of rows."""
    unit = torch.nn.functional.normalize(rows.double(), dim=1)
    found: Array = (1 - unit @ unit.T).numpy()
    return found


def halves(distances: Array) -> Halves:
    """The two halves (of an odd number, one is larger) with the least distance within; every division is tried."""
    every = range(len(distances))
    few = len(distances) // 2
    ways = [
        (some, tuple(o for o in every if o not in some))
        for some in itertools.combinations(every, few)
        if 2 * few < len(distances) or 0 in some
    ]
    return max(ways, key=lambda two: cut(distances, two))


def cut(distances: Array, two: Sequence[Sequence[int]]) -> float:
    """The sum of distances between halves: where it is most, the sum within is least.

    >>> cut(np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 4.0], [2.0, 4.0, 0.0]]), ((0, 1), (2,)))
    6.0
    """
    return float(distances[np.ix_(two[0], two[1])].sum())
