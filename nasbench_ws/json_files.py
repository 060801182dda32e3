"""JSON files that are whole or absent, and that notice damage.

A record is a JSON object with its format's name, a schema version and a digest of its contents. It is written
to a temporary name in the same folder, synced, then renamed.

    write_record(path, "nasbench-ws result", data)
    read_record(path, "nasbench-ws result") == data
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from nasbench_ws.errors import NasbenchError, OutputError, ResultError, UsageError, near_misses
from nasbench_ws.limits import bytes_of


def check_keys(what: str, data: Mapping[str, Any], kind: type[Any]) -> None:
    """A key with a default may be absent: files written before there was such a key stay readable."""
    known = [field.name for field in fields(kind)]
    for name in data:
        if name not in known:
            raise UsageError(f"unknown {what} key {name!r}{near_misses(name, known)}; known are {', '.join(known)}")
    for field in fields(kind):
        if field.name not in data and field.default is MISSING:
            raise UsageError(f"the {what} has no {field.name!r}; it takes {', '.join(known)}")


SCHEMA_VERSION = 1
OURS, HEAD_BYTES = b"nasbench-ws", 4096  # what a record has among its first bytes: the name of its format
BEGINNING = b'{"format":"nasbench-ws'
REMEDY = "delete it, and run the command that wrote it again"
LONGEST_WHOLE = 19  # digits of one in a file: those of 64 bits
DIGITS = bytes(ord("0") if byte in b"0123456789" else ord(" ") for byte in range(256))
TOO_LONG = b"0" * (LONGEST_WHOLE + 1)  # among a text's digits
ENVELOPE = ("format", "schema_version", "digest")


def write_record(path: Path, kind: str, data: Mapping[str, Any]) -> None:
    """Write an object without NaN. OutputError names what hinders.

    Halves of surrogate pairs, as in the names of files that are not UTF-8, are written out: no text holds them.
    """
    whole = {"format": kind, "schema_version": SCHEMA_VERSION, **data}
    if "\\ud" in json.dumps(whole):
        whole = _of_letters(whole)
    text = json.dumps({**whole, "digest": digest(whole)}, separators=(",", ":"), allow_nan=False)
    with refusal(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, (text + "\n").encode())


def read_record(
    path: str | Path,
    kind: str,
    error_type: type[NasbenchError] = ResultError,
    remedy: str = REMEDY,
) -> dict[str, Any]:
    """The object in a file, its digest checked and its envelope taken off. `error_type` says what is wrong.

    Args:
        path: of the file.
        kind: its format's name.
        error_type: what to raise.
        remedy: what to do where it is broken; REMEDY is for files that a user names, which may be somebody else's.
    """
    text = bytes_of(path, error_type, f"name the file of a {kind}")
    try:
        data = _parsed(text)
        if not isinstance(data, dict):
            raise ValueError(f"a JSON {type(data).__name__}")
    except (ValueError, RecursionError) as error:
        head = text[:HEAD_BYTES]
        theirs = OURS not in head and not BEGINNING.startswith(head)  # and nobody is to delete it
        if theirs and remedy == REMEDY:
            raise error_type(f"{path} is no {kind} ({error}); name a file that nasbench-ws wrote") from error
        raise error_type(f"{path} is not a whole file of a {kind} ({error}); {remedy}") from error
    if data.get("format") != kind:
        raise error_type(f"{path} is JSON, but not a {kind}; name another file")
    if data.get("schema_version") != SCHEMA_VERSION:
        found = data.get("schema_version")
        raise error_type(f"{path} has schema {found}, this package reads {SCHEMA_VERSION}; {remedy}")
    stated = data.pop("digest", None)
    try:
        found = digest(data)
    except ValueError as error:
        raise error_type(f"{path} holds a number that is not finite, and JSON has none such; {remedy}") from error
    if stated != found:
        raise error_type(f"{path} is damaged: its contents have SHA-256 {found}, and it states {stated}; {remedy}")
    return {key: value for key, value in data.items() if key not in ENVELOPE}


def _parsed(text: bytes) -> Any:
    """As json.loads, four times as fast for what is well; json says what is wrong with the rest."""
    import msgspec  # look-ups read no record, and are spared it

    if TOO_LONG not in text.translate(DIGITS):  # ten times as fast as a regular expression
        with contextlib.suppress(msgspec.MsgspecError, RecursionError):
            return msgspec.json.decode(text)
    data = json.loads(text, parse_int=_whole)
    if data != _of_letters(data):
        raise ValueError("a text in it has half of a surrogate pair, which is no letter")
    return data


def _of_letters(value: Any) -> Any:
    """The value with halves of surrogate pairs, in texts and in names, written out."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, Mapping):
        return {_of_letters(key): _of_letters(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_of_letters(item) for item in value]
    return value


def _whole(text: str) -> int:
    if len(text.lstrip("-")) > LONGEST_WHOLE:
        raise ValueError(f"the whole number {text[:LONGEST_WHOLE]}... is larger than any count")
    return int(text)


def without_nan(value: Any) -> Any:
    """The value with NaN and infinities as None throughout, since JSON has neither."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return value


def digest(data: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON: sorted keys, no blanks, ASCII. ValueError of a number that is not finite."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that its name holds the old bytes or all of the new ones, whatever happens between."""
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")  # two writers never share one
    with refusal(path):
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                _sync(file.fileno())
            _rename(temporary, path, data)
        finally:
            with contextlib.suppress(OSError):  # gone where it was renamed; and never hides what was raised
                temporary.unlink()
        _sync_folder(path.parent)


def _rename(temporary: Path, path: Path, data: bytes) -> None:
    try:
        os.replace(temporary, path)
    except FileNotFoundError:  # NFS: a reply was lost, and what was asked for again had been done
        if not path.exists() or path.read_bytes() != data:
            raise


def _sync(descriptor: int) -> None:
    """Bring it to the disk, where its file system can: some refuse to, and have it whole."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise


def _sync_folder(path: Path) -> None:
    """Bring the names in a folder to the disk. One that may be written and not read is left to the system."""
    try:
        folder = os.open(path, os.O_RDONLY)
    except PermissionError:
        return
    try:
        _sync(folder)
    finally:
        os.close(folder)


def clear_leftovers(path: Path) -> None:
    """Remove what writers of this file left that were killed. For the one who alone may write it now."""
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        with refusal(leftover):
            leftover.unlink(missing_ok=True)


@contextlib.contextmanager
def refusal(path: Path) -> Iterator[None]:
    """Turn what the system says of a path that cannot be written into an OutputError with the next step."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "free some space and run the same command again" if full else "choose a place that can be written"
        raise OutputError(f"{path} cannot be written: {error.strerror or error}; {remedy}") from error


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """The keys in which two mappings differ: `epochs 4.0, not 10.0, lr 0.2, not 0.1`."""
    return ", ".join(
        f"{key} {there.get(key)}, not {here.get(key)}"
        for key in sorted({*there, *here})
        if there.get(key) != here.get(key)
    )


def cache_folder() -> Path:
    """Where this package keeps what it can make again: $NASBENCH_WS_CACHE, else where the system wants such files."""
    from platformdirs import user_cache_path

    named = os.environ.get("NASBENCH_WS_CACHE")
    return Path(named) if named else user_cache_path("nasbench-ws", appauthor=False)


@contextlib.contextmanager
def kept_if_used(folder: Path | None) -> Iterator[None]:
    """Inside, a folder may be made; if nothing is in it afterwards, it goes again. None: no folder."""
    there = folder is None or folder.exists()
    try:
        yield
    finally:
        if folder is not None and not there:
            with contextlib.suppress(OSError):  # where something is in it
                folder.rmdir()


def named_folder(folder: str | os.PathLike[str]) -> Path:
    """Its path. UsageError for an empty name, which `Path` makes the folder one stands in of."""
    if not os.fspath(folder):
        raise UsageError("the name of the folder is empty; give one")
    return Path(folder)


def check_writable(folder: Path) -> None:
    """OutputError where the folder can neither be written nor made."""
    with refusal(folder):
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".{os.urandom(4).hex()}.tmp"
        probe.touch()
        probe.unlink()
