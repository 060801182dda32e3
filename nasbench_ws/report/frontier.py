"""Kendall tau against what it costs: stopping early, predicting, counting, and results of super-nets and rankers.

    frontier(load("fashion14"), judge, results)         # a Section of the table's page, or None

The cost is that of one instance, as a share of one standalone training of every child. Standalone training is measured
as on the leaderboard: the ranking that a seed gives, against the mean of the other seeds. Not here: intervals and tests
(the leaderboard has them).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nasbench_ws.markup import paragraph, table
from nasbench_ws.rankers.alone import Curves, alone
from nasbench_ws.rankers.named import curves
from nasbench_ws.rankers.predictor import predicted
from nasbench_ws.rankers.scored import Known
from nasbench_ws.report.canvas import DASHES, FAINT, FIRST, FOURTH, SECOND, THIRD, Canvas, styled
from nasbench_ws.report.page import Section, figure
from nasbench_ws.results.baselines import left_out
from nasbench_ws.results.compare import unusual
from nasbench_ws.results.result import Result
from nasbench_ws.results.truth import GroundTruth, children_of, places_of
from nasbench_ws.results.yardstick import yardstick
from nasbench_ws.tables.table import Table

ALIKE = 1.05  # costs that differ by less are one
SHARES = (1 / 8, 1 / 4, 3 / 8, 1 / 2, 3 / 4, 1)  # of the children, to fit a predictor to
CAPTION = (
    "One instance, its cost in standalone trainings of every child. Lines: standalone training stopped early, and an "
    "additive predictor fitted to some children, each against the mean of the seeds that it did not see. Points: what "
    "ships of super-nets and rankers, the mean over instances; hover for names. What lies below and to the right of a "
    "line is dearer and ranks worse. The best of many results owes something to being the best of many."
)


@dataclass(frozen=True)
class Point:
    """A ranking: `cost` in standalone trainings of every child, `tau` a mean over instances, or seeds."""

    name: str
    cost: float
    tau: float


def frontier(truth: Table, judge: GroundTruth, results: Sequence[Result]) -> Section | None:
    """The figure with a table of what stands on the front; None where no standalone training was recorded,
    or none costs anything.

    Args:
        truth: whose curves are stopped early.
        judge: the table, or what is known of it, that rankings are measured against.
        results: measured against it; of ways of batch norm the recalibrated one counts, where it was read so.
    """
    if truth.foreign or not truth.has("macs"):
        return None
    known = curves(truth, places_of(judge))
    if len(known.places) < 2 or np.isnan(known.valid_accuracy).any() or np.isnan(known.train_loss).any():
        return None
    unit = float(alone(known, float(known.epochs[-1])).cost.macs)
    if not unit > 0:  # a stranger's table may say so
        return None
    lines = standalone(known, judge, unit)
    points = []
    for one in results:
        modes = sorted(one.outcome.scores, key=lambda mode: not mode.startswith("recalibrate"))  # where it was read so
        told = one.under(modes[0]).get("kendall_tau")
        if told is not None:
            points.append(Point(unusual(one), one.outcome.cost.macs / unit, told.mean))
    free = {"parameters": yardstick(judge).baselines["params"]["kendall_tau"].mean}
    front = on_front([*points, *(point for line in lines.values() for point in line)])
    rows = [[point.name, f"{point.cost:.2g}", f"{point.tau:.2f}"] for point in front]
    rows.insert(0, ["parameters", "0", f"{free['parameters']:.2f}"])
    body = figure(drawn(lines, points, free), CAPTION)
    body += paragraph("What nothing cheaper beats, beside counting parameters, which is free:", "note")
    return Section("Tau against cost", body + table(["ranking", "cost", "Kendall tau"], rows, cards=True))


def standalone(known: Curves, judge: GroundTruth, unit: float) -> dict[str, list[Point]]:
    """Lines of rankings that share no weights, cheapest first."""
    children, choices = len(known.macs), np.array([child.choices for child in children_of(judge)])
    fitted = dict.fromkeys(n for share in SHARES if (n := round(share * children)) >= 2)
    return {
        "stopped early, by accuracy": [_point(alone(known, epoch), judge, unit) for epoch in known.epochs.tolist()],
        "stopped early, by training loss": [
            _point(alone(known, epoch, by_loss=True), judge, unit) for epoch in known.epochs.tolist()
        ],
        "additive predictor": [_point(predicted(known, choices, n), judge, unit) for n in fitted],
    }


def _point(ranking: Known, judge: GroundTruth, unit: float) -> Point:
    tau = left_out(judge, "kendall_tau", ranking.scores, ranking.looked_at)
    return Point(ranking.name, ranking.cost.macs / unit, tau.mean)


def on_front(points: Sequence[Point]) -> list[Point]:
    """Those that rank better than everything that costs as much (within 5 %) or less, cheapest first."""
    usable = sorted((point for point in points if not np.isnan(point.tau)), key=lambda point: point.cost)

    def beats(other: int, one: int) -> bool:
        """A better rank at no more cost; of equal ranks the cheaper one, or the first."""
        here, there = usable[one], usable[other]
        return there.cost <= ALIKE * here.cost and (there.tau, -other) > (here.tau, -one)

    places = range(len(usable))
    return [usable[one] for one in places if not any(beats(other, one) for other in places)]


@styled
def drawn(lines: Mapping[str, Sequence[Point]], points: Sequence[Point], free: Mapping[str, float]) -> str:
    """Costs on a log axis; what is free is a level."""
    canvas = Canvas("frontier", "Kendall tau of rankings against their cost", height=4.2)
    axes = canvas.axes
    for colour, dash, (name, line) in zip((SECOND, THIRD, FOURTH), DASHES, lines.items(), strict=False):
        (mark,) = axes.plot([p.cost for p in line], [p.tau for p in line], dash, marker=".", color=colour, label=name)
        canvas.note(mark, name)
    for i, point in enumerate(one for one in points if one.cost > 0):
        (mark,) = axes.plot(point.cost, point.tau, "o", color=FIRST, markersize=5, alpha=0.8)
        mark.set_label("" if i else "results")
        canvas.note(mark, f"{point.name}: {point.cost:.3g} standalone trainings, Kendall tau {point.tau:.2f}")
    for name, tau in free.items():
        axes.axhline(tau, color=FAINT, linestyle="--", linewidth=1)
        at: Any = {"xy": (0.02, tau), "xycoords": ("axes fraction", "data")}
        axes.annotate(f"{name} {tau:.2f}", **at, xytext=(0, 3), textcoords="offset points", fontsize=9)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("cost (standalone trainings of every child)")
    axes.set_ylabel("Kendall tau")
    axes.legend(ncols=2, loc="lower left", bbox_to_anchor=(-0.02, 1.0), fontsize=9)
    return canvas.svg()
