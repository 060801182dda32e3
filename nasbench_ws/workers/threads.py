"""How many threads a task may compute with: one, or more while processors would have nothing to do.

    with threads_here(2):                  # of tasks in this process
        threads_now()                      # 2

A worker process has one thread; where fewer tasks are left than workers, those at work get the threads of the others.
The count may change while a task runs, so what it computes must not depend on it (training/kernels/team.inc).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Protocol

from nasbench_ws.errors import UsageError


class Count(Protocol):
    """A number that another process may change."""

    value: int


class _Own:
    value = 1


_allowed: Count = _Own()


def threads_now() -> int:
    """Threads that the task of this process may use now."""
    return _allowed.value


def obey(count: Count) -> None:
    """From now on as many as `count` says."""
    global _allowed
    _allowed = count


@contextlib.contextmanager
def threads_here(count: int) -> Iterator[None]:
    """So many for tasks of this process."""
    if count < 1:
        raise UsageError(f"{count} threads: give at least 1")
    own, before = _Own(), _allowed
    own.value = count
    obey(own)
    try:
        yield
    finally:
        obey(before)
