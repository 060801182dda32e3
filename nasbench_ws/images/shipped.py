"""The images that ship with the package: one HDF5 file, checked against its digest when read.

    read_shipped(Path("data/fashion14-images.h5"), ("train", "valid"))

On a broken file HDF5's library may crash, run for ever or ask for any memory. The bytes that ship are known by their
SHA-256 and are read here; those of any other file, such as one that images/prepare.py made elsewhere, in a process of
its own with limits. Not here: how the file was made (images/prepare.py), and that process (images/apart.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np

from nasbench_ws.errors import DataError, UsageError
from nasbench_ws.images.dataset import SPLITS, Images, Split, content_digest, split_digest
from nasbench_ws.images.hdf5 import MAX_BYTES, SCHEMA_VERSION, contents
from nasbench_ws.limits import bytes_of

SHIPPED_FILE = "fashion14-images.h5"
SHIPPED = "dbcfdec3bbbe58ed6d81623381035f2d252bc76256a1626c047a205dbc706b38"  # SHA-256 of data/fashion14-images.h5
REMEDY = "reinstall nasbench-ws, or make the file again with `python -m nasbench_ws.images.prepare`"
BROKEN = (OSError, KeyError, ValueError, RuntimeError, TypeError, AttributeError)  # UsageError is a ValueError


def read_shipped(path: Path, splits: Sequence[str]) -> Images:
    """Read a file that images/prepare.py wrote, and check every split that is read against its digest."""
    if not path.exists():
        raise DataError(f"{path}: no such file; {REMEDY}")
    data = bytes_of(path, DataError, REMEDY, MAX_BYTES)
    try:
        if sha256(data).hexdigest() == SHIPPED:
            found = contents(data, splits)
        else:
            from nasbench_ws.images.apart import contents_apart  # what ships needs no other process

            found = contents_apart(data, splits)
        if found["schema_version"] != SCHEMA_VERSION:
            raise DataError(
                f"{path} has schema {found['schema_version']}, this package reads {SCHEMA_VERSION}; {REMEDY}"
            )
        kept = {split: Split(found[f"{split}_images"], found[f"{split}_labels"].astype(np.int64)) for split in splits}
    except BROKEN as error:
        reason = "" if isinstance(error, UsageError) else f" ({' '.join(str(error).split())})"
        raise DataError(f"{path} is not a whole file of images in HDF5{reason}; {REMEDY}") from error
    digests = {split: found[f"{split}_digest"] for split in SPLITS}
    stated = content_digest(found["classes"], found["mean"], found["std"], digests)
    checks = [("contents have", found["digest"], stated)]
    checks += [(f"{name} images have", digests[name], split_digest(split)) for name, split in kept.items()]
    for what, expected, actual in checks:
        if actual != expected:
            raise DataError(f"{path} is damaged: its {what} SHA-256 {actual}, not {expected}; {REMEDY}")
    return Images("fashion14", found["classes"], found["digest"], found["mean"], found["std"], kept)
