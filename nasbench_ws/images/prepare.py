"""Make the shipped images: Fashion-MNIST, mean-pooled to 14x14, in one HDF5 file.

Not here: reading that file back, splits and digests (images/dataset.py). The same originals give
the same file, and the same digest, every time.

    python -m nasbench_ws.images.prepare /usr/share/datasets/fashion-mnist data/fashion14-images.h5
    python -m nasbench_ws.images.prepare --download ~/data data/fashion14-images.h5
    # 50,000 train, 10,000 valid (1,000 a class), 10,000 test
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from nasbench_ws.errors import DataError
from nasbench_ws.images.dataset import (
    SPLIT_SEED,
    Images,
    Split,
    channel_statistics,
    content_digest,
    split_digest,
    split_train_valid,
)
from nasbench_ws.images.hdf5 import SCHEMA_VERSION
from nasbench_ws.images.loaders import VALID_ONE_IN, read_fashion_mnist
from nasbench_ws.images.shipped import SHIPPED_FILE, read_shipped
from nasbench_ws.json_files import write_atomic

CHUNK_IMAGES = 1000  # 196 kB a chunk: read by any part, never a row at a time
SOURCE = "Fashion-MNIST, Zalando Research, https://github.com/zalandoresearch/fashion-mnist"
POOLING = "mean of each 2x2 window, rounded half up: (a + b + c + d + 2) // 4"
METHOD = (
    "of the original training part, in each class, order by SHA-256 of '<split_seed>:<original index>' (its first "
    "8 bytes); merge the classes by (2 rank + 1) / (2 size), ties by the same hash; valid is the first sixth, "
    "train is the rest, both in this order; test is the original test part in its own order"
)
DIGEST_RULE = (
    "digest: SHA-256 of Python's json.dumps(..., sort_keys=True) of {classes, mean, std, splits: {<name>: "
    "<name>_digest}}; <name>_digest: SHA-256 of 'N,H,W,C\\n', the pixels in C order, the labels as little-endian int64"
)
LICENCE = """The MIT License (MIT)

Copyright (c) 2017 Zalando SE, https://tech.zalando.com

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial
portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES
OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


def pool(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(N, 2H, 2W, C) -> (N, H, W, C): the mean of each 2x2 window, rounded half up, in exact integers."""
    n, height, width, channels = pixels.shape
    if height % 2 or width % 2:
        raise DataError(f"images of {height}x{width} pixels cannot be pooled by 2x2: both sides must be even")
    windows = pixels.reshape(n, height // 2, 2, width // 2, 2, channels)
    pooled: NDArray[np.uint8] = ((windows.sum(axis=(2, 4), dtype=np.uint16) + 2) // 4).astype(np.uint8)
    return pooled


def prepare(originals: Path, output: Path, download: bool = False) -> Images:
    """Pool and split the originals, write `output` (a temporary name, then renamed), and read it back."""
    classes, training = read_fashion_mnist(originals, True, download)
    _, testing = read_fashion_mnist(originals, False)
    sources = {"train": split_digest(training), "test": split_digest(testing)}
    pooled = Split(pool(training.pixels), training.labels)
    train, valid = split_train_valid(pooled, VALID_ONE_IN["fashion-mnist"])
    splits = {"train": train, "valid": valid, "test": Split(pool(testing.pixels), testing.labels)}
    recipe = {
        "pooling": POOLING,
        "split_seed": SPLIT_SEED,
        "split_method": METHOD,
        "original_digests": sources,
    }
    with h5py.File("memory", "w", driver="core", backing_store=False) as file:  # on a full disk libhdf5 crashes
        _write(file, classes, splits, recipe)
        file.flush()
        image = file.id.get_file_image()
    write_atomic(output, image)
    return read_shipped(output, tuple(splits))


def _write(file: h5py.File, classes: Sequence[str], splits: Mapping[str, Split], recipe: Mapping[str, object]) -> None:
    mean, std = channel_statistics(splits["train"])
    digests = {name: split_digest(split) for name, split in splits.items()}
    file.attrs["schema_version"] = SCHEMA_VERSION
    file.attrs["title"] = "Fashion-MNIST at 14x14"
    file.attrs["source"] = SOURCE
    file.attrs["licence"] = LICENCE
    file.attrs["recipe"] = json.dumps(recipe, sort_keys=True)
    file.attrs["classes"] = list(classes)
    file.attrs["mean"] = mean
    file.attrs["std"] = std
    file.attrs["digest"] = content_digest(classes, mean, std, digests)
    file.attrs["digest_rule"] = DIGEST_RULE
    for name, split in splits.items():
        file.attrs[f"{name}_digest"] = digests[name]
        chunk = min(CHUNK_IMAGES, len(split))
        for kind, values, meaning in (
            ("images", split.pixels, "grey levels, 0 black to 255 white; axes image, row, column, channel"),
            ("labels", split.labels.astype(np.uint8), "index into the attribute classes; axis image"),
        ):
            # No shuffle filter: it does nothing to single bytes. gzip above 6 is 8 times slower for 1 %.
            dataset = file.create_dataset(
                f"{name}_{kind}",
                data=values,
                chunks=(chunk, *values.shape[1:]),
                compression="gzip",
                compression_opts=6,
            )
            dataset.attrs["meaning"] = meaning


def main() -> None:
    parser = argparse.ArgumentParser("python -m nasbench_ws.images.prepare", description="Make the shipped images.")
    parser.add_argument("originals", type=Path, help="folder of Fashion-MNIST's idx files, or torchvision's root")
    parser.add_argument("output", type=Path, nargs="?", default=SHIPPED_FILE, help="default: %(default)s")
    parser.add_argument("--download", action="store_true", help="let torchvision fetch the originals first")
    chosen = parser.parse_args()
    images = prepare(chosen.originals, chosen.output, chosen.download)
    counts = ", ".join(f"{len(split):,} {name}" for name, split in images.splits.items())
    print(f"{chosen.output}: {counts}\ndigest {images.digest}")


if __name__ == "__main__":
    main()
