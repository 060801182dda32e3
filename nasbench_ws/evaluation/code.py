"""The user's own code as a result keeps it, so that nobody has to ask later which version was measured.

    code_of(["my.py:MyStrategy"])       # Code("my.py", "class MyStrategy: ...", "3b1f...", 312, {"helper.py": ...})

Not here: which files numbers depend on (sources.py), and what a result's `code` holds (results/outcome.py).
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import linecache
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nasbench_ws.errors import UsageError
from nasbench_ws.evaluation.sources import file_of
from nasbench_ws.results.outcome import LONGEST_CODE, MOST_HELPERS, Code
from nasbench_ws.space.code import imports_of


def code_of(things: Sequence[Any]) -> Code | None:
    """The user's own code among the things, objects or names; None where all is built in, or nobody has the source.

    Of what is in a file it is the whole file; of a class or function of a notebook, that class or function.
    """
    for thing in things:
        try:
            path = file_of(thing)
        except UsageError:  # in no file: of a notebook, or of an interpreter
            kind = thing if inspect.isclass(thing) or inspect.isroutine(thing) else type(thing)
            text = typed_in(kind)
            if text is not None:
                return Code(kind.__name__, text[:LONGEST_CODE], _sha256(text.encode()), len(text))
            continue
        if path is not None and path.is_file():
            data = path.read_bytes()
            text = data.decode(errors="replace")
            others = {_short(one, path.parent): _sha256(one.read_bytes()) for one in imports_of(path)}
            helpers = dict(sorted(others.items())[:MOST_HELPERS])
            return Code(path.name, text[:LONGEST_CODE], _sha256(data), len(text), helpers)
    return None


def typed_in(kind: Any) -> str | None:
    """The source of a class or function that was typed in: IPython keeps its cells' lines. None where nobody does.

    `inspect.getsource` asks a class's module for its file, which `__main__` has none of.
    """
    members = [kind] if inspect.isroutine(kind) else list(vars(kind).values())
    for member in members:
        code = getattr(getattr(member, "__func__", member), "__code__", None)
        if code is None:
            continue
        lines = linecache.getlines(code.co_filename)
        for node in ast.walk(ast.parse("".join(lines))):
            if getattr(node, "name", None) != kind.__name__ or not isinstance(node, ast.ClassDef | ast.FunctionDef):
                continue
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            if node.end_lineno is not None and first <= code.co_firstlineno <= node.end_lineno:
                return "".join(lines[first - 1 : node.end_lineno])
    return None


def _short(path: Path, folder: Path) -> str:
    """Without what says whose machine it is."""
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else f"{path.parent.name}/{path.name}"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
