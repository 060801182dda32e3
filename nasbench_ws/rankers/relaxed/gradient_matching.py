"""Gradient matching of GM-NAS: how much an edge's operations disagree about what they share, and who goes with whom.

    rows = shared_gradients(run, batch, others, e)      # (operations, n), each paid for as a step
    two = halves(cosine_distances(rows))                # numbers of operations, in two tuples

Not here: when and what is divided (gmnas.py).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.rankers.run import Batch, Run

Halves = tuple[tuple[int, ...], tuple[int, ...]]


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
