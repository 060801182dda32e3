"""What a stored number was made with: library versions.

    versions()     # {"nasbench-ws": "0.1.0", "python": "3.11.7", ...}

Reads installed metadata; imports none of the libraries. The package's own version is that of the code that runs, which
may lie on the path without being installed.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import platform
from pathlib import Path

from nasbench_ws import __version__


@functools.cache
def processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()


@functools.cache
def _versions() -> tuple[tuple[str, str], ...]:
    found = [("nasbench-ws", __version__)]
    for name in ("torch", "numpy"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # look-ups do without torch
            found.append((name, importlib.metadata.version(name)))
    return (*found, ("python", platform.python_version()))


def versions() -> dict[str, str]:
    """Versions of this package, torch (where it is installed), numpy and Python."""
    return dict(_versions())
