"""The figures, a function each: numbers in, an SVG element out. What they are about is said in the page around them.

Shapes: (n,) by child, (I, n) by instance and child, (n, S) by child and seed, (E,) by epoch. Accuracies are fractions
in, percent on the axes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nasbench_ws.markup import printable
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.report.canvas import DASHES, FAINT, FIRST, INK, SECOND, SERIES, THIRD, Canvas, styled

FEW = 8  # instances: each is a dot of its own up to here


class Row(NamedTuple):
    """One strategy: Kendall tau with its interval, and what an instance cost, in multiply-adds."""

    name: str
    mean: float
    low: float
    high: float
    macs: float

MANY = 1000  # children, above whose number no single one is drawn beside a box
LABELS = 16  # operations on edges, above which their names stand upright


class Kinds(NamedTuple):
    """What marks are coloured by: a number for each child, the names of the numbers, and what they are names of."""

    of: npt.NDArray[np.int64]  # (n,)
    names: Sequence[str]
    what: str


@styled
def scatter(
    names: Sequence[str], truth: Array, spread: Array, scores: Array, tied: npt.NDArray[np.bool_],
    kinds: Kinds | None = None, tau: float = np.nan,
) -> str:  # fmt: skip
    """Mean score (I, n) against ground truth; bars are standard deviations, open marks share a score with another.

    A child far off the others is at the edge as a triangle: the axes are for the rest.
    """
    canvas = Canvas("scatter", "Score of each child against its ground truth")
    mean = np.nanmean(scores, axis=0) * 100
    over = np.nanstd(scores, axis=0, ddof=1) * 100 if len(scores) > 1 else np.zeros(len(mean))
    axes, x = canvas.axes, truth * 100
    left, below = _beginning(x), _beginning(mean)
    off = (x < left) | (mean < below)
    bars: Any = {"fmt": "none", "ecolor": FAINT, "elinewidth": 0.7, "alpha": 0.6}
    axes.errorbar(x[~off], mean[~off], xerr=spread[~off] * 100, yerr=over[~off], **bars)
    for i, name in enumerate(names):
        if np.isfinite(mean[i]):
            true = f"{x[i]:.2f} +- {spread[i] * 100:.2f}"
            note = f"{name}: score {mean[i]:.2f} +- {over[i]:.2f}, ground truth {true}"
            colour = FIRST if kinds is None else SERIES[kinds.of[i]]
            at = max(x[i], left), max(mean[i], below)
            _mark(canvas, *at, note, filled=not tied[i], colour=colour, shape="<" if off[i] else "o")
    if off.any():
        axes.annotate(f" {int(off.sum())} further off", (0.02, 0.02), xycoords="axes fraction", color=FAINT, fontsize=9)
    if np.isfinite(tau):
        corner: Any = {"xycoords": "axes fraction", "va": "top", "fontsize": 10}
        axes.annotate(f"Kendall tau {tau:.2f}", (0.02, 0.98), **corner)
    for number, name in enumerate(kinds.names if kinds is not None else ()):
        axes.plot([], [], "o", color=SERIES[number], markersize=5, label=name)
    if kinds is not None:
        axes.legend(title=kinds.what, loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, fontsize=8)
    axes.set_xlabel("ground truth: test accuracy trained alone (%)")
    axes.set_ylabel("score: validation accuracy\nin the super-net (%)")
    return canvas.svg()


def _beginning(values: Array) -> float:
    """Where an axis begins: at the least value that is no more than three quartile ranges below the lower quartile."""
    known = values[np.isfinite(values)]
    low, high = np.quantile(known, [0.25, 0.75])
    return float(known[known >= low - 3 * (high - low)].min())


@styled
def window(taus: Array, bound: float, params: float) -> str:
    """Kendall tau (I, k) after each of the last k steps."""
    canvas = Canvas("window", "Kendall tau after each of the last steps")
    steps = np.arange(-taus.shape[1] + 1, 1)
    for i, line in enumerate(taus):
        (drawn,) = canvas.axes.plot(steps, line, color=SERIES[i % len(SERIES)], linewidth=1.2, alpha=0.85)
        drawn.set_label(f"instance {i}")
        drawn.set_linestyle(DASHES[i // len(SERIES) % len(DASHES)])
        canvas.note(drawn, f"instance {i}: mean {np.nanmean(line):.3f}, standard deviation {np.nanstd(line):.3f}")
    _levels(canvas, bound, params)
    canvas.axes.set_xlabel("steps before the end")
    canvas.axes.set_ylabel("Kendall tau")
    if len(taus) > 1:
        canvas.axes.legend(ncols=3, fontsize=8, loc="lower left", bbox_to_anchor=(-0.02, 1.0))
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
def ranks(names: Sequence[str], truth: Array, ranked: Array) -> str:
    """Rank of each child (I, n; 1 is best) in the instances, in order of its true rank (the paper's figure 3)."""
    canvas = Canvas("ranks", "Rank of each child in the super-nets, by its true rank")
    axes, order = canvas.axes, np.argsort(-truth, kind="stable")
    places = np.arange(1, len(order) + 1)
    axes.plot(places, places, color=FAINT, linewidth=1, linestyle="--")
    columns = ranked[:, order]
    if len(columns) <= FEW:  # quartiles of five say less than the five
        for i, child in enumerate(order):
            (dots,) = axes.plot([places[i]] * len(columns), columns[:, i], "o", color=FIRST, markersize=3.2, alpha=0.7)
            ranks_text = ", ".join(f"{value:g}" for value in columns[:, i])
            canvas.note(dots, f"{names[child]}: truly {places[i]}; {ranks_text}")
        mid = np.nanmedian(columns, axis=0)
        axes.hlines(mid, places - 0.4, places + 0.4, color=INK, linewidth=1.4)
        axes.invert_yaxis()
        axes.set_xlabel("rank by ground truth (1 is best)")
        axes.set_ylabel("rank in the super-net")
        return canvas.svg()
    low, mid, high = np.nanquantile(columns, (0.25, 0.5, 0.75), axis=0)
    axes.vlines(places, np.nanmin(columns, axis=0), np.nanmax(columns, axis=0), color=FAINT, linewidth=0.8)
    for i, child in enumerate(order):
        (bar,) = axes.bar(places[i], max(high[i] - low[i], 0.3), bottom=low[i], width=0.75, color=FIRST, alpha=0.55)
        span = f"from {columns[:, i].min():g} to {columns[:, i].max():g}"
        canvas.note(bar, f"{names[child]}: truly {places[i]}, median {mid[i]:g}, {span}")
    axes.hlines(mid, places - 0.4, places + 0.4, color=INK, linewidth=1.4)
    axes.invert_yaxis()
    axes.set_xlabel("rank by ground truth (1 is best)")
    axes.set_ylabel("rank in the super-net")
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
    axes.set_xlabel("Kendall tau with the ground truth, 95 % interval")
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
        _mark(canvas, row.macs / 1e12, row.mean, note, filled=on)
        if on:
            at = row.macs / 1e12, row.mean
            axes.annotate(_short(row.name), at, xytext=(6, 5), textcoords="offset points", fontsize=9)
    axes.margins(x=0.18, y=0.15)
    axes.set_xlabel("training of an instance (10¹² multiply-adds)")
    axes.set_ylabel("Kendall tau")
    return canvas.svg()


@styled
def distribution(truth: Array, what: str = "test accuracy") -> str:
    """How the children's accuracies lie."""
    canvas = Canvas("distribution", f"Histogram of the children's {what}", height=3.0)
    canvas.axes.hist(truth * 100, bins=min(24, max(6, len(truth) // 3)), color=FIRST, alpha=0.8)
    canvas.axes.set_xlabel(f"{what}, mean over seeds (%)")
    canvas.axes.set_ylabel("children")
    return canvas.svg()


@styled
def operations(groups: Mapping[str, Mapping[str, Array]], what: str = "test accuracy") -> str:
    """Accuracies by edge, then operation: a box each (quartiles; whiskers to 1.5 of their distance, or of thousands of
    children from 5 % to 95 %, and nobody beyond).
    """
    canvas = Canvas("operations", f"{what.capitalize()} by operation and edge", columns=len(groups))
    many = sum(len(values) for values in next(iter(groups.values())).values()) > MANY
    narrow = sum(map(len, groups.values())) > LABELS
    for axes, (edge, by_operation) in zip(canvas.grid, groups.items(), strict=True):
        boxes = axes.boxplot(
            [values * 100 for values in by_operation.values()], widths=0.6, patch_artist=True,
            whis=(5, 95) if many else 1.5, showfliers=not many,
        )  # fmt: skip
        for box, colour in zip(boxes["boxes"], (c for _ in by_operation for c in SERIES), strict=False):
            box.set(facecolor=colour, alpha=0.6, edgecolor=INK)
        for part in ("medians", "whiskers", "caps"):
            for line in boxes[part]:
                line.set_color(INK)
        for flier in boxes["fliers"]:
            flier.set(markeredgecolor=FAINT, markersize=3)
        axes.set_title(edge if narrow else f"edge {edge}")
        labels = [name.replace("_", " ") if narrow else _words(name) for name in by_operation]
        axes.set_xticks(range(1, len(by_operation) + 1), labels, fontsize=8, rotation=90 if narrow else 0)
    canvas.axes.set_ylabel(f"{what} (%)")
    return canvas.svg()


@styled
def curves(names: Sequence[str], epochs: Array, accuracy: Array, truth: Array) -> str:
    """Validation accuracy (n, E) by epoch: a line a child, the top and the bottom quarter in colour."""
    canvas = Canvas("curves", "Learning curves of all children", height=3.5)
    best, worst = np.quantile(truth, (0.75, 0.25))
    for i, line in enumerate(accuracy):
        colour = FIRST if truth[i] >= best else SECOND if truth[i] <= worst else FAINT
        (drawn,) = canvas.axes.plot(epochs, line * 100, color=colour, linewidth=0.9, alpha=0.75)
        canvas.note(drawn, f"{names[i]}: {line[-1] * 100:.2f} at the end")
    canvas.axes.set_xlabel("epoch")
    canvas.axes.set_ylabel("validation accuracy,\nmean over seeds (%)")
    return canvas.svg()


@styled
def seeds(names: Sequence[str], truth: Array, spread: Array, what: str = "test accuracy") -> str:
    """Standard deviation between a child's seeds, against its accuracy."""
    canvas = Canvas("seeds", "Spread between seeds of each child", height=3.2)
    for i, name in enumerate(names):
        _mark(canvas, truth[i] * 100, spread[i] * 100, f"{name}: {truth[i] * 100:.2f} +- {spread[i] * 100:.2f}")
    canvas.axes.set_ylim(0)
    canvas.axes.set_xlabel(f"{what} (%)")
    canvas.axes.set_ylabel("standard deviation\nbetween seeds (points)")
    return canvas.svg()


@styled
def agreements(counts: Sequence[int], lines: Mapping[str, Sequence[float]]) -> str:
    """Agreement of two means of k seeds each, by k."""
    canvas = Canvas("agreements", "Agreement of two means by their number of seeds", height=3.2)
    for colour, (name, values) in zip(SERIES, lines.items(), strict=False):
        canvas.axes.plot(counts, values, "o-", color=colour, label=name)
    canvas.axes.set_xticks(list(counts))
    canvas.axes.set_xlabel("seeds in each of two means")
    canvas.axes.set_ylabel("their Kendall tau")
    canvas.axes.legend()
    return canvas.svg()


@styled
def cost(names: Sequence[str], params: Array, truth: Array, what: str = "test accuracy") -> str:
    """Parameters against accuracy."""
    canvas = Canvas("cost", "Parameters of each child against its accuracy", height=3.4)
    for i, name in enumerate(names):
        _mark(canvas, params[i], truth[i] * 100, f"{name}: {params[i]:,.0f} parameters, {truth[i] * 100:.2f}")
    canvas.axes.set_xlabel("parameters")
    canvas.axes.set_ylabel(f"{what} (%)")
    return canvas.svg()


def _mark(
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


def _words(name: str) -> str:
    """`sep_conv_3x3` in three lines, to stand below a box."""
    return name.replace("_", "\n")
