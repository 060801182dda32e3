"""What became of the gates that a row trained, in words: decided or not, on what, and what additive scores can reach.

    remarks(outcome, additive_bound)        # a list of sentences; none for what has no gates

Not here: the trace itself (outcome.py), and the bound (metrics/additive.py).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from nasbench_ws.metrics.additive import additive_bound
from nasbench_ws.results.outcome import Outcome
from nasbench_ws.results.truth import GroundTruth

UNDECIDED = 0.98  # entropy over children, as a part of the most, above which nothing was decided
COLLAPSED = 2 / 3  # of the edges, on which one operation has the largest gate


def best_additive(table: GroundTruth) -> float:
    """The most that a score which adds up over edges reaches on a table, in Kendall tau."""
    choices = tuple(child.choices for child in table.space)
    return _best(choices, tuple(np.asarray(table.truth, dtype=np.float64).tolist()))


@lru_cache(maxsize=8)
def _best(choices: tuple[tuple[int, ...], ...], truth: tuple[float, ...]) -> float:
    return additive_bound(np.array(choices), np.array(truth)).best


def remarks(outcome: Outcome, bound: float | None) -> list[str]:
    """Sentences on the end of training, means over instances; `bound` is of additive scores, None where none is."""
    found, trace = [], outcome.trace
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
    if "gates" in trace and names:
        winners = trace["gates"][:, -1].argmax(axis=-1)  # (instances, edges)
        shares = np.bincount(winners.ravel(), minlength=len(names)) / winners.size
        first = int(shares.argmax())
        if shares[first] >= COLLAPSED:
            found.append(f"it collapses to {names[first]}: its gate is the largest on {shares[first]:.0%} of the edges")
    return [one.replace("%", " %") for one in found]
