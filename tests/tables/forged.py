"""Tables that are whole as files and wrong in what they say: seal and digest fit, as of somebody who means it.

path.write_bytes(forged(content, seed))
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np

from nasbench_ws.tables.columns import ATTRIBUTES, COLUMNS, DIGEST_RULE, Content, attributes_of
from nasbench_ws.tables.file import column_attributes, describe, sealed

NUMBERS = (0, -1, 1, 2**31, 2**62, -(2**62), 1e308, 1e400, -0.0, 10**6, 10**30, 0.5, float("nan"))
TEXTS = ("", "x", "\x1b[31mred\x1b[0m", "$\\frac$", "deeper64", "folder:..", "a" * 3000, "\u202e\u2028", "max_pool_3x3")
VALUES: tuple[Any, ...] = (None, True, False, [], {}, [[]], {"a": 1}, ["x"], [1, 2, 3], *NUMBERS, *TEXTS)


def _replaced(data: Any, rng: random.Random) -> Any:
    """The object with one value anywhere in it replaced, taken out or added."""
    if not isinstance(data, dict | list) or not data or rng.random() < 0.1:
        return rng.choice(VALUES)
    if isinstance(data, list):
        place = rng.randrange(len(data))
        kept = [] if rng.random() < 0.2 else [_replaced(data[place], rng)] * (1 + (rng.random() < 0.1))
        return [*data[:place], *kept, *data[place + 1 :]]
    key = rng.choice(sorted(data))
    if rng.random() < 0.15:
        return {name: value for name, value in data.items() if name != key}
    if rng.random() < 0.1:
        return {**data, rng.choice(["x", "cells", "epochs"]): rng.choice(VALUES)}
    return {**data, key: _replaced(data[key], rng)}


def _text(text: str, rng: random.Random) -> str:
    """One root attribute, wrong."""
    if rng.random() < 0.75:
        try:
            return json.dumps(_replaced(json.loads(text), rng))
        except ValueError:
            pass
    return rng.choice([*TEXTS, "{", "[" * 5000, "null", "1e999", "NaN", text[:-1], text + text, text.replace("1", "9")])


def _column(column: np.ndarray[Any, Any], rng: random.Random) -> np.ndarray[Any, Any]:
    """One column, wrong in a value, many, its shape or its type."""
    way, found = rng.randrange(8), column.copy()
    place = tuple(rng.randrange(n) for n in found.shape)
    if way <= 3:
        if found.dtype.kind == "S":
            new: Any = rng.choice([b"", b"\xff\xfe", b"1" * found.itemsize, found.flat[0], found.flat[-1]])
        elif found.dtype.kind == "f":
            new = rng.choice([np.nan, np.inf, -np.inf, -1.0, 2.0, 1e308, 5e-324, 0.5])
        else:
            new = rng.choice([np.iinfo(found.dtype).min, np.iinfo(found.dtype).max, -1, 0, 1, 4, 100])
        if way == 0:
            found[:] = new
        else:
            found[place if way > 1 else place[0]] = new
    elif way == 4:
        found = np.roll(found, 1, axis=rng.randrange(found.ndim))
    elif way == 5:
        axis = rng.randrange(found.ndim)
        found = np.take(found, range(rng.choice([0, 1, found.shape[axis] - 1])), axis=axis)
    elif way == 6:
        found = found.astype(rng.choice(["<f4", "<i4", "S3", "<f8", "<i8", ">f8", "<u1", "?"]))
    else:
        found = found[..., None] if rng.random() < 0.5 else found.reshape(-1)
    return found


def forged(content: Content, seed: int) -> bytes:
    """A table's file with up to three things wrong, under a digest and a seal that fit."""
    rng = random.Random(seed)
    attributes: dict[str, Any] = dict(content.attributes)
    columns = dict(content.columns)
    for _ in range(rng.randint(1, 3)):
        if rng.random() < 0.5:
            key = rng.choice([key for key in ATTRIBUTES if key not in ("format", "schema_version")])
            attributes[key] = _text(str(attributes[key]), rng)
        else:
            name = rng.choice(sorted(columns))
            try:
                columns[name] = _column(columns[name], rng)
            except (ValueError, OverflowError, IndexError):  # a type that takes no such value
                continue
    units = {name: rng.choice(TEXTS) for name in COLUMNS if rng.random() < 0.05}
    return written(Content(attributes, columns), units)


def written(content: Content, units: Mapping[str, str] | None = None) -> bytes:
    """The file of a table as it is, sound or not."""
    with h5py.File("memory", "w", driver="core", backing_store=False, libver="v110") as file:
        of_root = {key: content.attributes[key] for key in attributes_of(content.version)}
        describe(file, of_root | {"digest": content.digest, "digest_rule": DIGEST_RULE})
        for name in (name for name in COLUMNS if name in content.columns):
            described = column_attributes(name)
            if units and name in units:
                described["units"] = units[name]
            describe(file.create_dataset(name, data=content.columns[name]), described)
        file.flush()
        return sealed(file.id.get_file_image())
