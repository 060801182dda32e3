"""Where a ranking lost its tau: to the table's noise, to chance, to what all instances get wrong, to which operation.

    found = why(Result.load("full.json"), load("fashion14"))
    found.shares                       # of 1: tau, noise between instances, bias, noise of the table; they add up
    found.over_rated[0]                # the operation on an edge that gains most places over its true rank
    found.inverted[0]                  # the pair that the table is surest of and the scores have the wrong way round
    print(found)

What all instances get wrong has no single cause; what is known of the usual ones stands beside, each with its figure.
Not here: the metrics (assess.py), and sentences on a result as a whole (verdict.py).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from nasbench_ws.errors import ResultError
from nasbench_ws.json_files import without_nan
from nasbench_ws.markup import number
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.metrics.pairs import decidable
from nasbench_ws.metrics.rank import kendall_tau
from nasbench_ws.metrics.values import rankable
from nasbench_ws.results.compare import mode_asked, ranks_under, unusual
from nasbench_ws.results.result import Result
from nasbench_ws.results.truth import GroundTruth, children_of, once
from nasbench_ws.training.batch_norm import is_mode, labelled

SHOWN = 8  # operations and pairs in the text


@dataclass(frozen=True)
class OverRated:
    """Children with this operation on this edge: places that scores put them above their true rank, mean over them."""

    edge: str
    operation: str
    places: float  # positive: over-rated; of the mean over instances
    least: float  # over instances
    most: float
    children: int


@dataclass(frozen=True)
class Inverted:
    """A pair whose order the table's seeds settle, and the mean score has the other way round."""

    better: str
    worse: str
    truth: float  # accuracy of the better minus that of the worse
    score: float  # the same of the mean score: negative
    instances: int  # of those, how many have it wrong


@dataclass(frozen=True)
class Why:
    """`shares` of a tau of 1, in order; `causes` by name, each with its figures in words."""

    name: str  # the strategy, with what is unusual of its plan
    strategy: str
    steps: int
    batch_norm: str  # by whose scores; another readout's name, or ""
    table: str
    instances: int
    shares: dict[str, float]
    causes: dict[str, str]
    over_rated: tuple[OverRated, ...]
    inverted: tuple[Inverted, ...]
    decided: int  # pairs that the table's seeds settle

    def to_dict(self) -> dict[str, Any]:
        """For JSON; NaN is None."""
        found: dict[str, Any] = without_nan(asdict(self))
        return found

    def __str__(self) -> str:
        instances = f"{self.instances} instance{'' if self.instances == 1 else 's'}"
        steps = f"{self.steps:,} steps" if self.steps else ""
        what = ", ".join(filter(None, (self.name, steps, self.batch_norm and labelled(self.batch_norm))))
        lines = [f"{what}: where a Kendall tau of 1 went, {instances}", ""]
        for name, value in self.shares.items():
            lines.append(f"{number(value):>7}  {name}")
        lines += ["", "What is known of the causes"]
        lines += [f"  {name}: {said}" for name, said in self.causes.items()]
        lines += ["", "Places of the mean score above the true rank, by operation (range of single instances)"]
        for one in self.over_rated[:SHOWN]:
            span = f"[{one.least:+.1f}, {one.most:+.1f}]"
            lines.append(f"{one.places:+7.1f}  {span:16} {one.operation} on {one.edge}")
        lines += ["", f"Pairs the wrong way round: {len(self.inverted)} of {self.decided:,} that the table decides"]
        accuracies = is_mode(self.batch_norm)
        for pair in self.inverted[:SHOWN]:
            scored = f"{100 * pair.score:+.2f}" if accuracies else f"{pair.score:+.3g} by its own measure"
            lines.append(
                f"  {pair.better} is better than {pair.worse} by {100 * pair.truth:.2f} points, scored {scored}; "
                f"wrong in {pair.instances} of {self.instances}"
            )
        return "\n".join(lines)


def why(result: Result, table: GroundTruth, batch_norm: str | None = None) -> Why:
    """Where the Kendall tau of a result went.

    Args:
        result: of a ranker that has a score of every child.
        table: what ranks its children.
        batch_norm: by scores of this mode ("running", "recalibrate:1024"); None: by the result's own.

    Raises:
        ResultError: where every instance diverged, nothing is ranked, or the table is of other children.
        UsageError: where the result has no scores of that mode.
    """
    table = once(table)
    mode = result.outcome.batch_norm if batch_norm is None else mode_asked(batch_norm, [result])
    if mode != result.outcome.batch_norm:
        scores = {mode: result.outcome.scores[mode], **result.outcome.scores}
        result = Result.of(replace(result.outcome, scores=scores), table)
    one = result.measured_by(table).among(table)
    ranked, standing = rankable(one.scores), one.assessment.standing
    name = result.outcome.strategy
    if not len(ranked) or standing is None or "kendall_tau" not in one.metrics:
        other = ranks_under(result, mode)
        next_step = f"it ranks under {other}: take --batch-norm {other}" if other else "train it otherwise"
        under = f" under {labelled(mode)}" if mode else ""
        raise ResultError(f"{name} ranks nothing{under}: every instance diverged; {next_step}")
    if math.isnan(one.tau.mean):
        raise ResultError(
            f"{name} has no Kendall tau on {table.name}: all scores of an instance, or all {ranked.shape[1]} "
            "ground-truth values, are equal; there is no order to explain"
        )
    mean, bound, ensemble = one.tau.mean, standing.reach["kendall_tau"].bound, standing.ensemble
    shares = {
        "reached: Kendall tau, mean over instances": mean,
        "noise between instances: what their mean score gains": ensemble - mean,
        "bias: what all instances get wrong, up to the bound": bound - ensemble,
        "noise of the table: the bound is not 1": 1 - bound,
    }
    inverted, decided = _inverted(ranked, table)
    return Why(
        unusual(one), name, one.outcome.steps, mode, table.name, len(ranked), shares, _causes(one, table),
        _over_rated(ranked, table), inverted, decided,
    )  # fmt: skip


def _causes(one: Result, table: GroundTruth) -> dict[str, str]:
    standing = one.assessment.standing
    assert standing is not None  # which `why` has seen to
    params, scores = table.column("params").astype(np.float64), rankable(one.scores)
    found = {}
    if not math.isnan(standing.children_accuracy):
        alone, chance = standing.standalone_accuracy, standing.chance
        found["under-training"] = f"children at {standing.children_accuracy:.1%}, trained alone {alone:.1%}" + (
            f", chance {chance:.1%}" if not math.isnan(chance) else ""
        )
    taus = {mode: one.under(mode)["kendall_tau"].mean for mode in one.outcome.scores if one.under(mode)}
    others = [f"{mode} {tau:.3f}" for mode, tau in taus.items() if mode != one.outcome.batch_norm]
    if others:
        what = "batch norm" if all(map(is_mode, taus)) else "readout"
        found[what] = f"tau {one.tau.mean:.3f} with {one.outcome.batch_norm}; {', '.join(others)}"
    if np.ptp(params) > 0:
        ours = float(np.mean([kendall_tau(row, params) for row in scores]))
        partial = one.metrics["partial_tau"].mean if "partial_tau" in one.metrics else math.nan
        true = kendall_tau(table.truth, params)
        found["size bias"] = (
            f"scores follow parameter count with tau {ours:.3f}, the truth with {true:.3f}; beyond it, partial tau "
            f"{partial:.3f}"
        )
    alone_tau = standing.reach["kendall_tau"].standalone
    if not math.isnan(alone_tau):
        found["sharing"] = f"one standalone training of every child, which shares nothing, has tau {alone_tau:.3f}"
    found["noise"] = (
        f"tau between two instances {one.assessment.s_tau.mean:.3f}"
        if one.assessment.s_tau is not None
        else "one instance says nothing of it"
    )
    return found


def _over_rated(scores: Array, table: GroundTruth) -> tuple[OverRated, ...]:
    children = children_of(table)
    true = _ranks(table.truth)
    gained = np.array([true - _ranks(row) for row in scores])  # (instances, n): places above the true rank
    whole = true - _ranks(scores.mean(axis=0))
    found = []
    for edge in table.space.edges:
        for operation in table.space.operations:
            own = np.array([child.operation(edge) == operation for child in children])
            if own.any():
                each = gained[:, own].mean(axis=1)
                found.append(OverRated(
                    f"{edge[0]}-{edge[1]}", operation, float(whole[own].mean()), float(each.min()), float(each.max()),
                    int(own.sum()),
                ))  # fmt: skip
    return tuple(sorted(found, key=lambda one: -abs(one.places)))


def _ranks(values: Array) -> Array:
    """1 is best; ties share their mean rank."""
    above = (values[None, :] > values[:, None]).sum(axis=1)
    equal = (values[None, :] == values[:, None]).sum(axis=1)
    ranks: Array = above + (equal + 1) / 2
    return ranks


def _inverted(scores: Array, table: GroundTruth) -> tuple[tuple[Inverted, ...], int]:
    """Widest apart by the truth first."""
    pairs, names = decidable(table.by_seed("truth")), [child.name for child in children_of(table)]
    mean = scores.mean(axis=0)
    found = []
    for a, b in zip(pairs.better.tolist(), pairs.worse.tolist(), strict=True):
        if mean[a] < mean[b]:
            wrong = int((scores[:, a] < scores[:, b]).sum())
            apart = float(table.truth[a] - table.truth[b])
            found.append(Inverted(names[a], names[b], apart, float(mean[a] - mean[b]), wrong))
    return tuple(sorted(found, key=lambda pair: -pair.truth)), len(pairs)
