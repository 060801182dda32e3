"""From scores and a table to an answer: metrics, ceiling, baselines, and one sentence.

Works on stored scores alone, so that any result can be assessed again, by a new metric or against a better
table. No training here, and no torch.

    found = assess(scores, table)          # scores: (instances, children), NaN rows for runs that diverged
    found["metrics"]["kendall_tau"]["mean"], found["verdict"]
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from nasbench_ws.errors import MetricError
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.metrics.ceiling import noise_ceiling
from nasbench_ws.metrics.intervals import intervals, t_interval
from nasbench_ws.metrics.rank import kendall_taus, measure, stability_tau
from nasbench_ws.metrics.values import nan_as_worst, rankable
from nasbench_ws.results.baselines import baselines
from nasbench_ws.seeds import derive
from nasbench_ws.tables.table import Table


def assess(scores: npt.ArrayLike, table: Table) -> dict[str, Any]:
    """`metrics`, `s_tau`, `ceiling`, `baselines`, `diverged` and `verdict` of (instances, n) scores.

    Ground truth is the mean test accuracy over the table's seeds. Instances without any finite score are
    left out of the metrics and counted in `diverged`; a child without one is ranked last.
    """
    usable, diverged = _usable(scores, table)
    by_seed = table.by_seed("test_accuracy")
    found: dict[str, Any] = {"diverged": diverged, "metrics": measured(scores, table), "s_tau": None}
    if len(usable) > 1:
        found["s_tau"] = dict(stability_tau(usable)._asdict())
    found["ceiling"] = ceilings(by_seed)
    found["baselines"] = baselines(table)
    found["verdict"] = verdict(found)
    return found


def measured(scores: npt.ArrayLike, table: Table) -> dict[str, Any]:
    """The metrics alone of (instances, n) scores, each with its interval; none where every instance diverged."""
    usable, _ = _usable(scores, table)
    if not len(usable):
        return {}
    rng = np.random.Generator(np.random.PCG64(derive("intervals")))
    values = measure(usable, table.truth)
    found = intervals(usable, table.by_seed("test_accuracy"), rng=rng)
    return {name: {**interval.to_dict(), "values": values[name].tolist()} for name, interval in found.items()}


def _usable(scores: npt.ArrayLike, table: Table) -> tuple[Array, int]:
    """Instances with a finite score, NaN ranked last; and how many have none. MetricError for other children."""
    matrix = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    if matrix.shape[1] != len(table):
        raise MetricError(
            f"{matrix.shape[1]} scores for the {len(table)} children of the table; give one for each, in its order"
        )
    usable = rankable(matrix)
    return usable, len(matrix) - len(usable)


def ceilings(by_seed: Array) -> dict[str, Any]:
    """The noise ceiling over all children and within the top quarter and tenth, from the table's seeds."""
    found = {}
    for name, fraction in (("all", 1.0), ("top_quarter", 0.25), ("top_tenth", 0.1)):
        rng = np.random.Generator(np.random.PCG64(derive("ceiling", name)))
        ceiling = noise_ceiling(by_seed, fraction, rng=rng)
        found[name] = {
            "children": ceiling.children,
            "seeds": ceiling.seeds,
            "held_out": dict(ceiling.held_out._asdict()),
            "split_half": dict(ceiling.split_half._asdict()),
            "single_seeds": dict(ceiling.single_seeds._asdict()),
            "perfect": dict(ceiling.perfect._asdict()),
            "reason": ceiling.reason,
        }
    return found


def window_taus(window: npt.ArrayLike, table: Table) -> dict[str, float]:
    """GT-Tau-Mean-k and GT-Tau-Std-k of (instances, k, n) snapshot scores: means over instances (paper)."""
    taus = [rankable_taus(one, table.truth) for one in np.asarray(window, dtype=np.float64)]
    return {
        "mean": float(np.mean([t.mean() for t in taus])),
        "std": float(np.mean([t.std() for t in taus])),
    }


def rankable_taus(scores: npt.ArrayLike, truth: Array) -> Array:
    """Kendall tau of (rows, n) scores, NaN ranked last; of a row without any finite score, NaN."""
    rows = np.asarray(scores, dtype=np.float64)
    taus, some = np.full(len(rows), np.nan), np.isfinite(rows).any(axis=1)
    if some.any():
        taus[some] = kendall_taus(nan_as_worst(rows[some]), truth)
    return taus


def verdict(found: dict[str, Any]) -> str:
    """One sentence: does it beat parameter count, and how far below the ceiling is it?"""
    tau = found["metrics"].get("kendall_tau")
    if tau is None:
        return "Every instance diverged: there is nothing to rank."
    params, n = found["baselines"]["params"]["kendall_tau"]["mean"], tau["n"]
    if tau["reason"] is not None and math.isnan(tau["mean"]):
        return f"No verdict: {tau['reason']}."
    over = f"over {n} instance{'s' if n > 1 else ''}"
    text = f"GT-Tau {tau['mean']:.2f} [{tau['interval'][0]:.2f}, {tau['interval'][1]:.2f}] {over}"
    difference = t_interval(np.array(tau["values"]) - params)
    if n == 1:
        side = "above" if difference.mean > 0 else "below"
        relation = f"is {side} parameter count ({params:.2f}) in the one run there is"
    elif difference.low > 0:
        relation = f"beats parameter count ({params:.2f})"
    elif difference.high < 0:
        relation = f"is worse than parameter count ({params:.2f})"
    else:
        relation = f"is not distinguishable from parameter count ({params:.2f})"
    ceiling = found["ceiling"]["all"]["held_out"]["mean"]
    if math.isnan(ceiling):
        return f"{text} {relation}; the table has too few seeds for a ceiling."
    gap = ceiling - tau["mean"]
    where = f"{gap:.2f} below" if gap >= 0 else f"{-gap:.2f} above"
    return f"{text} {relation} and is {where} the ceiling of a held-out seed ({ceiling:.2f})."
