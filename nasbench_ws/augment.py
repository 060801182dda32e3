"""Training batches: shuffled, shifted, flipped and normalised, a batch at a time on one thread.

Not here: reading images (images.py), and any global generator: order and augmentation each have a generator
of their own, so that changing the seed of one leaves the other's draws as they were.

    batches = Batches(images.train, 128, Augmentation(), images.mean, images.std, order_seed=1, augment_seed=2)
    pixels, labels = next(batches)                            # (B, H, W, C) float, (B,) int64; for ever
    normalised(images.valid.pixels, images.mean, images.std)  # the same arithmetic, for scoring

With the compiled kernels a batch is one call, without them a handful of numpy's and torch's, to the last bit alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray
from torch import Tensor

from nasbench_ws import native
from nasbench_ws.errors import UsageError
from nasbench_ws.images import Split


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
        if not 1 <= batch_size <= len(split):
            raise UsageError(f"a batch of {batch_size} from {len(split)} images: it has 1 to {len(split)}")
        self.batch_size = batch_size
        self.batches_per_epoch = len(split) // batch_size
        order = torch.Generator().manual_seed(order_seed)
        augment = torch.Generator().manual_seed(augment_seed)
        affine = _affine(split.pixels.shape[1:], mean, std, dtype)
        self._stream = _stream(split, batch_size, augmentation, affine, order, augment)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return self

    def __next__(self) -> tuple[Tensor, Tensor]:
        return next(self._stream)


def _stream(
    split: Split,
    batch_size: int,
    augmentation: Augmentation,
    affine: tuple[Tensor, Tensor],
    order_draws: torch.Generator,
    augment_draws: torch.Generator,
) -> Iterator[tuple[Tensor, Tensor]]:
    _, height, width, channels = split.pixels.shape
    pad = augmentation.shift
    margin = ((0, 0), (pad, pad), (pad, pad), (0, 0))
    padded = np.pad(split.pixels, margin) if pad else split.pixels  # (N, H + 2 pad, W + 2 pad, C)
    row = (width + 2 * pad) * channels  # bytes
    image = (height + 2 * pad) * row
    # Every crop of every image is an element of this view, named by the flat position of its first byte: a
    # gather takes one index a crop, not one a pixel.
    last = padded.size - ((height - 1) * row + width * channels)
    crops = as_strided(padded.reshape(-1), (last + 1, height, width * channels), (1, row, 1))
    mirror = np.arange(width * channels).reshape(width, channels)[::-1].reshape(-1)
    dtype = affine[0].dtype
    # (C, 256): the number that stands for each byte, by the same arithmetic
    bytes_ = np.arange(256, dtype=np.uint8).reshape(-1, 1, 1, 1).repeat(channels, axis=3)
    table = _apply(bytes_, affine[0][:channels], affine[1][:channels]).reshape(256, channels).T.contiguous()
    gather = native.function(f"nbws_batch_{native.real(dtype)}", "pppiiiiipp") if native.available() else None
    flat = np.ascontiguousarray(padded)
    flat_at, table_at, sizes = flat.ctypes.data, table.data_ptr(), (batch_size, height, width, channels, row)

    used = len(split) - len(split) % batch_size
    side = 2 * pad + 1
    choices = side * side * (2 if augmentation.flip else 1)
    while True:
        order = torch.randperm(len(split), generator=order_draws)[:used].numpy()
        labels = torch.from_numpy(split.labels[order])
        # One number an image says its crop and its flip: image t of the stream gets draw t, however many are
        # drawn at once.
        draws = torch.randint(choices, (used,), generator=augment_draws).numpy()
        first = order * image + draws // side % side * row + draws % side * channels
        flip = draws >= side * side
        first_at, flip_at = first.ctypes.data, flip.ctypes.data
        for start in range(0, used, batch_size):
            here = slice(start, start + batch_size)
            if gather is not None:
                out = torch.empty(batch_size, height, width, channels, dtype=dtype)
                gather(flat_at, first_at + 8 * start, flip_at + start, *sizes, table_at, out.data_ptr())
                yield out, labels[here]
                continue
            pixels = crops[first[here]]  # (B,) -> (B, H, W * C) uint8
            flipped = np.flatnonzero(flip[here])
            if len(flipped):
                pixels[flipped] = pixels[flipped].take(mirror, axis=2)
            yield _apply(pixels.reshape(-1, height, width, channels), *affine), labels[here]


def normalised(
    pixels: NDArray[np.uint8], mean: Sequence[float], std: Sequence[float], dtype: torch.dtype = torch.float32
) -> Tensor:
    """(N, H, W, C) uint8 -> (N, H, W, C) float, bit for bit what an unaugmented batch holds."""
    return _apply(np.ascontiguousarray(pixels), *_affine(pixels.shape[1:], mean, std, dtype))


def _affine(
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
