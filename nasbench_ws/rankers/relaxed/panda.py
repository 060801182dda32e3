"""PA&DA: operations and images with large gradients are drawn more often, the more so the later.

Lu, Hu, Yang, Sun, Mei, Zeng, Li: PA&DA: Jointly Sampling PAth and DAta for Consistent NAS (CVPR 2023). Operation o is
drawn with probability t g_o / sum g + (1 - t) / |O|, where g_o is a running mean of the norm of its weights' gradients,
the same on every edge, and t the part of the budget that is spent. Images are drawn likewise at the start of every
epoch, with replacement, by the norm of (softmax - one-hot) when each was seen last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from nasbench_ws.images.dataset import Split
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.rankers.run import Batch, Run
from nasbench_ws.training.batches import Augmentation, Batches


@dataclass
class Panda:
    """`norms` (operations,) and `errors` (images,) are what was seen so far; NaN of what was not."""

    readouts: ClassVar[tuple[str, ...]] = ("onehot",)

    def start(self, run: Run) -> None:
        weights = run.net.supernet.weights
        self._images = run.images.subset(run.recipe.train_images).train
        self.norms, self.errors = np.full(len(run.space.operations), np.nan), np.full(len(self._images), np.nan)
        self._gradient = torch.zeros_like(weights.values)
        self._epoch, self._left = 0, 0
        slots = [(storage.slot.edge, storage.slot.operation) for storage in weights.storages]
        self._own: list[list[NDArray[np.int64]]] = [  # where each operation's parameters are
            [weights.ranges_of([n for n, slot in enumerate(slots) if slot == (e, o)]) for o in run.space.operations]
            for e in run.space.edges
        ]

    def iterate(self, run: Run) -> None:
        progress = min(run.progress, 1.0)
        paths = np.tile(drawn_with(self.norms, progress), (len(run.space.edges), 1))
        choices = run.draw_child(paths, purpose="paths")
        number, (images, which) = run.number(choices), self._batch(run, progress)
        labels = torch.from_numpy(self._images.labels[which.numpy()])
        outcome = run.net.supernet.accumulate(
            number, images, labels, self._gradient, lambda logits, right: self._loss(logits, right, which)
        )
        for e, operation in enumerate(choices):
            self._heard(int(operation), self._own[e][operation])
        run.net.supernet.update([number], self._gradient, run.lr)
        run.stepped(number, len(images), outcome.loss)

    def _batch(self, run: Run, progress: float) -> Batch:
        """Images, and their places in the training images instead of their labels."""
        if not self._left:
            seed = run.derived(f"images of epoch {self._epoch}")
            rng = np.random.Generator(np.random.PCG64(seed))
            count = len(self._images)
            which = rng.choice(count, count, p=drawn_with(self.errors, progress)).astype(np.int64)
            batch = min(run.recipe.batch_size, count)
            self._batches = Batches(
                Split(self._images.pixels[which], which), batch, Augmentation(run.recipe.flip, run.recipe.shift),
                run.images.mean, run.images.std, seed, run.derived(f"augment epoch {self._epoch}"),
                run.net.weights.dtype,
            )  # fmt: skip
            self._epoch, self._left = self._epoch + 1, count // batch
        self._left -= 1
        return next(self._batches)

    def _loss(self, logits: torch.Tensor, labels: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
        """Cross-entropy; and what it says of each image is kept."""
        off = torch.softmax(logits.detach().double(), dim=1)
        off[torch.arange(len(labels)), labels] -= 1
        self.errors[which.numpy()] = off.norm(dim=1).numpy()
        return torch.nn.functional.cross_entropy(logits, labels)

    def _heard(self, operation: int, ranges: NDArray[np.int64]) -> None:
        squares = sum(float((self._gradient[at : at + size].double() ** 2).sum()) for at, size in ranges.tolist())
        norm, before = squares**0.5, self.norms[operation]
        self.norms[operation] = norm if np.isnan(before) else (before + norm) / 2


def drawn_with(sizes: Array, part: float) -> Array:
    """Probabilities: `part` of them in proportion to the sizes, the rest even. What is not known has the mean size.

    >>> drawn_with(np.array([3.0, np.nan, 1.0]), 0.5).round(3).tolist()
    [0.417, 0.333, 0.25]
    """
    known = sizes[np.isfinite(sizes)]
    mean = known.mean() if len(known) else 0.0
    filled = np.where(np.isfinite(sizes), sizes, mean)
    if not filled.sum() > 0:
        return np.full(len(sizes), 1 / len(sizes))
    shares = part * filled / filled.sum() + (1 - part) / len(sizes)
    found: Array = shares / shares.sum()
    return found
