"""The compiled kernels: a library of plain C functions, called through ctypes with pointers; or none.

The extension is optional: without it, or where NASBENCH_WS_ENGINE=plain forbids it, torch computes everything, to
rounding the same. Not here: what the functions mean (kernels.cpp), and the plans they run (engine.py).

    if available():
        function("nbws_update_f32", "ppppipddd")(...)     # p: pointer, i: 64-bit integer, d: double
"""

from __future__ import annotations

import ctypes
import functools
import importlib.machinery
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

VERSION = 2  # of every function's arguments and of the plan's layout, as in kernels.cpp
_TYPES: dict[str, Any] = {"p": ctypes.c_void_p, "i": ctypes.c_int64, "d": ctypes.c_double}


@functools.cache
def library() -> ctypes.CDLL | None:
    """The compiled kernels, or None where they were not built or are forbidden."""
    if os.environ.get("NASBENCH_WS_ENGINE") == "plain":
        return None
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        path = Path(__file__).with_name(f"_kernels{suffix}")
        if path.exists():
            try:
                found = ctypes.CDLL(str(path))
                return found if found.nbws_version() == VERSION else None
            except (OSError, AttributeError):
                return None
    return None


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
