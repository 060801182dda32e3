"""The images that ship with the package: one HDF5 file, checked against its digest when read.

Not here: how it was made (images/prepare.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from nasbench_ws.errors import DataError, UsageError
from nasbench_ws.images.dataset import SPLITS, Images, Split, content_digest, split_digest

SHIPPED_FILE = "fashion14-images.h5"
SCHEMA_VERSION = 1


def read_shipped(path: Path, splits: Sequence[str]) -> Images:
    """Read a file that images/prepare.py wrote, and check every split that is read against its digest."""
    remedy = "reinstall nasbench-ws, or make the file again with `python -m nasbench_ws.images.prepare`"
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
