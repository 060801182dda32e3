"""Which code a ranker's numbers depend on, so that work is kept for that very code and no other.

    sources(["my.py:MyStrategy"])       # {"my.py": "3b1f...", "helper.py": "9c0a..."}

That is the file it is in and every module which that file imports, and so on, outside of the installed packages. Their
versions, this package's among them, are not here (provenance.py).
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import inspect
import os
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nasbench_ws.errors import UsageError
from nasbench_ws.sharing.strategies import BUILT_IN, ENTRY_POINTS

STANDARD = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib")})
OURS = str(Path(__file__).parents[1])


def sources(things: Sequence[Any]) -> dict[str, str]:
    """SHA-256 by path of every file of code that the things, objects or names, depend on.

    UsageError for an object whose code is in no file.
    """
    found: dict[str, str] = {}
    for path in filter(None, map(file_of, things)):
        for one in (path, *imports_of(path)):
            found[str(one)] = hashlib.sha256(one.read_bytes()).hexdigest()
    return dict(sorted(found.items()))


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
    if head.endswith(".py"):
        return Path(head)
    for point in importlib.metadata.entry_points(group=ENTRY_POINTS):
        if point.name in (thing, head):  # with arguments, or without
            head = point.module
    path = getattr(sys.modules.get(head), "__file__", None) or ""
    return Path(path) if path else None


def imports_of(path: Path) -> list[Path]:
    """Files of the modules that a file imports, and so on, but for installed ones. It has been run: they are loaded."""
    names = {getattr(module, "__file__", None): name for name, module in list(sys.modules.items())}
    seen, found = {path}, [path]
    for one in found:  # which grows
        if one.suffix != ".py" or not one.is_file():
            continue
        package = names.get(str(one), "").rpartition(".")[0]
        for name in _named(ast.parse(one.read_bytes()), package):
            file = getattr(sys.modules.get(name), "__file__", None)
            if file and Path(file) not in seen and not _installed(file):
                seen.add(Path(file))
                found.append(Path(file))
    return found[1:]


def _named(tree: ast.AST, package: str) -> Iterator[str]:
    """The full name of everything that is imported anywhere in a module, and of the packages that it is in."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            wanted = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parts, *([node.module] if node.module else [])])
            wanted = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in wanted:
            yield from (name.rsplit(".", depth)[0] for depth in range(name.count(".") + 1))


def _installed(place: str) -> bool:
    whole = os.path.realpath(place)
    inside = any(whole.startswith(root + os.sep) for root in (*map(os.path.realpath, STANDARD), OURS))
    return inside or not {"site-packages", "dist-packages"}.isdisjoint(Path(whole).parts)
