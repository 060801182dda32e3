"""Worker processes: started afresh with one thread each, ended at once on request, and never left behind.

    with one_thread_a_process():
        workers = Processes(2)
        workers.submit(function, argument).result()
        workers.told()                                # what they said by tell(...), since the last time
        workers.stop()

Not here: which tasks, in which order, and what becomes of them (workers/pool.py), and what interrupts (signals.py).

Every place is an executor of one process: a process that dies breaks its own executor and ends its own task, so that a
death has one cause. A worker has one thread, which beats threads while there are tasks for all workers; then those at
work are allowed the threads of the others (threads.py). It ignores Ctrl-C and a terminal that closes, which are for the
process that started it, and ends with that process, however that one ends.

A worker is spawned, for a fork of a process with threads can hang. Where its task needs libraries that are slow to
import, and the system is Linux, it is forked from a server of Python's own that has imported them once and has no
threads: torch costs 2.8 CPU seconds and 500 MiB a process otherwise. No torch here, and none in a worker whose task
does without.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import BaseContext
from multiprocessing.reduction import ForkingPickler
from typing import Any

from nasbench_ws.errors import RunError, UsageError
from nasbench_ws.workers.signals import SIGNALS, hear, unheard
from nasbench_ws.workers.threads import obey

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_STARTED = "started"  # a worker's first word

_parent: Any = None  # in a worker: the pipe to its parent


def available_cpus() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def tell(what: Any) -> None:
    """From a worker to its parent; nothing happens in any other process."""
    if _parent is not None:
        _parent.send(what)


class Processes:
    """`count` places of one process each. A place whose process died gets another one with its next task.

    `preload` are modules that every task needs. The first that are named in a program are those of all its workers.
    """

    def __init__(self, count: int, preload: Sequence[str] = ()) -> None:
        if getattr(multiprocessing.current_process(), "_inheriting", False):
            raise RunError(  # no UsageError, which the script may be ready for
                "this is a worker process, which imports the script that started it, and the script starts workers "
                "again; it must start them under `if __name__ == '__main__':` alone"
            )
        resource_tracker.ensure_running()  # which lifts any mask of signals when it starts (`unheard`)
        context: BaseContext = multiprocessing.get_context("spawn")
        if preload and sys.platform == "linux":
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload(list(preload))
            _start_server()
        self._threads: Any = context.RawValue("i", 1)
        self._places = [_Place(context, self._threads) for _ in range(count)]

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """On a free place, of which there must be one."""
        place = next(place for place in self._places if place.free)
        try:
            packed = bytes(ForkingPickler.dumps((function, arguments)))
        except Exception as error:
            failed: Future[Any] = Future()
            failed.set_exception(error)
            return failed
        return place.submit(_unpacked, packed)

    def allow(self, threads: int) -> None:
        """So many threads for each process that is at work, from now on."""
        self._threads.value = threads

    def told(self) -> Iterator[Any]:
        for place in self._places:
            yield from place.told()

    def check_started(self, future: Future[Any]) -> None:
        """UsageError where the process of a broken task ended of itself before it could take one."""
        next(place for place in self._places if place.future is future).check_started()

    def stop(self) -> None:
        """End the processes at once, whatever they do."""
        for place in self._places:
            place.kill()
        for place in self._places:
            place.close()


class _Place:
    """An executor of one process, the pipe on which that process reports, and its latest task."""

    def __init__(self, context: BaseContext, threads: Any) -> None:
        self._context, self._threads = context, threads
        self.future: Future[Any] | None = None
        self._open()

    def _open(self) -> None:
        self._ear, mouth = self._context.Pipe(duplex=False)
        self._started = False
        self._process: Any = None
        self._executor = ProcessPoolExecutor(1, self._context, _prepare, (mouth, dict(os.environ), self._threads))

    @property
    def free(self) -> bool:
        return self.future is None or self.future.done()

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        with unheard():  # it starts a process, which nothing would end if it were interrupted
            try:
                self.future = self._executor.submit(function, *arguments)
            except BrokenExecutor:  # by its latest task, or since
                self.close()
                self._open()
                self.future = self._executor.submit(function, *arguments)
            (self._process,) = self._executor._processes.values()
        return self.future

    def told(self) -> Iterator[Any]:
        with contextlib.suppress(EOFError, OSError):
            while self._ear.poll():
                what = self._ear.recv()
                if what == _STARTED:
                    self._started = True
                else:
                    yield what

    def check_started(self) -> None:
        list(self.told())
        # The executor's thread takes the status of its process: whoever asks beside it may get none, or another.
        self._executor.shutdown(wait=True)
        if not self._started and self._process.exitcode >= 0:  # below 0: killed by a signal, for want of memory perhaps
            raise _ended_early(self._process.exitcode)

    def kill(self) -> None:
        if self._process is not None and self._process.is_alive():
            self._process.kill()

    def close(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._ear.close()


@functools.cache
def _start_server() -> None:
    """Have Python's server of forks run, and wait until it has imported what it shall. UsageError as of a worker.

    It never hears of an interruption, and ends with this process. The wait is for a first process that does nothing: if
    it is interrupted, no worker has been asked for, which the server would start when this process is gone.
    """
    with unheard():
        forkserver.ensure_running()
    first = multiprocessing.get_context("forkserver").Process()
    try:
        first.start()
        first.join()
    except KeyboardInterrupt:  # it would import for seconds more, with this one's stderr in its hand
        server: Any = forkserver._forkserver
        os.kill(server._forkserver_pid, signal.SIGKILL)
        raise
    if first.exitcode and first.exitcode > 0:
        raise _ended_early(first.exitcode)


def _ended_early(status: int) -> UsageError:
    return UsageError(
        f"a worker process ended with status {status} while it started; its error is printed above. Workers import the "
        "script that starts them, so it must start them under `if __name__ == '__main__':` alone"
    )


def _unpacked(packed: bytes) -> Any:
    """In a worker: a task that is read here, for what is not readable would end the executor's process, and not say so.

    UsageError where it is not.
    """
    try:
        function, arguments = ForkingPickler.loads(packed)
    except Exception as error:
        raise UsageError(
            f"a worker process could not read its task: {type(error).__name__}: {error}; what is defined at a prompt, "
            "or under `if __name__ == '__main__':`, exists in one process alone: define it in a file, at the top level"
        ) from None
    return function(*arguments)


def _prepare(mouth: Any, environment: dict[str, str], threads: Any) -> None:
    global _parent
    _parent = mouth
    obey(threads)
    for name in os.environ.keys() - environment.keys():  # a server of forks has the one of the time it started
        del os.environ[name]
    os.environ.update(environment)
    for number in SIGNALS:
        if number != signal.SIGTERM:  # by which one of them may be ended
            signal.signal(number, signal.SIG_IGN)
    hear()
    starter = multiprocessing.parent_process()
    assert starter is not None

    def follow() -> None:
        starter.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
    tell(_STARTED)


@contextlib.contextmanager
def one_thread_a_process() -> Iterator[None]:
    """Processes that start meanwhile find these variables set before any library reads them.

    And they import no file of the folder one stands in as a library: Python looks there first where it is given -c.
    """
    found = {**dict.fromkeys(THREADS, "1"), "PYTHONSAFEPATH": "1"}
    before = {name: os.environ.get(name) for name in found}
    os.environ.update(found)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
