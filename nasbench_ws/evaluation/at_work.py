"""Which evaluations are at work in a folder of finished pieces, so that none deletes what another still counts on.

    with in_use(folder):                  # while it runs
        ...
    if is_mine_alone(folder):             # at its end
        ...                               # its files may go

A shared lock of flock(2) on the folder itself: the system releases it with its process, however that ends. Where a
file system has no such locks, every evaluation takes itself to be alone. Not here: what is kept (evaluate.py), and
builders' claims, which exclude one another (training/building/claims.py).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def in_use(folder: Path | None) -> Iterator[None]:
    """Inside, other processes see that the folder is used. None: there is no folder."""
    if folder is None:
        yield
        return
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # a folder that cannot be made is refused where it is written to
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(_locked(folder, fcntl.LOCK_SH))
        yield


def is_mine_alone(folder: Path) -> bool:
    """Whether no other process is at work in it now."""
    try:
        with _locked(folder, fcntl.LOCK_EX):
            return True
    except BlockingIOError:
        return False
    except OSError:  # gone, or no locks
        return True


@contextlib.contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)
