"""Who makes which run, where several builders share a folder: a small file for each run under way.

    with Claims(folder) as claims:             # a thread renews what is held, and the end releases it
        if claims.take(hash, seed): ...        # False: another builder makes it
        claims.release(hash, seed)

A claim whose builder is dead is taken over: at once where that ran on this machine and its process is no more, else
when it has not been renewed for STALE_SECONDS; a process's number alone proves no life, for after a restart another
has it. At worst a run is made twice, with the same numbers; none is lost by it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from pathlib import Path
from typing import Self

from nasbench_ws.json_files import refusal

BEAT_SECONDS = 30.0
STALE_SECONDS = 600.0  # by the file system's clock


class Claims:
    """Those of one builder, in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / ".claims"
        self._own: set[Path] = set()
        self._who = f"{socket.gethostname()} {os.getpid()} {os.urandom(4).hex()}"
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._renew, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for path in list(self._own):
            self._drop(path)

    def take(self, hash: str, seed: int) -> bool:
        """Whether the run is this builder's to make."""
        path = self._path(hash, seed)
        if path in self._own:
            return True
        with refusal(path):
            self._folder.mkdir(exist_ok=True)
            if _is_stale(path):
                path.unlink(missing_ok=True)
            try:
                self._make(path)
            except FileExistsError:
                return False
        self._own.add(path)
        return True

    def _make(self, path: Path) -> None:
        """The claim, with its owner in it from the first moment where the file system has hard links."""
        whole = self._folder / f".{os.urandom(8).hex()}"
        whole.write_text(self._who)
        try:
            os.link(whole, path)
        except FileExistsError:
            raise
        except OSError:
            with path.open("x") as file:
                file.write(self._who)
        finally:
            whole.unlink()

    def release(self, hash: str, seed: int) -> None:
        path = self._path(hash, seed)
        if path in self._own:
            self._drop(path)

    def _drop(self, path: Path) -> None:
        self._own.discard(path)
        with contextlib.suppress(OSError):  # then it becomes stale
            path.unlink()

    def _renew(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            for path in list(self._own):
                with contextlib.suppress(OSError):
                    os.utime(path)

    def _path(self, hash: str, seed: int) -> Path:
        return self._folder / f"{hash}-{seed}"


def _is_stale(path: Path) -> bool:
    """Whether the claim's builder is dead, as far as can be seen from here."""
    try:
        age = time.time() - path.stat().st_mtime
        words = path.read_text().split()
    except OSError:
        return False  # there is none, or it has just gone
    here = len(words) == 3 and words[0] == socket.gethostname() and words[1].isdecimal()
    return age > STALE_SECONDS or (here and not _runs(int(words[1])))


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):  # another user's; or no number of a process, and so left to its age
        pass
    return True
