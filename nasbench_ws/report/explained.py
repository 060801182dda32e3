"""What explains a table's truth without any training: parameters and poolings, and how super-nets follow them.

    found = explained(load("fashion14"))
    found.pools                                  # part of the variance between children that their poolings explain
    sentences(found, followed(table, result))    # for a card or a page

A ranking that only counts parameters may look like one that knows the truth: partial tau (metrics/arithmetic.py) asks
what is known beyond. Not here: how much of the truth is noise (metrics/bound.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nasbench_ws.markup import number
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.metrics.rank import kendall_tau, kendall_taus
from nasbench_ws.metrics.values import rankable
from nasbench_ws.results.result import Result
from nasbench_ws.results.truth import GroundTruth, children_of, once
from nasbench_ws.space.isomorphism import sees_image
from nasbench_ws.tables.table import Table


@dataclass(frozen=True)
class Explained:
    """R2 is the part of the variance between children's mean accuracies that lies between groups of children."""

    pools: float  # R2 of the number of poolings, each number a group; NaN where all children have as many
    pool_levels: int
    params: float  # R2 of parameter counts, each count a group; NaN where every child has a count of its own
    param_levels: int
    tau: float  # Kendall tau of parameter counts with the truth, of all
    blind: int = 0  # children that do not see the image, left out of R2: they would be most of the variance


@dataclass(frozen=True)
class Followed:
    """Mean Kendall tau of a super-net's instances with parameter counts and with the truth, by batch norm mode."""

    strategy: str
    instances: int
    by_mode: dict[str, tuple[float, ...]]


def explained(whole: Table) -> Explained:
    """Of the truth of a table, each network once. TableError where a child has none."""
    table = once(whole)
    own = children_of(table)
    sees = np.array([whole.foreign or sees_image(child, whole.macro.output) for child in own])
    truth, params = table.truth, table.column("params").astype(np.float64)
    pools = np.array([sum("pool" in child.operation(edge) for edge in child.space.edges) for child in own])
    return Explained(
        between(truth[sees], pools[sees]), len(np.unique(pools[sees])),
        between(truth[sees], params[sees]), len(np.unique(params[sees])),
        kendall_tau(params, truth), int((~sees).sum()),
    )  # fmt: skip


def between(truth: Array, groups: npt.ArrayLike) -> float:
    """R2 of a factor: variance of the groups' means over that of all (n,) values; NaN with one group, or one each."""
    _, own = np.unique(np.asarray(groups), return_inverse=True)
    levels = int(own.max()) + 1
    total = float(((truth - truth.mean()) ** 2).sum())
    if levels in (1, len(truth)) or not total > 0:
        return math.nan
    means = np.bincount(own, truth) / np.bincount(own)
    return float(((means[own] - truth.mean()) ** 2).sum()) / total


def followed(whole: GroundTruth, result: Result) -> Followed:
    """How a super-net's scores follow parameter counts, and the truth; of the instances that did not diverge."""
    table = once(whole)
    params = table.column("params").astype(np.float64)
    by_mode: dict[str, tuple[float, ...]] = {}
    for mode, rows in result.among(table).outcome.scores.items():
        scores = rankable(rows)
        if len(scores):
            taus = (kendall_taus(scores, other) for other in (params, table.truth))
            by_mode[mode] = tuple(float(one.mean()) for one in taus)
    return Followed(result.outcome.strategy, result.outcome.instances, by_mode)


def sentences(found: Explained, net: Followed | None = None) -> list[str]:
    """What a reader of the table should know before believing a tau. [] where parameters say nothing of it."""
    said = []
    if found.blind:
        one = "One child does" if found.blind == 1 else f"{found.blind} children do"
        said.append(f"{one} not see the image; the parts of variance are of the others.")
    if not math.isnan(found.pools):
        said.append(
            f"The number of poolings of a child ({found.pool_levels} values) explains {number(found.pools, 2)} of the "
            "variance between children (R2)."
        )
    if not math.isnan(found.params):
        said.append(
            f"Parameter count ({found.param_levels} values) explains {number(found.params, 2)}, and its Kendall tau "
            f"with the truth is {number(found.tau, 2)}: parameters explain most of this table."
            if found.params > 0.5
            else f"Parameter count ({found.param_levels} values) explains {number(found.params, 2)}, and its Kendall "
            f"tau with the truth is {number(found.tau, 2)}."
        )
    if net is not None and net.by_mode:
        each = [
            f"{number(params, 2)} with parameter count and {number(truth, 2)} with the truth (batch norm {mode})"
            for mode, (params, truth) in net.by_mode.items()
        ]
        said.append(
            f"Super-nets follow it too: the scores of `{net.strategy}` ({net.instances} instances that ship) have a "
            f"Kendall tau of {', and of '.join(each)}."
        )
    if said:
        said.append("So read partial tau, which asks what a ranking knows beyond parameter count, beside Kendall tau.")
    return said
