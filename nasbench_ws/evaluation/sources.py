"""Which code a ranker's numbers depend on, so that work is kept for that very code and no other.

    sources(["my.py:MyStrategy"])       # {"my.py": "3b1f...", "helper.py": "9c0a..."}

That is the file it is in, every module which that file imports, and so on, outside of the installed packages, and what
it read while it was run. Versions of packages, this one's among them, are not here (provenance.py).
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import inspect
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nasbench_ws.errors import UsageError
from nasbench_ws.plugins import OURS, is_installed, read_by
from nasbench_ws.sharing.mixed import RULES
from nasbench_ws.sharing.strategies import BUILT_IN, ENTRY_POINTS
from nasbench_ws.space.code import imports_of


def sources(things: Sequence[Any]) -> dict[str, str]:
    """SHA-256 by path of every file of code that the things, objects or names, depend on.

    UsageError for an object whose code is in no file.
    """
    found: dict[str, str] = {}
    for path in filter(None, map(file_of, things)):
        for one in (path, *imports_of(path)):
            found[str(one)] = hashlib.sha256(one.read_bytes()).hexdigest()
        for one in read_by(path):
            if str(one) not in found and one.is_file() and not is_installed(str(one)) and one.parts[1] not in SYSTEM:
                found[str(one)] = _told_apart(one)
    return dict(sorted(found.items()))


SYSTEM = ("proc", "sys", "dev")  # folders of what changes by itself
MOST_BYTES = 2**26  # that are read to tell a file from its next version; the clock and the size do for more


def _told_apart(path: Path) -> str:
    about = path.stat()
    if about.st_size > MOST_BYTES:
        return f"{about.st_size} bytes of {about.st_mtime_ns}"
    return hashlib.sha256(path.read_bytes()).hexdigest()


def file_of(thing: Any) -> Path | None:
    """Where a thing's code is; None for what is built in."""
    if not isinstance(thing, str):
        kind = thing if inspect.isclass(thing) or inspect.isroutine(thing) else type(thing)
        path = getattr(sys.modules.get(kind.__module__), "__file__", None)
        if path is None:
            raise UsageError(
                f"{kind.__qualname__} is in no file, so that an edited one could not be distinguished from what is "
                "kept; write it in a file, or leave folder out"
            )
        return None if str(path).startswith(OURS + os.sep) else Path(path)
    head, _, rest = thing.partition(":")
    if head in BUILT_IN:
        return Path(rest.partition(":")[2]) if rest.startswith("file:") else None
    if head == "mixed":  # a schedule
        return None if rest in RULES else Path(rest)
    if head.endswith(".py"):
        return Path(head)
    for point in importlib.metadata.entry_points(group=ENTRY_POINTS):
        if point.name in (thing, head):  # with arguments, or without
            head = point.module
    path = getattr(sys.modules.get(head), "__file__", None) or ""
    return Path(path) if path else None
