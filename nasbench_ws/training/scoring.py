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
from torch.nn import functional as F

from nasbench_ws.errors import UsageError
from nasbench_ws.images.dataset import Images
from nasbench_ws.training import reference as plain
from nasbench_ws.training.batch_norm import BatchNorm
from nasbench_ws.training.batches import normalised
from nasbench_ws.training.supernet import SuperNet, statistics_positions

CHUNK_BYTES = 2**17  # of one block's results, where statistics are given: what is under way stays in the cache
PLAIN_CHUNK = 250  # the same on the plain path, where calls cost more than memory


@dataclass(frozen=True)
class Scores:
    """Of each child: `accuracy` (fraction, NaN where its output was not finite) and mean `loss`; (children,)."""

    accuracy: npt.NDArray[np.float64]
    loss: npt.NDArray[np.float64]


class Scorer:
    """One split, normalised once, and a way of batch norm; scores any super-net of that macro."""

    def __init__(self, images: Images, split: str, batch_norm: BatchNorm, dtype: torch.dtype = torch.float32) -> None:
        part = images.splits[split] if split in images.splits else getattr(images, split)
        self.batch_norm = batch_norm
        self._pixels = normalised(part.pixels, images.mean, images.std, dtype).contiguous()
        self._labels = torch.from_numpy(part.labels)
        self._calibration: torch.Tensor | None = None
        if batch_norm.mode == "recalibrate":
            if batch_norm.images > len(images.train.labels):
                raise UsageError(
                    f"recalibrate:{batch_norm.images} wants more than the {len(images.train.labels)} training images"
                )
            first = images.train.pixels[: batch_norm.images]
            self._calibration = normalised(first, images.mean, images.std, dtype).contiguous()

    def score(self, net: SuperNet, numbers: Sequence[int] | None = None) -> Scores:
        """The children `numbers` (all of them by default), in that order. The super-net stays as it is."""
        numbers = range(len(net.children)) if numbers is None else numbers
        if self.batch_norm.mode == "private":  # children that share a layer do not share its result
            alone = [_Runner(net, [n]).run(self._pixels, self._labels, self._private(net, n)) for n in numbers]
            return Scores(*(np.concatenate([getattr(one, name) for one in alone]) for name in ("accuracy", "loss")))
        runner = _Runner(net, numbers)
        if self.batch_norm.mode == "running":
            where = statistics_positions(runner.network, net.weights)
            statistics = (net.weights.running_mean[where], net.weights.running_var[where])
            return runner.run(self._pixels, self._labels, statistics)
        if self.batch_norm.mode == "batch":
            return runner.run(self._pixels, self._labels, None, self.batch_norm.images)
        assert self._calibration is not None
        return runner.run(self._pixels, self._labels, runner.statistics(self._calibration))

    def _private(self, net: SuperNet, number: int) -> plain.Statistics:
        assert len(net.weights.own), "own statistics have to be kept while training"
        size = sum(block.out_channels for block in net.merged([number])[0].blocks)
        mean, var = net.weights.own[:, number, :size]
        return mean, var


class _Runner:
    """A merged network on the fast path or the plain one."""

    def __init__(self, net: SuperNet, numbers: Sequence[int]) -> None:
        self.network, self.engine = net.merged(numbers)
        self.weights = net.weights

    def statistics(self, images: torch.Tensor) -> plain.Statistics:
        """Each block's mean and unbiased variance over the images, all in one batch."""
        if self.engine is not None:
            labels = torch.zeros(len(images), dtype=torch.int64)
            outcome = self.engine.run(images, labels, len(images))
            mean, var = outcome.mean, outcome.var
        else:
            with torch.no_grad():
                run = plain.forward(self.network, self.weights, images)
            mean, var = run.mean, run.var
        count = len(images) * images.shape[1] * images.shape[2]
        return mean, var * (count / (count - 1))

    def run(
        self, images: torch.Tensor, labels: torch.Tensor, statistics: plain.Statistics | None, batch: int = 0
    ) -> Scores:
        if self.engine is not None:
            image_bytes = self.weights.macro.channels * images[0, ..., 0].numel() * images.element_size()
            outcome = self.engine.run(images, labels, batch or max(1, CHUNK_BYTES // image_bytes), statistics)
            loss, correct = outcome.loss, outcome.correct.astype(np.float64)
        else:
            loss, correct = np.zeros(len(self.network.heads)), np.zeros(len(self.network.heads))
            for start in range(0, len(images), batch or PLAIN_CHUNK):
                part = slice(start, start + (batch or PLAIN_CHUNK))
                with torch.no_grad():
                    logits = plain.forward(self.network, self.weights, images[part], statistics).logits
                right = labels[part]
                for head, one in enumerate(logits):
                    loss[head] += float(F.cross_entropy(one, right, reduction="sum"))
                    correct[head] += int((one.argmax(dim=1) == right).sum())
            loss = loss / len(images)
        return Scores(np.where(np.isfinite(loss), correct / len(images), np.nan), loss)
