"""The leaderboard as matplotlib Axes (extra `[report]`): `leaderboard().plot.forest()`, `.plot.frontier()`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nasbench_ws.markup import on_one_line
from nasbench_ws.results.text import LABELS
from nasbench_ws.tables.plot import AS_IT_IS, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from nasbench_ws.evaluation.board import Leaderboard


@dataclass(frozen=True)
class BoardPlot:
    """Each method takes Axes to draw on (`ax`, new ones without), and returns the Axes."""

    board: Leaderboard

    def forest(self, ax: Axes | None = None) -> Axes:
        """The metric of each row with its interval, best on top."""
        axes, rows = axes_or_new(ax, 1.0 + 0.16 * len(self.board.rows)), self.board.rows
        for place, row in enumerate(rows):
            low, high = row.interval
            if not math.isnan(low):
                axes.hlines(place, low, high, linewidth=1.2, color="C0")
            axes.plot(row.mean, place, "D" if row.kind == "ranker" else "o", color="C1" if row.given else "C0", ms=4)
        names = [on_one_line(f"{row.name} {row.batch_norm}") for row in rows]
        axes.set_yticks(range(len(rows)), names, fontsize=7, **AS_IT_IS)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel(LABELS[self.board.metric])
        return axes

    def frontier(self, ax: Axes | None = None) -> Axes:
        """The metric against the multiply-adds of an instance, on a log axis; what trains nothing is a line."""
        axes = axes_or_new(ax)
        free: dict[float, list[str]] = {}  # by where its line is
        for row in self.board.rows:
            if row.macs > 0:
                axes.plot(row.macs, row.mean, "o", color="C1" if row.given else "C0", ms=4)
            elif not math.isnan(row.mean):
                free.setdefault(round(row.mean, 2), []).append(row.name)
        for mean, names in free.items():
            axes.axhline(mean, linestyle="--", linewidth=0.8, color="0.6")
            at = ("axes fraction", "data")
            text = on_one_line(", ".join(names))
            axes.annotate(text, (1, mean), xycoords=at, fontsize=7, va="bottom", ha="right", **AS_IT_IS)
        axes.set_xscale("log")
        axes.set_xlabel("multiply-adds of training an instance")
        axes.set_ylabel(LABELS[self.board.metric])
        return axes
