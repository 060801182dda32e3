"""Scoring: the accuracy of every child of a super-net on one split, all children in one pass.

Children that have the same weights and the same input at a block share its result: the stem and the first
cell of a fully shared super-net are computed once for each distinct operation, not once for each child. What
is not shared is simply not merged. Nothing of the super-net changes.

How batch norm normalises meanwhile is a `BatchNorm` (batch_norm.py).

    scorer = Scorer(images, "valid", BatchNorm.parse("recalibrate:512"))
    scorer.score(net).accuracy          # (children,)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from nasbench_ws.errors import UsageError
from nasbench_ws.images.dataset import Images
from nasbench_ws.training.batch_norm import BatchNorm
from nasbench_ws.training.batches import normalised
from nasbench_ws.training.probe import features, ridge
from nasbench_ws.training.supernet import SuperNet
from nasbench_ws.training.weights import Statistics


@dataclass(frozen=True)
class Scores:
    """Of each child: `accuracy` (fraction, NaN where its output was not finite) and mean `loss`; (children,)."""

    accuracy: npt.NDArray[np.float64]
    loss: npt.NDArray[np.float64]


def check_mode(mode: str, images: Images) -> None:
    """UsageError where a way of batch norm is not known, or takes more images than there are, of those it was given.

    `batch` alone takes batches of 500, or all where there are less: nobody asked for so many.
    """
    Scorer(images.first_valid(1), "valid", BatchNorm.parse(mode))
    asked, there = BatchNorm.parse(mode).images, len(images.valid)
    if mode.startswith("batch:") and asked > there:
        raise UsageError(f"{mode} wants more than the {there} validation images that are scored; give batch:{there}")


class Scorer:
    """One split, normalised once, and a way of batch norm; scores any super-net of that macro."""

    def __init__(self, images: Images, split: str, batch_norm: BatchNorm, dtype: torch.dtype = torch.float32) -> None:
        part = images.splits[split] if split in images.splits else getattr(images, split)
        self.batch_norm = batch_norm
        self._pixels = normalised(part.pixels, images.mean, images.std, dtype).contiguous()
        self._labels = torch.from_numpy(part.labels)
        self._calibration: torch.Tensor | None = None
        if batch_norm.mode in ("recalibrate", "probe"):
            if batch_norm.images > len(images.train.labels):
                raise UsageError(f"{batch_norm} wants more than the {len(images.train.labels)} training images")
            first = images.train.pixels[: batch_norm.images]
            self._calibration = normalised(first, images.mean, images.std, dtype).contiguous()
            self._calibration_labels = images.train.labels[: batch_norm.images]

    def score(self, net: SuperNet, numbers: Sequence[int] | None = None) -> Scores:
        """The children `numbers` (all of them by default), in that order. The super-net stays as it is."""
        numbers = range(len(net.children)) if numbers is None else numbers
        apart = net.by_backend(numbers)
        if len(apart) > 1:  # what the kernels know stays theirs
            places = {number: place for place, number in enumerate(n for some in apart for n in some)}
            back = [places[number] for number in numbers]
            parts = [self.score(net, some) for some in apart]
            return Scores(*(np.concatenate([getattr(one, of) for one in parts])[back] for of in ("accuracy", "loss")))
        if self.batch_norm.mode == "private":  # children that share a layer do not share its result
            alone = [self._scores(net, [n], self._private(net, n)) for n in numbers]
            return Scores(*(np.concatenate([getattr(one, name) for one in alone]) for name in ("accuracy", "loss")))
        if self.batch_norm.mode == "running":
            where = net.weights.statistics_positions(net.merged(numbers).network)
            return self._scores(net, numbers, (net.weights.running_mean[where], net.weights.running_var[where]))
        if self.batch_norm.mode == "batch":
            return self._scores(net, numbers, None, self.batch_norm.images)
        if self.batch_norm.mode == "probe":
            return self._probed(net, numbers)
        return self._scores(net, numbers, self.recalibrated(net, numbers))

    def _probed(self, net: SuperNet, numbers: Sequence[int]) -> Scores:
        """By a classifier of each child's own; its loss is the squared error of one-hot labels, a mean over images."""
        assert self._calibration is not None
        right, classes = self._labels.numpy(), net.macro.classes
        fitted, scored = (features(net, numbers, pixels) for pixels in (self._calibration, self._pixels))
        accuracy, loss = np.full(len(fitted), np.nan), np.full(len(fitted), np.nan)
        for i in np.flatnonzero(np.isfinite(fitted).all(axis=(1, 2)) & np.isfinite(scored).all(axis=(1, 2))):
            predicted = ridge(fitted[i], self._calibration_labels, scored[i], classes)
            accuracy[i] = (predicted.argmax(axis=1) == right).mean()
            loss[i] = ((predicted - np.eye(classes)[right]) ** 2).sum(axis=1).mean()
        return Scores(accuracy, loss)

    def recalibrated(self, net: SuperNet, numbers: Sequence[int]) -> Statistics:
        """Each block's mean and unbiased variance over the first training images, all in one batch."""
        images = self._calibration
        assert images is not None
        mean, var = net.merged(numbers).statistics(images)
        count = len(images) * images.shape[1] * images.shape[2]
        return mean, var * (count / (count - 1))

    def _scores(
        self, net: SuperNet, numbers: Sequence[int], statistics: Statistics | None, batch: int = 0
    ) -> Scores:
        loss, correct = net.merged(numbers).score(self._pixels, self._labels, statistics, batch)
        return Scores(np.where(np.isfinite(loss), correct / len(self._pixels), np.nan), loss)

    def _private(self, net: SuperNet, number: int) -> Statistics:
        if not len(net.weights.own):
            raise UsageError(
                "batch norm private takes each child's own running statistics, and training kept none; call "
                "net.weights.keep_own() before the first step"
            )
        size = sum(block.statistics for block in net.merged([number]).network.blocks)
        mean, var = net.weights.own[:, number, :size]
        return mean, var
