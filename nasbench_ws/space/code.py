"""Which code an operation of a user's own is, so that runs of one version of it are not taken for those of another.

    operation_codes(space)              # {"operation mine": "3b1f..."}; {} where all operations are built in
    other_code(record.versions, operation_codes(space))
    imports_of(Path("my.py"))           # files that it imports, but for installed ones

That is its definition, what this names at the top of its file and so on, and the files it imports, without comments or
layout: a strategy in the same file may change. It is kept beside the versions of libraries, in runs, tables, results.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nasbench_ws.plugins import is_installed
from nasbench_ws.space.cell import Space
from nasbench_ws.space.operations import BUILT_IN, OPERATIONS

PREFIX = "operation "


def operation_codes(space: Space) -> dict[str, str]:
    """The first 16 hex digits of a SHA-256 for each operation of a user's own whose source is at hand."""
    own = [name for name in space.operations if name in OPERATIONS and name not in BUILT_IN]
    found = {PREFIX + name: _digest(OPERATIONS[name]) for name in own}
    return {name: digest for name, digest in found.items() if digest is not None}


def other_code(theirs: Mapping[str, str], ours: Mapping[str, str]) -> str | None:
    """The first operation whose code both know and have otherwise, in words; None where there is none."""
    for name, digest in ours.items():
        there = theirs.get(name, digest)
        if name.startswith(PREFIX) and there != digest:
            return f"the {name} was {there}, and is {digest}"
    return None


def _digest(thing: Any) -> str | None:
    while isinstance(thing, functools.partial):
        thing = thing.func
    try:
        path = inspect.getsourcefile(thing)
        line = thing.__code__.co_firstlineno if hasattr(thing, "__code__") else 0
        if path is None or not Path(path).is_file():  # typed in
            texts = [ast.unparse(ast.parse(inspect.cleandoc(inspect.getsource(thing))))]
        else:
            texts = _definitions(Path(path), str(getattr(thing, "__qualname__", "")).partition(".")[0], line)
    except (OSError, TypeError, SyntaxError):
        return None
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


def _definitions(path: Path, name: str, line: int) -> list[str]:
    """The statements at a file's top that make what is called so, or stands at that line, and the files they import."""
    tree = ast.parse(path.read_bytes())
    makes: dict[str, list[ast.stmt]] = {}
    for one in tree.body:
        for made in _bound(one):
            makes.setdefault(made, []).append(one)
    wanted = makes.get(name) or [one for one in tree.body if one.lineno <= line <= (one.end_lineno or one.lineno)]
    kept = list(wanted)
    for one in kept:  # which grows
        for node in ast.walk(one):
            if isinstance(node, ast.Name):
                kept += [other for other in makes.get(node.id, []) if other not in kept]
    ordered = [one for one in tree.body if one in kept]
    others = sorted(imports_of(path, ast.Module(ordered, [])))
    return [ast.unparse(one) for one in (*ordered, *(ast.parse(other.read_bytes()) for other in others))]


def _bound(statement: ast.stmt) -> Iterator[str]:
    """Names that a statement at the top of a file makes."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
        return
    for node in ast.walk(statement):
        if isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def imports_of(path: Path, tree: ast.AST | None = None) -> list[Path]:
    """Files of the modules that a file imports, and so on, but for installed ones. It has been run: they are loaded.

    Args:
        path: of the file.
        tree: the part of it whose imports count; None: all.
    """
    names = {getattr(module, "__file__", None): name for name, module in list(sys.modules.items())}
    seen, found = {path}, [path]
    for one in found:  # which grows
        if one.suffix != ".py" or not one.is_file():
            continue
        package = names.get(str(one), "").rpartition(".")[0]
        part = tree if tree is not None and one == path else ast.parse(one.read_bytes())
        for name in _named(part, package):
            file = getattr(sys.modules.get(name), "__file__", None)
            if file and Path(file) not in seen and not is_installed(file):
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
