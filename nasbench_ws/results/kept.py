"""What is computed once of a table, and kept in the user's cache: the same for every result measured against it.

    kept("ceilings", table, lambda: ceilings(by_seed), Ceilings)          # computed, or read

A file's name is a digest of all that its content depends on: the table's contents and seeds, the code of this package
that computes, and numpy's and scipy's versions. So nothing kept is ever out of date, and what cannot be read is
computed again. Not here: results, which are the user's own files (results/result.py).
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from nasbench_ws.json_files import write_atomic
from nasbench_ws.results.truth import GroundTruth

T = TypeVar("T")
COMPUTES = ("metrics", "results", "seeds.py")  # files and folders of this package


def kept(what: str, table: GroundTruth, make: Callable[[], T], kind: type[T]) -> T:
    """What `make` computes of the table, or computed before, of a type that msgspec can write.

    A cache that cannot be written is no error: it is computed each time.
    """
    path = place(what, table)
    with suppress(OSError, msgspec.DecodeError):  # msgpack, since JSON has no NaN
        return msgspec.msgpack.decode(path.read_bytes(), type=kind)
    made = make()
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, msgspec.msgpack.encode(made))
    return made


def place(what: str, table: GroundTruth) -> Path:
    """Where that is kept, whether or not it is there."""
    from platformdirs import user_cache_path

    identity = hashlib.sha256("\n".join((what, table.digest, str(table.seeds.tolist()), code())).encode()).hexdigest()
    return user_cache_path("nasbench-ws") / "kept" / f"{what}-{identity[:24]}.msgpack"


@functools.cache
def code() -> str:
    """A digest of what computes: the package's own files, and the versions of numpy and scipy."""
    digest, package = hashlib.sha256(), Path(__file__).parents[1]
    for name in COMPUTES:
        start = package / name
        files = sorted(os.scandir(start), key=lambda entry: entry.name) if start.is_dir() else [start]
        for file in map(Path, files):
            if file.suffix == ".py":
                digest.update(f"{file.name}\n".encode() + file.read_bytes())
    for library in ("numpy", "scipy"):
        with suppress(importlib.metadata.PackageNotFoundError):
            digest.update(f"{library} {importlib.metadata.version(library)}\n".encode())
    return digest.hexdigest()
