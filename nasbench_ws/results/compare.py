"""Results side by side: paired differences over instances, and an order at a stated match.

    comparison = compare([Result.load("full.json"), Result.load("mine.json")])
    comparison.pairs[0].verdict         # "distinguishable" or "not distinguishable"
    print(comparison)

Instances are paired by seed. The table is the same for both sides of a pair, so its noise cancels and is left
out.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nasbench_ws.errors import UsageError
from nasbench_ws.json_files import without_nan
from nasbench_ws.markup import number
from nasbench_ws.metrics.intervals import Difference, paired_difference
from nasbench_ws.results.result import Result


@dataclass(frozen=True)
class Pair:
    """`difference` is that of the metric of `first` minus `second`, over the seeds both have."""

    first: str
    second: str
    seeds: tuple[int, ...]
    difference: Difference

    @property
    def verdict(self) -> str:
        return self.difference.verdict


@dataclass(frozen=True)
class Row:
    """A result: its metric, and what an instance costs."""

    name: str
    strategy: str
    batch_norm: str
    mean: float
    std: float
    interval: tuple[float, float]
    n: int
    macs: int
    seconds: float


@dataclass(frozen=True)
class Comparison:
    """`rows` best first by the metric's mean; `pairs` of neighbours in that order, then of first and others."""

    metric: str
    match: str
    rows: tuple[Row, ...]
    pairs: tuple[Pair, ...]
    ceiling: float
    params: float

    def to_dict(self) -> dict[str, Any]:
        """For JSON; NaN is None."""
        pairs = [
            {
                "first": pair.first, "second": pair.second, "seeds": list(pair.seeds), "mean": pair.difference.mean,
                "interval": [pair.difference.low, pair.difference.high], "n": pair.difference.n,
                "p_value": pair.difference.p_value, "verdict": pair.verdict,
            }
            for pair in self.pairs
        ]  # fmt: skip
        found: dict[str, Any] = without_nan({
            "metric": self.metric, "match": self.match, "rows": [asdict(row) for row in self.rows], "pairs": pairs,
            "ceiling": self.ceiling, "params": self.params,
        })  # fmt: skip
        return found

    def __str__(self) -> str:
        lines = [
            f"{self.metric}, matched in {self.match}; ceiling {number(self.ceiling)} (held-out seed), "
            f"parameter count {number(self.params)}",
            "",
            f"{'strategy':30}{'mean':>7}{'std':>7}  {'95 % interval':16}{'n':>3}{'T mult-adds':>12}",
        ]
        for row in self.rows:
            interval = f"[{', '.join(map(number, row.interval))}]"
            lines.append(
                f"{row.name[:29]:30}{number(row.mean):>7}{number(row.std):>7}  {interval:16}{row.n:>3}"
                f"{row.macs / 1e12:>12.2f}"
            )
        lines.append("")
        for pair in self.pairs:
            d = pair.difference
            lines.append(
                f"{pair.first} - {pair.second}: {number(d.mean, sign=True)} [{number(d.low, sign=True)}, "
                f"{number(d.high, sign=True)}] over {d.n} pairs: {pair.verdict}"
            )
        return "\n".join(lines)


def compare(results: Sequence[Result], metric: str = "kendall_tau") -> Comparison:
    """Order results by a metric's mean and test neighbours, and the best against each other, in pairs.

    UsageError where they are not of one table and match, or do not have two seeds in common.
    """
    if len(results) < 2:
        raise UsageError(f"{len(results)} result to compare; give at least 2")
    _same("table", [result.assessment.table.digest for result in results], results)
    match = _match(results)
    _same("steps", [result.outcome.steps for result in results], results)
    for result in results:
        if metric not in result.metrics:
            known = ", ".join(result.metrics)
            raise UsageError(f"{name_of(result)} has no metric {metric!r}; it has {known or 'none: it diverged'}")
    ordered = sorted(results, key=lambda result: _descending(result.metrics[metric].mean))
    wanted = [(i, i + 1) for i in range(len(ordered) - 1)] + [(0, i) for i in range(2, len(ordered))]
    pairs = [_pair(ordered[i], ordered[j], metric) for i, j in wanted]
    first = ordered[0].assessment
    return Comparison(
        metric, match, tuple(_row(result, metric) for result in ordered), tuple(pairs),
        first.ceiling.all.held_out.mean, first.baselines["params"][metric].mean,
    )  # fmt: skip


def _row(result: Result, metric: str) -> Row:
    outcome, one = result.outcome, result.metrics[metric]
    return Row(
        name_of(result), outcome.strategy, outcome.batch_norm, one.mean, one.std, one.interval, one.n,
        outcome.cost.macs, outcome.cost.seconds,
    )  # fmt: skip


def _pair(a: Result, b: Result, metric: str) -> Pair:
    values = paired(a, b, metric)
    if len(values) < 2:
        raise UsageError(
            f"{name_of(a)} and {name_of(b)} have {len(values)} seeds in common; evaluate both with at least 2 of the "
            "same"
        )
    difference = paired_difference(*np.array(list(values.values())).T)
    return Pair(name_of(a), name_of(b), tuple(values), difference)


def paired(a: Result, b: Result, metric: str) -> dict[int, tuple[float, float]]:
    """The metric of both by seed, for the seeds in order that both have and in which neither diverged."""
    first, second = _by_seed(a, metric), _by_seed(b, metric)
    return {seed: (first[seed], second[seed]) for seed in sorted(first.keys() & second.keys())}


def _by_seed(result: Result, metric: str) -> dict[int, float]:
    kept = list(itertools.compress(result.outcome.seeds, result.outcome.usable))
    return dict(zip(kept, result.metrics[metric].values if metric in result.metrics else (), strict=True))


def matches(result: Result) -> set[str]:
    """The matches at which the result may stand beside others of as many steps: of one super-net, they are the same."""
    outcome = result.outcome
    found = {outcome.match}
    if outcome.cost.super_nets == 1:
        found |= {"child-updates", "compute"}
        if outcome.cost.child_updates == outcome.cost.steps:
            found.add("steps")
    return found


def _match(results: Sequence[Result]) -> str:
    """The match that all have; where there are several, one that a result states."""
    for pair in itertools.combinations(results, 2):
        if not matches(pair[0]) & matches(pair[1]):
            _same("match", [one.outcome.match for one in pair], pair)
    common = set.intersection(*map(matches, results))
    return next((result.outcome.match for result in results if result.outcome.match in common), min(common))


def _same(what: str, values: Sequence[Any], results: Sequence[Result]) -> None:
    for value, result in zip(values, results, strict=True):
        if value != values[0]:
            raise UsageError(
                f"{name_of(results[0])} has {what} {values[0]}, and {name_of(result)} {value}; results are compared at "
                f"one {what}: evaluate them alike"
            )


def name_of(result: Result) -> str:
    """The strategy, with what is unusual of its plan."""
    mode = result.outcome.batch_norm
    return " ".join(part for part in (unusual(result), mode if mode != "running" else "") if part)


def unusual(result: Result) -> str:
    """The strategy, with what is unusual of its plan, batch norm aside."""
    schedule, inactive = result.outcome.schedule, result.outcome.inactive
    parts = [result.outcome.strategy, schedule if schedule != "shuffle" else ""]
    return " ".join(part for part in (*parts, inactive if inactive != "frozen" else "") if part)


def _descending(mean: float) -> float:
    """To sort by: NaN comes last."""
    return math.inf if math.isnan(mean) else -mean
