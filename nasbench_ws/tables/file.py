"""A table's file: HDF5 that plain h5py reads, written whole or not at all, and trusted only when checked.

Not here: what the columns mean (tables/columns.py), and questions (tables/table.py).

    write_table("my.h5", content)
    read_table("my.h5").columns["test_accuracy"]      # (children, seeds, epochs), every byte under the digest
    verify("my.h5")                                   # [], or everything that is wrong with it

Without this package: `h5py.File("my.h5")["test_accuracy"][()]`; attributes that are texts come as UTF-8 bytes. The
datasets of schema 1 are contiguous: at 64 children, 10 seeds and 30 epochs, gzip saves 16 % of the bytes (accuracies
and losses are noise in their last digits) and doubles the time to load. Those of schema 2 are packed, since counts of
images and names of thousands of children shrink to a fifth. HDF5 never touches the disk on writing: a disk that
fills up cannot break its file.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from nasbench_ws.errors import NasbenchError, TableError
from nasbench_ws.space.operations import OPERATIONS
from nasbench_ws.tables.columns import (
    COLUMNS_2,
    DIGEST_RULE,
    FORMAT,
    REMEDY,
    SCHEMA_VERSIONS,
    STATUSES,
    Content,
    attributes_of,
    columns_of,
)
from nasbench_ws.tables.form import Form, form_problems, identity_problems
from nasbench_ws.tables.values import value_problems

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_BYTES = 2**31  # of all columns: room for 2**20 children with 30 points each
MAX_TEXT = 2**26  # bytes of one attribute
FIRST_CODES = 4  # statuses of the first tables; further ones are added behind
SEAL = b"nasbench-ws table\nsha256 of all bytes from 512 on: "
BLOCK = 512  # bytes before those of HDF5, which looks for its own at 0, 512, 1024, ...
MAGIC = b"\x89HDF\r\n\x1a\n"


def write_table(path: str | Path, content: Content) -> None:
    """Write a table, in the stead of one that is there. TableError where the content is invalid; OutputError."""
    from nasbench_ws.json_files import write_atomic  # reading, which every question waits for, needs neither
    from nasbench_ws.tables.checks import problems

    found = problems(content)
    if found:
        raise TableError(f"{path} was not written, for the table is wrong: {'; '.join(found)}")
    with h5py.File("memory", "w", driver="core", backing_store=False, libver="v110") as file:
        of_root = {key: content.attributes[key] for key in attributes_of(content.version)}  # in this order: equal bytes
        describe(file, of_root | {"digest": content.digest, "digest_rule": DIGEST_RULE})
        for name in columns_of(content.version):
            if name in content.columns:
                column = content.columns[name]
                packed: dict[str, Any] = {} if content.version == 1 else {
                    "chunks": column.shape, "shuffle": True, "compression": "gzip", "compression_opts": 9,
                }  # fmt: skip
                describe(file.create_dataset(name, data=column, **packed), column_attributes(name))
        file.flush()
        image = file.id.get_file_image()
    write_atomic(Path(path), sealed(image))


def sealed(image: bytes) -> bytes:
    """An HDF5 file's bytes behind a block that says what they are, and their digest. HDF5 passes over it."""
    return _seal(image) + image


def _seal(image: bytes | memoryview) -> bytes:
    digest: str = sha256(image).hexdigest()
    return (SEAL + digest.encode() + b"\n").ljust(BLOCK, b"\0")


def describe(owner: Any, attributes: Mapping[str, str | int | list[str]]) -> None:
    """Texts are stored at their length: those of variable length lie on a heap, and on a broken one libhdf5 may
    walk for ever."""
    for key, value in attributes.items():
        if isinstance(value, int):
            owner.attrs[key] = value
        else:
            encoded = np.array(value.encode() if isinstance(value, str) else [text.encode() for text in value])
            owner.attrs.create(key, encoded, dtype=h5py.string_dtype("utf-8", max(1, encoded.itemsize)))


def _attribute(owner: Any, name: str) -> Any:
    """A text, a number or a list of texts; None where there is none, or nothing that could be read safely."""
    if not h5py.h5a.exists(owner, name.encode()):
        return None
    attribute = h5py.h5a.open(owner, name.encode())
    kind, shape = attribute.get_type(), attribute.shape
    text = isinstance(kind, h5py.h5t.TypeStringID) and not kind.is_variable_str()
    if not (text or isinstance(kind, h5py.h5t.TypeIntegerID)) or math.prod(shape) * kind.get_size() > MAX_TEXT:
        return None
    there = np.empty(shape, attribute.dtype)
    attribute.read(there)
    value = there.tolist()
    if not text:
        return value
    return [item.decode() for item in value] if isinstance(value, list) else value.decode()


def column_attributes(name: str) -> dict[str, Any]:
    column = COLUMNS_2[name]
    attributes: dict[str, Any] = {"units": column.units, "axes": list(column.axes), "meaning": column.meaning}
    return attributes | ({"codes": list(STATUSES)} if name == "status" else {})


def read_table(path: str | Path) -> Content:
    """The table in a file: form, digest, children and values checked. TableError says what is wrong.

    Not asked: whether parameters and multiply-adds are those of the children, which takes a network of each (`verify`).
    """
    content = _read(Path(path))[0]
    try:
        for problem in value_problems(content):
            raise TableError(f"{path} is not a table to use: {problem}; {REMEDY}")
    except (ValueError, LookupError, ArithmeticError) as error:  # texts of the root that only the values ask for
        raise TableError(f"{path} is not a table to use: {error}; {REMEDY}") from error
    return content


def verify(path: str | Path) -> list[str]:
    """What is wrong with a table that can be read, a line each; TableError where it cannot."""
    from nasbench_ws.tables.checks import problems

    content, attributes = _read(Path(path), described=True)
    try:
        found = problems(content)
    except TableError:
        raise
    except NasbenchError as error:
        if any(operation not in OPERATIONS for operation in content.space.operations):  # it may well be sound
            raise TableError(f"{path} was not checked: {error}") from error
        raise TableError(f"{path} is not a table to use: {error}; {REMEDY}") from error
    except Exception as error:  # values that no check thought of
        raise TableError(f"{path} is not a table to use: checking it raised {error!r}; {REMEDY}") from error
    for name in content.columns:
        expected, there = column_attributes(name), attributes[name]
        if "codes" in expected and isinstance(there["codes"], list) and len(there["codes"]) >= FIRST_CODES:
            expected["codes"] = expected["codes"][: len(there["codes"])]  # older tables have fewer
        if there != expected:
            found.append(f"its {name} has attributes {there}; they must be {expected}")
    return found


def _read(path: Path, described: bool = False) -> tuple[Content, dict[str, dict[str, Any]]]:
    """The content, and (with `described`) the attributes of each column, of the very bytes whose seal was checked."""
    image = _unsealed(path)
    try:
        with h5py.File(h5py.h5f.open_file_image(image)) as file:
            content, stated = _content(path, file)
            attributes = {
                name: {key: _attribute(file[name].id, key) for key in column_attributes(name)}
                for name in (content.columns if described else ())
            }
    except NasbenchError:
        raise
    except Exception as error:  # libhdf5 raises nearly any kind when it meets broken bytes
        raise TableError(f"{path} is damaged or cut short ({' '.join(str(error).split())}); {REMEDY}") from error
    if stated != content.digest:
        raise TableError(
            f"{path} is damaged: its contents have SHA-256 {content.digest}, and it states {stated}; {REMEDY}"
        )
    for problem in identity_problems(content):
        raise TableError(f"{path} is not a table to use: {problem}; {REMEDY}")
    return content, attributes


def _unsealed(path: Path) -> bytes:
    """HDF5's part of a file, once its seal fits: on a broken one HDF5's library may run for ever, or crash."""
    if os.path.isdir(path):  # Path's own raises for a name that is too long
        raise TableError(f"{path} is a folder; name a table's file, or make one of a folder of runs with `merge`")
    from nasbench_ws.limits import bytes_of

    data = bytes_of(path, TableError, "name the file of a table", MAX_BYTES)
    if not data.startswith(SEAL):
        what = "HDF5, but not a table of nasbench-ws" if data.startswith(MAGIC) else "not a table of nasbench-ws"
        raise TableError(f"{path} is {what}; name a file that `merge` wrote")
    if data[:BLOCK] != _seal(memoryview(data)[BLOCK:]):
        raise TableError(f"{path} is damaged or cut short: its bytes have another digest than it states; {REMEDY}")
    return data[BLOCK:]


def _content(path: Path, file: h5py.File) -> tuple[Content, str]:
    """The content and the digest it states. No dataset is read before all of them have passed."""
    if _attribute(file.id, "format") != FORMAT:
        raise TableError(f"{path} is HDF5, but not a table of nasbench-ws; name one that `merge` wrote")
    version = _attribute(file.id, "schema_version")
    if version not in SCHEMA_VERSIONS:
        newer = "upgrade nasbench-ws to read it" if version > SCHEMA_VERSIONS[-1] else REMEDY
        read = " and ".join(map(str, SCHEMA_VERSIONS))
        raise TableError(f"{path} has schema {version}, this package reads {read}; {newer}")
    texts = {key: _attribute(file.id, key) for key in (*attributes_of(version), "digest") if key != "schema_version"}
    for key, text in texts.items():
        if not isinstance(text, str):
            raise TableError(f"{path} has no text in its root attribute {key}; {REMEDY}")
    stated = str(texts.pop("digest"))
    columns: dict[str, NDArray[Any]] = {}
    content = Content({**texts, "schema_version": version}, columns, str(path))
    datasets = {name: _dataset(path, file, name) for name in file}
    forms = {name: Form(dataset.shape, dataset.dtype) for name, dataset in datasets.items()}
    for problem in form_problems(content, forms):
        raise TableError(f"{path} is not a table of schema {version}: {problem}; {REMEDY}")
    size = sum(math.prod(form.shape) * form.dtype.itemsize for form in forms.values())
    if size > MAX_BYTES:
        raise TableError(f"{path} says it holds {size:,} bytes, more than the {MAX_BYTES:,} that are read; {REMEDY}")
    for name, form in forms.items():
        columns[name] = np.empty(form.shape, form.dtype)
        datasets[name].read(h5py.h5s.ALL, h5py.h5s.ALL, columns[name])
        columns[name].flags.writeable = False
    return content, stated


def _dataset(path: Path, file: h5py.File, name: str) -> h5py.h5d.DatasetID:
    """A dataset that is in this file, and nowhere else. Low-level: half the time of all of `load`."""
    link, kind = file.id.links.get_info(name.encode()).type, "a link"
    if link == h5py.h5l.TYPE_HARD:
        dataset, kind = h5py.h5o.open(file.id, name.encode()), "a group"
        if isinstance(dataset, h5py.h5d.DatasetID):
            plist = dataset.get_create_plist()
            layout = plist.get_layout()
            if layout == h5py.h5d.VIRTUAL or plist.get_external_count():
                kind = "a window on other files"
            elif layout == h5py.h5d.CHUNKED and math.prod(plist.get_chunk()) * dataset.dtype.itemsize > MAX_BYTES:
                kind = f"in chunks of {plist.get_chunk()}"
            else:
                return dataset
    raise TableError(f"{path} is not a table to open: its {name} is {kind}, not a dataset of this file; {REMEDY}")
