"""Where a data set comes from: the shipped file, torchvision's data sets, or a folder of pictures.

    load_images("fashion14")                     # training and validation images
    load_images("folder:pictures", splits=("test",), root="/data")

torchvision is imported by the readers that need it, and by nothing else. Not here: splits and digests (dataset.py).
"""

from __future__ import annotations

import gzip
import importlib.resources
import io
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nasbench_ws.errors import DataError, UsageError, near_misses
from nasbench_ws.images.dataset import (
    SPLITS,
    Images,
    Split,
    channel_statistics,
    content_digest,
    split_digest,
    split_train_valid,
    stratified_order,
    take,
)
from nasbench_ws.images.folder import EACH, dimensions, folder_of, read_class_folders
from nasbench_ws.images.shipped import SHIPPED_FILE, read_shipped
from nasbench_ws.json_files import refusal
from nasbench_ws.limits import bytes_of

VALID_ONE_IN = {"fashion-mnist": 6, "cifar10": 5, "cifar100": 5}
IDX_FILES = {True: ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),  # by "is it the training part"
             False: ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")}  # fmt: skip
LARGEST_IDX = 2**28  # bytes; the largest of these sets has 47 million
Load = Callable[..., Images]  # called as load_images is: name, splits, root


def load_images(
    name: str,
    splits: Sequence[str] = ("train", "valid"),
    root: str | Path | None = None,
    download: bool = False,
) -> Images:
    """The data set of that name. Not kept are splits that nobody asked for; of the shipped file they are not even read.

    Args:
        name: fashion14 (shipped), fashion-mnist, cifar10, cifar100, or folder:PATH. A relative PATH starts at `root`; a
            folder that was moved is found in `root` by its last name, or is `root`.
        splits: of "train", "valid" and "test".
        root: the folder that holds the originals.
        download: let torchvision fetch them into it.
    """
    splits = (splits,) if isinstance(splits, str) else tuple(splits)
    if not splits or not set(splits) <= set(SPLITS):
        raise UsageError(f"splits {splits}: name one or more of {', '.join(SPLITS)}")
    if name == "fashion14":
        folder = Path(str(importlib.resources.files("nasbench_ws.data"))) if root is None else Path(root)
        return read_shipped(folder / SHIPPED_FILE, splits)
    if name.startswith("folder:"):
        return _from_folder(name, folder_of(name, root), splits)
    if name not in VALID_ONE_IN:
        known = ("fashion14", *VALID_ONE_IN)
        close = near_misses(name, known)
        raise UsageError(f"no data set {name!r}{close}: it is {', '.join(known)} or folder:PATH")
    if root is None:
        raise DataError(f"{name} does not ship with this package: {_how_to_get(name)}")
    return _from_originals(name, Path(root), splits, download)


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
        path = Path(scratch, file)
        data = _unpacked(found[0])
        with refusal(path):
            path.write_bytes(data)
        try:
            pixels: NDArray[np.uint8] = read_sn3_pascalvincent_tensor(str(path)).numpy()
        except (AssertionError, ValueError, KeyError) as error:
            raise DataError(f"{found[0]} is not a whole idx file; {_how_to_get('fashion-mnist')}") from error
    return pixels


def _unpacked(path: Path) -> bytes:
    """The bytes of an idx file, gzipped or not; DataError for more than any has, which a few KB can unpack to."""
    remedy = _how_to_get("fashion-mnist")
    data = bytes_of(path, DataError, remedy, LARGEST_IDX)
    if path.suffix != ".gz":
        return data
    try:
        with gzip.open(io.BytesIO(data)) as source:
            data = source.read(LARGEST_IDX + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is not a whole idx file; {remedy}") from error
    if len(data) > LARGEST_IDX:
        raise DataError(f"{path} unpacks to more than the {LARGEST_IDX:,} bytes that are read; {remedy}")
    return data


def _from_folder(name: str, path: Path, splits: Sequence[str]) -> Images:
    """PATH/train, PATH/valid, PATH/test (the last two as needed), each with a folder of images for each class."""
    present = [split for split in SPLITS if (path / split).is_dir()]
    for split in ("train", *splits):  # training images give classes and normalisation, whatever is kept
        if split not in present:
            moved = f"; where {name} was moved, say so with --data-root (root=)" if not path.exists() else ""
            raise DataError(f"{name}: no folder {path / split}; {EACH}{moved}")
    classes, train = read_class_folders(path / "train")

    def parts() -> Iterator[tuple[str, Split]]:
        for split in present:
            found, part = (classes, train) if split == "train" else read_class_folders(path / split)
            for what, given, expected in (
                ("class folders", ", ".join(found), ", ".join(classes)),
                ("images", dimensions(part.pixels), dimensions(train.pixels)),
            ):
                if given != expected:
                    raise DataError(f"{path / split} has {what} {given}, and train has {expected}; give both the same")
            yield split, part if split == "test" else take(part, stratified_order(part.labels))

    return _assemble(name, classes, parts(), splits)
