"""What a table knows of one child.

    entry = load("fashion14").query("434")
    entry.truth.mean, entry.params, entry.curve("valid_accuracy")

Not here: the table (tables/table.py), which makes these.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from nasbench_ws.space.cell import Architecture
from nasbench_ws.space.isomorphism import sees_image
from nasbench_ws.tables.columns import STATUSES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nasbench_ws.tables.table import Table


class Statistic(NamedTuple):
    """One number by seed: NaN where there is none, and then the mean and the deviation are NaN too."""

    mean: float
    std: float  # of the sample (ddof 1); NaN with one seed
    values: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON: NaN is None."""
        return {"mean": _number(self.mean), "std": _number(self.std), "values": [_number(x) for x in self.values]}


class Entry:
    """What a table knows of one child. Accuracies are those of the last epoch, in [0, 1]."""

    def __init__(
        self, table: Table, architecture: Architecture, params: int | None, macs: int | None, valid: Statistic,
        test: Statistic,
    ) -> None:  # fmt: skip
        self._table, self.architecture = table, architecture
        self.hash, self.name, self.spec = architecture.hash, architecture.name, architecture.spec
        self.index = architecture.index
        self.params, self.macs = params, macs  # of one image's forward pass; None where the table does not know
        self.valid_accuracy, self.test_accuracy = valid, test

    def __repr__(self) -> str:
        what = self._table.truth_name
        return f"Entry({self.name!r} of {self._table.name!r}, {what.replace('_', ' ')} {self.truth.mean:.4f})"

    def _repr_html_(self) -> str:
        from nasbench_ws.markup import number, paragraph, table

        edges = [(f"{a} -> {b}", self.architecture.operation((a, b))) for a, b in self.architecture.space.edges]
        known = {"validation accuracy": self.valid_accuracy, "test accuracy": self.test_accuracy}
        measured = known if self._table.truth_name.endswith("_accuracy") else {self._table.truth_name: self.truth}
        rows: list[tuple[str, str]] = [*edges, *(
            (name, f"{number(one.mean, 4)} +- {number(one.std, 4)}") for name, one in measured.items()
        )]  # fmt: skip
        sizes = {"parameters": self.params, "multiply-adds": self.macs}
        rows += [(name, f"{count:,}") for name, count in sizes.items() if count is not None]
        return paragraph(f"{self.name} of {self._table.name}, hash {self.hash}") + table(["", ""], rows)

    @cached_property
    def truth(self) -> Statistic:
        """What the child is worth: the accuracy, or loss, that is ground truth in this table."""
        own = {"valid_accuracy": self.valid_accuracy, "test_accuracy": self.test_accuracy}
        known = own.get(self._table.truth_name)
        return self._table.statistic(self._table.truth_name, self.index) if known is None else known

    @cached_property
    def sees_image(self) -> bool | None:
        """Whether its output depends on the image; None where others made the table, and its macro is not known."""
        return None if self._table.foreign else sees_image(self.architecture, self._table.macro.output)

    @property
    def status(self) -> tuple[str, ...]:
        """How the run of each of `seeds` ended: ok, diverged, failed or missing."""
        return tuple(STATUSES[code] for code in self._own(self._table.status))

    def curve(self, name: str) -> NDArray[np.float64]:
        """A column by seed and epoch, (seeds, epochs)."""
        return self._own(self._table.curves(name))

    @property
    def seeds(self) -> list[int]:
        """The seeds of this child: of the table's, without those that nobody wanted of it."""
        seeds: list[int] = self._table.seeds[self._table.planned[self.index]].tolist()
        return seeds

    def _own(self, values: NDArray[Any]) -> NDArray[Any]:
        """Of (children, seeds, ...) this child's, by its own seeds."""
        own: NDArray[Any] = values[self.index, self._table.planned[self.index]]
        return own

    def to_dict(self) -> dict[str, Any]:
        """For JSON: NaN is None. `seeds` and `status` go with the values, in order; both accuracies are of `epoch`.

        `sees_image` is there where it is false: where the output does not depend on the image.
        """
        data = {key: getattr(self, key) for key in ("hash", "name", "spec", "index", "params", "macs")}
        return {
            **data,
            "valid_accuracy": self.valid_accuracy.to_dict(),
            "test_accuracy": self.test_accuracy.to_dict(),
            "seeds": self.seeds,
            "epoch": float(self._table.epochs[-1]),
            "status": list(self.status),
            **({"sees_image": False} if self.sees_image is False else {}),
        }


def _number(x: float) -> float | None:
    return None if math.isnan(x) else x
