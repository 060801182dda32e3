"""The leaderboard: results that ship, and rankings that train no super-net, in order at a stated match.

    board = leaderboard()                                  # or leaderboard([Result.load("mine.json")], match="compute")
    print(board)
    board.results["similar-4-compute"].scores              # (instances, children): try a metric of your own on them

A row is a strategy under one way of batch norm. `entries` says what is run for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from nasbench_ws.errors import ResultError, UsageError, extra, near_misses
from nasbench_ws.evaluation.catalogue import KINDS, SCALES, experiments
from nasbench_ws.evaluation.experiment import Experiment, What, shipped_results
from nasbench_ws.evaluation.fit import misfit, problem_of
from nasbench_ws.json_files import without_nan
from nasbench_ws.markup import number
from nasbench_ws.metrics.rank import evaluation_metrics, stability_tau
from nasbench_ws.metrics.values import rankable
from nasbench_ws.rankers.alone import alone
from nasbench_ws.rankers.named import curves
from nasbench_ws.rankers.plan import Match, Plan
from nasbench_ws.results.assessment import Figure
from nasbench_ws.results.baselines import baselines, left_out
from nasbench_ws.results.compare import matches, unusual
from nasbench_ws.results.result import Result
from nasbench_ws.results.text import LABELS
from nasbench_ws.tables.table import Table, load

if TYPE_CHECKING:
    import pandas as pd

SCALE, INSTANCES = SCALES["standard"], 5
LOW_IS_GOOD = ("top_rank", "regret")
MODES = ("running", f"recalibrate:{SCALE.calibration}")


@dataclass(frozen=True)
class Row:
    """A strategy under one way of batch norm, or a ranker ("ranker"); `macs` of training an instance of it."""

    place: int
    name: str
    kind: str  # "super-net" or "ranker"
    batch_norm: str
    mean: float
    std: float
    interval: tuple[float, float]
    n: int
    s_tau: float
    macs: float


@dataclass(frozen=True)
class Leaderboard:
    """`rows` best first by the metric's mean; `results` by file name, those given included."""

    table: str
    seeds: int
    metric: str
    match: str
    steps: int
    ceiling: float
    rows: tuple[Row, ...]
    results: Mapping[str, Result]
    left_out: int = 0  # results of the folder that are of other images, networks or children

    def to_dict(self) -> dict[str, Any]:
        """For JSON; without the results. NaN is None."""
        names = ("table", "seeds", "metric", "match", "steps", "ceiling")
        data = {**{name: getattr(self, name) for name in names}, "rows": [asdict(row) for row in self.rows]}
        found: dict[str, Any] = without_nan(data)
        return found

    def to_frame(self) -> pd.DataFrame:
        """A pandas frame with a row for each."""
        with extra("pandas", "to_frame needs pandas"):
            import pandas as pd
        frame = pd.DataFrame([asdict(row) for row in self.rows])
        frame["low"], frame["high"] = zip(*frame.pop("interval"), strict=True)
        return frame

    def __str__(self) -> str:
        head = f"{'':4}{'':22}{'batch norm':17}{'mean':>6}  {'95 %':14}{'n':>4}{'S-Tau':>6}{'cost':>5}"
        lines = [self.caption(), "", head]
        for row in self.rows:
            lines.append(
                f"{row.place:>2}  {row.name[:21]:22}{row.batch_norm:17}{number(row.mean):>6}  {_interval(row):14}"
                f"{row.n:>4}{_two(row.s_tau):>6}{row.macs / 1e12:>5.1f}"
            )
        return "\n".join(lines)

    def markdown(self) -> str:
        """For a README: a strategy a line, its ways of batch norm side by side; a ranker has one value."""
        modes = list(dict.fromkeys(row.batch_norm for row in sorted(self.rows, key=_mode) if row.batch_norm))
        lines = [self.caption(), "", f"| | {' | '.join(modes)} | n | cost |", "|---" * (len(modes) + 3) + "|"]
        for name in dict.fromkeys(row.name for row in self.rows):
            own = {row.batch_norm: row for row in self.rows if row.name == name}
            some = next(iter(own.values()))
            shown = [own.get(mode, some if some.kind == "ranker" else None) for mode in modes]
            cells = [f"{_two(row.mean)} {_interval(row)}" if row else "" for row in shown]
            title = f"`{name}`" if some.kind == "super-net" else f"*{name}*"
            lines.append(f"| {' | '.join((title, *cells, str(some.n), f'{some.macs / 1e12:.1f}'))} |")
        return "\n".join(lines)

    def caption(self) -> str:
        """What is measured, and what is equal."""
        return (
            f"{LABELS[self.metric]} on {self.table} ({self.seeds} seeds); "
            f"a held-out seed reaches {number(self.ceiling)}.\n"
            f"Matched in {self.match}: {self.steps:,} steps that share all. Cost: T multiply-adds."
            + (f"\nOf other images or networks, and left out: {self.left_out} results." if self.left_out else "")
        )


def _mode(row: Row) -> tuple[bool, str]:
    """Running statistics first."""
    return row.batch_norm != "running", row.batch_norm


def _interval(row: Row) -> str:
    return f"[{_two(row.interval[0])}, {_two(row.interval[1])}]"


def _two(value: float) -> str:
    return "" if math.isnan(value) else number(value, 2)


def entries(table: Table) -> list[Experiment]:
    """What is run for the leaderboard: of scale standard what is one of its matches, and more ways to share."""
    plan = Plan("full", table.recipe, steps=SCALE.steps, last_images=SCALE.last_images, batch_norm=MODES)
    ways = {(kind, m): f"groups:{kind}:{m}" for m in SCALE.groups for kind in KINDS}
    found = [one for one in experiments(table, SCALE) if one.plan.match != "steps" and not one.plan.interference]
    found = [replace(one, instances=INSTANCES) for one in found]
    for match in ("compute", "child-updates"):
        some = {What(kind, m, match=match): strategy for (kind, m), strategy in ways.items()}
        some |= {What("edge", edge=(a, b), match=match): f"edge:{a}->{b}" for a, b in table.space.edges}
        for what, strategy in {**some, What("none", match=match): "none"}.items():
            one = replace(plan, strategy=strategy, match=match, schedule="shuffle")
            found.append(Experiment(what, one, INSTANCES))
    found.append(Experiment(What("private-bn"), replace(plan, strategy="private:bn", schedule="shuffle"), INSTANCES))
    return list({one.name: one for one in found}.values())  # those of scale standard are the same under these names


def leaderboard(
    results: Sequence[Result] = (),
    table: str | Path | Table = "fashion14",
    *,
    match: Match = "compute",
    metric: str = "kendall_tau",
    batch_norm: str | None = None,
    folder: str | Path | None = None,
) -> Leaderboard:
    """Results of `folder` (those that ship), with those given among them, against the table.

    `batch_norm` leaves out all other modes. UsageError for an unknown metric or match, and for results given that are
    of another match or other steps; ResultError for results of other children, broken ones, and without the folder.
    """
    truth = table if isinstance(table, Table) else load(table)
    if match not in get_args(Match):
        raise UsageError(f"unknown match {match!r}; known are {', '.join(get_args(Match))}")
    able = evaluation_metrics(len(truth))
    if metric not in able:
        known = ", ".join(able)
        raise UsageError(f"unknown metric {metric!r}{near_misses(metric, able)}; known are {known}")
    if folder is not None and not Path(folder).is_dir():
        raise ResultError(f"{folder} is no folder; give one with results of `nasbench-ws evaluate`")
    there = {path.stem: Result.load(path) for path in sorted(Path(folder or shipped_results()).glob("*.json"))}
    found = {name: one for name, one in there.items() if misfit(one.outcome.recipe, truth) is None}
    others = len(there) - len(found)
    found = {name: one for name, one in found.items() if match in matches(one)}
    steps = next((one.outcome.steps for one in [*found.values(), *results]), SCALE.steps)
    for place, one in enumerate(results, start=1):
        if match not in matches(one) or one.outcome.steps != steps:
            raise UsageError(
                f"result {place} ({unusual(one)}) took {one.outcome.steps:,} steps matched in "
                f"{one.outcome.match}, and the leaderboard has {steps:,} matched in {match}; evaluate it with "
                f"--steps {steps} --match {match}"
            )
        problem_of(one.outcome.recipe, truth)  # which refuses what is of other images or networks
        found[f"given {place}"] = one
    found = {name: one.measured_by(truth) for name, one in found.items()}
    rows = [row for one in found.values() for row in _rows(one, metric)] + _rankers(truth, metric)
    rows = [row for row in rows if row.kind == "ranker" or batch_norm in (None, row.batch_norm)]
    sign = 1 if metric.startswith(LOW_IS_GOOD) else -1
    rows.sort(key=lambda row: math.inf if math.isnan(row.mean) else sign * row.mean)
    ordered = tuple(replace(row, place=place) for place, row in enumerate(rows, start=1))
    ceiling = left_out(truth, metric, truth.by_seed("test_accuracy").T)
    return Leaderboard(truth.name, len(truth.seeds), metric, match, steps, ceiling.mean, ordered, found, others)


def _rows(result: Result, metric: str) -> list[Row]:
    """One for each way of batch norm; none where every instance diverged."""
    rows = []
    for mode, scores in result.outcome.scores.items():
        usable, measured = rankable(scores), result.under(mode)
        if metric in measured:
            s_tau = stability_tau(usable).mean if len(usable) > 1 else math.nan
            rows.append(_row(unusual(result), "super-net", mode, measured[metric], s_tau, result.outcome.cost.macs))
    return rows


def _rankers(table: Table, metric: str) -> list[Row]:
    """What trains no super-net: parameters, multiply-adds, chance, and standalone training that is stopped early."""
    names = {"params": "parameter count", "macs": "multiply-adds", "random": "random"}
    rows = [_row(names[name], "ranker", "", one[metric], math.nan, 0.0) for name, one in baselines(table).items()]
    known = curves(table)
    if len(table.seeds) < 2 or np.isnan(known.valid_accuracy).any():
        return rows
    for epoch in sorted({known.epochs[0], known.epochs[len(known.epochs) // 2], known.epochs[-1]}):
        ranker = alone(known, epoch)
        measured = left_out(table, metric, ranker.scores)
        name = f"alone, epoch {epoch:g} of {table.recipe.epochs:g}"
        s_tau = stability_tau(ranker.scores).mean
        rows.append(_row(name, "ranker", "", measured, s_tau, ranker.cost.macs))
    return rows


def _row(name: str, kind: str, mode: str, measured: Figure, s_tau: float, macs: float) -> Row:
    return Row(0, name, kind, mode, measured.mean, measured.std, measured.interval, measured.n, s_tau, macs)
