"""Who makes which run, where several builders share a folder: a locked file for each run under way.

    with Claims(folder) as claims:             # the end releases what is held
        if claims.take(hash, seed): ...        # False: another builder makes it
        claims.release(hash, seed)

What is promised: of builders that see each other's locks, one at a time makes a run, and the run of one that ends,
however it ends, is free at once. The system releases the locks of a process that is no more, so no clock, host name or
process number is asked. Locks are those of flock(2): on a local disk always seen, on NFS where its lock service runs,
on Lustre where it is mounted with `flock`. Where a file system has none, or machines do not see each other's, a run may
be made twice, with the same numbers, and none is lost by it; divide the work with shards there. Not promised: progress
beside a builder that is alive and stands still; the others say that they wait for it, and end when it does.

Each claim keeps one file open.
"""

from __future__ import annotations

import contextlib
import errno
import warnings
from pathlib import Path
from typing import Self

from filelock import FileLock, Timeout

from nasbench_ws.json_files import refusal

NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)  # what file systems without them say


class Claims:
    """Those of one builder, in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / ".claims"
        self._held: dict[Path, FileLock] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for path in list(self._held):
            self._drop(path)

    def take(self, hash: str, seed: int) -> bool:
        """Whether the run is this builder's to make. OutputError where the folder takes no claims."""
        path = self._path(hash, seed)
        if path in self._held:
            return True
        lock = FileLock(path, blocking=False, thread_local=False, fallback_to_soft=False)
        with refusal(path):
            self._folder.mkdir(exist_ok=True)
            try:
                lock.acquire()
            except Timeout:  # which is an OSError
                return False
            except OSError as error:
                if error.errno not in NO_LOCKS:
                    raise
                warnings.warn(
                    f"{self._folder} takes no locks ({error.strerror}): other builders in this folder may make the "
                    "same runs, with the same numbers; divide the work with shards",
                    stacklevel=2,
                )
        self._held[path] = lock
        return True

    def release(self, hash: str, seed: int) -> None:
        path = self._path(hash, seed)
        if path in self._held:
            self._drop(path)

    def _drop(self, path: Path) -> None:
        lock = self._held.pop(path)
        with contextlib.suppress(OSError):  # a file that is left is nobody's claim
            path.unlink()  # while it is locked; who has opened it by now notices that it is gone
        lock.release()

    def _path(self, hash: str, seed: int) -> Path:
        return self._folder / f"{hash}-{seed}"
