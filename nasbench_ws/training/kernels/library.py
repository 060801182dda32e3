"""The compiled kernels: a library of plain C functions, called through ctypes with pointers; or none.

The extension is optional: without it, or where NASBENCH_WS_ENGINE=plain forbids it, torch computes everything, to
rounding the same. Not here: what the functions mean (kernels.cpp), and the plans they run (training/compiled.py).

    if available():
        function("nbws_update_f32", "ppppipddd")(...)     # p: pointer, i: 64-bit integer, d: double
"""

from __future__ import annotations

import ctypes
import functools
import importlib.machinery
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

SOURCES = ("kernels.cpp", "kernels.inc", "steps.inc", "team.inc")
VERSION = 7  # of every function's arguments and of the plan's layout, as in kernels.cpp
_TYPES: dict[str, Any] = {"p": ctypes.c_void_p, "i": ctypes.c_int64, "d": ctypes.c_double}


def library() -> ctypes.CDLL | None:
    """The compiled kernels, or None where they cannot be used (`missing` says why)."""
    return _opened()[0]


def missing() -> str:
    """Why the kernels cannot be used, and what to do; nothing where they can."""
    return _opened()[1]


@functools.cache
def _opened() -> tuple[ctypes.CDLL | None, str]:
    """The library, or None and the reason."""
    if os.environ.get("NASBENCH_WS_ENGINE") == "plain":
        return None, "NASBENCH_WS_ENGINE=plain; unset it to use them"
    path = built()
    if path is None:
        if any(_extension(there) for there in _installed()):
            return None, _OTHERS
        return None, "they were not built: install a C++ compiler, then run pip install . again"
    try:
        found = ctypes.CDLL(str(path))
        return (found, "") if found.nbws_version() == VERSION else (None, _OTHERS)
    except (OSError, AttributeError) as error:
        return None, f"they do not load ({error}): run pip install . again"


_OTHERS = "they were built from other sources: run pip install . again"


def built() -> Path | None:
    """The file of the compiled kernels: beside this module, or where the package was installed.

    In a clone, `import nasbench_ws` finds the sources, and the kernels are where `pip install` put them. They are used
    if they were made from the very sources that lie here.
    """
    here = Path(__file__).parent
    installed = (_extension(there) for there in _installed() if _same_sources(here, there))
    return _extension(here) or next(filter(None, installed), None)


def _extension(folder: Path) -> Path | None:
    paths = (folder / f"_kernels{suffix}" for suffix in importlib.machinery.EXTENSION_SUFFIXES)
    return next((path for path in paths if path.exists()), None)


def _installed() -> Iterator[Path]:
    """Folders of this module's name further down the path of imports."""
    parts = __name__.split(".")[:-1]
    for entry in sys.path:
        folder = Path(entry or ".", *parts)
        if folder.is_dir() and folder.resolve() != Path(__file__).parent.resolve():
            yield folder


def _same_sources(here: Path, there: Path) -> bool:
    pairs = ((there / name, here / name) for name in SOURCES)
    return all(other.is_file() and other.read_bytes() == own.read_bytes() for other, own in pairs)


def available() -> bool:
    """Whether the compiled kernels can be used here."""
    return library() is not None


def real(dtype: torch.dtype) -> str:
    """How functions for numbers of that type are named."""
    return "f64" if dtype == torch.float64 else "f32"


@functools.cache
def function(name: str, arguments: str) -> Callable[..., int]:
    """A function of the library, which must be available, by the letters of its arguments."""
    found = library()
    assert found is not None
    one: Any = getattr(found, name)
    one.restype = ctypes.c_int
    one.argtypes = [_TYPES[letter] for letter in arguments]
    return one  # type: ignore[no-any-return]
