"""What the yardstick needs of a table, whoever made it: no recipe, no network, no files.

A `Table` is one; so is anything that has these. Scores are measured against `truth`, and intervals and ceilings come
from `by_seed`.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nasbench_ws.space.cell import Space


class GroundTruth(Protocol):
    """Accuracies of every child of a space, trained alone. Children are in the order of the space."""

    name: str
    digest: str  # identity of its contents
    space: Space
    seeds: NDArray[np.int64]

    @property
    def truth(self) -> NDArray[np.float64]:
        """(n,) mean test accuracy over seeds, a fraction. TableError where a child has none."""

    def by_seed(self, name: str, epoch: float | None = None) -> NDArray[np.float64]:
        """(n, seeds) of "test_accuracy" or another column, at the last epoch or the one given; NaN where missing."""

    def column(self, name: str) -> NDArray[Any]:
        """(n,) of "params" (trainable parameters) or "macs" (multiply-adds of one image's forward pass)."""

    def __len__(self) -> int: ...
