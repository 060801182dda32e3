"""The figures of a table, a function each: numbers in, an SVG element out. What they are about is said around them.

Shapes: (n,) by child, (n, E) by child and epoch. Accuracies are fractions in, percent on the axes. Not here: the
figures of results (figures.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.report.canvas import FAINT, FIRST, INK, SECOND, SERIES, Canvas, styled
from nasbench_ws.report.figures import mark

MANY = 1000  # children, above whose number no single one is drawn beside a box
LABELS = 16  # operations on edges, above which their names stand upright


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
        mark(canvas, truth[i] * 100, spread[i] * 100, f"{name}: {truth[i] * 100:.2f} +- {spread[i] * 100:.2f}")
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
        mark(canvas, params[i], truth[i] * 100, f"{name}: {params[i]:,.0f} parameters, {truth[i] * 100:.2f}")
    canvas.axes.set_xlabel("parameters")
    canvas.axes.set_ylabel(f"{what} (%)")
    return canvas.svg()


def _words(name: str) -> str:
    """`sep_conv_3x3` in three lines, to stand below a box."""
    return name.replace("_", "\n")
