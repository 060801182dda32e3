"""Pictures in a folder for each class: which are read, how, and what is refused.

    place = folder_of("folder:pictures", root="/data")         # /data/pictures, or /data where that was moved to
    classes, split = read_class_folders(place / "train")

Hidden folders and files (.ipynb_checkpoints, ._x.png) are no classes and no pictures. A picture is turned as its EXIF
orientation says. Not here: splits and digests (dataset.py).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nasbench_ws.errors import DataError
from nasbench_ws.images.dataset import Split

READ = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")  # as torchvision's ImageFolder
OTHERS = (".gif", ".jfif", ".jpe", ".jp2", ".heic", ".heif", ".avif", ".svg", ".tga", ".npy")  # pictures, not read
NO_CLASS = ("__MACOSX", "__pycache__", "@eaDir", "lost+found")  # what systems leave in folders
MAX_SIDE = 4096  # pixels
MAX_BYTES = 2**33  # of all pictures of a split
EACH = "it holds one folder of images for each class"


def folder_of(name: str, root: str | Path | None) -> Path:
    """Where the pictures of `folder:PATH` are: there, or in `root`, by the path or its last part, where they moved to.

    Whether they are the same, their digest says.
    """
    path = Path(name.removeprefix("folder:"))
    if root is None:
        return path
    places = [Path(root) / path, Path(root) / path.name, Path(root)]
    return next((place for place in places if (place / "train").is_dir()), places[0])


def read_class_folders(path: Path) -> tuple[Sequence[str], Split]:
    """The classes in order of name, and all their pictures. DataError names what is empty, of no use, or odd."""
    found = {name: _pictures(path / name) for name in _class_names(path)}
    pixels: list[NDArray[np.uint8]] = []
    size = 0
    for files in found.values():
        for file in files:
            pixels.append(read_picture(file))
            size += pixels[-1].nbytes
            if pixels[-1].shape != pixels[0].shape:
                height, width, channels = pixels[0].shape
                raise DataError(
                    f"{file} is {dimensions(pixels[-1])}, and the first image is {dimensions(pixels[0])}: make all "
                    f"alike, e.g. with ImageMagick's `mogrify -auto-orient -resize {width}x{height}! "
                    f"-colorspace {'Gray' if channels == 1 else 'sRGB'} FILES`"
                )
            if size > MAX_BYTES:
                raise DataError(f"{path} holds more than the {MAX_BYTES:,} bytes of pixels that are read; make it less")
    labels = np.repeat(np.arange(len(found)), [len(files) for files in found.values()])
    return list(found), Split(np.stack(pixels), labels.astype(np.int64))


def _class_names(path: Path) -> list[str]:
    names = sorted(
        entry.name for entry in os.scandir(path)
        if entry.is_dir() and not entry.name.startswith(".") and entry.name not in NO_CLASS
    )  # fmt: skip
    if not names:
        raise DataError(f"{path} has no class folder; {EACH}")
    return names


def _pictures(folder: Path) -> list[Path]:
    """The pictures in a class's folder, and in folders of that, in the order of ImageFolder.

    DataError for a link to a folder around it: pictures would be read many times, those of other classes too.
    """
    folders = []
    for root, within, names in os.walk(folder, followlinks=True):
        for name in within:
            there = os.path.realpath(os.path.join(root, name))
            if (os.path.realpath(root) + os.sep).startswith(there + os.sep):
                raise DataError(f"{Path(root, name)} is a link to {there}, which it is in; remove it")
        folders.append((root, within, names))
    files = [
        Path(root, name)
        for root, _, names in sorted(folders)
        for name in sorted(names)
        if not any(part.startswith(".") or part in NO_CLASS for part in Path(root, name).relative_to(folder).parts)
    ]
    pictures = [file for file in files if file.suffix.lower() in READ]
    others = Counter(file.suffix.lower() for file in files if file.suffix.lower() in OTHERS)
    if others:
        listed = ", ".join(f"{count} {suffix}" for suffix, count in sorted(others.items()))
        only = "only " if not pictures else ""
        raise DataError(f"the class folder {folder} holds {only}{listed}, which are not read; save them as .png")
    if not pictures:
        raise DataError(f"the class folder {folder} has no image ({', '.join(READ)}); fill it, or remove it")
    return pictures


def dimensions(pixels: NDArray[np.uint8]) -> str:
    height, width, channels = pixels.shape[-3:]
    return f"{width}x{height} {'grayscale' if channels == 1 else 'colour'}"


def read_picture(file: Path) -> NDArray[np.uint8]:
    """(H, W, 1) of a grayscale image, (H, W, 3) of a colour image or of one with a palette (mode P), upright."""
    from PIL import Image, ImageOps  # torchvision's own dependency

    if not file.is_file():
        raise DataError(f"{file} is a device, a pipe or a broken link, not an image; replace or remove it")
    try:
        with Image.open(file) as image:
            if image.mode not in ("L", "RGB", "P"):
                raise DataError(f"{file} has mode {image.mode}; save it as 8-bit grayscale (L) or RGB")
            if max(image.size) > MAX_SIDE:  # before a pixel of it is allocated
                raise DataError(f"{file} is {image.width}x{image.height}; the longest side is {MAX_SIDE} pixels")
            count = getattr(image, "n_frames", 1)
            if count > 1:
                raise DataError(f"{file} holds {count} pictures; save each in a file of its own")
            upright = ImageOps.exif_transpose(image)
            pixels = np.asarray(upright if upright.mode == "L" else upright.convert("RGB"))
    except DataError:
        raise
    except Exception as error:  # a file that is not an image, is cut short, or says it is huge; PIL raises any kind
        raise DataError(f"{file} cannot be read as an image; replace or remove it") from error
    return pixels.reshape(*pixels.shape[:2], -1)
