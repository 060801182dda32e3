"""What a file of images holds, read from its bytes: attributes and arrays that lie in it, of a size to read.

    contents(Path("fashion14-images.h5").read_bytes(), ("train",))["train_images"].shape

Not here: whether the bytes may be trusted (images/shipped.py), and a process for those that may not (images/apart.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import h5py
import numpy as np

from nasbench_ws.images.dataset import SPLITS

SCHEMA_VERSION = 1
MAX_BYTES = 2**31  # of the file, and of what it holds


def contents(data: bytes, splits: Sequence[str]) -> dict[str, Any]:
    """Attributes and arrays of a file's bytes; of another schema its version alone. What HDF5's library raises passes.

    ValueError for what lies outside of the file, is no array of bytes, or is larger than `MAX_BYTES`.
    """
    with h5py.File(h5py.h5f.open_file_image(data)) as file:
        found: dict[str, Any] = {"schema_version": int(file.attrs["schema_version"])}
        if found["schema_version"] != SCHEMA_VERSION:
            return found
        found["classes"] = tuple(str(label) for label in file.attrs["classes"])
        found |= {key: tuple(float(x) for x in file.attrs[key]) for key in ("mean", "std")}
        found |= {key: str(file.attrs[key]) for key in ("digest", *(f"{split}_digest" for split in SPLITS))}
        names = [f"{split}_{kind}" for split in splits for kind in ("images", "labels")]
        datasets = {name: _dataset(file, name) for name in names}
        if sum(math.prod(dataset.shape) for dataset in datasets.values()) > MAX_BYTES:
            raise ValueError(f"it says it holds more than the {MAX_BYTES:,} bytes that are read")
        return found | {name: dataset[()] for name, dataset in datasets.items()}


def _dataset(file: h5py.File, name: str) -> h5py.Dataset:
    """A dataset of bytes that lies in this file, and nowhere else."""
    if file.id.links.get_info(name.encode()).type != h5py.h5l.TYPE_HARD:
        raise ValueError(f"its {name} is a link")
    dataset = file[name]
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype != np.uint8:
        raise ValueError(f"its {name} is no dataset of bytes")
    plist = dataset.id.get_create_plist()
    layout = plist.get_layout()
    if layout == h5py.h5d.VIRTUAL or plist.get_external_count():
        raise ValueError(f"its {name} is a window on other files")
    if layout == h5py.h5d.CHUNKED and math.prod(plist.get_chunk()) > MAX_BYTES:
        raise ValueError(f"its {name} is in chunks of {plist.get_chunk()}")
    return dataset
