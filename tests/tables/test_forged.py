"""Tables that are whole as files and wrong in what they say: our errors, in little time."""

from __future__ import annotations

import itertools
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from forged import written

from nasbench_ws.errors import TableError
from nasbench_ws.space.cell import Space
from nasbench_ws.tables.columns import Content, canonical_json
from nasbench_ws.tables.form import identity_problems
from nasbench_ws.tables.table import load, verify, write_table

ODD: tuple[Any, ...] = (
    10**6, 10**30, -1, 0.5, "x", None, [], [1], [10**9], {"a": 1}, float("inf"), True, 1e308, "\ud800",
)  # fmt: skip


MERGE = "make it again with `nasbench-ws merge` from its runs, or fetch it again"
SLOW = [pytest.param(part, marks=pytest.mark.slow) for part in ("macro", "recipe")]  # CI runs them


@pytest.mark.parametrize("part", [*SLOW, "space"])
def test_odd_values_in_what_a_table_says_of_itself_are_our_errors(tiny: Any, tmp_path: Path, part: str) -> None:
    """Every key of every part, with every odd value: refused, found wrong, or sound; in little time."""
    content, path, counts = tiny.table.content, tmp_path / "odd.h5", Counter()
    known = json.loads(str(content.attributes[part]))
    for key, value in itertools.product(known, ODD):
        attributes = {**content.attributes, part: json.dumps({**known, key: value})}
        path.write_bytes(written(Content(attributes, content.columns)))
        started = time.perf_counter()
        said = ""
        try:
            counts["wrong" if verify(path) else "sound"] += 1
        except TableError as error:
            said = str(error)
            counts["refused"] += 1
        assert not said or (str(path) in said and "checking it raised" not in said), (key, value)
        assert time.perf_counter() - started < 10, (key, value)
    assert counts["refused"] + counts["wrong"] > 8 * len(known)


def test_equal_hashes_are_found_in_a_moment() -> None:
    space = Space("many", 4, ("max_pool_3x3", "sep_conv_3x3", "sep_conv_5x5"))  # 59,049 children
    hashes = np.arange(len(space)).astype("S16")
    hashes[-9:] = hashes[-1]
    started = time.perf_counter()
    cell = canonical_json({"name": space.name, "nodes": space.nodes, "operations": list(space.operations)})
    (found,) = identity_problems(Content({"schema_version": 1, "space": cell}, {"hash": hashes}))
    assert time.perf_counter() - started < 1
    assert found == (
        "its hash 59048 stands in more than one row: [59040, 59041, 59042, 59043, 59044, 59045, 59046, 59047] and 1 "
        "more"
    )


FORGED: dict[str, tuple[Any, str]] = {
    "test_accuracy": (-np.inf, "its test_accuracy of 112 with seed 1 at epoch 1 is -inf; it must be in [0, 1], or NaN"),
    "valid_accuracy": (np.nan, "its valid_accuracy of 112 with seed 1 at epoch 1 is NaN, and the run's status is ok"),
    "seconds": (-1.0, "its seconds of 112 with seed 1 at epoch 1 is -1.0; it must be finite and at least 0, or NaN"),
    "status": (9, "its status of 112 with seed 1 is 9; it must be 0 to 5"),
    "environment": (7, "its environment must be -1 where a run is missing, else below 1"),
    "macs": (-5, "its macs of 112 is -5, and must be 0 or more"),
    "epochs": (np.inf, "its epochs are [0.5, inf]; they must rise, from 0 or more"),
    "seeds": (0, "its seeds are [0, 0, 2]; they must rise, from 0 or more"),
}


@pytest.mark.parametrize("name", FORGED)
def test_values_that_cannot_be_are_met_when_a_table_is_opened(tiny: Any, tmp_path: Path, name: str) -> None:
    """Not by `verify` alone: a query would print an infinity as JSON, and a figure end in a traceback."""
    value, said = FORGED[name]
    columns = dict(tiny.table.content.columns)
    columns[name] = columns[name].copy()
    columns[name][(1, 1, 1)[: columns[name].ndim]] = value
    path = tmp_path / "forged.h5"
    path.write_bytes(written(Content(tiny.table.content.attributes, columns)))
    with pytest.raises(TableError) as caught:
        load(path)
    assert str(caught.value) == f"{path} is not a table to use: {said}; {MERGE}"


ENVIRONMENTS = (
    '[{"versions": true, "device": "x"}]', '[{"versions": {"a": 1}, "device": "x"}]', '[{"versions": {}}]', "[1]",
)  # fmt: skip


@pytest.mark.parametrize("text", ENVIRONMENTS)
def test_machines_that_are_none_are_met_when_a_table_is_opened(tiny: Any, tmp_path: Path, text: str) -> None:
    path = tmp_path / "forged.h5"
    content = tiny.table.content
    path.write_bytes(written(Content({**content.attributes, "environments": text}, content.columns)))
    with pytest.raises(TableError) as caught:
        load(path)
    assert str(caught.value) == (
        f"{path} has environments {text}, which is invalid: each is an object of versions, which are texts by library, "
        f"and a device, a text; {MERGE}"
    )


def test_a_table_of_own_runs_says_where_they_were_made(tiny: Any, tmp_path: Path) -> None:
    """In schema 2, where a table of others has no such column: `merge` looked for it and raised a KeyError."""
    content, path = tiny.table.content, tmp_path / "two.h5"
    attributes = {**content.attributes, "schema_version": 2, "truth": "test_accuracy", "source": "", "counted": "{}"}
    columns = {name: column for name, column in content.columns.items() if name != "environment"}
    path.write_bytes(written(Content(attributes, columns)))
    with pytest.raises(TableError) as caught:
        load(path)
    said = "it has a recipe, as one of own runs has, and no environment, which says on what machine each was made"
    assert str(caught.value) == f"{path} is not a table to use: {said}; {MERGE}"


def test_a_table_is_read_from_the_bytes_that_were_checked(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another file under the same name, put there between the check and the reading, is not what is read."""
    path = tmp_path / "t.h5"
    write_table(path, tiny.table.content)
    opened = h5py.h5f.open_file_image

    def swapped(image: bytes) -> Any:
        path.write_bytes(b"something else")
        return opened(image)

    monkeypatch.setattr(h5py.h5f, "open_file_image", swapped)
    assert load(path).digest == tiny.table.digest
