"""The most of what is asked for: by a number, or by a file. More is a slip of the finger, and would take all memory.

    check_most("steps", 10**12, MOST_STEPS)         # UsageError
    whole("12"), whole("1e3"), whole("9" * 5000)    # 12, None, None
    bytes_of("my.json", ResultError, "name another")   # of a file of at most 2**30 bytes, and of nothing else

They lie far above what anyone has trained, and are refused before anything is allocated.
"""

from __future__ import annotations

import operator
import os
import stat
from pathlib import Path
from typing import Any

from nasbench_ws.errors import NasbenchError, ResultError, UsageError

MOST_STEPS = 10**8  # of one network: 800 MB as the numbers of the children that they train; days at a millisecond each
MOST_SEEDS = 2**16  # of one child, or instances of one ranking
MOST_RUNS = 2**22  # of one build: as many files, and some GB to list them
MOST_EVALUATIONS = 10**6  # of one searcher in one repetition: minutes of pure Python
LARGEST_SEED = 2**63 - 1  # which tables store
MAX_BYTES = 2**30  # of one file that is read whole


def check_most(what: str, value: float, most: int, remedy: str = "ask for fewer") -> None:
    """UsageError where `value` is more than `most`."""
    if value > most:
        written = f"{value:,}" if isinstance(value, int) and value < 10**30 else f"{value:.4g}"
        raise UsageError(f"{what} is {written}; it must be at most {most:,}: {remedy}")


def integer(name: str, value: object) -> int:
    """A whole number, of numpy too, whose ints JSON does not know. UsageError for anything else, True among it."""
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise UsageError(f"{name} is {value!r}; it must be a whole number") from None


def plain(value: Any) -> Any:
    """A number or truth value of numpy, or an array of no dimensions, as Python's; anything else as it is."""
    return value.item() if getattr(value, "shape", None) == () else value


def is_real(value: Any) -> bool:
    """Whether a value is a number of Python's, but for truth values."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def whole(text: str) -> int | None:
    """The number that is written in digits; None for anything else, and for more digits than any number here has."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 20 else None


def shown(text: str, most: int = 40) -> str:
    """A user's text for a message, which it shall not fill.

    >>> shown("0-9"), shown("9" * 5000, 5)
    ("'0-9'", "'99999'...")
    """
    return repr(text) if len(text) <= most else f"{text[:most]!r}..."


def bytes_of(
    path: str | Path, error_type: type[NasbenchError] = ResultError, remedy: str = "name another", most: int = MAX_BYTES
) -> bytes:
    """All bytes of a regular file of at most `most` bytes.

    A pipe would be waited for, and /dev/zero never ends: what is no file on a disk is refused before it is opened.
    """
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            what = "a folder" if stat.S_ISDIR(mode) else "a device or a pipe"
            raise error_type(f"{path} is {what}, not a file; {remedy}")
        with open(path, "rb") as file:
            data = file.read(most + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, error_type):
            raise
        said = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)  # a name with a zero byte
        raise error_type(f"{path} cannot be read: {said}; {remedy}") from error
    if len(data) > most:
        raise error_type(f"{path} has more than the {most:,} bytes that are read; {remedy}")
    return data
