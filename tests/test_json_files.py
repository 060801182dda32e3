"""Records: what is written is read back, a name never holds half a file, and damage is named."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench_ws.errors import OutputError, ResultError, TableError
from nasbench_ws.json_files import clear_leftovers, digest, read_record, without_nan, write_atomic, write_record

KIND = "nasbench-ws thing"
DATA = {"name": "one", "values": [0.1, None, 3], "inside": {"b": True, "a": "é"}}
REMEDY = "delete it, and run the command that wrote it again"

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
names = st.text().filter(lambda name: name not in ("format", "schema_version", "digest"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "thing.json"
    write_record(path, KIND, DATA)
    return path


def refused(path: Path, **options: Any) -> str:
    with pytest.raises(options.get("error_type", ResultError)) as caught:
        read_record(path, KIND, **options)
    return str(caught.value)


def rewritten(path: Path, edit: Callable[[dict[str, Any]], object], honest: bool = False) -> str:
    """What is said of the file after an edit; an honest one states the new digest."""
    data = json.loads(path.read_text())
    edit(data)
    if honest:
        data.pop("digest")
        data["digest"] = digest(data)
    path.write_text(json.dumps(data))
    return refused(path)


# -- round trips --------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)  # a disk's fsync takes as long as it takes
@given(st.dictionaries(names, values, max_size=4))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any]) -> None:
    path = tmp_path_factory.getbasetemp() / "records" / "any.json"
    write_record(path, KIND, data)
    assert read_record(path, KIND) == data


def test_names_that_are_not_utf_8_are_written_out_and_no_half_of_a_pair_is_read(path: Path) -> None:
    """os.fsdecode gives such halves for a file's name in Latin-1; msgspec, which reads results, raises for them."""
    write_record(path, KIND, {"strategy": "caf\udce9.py", "inside": [{"\ud800": "\U0001f600"}]})
    assert read_record(path, KIND) == {"strategy": r"caf\udce9.py", "inside": [{r"\ud800": "\U0001f600"}]}
    said = rewritten(path, lambda data: data.update(strategy="\ud800"), honest=True)
    whole = "a text in it has half of a surrogate pair, which is no letter"
    assert said == f"{path} is not a whole file of a {KIND} ({whole}); {REMEDY}"


def test_the_file_is_json_with_an_envelope(path: Path) -> None:
    data = json.loads(path.read_text())
    assert list(data) == ["format", "schema_version", "name", "values", "inside", "digest"]
    stated = data.pop("digest")
    assert stated == digest(data)
    assert digest({"b": 1, "a": [0.5, None]}) == digest({"a": [0.5, None], "b": 1})  # of the content, not its order
    assert digest({"a": 1}) == "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"
    assert [file.name for file in path.parent.iterdir()] == ["thing.json"]


def test_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "thing.json"
    write_record(path, KIND, DATA)
    assert read_record(str(path), KIND) == DATA


def test_nan_is_null() -> None:
    nan, inf = float("nan"), float("inf")
    assert without_nan({"a": (nan, 1.5), 2: [inf, {"b": -inf}], "c": "nan"}) == {
        "a": [None, 1.5], "2": [None, {"b": None}], "c": "nan",
    }  # fmt: skip


def test_nan_is_not_written(path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_record(path, KIND, {"a": float("nan")})
    assert read_record(path, KIND) == DATA


# -- whole or not at all ------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["replace", "fsync"])
def test_an_interruption_before_the_rename_leaves_the_old_file(
    path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, where, interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_record(path, KIND, {"name": "two"})
    monkeypatch.undo()
    assert read_record(path, KIND) == DATA
    assert [file.name for file in path.parent.iterdir()] == ["thing.json"]  # and nothing beside it


def test_a_kill_before_the_rename_leaves_the_old_file(path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from nasbench_ws import json_files\n"
        "json_files.os.replace = lambda *names: os._exit(9)\n"
        f"json_files.write_record(Path(sys.argv[1]), {KIND!r}, {{'name': 'two'}})"
    )
    assert subprocess.run([sys.executable, "-P", "-c", code, str(path)], check=False).returncode == 9
    assert read_record(path, KIND) == DATA
    left = [file.name for file in path.parent.iterdir() if file != path]
    assert [(name.startswith(".thing.json."), name.endswith(".tmp")) for name in left] == [(True, True)]
    write_record(path, KIND, {"name": "two"})  # which is in nobody's way
    assert read_record(path, KIND) == {"name": "two"}


@pytest.mark.parametrize(
    ("code", "text", "step"),
    [
        (errno.ENOSPC, "No space left on device", "free some space and run the same command again"),
        (errno.EDQUOT, "Disk quota exceeded", "free some space and run the same command again"),
        (errno.EIO, "Input/output error", "choose a place that can be written"),
    ],
)
def test_a_disk_that_takes_no_more(
    path: Path, monkeypatch: pytest.MonkeyPatch, code: int, text: str, step: str
) -> None:
    def full(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError) as caught:
        write_record(path, KIND, {"name": "two"})
    monkeypatch.undo()
    assert str(caught.value) == f"{path} cannot be written: {text}; {step}"
    assert isinstance(caught.value.__cause__, OSError)
    assert read_record(path, KIND) == DATA
    assert [file.name for file in path.parent.iterdir()] == ["thing.json"]


@pytest.mark.parametrize("code", [errno.EINVAL, errno.EOPNOTSUPP, errno.EIO])
def test_a_file_system_that_does_not_sync_folders(path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """The file itself is whole; only what says that a disk is broken is an error."""
    real = os.fsync

    def files_only(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", files_only)
    if code == errno.EIO:
        with pytest.raises(OutputError, match="Input/output error"):
            write_record(path, KIND, {"name": "two"})
    else:
        write_record(path, KIND, {"name": "two"})
    assert read_record(path, KIND) == {"name": "two"}
    assert [file.name for file in path.parent.iterdir()] == ["thing.json"]


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_that_syncs_nothing(path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def none(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", none)
    write_record(path, KIND, {"name": "two"})
    assert read_record(path, KIND) == {"name": "two"}


@pytest.mark.parametrize("done", [True, False])
def test_a_rename_that_nfs_asks_for_twice(path: Path, monkeypatch: pytest.MonkeyPatch, done: bool) -> None:
    """Where the first reply is lost, the second says that there is no such file: it has its new name already."""
    real = os.replace

    def twice(old: Path, new: Path) -> None:
        real(old, new) if done else os.unlink(old)
        real(old, new)

    monkeypatch.setattr(os, "replace", twice)
    if done:
        write_record(path, KIND, {"name": "two"})
        assert read_record(path, KIND) == {"name": "two"}
        return
    with pytest.raises(OutputError) as caught:  # somebody took the new file away, and the old one is there
        write_record(path, KIND, {"name": "two"})
    assert str(caught.value) == (
        f"{path} cannot be written: No such file or directory; choose a place that can be written"
    )


def test_a_folder_that_may_be_written_and_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def unreadable(name: Any, *rest: Any, **options: Any) -> int:
        if Path(name).is_dir():
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))  # root may read where permissions say no
        return real(name, *rest, **options)

    monkeypatch.setattr(os, "open", unreadable)
    write_record(path, KIND, {"name": "two"})
    monkeypatch.undo()
    assert read_record(path, KIND) == {"name": "two"}


def test_what_killed_writers_left_is_cleared(path: Path) -> None:
    for name in (".thing.json.0123.tmp", ".thing.json.4567.tmp", ".other.json.0123.tmp"):
        (path.parent / name).touch()
    clear_leftovers(path)
    assert sorted(file.name for file in path.parent.iterdir()) == [".other.json.0123.tmp", "thing.json"]


def test_a_folder_that_can_only_be_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Path.open

    def read_only(self: Path, mode: str = "r", *rest: Any, **options: Any) -> Any:
        if mode != "r":
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))  # root may write where permissions say no
        return opened(self, mode, *rest, **options)

    monkeypatch.setattr(Path, "open", read_only)
    with pytest.raises(OutputError) as caught:
        write_record(path, KIND, {"name": "two"})
    assert str(caught.value) == (
        f"{path} cannot be written: Read-only file system; choose a place that can be written"
    )


def test_a_place_below_a_file(path: Path) -> None:
    below = path / "thing.json"
    with pytest.raises(OutputError) as caught:
        write_record(below, KIND, DATA)
    assert str(caught.value) == f"{below} cannot be written: File exists; choose a place that can be written"


def test_a_place_that_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(OutputError) as caught:
        write_atomic(tmp_path, b"data")
    assert str(caught.value) == f"{tmp_path} cannot be written: Is a directory; choose a place that can be written"


# -- damage -------------------------------------------------------------------------------------------


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    assert refused(path) == f"{path} cannot be read: No such file or directory; name the file of a {KIND}"
    assert refused(tmp_path) == f"{tmp_path} is a folder, not a file; name the file of a {KIND}"


def test_what_is_no_file_is_neither_waited_for_nor_read_without_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        assert refused(path) == f"{path} is a device or a pipe, not a file; name the file of a {KIND}"


def test_a_changed_number(path: Path) -> None:
    before = json.loads(path.read_text())
    stated = before.pop("digest")
    found = digest({**before, "name": "two"})
    assert rewritten(path, lambda data: data.update(name="two")) == (
        f"{path} is damaged: its contents have SHA-256 {found}, and it states {stated}; {REMEDY}"
    )
    write_record(path, KIND, DATA)
    assert rewritten(path, lambda data: data.pop("digest")) == (
        f"{path} is damaged: its contents have SHA-256 {digest(before)}, and it states None; {REMEDY}"
    )


def test_every_truncation_is_noticed(path: Path) -> None:
    whole = path.read_bytes()
    for size in range(len(whole) - 1):  # the last byte is a newline
        path.write_bytes(whole[:size])
        assert refused(path).startswith(f"{path} is not a whole file of a {KIND} (")
    path.write_bytes(whole[:-1])
    assert read_record(path, KIND) == DATA


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[1, 2]", "a JSON list"),
        (b"3", "a JSON int"),
        (b'{"a": \xff}', "'utf-8' codec can't decode byte 0xff in position 6: invalid start byte"),
    ],
)
def test_a_file_of_another_kind(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "thing.json"
    path.write_bytes(content)
    assert refused(path) == f"{path} is no {KIND} ({reason}); name a file that nasbench-ws wrote"  # and delete nothing


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_a_number_that_is_not_finite(path: Path, number: str) -> None:
    """Python writes the first three, and reads all five; with a digest that fits too."""
    path.write_text(path.read_text().replace("{", '{"a":' + number + ",", 1))
    assert refused(path) == f"{path} holds a number that is not finite, and JSON has none such; {REMEDY}"


@pytest.mark.parametrize("number", ["18446744073709551616", "1" + 400 * "0", "1" + 10_000 * "0"])
def test_a_whole_number_without_end(path: Path, number: str) -> None:
    path.write_text(path.read_text().strip().removesuffix("}") + f',"a":{number}}}')
    assert refused(path) == (
        f"{path} is not a whole file of a {KIND} (the whole number {number[:19]}... is larger than any count); {REMEDY}"
    )


def test_a_file_nested_without_end(tmp_path: Path) -> None:
    path = tmp_path / "thing.json"
    path.write_bytes(b"[" * 100_000)
    text = refused(path)
    assert text.startswith(f"{path} is no {KIND} (")
    path.write_bytes(b'{"format":"nasbench-ws thing","a":' + b"[" * 100_000)
    assert refused(path).startswith(f"{path} is not a whole file of a {KIND} (")


def test_another_record(path: Path) -> None:
    write_record(path, "nasbench-ws other", DATA)
    assert refused(path) == f"{path} is JSON, but not a {KIND}; name another file"
    path.write_text('{"name": "one"}')
    assert refused(path) == f"{path} is JSON, but not a {KIND}; name another file"


def test_a_newer_schema(path: Path) -> None:
    text = rewritten(path, lambda data: data.update(schema_version=2), honest=True)
    assert text == f"{path} has schema 2, this package reads 1; {REMEDY}"


def test_the_error_and_the_remedy_are_the_callers(path: Path) -> None:
    path.write_text("")
    assert refused(path, error_type=TableError, remedy="fetch it again") == (
        f"{path} is not a whole file of a {KIND} (Expecting value: line 1 column 1 (char 0)); fetch it again"
    )
