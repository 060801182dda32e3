"""The leaderboard: results that ship, and rankings that train no super-net, in order at a stated match.

    board = leaderboard()                                  # or leaderboard([Result.load("mine.json")])
    print(board)
    board.results["similar-4-child-updates"].scores        # (instances, children): try a metric of your own on them

A row is a strategy under one way of batch norm; strategies with the same scores are one experiment, and one row names
them all. The column "95 %" has one meaning: where the mean over all instances may lie, the table's noise included. Of
rankings that do not vary it is the table's noise alone; chance, of which there is a known distribution, has none, and
neither has standalone training, whose seeds are the table's own. `entries` says what is run for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from nasbench_ws.errors import ResultError, UsageError, extra, near_misses
from nasbench_ws.evaluation.board_facts import Facts, Results, facts, facts_of, number_of
from nasbench_ws.evaluation.board_plot import BoardPlot
from nasbench_ws.evaluation.board_row import Row, count_text, interval_text, mean_text, told_apart, two, usual
from nasbench_ws.evaluation.catalogue import EQUAL, KINDS, SCALES, experiments
from nasbench_ws.evaluation.experiment import Experiment, What, shipped_folders
from nasbench_ws.evaluation.fit import problem_of
from nasbench_ws.json_files import without_nan
from nasbench_ws.markup import number, paragraph
from nasbench_ws.markup import table as table_of
from nasbench_ws.metrics.rank import reported, stability_tau
from nasbench_ws.rankers.alone import alone
from nasbench_ws.rankers.named import curves
from nasbench_ws.rankers.plan import Match, Plan
from nasbench_ws.results.assessment import Figure
from nasbench_ws.results.baselines import left_out
from nasbench_ws.results.compare import matches, refuse_quick, unusual, worst_last
from nasbench_ws.results.result import Result
from nasbench_ws.results.text import LABELS, metric_name
from nasbench_ws.results.truth import GroundTruth, judged, places_of
from nasbench_ws.results.yardstick import REACHED, yardstick
from nasbench_ws.tables.table import Table, load
from nasbench_ws.training.batch_norm import BatchNorm, is_mode

if TYPE_CHECKING:
    import pandas as pd

SCALE, INSTANCES = SCALES["standard"], 5
IN_NOTEBOOKS = 20  # rows, and the caller's own
MODES = ("running", f"recalibrate:{SCALE.calibration}")  # as what ships was run


@dataclass(frozen=True, repr=False)
class Leaderboard:
    """`rows` best first by the metric's mean; `results` by file name, those given included."""

    table: str
    seeds: int
    metric: str
    match: str
    steps: int
    bound: float  # the most that a ranking can be expected to reach; NaN where the metric has no bound
    rows: tuple[Row, ...]
    results: Mapping[str, Result]
    networks: int = 0  # that count, where some of the table's children are one network; 0: every child does
    detectable: Mapping[int, tuple[float, float]] = field(default_factory=dict)  # told_apart of its rows
    left_out: int = 0  # results of the folder of other images, networks or children, or scored on some images alone

    def to_dict(self) -> dict[str, Any]:
        """For JSON; without the results. NaN is None."""
        names = ("table", "seeds", "networks", "metric", "match", "steps", "bound", "detectable")
        data = {**{name: getattr(self, name) for name in names}, "rows": [asdict(row) for row in self.rows]}
        found: dict[str, Any] = without_nan(data)
        return found

    def only(self, *, top: int | None = None, kind: str | None = None, strategy: str | None = None) -> Leaderboard:
        """The first `top` rows of those of a kind, and with a text in their name; the caller's rows always.

        UsageError where no row is left.
        """
        some = [
            row
            for row in self.rows
            if row.given or (kind in (None, row.kind) and (strategy or "").replace("->", "-") in row.name)
        ]
        if not some:
            of_kind = "" if kind is None else f" of kind {kind}"
            raise UsageError(f"no row{of_kind} has {strategy or ''!r} in its name; leave that out to see what there is")
        first = some if top is None else [row for i, row in enumerate(some) if i < top or row.given]
        return replace(self, rows=tuple(first))

    def records(self) -> list[dict[str, Any]]:
        """A flat mapping a row: the interval as low and high."""
        found = []
        for row in self.rows:
            record = {**asdict(row), "files": " ".join(row.files), "low": row.interval[0], "high": row.interval[1]}
            del record["interval"]
            found.append(record)
        return found

    def to_frame(self) -> pd.DataFrame:
        """A pandas frame with a row for each."""
        with extra("pandas", "to_frame needs pandas"):
            import pandas as pd
        return pd.DataFrame(self.records())

    def __str__(self) -> str:
        head = f"{'':3} {'':13}{'batch norm':17}{'mean':>5}  {'95 %':14}{'n':>2}{'part.':>6}{'S-Tau':>6}"
        lines = [self.caption(), "", f"{head}{'ens.':>6}{'cost':>5}"]
        for row in self.rows:
            place = f"{'>' if row.given else ''}{row.place}"
            title = f"{row.name:13}{row.batch_norm:17}" if row.batch_norm else f"{row.name:30}"
            if row.batch_norm and len(row.name) > 12:  # on a line of its own
                lines.append(f"{place:>3} {row.name}")
                place, title = "", f"{'':13}{row.batch_norm:17}"
            lines.append(
                f"{place:>3} {title}{two(row.mean):>5}  {interval_text(row):14}{count_text(row):>2}"
                f"{two(row.partial_tau):>6}{two(row.s_tau):>6}{two(row.ensemble):>6}{row.macs / 1e12:>5.1f}"
            )
        return "\n".join(lines)

    @property
    def plot(self) -> BoardPlot:
        """Figures as matplotlib Axes: `forest()`, `frontier()`."""
        return BoardPlot(self)

    def __repr__(self) -> str:
        return f"Leaderboard({self.table!r}: {len(self.rows)} rows by {self.metric}, matched in {self.match})"

    def _repr_html_(self) -> str:
        first = self.only(top=IN_NOTEBOOKS) if self.rows else self
        left = len(self.rows) - len(first.rows)
        more = paragraph(f"{left} more rows: print the leaderboard, or take its to_frame()", "note") if left else ""
        rows = [
            [
                row.place, row.name, row.batch_norm, number(row.mean), interval_text(row), count_text(row),
                two(row.partial_tau),
            ]
            for row in first.rows
        ]
        head = ["", "strategy", "batch norm", self.metric, "95 %", "n", "partial tau"]
        return paragraph(self.caption()) + table_of(head, rows) + more

    def markdown(self) -> str:
        """For a README: a strategy a line, ways to read it that most have side by side, the rest in a column."""
        modes, rest = usual(self.rows)
        heads = [*(part for mode in modes for part in (mode, "partial")), *(["other readouts"] if rest else [])]
        lines = [self.caption(), "", f"| | {' | '.join(heads)} | n | cost |", "|---" * (len(heads) + 3) + "|"]
        for name in dict.fromkeys(row.name for row in self.rows):
            own = {row.batch_norm: row for row in self.rows if row.name == name}
            some = next(iter(own.values()))
            shown = [own.get(mode, some if some.kind == "ranker" else None) for mode in modes]
            cells = [cell for row in shown for cell in ((mean_text(row), two(row.partial_tau)) if row else ("", ""))]
            if rest:
                cells.append("; ".join(f"{mode} {mean_text(row)}" for mode, row in own.items() if mode in rest))
            title = f"`{name}`" if some.kind == "super-net" else f"*{name}*"
            title = f"**{title}**" if some.given else title
            lines.append(f"| {' | '.join((title, *cells, count_text(some), f'{some.macs / 1e12:.1f}'))} |")
        return "\n".join(lines)

    def caption(self) -> str:
        """What is measured, and what is equal."""
        most = "" if math.isnan(self.bound) else f"; expected at most: {number(self.bound)}"
        each = f", {self.networks} networks" if self.networks else ""
        return (
            f"{LABELS[self.metric]} on {self.table} ({self.seeds} seeds{each}){most}.\n"
            f"Matched in {self.match}: {self.steps:,} steps that share all.\n"
            "Partial: Kendall tau given parameters. Cost: T multiply-adds of an instance.\n"
            "Ens.: Kendall tau of the mean score, an ensemble of the n instances."
            + (f"\n{self.power()}" if self.detectable else "")
            + self._without()
        )

    def power(self) -> str:
        """By how much rows must differ to be told apart; "" where nothing is known of that."""
        each = {n: dict.fromkeys(map(two, ends)) for n, ends in self.detectable.items()}
        gaps = ", ".join(f"{' to '.join(ends)} (n = {n})" for n, ends in each.items())
        return f"Told apart with a chance of 80 %: rows that differ by {gaps}." if gaps else ""

    def _without(self) -> str:
        count = self.left_out
        return f"\nOf other images or networks, or some images: {count} results, left out." if count else ""


def entries(table: Table) -> list[Experiment]:
    """What is run for the leaderboard: of scale standard what is one of its matches, and more ways to share."""
    plan = Plan("full", table.recipe, steps=SCALE.steps, last_images=SCALE.last_images, batch_norm=MODES)
    ways = {(kind, m): f"groups:{kind}:{m}" for m in SCALE.groups for kind in KINDS}
    found = [
        replace(one, instances=INSTANCES)
        for one in experiments(table, SCALE)
        if one.plan.match != "steps" and not one.plan.interference and not one.plan.last
    ]
    for match in EQUAL:
        some = {What(kind, m, match=match): strategy for (kind, m), strategy in ways.items()}
        some |= {What("edge", edge=(a, b), match=match): f"edge:{a}->{b}" for a, b in table.space.edges}
        for what, strategy in {**some, What("none", match=match): "none"}.items():
            one = replace(plan, strategy=strategy, match=match, schedule="shuffle")
            found.append(Experiment(what, one, INSTANCES))
    found.append(Experiment(What("private-bn"), replace(plan, strategy="private:bn", schedule="shuffle"), INSTANCES))
    return list({one.name: one for one in found}.values())  # those of scale standard are the same under these names


def leaderboard(
    results: Sequence[Result] | Mapping[str, Result] = (),
    table: str | Path | Table = "fashion14",
    *,
    match: Match = "child-updates",
    metric: str = "kendall_tau",
    batch_norm: str | None = None,
    folder: str | Path | None = None,
    allow_missing: bool = False,
    steps: int | None = None,
) -> Leaderboard:
    """Results of a folder that took as many steps, with those given among them, against the table.

    Args:
        results: the caller's, marked among the others; by the names that their rows get, or in a list. A name that
            another row or file has is followed by "(yours)".
        table: a shipped table's name, a path, or a `Table`.
        match: what is equal between rows; results of another match are left out.
        metric: what orders the rows, as it is printed (T1R, P@top5) or by its own name.
        batch_norm: only rows of this mode, or other readout; None: of all.
        folder: of results; None: those that ship.
        allow_missing: leave out children whose runs the table lacks.
        steps: of an instance that shares all; None: as those given took, where others are there, or 6,400.

    UsageError for an unknown metric or match, for steps that no result took, and for results given that are of another
    match or other steps;
    ResultError for results of other children, broken ones, and without the folder.
    """
    truth = table if isinstance(table, Table) else load(table)
    if match not in get_args(Match):
        raise UsageError(f"unknown match {match!r}; known are {', '.join(get_args(Match))}")
    judge = judged(truth, allow_missing)
    able, metric = reported(len(judge)), metric_name(metric)
    if metric not in able:
        known = ", ".join(able)
        raise UsageError(f"unknown metric {metric!r}{near_misses(metric, able)}; known are {known}")
    if folder is not None and not Path(folder).is_dir():
        raise ResultError(f"{folder} is no folder; give one with results of `nasbench-ws evaluate`")
    folders = shipped_folders(truth.space.name) if folder is None else [Path(folder)]
    each = [(where, facts(where, truth, judge)) for where in folders]
    there = {name: one for _, by_name in each for name, one in by_name.items()}
    theirs = {name: one for name, one in there.items() if one.belongs}
    others = len(there) - len(theirs)
    theirs = {name: one for name, one in theirs.items() if match in one.matches or not one.match}
    by_name = results if isinstance(results, Mapping) else {f"given {i}": r for i, r in enumerate(results, start=1)}
    given_steps = [one.outcome.steps for one in by_name.values() if one.outcome.match]
    counts = dict.fromkeys(one.steps for one in theirs.values() if one.match)
    if steps is not None and counts and steps not in counts:
        numbers = ", ".join(f"{one:,}" for one in sorted(counts))
        raise UsageError(f"no result matched in {match} took {steps:,} steps; there are results of {numbers}")
    if steps is None:
        of_given = [one for one in given_steps if one in counts or not counts]
        steps = [*of_given, *(one for one in counts if one == SCALE.steps), *counts, SCALE.steps][0]
    theirs = {name: one for name, one in theirs.items() if not one.match or one.steps == steps}
    for name, one in by_name.items():
        if one.outcome.match and (match not in matches(one) or one.outcome.steps != steps):
            raise UsageError(
                f"{name} ({unusual(one)}) took {one.outcome.steps:,} steps matched in "
                f"{one.outcome.match}, and the leaderboard has {steps:,} matched in {match}; evaluate it with "
                f"--steps {steps} --match {match}"
            )
        refuse_quick([one])
        if one.outcome.valid_images:
            raise UsageError(
                f"{name} ({unusual(one)}) was scored on {one.outcome.valid_images:,} validation images, and "
                "the leaderboard on all; evaluate it without --valid-images"
            )
        problem_of(one.outcome.recipe, truth)  # which refuses what is of other images or networks
    rows = _rankers(truth, judge, metric)
    taken = {*there, *(one.title for one in there.values()), *(row.name for row in rows)}
    own = {
        f"{name} (yours)" if name in taken else name: one.measured_by(judge) for name, one in by_name.items()
    }
    for alike in _alike({**theirs, **{name: facts_of(one, judge) for name, one in own.items()}}):
        given = [name for name in alike if name in own]
        named = given if isinstance(results, Mapping) and given else [one.title for one in alike.values()]
        name = " = ".join(dict.fromkeys(named))
        some = _rows(name, next(iter(alike.values())), metric)
        rows += [replace(row, given=bool(given), files=tuple(alike)) for row in some]
    if batch_norm is not None:
        mode = str(BatchNorm.parse(batch_norm)) if is_mode(batch_norm) else batch_norm
        there_are = list(dict.fromkeys(row.batch_norm for row in rows if row.batch_norm))
        if mode not in there_are:
            close = near_misses(mode, there_are)
            raise UsageError(f"no row has batch norm {mode!r}{close}; there are {', '.join(there_are) or 'none'}")
        rows = [row for row in rows if row.kind == "ranker" or row.batch_norm == mode]
    rows.sort(key=lambda row: worst_last(row.mean, metric))
    ordered = tuple(replace(row, place=place) for place, row in enumerate(rows, start=1))
    bound = yardstick(judge).reach[metric].bound if metric in REACHED else math.nan
    networks = len(judge) if not truth.firsts.all() else 0
    files = {name: where / f"{name}.json" for where, by_name in each for name in by_name if name in theirs}
    found = Results({**files, **own}, judge)
    return Leaderboard(
        judge.name, len(truth.seeds), metric, match, steps, bound, ordered, found, networks, told_apart(ordered), others
    )  # fmt: skip


def _alike(known: Mapping[str, Facts]) -> list[dict[str, Facts]]:
    """Results that are one experiment under several names: the same scores, to the last bit."""
    found: dict[str, dict[str, Facts]] = {}
    for name, one in known.items():
        found.setdefault(one.scores, {})[name] = one
    return list(found.values())


def _rows(name: str, one: Facts, metric: str) -> list[Row]:
    """One for each way of batch norm; none where every instance diverged."""
    rows, kind = [], "super-net" if one.match else "ranker"
    for mode, reading in one.readings.items():
        if metric in reading.figures:
            mean, std, low, high, n = reading.figure(metric)
            partial = reading.figure("partial_tau")[0] if "partial_tau" in reading.figures else math.nan
            rows.append(
                Row(
                    0, name, kind, mode, mean, std, (low, high), n, number_of(reading.s_tau), one.macs, partial,
                    number_of(reading.ensemble), detectable=reading.apart.get(metric, math.nan),
                )
            )  # fmt: skip
    return rows


def _rankers(table: Table, judge: GroundTruth, metric: str) -> list[Row]:
    """What trains no super-net: parameters, multiply-adds, chance, and standalone training that is stopped early."""
    names = {"params": "parameter count", "macs": "multiply-adds", "random": "random"}
    rows = []
    for name, one in yardstick(judge).baselines.items():
        if metric not in one:
            continue
        row = replace(_row(names[name], "ranker", "", one[metric], math.nan, 0.0), partial_tau=one["partial_tau"].mean)
        rows.append(replace(row, interval=(math.nan, math.nan)) if name == "random" else row)
    known = curves(table, places_of(judge))
    if len(table.seeds) < 2 or np.isnan(known.valid_accuracy).any():
        return rows
    for epoch in sorted({known.epochs[0], known.epochs[len(known.epochs) // 2], known.epochs[-1]}):
        ranker = alone(known, epoch)
        measured, partial = (left_out(judge, name, ranker.scores) for name in (metric, "partial_tau"))
        name = f"alone, epoch {epoch:g} of {table.recipe.epochs:g}"
        s_tau = stability_tau(ranker.scores).mean
        row = _row(name, "ranker", "", measured, s_tau, ranker.cost.macs)
        rows.append(replace(row, partial_tau=partial.mean))
    return rows


def _row(name: str, kind: str, mode: str, measured: Figure, s_tau: float, macs: float) -> Row:
    return Row(0, name, kind, mode, measured.mean, measured.std, measured.interval, measured.n, s_tau, macs)
