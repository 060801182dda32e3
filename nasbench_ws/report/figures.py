"""The figures of results, a function each: numbers in, an SVG element out. What they are about is said around them.

Shapes: (n,) by child, (I, n) by instance and child. Accuracies are fractions in, percent on the axes. Not here: the
scatter (scatter.py), and the figures of a table (table_figures.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from nasbench_ws.markup import printable
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.report.canvas import DASHES, FAINT, FIRST, INK, SECOND, SERIES, THIRD, Canvas, styled
from nasbench_ws.results.plot import rank_ticks

FEW = 8  # instances: each is a dot of its own up to here


class Row(NamedTuple):
    """One strategy: Kendall tau with its interval, and what an instance cost, in multiply-adds."""

    name: str
    mean: float
    low: float
    high: float
    macs: float


_ABOVE: Any = {"loc": "lower left", "bbox_to_anchor": (-0.02, 1.0), "fontsize": 9}  # a legend that covers nothing
LABELS = 16  # blocks of the matrix, above which their names have no room


@styled
def window(taus: Array, bound: float, params: float, instances: Sequence[int]) -> str:
    """Kendall tau (I, k) after each of the last k steps; `instances` are their seeds."""
    canvas = Canvas("window", "Kendall tau after each of the last steps")
    steps = np.arange(-taus.shape[1] + 1, 1)
    for i, (seed, line) in enumerate(zip(instances, taus, strict=True)):
        (drawn,) = canvas.axes.plot(steps, line, color=SERIES[i % len(SERIES)], linewidth=1.2, alpha=0.85)
        drawn.set_label(f"instance {seed}")
        drawn.set_linestyle(DASHES[i // len(SERIES) % len(DASHES)])
        canvas.note(drawn, f"instance {seed}: mean {np.nanmean(line):.3f}, standard deviation {np.nanstd(line):.3f}")
    _levels(canvas, bound, params)
    canvas.axes.locator_params(axis="x", integer=True)
    canvas.axes.set_xlabel("steps before the end")
    canvas.axes.set_ylabel("Kendall tau")
    if len(taus) > 1:
        canvas.axes.legend(ncols=3, **_ABOVE)
    return canvas.svg()


@styled
def progress(at: Array, taus: Mapping[str, Array], bound: float, params: float) -> str:
    """Kendall tau (I, points) of each readout at parts `at` (points,) of the budget: its mean, and its range."""
    canvas = Canvas("progress", "Kendall tau while it trains")
    for i, (name, lines) in enumerate(taus.items()):
        known = np.isfinite(lines).any(axis=0)  # before anything moves, scores are equal and have no tau
        some, x, colour = lines[:, known], at[known], SERIES[i % len(SERIES)]
        (drawn,) = canvas.axes.plot(x, np.nanmean(some, axis=0), color=colour, linewidth=1.4, label=name)
        canvas.axes.fill_between(x, np.nanmin(some, axis=0), np.nanmax(some, axis=0), color=colour, alpha=0.15)
        canvas.note(drawn, f"{name}: mean at the end {np.nanmean(some[:, -1]):.3f}")
    _levels(canvas, bound, params)
    canvas.axes.legend()
    canvas.axes.set_xlabel("part of the budget spent")
    canvas.axes.set_ylabel("Kendall tau")
    return canvas.svg()


@styled
def ranks(names: Sequence[str], truth: Array, ranked: Array, instances: Sequence[int]) -> str:
    """Rank of each child (I, n; 1 is best) in the instances, in order of its true rank (the paper's figure 3).

    `instances` are their seeds: of few, each has a colour of its own.
    """
    canvas = Canvas("ranks", "Rank of each child in the super-nets, by its true rank")
    axes, order = canvas.axes, np.argsort(-truth, kind="stable")
    places = np.arange(1, len(order) + 1)
    axes.plot(places, places, color=FAINT, linewidth=1, linestyle="--")
    columns = ranked[:, order]
    few = len(columns) <= FEW  # quartiles of five say less than the five
    for i, (seed, row) in enumerate(zip(instances, columns, strict=True) if few else ()):
        colour, shape = SERIES[i % len(SERIES)], "os"[i // 4 % 2]
        axes.plot(places, row, shape, color=colour, markersize=3.4, alpha=0.85, label=f"instance {seed}")
    low, mid, high = np.nanquantile(columns, (0, 0.5, 1) if few else (0.25, 0.5, 0.75), axis=0)
    if not few:
        axes.vlines(places, np.nanmin(columns, axis=0), np.nanmax(columns, axis=0), color=FAINT, linewidth=0.8)
    for i, child in enumerate(order):
        said = ", ".join(f"{value:g}" for value in columns[:, i])
        if not few:
            said = f"median {mid[i]:g}, from {columns[:, i].min():g} to {columns[:, i].max():g}"
        (bar,) = axes.bar(
            places[i], max(high[i] - low[i], 0.3), bottom=low[i], width=0.75, color=FIRST if not few else FAINT,
            alpha=0.55 if not few else 0.12, zorder=3 if few else 1,
        )  # fmt: skip
        canvas.note(bar, f"{names[child]}: truly {places[i]}; {said}")
    axes.hlines(mid, places - 0.4, places + 0.4, color=INK, linewidth=1.4)
    ends = rank_ticks(len(order))
    axes.set_xticks(ends)
    axes.set_yticks(ends)
    axes.set_ylim(len(order) + 0.5, 0.5)
    axes.set_xlabel("rank by ground truth (1 is best)")
    axes.set_ylabel("rank in the super-net")
    if few:
        axes.legend(ncols=3, **_ABOVE)
    return canvas.svg()


@styled
def interference(changes: Array, names: Sequence[str], block: int) -> str:
    """Change of each child's accuracy (column) by steps of another (row), (n, n), in points.

    Every `block` children are alike on the first edge; they are divided by lines, and named by the first of them.
    """
    canvas = Canvas("interference", "What steps of one child do to the accuracy of all", height=4.8)
    points = changes * 100
    limit = float(np.nanquantile(np.abs(points), 0.98)) or 1.0
    shown = canvas.axes.imshow(points, cmap="PuOr_r", vmin=-limit, vmax=limit, interpolation="nearest")
    bar = canvas.axes.figure.colorbar(shown, ax=canvas.axes, shrink=0.8)
    bar.set_label("change of accuracy (points)")
    bar.outline.set_edgecolor(FAINT)
    starts = list(range(0, len(names), max(1, block)))
    if len(starts) <= LABELS:
        for start in starts[1:]:
            canvas.axes.axvline(start - 0.5, color=INK, linewidth=0.6)
            canvas.axes.axhline(start - 0.5, color=INK, linewidth=0.6)
        labels = [names[start] for start in starts]
        canvas.axes.set_xticks(starts, labels)
        canvas.axes.set_yticks(starts, labels)
    canvas.axes.set_xlabel("child scored, from the one named on")
    canvas.axes.set_ylabel("child trained")
    return canvas.svg()


@styled
def tuning(taus: Mapping[str, Mapping[int, Array]], bound: float, params: float) -> str:
    """Kendall tau (I,) after steps of fine-tuning of each child, a line a batch norm mode."""
    canvas = Canvas("tuning", "Kendall tau after fine-tuning each child")
    for i, (mode, by_count) in enumerate(taus.items()):
        counts = sorted(by_count)
        means = [np.nanmean(by_count[count]) for count in counts]
        canvas.axes.plot(range(len(counts)), means, "o-", color=SERIES[i % len(SERIES)], label=mode)
        canvas.axes.set_xticks(range(len(counts)), [str(c) for c in counts])
    _levels(canvas, bound, params)
    canvas.axes.set_xlabel("steps of each child alone")
    canvas.axes.set_ylabel("Kendall tau")
    canvas.axes.legend(title="batch norm")
    return canvas.svg()


@styled
def strategies(rows: Sequence[Row], bound: float, params: float) -> str:
    """Kendall tau of each strategy, with its interval."""
    canvas = Canvas("strategies", "Kendall tau of each strategy", height=1.4 + 0.34 * len(rows))
    axes = canvas.axes
    for place, row in enumerate(reversed(rows)):
        (line,) = axes.plot([row.low, row.high], [place, place], color=FIRST, linewidth=2.2, solid_capstyle="butt")
        (mark,) = axes.plot(row.mean, place, "o", color=FIRST)
        for artist in (line, mark):
            canvas.note(artist, f"{row.name}: {row.mean:.3f} [{row.low:.3f}, {row.high:.3f}]")
    axes.set_yticks(range(len(rows)), [_short(row.name) for row in reversed(rows)])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    for value, colour, name in ((bound, THIRD, "bound"), (params, SECOND, "parameter count")):
        if np.isfinite(value):
            axes.axvline(value, color=colour, linestyle="--", linewidth=1.2, label=f"{name} {value:.2f}")
    axes.axvline(0, color=FAINT, linewidth=0.8)
    axes.set_xlabel("Kendall tau, with 95 % interval")
    axes.legend(loc="upper center", bbox_to_anchor=(0.4, -0.32 / max(1.0, 0.18 * len(rows))), ncols=2)
    return canvas.svg()


@styled
def pareto(rows: Sequence[Row], front: Sequence[bool]) -> str:
    """Cost of an instance against Kendall tau; those on the front are filled and joined."""
    canvas = Canvas("pareto", "Cost of each strategy against Kendall tau", height=3.5)
    axes = canvas.axes
    best = sorted((row for row, on in zip(rows, front, strict=True) if on), key=lambda row: row.macs)
    axes.plot([row.macs / 1e12 for row in best], [row.mean for row in best], color=FIRST, linewidth=1)
    for row, on in zip(rows, front, strict=True):
        note = f"{row.name}: {row.macs / 1e12:.2f}T multiply-adds, Kendall tau {row.mean:.3f}"
        mark(canvas, row.macs / 1e12, row.mean, note, filled=on)
        if on:
            at = row.macs / 1e12, row.mean
            axes.annotate(_short(row.name), at, xytext=(6, 5), textcoords="offset points", fontsize=9)
    axes.margins(x=0.18, y=0.15)
    axes.set_xlabel("training of an instance (10¹² multiply-adds)")
    axes.set_ylabel("Kendall tau")
    return canvas.svg()


def mark(
    canvas: Canvas, x: float, y: float, note: str, filled: bool = True, colour: str = FIRST, shape: str = "o"
) -> None:
    """A point that says what it is."""
    face = colour if filled else "none"
    (mark,) = canvas.axes.plot(x, y, shape, color=colour, markerfacecolor=face, markersize=5)
    canvas.note(mark, note)


def _levels(canvas: Canvas, bound: float, params: float) -> None:
    """Horizontal lines, named at their right end, where they stand in nobody's way."""
    for value, colour, name in ((bound, THIRD, "bound"), (params, SECOND, "params")):
        if np.isfinite(value):
            canvas.axes.axhline(value, color=colour, linestyle="--", linewidth=1.2)
            at: Any = {"xy": (1, value), "xycoords": ("axes fraction", "data")}
            canvas.axes.annotate(f" {name} {value:.2f}", **at, color=colour, va="center", fontsize=9)


def _short(name: str) -> str:
    name = printable(name)
    return name if len(name) <= 30 else name[:29] + "\N{HORIZONTAL ELLIPSIS}"
