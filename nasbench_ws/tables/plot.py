"""Figures of a table as matplotlib Axes, to go on with in a notebook.

    axes = load("fashion14").plot.curves()
    axes.set_ylim(80, 90)

Needs matplotlib (extra `[report]`). Not here: the figures of results (results/plot.py) and of pages (report/).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbench_ws.errors import UsageError, extra
from nasbench_ws.tables.columns import CURVES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from nasbench_ws.space.cell import ArchitectureLike
    from nasbench_ws.tables.table import Table

FEW = 8  # children whose names have room


@dataclass(frozen=True)
class TablePlot:
    """Each method takes Axes to draw on (`ax`, new ones without), and returns the Axes."""

    table: Table

    def curves(
        self, children: Iterable[ArchitectureLike] | None = None, *, column: str = "valid_accuracy",
        ax: Axes | None = None,
    ) -> Axes:  # fmt: skip
        """A column by epoch, mean over seeds, a line a child: accuracies in percent.

        Without children, all: the quarter that ends best, the one that ends worst, and the others have a colour each.
        UsageError for a column that has no curve, and for a table of one epoch.

        Args:
            children: of whom; few have their names in a legend.
            column: valid_accuracy, train_loss or another that is recorded by epoch.
            ax: to draw on.
        """
        table = self.table
        if len(table.epochs) < 2 or (column in CURVES and not table.has(column)):
            raise UsageError(f"{table.name} has no curves of {column}; draw those of a table that has more epochs")
        mean = table.mean_curves(column)
        scale = 100 if column.endswith("_accuracy") else 1
        axes = axes_or_new(ax)
        if children is None:
            low, high = np.nanquantile(table.truth, (0.25, 0.75))
            for line, truth in zip(mean * scale, table.truth, strict=True):
                colour = "C0" if truth >= high else "C1" if truth <= low else "0.7"
                axes.plot(table.epochs, line, color=colour, linewidth=0.8, alpha=0.75)
        else:
            chosen = [table.query(child) for child in children]
            for entry in chosen:
                axes.plot(table.epochs, mean[entry.index] * scale, label=entry.name)
            if 0 < len(chosen) <= FEW:
                axes.legend(**ABOVE)
        axes.set_xlabel("epoch")
        axes.set_ylabel(column.replace("_", " ") + (" (%)" if scale == 100 else ""))
        return axes


AS_IT_IS: Any = {"parse_math": False}  # of a text: a name with dollars is a name, and no mathematics
# Of a legend: above the Axes, where it covers nothing.
ABOVE: Any = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 3, "frameon": False, "fontsize": "small"}


def axes_or_new(ax: Axes | None, height: float = 4.8) -> Axes:
    """The Axes given, or those of a new figure, `height` inches high at least."""
    if ax is not None:
        return ax
    with extra("report", "figures need matplotlib"):
        from matplotlib import pyplot
    return pyplot.subplots(layout="constrained", figsize=(6.4, max(4.8, height)))[1]
