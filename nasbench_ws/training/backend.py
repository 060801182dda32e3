"""What computes: one interface, and its two implementations, the compiled kernels and torch.

Both compute the same numbers, in float64 to about 1e-12, in float32 to rounding; over a training, rounding grows.

    backend = chosen()                                        # the kernels where they can be used, else torch
    bound = backend.bind(weights.network([5]), weights, learns=True)
    loss, correct = bound.learn(images, labels, gradient, momentum=0.1)
    backend.updater(weights, weights.ranges([5])).update(gradient, lr, momentum, decay)

Not here: how they do it (compiled.py, reference.py), and what is trained when (supernet.py, loop.py).
"""

from __future__ import annotations

from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from nasbench_ws.space.blocks import Network
from nasbench_ws.training.compiled import COMPILED
from nasbench_ws.training.kernels.criterion import Criterion
from nasbench_ws.training.kernels.library import available
from nasbench_ws.training.reference import TORCH
from nasbench_ws.training.weights import Statistics, Weights

_FLOATS: TypeAlias = npt.NDArray[np.float64]


class Bound(Protocol):
    """A network over the storages of one `Weights`, ready to run.

    Images are (B, H, W, C), normalised, of the weights' type; labels (B,) int64. UsageError for other shapes and
    types, DataError for a label that is no class; nothing has changed then.
    """

    network: Network[int]

    def learn(
        self, images: torch.Tensor, labels: torch.Tensor, gradient: torch.Tensor, momentum: float,
        criterion: Criterion | None = None,
    ) -> tuple[float, int]:  # fmt: skip
        """Mean loss and number of correct images of a network of one head; batch norm by this batch's statistics.

        The loss's gradient is added to `gradient` (n,), laid out like `Weights.values`. Running statistics move
        towards the batch's by `momentum`, with variances unbiased, as torch keeps them. `criterion` is another loss
        than mean cross-entropy, of logits (B, classes) and labels; where it raises, nothing has changed.
        """

    def learnt_from(self) -> Statistics:
        """Each block's mean and biased variance of the batch last learnt from, (s,) float64 each, in block order."""

    def score(
        self, images: torch.Tensor, labels: torch.Tensor, statistics: Statistics | None = None, batch: int = 0
    ) -> tuple[_FLOATS, _FLOATS]:
        """Of each head: mean loss, and number of correct images; (heads,) each.

        `statistics` are each block's mean and variance; without them, those of each `batch` images in turn.
        """

    def statistics(self, images: torch.Tensor) -> Statistics:
        """Each block's mean and biased variance over all the images as one batch, (s,) each, in block order."""

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        """Of each head, (heads, B, classes), with the statistics of all the images as one batch; without a gradient."""


class Updater(Protocol):
    """Stochastic gradient descent on a part of the weights."""

    def update(self, gradient: torch.Tensor, lr: float, momentum: float, decay: float) -> None:
        """With momentum and weight decay, as torch's. What is used of the gradient (n,) is 0 afterwards."""


class Backend(Protocol):
    """A way of computing."""

    @property
    def name(self) -> str: ...

    def bind(self, network: Network[int], weights: Weights, learns: bool) -> Bound:
        """A network made ready to run; `learn` may be called only where it `learns`."""

    def updater(self, weights: Weights, ranges: npt.NDArray[np.int64]) -> Updater:
        """For the parts (start, size) of `values` that `ranges` (r, 2) lists."""

    def description(self, channels: int, dtype: torch.dtype = torch.float32) -> str:
        """The processor and the path that computes for networks of that many channels, for records."""


BACKENDS: dict[str, Backend] = {"compiled": COMPILED, "torch": TORCH}


def usable() -> list[Backend]:
    """Those that can be used here, the fastest first."""
    return [backend for backend in BACKENDS.values() if backend is TORCH or available()]


def chosen() -> Backend:
    """The compiled kernels where they were built and NASBENCH_WS_ENGINE=plain does not forbid them, else torch."""
    return usable()[0]
