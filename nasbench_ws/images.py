"""What a data set is: uint8 images and labels in fixed splits, under one digest; and where it comes from.

Not here: augmentation and normalisation (augment.py, the first to need torch), and making the shipped file
(prepare.py). torchvision is imported by the loaders that read its formats, and by nothing else.

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

import gzip
import hashlib
import importlib.resources
import json
import math
import shutil
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from nasbench_ws.errors import DataError, UsageError, near_misses

SPLITS = ("train", "valid", "test")
SPLIT_SEED = "nasbench-ws images 1"  # part of every digest's meaning: never to change
VALID_ONE_IN = {"fashion-mnist": 6, "cifar10": 5, "cifar100": 5}
SHIPPED_FILE = "fashion14-images.h5"
SCHEMA_VERSION = 1
IDX_FILES = {True: ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),  # by "is it the training part"
             False: ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")}  # fmt: skip


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
    """A data set: the splits that were loaded, and the training split's channel statistics in [0, 1] units."""

    name: str
    classes: tuple[str, ...]
    digest: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    splits: Mapping[str, Split]

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


def load_images(
    name: str,
    splits: Sequence[str] = ("train", "valid"),
    root: str | Path | None = None,
    download: bool = False,
) -> Images:
    """The data set `name`: fashion14 (shipped), fashion-mnist, cifar10, cifar100, or folder:PATH.

    `root` is the folder that holds the originals; `download` lets torchvision fetch them into it. A relative
    PATH starts at `root`. Splits not in `splits` are not kept; of the shipped file they are not even read.
    """
    splits = (splits,) if isinstance(splits, str) else tuple(splits)
    if not splits or not set(splits) <= set(SPLITS):
        raise UsageError(f"splits {splits}: name one or more of {', '.join(SPLITS)}")
    if name == "fashion14":
        folder = Path(str(importlib.resources.files("nasbench_ws.data"))) if root is None else Path(root)
        return read_shipped(folder / SHIPPED_FILE, splits)
    if name.startswith("folder:"):
        return _from_folder(name, Path(root or ".") / name.removeprefix("folder:"), splits)
    if name not in VALID_ONE_IN:
        known = ("fashion14", *VALID_ONE_IN)
        close = near_misses(name, known)
        raise UsageError(f"no data set {name!r}{close}: it is {', '.join(known)} or folder:PATH")
    if root is None:
        raise DataError(f"{name} does not ship with this package: {_how_to_get(name)}")
    return _from_originals(name, Path(root), splits, download)


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
    return _take(original, order[n:]), _take(original, order[:n])


def _take(split: Split, indices: NDArray[np.int64]) -> Split:
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


def read_shipped(path: Path, splits: Sequence[str]) -> Images:
    """Read a file that prepare.py wrote, and check every split that is read against its digest."""
    remedy = "reinstall nasbench-ws, or make the file again with `python -m nasbench_ws.prepare`"
    if not path.is_file():
        raise DataError(f"{path}: no such file; {remedy}")
    try:
        with h5py.File(path, "r", locking=False) as file:
            version = int(file.attrs["schema_version"])
            if version != SCHEMA_VERSION:
                raise DataError(f"{path} has schema {version}, this package reads {SCHEMA_VERSION}; {remedy}")
            classes = tuple(str(label) for label in file.attrs["classes"])
            mean, std = (tuple(float(x) for x in file.attrs[key]) for key in ("mean", "std"))
            digests = {split: str(file.attrs[f"{split}_digest"]) for split in SPLITS}
            stated = str(file.attrs["digest"])
            kept = {
                split: Split(file[f"{split}_images"][()], file[f"{split}_labels"][()].astype(np.int64))
                for split in splits
            }
    except (OSError, KeyError, UsageError) as error:
        raise DataError(f"{path} is not a whole file of images in HDF5; {remedy}") from error
    checks = [("contents have", stated, content_digest(classes, mean, std, digests))]
    checks += [(f"{name} images have", digests[name], split_digest(split)) for name, split in kept.items()]
    for what, expected, found in checks:
        if found != expected:
            raise DataError(f"{path} is damaged: its {what} SHA-256 {found}, not {expected}; {remedy}")
    return Images("fashion14", classes, stated, mean, std, kept)


def _assemble(name: str, classes: Sequence[str], parts: Iterable[tuple[str, Split]], splits: Sequence[str]) -> Images:
    """Digest every split in turn, and keep those asked for."""
    kept: dict[str, Split] = {}
    digests: dict[str, str] = {}
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    for split_name, split in parts:
        digests[split_name] = split_digest(split)
        if split_name == "train":
            mean, std = channel_statistics(split)
        if split_name in splits:
            kept[split_name] = split
    return Images(name, tuple(classes), content_digest(classes, mean, std, digests), mean, std, kept)


def _how_to_get(name: str) -> str:
    debian = "on Debian, `apt install dataset-fashion-mnist` puts it in /usr/share/datasets/fashion-mnist; "
    return (
        "name the folder that holds it with --data-root DIR (root=DIR); "
        + (debian if name == "fashion-mnist" else "")
        + "with --download (download=True) torchvision fetches it into that folder"
    )


def _from_originals(name: str, root: Path, splits: Sequence[str], download: bool) -> Images:
    """A set that comes in a training and a test part."""

    def read(train: bool) -> tuple[Sequence[str], Split]:
        if name == "fashion-mnist":
            return read_fashion_mnist(root, train, download)
        return read_cifar(name, root, train, download)

    def parts() -> Iterator[tuple[str, Split]]:
        yield from zip(("train", "valid"), split_train_valid(original, VALID_ONE_IN[name]), strict=True)
        yield "test", read(False)[1]

    classes, original = read(True)
    return _assemble(name, classes, parts(), splits)


def read_cifar(name: str, root: Path, train: bool, download: bool) -> tuple[Sequence[str], Split]:
    """Classes and images of CIFAR's training or test part; torchvision checks MD5s before it unpickles."""
    from torchvision import datasets

    reader = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}[name]
    try:
        part = reader(str(root), train=train, download=download)
    except (RuntimeError, OSError) as error:
        raise DataError(f"{name}: no whole {reader.base_folder} in {root}; {_how_to_get(name)}") from error
    return part.classes, Split(np.ascontiguousarray(part.data), np.array(part.targets, np.int64))


def read_fashion_mnist(root: Path, train: bool, download: bool = False) -> tuple[Sequence[str], Split]:
    """Classes and images (N, 28, 28, 1) of Fashion-MNIST's training or test part, in the original order.

    The idx files, as they are or gzipped, lie in `root` (Debian's layout) or in its FashionMNIST/raw
    (torchvision's).
    """
    from torchvision import datasets

    if download:
        try:
            datasets.FashionMNIST(str(root), download=True)
        except (RuntimeError, OSError) as error:
            raise DataError(f"fashion-mnist could not be fetched into {root}: {error}") from error
    folders = (root, root / "FashionMNIST" / "raw")
    images, labels = (_read_idx(file, folders) for file in IDX_FILES[train])
    if images.ndim != 3 or labels.shape != images.shape[:1]:
        raise DataError(
            f"fashion-mnist in {root}: images {images.shape} and labels {labels.shape} do not belong together "
            f"as (N, H, W) and (N,); {_how_to_get('fashion-mnist')}"
        )
    return datasets.FashionMNIST.classes, Split(images[..., None], labels.astype(np.int64))


def _read_idx(file: str, folders: Sequence[Path]) -> NDArray[np.uint8]:
    from torchvision.datasets.mnist import read_sn3_pascalvincent_tensor  # its reader of the idx format

    found = [path for folder in folders for path in (folder / file, folder / f"{file}.gz") if path.is_file()]
    if not found:
        places = " or ".join(str(folder) for folder in folders)
        raise DataError(f"fashion-mnist: no {file} or {file}.gz in {places}; {_how_to_get('fashion-mnist')}")
    with tempfile.TemporaryDirectory() as scratch:  # the reader takes a path, and no gzip
        path = found[0]
        try:
            if path.suffix == ".gz":
                path = Path(scratch, file)
                with gzip.open(found[0]) as source, path.open("wb") as target:
                    shutil.copyfileobj(source, target)
            pixels: NDArray[np.uint8] = read_sn3_pascalvincent_tensor(str(path)).numpy()
        except (OSError, EOFError, zlib.error, AssertionError, ValueError, KeyError) as error:
            raise DataError(f"{found[0]} is not a whole idx file; {_how_to_get('fashion-mnist')}") from error
    return pixels


def _from_folder(name: str, path: Path, splits: Sequence[str]) -> Images:
    """PATH/train, PATH/valid, PATH/test (the last two as needed), each with a folder of images for each class."""
    present = [split for split in SPLITS if (path / split).is_dir()]
    for split in ("train", *splits):  # training images give classes and normalisation, whatever is kept
        if split not in present:
            raise DataError(f"{name}: no folder {path / split}; it holds one folder of images for each class")
    classes, train = _read_class_folders(path / "train")

    def parts() -> Iterator[tuple[str, Split]]:
        for split in present:
            found, part = (classes, train) if split == "train" else _read_class_folders(path / split)
            for what, given, expected in (
                ("class folders", ", ".join(found), ", ".join(classes)),
                ("images", _dimensions(part.pixels), _dimensions(train.pixels)),
            ):
                if given != expected:
                    raise DataError(f"{path / split} has {what} {given}, and train has {expected}; give both the same")
            yield split, part if split == "test" else _take(part, stratified_order(part.labels))

    return _assemble(name, classes, parts(), splits)


def _read_class_folders(path: Path) -> tuple[Sequence[str], Split]:
    from torchvision.datasets import ImageFolder

    try:
        folder = ImageFolder(str(path))
    except FileNotFoundError as error:
        raise DataError(
            f"{path} has no class folder, or an empty one; it holds one folder of images for each class"
        ) from error
    pixels: list[NDArray[np.uint8]] = []
    for file, _ in folder.samples:
        pixels.append(_read_image(file))
        if pixels[-1].shape != pixels[0].shape:
            height, width, channels = pixels[0].shape
            raise DataError(
                f"{file} is {_dimensions(pixels[-1])}, and the first image is {_dimensions(pixels[0])}: make all "
                f"alike, e.g. with ImageMagick's `mogrify -resize {width}x{height}! "
                f"-colorspace {'Gray' if channels == 1 else 'sRGB'} FILES`"
            )
    return folder.classes, Split(np.stack(pixels), np.array(folder.targets, np.int64))


def _dimensions(pixels: NDArray[np.uint8]) -> str:
    height, width, channels = pixels.shape[-3:]
    return f"{width}x{height} {'grayscale' if channels == 1 else 'colour'}"


def _read_image(file: str) -> NDArray[np.uint8]:
    """(H, W, 1) of a grayscale image, (H, W, 3) of a colour image or of one with a palette (mode P)."""
    from PIL import Image  # torchvision's own dependency

    try:
        with Image.open(file) as image:
            if image.mode not in ("L", "RGB", "P"):
                raise DataError(f"{file} has mode {image.mode}; save it as 8-bit grayscale (L) or RGB")
            pixels = np.asarray(image if image.mode == "L" else image.convert("RGB"))
    except OSError as error:  # a file that is not an image, or is cut short
        raise DataError(f"{file} cannot be read as an image; replace or remove it") from error
    return pixels.reshape(*pixels.shape[:2], -1)
