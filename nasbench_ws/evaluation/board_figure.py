"""The leaderboard as a picture: every strategy's metric with its interval, beside what trains no super-net.

    forest(leaderboard())               # an <svg> element

Not here: the rows (leaderboard.py), and the page around the picture (board_page.py).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nasbench_ws.report.canvas import FAINT, FIRST, FOURTH, SECOND, THIRD, Canvas, styled
from nasbench_ws.results.text import LABELS
from nasbench_ws.training.batch_norm import is_mode, labelled

if TYPE_CHECKING:
    from nasbench_ws.evaluation.board import Leaderboard
    from nasbench_ws.evaluation.board_row import Row

LABEL = 30  # characters of a name; longer ones end in an ellipsis, and the page's table has them whole


@styled
def forest(board: Leaderboard) -> str:
    """A strategy a line, best on top: filled marks are recalibrated batch norm, triangles no accuracies."""
    names = list(dict.fromkeys(row.name for row in board.rows))
    description = f"{board.metric} of {len(names)} ways to rank {board.table}, with 95 % intervals"
    canvas = Canvas("board", description, height=1.2 + 0.235 * len(names))
    axes = canvas.axes
    params = next((row.mean for row in board.rows if row.name == "parameter count"), math.nan)
    for value, colour, name in ((params, SECOND, "parameter count"), (board.bound, THIRD, "bound")):
        if not math.isnan(value):
            axes.axvline(value, color=colour, linestyle="--", linewidth=1.1)
            axes.annotate(
                f"{name} {value:.2f}", (value, 1), xycoords=("data", "axes fraction"), xytext=(0, 3),
                textcoords="offset points", ha="right" if name != "bound" else "left", fontsize=9, color=colour,
            )  # fmt: skip
    axes.axvline(0, color=FAINT, linewidth=0.8)
    for row in board.rows:
        _mark(canvas, row, names.index(row.name))
    axes.set_yticks(range(len(names)), [_label(name) for name in names], fontsize=9)
    axes.set_ylim(len(names) - 0.4, -0.6)
    metric = LABELS.get(board.metric, board.metric)
    rest = "\ntriangles: other readouts" if any(_apart(row) for row in board.rows) else ""
    axes.set_xlabel(f"{metric}\nfilled: recalibrated batch norm; open: running{rest}", fontsize=10)
    axes.tick_params(axis="x", labelsize=9)
    return canvas.svg()


def _mark(canvas: Canvas, row: Row, place: int) -> None:
    low, high = row.interval
    recalibrated, apart = row.batch_norm.startswith("recalibrate"), _apart(row)
    lift = 0.0 if row.kind == "ranker" or apart else -0.14 if recalibrated else 0.14
    colour = SECOND if row.kind == "ranker" else FOURTH if apart else FIRST
    if not math.isnan(low) and not apart:  # several on one line; a mark says its interval when pointed at
        canvas.axes.hlines(place + lift, low, high, color=colour, linewidth=1.3, alpha=0.8)
    (mark,) = canvas.axes.plot(
        row.mean, place + lift, "D" if row.kind == "ranker" else "^" if apart else "o", color=colour, markersize=4.2,
        markerfacecolor=colour if recalibrated or row.kind == "ranker" else "none", markeredgewidth=1.0,
    )  # fmt: skip
    interval = "" if math.isnan(low) else f" [{low:.2f}, {high:.2f}]"
    mode = f", {labelled(row.batch_norm)}" if row.batch_norm else ""
    canvas.note(mark, f"{row.name}{mode}: {row.mean:.2f}{interval}")


def _apart(row: Row) -> bool:
    """Read off in another way than as accuracy, such as gates."""
    return bool(row.batch_norm) and not is_mode(row.batch_norm)


def _label(name: str) -> str:
    return name if len(name) <= LABEL else f"{name[: LABEL - 1]}\N{HORIZONTAL ELLIPSIS}"
