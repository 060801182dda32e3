"""Training batches: shuffled, shifted, flipped and normalised, a batch at a time on one thread.

Not here: reading images (images/dataset.py), and any global generator: order and augmentation each have a generator
of their own, so that changing the seed of one leaves the other's draws as they were.

    batches = Batches(images.train, 128, Augmentation(), images.mean, images.std, order_seed=1, augment_seed=2)
    pixels, labels = next(batches)                            # (B, H, W, C) float, (B,) int64; for ever
    normalised(images.valid.pixels, images.mean, images.std)  # the same arithmetic, for scoring

With the compiled kernels a batch is one call, without them a handful of numpy's and torch's, to the last bit alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray
from torch import Tensor

from nasbench_ws.errors import UsageError
from nasbench_ws.images.dataset import Split
from nasbench_ws.training.kernels import library as native


@dataclass(frozen=True)
class Augmentation:
    flip: bool = True  # mirror left to right with probability 1/2
    shift: int = 1  # pixels: zero padding on every side, then a random crop; 4 is the paper's for CIFAR-10

    def __post_init__(self) -> None:
        if self.shift < 0:
            raise UsageError(f"a shift of {self.shift} pixels: it is 0 (none) or more")


class Batches:
    """An endless stream of (pixels (B, H, W, C) channels-last contiguous, labels (B,)).

    Every epoch has an order of its own; its last N % batch_size images, too few for a batch, are left out.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        augmentation: Augmentation,
        mean: Sequence[float],
        std: Sequence[float],
        order_seed: int,
        augment_seed: int,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.batch_size = batch_size
        self._crops = Crops(split, augmentation.shift)
        self._affine = affine(split.pixels.shape[1:], mean, std, dtype)
        self._draws = draws(split, self._crops, batch_size, augmentation, order_seed, augment_seed)
        self.batches_per_epoch = len(split) // batch_size
        self._gather = self._compiled() if native.available() else self._gathered

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return self

    def __next__(self) -> tuple[Tensor, Tensor]:
        first, flip, start, labels = next(self._draws)
        return self._gather(first, flip, start), labels

    def _gathered(self, first: NDArray[np.int64], flip: NDArray[np.bool_], start: int) -> Tensor:
        crops, here = self._crops, slice(start, start + self.batch_size)
        pixels = crops.view[first[here]]  # (B,) -> (B, H, W * C) uint8
        flipped = np.flatnonzero(flip[here])
        if len(flipped):
            pixels[flipped] = pixels[flipped].take(crops.mirror, axis=2)
        return _apply(pixels.reshape(-1, *crops.shape), *self._affine)

    def _compiled(self) -> Callable[[NDArray[np.int64], NDArray[np.bool_], int], Tensor]:
        crops, (scale, offset) = self._crops, self._affine
        height, width, channels = crops.shape
        # (C, 256): the number that stands for each byte, by the same arithmetic
        every = np.arange(256, dtype=np.uint8).reshape(-1, 1, 1, 1).repeat(channels, axis=3)
        table = _apply(every, scale[:channels], offset[:channels]).reshape(256, channels).T.contiguous()
        call = native.function(f"nbws_batch_{native.real(scale.dtype)}", "pppiiiiipp")
        shape = (self.batch_size, height, width, channels)
        at, sizes, table_at = crops.padded.ctypes.data, (*shape, crops.row), table.data_ptr()

        def gather(first: NDArray[np.int64], flip: NDArray[np.bool_], start: int, table: Tensor = table) -> Tensor:
            out = torch.empty(shape, dtype=table.dtype)
            call(at, first.ctypes.data + 8 * start, flip.ctypes.data + start, *sizes, table_at, out.data_ptr())
            return out

        return gather


class Crops:
    """A split's images with a margin of zeros, where every crop is known by the position of its first byte."""

    def __init__(self, split: Split, pad: int) -> None:
        _, height, width, channels = split.pixels.shape
        if pad > max(height, width):
            raise UsageError(f"a shift of {pad} pixels, and images of {height} x {width}: shift by at most their side")
        self.shape, self.pad = (height, width, channels), pad
        margin = ((0, 0), (pad, pad), (pad, pad), (0, 0))
        padded = np.pad(split.pixels, margin) if pad else split.pixels  # (N, H + 2 pad, W + 2 pad, C)
        self.padded = np.ascontiguousarray(padded).reshape(-1)
        self.row = (width + 2 * pad) * channels  # bytes
        self.image = (height + 2 * pad) * self.row
        # An element of this view is a crop: a gather takes one index a crop, not one a pixel.
        last = self.padded.size - ((height - 1) * self.row + width * channels)
        self.view = as_strided(self.padded, (last + 1, height, width * channels), (1, self.row, 1))
        self.mirror = np.arange(width * channels).reshape(width, channels)[::-1].reshape(-1)


Draw: TypeAlias = tuple[NDArray[np.int64], NDArray[np.bool_], int, Tensor]


def draws(
    split: Split, crops: Crops, batch_size: int, augmentation: Augmentation, order_seed: int, augment_seed: int
) -> Iterator[Draw]:
    """Which crops are in a batch, for ever: (first byte and flip of every image of the epoch, start, labels (B,)).

    The batch is images `start` to `start + batch_size` of the epoch.
    """
    if not 1 <= batch_size <= len(split):
        raise UsageError(f"a batch of {batch_size} from {len(split)} images: it has 1 to {len(split)}")
    return _draws(split, crops, batch_size, augmentation, order_seed, augment_seed)


def _draws(
    split: Split, crops: Crops, batch_size: int, augmentation: Augmentation, order_seed: int, augment_seed: int
) -> Iterator[Draw]:
    order_draws = torch.Generator().manual_seed(order_seed)
    augment_draws = torch.Generator().manual_seed(augment_seed)
    used = len(split) - len(split) % batch_size
    side, channels = 2 * augmentation.shift + 1, crops.shape[2]
    choices = side * side * (2 if augmentation.flip else 1)
    while True:
        order = torch.randperm(len(split), generator=order_draws)[:used].numpy()
        labels = torch.from_numpy(split.labels[order])
        # One number an image says its crop and its flip: image t of the stream gets draw t, however many are
        # drawn at once.
        drawn = torch.randint(choices, (used,), generator=augment_draws).numpy()
        first = order * crops.image + drawn // side % side * crops.row + drawn % side * channels
        flip = drawn >= side * side
        for start in range(0, used, batch_size):
            yield first, flip, start, labels[start : start + batch_size]


def normalised(
    pixels: NDArray[np.uint8], mean: Sequence[float], std: Sequence[float], dtype: torch.dtype = torch.float32
) -> Tensor:
    """(N, H, W, C) uint8 -> (N, H, W, C) float, bit for bit what an unaugmented batch holds."""
    return _apply(np.ascontiguousarray(pixels), *affine(pixels.shape[1:], mean, std, dtype))


def affine(
    shape: Sequence[int], mean: Sequence[float], std: Sequence[float], dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Scale and offset of x -> (x / 255 - mean) / std, one for each of the H * W * C numbers of an image.

    Written out in full because a channel's worth, broadcast along C = 3, is five times slower.
    """
    height, width, channels = shape
    if not (len(mean) == len(std) == channels and min(std) > 0):
        raise UsageError(
            f"mean {tuple(mean)} and std {tuple(std)} for {channels} channels: "
            "give one of each for every channel, with std above 0"
        )
    scale = torch.tensor([1 / (255 * s) for s in std], dtype=torch.float64)
    offset = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)], dtype=torch.float64)
    return scale.to(dtype).repeat(height * width), offset.to(dtype).repeat(height * width)


def _apply(pixels: NDArray[np.uint8], scale: Tensor, offset: Tensor) -> Tensor:
    """uint8 -> x * scale + offset in two rounded steps: a fused one would round as the processor likes."""
    flat = torch.from_numpy(pixels).view(len(pixels), -1).to(scale.dtype)  # (B, H, W, C) -> (B, H * W * C)
    return flat.mul_(scale).add_(offset).view(pixels.shape)
