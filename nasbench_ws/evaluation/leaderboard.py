"""What stands on the leaderboard: results that ship, and rankings that train no super-net, in order at a stated match.

    board = leaderboard()                                  # or leaderboard([Result.load("mine.json")])
    print(board)
    board.results["similar-4-child-updates"].scores        # (instances, children): try a metric of your own on them

A row is a strategy under one way of batch norm; strategies with the same scores are one experiment, and one row names
them all. The column "95 %" has one meaning: where the mean over all instances may lie, the table's noise included. Of
rankings that do not vary it is the table's noise alone; chance, of which there is a known distribution, has none, and
neither has standalone training, whose seeds are the table's own. `entries` says what is run for it. Not here: how it is
shown (board.py).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np

from nasbench_ws.errors import ResultError, UsageError, near_misses
from nasbench_ws.evaluation.board import Leaderboard
from nasbench_ws.evaluation.board_facts import Facts, Results, facts, facts_of, number_of
from nasbench_ws.evaluation.board_row import Row, told_apart
from nasbench_ws.evaluation.catalogue import EQUAL, KINDS, SCALES, experiments
from nasbench_ws.evaluation.experiment import Experiment, What, shipped_folders
from nasbench_ws.evaluation.fit import problem_of
from nasbench_ws.limits import integer
from nasbench_ws.metrics.rank import reported, stability_tau
from nasbench_ws.rankers.alone import alone
from nasbench_ws.rankers.named import curves
from nasbench_ws.rankers.plan import Match, Plan
from nasbench_ws.results.assessment import Figure
from nasbench_ws.results.baselines import left_out
from nasbench_ws.results.compare import matches, refuse_quick, unusual, worst_last
from nasbench_ws.results.result import Result
from nasbench_ws.results.text import metric_name
from nasbench_ws.results.truth import GroundTruth, judged, places_of, seeds_each
from nasbench_ws.results.yardstick import REACHED, yardstick
from nasbench_ws.tables.table import Table, load
from nasbench_ws.training.batch_norm import whole_name

if TYPE_CHECKING:
    pass

SCALE, INSTANCES = SCALES["standard"], 5
MODES = ("running", f"recalibrate:{SCALE.calibration}")  # as what ships was run


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
    steps = None if steps is None else integer("steps", steps)
    judge = judged(truth, allow_missing)
    metric = _known_metric(metric, judge)
    if folder is not None and not Path(folder).is_dir():
        raise ResultError(f"{folder} is no folder; give one with results of `nasbench-ws evaluate`")
    folders = shipped_folders(truth.space.name) if folder is None else [Path(folder)]
    each = [(where, facts(where, truth, judge)) for where in folders]
    there = {name: one for _, by_name in each for name, one in by_name.items()}
    theirs = {name: one for name, one in there.items() if one.belongs}
    others = len(there) - len(theirs)
    theirs = {name: one for name, one in theirs.items() if match in one.matches or not one.match}
    by_name = results if isinstance(results, Mapping) else {f"given {i}": r for i, r in enumerate(results, start=1)}
    steps = _steps(theirs.values(), by_name.values(), steps, match)
    theirs = {name: one for name, one in theirs.items() if not one.match or one.steps == steps}
    for name, one in by_name.items():
        _check(name, one, truth, match, steps)
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
        mode = whole_name(batch_norm)
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
        judge.name, seeds_each(judge), metric, match, steps, bound, ordered, found, networks, told_apart(ordered),
        others,
    )  # fmt: skip


def _known_metric(metric: str, judge: GroundTruth) -> str:
    able, name = reported(len(judge)), metric_name(metric)
    if name not in able:
        raise UsageError(f"unknown metric {name!r}{near_misses(name, able)}; known are {', '.join(able)}")
    return name


def _steps(there: Collection[Facts], given: Iterable[Result], asked: int | None, match: str) -> int:
    """How many steps it is of: as asked, else as those given took where others did too, else as is usual."""
    counts = dict.fromkeys(one.steps for one in there if one.match)
    if asked is not None:
        if counts and asked not in counts:
            numbers = ", ".join(f"{one:,}" for one in sorted(counts))
            raise UsageError(f"no result matched in {match} took {asked:,} steps; there are results of {numbers}")
        return asked
    of_given = [one.outcome.steps for one in given if one.outcome.match]
    known = [one for one in of_given if one in counts or not counts]
    return [*known, *(one for one in counts if one == SCALE.steps), *counts, SCALE.steps][0]


def _check(name: str, one: Result, truth: Table, match: str, steps: int) -> None:
    """UsageError for a result of the caller's that the leaderboard has no place for."""
    if one.outcome.match and (match not in matches(one) or one.outcome.steps != steps):
        raise UsageError(
            f"{name} ({unusual(one)}) took {one.outcome.steps:,} steps matched in "
            f"{one.outcome.match}, and the leaderboard has {steps:,} matched in {match}: evaluate it with "
            f"--steps {steps} --match {match}, or look at the leaderboard of its own steps and match"
        )
    refuse_quick([one])
    if one.outcome.valid_images:
        raise UsageError(
            f"{name} ({unusual(one)}) was scored on {one.outcome.valid_images:,} validation images, and "
            "the leaderboard on all; evaluate it without --valid-images"
        )
    problem_of(one.outcome.recipe, truth)  # which refuses what is of other images or networks


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
    if len(known.places) < 2 or np.isnan(known.valid_accuracy).any():
        return rows
    for epoch in sorted({known.epochs[0], known.epochs[len(known.epochs) // 2], known.epochs[-1]}):
        ranker = alone(known, epoch)
        measured, partial = (left_out(judge, name, ranker.scores, ranker.looked_at) for name in (metric, "partial_tau"))
        name = f"alone, epoch {epoch:g} of {table.recipe.epochs:g}"
        s_tau = stability_tau(ranker.scores).mean
        row = _row(name, "ranker", "", measured, s_tau, ranker.cost.macs)
        rows.append(replace(row, partial_tau=partial.mean))
    return rows


def _row(name: str, kind: str, mode: str, measured: Figure, s_tau: float, macs: float) -> Row:
    return Row(0, name, kind, mode, measured.mean, measured.std, measured.interval, measured.n, s_tau, macs)
