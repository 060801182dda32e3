"""Figures of a result as matplotlib Axes, to go on with in a notebook.

    axes = result.plot.scatter(table)
    axes.set_title("mine")
    result.plot.ranks(table, ax=axes)
    result.plot.progress(table)                 # tau against steps, of evaluate --score-every N

Needs matplotlib (extra `[report]`). Not here: the figures of pages (report/), those of a table
(tables/plot.py), and those of the leaderboard (evaluation/board_plot.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nasbench_ws.errors import UsageError
from nasbench_ws.markup import on_one_line
from nasbench_ws.results.assess import rankable_taus
from nasbench_ws.results.truth import GroundTruth, once
from nasbench_ws.tables.plot import ABOVE, AS_IT_IS, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from nasbench_ws.results.result import Result


@dataclass(frozen=True)
class ResultPlot:
    """Each method takes the table, and Axes to draw on (`ax`, new ones without), and returns the Axes."""

    result: Result

    def scatter(self, table: GroundTruth, ax: Axes | None = None) -> Axes:
        """Mean score of each child against its ground truth; bars are deviations over instances.

        Accuracies are in percent; what a proxy or another readout gives is as it is.
        """
        table, outcome = once(table), self.result.outcome
        axes, scores = axes_or_new(ax), self.result.among(table).scores * (100 if outcome.accuracies else 1)
        over = np.nanstd(scores, axis=0, ddof=1) if len(scores) > 1 else None
        axes.errorbar(table.truth * 100, np.nanmean(scores, axis=0), yerr=over, fmt="o", markersize=4, elinewidth=0.7)
        axes.set_xlabel("ground truth (%)")
        what = outcome.batch_norm or outcome.strategy
        label = "score in the super-net (%)" if outcome.accuracies else on_one_line(f"score: {what}")
        axes.set_ylabel(label, **AS_IT_IS)
        axes.set_title(on_one_line(f"{outcome.strategy}: Kendall tau {self.result.tau.mean:.2f}"), **AS_IT_IS)
        return axes

    def ranks(self, table: GroundTruth, ax: Axes | None = None) -> Axes:
        """Rank of each child by each instance (1 is best) against its true rank; on the line both are the same."""
        table = once(table)
        axes, scores = axes_or_new(ax), self.result.among(table).scores
        true = 1 + np.argsort(np.argsort(-table.truth, kind="stable"), kind="stable")
        for seed, row in zip(self.result.outcome.seeds, scores, strict=True):
            if np.isfinite(row).any():
                ranked = 1 + np.argsort(np.argsort(-np.nan_to_num(row, nan=-np.inf), kind="stable"), kind="stable")
                axes.plot(true, ranked, ".", label=f"instance {seed}")
        axes.axline((1, 1), slope=1, color="0.6", linestyle="--", linewidth=1)
        axes.set_xticks(rank_ticks(len(true)))
        axes.set_yticks(rank_ticks(len(true)))
        axes.set_ylim(len(true) + 1, 0)
        axes.set_xlabel("true rank (1 is best)")
        axes.set_ylabel("rank by the super-net")
        _name_instances(axes, len(self.result.outcome.seeds))
        return axes

    def progress(self, table: GroundTruth, ax: Axes | None = None) -> Axes:
        """Kendall tau against steps, a line an instance. UsageError without `--score-every`."""
        table = once(table)
        outcome = self.result.among(table).outcome
        if "accuracy" not in outcome.trace:
            raise UsageError("this result has no scores on the way; evaluate it with --score-every N")
        axes, at = axes_or_new(ax), outcome.trace["progress"].mean(axis=0) * outcome.steps
        for seed, scores in zip(outcome.seeds, outcome.trace["accuracy"], strict=True):
            axes.plot(at, rankable_taus(scores, table.truth), ".-", label=f"instance {seed}")
        axes.set_xlabel("steps")
        axes.set_ylabel("Kendall tau")
        _name_instances(axes, len(self.result.outcome.seeds))
        return axes

    def window(self, table: GroundTruth, ax: Axes | None = None) -> Axes:
        """Kendall tau after each of the last steps, a line an instance. UsageError without `--last`."""
        table = once(table)
        window = self.result.among(table).outcome.window
        if window is None:
            raise UsageError("this result has no scores of its last steps; evaluate it with --last K")
        axes = axes_or_new(ax)
        for seed, scores in zip(self.result.outcome.seeds, window.scores, strict=True):
            taus = rankable_taus(scores, table.truth)
            axes.plot(np.arange(-len(taus) + 1, 1), taus, label=f"instance {seed}")
        axes.set_xlabel("steps before the end")
        axes.set_ylabel("Kendall tau")
        _name_instances(axes, len(self.result.outcome.seeds))
        return axes


FEW = 8  # instances whose names have room


def rank_ticks(count: int) -> list[int]:
    """Ranks to name on an axis that begins at 1: about six, at round numbers.

    >>> rank_ticks(64)
    [1, 10, 20, 30, 40, 50, 60]
    """
    step = next(s for e in range(9) for s in (1 * 10**e, 2 * 10**e, 5 * 10**e) if count / s <= 7)
    return sorted({1, *range(step, count + 1, step)})


def _name_instances(axes: Axes, count: int) -> None:
    """None for many instances."""
    if count <= FEW:
        axes.legend(**ABOVE)
