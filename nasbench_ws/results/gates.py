"""What became of the gates that a row trained, in words: decided or not, on what, and what additive scores can reach.

    remarks(outcome, additive_bound)        # a list of sentences; none for what has no gates

Not here: the trace itself (outcome.py), and the bound (metrics/additive.py).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from nasbench_ws.metrics.additive import additive_bound
from nasbench_ws.results.outcome import Outcome
from nasbench_ws.results.truth import GroundTruth

UNDECIDED = 0.98  # entropy over children, as a part of the most, above which nothing was decided
COLLAPSED = 2 / 3  # of the edges, on which one operation has the largest gate ...
RARE = 0.05  # ... where blind choices give that with smaller odds: on three edges they agree on two in .625


def best_additive(table: GroundTruth) -> float:
    """The most that a score which adds up over edges reaches on a table, in Kendall tau."""
    choices = tuple(child.choices for child in table.space)
    return _best(choices, tuple(np.asarray(table.truth, dtype=np.float64).tolist()))


@lru_cache(maxsize=8)
def _best(choices: tuple[tuple[int, ...], ...], truth: tuple[float, ...]) -> float:
    return additive_bound(np.array(choices), np.array(truth)).best


def by_chance(count: int, edges: int, operations: int) -> float:
    """Odds, at most, that some operation has `count` of the edges where each edge chooses blindly.

    The operations' odds are added up, which is exact for more than half of the edges.

    >>> by_chance(2, 3, 4), round(by_chance(6, 9, 4), 3)
    (0.625, 0.04)
    """
    part = 1 / operations
    one = sum(math.comb(edges, k) * part**k * (1 - part) ** (edges - k) for k in range(count, edges + 1))
    return min(1.0, operations * one)


def remarks(outcome: Outcome, bound: float | None) -> list[str]:
    """Sentences on the end of training, means over instances; `bound` is of additive scores, None where none is."""
    found, trace, last = [], outcome.trace, 0.0
    if bound is not None and np.isfinite(bound):
        names = outcome.plan["additive"]
        verb = "adds" if len(names) == 1 else "add"
        found.append(
            f"{' and '.join(names)} {verb} up over edges: no such score ranks this table better than {bound:.2f}"
        )
    if "entropy" in trace:
        last = float(np.mean(trace["entropy"][:, -1]))
        decided = ": it has not decided" if last > UNDECIDED else ""
        found.append(f"entropy of the gates at the end: {last:.3f} of the most{decided}")
    names = outcome.plan.get("operations", ())
    if "gates" in trace and names and last <= UNDECIDED:
        winners = trace["gates"][:, -1].argmax(axis=-1)  # (instances, edges)
        shares = np.bincount(winners.ravel(), minlength=len(names)) / winners.size
        first = int(shares.argmax())
        if shares[first] >= COLLAPSED:
            said = f"{names[first]} has the largest gate on {shares[first]:.0%} of the edges"
            odds = by_chance(round(shares[first] * winners.size), winners.size, len(names))
            found.append(f"it collapses: {said}" if odds < RARE else f"{said}, which chance does too ({odds:.2f})")
    return [one.replace("%", " %") for one in found]
