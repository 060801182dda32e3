"""Runs on disk: what is written is read back, what is broken is named, and nothing is ever half there."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import resource
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import TESTS_PATH
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench_ws.errors import OutputError, TableError, UsageError
from nasbench_ws.json_files import check_writable, differences, write_record
from nasbench_ws.recipe import Recipe
from nasbench_ws.space.macro import build_macro
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.tables.run import (
    CURVES,
    FORMAT,
    METRICS,
    RunRecord,
    finished,
    read_run,
    read_runs,
    run_path,
    run_paths,
    write_run,
)

CHILD = DEEPER64.architecture("124")
MACRO = build_macro(Recipe(), 14, 14, 1, 10)
NAN = math.nan


def record(**changes: Any) -> RunRecord:
    values: dict[str, Any] = {
        "hash": CHILD.hash,
        "spec": CHILD.spec,
        "seed": 3,
        "status": "ok",
        "error": "",
        "epochs": (1.0, 2.0),
        "curves": {name: (0.5, 0.1 + 0.2) for name in CURVES},
        "recipe": Recipe().to_dict(),
        "images_digest": "d" * 64,
        "versions": {"nasbench-ws": "0.1.0", "python": "3.11.7"},
        "device": "one thread of a test",
        "macro": MACRO,
    }
    return RunRecord(**(values | changes))


def curves(**changes: tuple[float, ...]) -> dict[str, tuple[float, ...]]:
    return {name: (0.5, 0.25) for name in CURVES} | changes


fractions = st.floats(0, 1)


@settings(deadline=None, max_examples=40)  # a disk's fsync takes as long as it takes
@given(st.lists(st.tuples(*[fractions] * 6), min_size=1, max_size=5), st.integers(0, 10**6))
def test_round_trip_of_any_numbers(tmp_path_factory: pytest.TempPathFactory, points: Any, seed: int) -> None:
    folder = tmp_path_factory.getbasetemp() / "round-trip"
    columns = dict(zip(CURVES, zip(*points, strict=True), strict=True))
    written = record(seed=seed, curves=columns, epochs=tuple(range(1, len(points) + 1)))
    read = read_run(write_run(folder, written))
    assert read == written
    assert [x.hex() for x in read.curves["train_loss"]] == [x.hex() for x in columns["train_loss"]]  # to the last bit


def test_a_run_lies_at_its_hash_and_seed(tmp_path: Path) -> None:
    path = write_run(tmp_path / "new" / "folder", record())
    assert path == tmp_path / "new" / "folder" / "24" / "242129d7f03546ee-3.json"
    assert run_paths(tmp_path / "new" / "folder") == [path]
    assert list(read_runs(tmp_path / "new" / "folder")) == [(path, record())]


def test_the_file_is_plain_json(tmp_path: Path) -> None:
    path = write_run(tmp_path, record(status="diverged", curves=curves(valid_loss=(0.5, math.inf))))
    data = json.loads(path.read_text())
    assert (data["format"], data["hash"], data["seed"], data["status"]) == (
        "nasbench-ws run", "242129d7f03546ee", 3, "diverged",
    )  # fmt: skip
    assert data["curves"]["valid_loss"] == [0.5, None]
    assert data["recipe"] == Recipe().to_dict()


def test_seconds_of_the_processor_are_kept_where_they_were_measured(tmp_path: Path) -> None:
    """A file of an older version has none, and is written back as it was."""
    assert "cpu_seconds" not in record().to_dict()
    assert read_run(write_run(tmp_path, record(cpu_seconds=1.5))) == record(cpu_seconds=1.5)
    assert RunRecord.from_dict(record().to_dict()).cpu_seconds is None


def test_after_divergence_all_is_nan_but_the_seconds() -> None:
    run = record(status="diverged", curves=curves(train_loss=(0.5, math.inf), seconds=(1.0, 2.0)))
    assert all(math.isnan(run.curves[name][1]) and run.curves[name][0] == 0.5 for name in METRICS)
    assert run.curves["seconds"] == (1.0, 2.0)


def test_diverged_and_failed_runs_round_trip(tmp_path: Path) -> None:
    diverged = record(status="diverged", error="at step 7", curves=curves(train_loss=(NAN, NAN)))
    failed = record(status="failed", error="Traceback ...", epochs=(), curves={}, seed=4, macro=None)
    for run in (diverged, failed):
        assert read_run(write_run(tmp_path, run)) == run
    assert finished(tmp_path, Recipe()) == {(CHILD.hash, 3): "diverged", (CHILD.hash, 4): "failed"}


LIST = "give a list of numbers, null for one that is missing"


@pytest.mark.parametrize(
    ("what", "value", "said"),
    [
        ("epochs", "12", f"epochs is '12'; {LIST}"),
        ("epochs", {"0": 1}, f"epochs is {{'0': 1}}; {LIST}"),
        ("valid_loss", "12", f"curve valid_loss is '12'; {LIST}"),
        ("valid_loss", ["1.5", 2], f"curve valid_loss is ['1.5', 2]; {LIST}"),
        ("valid_loss", [True, 2], f"curve valid_loss is [True, 2]; {LIST}"),
        ("curves", [1], "curves are [1]; give an object with a list for each curve"),
    ],
)
def test_what_python_would_take_for_numbers_is_refused(tmp_path: Path, what: str, value: Any, said: str) -> None:
    data = record().to_dict()
    if what in data:
        data[what] = value
    else:
        data["curves"][what] = value
    path = run_path(tmp_path, CHILD.hash, 3)
    write_record(path, FORMAT, data)
    with pytest.raises(TableError) as caught:
        read_run(path)
    assert str(caught.value) == (
        f"{path} is not a valid run: the run's {said}; delete it, and the next build makes that run again"
    )


@pytest.mark.parametrize(
    ("what", "value"),
    [("epochs", [10**400, 1]), ("spec", "\ud800"), ("macro", {"cells": {}}), ("recipe", []), ("curves", {"x": 3})],
)
def test_values_of_any_kind_are_refused_in_our_words(tmp_path: Path, what: str, value: Any) -> None:
    path = run_path(tmp_path, CHILD.hash, 3)
    write_record(path, FORMAT, record().to_dict() | {what: value})
    with pytest.raises(TableError, match=r"is not a valid run: |is larger than any count"):
        read_run(path)


def test_an_empty_file_is_no_run(tmp_path: Path) -> None:
    """As a machine that goes down may leave one: nothing is lost with it, and nobody has to delete it."""
    path = run_path(tmp_path, CHILD.hash, 3)
    path.parent.mkdir()
    path.touch()
    assert run_paths(tmp_path) == []
    assert finished(tmp_path, Recipe()) == {}


def test_a_later_run_takes_the_place_of_an_earlier(tmp_path: Path) -> None:
    write_run(tmp_path, record(status="failed", error="x", epochs=(), curves={}))
    write_run(tmp_path, record())
    assert finished(tmp_path, Recipe(), "d" * 64) == {(CHILD.hash, 3): "ok"}


WHO = f"the run of {CHILD.spec} with seed"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"status": "fine"}, f"{WHO} 3 has status 'fine'; allowed are ok, diverged, failed"),
        ({"seed": -1}, f"{WHO} -1 has no seed index: it must be an int of at least 0"),
        ({"seed": True}, f"{WHO} True has no seed index: it must be an int of at least 0"),
        ({"hash": "0" * 16}, f"{WHO} 3 has hash '0000000000000000', which is not that of its canonical string"),
        (
            {"curves": curves(seconds=(1.0,))},
            f"{WHO} 3 has 2 epochs and curves of other lengths: {{'seconds': 1}}",
        ),
        ({"status": "failed"}, f"{WHO} 3 failed, and yet has 2 epochs; a failed run has none"),
        ({"epochs": (), "curves": {}}, f"{WHO} 3 has status ok and no epochs; give at least one"),
        (
            {"curves": curves(valid_loss=(0.5, NAN))},
            f"{WHO} 3 has status ok and a number that is not finite at epoch 2; it diverged",
        ),
        (
            {"status": "diverged"},
            f"{WHO} 3 diverged, and yet all its numbers are finite; they are NaN from that point on",
        ),
        (
            {"curves": curves(seconds=(1.0, NAN))},
            f"{WHO} 3 has seconds that are not finite numbers of at least 0",
        ),
        *(
            (
                {"cpu_seconds": wrong},
                f"{WHO} 3 has cpu_seconds {wrong!r}; give a finite number of at least 0, or None where it was not "
                "measured",
            )
            for wrong in (-1.0, NAN, True, "2")
        ),
        (
            {"curves": curves(test_accuracy=(83.0, 84.0))},
            f"{WHO} 3 has a test_accuracy of 83.0; accuracies are fractions in [0, 1]",
        ),
        (
            {"curves": curves(valid_loss=(0.5, -0.25))},
            f"{WHO} 3 has a valid_loss of -0.25; losses are cross-entropies of at least 0",
        ),
    ],
)
def test_a_record_that_cannot_be(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        record(**changes)
    assert str(caught.value) == message


REMEDY = "delete it, and the next build makes that run again"


def refusal(path: Path) -> str:
    with pytest.raises(TableError) as caught:
        read_run(path)
    return str(caught.value)


def test_a_file_that_is_broken_says_so(tmp_path: Path) -> None:
    path = write_run(tmp_path, record())
    whole = path.read_bytes()
    digest = json.loads(whole)["digest"]

    assert refusal(tmp_path / "absent") == (
        f"{tmp_path}/absent cannot be read: No such file or directory; name the file of a nasbench-ws run"
    )
    path.write_bytes(whole[:-40])
    message = refusal(path)
    assert message.startswith(f"{path} is not a whole file of a nasbench-ws run (")
    assert message.endswith(f"); {REMEDY}")
    path.write_bytes(b"[1, 2]")
    assert refusal(path) == f"{path} is not a whole file of a nasbench-ws run (a JSON list); {REMEDY}"
    path.write_bytes(b"{}")
    assert refusal(path) == f"{path} is JSON, but not a nasbench-ws run; name another file"
    path.write_text(json.dumps(json.loads(whole) | {"schema_version": 2}))
    assert refusal(path) == f"{path} has schema 2, this package reads 1; {REMEDY}"
    path.write_bytes(whole.replace(b"0.5", b"0.6", 1))
    message = refusal(path)
    assert message.startswith(f"{path} is damaged: its contents have SHA-256 ")
    assert message.endswith(f", and it states {digest}; {REMEDY}")


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = write_run(tmp_path, record())
    whole = path.read_bytes()
    for position in range(0, len(whole), 7):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << position % 8
        path.write_bytes(flipped)
        with contextlib.suppress(TableError):
            assert read_run(path) == record()  # the bit of a blank between two tokens


def test_whole_files_of_another_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = record().to_dict()
    for change, message in (
        ({"sed": 3}, "unknown run key 'sed' (did you mean seed or spec or space?); known are hash, spec, seed"),
        ({"recipe": {"epoch": 1}}, "unknown recipe key 'epoch' (did you mean epochs?); known are images"),
        ({"macro": {"stems": 1}}, "unknown macro key 'stems' (did you mean stem?); known are name, stem"),
        ({"curves": None}, "the run's curves are None; give an object with a list for each curve"),
    ):
        monkeypatch.setattr(RunRecord, "to_dict", lambda self, change=change: good | change)
        path = write_run(tmp_path, record())
        assert refusal(path).startswith(f"{path} is not a valid run: {message}")
        assert refusal(path).endswith(REMEDY)


def test_a_key_that_came_later_may_be_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = record().to_dict()
    del old["macro"]["bn_eps"], old["recipe"]["shift"]
    monkeypatch.setattr(RunRecord, "to_dict", lambda self: old)
    assert read_run(write_run(tmp_path, record())) == record()


def test_a_run_in_the_wrong_place(tmp_path: Path) -> None:
    path = write_run(tmp_path, record())
    other = path.with_name("242129d7f03546ee-4.json")
    path.rename(other)
    with pytest.raises(TableError) as caught:
        list(read_runs(tmp_path))
    assert str(caught.value) == (
        f"{other} holds the run that belongs into 24/242129d7f03546ee-3.json; move it there, or delete it"
    )


def test_finished_knows_recipe_and_images(tmp_path: Path) -> None:
    path = write_run(tmp_path, record())
    with pytest.raises(UsageError) as caught:
        finished(tmp_path, Recipe(epochs=4.0, lr=0.2))
    epochs = Recipe().epochs
    assert str(caught.value) == (
        f"{path} was made by another recipe: epochs {epochs}, not 4.0, lr {Recipe().lr}, not 0.2; "
        "build into another folder, or with that recipe"
    )
    with pytest.raises(UsageError) as caught:
        finished(tmp_path, Recipe(), "e" * 64)
    assert str(caught.value) == (
        f"{path} was made from images of digest {'d' * 64}, not {'e' * 64}; "
        "build into another folder, or from those images"
    )
    assert finished(tmp_path / "nowhere", Recipe()) == {}


def test_differences() -> None:
    assert differences({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4}) == "b 2, not 3, c None, not 4"


def test_temporary_files_are_no_runs(tmp_path: Path) -> None:
    path = write_run(tmp_path, record())
    path.with_name(f".{path.name}.0a1b2c3d.tmp").write_text("{")
    assert run_paths(tmp_path) == [path]


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "No space left on device; free some space and run the same command again"),
        (errno.EDQUOT, "Disk quota exceeded; free some space and run the same command again"),
        (errno.EROFS, "Read-only file system; choose a place that can be written"),
    ],
)
def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, remedy: str
) -> None:
    path = write_run(tmp_path, record())
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError) as caught:
        write_run(tmp_path, record(device="another"))
    assert str(caught.value) == f"{path} cannot be written: {remedy}"
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.skipif(sys.platform == "win32", reason="limits of processes are POSIX")
def test_a_file_system_that_takes_no_more_bytes(tmp_path: Path) -> None:
    path = write_run(tmp_path, record())
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OutputError) as caught:
            write_run(tmp_path, record(device="another"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert str(caught.value) == f"{path} cannot be written: File too large; choose a place that can be written"
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for action in (lambda: check_writable(file / "runs"), lambda: write_run(file / "runs", record())):
        with pytest.raises(OutputError) as caught:
            action()
        assert str(caught.value).endswith("cannot be written: Not a directory; choose a place that can be written")
    check_writable(tmp_path / "a" / "b")
    assert os.listdir(tmp_path / "a" / "b") == []


def test_killed_at_any_moment_a_run_is_whole_or_absent(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path[:0] = sys.argv[2].split(':')\n"
        "from test_run import record, write_run\n"
        "print('go', flush=True)\n"
        "for seed in range(10**9): write_run(sys.argv[1], record(seed=seed % 5))"
    )
    for delay in (0.02, 0.05):
        arguments = [sys.executable, "-P", "-c", code, str(tmp_path), TESTS_PATH]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            with pytest.raises(subprocess.TimeoutExpired):
                writer.wait(delay)
            writer.kill()
        for seed, (path, run) in enumerate(read_runs(tmp_path)):
            assert run == record(seed=seed)
            assert path == run_path(tmp_path, CHILD.hash, seed)


def test_identity_of_a_record_is_in_its_fields() -> None:
    assert record() == record()
    assert record() != replace(record(), device="another")


def test_neither_torch_nor_the_rest_is_imported() -> None:
    code = (
        "import sys\n"
        "from nasbench_ws.tables import checks, columns, file, merge, run, table\n"
        "print([name for name in ('torch', 'torchvision', 'pandas', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
