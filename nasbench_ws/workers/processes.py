"""Worker processes: started afresh with one thread each, ended at once when told to, and never left behind.

    with sigterm_as_interrupt(), one_thread_a_process():
        workers = Processes(2)
        workers.submit(function, argument).result()
        workers.told()                                # what they said by tell(...), since the last time
        workers.stop()

Not here: which tasks, in which order, and what becomes of them (workers/pool.py).

A worker is spawned (a fork of a process with threads can hang), with one thread, which on networks this small beats
threads by far. It does not see Ctrl-C, which is for the process that started it, and ends with that process, however
that one ends. No torch here, and none in a worker whose task does without.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

_parent: Any = None  # in a worker: the way to tell its parent something


def available_cpus() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def tell(what: Any) -> None:
    """From a worker to its parent; nothing happens in any other process."""
    if _parent is not None:
        _parent.put(what)


class Processes:
    """A pool of worker processes. One that has broken is stopped, and another one made."""

    def __init__(self, count: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._said = context.Queue()
        self._pool = ProcessPoolExecutor(count, context, _prepare, (self._said,))

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        future = self._pool.submit(function, *arguments)
        # The pool's own thread was woken before a process was started for this task, and does not watch that one: its
        # death would be noticed only when another task ends, perhaps in an hour. Anything wakes it again.
        self._pool.submit(int)
        return future

    def told(self) -> Iterator[Any]:
        with contextlib.suppress(queue.Empty, OSError):
            while True:
                yield self._said.get_nowait()

    def stop(self) -> None:
        """End the processes at once, whatever they do."""
        for process in list((self._pool._processes or {}).values()):  # kill_workers() from Python 3.14 on
            process.kill()
        self._pool.shutdown(wait=True, cancel_futures=True)


def _prepare(parent: Any) -> None:
    global _parent
    _parent = parent
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    starter = multiprocessing.parent_process()
    assert starter is not None

    def follow() -> None:
        starter.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


@contextlib.contextmanager
def one_thread_a_process() -> Iterator[None]:
    """Processes that start meanwhile find these variables set before any library reads them."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """SIGTERM, which batch systems send at the end of the time, becomes KeyboardInterrupt."""
    if threading.current_thread() is not threading.main_thread():  # where Python forbids handlers
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
