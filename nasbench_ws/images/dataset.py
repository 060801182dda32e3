"""What a data set is: uint8 images and labels in fixed splits, under one digest; and where it comes from.

Not here: augmentation and normalisation (training/batches.py, the first to need torch), and making the shipped file
(images/prepare.py). torchvision is imported by the loaders that read its formats, and by nothing else.

    images = load_images("fashion14")                        # training and validation images
    images.train.pixels.shape, images.classes, images.digest
    truth = load_images("fashion14", splits=("test",)).test  # the ground truth of a table; nowhere else

Splits. Training images train, validation images score children, test images are ground truth. Where the
originals have two parts, validation is cut from their training part, the same number from every class:
10,000 of Fashion-MNIST's 60,000 (1 in 6), 10,000 of CIFAR-10's and CIFAR-100's 50,000 (1 in 5); test is the
original test part. Every split is stored in the order of `stratified_order`, except test (as found).

Digest. SHA-256 over the canonical JSON of the classes, the channel mean and deviation, and the digest of each
split the data set has (`split_digest`), so that it names the data set whichever splits are loaded.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nasbench_ws.errors import DataError, UsageError

SPLITS = ("train", "valid", "test")
SPLIT_SEED = "nasbench-ws images 1"  # part of every digest's meaning: never to change


@dataclass(frozen=True, eq=False)
class Split:
    """Images (N, H, W, C) uint8, contiguous, and their labels (N,) int64."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        pixels, labels = self.pixels, self.labels
        fine = pixels.dtype == np.uint8 and pixels.ndim == 4 and pixels.flags.c_contiguous
        if not (fine and labels.dtype == np.int64 and labels.shape == pixels.shape[:1]):
            raise UsageError(
                f"a split of {pixels.dtype} pixels {pixels.shape} and {labels.dtype} labels {labels.shape}: "
                "it takes contiguous uint8 pixels (N, H, W, C) and int64 labels (N,)"
            )

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Images:
    """A data set: the splits that were loaded, and the training split's channel statistics in [0, 1] units.

    DataError where a label is no class, where splits are empty or have images of different sizes, and where the
    statistics are not of their channels: training trusts all of it.
    """

    name: str
    classes: tuple[str, ...]
    digest: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    splits: Mapping[str, Split]

    def __post_init__(self) -> None:
        count, sizes = len(self.classes), {name: split.pixels.shape[1:] for name, split in self.splits.items()}
        if count < 2:
            raise DataError(f"the images of {self.name} have {count} classes; a classifier takes 2 or more")
        for name, split in self.splits.items():
            if 0 in split.pixels.shape:
                size = "x".join(map(str, split.pixels.shape[1:]))
                raise DataError(f"the {name} images of {self.name} are {len(split)} of {size}; give at least one pixel")
            bad = np.flatnonzero((split.labels < 0) | (split.labels >= count))
            if len(bad):
                raise DataError(
                    f"the {name} images of {self.name}: label {split.labels[bad[0]]} of image {bad[0]} is no class; "
                    f"it has {count} classes, so labels are 0 to {count - 1}; check how the labels were read"
                )
            if sizes[name] != self._shape[1:]:
                texts = ", ".join(f"{other} {'x'.join(map(str, size))}" for other, size in sizes.items())
                raise DataError(
                    f"the splits of {self.name} have images of different sizes (height x width x channels): {texts}; "
                    "make all alike"
                )
        if self.splits and not self._normalises(self._shape[3]):
            raise DataError(
                f"the images of {self.name} have means {self.mean} and deviations {self.std} for {self._shape[3]} "
                "channels; there is one of each for every channel, finite, and the deviation above 0: a channel that "
                "has the same value everywhere tells nothing, and is to be left out"
            )

    def _normalises(self, channels: int) -> bool:
        fine = len(self.mean) == len(self.std) == channels
        return fine and all(map(math.isfinite, (*self.mean, *self.std))) and min(self.std) > 0

    @property
    def train(self) -> Split:
        return self._split("train", "they train children and super-nets")

    @property
    def valid(self) -> Split:
        return self._split("valid", "they score children")

    @property
    def test(self) -> Split:
        return self._split("test", "test images are for the table's ground truth only")

    @property
    def height(self) -> int:
        return self._shape[1]

    @property
    def width(self) -> int:
        return self._shape[2]

    @property
    def channels(self) -> int:
        return self._shape[3]

    def subset(self, train: int) -> Images:
        """The same data set with the first `train` training images: nested, and balanced over the classes.

        The normalisation stays the whole set's; the digest becomes SHA-256 of "<digest> train[:<train>]".
        """
        split = self.train
        if not 1 <= train <= len(split):
            raise UsageError(f"{train} training images of {self.name}: it has 1 to {len(split)} to give")
        if train == len(split):
            return self
        digest = hashlib.sha256(f"{self.digest} train[:{train}]".encode()).hexdigest()
        part = Split(split.pixels[:train], split.labels[:train])
        return replace(self, digest=digest, splits={**self.splits, "train": part})

    def first_valid(self, count: int) -> Images:
        """The same data set with only the first validation images, for scoring often."""
        valid = self.valid
        first = Split(valid.pixels[:count], valid.labels[:count])
        return replace(self, splits={**self.splits, "valid": first})

    @property
    def _shape(self) -> tuple[int, ...]:
        return tuple(next(iter(self.splits.values())).pixels.shape)

    def _split(self, split: str, purpose: str) -> Split:
        if split not in self.splits:
            raise DataError(
                f"the {split} images of {self.name} were not loaded, only {', '.join(self.splits)}: "
                f"{purpose}; load_images({self.name!r}, splits=({split!r},)) loads them"
            )
        return self.splits[split]


def stratified_order(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """A fixed order of the indices in which every prefix holds each class in proportion.

    Within a class, images stand in the order of SHA-256 of "<seed>:<index>": no library's generator can
    change it. Classes are then merged by (2 rank + 1) / (2 size), ties again by hash.
    """
    texts = (f"{SPLIT_SEED}:{index}".encode() for index in range(len(labels)))
    hashes = np.array([int.from_bytes(hashlib.sha256(text).digest()[:8], "big") for text in texts], np.uint64)
    place = np.empty(len(labels))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        members = members[np.argsort(hashes[members], kind="stable")]
        place[members] = (2 * np.arange(len(members)) + 1) / (2 * len(members))
    return np.lexsort((hashes, place)).astype(np.int64)


def split_train_valid(original: Split, one_in: int) -> tuple[Split, Split]:
    """Cut a training part in two: of `stratified_order`, the first N // one_in validate, the rest train."""
    order = stratified_order(original.labels)
    n = len(order) // one_in
    return take(original, order[n:]), take(original, order[:n])


def take(split: Split, indices: NDArray[np.int64]) -> Split:
    return Split(split.pixels[indices], split.labels[indices])


def channel_statistics(split: Split) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and population standard deviation of each channel in [0, 1] units, from exact integer sums."""
    mean, std = [], []
    values = np.arange(256)
    for channel in range(split.pixels.shape[3]):
        count = np.zeros(256, np.int64)
        for first in range(0, len(split), 4096):  # bincount widens to int64: a block at a time
            count += np.bincount(split.pixels[first : first + 4096, :, :, channel].ravel(), minlength=256)
        n, total, squares = int(count.sum()), int(count @ values), int(count @ values**2)
        mean.append(total / (255 * n))
        std.append(math.sqrt(n * squares - total**2) / (255 * n))
    return tuple(mean), tuple(std)


def split_digest(split: Split) -> str:
    """SHA-256 of "N,H,W,C\\n" (ASCII), then the pixels in C order, then the labels as little-endian int64."""
    shape = ",".join(str(n) for n in split.pixels.shape)
    digest = hashlib.sha256(f"{shape}\n".encode())
    digest.update(split.pixels.data)
    digest.update(split.labels.astype("<i8").data)
    return digest.hexdigest()


def content_digest(
    classes: Sequence[str], mean: Sequence[float], std: Sequence[float], splits: Mapping[str, str]
) -> str:
    """The data set's digest; `splits` maps a split's name to its `split_digest`."""
    content = {"classes": list(classes), "mean": list(mean), "std": list(std), "splits": dict(splits)}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
