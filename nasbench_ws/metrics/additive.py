"""How well any score that adds up over the edges of a cell can rank a table's children.

    found = additive_bound(choices, table.truth)        # choices (n, edges): which operation is on which edge
    found.fitted, found.left_out, found.best            # Kendall tau

Log-probabilities of operations drawn apart from one another, gates, and what removing an operation costs are such
scores: whatever trained them, they rank no better than `best`, which a search over their numbers found.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.metrics.rank import kendall_taus

TRIALS, ROUNDS, STARTS = 64, 120, 4  # of the search for the best order: moves tried at once, how often, and anew


class AdditiveBound(NamedTuple):
    """Kendall tau of additive scores with the truth."""

    fitted: float  # the least-squares fit to the truth itself
    left_out: float  # the same, each child predicted from the others
    best: float  # the best that a local search from there found: a bound from below of the bound


def additive_bound(choices: NDArray[np.int64], truth: Array, seed: int = 0) -> AdditiveBound:
    """Of children (n, edges) with that truth (n,). NaN where a child is not predicted by the others."""
    design = indicators(choices)
    hat = design @ np.linalg.pinv(design)
    if np.isclose(np.diag(hat), 1).any():
        return AdditiveBound(*[float("nan")] * 3)
    fitted = hat @ truth
    out = truth - (truth - fitted) / (1 - np.diag(hat))
    in_sample, left_out = kendall_taus(np.stack([fitted, out]), truth)
    return AdditiveBound(float(in_sample), float(left_out), _search(design, fitted, truth, seed))


def indicators(choices: NDArray[np.int64]) -> Array:
    """(n, edges * operations) of 0 and 1: which operation each child has on which edge."""
    operations = int(choices.max()) + 1
    return np.concatenate([np.eye(operations)[choices[:, e]] for e in range(choices.shape[1])], axis=1)


def _search(design: Array, fitted: Array, truth: Array, seed: int) -> float:
    """Tau after moving one number, or all, by steps that become smaller, as long as that helps; the best of starts."""
    rng = np.random.Generator(np.random.PCG64(seed))
    first = np.linalg.pinv(design) @ fitted
    scale, found = float(first.std()) or 1.0, []
    for _ in range(STARTS):
        parts, best = first, -1.0
        for step in np.geomspace(1.0, 0.01, ROUNDS):
            moves = rng.normal(size=(TRIALS, len(parts))) * scale * step
            moves[: TRIALS // 2] *= rng.random((TRIALS // 2, len(parts))) < 1.5 / len(parts)  # one number or two
            moves[0] = 0
            taus = kendall_taus((parts + moves) @ design.T, truth)
            if taus.max() > best:
                best, parts = float(taus.max()), parts + moves[int(taus.argmax())]
        found.append(best)
    return max(found)
