"""A table of what others measured, under the same yardstick: schema 2, with what is known and nothing made up.

    content = foreign(space, children, {"valid_accuracy": accuracies}, truth="valid_accuracy", source="where from", ...)
    write_table("theirs.h5", content)

Accuracies are (children, seeds) or (children, seeds, epochs) fractions, NaN where there is no run. Not here: files of
others (nasbench201.py, nasbench_macro.py, csv_file.py and so on, each of which ends in `foreign`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench_ws.errors import TableError
from nasbench_ws.space.cell import Space
from nasbench_ws.space.registry import space_to_dict
from nasbench_ws.tables.columns import CURVES, FORMAT, MISSING, OK, Columns, Content, canonical_json

COUNT_SLACK = 1e-3  # of one image: further off, and an accuracy is no count of that many images


def foreign(
    space: Space,
    children: ArrayLike,
    runs: Mapping[str, NDArray[np.float64]],
    *,
    truth: str,
    source: str,
    images: str = "",
    licence: str = "",
    citation: str = "",
    seeds: Sequence[int] | None = None,
    epochs: Sequence[float] = (1.0,),
    params: ArrayLike | None = None,
    macs: ArrayLike | None = None,
    isomorph: ArrayLike | None = None,
    counted: Mapping[str, int] | None = None,
) -> Content:
    """The content of a table of schema 2.

    Args:
        space: of all children that could be in it.
        children: (n,) indices of those that are, in any order, none twice.
        runs: by column, such as valid_accuracy or seconds: (n, seeds) or (n, seeds, epochs), rows as in `children`.
        truth: the column that is ground truth.
        source: where the numbers come from, in a sentence.
        images: what data set they are of; its name.
        seeds: their numbers; 0, 1, 2 if none are given.
        epochs: the points of the last axis.
        params: (n,) trainable parameters.
        macs: (n,) multiply-adds of one image's forward pass.
        isomorph: (n,) index of the smallest child that computes the same.
        counted: by column, of how many images its accuracies are counts. They are then stored as counts, exactly.

    TableError where an accuracy is none, or no such count.
    """
    indices = np.asarray(children, dtype=np.int64)
    order = np.argsort(indices, kind="stable")
    cubes = {name: np.asarray(values, np.float64)[order] for name, values in runs.items()}
    cubes = {name: cube if cube.ndim == 3 else cube[..., None] for name, cube in cubes.items()}
    seen = np.isfinite(cubes[truth][..., -1])  # (n, seeds)
    counts = dict(counted or {})
    columns: dict[str, NDArray[Any]] = {
        "seeds": np.arange(seen.shape[1], dtype="<i8") if seeds is None else np.array(seeds, "<i8"),
        "epochs": np.array(epochs, "<f8"),
        "name": np.array([space[index].name for index in indices[order].tolist()]).astype("S"),
        "status": np.where(seen, OK, MISSING).astype("<i1"),
    }
    for name, values in (("params", params), ("macs", macs), ("isomorph", isomorph)):
        if values is not None:
            columns[name] = np.asarray(values, "<i8")[order]
    for name in CURVES:
        if name in cubes:
            of = counts.get(name)
            columns[name] = cubes[name] if of is None else _counts(name, cubes[name], of)
            if name == "seconds":
                columns[name] = columns[name].astype("<f4")
    return Content(_attributes(space, truth, source, counts, images, licence, citation), _checked(columns, space))


def _counts(name: str, fractions: NDArray[np.float64], images: int) -> NDArray[np.int32]:
    known = np.where(np.isnan(fractions), 0.0, fractions) * images
    whole = np.round(known)
    worst = np.unravel_index(np.argmax(np.abs(known - whole)), known.shape)
    if abs(known[worst] - whole[worst]) > COUNT_SLACK:
        raise TableError(
            f"the {name} {fractions[worst]:.8g} is no count of {images} images ({known[worst]:.4f}); give the number "
            "of images that it is of, or none"
        )
    return np.where(np.isnan(fractions), -1, whole).astype("<i4")


def _attributes(
    space: Space, truth: str, source: str, counted: Mapping[str, int], images: str, licence: str, citation: str
) -> dict[str, str | int]:
    return {
        "format": FORMAT, "schema_version": 2, "space": canonical_json(space_to_dict(space)), "truth": truth,
        "source": source, "recipe": "", "macro": "", "counted": canonical_json(dict(counted)), "images": images,
        "images_digest": "", "environments": "[]", "licence": licence, "citation": citation,
    }  # fmt: skip


def _checked(columns: Columns, space: Space) -> Columns:
    """Accuracies that are in percent, or none, are named here: later only their place would be."""
    for name in CURVES:
        values = columns.get(name)
        if values is None or not name.endswith("_accuracy") or values.dtype.kind == "i":
            continue
        wrong = np.argwhere((values < 0) | (values > 1) | np.isinf(values))
        if len(wrong):
            row, value = wrong[0][0], values[tuple(wrong[0])]
            child = columns["name"][row].decode()
            hint = "; it looks like percent: divide by 100" if 1 < value <= 100 else ""
            raise TableError(f"the {name} of {child} is {value:g}; it must be a fraction from 0 to 1{hint}")
    return columns
