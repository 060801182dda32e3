"""Results side by side: differences of their means over instances, and an order at a stated match.

    comparison = compare([Result.load("full.json"), Result.load("mine.json")])
    comparison.pairs[0].verdict         # "distinguishable" or "not distinguishable"
    print(comparison)

Differences are unpaired: two strategies with one seed share neither order nor augmentation (over the results that ship,
the correlation of their metrics by seed is -.01), and pairing costs half the degrees of freedom. Variances are drawn
towards what is usual (metrics/estimates.py). The table is the same for both sides, and its noise is left out. What
shares no weights (counts, chance, a file of scores) has no match and no steps, and stands beside anything; one ranking
of which nobody knows that it varies is taken as it is.
"""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from nasbench_ws.errors import UsageError
from nasbench_ws.json_files import without_nan
from nasbench_ws.markup import number, paragraph, table
from nasbench_ws.metrics.estimates import Estimate, estimate, exact
from nasbench_ws.metrics.values import rankable
from nasbench_ws.results.assessment import Gap
from nasbench_ws.results.paths import path_note
from nasbench_ws.results.result import Result
from nasbench_ws.results.standing import gap, usual_of, varies
from nasbench_ws.results.text import LOW_IS_GOOD, gap_text, metric_name
from nasbench_ws.training.batch_norm import labelled, whole_name


@dataclass(frozen=True)
class Pair:
    """`difference` is that of the metric of `first` minus `second`."""

    first: str
    second: str
    difference: Gap

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
    fixed: bool = False  # one ranking of which nobody knows that it varies


@dataclass(frozen=True, repr=False)
class Comparison:
    """`rows` best first by the metric's mean; `pairs` of neighbours in that order, then of first and others."""

    metric: str
    match: str
    rows: tuple[Row, ...]
    pairs: tuple[Pair, ...]
    bound: float  # the most that can be expected of the metric; NaN where it has no bound
    params: float
    note: str = ""  # that the results were computed by different paths, or scored in different ways
    batch_norm: str = ""  # the way of scoring that all have in common; "" where each stands by its own

    def to_dict(self) -> dict[str, Any]:
        """For JSON; NaN is None."""
        pairs = [
            {
                "first": pair.first, "second": pair.second, **asdict(pair.difference),
                "interval": list(pair.difference.interval), "n": list(pair.difference.n),
            }
            for pair in self.pairs
        ]  # fmt: skip
        found: dict[str, Any] = without_nan({
            "metric": self.metric, "match": self.match, "rows": [asdict(row) for row in self.rows], "pairs": pairs,
            "bound": self.bound, "params": self.params, "note": self.note or None,
            "batch_norm": self.batch_norm or None,
        })  # fmt: skip
        return found

    def records(self) -> list[dict[str, Any]]:
        """A flat mapping a row: the interval as low and high."""
        return [
            {**{key: value for key, value in asdict(row).items() if key != "interval"}, "low": row.interval[0],
             "high": row.interval[1]}
            for row in self.rows
        ]  # fmt: skip

    def __repr__(self) -> str:
        return f"Comparison({len(self.rows)} results by {self.metric}, matched in {self.match or 'nothing'})"

    def _repr_html_(self) -> str:
        rows = [
            [row.name, number(row.mean), f"[{', '.join(map(number, row.interval))}]", row.n, f"{row.macs / 1e12:.2f}"]
            for row in self.rows
        ]
        said = [paragraph(f"{pair.first} - {pair.second}: {gap_text(pair.difference)}") for pair in self.pairs]
        return table(["strategy", self.metric, "95 %", "n", "T multiply-adds"], rows) + "".join(said)

    def __str__(self) -> str:
        head = (
            self.metric
            + (f", matched in {self.match}" if self.match else "")
            + (f", {labelled(self.batch_norm)}" if self.batch_norm else "")
            + "; "
            + ("" if math.isnan(self.bound) else f"bound {number(self.bound)}, ")
            + f"parameter count {number(self.params)}"
        )
        lines = [
            *textwrap.wrap(head, 79, break_on_hyphens=False),
            "",
            f"{'strategy':30}{'mean':>7}{'std':>7}  {'95 % interval':16}{'n':>3}{'T mult-adds':>12}",
        ]
        for row in self.rows:
            interval = "" if math.isnan(row.interval[0]) else f"[{', '.join(map(number, row.interval))}]"
            lines.append(
                f"{row.name[:29]:30}{number(row.mean):>7}{number(row.std):>7}  {interval:16}{row.n:>3}"
                f"{row.macs / 1e12:>12.2f}"
            )
        lines.append("")
        for pair in self.pairs:
            a, b = pair.difference.n
            text = f"{pair.first} - {pair.second} ({a} and {b} instances): {gap_text(pair.difference)}"
            lines += textwrap.wrap(text, 79, subsequent_indent="  ", break_on_hyphens=False)
        fixed = [row.name for row in self.rows if row.fixed]
        if fixed:
            text = f"One ranking, taken as it is, without a spread between instances: {', '.join(fixed)}."
            lines += ["", *textwrap.wrap(text, 79, break_on_hyphens=False)]
        if self.note:
            lines += ["", *textwrap.wrap(self.note, 79, break_on_hyphens=False)]
        return "\n".join(lines)


def compare(
    results: Sequence[Result], metric: str = "kendall_tau", batch_norm: str | None = None,
    names: Sequence[str] | None = None,
) -> Comparison:  # fmt: skip
    """Order results by a metric's mean, best first, and test neighbours, and the best against each other.

    UsageError where they are not of one table and match, or lack the metric or that way of batch norm.

    Args:
        results: two or more, against one table.
        metric: a key of their `metrics`; low is good of ranks and regret.
        batch_norm: by which scores super-nets stand; None: `shared_mode`, each by its own where there is none.
        names: what to call them; None: by strategy, and what is unusual of its plan.
    """
    if len(results) < 2:
        raise UsageError(f"{len(results)} result to compare; give at least 2")
    refuse_quick(results)
    labels = names or [name_of(result) for result in results]
    _same("table", [result.assessment.table.digest for result in results], labels)
    matched = [result for result in results if result.outcome.match]
    of_matched = [label for result, label in zip(results, labels, strict=True) if result.outcome.match]
    match, metric = _match(matched, of_matched) if matched else "", metric_name(metric)
    _same("number of steps", [result.outcome.steps for result in matched], of_matched)
    _same("number of validation images (0: all)", [result.outcome.valid_images for result in matched], of_matched)
    common = shared_mode(results) if batch_norm is None else mode_asked(batch_norm, matched)
    modes = modes_beside(results, common)
    called = names or [name_of(result, mode) for result, mode in zip(results, modes, strict=True)]
    for result, mode, name in zip(results, modes, called, strict=True):
        if metric not in result.under(mode):
            known = ", ".join(result.under(mode))
            raise UsageError(f"{name} has no metric {metric!r}; it has {known or _diverged(result, mode)}")
    rows = [_row(*one, metric) for one in zip(results, modes, called, strict=True)]
    order = sorted(range(len(rows)), key=lambda i: worst_last(rows[i].mean, metric))
    wanted = [*itertools.pairwise(order), *((order[0], last) for last in order[2:])]
    known_by = [_estimate(result, metric, mode) for result, mode in zip(results, modes, strict=True)]
    pairs = [Pair(called[i], called[j], gap(known_by[i], known_by[j])) for i, j in wanted]
    first = results[order[0]].assessment
    reach = first.standing.reach if first.standing is not None else {}
    ways = dict.fromkeys(mode for result, mode in zip(results, modes, strict=True) if result.outcome.match)
    apart = f"They are scored in different ways: {', '.join(map(labelled, ways))}." if len(ways) > 1 else ""
    return Comparison(
        metric, match, tuple(rows[i] for i in order), tuple(pairs),
        reach[metric].bound if metric in reach else math.nan, first.baselines["params"][metric].mean,
        " ".join(part for part in (path_note(results), apart) if part), next(iter(ways)) if len(ways) == 1 else "",
    )  # fmt: skip


def shared_mode(results: Sequence[Result]) -> str:
    """By which scores super-nets stand side by side: their own way of batch norm, or one that all have beside it.

    Recalibrated statistics come first among those. "" where they have none in common, and where there is no super-net.
    """
    matched = [result.outcome for result in results if result.outcome.match]
    if len({one.batch_norm for one in matched}) == 1:
        return matched[0].batch_norm
    common = [mode for mode in (matched[0].scores if matched else ()) if all(mode in one.scores for one in matched)]
    return min(common, key=lambda mode: (not mode.startswith("recalibrate"), mode), default="")


def modes_beside(results: Sequence[Result], common: str) -> list[str]:
    """The mode that each result stands by: super-nets by the common one, if there is one; all others by their own."""
    return [common if common and result.outcome.match else result.outcome.batch_norm for result in results]


def mode_asked(batch_norm: str, results: Sequence[Result]) -> str:
    """The whole name of a way of batch norm; UsageError where one of the results has no scores under it."""
    mode = whole_name(batch_norm)
    for result in results:
        if mode not in result.outcome.scores:
            known = ", ".join(filter(None, result.outcome.scores))
            if not known:
                raise UsageError(f"{unusual(result)} has no ways of batch norm; leave --batch-norm out")
            raise UsageError(f"{unusual(result)} has no scores under batch norm {mode!r}; it has {known}")
    return mode


def _row(result: Result, mode: str, name: str, metric: str) -> Row:
    outcome, one = result.outcome, result.under(mode)[metric]
    return Row(
        name, outcome.strategy, mode, one.mean, one.std, one.interval, one.n, outcome.cost.macs, outcome.cost.seconds,
        not varies(rankable(outcome.scores[mode]), mode),
    )  # fmt: skip


def gap_between(a: Result, b: Result, metric: str, mode: str | None = None) -> Gap:
    """The metric of a minus b's, by their own modes of batch norm or by one that both have."""
    first, second = (_estimate(result, metric, mode or result.outcome.batch_norm) for result in (a, b))
    return gap(first, second)


def _estimate(result: Result, metric: str, mode: str) -> Estimate:
    measured = result.under(mode)[metric]
    values = np.array(measured.values)
    if np.isfinite(values).all() and not varies(rankable(result.outcome.scores[mode]), mode):
        return exact(float(values[0]))
    if not np.isfinite(values).all():
        return Estimate(measured.mean, math.nan, math.nan, measured.std, len(values), measured.reason)
    one = estimate(values, usual_of(result.outcome, mode).get(metric))
    return one if measured.reason is None else replace(one, variance=math.nan, reason=measured.reason)


def matches(result: Result) -> set[str]:
    """The matches at which the result may stand beside others of as many steps: of one super-net, they are the same."""
    outcome = result.outcome
    found = {outcome.match}
    if outcome.cost.super_nets == 1:
        found |= {"child-updates", "group-compute"}
        if outcome.cost.child_updates == outcome.cost.steps:
            found.add("steps")
    return found


def _match(results: Sequence[Result], labels: Sequence[str]) -> str:
    """The match that all have; where there are several, one that a result states."""
    for (one, first), (other, second) in itertools.combinations(zip(results, labels, strict=True), 2):
        if not matches(one) & matches(other):
            _same("match", [one.outcome.match, other.outcome.match], [first, second])
    common = set.intersection(*map(matches, results))
    return next((result.outcome.match for result in results if result.outcome.match in common), min(common))


def _same(what: str, values: Sequence[Any], labels: Sequence[str]) -> None:
    for value, label in zip(values, labels, strict=True):
        if value != values[0]:
            raise UsageError(
                f"{labels[0]} has {what} {values[0]}, and {label} {value}; results are compared at one {what}: "
                "evaluate them alike"
            )


def refuse_quick(results: Sequence[Result]) -> None:
    """UsageError where one of them is a quick look."""
    for result in results:
        if result.outcome.quick:
            raise UsageError(
                f"{name_of(result)} is a quick look, which proves too little to be compared; evaluate it without "
                "--quick"
            )


def name_of(result: Result, mode: str | None = None, steps: str = "") -> str:
    """The strategy, with what is unusual of its plan; `mode` is that of its scores, if not its own.

    Args:
        result: whose name it is.
        mode: None: its own.
        steps: of `steps_beside`, where others beside it took other steps.
    """
    mode = result.outcome.batch_norm if mode is None else mode
    return " ".join(part for part in (unusual(result), steps, mode if mode != "running" else "") if part)


def steps_beside(results: Sequence[Result]) -> list[str]:
    """What to add to each name: "39,200 steps" where super-nets among them took several numbers of steps."""
    differ = len({one.outcome.steps for one in results if one.outcome.match}) > 1
    return [f"{one.outcome.steps:,} steps" if differ and one.outcome.match else "" for one in results]


def names_beside(results: Sequence[Result], modes: Sequence[str | None] | None = None) -> list[str]:
    """As `name_of`, with their steps where super-nets among them took several numbers of steps."""
    each = zip(results, modes or [None] * len(results), steps_beside(results), strict=True)
    return [name_of(*one) for one in each]


def _diverged(result: Result, mode: str) -> str:
    """Of scores of which every instance diverged, what to do."""
    other = ranks_under(result, mode)
    instead = f"; under {labelled(other)} it did not (--batch-norm {other})" if other else ""
    return f"none: it diverged{instead}"


def ranks_under(result: Result, mode: str) -> str:
    """Of a result that diverged under a mode, the first other one under which it did not; "" where there is none."""
    return next((one for one in result.outcome.scores if one != mode and result.under(one)), "")


def unusual(result: Result) -> str:
    """The strategy, with what is unusual of its plan, batch norm aside. An edge is written as shells take it, 0-1."""
    schedule, inactive = result.outcome.schedule, result.outcome.inactive
    asked = result.outcome.plan.get("end_lr")
    end = f"end-lr {asked:g}" if asked else ""
    some = f"valid-images {result.outcome.valid_images}" if result.outcome.valid_images else ""
    parts = [result.outcome.strategy.replace("->", "-"), schedule if schedule != "shuffle" else "", end, some]
    return " ".join(part for part in (*parts, inactive if inactive != "frozen" else "") if part)


def worst_last(mean: float, metric: str) -> float:
    """To sort by: the best first, whether high or low is good; NaN comes last."""
    return math.inf if math.isnan(mean) else mean if metric.startswith(LOW_IS_GOOD) else -mean
