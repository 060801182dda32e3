"""Many tasks, some processes: run them all, lose nothing that is done, say how far it is.

A task is a function's arguments, and a size for the estimate of time. Results are handed over one by one as
they come, so that the caller can put each on disk. A task that raises is tried again, a worker that dies costs
only its own task; an error of this package is the user's to mend and stops everything at once.

    execute(run_part, {"a": Task((setting, 0), 800)}, on_done, workers=2)

`function(*arguments, on_step)` runs in a worker with one thread. No torch here.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import time
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, TypeVar

from nasbench_ws.errors import NasbenchError, RunError

Id = TypeVar("Id", bound=Hashable)
POLL_SECONDS = 0.2
REPORT_SECONDS = 0.5  # how often a worker says how far it is


@dataclass(frozen=True)
class Task:
    arguments: tuple[Any, ...]
    size: float = 1.0  # in any unit that time is proportional to


@dataclass(frozen=True)
class Progress:
    """`fraction` is of the sizes, tasks under way included; `seconds_left` is None where nobody knows yet."""

    done: int
    failed: int
    total: int
    fraction: float
    seconds_left: float | None


OnProgress = Callable[[Progress], None]


def available_cpus() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def execute(
    function: Callable[..., Any],
    tasks: Mapping[Id, Task],
    on_done: Callable[[Id, Any], None],
    *,
    workers: int | None = None,
    executor: Executor | None = None,
    retries: int = 1,
    on_failed: Callable[[Id, BaseException], None] | None = None,
    on_progress: OnProgress | None = None,
    seconds: float | None = None,
) -> None:
    """Run every task; call `on_done(id, result)` in this process as each ends.

    `workers` None or 0: in this process, one after the other. An `executor` is used as it is, and left open; it is
    given `workers` tasks at a time, None or 0: all.
    A task that still fails after `retries` further tries goes to `on_failed`, or without one raises RunError.
    `seconds` are what all of it may take, for the first reports.
    KeyboardInterrupt ends the workers at once; what was handed over stays handed over.
    """
    meter = _Meter(tasks, on_progress, seconds)
    meter.report()
    if not tasks:
        return
    fail = _raise if on_failed is None else on_failed
    if executor is None and not workers:
        for name, task in tasks.items():
            _attempt(name, task, function, on_done, fail, retries, meter)
        return
    _Pool(function, tasks, on_done, fail, retries, meter, workers or len(tasks), executor).run()


def _raise(name: Hashable, error: BaseException) -> None:
    raise RunError(
        f"task {name} failed: {type(error).__name__}: {error}; what finished is kept, run the same command again"
    ) from error


def _attempt(
    name: Any, task: Task, function: Callable[..., Any], on_done: Any, fail: Any, retries: int, meter: _Meter
) -> None:
    for attempt in range(retries + 1):
        try:
            result = function(*task.arguments, on_step=lambda step: meter.step(name, step))
        except NasbenchError:
            raise
        except Exception as error:
            if attempt == retries:
                fail(name, error)
                meter.end(name, failed=True)
                return
        else:
            on_done(name, result)
            meter.end(name)
            return


class _Meter:
    """How far the work is, and how long the rest will take at the pace so far."""

    def __init__(self, tasks: Mapping[Any, Task], on_progress: OnProgress | None, seconds: float | None) -> None:
        self._guess = seconds
        self._sizes = {name: task.size for name, task in tasks.items()}
        self._total = sum(self._sizes.values()) or 1.0
        self._under_way: dict[Any, float] = {}
        self._done = self._failed = 0
        self._ended = 0.0
        self._on_progress = on_progress
        self._started = time.monotonic()
        self._reported = 0.0

    def step(self, name: Any, step: float) -> None:
        before = self._under_way.get(name, 0.0)  # of an earlier try, perhaps
        self._under_way[name] = max(before, min(step, self._sizes[name]))
        if time.monotonic() - self._reported > POLL_SECONDS:
            self.report()

    def end(self, name: Any, failed: bool = False) -> None:
        self._under_way.pop(name, None)
        self._ended += self._sizes[name]
        self._failed += failed
        self._done += not failed
        self.report()

    def report(self) -> None:
        if self._on_progress is None:
            return
        self._reported = time.monotonic()
        ended = self._done + self._failed == len(self._sizes)
        fraction = 1.0 if ended else (self._ended + sum(self._under_way.values())) / self._total
        passed = self._reported - self._started
        left = passed / fraction * (1 - fraction) if fraction > 0.01 else self._guess
        self._on_progress(Progress(self._done, self._failed, len(self._sizes), min(fraction, 1.0), left))


_queue: Any = None  # a worker's way to say how far it is


def _start_worker(steps: Any) -> None:
    global _queue
    _queue = steps
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    import torch

    torch.set_num_threads(1)  # on small networks one thread a process beats threads by far


def _work(function: Callable[..., Any], name: Any, arguments: tuple[Any, ...]) -> Any:
    last = 0.0

    def on_step(step: int) -> None:
        nonlocal last
        if _queue is not None and time.monotonic() - last > REPORT_SECONDS:
            last = time.monotonic()
            _queue.put((name, step))

    return function(*arguments, on_step=on_step)


class _Pool:
    """Tasks on an executor: submitted as places come free, tried again, counted.

    When a worker dies, its pool breaks, and every task under way ends with it. Which of them killed it cannot
    be known: each is suspected, and then runs alone, so that the next death has one cause.
    """

    def __init__(
        self, function: Any, tasks: Mapping[Any, Task], on_done: Any, fail: Any, retries: int, meter: _Meter,
        workers: int, executor: Executor | None,
    ) -> None:  # fmt: skip
        self._function, self._tasks, self._on_done, self._fail = function, tasks, on_done, fail
        self._retries, self._meter = retries, meter
        self._workers = min(workers, len(tasks))
        self._given = executor
        self._waiting = list(tasks)
        self._tries: dict[Any, int] = {}
        self._suspects: set[Any] = set()
        self._running: dict[Future[Any], Any] = {}
        self._own: ProcessPoolExecutor | None = None
        self._steps: Any = None

    def run(self) -> None:
        try:
            while self._waiting or self._running:
                self._submit()
                done, _ = wait(self._running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
                self._listen()
                if any(isinstance(future.exception(), BrokenExecutor) for future in done):
                    done = wait(self._running).done  # the pool is ending all of them
                broken = [future for future in done if isinstance(future.exception(), BrokenExecutor)]
                for future in done - set(broken):
                    self._settle(future)
                if broken:
                    self._mend(broken)
        except BaseException:
            self._stop()
            raise
        self._discard()

    def _executor(self) -> Executor:
        if self._given is not None:
            return self._given
        if self._own is None:
            context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
            self._steps = context.Queue()
            os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when a worker imports its libraries
            self._own = ProcessPoolExecutor(self._workers, context, _start_worker, (self._steps,))
        return self._own

    def _submit(self) -> None:
        while self._waiting and len(self._running) < self._workers:
            name = self._waiting[0]
            if self._running and not self._suspects.isdisjoint((name, *self._running.values())):
                return
            try:
                future = self._executor().submit(_work, self._function, name, self._tasks[name].arguments)
            except BrokenExecutor as error:
                if self._given is not None:
                    raise _unusable(error) from error
                if self._running:  # which will tell
                    return
                self._discard()
                continue
            self._running[future] = self._waiting.pop(0)
            if self._own is not None and len(self._running) > 1:
                # The pool's own thread was woken before that task's process was started, and does not watch it: its
                # death would be noticed only when another task ends, perhaps in an hour. Anything wakes it again.
                self._own.submit(int)

    def _listen(self) -> None:
        while self._steps is not None:
            try:
                name, step = self._steps.get_nowait()
            except (queue.Empty, OSError):
                return
            if name in self._running.values():
                self._meter.step(name, step)

    def _settle(self, future: Future[Any]) -> None:
        name = self._running.pop(future)
        error = future.exception()
        if error is None:
            self._on_done(name, future.result())
            self._meter.end(name)
            return
        if isinstance(error, NasbenchError):
            raise error
        self._try_again(name, error)

    def _try_again(self, name: Any, error: BaseException) -> None:
        """Or, after the last try, hand the error over."""
        self._tries[name] = self._tries.get(name, 0) + 1
        if self._tries[name] <= self._retries:
            self._waiting.insert(0, name)
            return
        self._fail(name, error)
        self._meter.end(name, failed=True)

    def _mend(self, broken: list[Future[Any]]) -> None:
        """Go on after a worker's death in a new pool."""
        names = [self._running.pop(future) for future in broken]
        error = broken[0].exception()
        assert error is not None
        if self._given is not None:
            raise _unusable(error) from error
        self._discard()
        self._suspects.update(names)
        if len(names) == 1:
            died = RunError("its worker process died each time, perhaps for want of memory; try fewer workers")
            self._try_again(names[0], died)
        else:
            self._waiting[:0] = names

    def _discard(self) -> None:
        if self._own is not None:
            self._own.shutdown()
            self._own = None

    def _stop(self) -> None:
        for future in self._running:
            future.cancel()
        if self._own is not None:
            processes = list((self._own._processes or {}).values())
            self._own.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.terminate()


def _unusable(error: BaseException) -> RunError:
    return RunError(f"the executor is broken: {error}; what finished is kept, run the same command with a new one")
