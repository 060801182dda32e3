"""Tables: the same numbers out as went in, by every name, and no broken file taken for a table."""

from __future__ import annotations

import errno
import fcntl
import json
import math
import os
import pickle
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nasbench_ws.errors import ArchitectureError, OutputError, TableError, UsageError
from nasbench_ws.recipe import Recipe
from nasbench_ws.space.child import child_network, mac_count, parameter_count
from nasbench_ws.space.macro import build_macro
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.tables import table as table_module
from nasbench_ws.tables.checks import blank_columns, problems, root_attributes
from nasbench_ws.tables.columns import COLUMNS, CURVES, METRICS, STATUSES, Content
from nasbench_ws.tables.file import BLOCK, read_table, sealed, write_table
from nasbench_ws.tables.merge import extract_runs, gather, merge
from nasbench_ws.tables.run import RunRecord, run_path, write_run
from nasbench_ws.tables.table import Table, load, shipped, verify

SEEDS, EPOCHS = (0, 1, 4), (0.5, 1.0, 2.0)
REMEDY = "make it again with `nasbench-ws merge` from its runs, or fetch it again"
MACRO = build_macro(Recipe(), 14, 14, 1, 10)
NAN = math.nan


def content(seed: int = 0, **changes: Any) -> Content:
    """A table of random numbers with every run."""
    rng = np.random.default_rng(seed)
    columns = blank_columns(DEEPER64, MACRO, SEEDS, EPOCHS)
    for name in CURVES:
        columns[name][:] = rng.random(columns[name].shape)
    columns["status"][:] = 0
    columns["environment"][:] = 0
    columns |= changes
    environments = [{"versions": {"python": "3.11.7"}, "device": "one thread of a test"}]
    return Content(root_attributes(Recipe(), DEEPER64, MACRO, "d" * 64, environments, "MIT", "cite me"), columns)


def edited(edit: Callable[[dict[str, Any]], object], seed: int = 0) -> Content:
    made = content(seed)
    edit(made.columns)  # type: ignore[arg-type]
    return made


def partial() -> Content:
    """Child 112 lacks seed 4, 113 diverged with seed 0, and the run of 114 with seed 1 failed."""

    def edit(columns: dict[str, Any]) -> None:
        for place, status in (((1, 2), 3), ((2, 0), 1), ((3, 1), 2)):
            columns["status"][place] = status
            for name in CURVES:
                columns[name][place][1 if status == 1 else 0 :] = NAN
        columns["seconds"][2, 0] = (1.0, 2.0, 2.0)
        columns["environment"][1, 2] = -1

    return edited(edit)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "my.h5"
    write_table(path, content())
    return path


@pytest.fixture(scope="module")
def table(path: Path) -> Table:
    return load(path)


def refused(kind: type[Exception], action: Callable[[], object]) -> str:
    with pytest.raises(kind) as caught:
        action()
    return str(caught.value)


# -- the file -------------------------------------------------------------------------------------


def test_what_was_written_is_read(path: Path) -> None:
    there, written = read_table(path), content()
    assert there.attributes == written.attributes
    assert there.columns.keys() == COLUMNS.keys()
    for name, column in written.columns.items():
        assert there.columns[name].dtype == column.dtype
        assert there.columns[name].tobytes() == column.tobytes()
        assert not there.columns[name].flags.writeable
    assert there.digest == written.digest
    assert verify(path) == []
    assert load(path).content.macro == MACRO


def test_equal_content_gives_equal_bytes(path: Path, tmp_path: Path) -> None:
    write_table(tmp_path / "again.h5", read_table(path))
    assert (tmp_path / "again.h5").read_bytes() == path.read_bytes()
    assert content(1).digest != content(0).digest


def test_plain_h5py_reads_it_and_learns_what_it_means(path: Path) -> None:
    with h5py.File(path) as file:
        assert file["hash"][7] == b"242129d7f03546ee"
        assert file["test_accuracy"].shape == (64, 3, 3)
        assert file["test_accuracy"].attrs["units"] == b"fraction"
        assert list(file["test_accuracy"].attrs["axes"]) == [b"architecture", b"seed", b"epoch"]
        assert [code.decode() for code in file["status"].attrs["codes"]] == list(STATUSES)
        assert all(dataset.attrs["units"] and dataset.attrs["meaning"] for dataset in file.values())
        assert file.attrs["schema_version"] == 1
        assert Recipe.from_dict(json.loads(file.attrs["recipe"])) == Recipe()
        assert json.loads(file.attrs["space"]) == {
            "name": "deeper64", "nodes": 2, "operations": list(DEEPER64.operations),
        }  # fmt: skip
        assert json.loads(file.attrs["environments"])[0]["device"] == "one thread of a test"
        assert (file.attrs["images"], file.attrs["images_digest"]) == (Recipe().images.encode(), b"d" * 64)
        assert (file.attrs["licence"], file.attrs["citation"]) == (b"MIT", b"cite me")


def test_the_digest_rule_as_the_file_states_it(path: Path) -> None:
    """Spelt out here, from plain h5py: whoever reads the rule can check the file."""
    import hashlib

    with h5py.File(path) as file:
        root = {key: value.decode() if isinstance(value, bytes) else int(value) for key, value in file.attrs.items()}
        stated = root.pop("digest")
        del root["digest_rule"]
        sha = hashlib.sha256(json.dumps(root, sort_keys=True, separators=(",", ":")).encode())
        for name in sorted(file):
            array = file[name][()]
            sha.update(f"{name} {'x'.join(map(str, array.shape))} {array.dtype.str}\n".encode() + array.tobytes())
    assert sha.hexdigest() == stated


def test_a_recipe_with_fewer_keys_keeps_its_digest(tmp_path: Path) -> None:
    """As a table written before a key with a default was added."""
    older = Recipe().to_dict()
    del older["shift"]
    made = content()
    attributes = {**made.attributes, "recipe": json.dumps(older)}
    write_table(tmp_path / "t.h5", Content(attributes, made.columns))
    assert load(tmp_path / "t.h5").recipe == Recipe()
    assert verify(tmp_path / "t.h5") == []


@pytest.mark.skipif(sys.platform == "win32", reason="flock is POSIX")
def test_a_lock_does_not_hinder(path: Path) -> None:
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert len(load(path)) == 64


def test_reading_leaves_no_file_open(tmp_path: Path) -> None:
    write_table(tmp_path / "t.h5", content())
    load(tmp_path / "t.h5")
    before = (tmp_path / "t.h5").read_bytes()
    with h5py.File(tmp_path / "t.h5", "a") as file:  # HDF5 refuses it where the process has it open
        file.attrs["note"] = "mine"
    assert refused(TableError, lambda: load(tmp_path / "t.h5")) == DAMAGED.format(tmp_path / "t.h5")
    after = (tmp_path / "t.h5").read_bytes()
    assert (after[:BLOCK], len(after) > len(before)) == (before[:BLOCK], True)  # HDF5 leaves the block as it is
    (tmp_path / "t.h5").write_bytes(sealed(after[BLOCK:]))
    assert load(tmp_path / "t.h5").digest == content().digest


def test_a_full_disk_leaves_the_old_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.h5"
    write_table(path, content())
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert refused(OutputError, lambda: write_table(path, content(1))) == (
        f"{path} cannot be written: No space left on device; free some space and run the same command again"
    )
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["t.h5"]


def test_a_table_where_no_file_can_be(tmp_path: Path) -> None:
    assert refused(OutputError, lambda: write_table(tmp_path / "no" / "t.h5", content())) == (
        f"{tmp_path}/no/t.h5 cannot be written: No such file or directory; choose a place that can be written"
    )


# -- broken files ---------------------------------------------------------------------------------


DAMAGED = f"{{}} is damaged or cut short: its bytes have another digest than it states; {REMEDY}"


def rewritten(path: Path, target: Path, edit: Callable[[h5py.File], object]) -> Path:
    target.write_bytes(path.read_bytes())
    with h5py.File(target, "r+") as file:
        edit(file)
    target.write_bytes(sealed(target.read_bytes()[BLOCK:]))  # by somebody who means it
    return target


def replaced(name: str, value: Any, **options: Any) -> Callable[[h5py.File], None]:
    def edit(file: h5py.File) -> None:
        del file[name]
        if value is not None:
            file.create_dataset(name, data=value, **options)

    return edit


def external(file: h5py.File) -> None:
    del file["params"]
    file.create_dataset("params", (64,), "<i8", external=[("/etc/hostname", 0, 512)])


def virtual(file: h5py.File) -> None:
    del file["params"]
    layout = h5py.VirtualLayout((64,), "<i8")
    layout[:] = h5py.VirtualSource("other.h5", "params", (64,))
    file.create_virtual_dataset("params", layout)


def linked(link: Any) -> Callable[[h5py.File], None]:
    def edit(file: h5py.File) -> None:
        del file["params"]
        file["params"] = link

    return edit


def grouped(file: h5py.File) -> None:
    del file["params"]
    file.create_group("params")


def big_chunk(file: h5py.File) -> None:
    del file["params"]
    file.create_dataset("params", (64,), "<i8", maxshape=(None,), chunks=(2**29 - 1,))


def huge(file: h5py.File) -> None:
    """A file of kilobytes that says it holds a hundred gigabytes; never allocated, and so quick to write."""
    for name, column in COLUMNS.items():
        if "epoch" in column.axes:
            del file[name]
            shape = (64, 3) if column.axes[0] == "architecture" else ()
            file.create_dataset(name, (*shape, 10**8), "<f8", chunks=(*[1] * len(shape), 1000))


ELSEWHERE = "{{}} is not a table to open: its params is {}, not a dataset of this file; " + REMEDY
BROKEN: list[tuple[Any, str]] = [
    (replaced("macs", None), "{} is not a table of schema 1: it has no macs; " + REMEDY),
    (
        lambda file: file.create_dataset("extra", data=[1]),
        "{} is not a table of schema 1: it has an unknown extra; a table of schema 1 has " + ", ".join(COLUMNS) + "; "
        + REMEDY,
    ),
    (
        replaced("macs", np.zeros(63, "<i8")),
        "{} is not a table of schema 1: its macs has shape (63,); it must be (64,) (architecture), none of them 0; "
        + REMEDY,
    ),
    (
        replaced("valid_loss", np.zeros((64, 3, 2))),
        "{} is not a table of schema 1: its valid_loss has shape (64, 3, 2); it must be (64, 3, 3) "
        "(architecture x seed x epoch), none of them 0; " + REMEDY,
    ),
    (
        replaced("valid_loss", np.zeros((64, 3, 3), "<f4")),
        "{} is not a table of schema 1: its valid_loss is of type <f4; it must be <f8; " + REMEDY,
    ),
    (
        replaced("hash", np.array(["x"] * 64, dtype=object)),
        "{} is not a table of schema 1: its hash is of type |O; it must be S; " + REMEDY,
    ),
    (
        replaced("seeds", np.int64(3)),
        "{} is not a table of schema 1: its seeds has shape (); it must be (0,) (seed), none of them 0; " + REMEDY,
    ),
    (linked(h5py.SoftLink("/macs")), ELSEWHERE.format("a link")),
    (linked(h5py.ExternalLink("other.h5", "/params")), ELSEWHERE.format("a link")),
    (grouped, ELSEWHERE.format("a group")),
    (external, ELSEWHERE.format("a window on other files")),
    (virtual, ELSEWHERE.format("a window on other files")),
    (big_chunk, ELSEWHERE.format("in chunks of (536870911,)")),
    (
        lambda file: file.attrs.modify("schema_version", 3),
        "{} has schema 3, this package reads 1 and 2; upgrade nasbench-ws to read it",
    ),
    (lambda file: file.attrs.modify("schema_version", 0), "{} has schema 0, this package reads 1 and 2; " + REMEDY),
    (
        lambda file: file.attrs.modify("format", "other"),
        "{} is HDF5, but not a table of nasbench-ws; name one that `merge` wrote",
    ),
    (lambda file: file.attrs.pop("format"), "{} is HDF5, but not a table of nasbench-ws; name one that `merge` wrote"),
    (lambda file: file.attrs.pop("recipe"), "{} has no text in its root attribute recipe; " + REMEDY),
    (lambda file: file.attrs.create("licence", 3), "{} has no text in its root attribute licence; " + REMEDY),
    (
        lambda file: file.attrs.modify("space", np.bytes_(b"{}")),
        "{} has space {{}}, which is invalid: 'name'; " + REMEDY,
    ),
    (  # on a heap, on which libhdf5 may walk for ever
        lambda file: file.attrs.create("space", "{}"), "{} has no text in its root attribute space; " + REMEDY,
    ),
]


@pytest.mark.parametrize(("edit", "message"), BROKEN)
def test_a_broken_table_is_refused(path: Path, tmp_path: Path, edit: Any, message: str) -> None:
    broken = rewritten(path, tmp_path / "broken.h5", edit)
    assert refused(TableError, lambda: load(broken)) == message.format(broken)


def test_a_part_that_cannot_be_is_refused_when_it_is_asked_for(path: Path, tmp_path: Path) -> None:
    """A query needs neither macro nor recipe, and does not wait for them; the digest was right."""
    made = load(path).content
    attributes = {**made.attributes, "macro": '{"nam": 1}'}

    def edit(file: h5py.File) -> None:
        for key, text in (("macro", attributes["macro"]), ("digest", Content(attributes, made.columns).digest)):
            file.attrs[key] = np.bytes_(text.encode())

    broken = rewritten(path, tmp_path / "broken.h5", edit)
    assert load(broken).query("434").test_accuracy.mean == load(path).query("434").test_accuracy.mean
    message = (
        f"{broken} has macro {{\"nam\": 1}}, which is invalid: unknown macro key 'nam' (did you mean name?); known are "
        "name, stem, channels, cells, height, width, image_channels, classes, output, dilated_kernel, bn_momentum, "
        f"bn_eps; {REMEDY}"
    )
    assert refused(TableError, lambda: load(broken).macro) == message
    assert refused(TableError, lambda: verify(broken)) == message


def test_an_absurd_size_is_refused_unread(path: Path, tmp_path: Path) -> None:
    broken = rewritten(path, tmp_path / "broken.h5", huge)
    size = 10**8 * 8 + 6 * 64 * 3 * 10**8 * 8 + sum(
        column.nbytes for name, column in content().columns.items() if "epoch" not in COLUMNS[name].axes
    )
    assert broken.stat().st_size < 10**6
    assert refused(TableError, lambda: load(broken)) == (
        f"{broken} says it holds {size:,} bytes, more than the {2**31:,} that are read; {REMEDY}"
    )


def test_a_changed_number_is_noticed(path: Path, tmp_path: Path) -> None:
    def edit(file: h5py.File) -> None:
        file["test_accuracy"][5, 1, 2] = 0.999

    broken = rewritten(path, tmp_path / "broken.h5", edit)
    with h5py.File(broken) as file:
        columns = {name: file[name][()] for name in file}
    found = Content(content().attributes, columns).digest
    assert refused(TableError, lambda: load(broken)) == (
        f"{broken} is damaged: its contents have SHA-256 {found}, and it states {content().digest}; {REMEDY}"
    )


def test_rows_that_are_twice_there_or_out_of_order(path: Path, tmp_path: Path) -> None:
    """Under a digest that is right, as another writer would leave it."""

    def stamped(edit: Callable[[Any], None]) -> Callable[[h5py.File], None]:
        def change(file: h5py.File) -> None:
            hashes = file["hash"][()]
            edit(hashes)
            file["hash"][...] = hashes
            columns = {name: file[name][()] for name in file}
            file.attrs["digest"] = np.bytes_(Content(content().attributes, columns).digest.encode())

        return change

    def twice(hashes: Any) -> None:
        hashes[9] = hashes[7]

    def swapped(hashes: Any) -> None:
        hashes[[7, 9]] = hashes[[9, 7]]

    assert refused(TableError, lambda: load(rewritten(path, tmp_path / "a.h5", stamped(twice)))) == (
        f"{tmp_path}/a.h5 is not a table to use: its hash 242129d7f03546ee stands in more than one row: [7, 9]; "
        f"{REMEDY}"
    )
    assert refused(TableError, lambda: load(rewritten(path, tmp_path / "b.h5", stamped(swapped)))) == (
        f"{tmp_path}/b.h5 is not a table to use: its row 7 has hash {DEEPER64[9].hash}, and child 7 of deeper64 is "
        f"124, 242129d7f03546ee; {REMEDY}"
    )


def test_cut_short_or_flipped_it_is_never_another_table(path: Path, tmp_path: Path) -> None:
    """Every copy is refused, before HDF5's library has seen it."""
    whole, broken = path.read_bytes(), tmp_path / "broken.h5"
    rng = random.Random(0)
    for trial in range(200):
        damaged = bytearray(whole)
        if trial % 8 == 0:
            del damaged[rng.randrange(len(whole)) :]
        else:  # every other one in the first bytes, where the structure is
            damaged[rng.randrange(len(whole) if trial % 2 else 8000)] ^= 1 << rng.randrange(8)
        broken.write_bytes(damaged)
        assert str(broken) in refused(TableError, lambda: read_table(broken))


def test_what_is_no_table_at_all(tmp_path: Path) -> None:
    text = tmp_path / "t.h5"
    text.write_text("hash,accuracy\n")
    assert refused(TableError, lambda: load(text)) == (
        f"{text} is not a table of nasbench-ws; name a file that `merge` wrote"
    )
    assert refused(TableError, lambda: load(tmp_path)) == (
        f"{tmp_path} is a folder; name a table's file, or make one of a folder of runs with `merge`"
    )
    assert refused(TableError, lambda: read_table(tmp_path / "no.h5")) == (
        f"{tmp_path}/no.h5 cannot be read: No such file or directory; name the file of a table"
    )
    for device in ("/dev/zero", tmp_path / "pipe"):
        if device != "/dev/zero":
            os.mkfifo(device)
        assert refused(TableError, lambda path=device: load(path)) == (
            f"{device} is a device or a pipe, not a file; name the file of a table"
        )


def test_cut_at_the_end(path: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.h5").write_bytes(path.read_bytes()[:-1000])
    assert refused(TableError, lambda: load(tmp_path / "cut.h5")) == DAMAGED.format(tmp_path / "cut.h5")
    (tmp_path / "cut.h5").write_bytes(sealed(path.read_bytes()[BLOCK:-1000]))
    message = refused(TableError, lambda: load(tmp_path / "cut.h5"))
    assert message.startswith(f"{tmp_path}/cut.h5 is damaged or cut short (Not a file id ")
    assert message.endswith(f"); {REMEDY}")


# -- verify: what can be read and still is wrong --------------------------------------------------


def put(name: str, place: Any, value: Any) -> Callable[[dict[str, Any]], None]:
    def edit(columns: dict[str, Any]) -> None:
        columns[name][place] = value

    return edit


def shorter_std(columns: dict[str, Any]) -> None:
    columns["status"][2, 1] = 1
    columns["train_loss"][2, 1, 1] = NAN


WRONG: list[tuple[Any, str]] = [
    (
        put("test_accuracy", (1, 2, 0), 85.2),
        "its test_accuracy of 112 with seed 4 at epoch 0.5 is 85.2; it must be in [0, 1], or NaN",
    ),
    (
        put("valid_loss", (1, 2, 1), math.inf),
        "its valid_loss of 112 with seed 4 at epoch 1 is inf; it must be finite and at least 0, or NaN",
    ),
    (
        put("seconds", (0, 0, 0), -1.0),
        "its seconds of 111 with seed 0 at epoch 0.5 is -1.0; it must be finite and at least 0, or NaN",
    ),
    (
        put("valid_loss", (1, 2, 1), NAN),
        "its valid_loss of 112 with seed 4 at epoch 1 is NaN, and the run's status is ok",
    ),
    (put("status", (1, 2), 7), "its status of 112 with seed 4 is 7; it must be 0 to 5"),
    (shorter_std, "its run of 113 with seed 1 diverged; from some epoch on, and at the last, all must be NaN"),
    (put("params", 7, 1), "its params of 124 is 1, and must be {params}"),
    (put("macs", 7, 1), "its macs of 124 is 1, and must be {macs}"),
    (put("name", 7, b"421"), "its name of 124 is 421, and must be 124"),
    (put("epochs", 1, 0.25), "its epochs are [0.5, 0.25, 2.0]; they must rise, from 0 or more"),
    (put("seeds", 1, 0), "its seeds are [0, 0, 4]; they must rise, from 0 or more"),
    (put("environment", (0, 0), 1), "its environment must be -1 where a run is missing, else below 1"),
    (put("environment", (0, 0), -1), "its environment must be -1 where a run is missing, else below 1"),
]


@pytest.mark.parametrize(("edit", "problem"), WRONG)
def test_verify_names_what_is_wrong_and_write_refuses_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edit: Any, problem: str
) -> None:
    network = child_network(MACRO, DEEPER64[7])
    problem = problem.format(params=parameter_count(network), macs=mac_count(network))
    wrong, path = edited(edit), tmp_path / "t.h5"
    assert problems(wrong) == [problem]
    message = refused(TableError, lambda: write_table(path, wrong))
    assert message == f"{path} was not written, for the table is wrong: {problem}"
    assert not path.exists()
    monkeypatch.setattr("nasbench_ws.tables.checks.problems", lambda content: [])
    write_table(path, wrong)
    monkeypatch.undo()
    assert verify(path) == [problem]


def test_a_number_without_a_run_is_wrong() -> None:
    def edit(columns: dict[str, Any]) -> None:
        columns["status"][1, 2] = 3
        columns["environment"][1, 2] = -1
        for name in CURVES[1:]:
            columns[name][1, 2] = NAN

    assert problems(edited(edit)) == [
        "its train_loss of 112 with seed 4 at epoch 0.5 is a number, and the run's status is missing"
    ]


def test_root_attributes_that_contradict_each_other() -> None:
    made = content()
    macro = {**json.loads(str(made.attributes["macro"])), "cells": 4}
    attributes = {**made.attributes, "macro": json.dumps(macro), "images": "cifar10"}
    found = problems(Content(attributes, made.columns))
    assert found[:2] == [
        "its recipe is for the images fashion14, and its images are cifar10",
        "its macro small is not the one that its recipe describes",
    ]
    recipe = replace(Recipe(), space="other").to_dict()
    assert problems(Content({**made.attributes, "recipe": json.dumps(recipe)}, made.columns)) == [
        "its recipe is for the space other, and its space is deeper64"
    ]


def test_verify_looks_at_the_columns_attributes(path: Path, tmp_path: Path) -> None:
    def percent(file: h5py.File) -> None:
        file["test_accuracy"].attrs["units"] = np.bytes_(b"percent")

    found = verify(rewritten(path, tmp_path / "t.h5", percent))
    axes = ["architecture", "seed", "epoch"]
    right = {"units": "fraction", "axes": axes, "meaning": COLUMNS["test_accuracy"].meaning}
    there = {**right, "units": "percent"}
    assert found == [f"its test_accuracy has attributes {there}; they must be {right}"]


# -- questions ------------------------------------------------------------------------------------


def test_every_name_leads_to_the_same_entry(table: Table) -> None:
    child = DEEPER64.architecture("124")
    entry = table.query("124")
    names = (child, 7, np.int64(7), "7", child.hash, child.hash[:6], child.spec)
    assert all(table.query(name) is entry and table[name] is entry and name in table for name in names)
    assert (entry.architecture, entry.hash, entry.name, entry.spec, entry.index) == (
        child, child.hash, "124", child.spec, 7,
    )  # fmt: skip
    network = child_network(MACRO, child)
    assert (entry.params, entry.macs) == (parameter_count(network), mac_count(network))
    assert type(entry.params) is int
    for name, statistic in (("valid_accuracy", entry.valid_accuracy), ("test_accuracy", entry.test_accuracy)):
        last = content().columns[name][7, :, -1]
        assert statistic.values == tuple(last)
        assert statistic.mean == pytest.approx(last.mean(), rel=1e-15)
        assert statistic.std == pytest.approx(last.std(ddof=1), rel=1e-15)
        assert np.array_equal(entry.curve(name), content().columns[name][7])
    assert entry.status == ("ok", "ok", "ok")


def test_a_table_is_a_collection_of_entries(table: Table, path: Path) -> None:
    assert len(table) == 64
    assert [entry.index for entry in table] == list(range(64))
    assert repr(table) == "Table('my.h5': 64 children x 3 seeds x 3 epochs, deeper64)"  # a file's name, and no folders
    assert "125" not in table
    assert -1 not in table
    message = refused(ArchitectureError, lambda: table["125"])
    assert message.startswith("deeper64 has no child '125' (did you mean 121 or 122 or 123 or 124?)")
    assert refused(ArchitectureError, lambda: table[-1]) == "deeper64 has no child at index -1; an index is 0 to 63"
    assert refused(ArchitectureError, lambda: table[1:3]) == (  # type: ignore[index]
        "slice slice(1, 3, None) cannot name a child of deeper64; give an Architecture, an int index or a str"
    )


def test_a_table_survives_pickling(table: Table) -> None:
    again = pickle.loads(pickle.dumps(table))
    assert again.query("124").to_dict() == table.query("124").to_dict()


def test_columns(table: Table) -> None:
    columns = content().columns
    cube = columns["test_accuracy"]
    assert np.array_equal(table.column("test_accuracy"), cube[:, :, -1].mean(axis=1))
    assert np.array_equal(table.truth, table.column("test_accuracy"))
    assert np.array_equal(table.column("test_accuracy", epoch=1, seed=4), cube[:, 2, 1])
    assert np.array_equal(table.column("train_loss", epoch=0.5), columns["train_loss"][:, :, 0].mean(axis=1))
    assert np.array_equal(table.by_seed("test_accuracy"), cube[:, :, -1])
    assert np.array_equal(table.by_seed("seconds", epoch=0.5), columns["seconds"][:, :, 0])
    assert np.array_equal(table.curves("test_accuracy"), cube)
    assert table.column("name").tolist() == [child.name for child in DEEPER64]
    assert table.column("hash")[7] == "242129d7f03546ee"
    assert table.column("params").dtype == np.int64
    assert [entry.test_accuracy.mean for entry in table] == table.column("test_accuracy").tolist()
    with pytest.raises(ValueError, match="read-only"):
        table.by_seed("test_accuracy")[0] = 1.0


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (
            lambda t: t.column("accuracy"),
            "there is no column 'accuracy': the split is part of the name; ask for train_accuracy or valid_accuracy "
            "or test_accuracy",
        ),
        (
            lambda t: t.best("loss"),
            "there is no column 'loss': the split is part of the name; ask for train_loss or valid_loss",
        ),
        (
            lambda t: t.column("test_acuracy"),
            "there is no column 'test_acuracy' here (did you mean test_accuracy or train_accuracy or "
            "valid_accuracy?); there are hash, spec, name, params, macs, train_loss, train_accuracy, valid_loss, "
            "valid_accuracy, test_accuracy, seconds",
        ),
        (
            lambda t: t.by_seed("params"),
            "there is no column 'params' here; there are train_loss, train_accuracy, valid_loss, valid_accuracy, "
            "test_accuracy, seconds",
        ),
        (
            lambda t: t.best("seconds"),
            "there is no column 'seconds' here; there are train_loss, train_accuracy, valid_loss, valid_accuracy, "
            "test_accuracy",
        ),
        (
            lambda t: t.column("params", seed=0),
            "params is a child's own, at any epoch and of any seed; ask for it without them",
        ),
        (lambda t: t.column("test_accuracy", seed=2), "in memory has no seed 2; it has 0, 1, 4"),
        (lambda t: t.column("test_accuracy", epoch=3), "in memory has no epoch 3; recorded are 0.5, 1, 2"),
        (
            lambda t: t.best("test_accuracy", 65),
            "the 65 best of 64 children with a test_accuracy: n must be 1 to 64",
        ),
        (lambda t: t.to_frame("run"), "there is no level 'run'; a row is of an architecture, a seed or an epoch"),
    ],
)
def test_questions_without_an_answer(ask: Callable[[Table], object], message: str) -> None:
    assert refused(UsageError, lambda: ask(Table(content()))) == message


def test_best_by_accuracy_or_loss(table: Table) -> None:
    order = np.argsort(-table.truth)
    assert [entry.index for entry in table.best("test_accuracy", 5)] == order[:5].tolist()
    assert table.best("valid_loss")[0].index == int(np.argmin(table.column("valid_loss")))


def test_best_takes_ties_in_order_of_index() -> None:
    made = content()
    made.columns["test_accuracy"][:] = 0.5
    assert [entry.index for entry in Table(made).best("test_accuracy", 3)] == [0, 1, 2]


def test_to_dict_is_json(table: Table) -> None:
    data = table.query("124").to_dict()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert list(data) == [
        "hash", "name", "spec", "index", "params", "macs", "valid_accuracy", "test_accuracy", "seeds", "epoch",
        "status",
    ]  # fmt: skip
    assert list(data["test_accuracy"]) == ["mean", "std", "values"]
    assert (data["seeds"], data["epoch"], data["status"]) == ([0, 1, 4], 2.0, ["ok", "ok", "ok"])


def test_one_seed_has_no_deviation() -> None:
    made = content()
    one = {n: c[:, :1] if "seed" in COLUMNS[n].axes[1:] else c for n, c in made.columns.items()}
    one["seeds"] = one["seeds"][:1]
    entry = Table(Content(made.attributes, one)).query(0)
    assert math.isnan(entry.test_accuracy.std)
    assert entry.to_dict()["test_accuracy"]["std"] is None
    assert entry.test_accuracy.mean == entry.test_accuracy.values[0]


def test_missing_is_nan_with_a_status_and_never_patched() -> None:
    table = Table(partial(), "part")
    assert problems(table.content) == []
    assert repr(table) == "Table('part': 64 children x 3 seeds x 3 epochs, deeper64, without 3 of 192 runs)"
    entry = table.query("112")
    assert entry.status == ("ok", "ok", "missing")
    assert math.isnan(entry.test_accuracy.values[2])
    assert math.isnan(entry.test_accuracy.mean)
    assert entry.to_dict()["test_accuracy"]["values"][2] is None
    assert np.flatnonzero(np.isnan(table.column("test_accuracy"))).tolist() == [1, 2, 3]
    there = table.column("test_accuracy", skip_missing=True)
    assert there[1] == pytest.approx(table.by_seed("test_accuracy")[1, :2].mean(), rel=1e-15)
    assert np.array_equal(there[4:], table.column("test_accuracy")[4:])
    assert [(arch.name, seed, status) for arch, seed, status in table.absent()] == [
        ("112", 4, "missing"), ("113", 0, "diverged"), ("114", 1, "failed"),
    ]  # fmt: skip
    assert refused(TableError, lambda: table.truth) == (
        "part gives no ground truth: it lacks 112 seed 4 (missing), 113 seed 0 (diverged), 114 seed 1 (failed); build "
        "what is missing, leave these children out (--allow-missing), or take column('test_accuracy', "
        "skip_missing=True) and say so"
    )
    assert "112" not in [entry.name for entry in table.best("test_accuracy", 61)]
    assert refused(UsageError, lambda: table.best("test_accuracy", 62)) == (
        "the 62 best of 61 children with a test_accuracy: n must be 1 to 61"
    )


def test_frames(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = table.to_frame()
    assert frame.loc["242129d7f03546ee", "test_accuracy"] == table.query("124").test_accuracy.mean
    assert frame.shape == (64, 10)
    runs, points = Table(partial()).to_frame("seed"), Table(partial()).to_frame("epoch")
    assert (runs.shape, points.shape) == ((192, 10), (576, 10))
    assert runs[runs.status == "missing"].seed.tolist() == [4]
    row = points[(points.hash == DEEPER64[9].hash) & (points.seed == 4) & (points.epoch == 1.0)]
    assert row.test_accuracy.item() == content().columns["test_accuracy"][9, 2, 1]
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert refused(UsageError, lambda: table.to_frame()) == (
        "to_frame needs pandas; get it with: pip install 'nasbench-ws[pandas]'"
    )


def test_load_by_name_or_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "shipped", lambda: {"fashion14": tmp_path / "fashion14.h5"})
    write_table(tmp_path / "fashion14.h5", content())
    assert repr(load("fashion14")).startswith("Table('fashion14': 64 children")
    assert load(str(tmp_path / "fashion14.h5")).name == "fashion14.h5"
    assert refused(TableError, lambda: load("fashoin14")) == (
        "there is no table 'fashoin14' (did you mean fashion14?): neither a file nor shipped; shipped are "
        "fashion14; give one of these, or the path of a file"
    )
    assert refused(TableError, lambda: load("no/such.h5")) == (
        "there is no table 'no/such.h5': neither a file nor shipped; shipped are "
        "fashion14; give one of these, or the path of a file"
    )


def test_shipped_tables_are_tables_and_not_images() -> None:
    for name, path in shipped().items():
        assert not name.endswith("-images")
        assert verify(path) == []
        assert load(name).truth.shape == (len(load(name).space),)


# -- merge ----------------------------------------------------------------------------------------


def run(index: int, seed: int, **changes: Any) -> RunRecord:
    child = DEEPER64[index]
    rng = np.random.default_rng([index, seed])
    values: dict[str, Any] = {
        "hash": child.hash,
        "spec": child.spec,
        "seed": seed,
        "status": "ok",
        "error": "",
        "epochs": EPOCHS,
        "curves": {name: tuple(rng.random(3)) for name in CURVES},
        "recipe": Recipe().to_dict(),
        "images_digest": "d" * 64,
        "versions": {"python": "3.11.7"},
        "device": "A",
        "macro": MACRO,
    }
    return RunRecord(**(values | changes))


def folder_of(folder: Path, *runs: RunRecord) -> Path:
    for record in runs:
        write_run(folder, record)
    return folder


def diverged(index: int, seed: int) -> RunRecord:
    values = {**run(index, seed).curves, "train_loss": (0.5, NAN, NAN)}
    return run(index, seed, status="diverged", error="at step 7", curves=values)


def failed(index: int, seed: int) -> RunRecord:
    return run(index, seed, status="failed", error="Boom", epochs=(), curves={}, device="")


def test_folders_make_a_table(tmp_path: Path) -> None:
    one = folder_of(tmp_path / "one", *(run(i, 0) for i in range(64)), failed(5, 1))
    two = folder_of(tmp_path / "two", diverged(6, 1), run(5, 1, device="B"), failed(7, 1))
    table = merge([one, two], tmp_path / "t.h5")
    assert verify(tmp_path / "t.h5") == []
    assert table.digest == load(tmp_path / "t.h5").digest
    assert table.seeds.tolist() == [0, 1]
    assert table.epochs.tolist() == list(EPOCHS)
    for i in range(64):
        for name in CURVES:
            assert tuple(table.query(i).curve(name)[0]) == run(i, 0).curves[name]
    assert [table.query(i).status[1] for i in (4, 5, 6, 7)] == ["missing", "ok", "diverged", "failed"]
    assert np.isnan(table.query(6).curve("test_accuracy")[1, 1:]).all()
    assert sorted(one["device"] for one in table.content.environments) == ["", "A", "B"]
    assert table.content.attributes["licence"] == "MIT"


def test_the_order_of_sources_changes_nothing(tmp_path: Path) -> None:
    parts = [folder_of(tmp_path / str(k), *(run(i, 0, device=f"{k}") for i in range(k, 64, 3))) for k in range(3)]
    assert gather(parts).digest == gather(parts[::-1]).digest


def test_tables_and_runs_turn_into_each_other(tmp_path: Path) -> None:
    runs = [run(0, 2, device="B"), diverged(1, 0), failed(2, 0), run(3, 0)]
    table = merge([folder_of(tmp_path / "runs", *runs)], tmp_path / "t.h5")
    back = {(record.spec, record.seed): record for record in extract_runs(table)}
    assert len(back) == 4
    for record in runs:
        text = f"as the table with digest {table.digest} says" if record.error else ""
        assert back[record.spec, record.seed] == replace(record, error=text, space=table.space)
    again = merge([table, tmp_path / "runs", str(tmp_path / "t.h5")], tmp_path / "again.h5")
    assert again.digest == table.digest


def test_overlapping_runs_must_agree(tmp_path: Path) -> None:
    one = folder_of(tmp_path / "one", run(7, 3))
    slower = {**run(7, 3).curves, "seconds": (7.0, 8.0, 9.0)}
    same = folder_of(tmp_path / "same", run(7, 3, curves=slower, device="B"))
    assert gather([one, same]).columns["seconds"][7, 0, 0] == run(7, 3).curves["seconds"][0]  # the first one's

    values = run(7, 3).curves
    changed = {**values, "valid_loss": (*values["valid_loss"][:2], 0.125)}
    other = folder_of(tmp_path / "other", run(7, 3, curves=changed))
    assert refused(TableError, lambda: merge([one, other], tmp_path / "t.h5")) == (
        f"{DEEPER64[7].spec} seed 3 differs between {one} and {other}: valid_loss at epoch 2 is "
        f"{values['valid_loss'][2]} in the first, 0.125 in the second; find out which code or machine is right, and "
        "merge that one alone"
    )
    ended = folder_of(tmp_path / "ended", diverged(7, 3))
    assert refused(TableError, lambda: gather([one, ended])) == (
        f"{DEEPER64[7].spec} seed 3 differs between {one} and {ended}: status is ok in the first, diverged in the "
        "second; find out which code or machine is right, and merge that one alone"
    )
    assert not (tmp_path / "t.h5").exists()


def test_runs_of_another_kind_are_refused(tmp_path: Path) -> None:
    one = folder_of(tmp_path / "one", run(7, 3))
    changed = replace(Recipe(), lr=0.3, flip=False)
    for name, changes, what in (
        ("a", {"recipe": changed.to_dict()}, f"recipe than {{}}: flip False, not True, lr 0.3, not {Recipe().lr}"),
        ("b", {"images_digest": "e" * 64}, f"images than {{}}: digest {'e' * 64}, not {'d' * 64}"),
        ("c", {"macro": replace(MACRO, cells=9)}, "macro than {}: cells 9, not 3"),
    ):
        other = folder_of(tmp_path / name, run(8, 3, **changes))
        assert refused(TableError, lambda other=other: gather([one, other])) == (  # type: ignore[misc]
            f"{other} was made with other {what.format(one)}; a table holds runs of one kind, so merge them apart"
        )


def test_nothing_to_merge(tmp_path: Path) -> None:
    assert refused(TableError, lambda: gather([tmp_path])) == (
        "there is no run in any source; give folders that `build` wrote, or tables"
    )
    assert refused(TableError, lambda: gather([folder_of(tmp_path / "f", failed(0, 0), failed(1, 0))])) == (
        "all 2 runs failed, the first with: Boom; mend that and build again"
    )
    bare = folder_of(tmp_path / "bare", run(0, 0, macro=None))
    assert refused(TableError, lambda: gather([bare])) == (
        f"{bare}: the run of {DEEPER64[0].spec} seed 0 has no macro; `build` adds it"
    )
    uneven = folder_of(tmp_path / "uneven", run(0, 0), run(1, 0, epochs=(1.0, 2.0, 3.0)))
    assert refused(TableError, lambda: gather([uneven])).endswith("; delete that run and build again")


def test_a_broken_run_stops_a_merge(tmp_path: Path) -> None:
    folder_of(tmp_path, run(0, 0))
    path = run_path(tmp_path, DEEPER64[0].hash, 0)
    path.write_text("{")
    message = refused(TableError, lambda: gather([tmp_path]))
    assert message.startswith(f"{path} is not a whole file of a nasbench-ws run (")


# -- cost -----------------------------------------------------------------------------------------


def test_importing_and_loading_cost_little(path: Path) -> None:
    """Processor time beyond that of importing numpy and h5py; bounds are several times what it takes."""
    code = (
        "import sys, time, numpy, h5py\n"
        "start = time.process_time()\n"
        "from nasbench_ws.tables.table import load\n"
        "ready = time.process_time()\n"
        "load(sys.argv[1]).query('242129d7f03546ee')\n"
        "print(ready - start, time.process_time() - ready)\n"
        "assert not {'torch', 'pandas', 'scipy', 'multiprocessing', 'click'} & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code, str(path)], capture_output=True, text=True, check=True)
    importing, asking = map(float, done.stdout.split())
    assert importing < 0.5
    assert asking < 0.2


def test_statuses_and_metrics_are_where_files_expect_them() -> None:
    """Codes and names in files that exist: for ever."""
    assert STATUSES == ("ok", "diverged", "failed", "missing", "published", "unplanned")
    assert METRICS == ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy", "test_accuracy")
