"""What is computed once of a table, and kept: with this package for tables that ship, else in the user's cache.

    kept(identity, lambda: measure_table(table), Yardstick)          # read, or computed and kept

The identity is a digest of all numbers that it is computed of; a file of the cache also names, by a digest, the code
that computes and the versions of numpy and scipy. So nothing kept is out of date, and what is broken is computed again.
What ships was computed by `benchmarks/keep_yardsticks.py`, and a test computes it again. Not here: results, which are
the user's own files (results/result.py).
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.metadata
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from nasbench_ws.errors import NasbenchError
from nasbench_ws.json_files import cache_folder, read_record, without_nan, write_record

T = TypeVar("T")
FORMAT = "nasbench-ws yardsticks"
SHIPPED = "yardsticks.json"  # in data/: by identity
COMPUTES = ("metrics", "results", "seeds.py")  # files and folders of this package


def kept(identity: str, make: Callable[[], T], kind: type[T]) -> T:
    """What `make` computes, or computed before: a dataclass that msgspec reads, whose numbers are finite or NaN.

    A cache that cannot be read or written is no error: it is computed each time.
    """
    found = _read(shipped(), identity, kind)
    if found is not None:
        return found
    path = place(identity)
    found = _read(path, identity, kind)
    if found is not None:
        return found
    made = make()
    data = as_json(made)
    if repr(msgspec.convert(data, kind)) == repr(made):  # what would be read is what was computed
        with suppress(NasbenchError, OSError):
            write_record(path, FORMAT, {identity: data})
    return made


def as_json(made: Any) -> Any:
    """As files hold it: null for NaN."""
    return without_nan(msgspec.to_builtins(made))


def _read(path: Path | None, identity: str, kind: type[T]) -> T | None:
    """None where that file has it not, or not whole."""
    if path is None or not path.exists():
        return None
    try:
        return msgspec.convert(read_record(path, FORMAT)[identity], kind)
    except (NasbenchError, KeyError, msgspec.ValidationError, OSError):
        return None


@functools.cache
def shipped() -> Path | None:
    """The file that ships, where the package has it."""
    folders = importlib.import_module("nasbench_ws.data").__path__
    return next((Path(folder) / SHIPPED for folder in folders if (Path(folder) / SHIPPED).is_file()), None)


def place(identity: str) -> Path:
    """Where that is kept, whether or not it is there."""
    name = hashlib.sha256(f"{identity} {code()}".encode()).hexdigest()[:24]
    return cache_folder() / "yardsticks" / f"{name}.json"


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
