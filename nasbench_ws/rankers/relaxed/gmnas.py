"""GM-NAS: few-shot NAS that divides an edge's operations in two, those apart whose gradients disagree.

Hu, Wang, Bender, Cheng, Hsieh: Generalizing Few-Shot NAS with Gradient Matching (ICLR 2022). Children are drawn evenly
and trained. Twice, an edge and two halves of its operations are chosen: gradients of what children share that differ
only there, one for each operation, have cosine distances; halves are those with the least distance within, the edge is
the one with the most between. Weights are copied, each half goes on with its own, and the learning rate starts again
after the last division. Not here: the arithmetic of distances and halves (gradient_matching.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from nasbench_ws.rankers.relaxed.gradient_matching import Halves, cosine_distances, cut, halves, shared_gradients
from nasbench_ws.rankers.run import Run
from nasbench_ws.sharing.keys import operation_groups
from nasbench_ws.space.cell import Edge

AT = (0.3, 0.6)  # of the budget; the authors' are epochs 15 and 30 of 50
COMPARING = 0.03  # of the budget, for the gradients of a division; theirs are of 100 batches


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
