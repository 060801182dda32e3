"""A table's file: HDF5 that plain h5py reads, written whole or not at all, and trusted only when checked.

Not here: what the columns mean (schema.py), and questions (table.py).

    write_table("my.h5", content)
    read_table("my.h5").columns["test_accuracy"]      # (children, seeds, epochs), every byte under the digest
    verify("my.h5")                                   # [], or everything that is wrong with it

Without this package: `h5py.File("my.h5")["test_accuracy"][()]`. The datasets are contiguous: at 64 children,
10 seeds and 30 epochs, gzip saves 16 % of the bytes (accuracies and losses are noise in their last digits) and
doubles the time to load. HDF5 never touches the disk on writing: a disk that fills up cannot break its file.

No torch here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from nasbench_ws.errors import NasbenchError, TableError
from nasbench_ws.runs import write_atomic
from nasbench_ws.schema import (
    ATTRIBUTES,
    COLUMNS,
    DIGEST_RULE,
    FORMAT,
    SCHEMA_VERSION,
    STATUSES,
    Content,
    form_problems,
    identity_problems,
    problems,
)

MAX_BYTES = 2**31  # of all columns: room for 2**20 children with 30 points each
MAGIC = b"\x89HDF\r\n\x1a\n"
REMEDY = "make it again with `nasbench-ws merge` from its runs, or fetch it again"


def write_table(path: str | Path, content: Content) -> None:
    """Write a table, in the stead of one that is there. TableError where the content cannot be; OutputError."""
    found = problems(content)
    if found:
        raise TableError(f"{path} was not written, for the table is wrong: {'; '.join(found)}")
    with h5py.File("memory", "w", driver="core", backing_store=False, libver="v110") as file:
        file.attrs.update(content.attributes)
        file.attrs.update({"digest": content.digest, "digest_rule": DIGEST_RULE})
        for name in COLUMNS:
            dataset = file.create_dataset(name, data=content.columns[name])
            dataset.attrs.update(_column_attributes(name))
        file.flush()
        image = file.id.get_file_image()
    write_atomic(Path(path), image)


def _column_attributes(name: str) -> dict[str, Any]:
    column = COLUMNS[name]
    attributes: dict[str, Any] = {"units": column.units, "axes": list(column.axes), "meaning": column.meaning}
    return attributes | ({"codes": list(STATUSES)} if name == "status" else {})


def read_table(path: str | Path) -> Content:
    """The table in a file: its form, its digest and its rows' identities checked. TableError says what is wrong."""
    path = Path(path)
    _check_file(path)
    try:
        with h5py.File(path, "r", locking=False) as file:  # a lock would fail on a folder that is read-only
            content, stated = _content(path, file)
    except NasbenchError:
        raise
    except Exception as error:  # libhdf5 raises nearly any kind when it meets broken bytes
        raise TableError(f"{path} is damaged or cut short ({' '.join(str(error).split())}); {REMEDY}") from error
    if stated != content.digest:
        raise TableError(
            f"{path} is damaged: its contents have SHA-256 {content.digest}, and it states {stated}; {REMEDY}"
        )
    for problem in identity_problems(content.space, content.columns):
        raise TableError(f"{path} is not a table to use: {problem}; {REMEDY}")
    return content


def verify(path: str | Path) -> list[str]:
    """What is wrong with a table that can be read, a line each; TableError where it cannot."""
    content = read_table(path)
    found = problems(content)
    with h5py.File(path, "r", locking=False) as file:
        for name in COLUMNS:
            there = {key: value.tolist() if isinstance(value, np.ndarray) else value
                     for key, value in file[name].attrs.items()}  # fmt: skip
            if there != _column_attributes(name):
                found.append(f"its {name} has attributes {there}; they must be {_column_attributes(name)}")
    return found


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise TableError(f"{path} is a folder; name a table's file, or make one of a folder of runs with `merge`")
    try:
        with path.open("rb") as file:
            magic = file.read(len(MAGIC))
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror or error}; name the file of a table") from error
    if magic != MAGIC:
        raise TableError(f"{path} is not an HDF5 file; name the file of a table, such as `merge` writes")


def _content(path: Path, file: h5py.File) -> tuple[Content, str]:
    """The content and the digest it states. No dataset is read before all of them have passed."""
    if "format" not in file.attrs or _attribute(path, file, "format") != FORMAT:
        raise TableError(f"{path} is HDF5, but not a table of nasbench-ws; name one that `merge` wrote")
    version = file.attrs["schema_version"]
    if version != SCHEMA_VERSION:
        newer = "upgrade nasbench-ws to read it" if version > SCHEMA_VERSION else REMEDY
        raise TableError(f"{path} has schema {version}, this package reads {SCHEMA_VERSION}; {newer}")
    texts = {key: _attribute(path, file, key) for key in (*ATTRIBUTES, "digest") if key != "schema_version"}
    stated = texts.pop("digest")
    columns: dict[str, NDArray[Any]] = {}
    content = Content({**texts, "schema_version": SCHEMA_VERSION}, columns)
    for part in ("recipe", "space", "macro", "environments"):
        try:
            getattr(content, part)
        except (KeyError, ValueError, TypeError, AttributeError) as error:  # UsageError is a ValueError
            raise TableError(f"{path} has a {part} that cannot be ({error}): {texts[part][:80]}; {REMEDY}") from error
    for problem in _storage_problems(file):
        raise TableError(f"{path} is not a table to open: {problem}; {REMEDY}")
    datasets = dict(file)
    for problem in form_problems(content.space, datasets):
        raise TableError(f"{path} is not a table of schema {SCHEMA_VERSION}: {problem}; {REMEDY}")
    for name, dataset in datasets.items():
        columns[name] = dataset[()]
        columns[name].flags.writeable = False
    return content, stated


def _storage_problems(file: h5py.File) -> Iterator[str]:
    """Anything that could read another file, or ask for more memory than a table can need."""
    size = 0
    for name in file:
        link = file.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            yield f"its {name} is a {type(link).__name__}, which leads elsewhere"
            return
        dataset = file[name]
        if not isinstance(dataset, h5py.Dataset):
            yield f"its {name} is a {type(dataset).__name__}, not a dataset"
            return
        if dataset.is_virtual or dataset.external:
            yield f"its {name} keeps its numbers in other files"
        chunk = int(np.prod(dataset.chunks or (0,), dtype=object)) * dataset.dtype.itemsize
        size += max(chunk, int(np.prod(dataset.shape or (0,), dtype=object)) * dataset.dtype.itemsize)
    if size > MAX_BYTES:
        yield f"it says it holds {size:,} bytes, more than the {MAX_BYTES:,} that are read"


def _attribute(path: Path, file: h5py.File, name: str) -> str:
    value = file.attrs.get(name)
    if not isinstance(value, str):
        raise TableError(f"{path} has no text in its root attribute {name}; {REMEDY}")
    return value
