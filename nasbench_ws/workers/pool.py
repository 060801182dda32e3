"""Many tasks, some processes: run them all, lose nothing that is done, say how far it is.

A task is a function's arguments, and a size for the estimate of time. Results are handed over one by one as
they come, so that the caller can put each on disk. A task that raises is tried again, a worker that dies costs
only its own task; an error of this package is the user's to mend and stops everything at once.

    execute(run_piece, {"a": Task((ranker, piece), 800)}, on_done, workers=2)

`function(*arguments, on_step)` runs in a process of its own (processes.py), on an executor, or here.
"""

from __future__ import annotations

import contextlib
import queue
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar

from nasbench_ws.errors import NasbenchError, RunError
from nasbench_ws.workers.processes import Processes, one_thread_a_process, tell
from nasbench_ws.workers.progress import Meter, OnProgress, Progress
from nasbench_ws.workers.signals import stops_as_interrupts, uninterrupted

__all__ = ["OnProgress", "Progress", "Readiness", "Task", "TaskError", "execute"]
Id = TypeVar("Id", bound=Hashable)
Readiness = Literal["start", "wait", "done"]
POLL_SECONDS = 0.2
REPORT_SECONDS = 0.5  # how often a worker says how far it is
ELSEWHERE_SECONDS = 1.0  # between questions whether a task that had to wait is ready
WORKERS_SECONDS = 3.0  # without any result, until a given executor is asked whether it has workers


@dataclass(frozen=True)
class Task:
    arguments: tuple[Any, ...]
    size: float = 1.0  # in any unit that time is proportional to


class TaskError(Exception):
    """What a task raised, as text: exceptions of any kind need not survive the way back. str() is the traceback."""

    def __init__(self, summary: str, text: str) -> None:
        super().__init__(summary, text)
        self.summary, self.text = summary, text

    def __str__(self) -> str:
        return self.text


def execute(
    function: Callable[..., Any],
    tasks: Mapping[Id, Task],
    on_done: Callable[[Id, Any], None],
    *,
    workers: int | None = None,
    executor: Executor | None = None,
    retries: int = 1,
    on_failed: Callable[[Id, Exception], None] | None = None,
    on_progress: OnProgress | None = None,
    seconds: float | None = None,
    preload: Sequence[str] = (),
    ready: Callable[[Id], Readiness] = lambda _: "start",
) -> None:
    """Run every task; call `on_done(id, result)` in this process as each ends.

    `workers` None or 0: in this process, one after the other. An `executor` is used as it is, and left open; it is
    given `workers` tasks at a time, None or 0: all. Where it has a method `has_workers()`, that is asked now and then,
    and the answer reported.
    A task that still fails after `retries` further tries goes to `on_failed`, or without one raises RunError: with a
    TaskError where it raised, a RunError where its worker died each time, or what the executor says.
    `seconds` are what all of it may take, for the first reports. `preload` are modules that every task needs, imported
    once for all workers where the system allows. `ready` is asked before a task starts: "wait" puts it
    off, "done" leaves it out, for somebody else does it, or has done.
    KeyboardInterrupt, SIGTERM and SIGHUP end the workers at once; what has ended by then is handed over.
    """
    meter = Meter([task.size for task in tasks.values()], on_progress, seconds)
    meter.report()
    fail = _raise if on_failed is None else on_failed
    with stops_as_interrupts(), one_thread_a_process():
        _Pool(function, tasks, on_done, fail, retries, ready, meter, workers, executor, preload).run()


def _raise(name: Hashable, error: Exception) -> None:
    said = error.summary if isinstance(error, TaskError) else f"{type(error).__name__}: {error}"
    raise RunError(f"task {name} failed: {said}; what finished is kept, run the same command again") from error


def _work(
    function: Callable[..., Any], number: int, arguments: tuple[Any, ...], on_step: Callable[[float], None] | None
) -> Any:
    """A task, wherever it runs. `on_step` None: its parent process is told, now and then."""
    try:
        return function(*arguments, on_step=on_step or _Teller(number))
    except NasbenchError:
        raise
    except (Exception, SystemExit) as error:
        summary = "".join(traceback.format_exception_only(error)).strip()
        raise TaskError(summary, traceback.format_exc()) from error


class _Teller:
    def __init__(self, number: int) -> None:
        self._number, self._told = number, 0.0

    def __call__(self, step: float) -> None:
        if time.monotonic() - self._told > REPORT_SECONDS:
            self._told = time.monotonic()
            tell((self._number, step))


class _Here(Executor):
    """Each task at once, in this process."""

    def submit(self, function: Any, /, *arguments: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments, **options))
        except Exception as error:
            future.set_exception(error)
        return future


class _Pool:
    """Tasks on their way: submitted as places come free, tried again, counted. They go by their numbers."""

    def __init__(
        self, function: Any, tasks: Mapping[Any, Task], on_done: Any, on_failed: Any, retries: int, ready: Any,
        meter: Meter, workers: int | None, executor: Executor | None, preload: Sequence[str],
    ) -> None:  # fmt: skip
        self._function, self._names, self._tasks = function, list(tasks), list(tasks.values())
        self._on_done, self._on_failed, self._ready = on_done, on_failed, ready
        self._retries, self._meter = retries, meter
        here = executor is None and not workers
        self._given = _Here() if here else executor
        self._on_step = meter.step if here else None
        self._places = 1 if here else min(workers or len(tasks), len(tasks))
        self._processors = workers or 1  # of processes of our own: theirs when the others have nothing left to do
        self._own: Processes | None = None
        self._preload = preload
        self._waiting = deque(range(len(tasks)))
        self._elsewhere: deque[int] = deque()  # which had to wait, until when they are asked about again
        self._ask_again = 0.0
        self._running: dict[Future[Any], int] = {}
        self._ended: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        self._has_workers: Callable[[], bool] = getattr(executor, "has_workers", lambda: True)
        self._heard = time.monotonic() - WORKERS_SECONDS  # of the executor, the last time: it is asked at the start
        self._tries: Counter[int] = Counter()

    def run(self) -> None:
        try:
            while self._waiting or self._running or self._elsewhere:
                self._submit()
                self._meter.hold(0 if self._running or self._waiting else len(self._elsewhere))
                ended = self._wait()
                self._listen()
                self._settle(ended)
        except KeyboardInterrupt:
            with uninterrupted():
                for future, number in self._running.items():
                    if future.done() and _error(future) is None:
                        self._on_done(self._names[number], future.result())
            raise
        finally:
            for future in self._running:
                future.cancel()
            self._stop()

    def _submit(self) -> None:
        if not self._waiting and time.monotonic() > self._ask_again:
            self._waiting, self._elsewhere = self._elsewhere, self._waiting
        while self._waiting and len(self._running) < self._places:
            number = self._waiting[0]
            readiness = self._ready(self._names[number])
            if readiness != "start":
                self._put_off(readiness)
                continue
            on_step = self._on_step and partial(self._on_step, number)
            try:
                future = self._executor().submit(_work, self._function, number, self._tasks[number].arguments, on_step)
            except RuntimeError as error:  # broken, or shut down
                raise _unusable(error) from error
            self._running[future] = self._waiting.popleft()
            future.add_done_callback(self._ended.put)
        if self._own is not None and self._running:
            self._own.allow(max(1, self._processors // len(self._running)))

    def _put_off(self, readiness: Readiness) -> None:
        number = self._waiting.popleft()
        if readiness == "done":
            self._meter.end(number)
        else:
            self._elsewhere.append(number)
            self._ask_again = time.monotonic() + ELSEWHERE_SECONDS

    def _executor(self) -> Executor | Processes:
        if self._given is not None:
            return self._given
        if self._own is None:
            self._own = Processes(self._places, self._preload)
        return self._own

    def _wait(self) -> list[Future[Any]]:
        """What has ended, after a while at most. Not `wait`, which looks at every future under way each time."""
        ended = []
        with contextlib.suppress(queue.Empty):
            ended.append(self._ended.get(timeout=POLL_SECONDS))
            while True:
                ended.append(self._ended.get_nowait())
        if ended:
            self._heard = time.monotonic()
        elif time.monotonic() - self._heard > WORKERS_SECONDS:
            try:
                self._meter.idle(not self._has_workers())
            except BrokenExecutor as error:
                raise _unusable(error) from error
            self._heard = time.monotonic()
        return ended

    def _listen(self) -> None:
        for number, step in self._own.told() if self._own is not None else ():
            if number in self._running.values():
                self._meter.step(number, step)

    def _settle(self, ended: list[Future[Any]]) -> None:
        errors = {future: _error(future) for future in ended}
        for future in sorted(ended, key=lambda future: errors[future] is not None):  # results are safe before errors
            error = errors[future]
            if error is None:
                with uninterrupted():
                    number = self._running.pop(future)
                    self._on_done(self._names[number], future.result())
                self._meter.end(number)
                continue
            number = self._running.pop(future)
            if isinstance(error, NasbenchError):
                raise error
            if isinstance(error, BrokenExecutor):
                if self._own is None:
                    raise _unusable(error) from error
                self._own.check_started(future)
                error = RunError("its worker process died each time, perhaps for want of memory; try fewer workers")
            self._try_again(number, error)

    def _try_again(self, number: int, error: BaseException) -> None:
        """Or, after the last try, hand the error over."""
        self._tries[number] += 1
        if self._tries[number] <= self._retries:
            self._waiting.appendleft(number)
            return
        self._on_failed(self._names[number], error)
        self._meter.end(number, failed=True)

    def _stop(self) -> None:
        if self._own is not None:
            self._own.stop()
            self._own = None


def _error(future: Future[Any]) -> BaseException | None:
    return CancelledError("it was cancelled") if future.cancelled() else future.exception()


def _unusable(error: BaseException) -> RunError:
    return RunError(f"the executor is broken: {error}; what finished is kept, run the same command with a new one")
