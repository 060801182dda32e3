"""Processes that make runs: started, supplied, and ended at once when told to.

Not here: which runs, in which order, and what becomes of them (builder.py).

    with sigterm_as_interrupt(), one_thread_a_process():
        workers = Workers(2, Task(None, load_images, recipe, None))
        workers.submit(arch, 0).result()        # a RunRecord, or the text of what was raised
        workers.stop()

A worker is a process of its own, started afresh (spawn: a fork of a process with threads can hang), with one
thread, which on networks this small beats threads by far. It loads the images once. It does not see Ctrl-C, which
is for the process that started it, and ends with that process, however that one ends.

torch is imported in the workers alone.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from nasbench_ws.errors import UsageError
from nasbench_ws.images import SPLITS, Images
from nasbench_ws.recipe import Recipe
from nasbench_ws.runs import RunRecord
from nasbench_ws.space import Architecture, register_space

Train = Callable[[Recipe, Architecture, int, Images], RunRecord]
Load = Callable[..., Images]  # called as load_images is: name, splits, root
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Task:
    """What is the same for every run of a build. `train` None is `nasbench_ws.train.train_run`."""

    train: Train | None
    load: Load
    recipe: Recipe
    root: str | Path | None

    def __call__(self, arch: Architecture, seed: int) -> RunRecord | str:
        """The run, or a traceback as text: exceptions of any kind need not survive the way back."""
        try:
            register_space(arch.space)  # a user's own is known to the process that made it alone
            train = self.train or _train_run()
            record: object = train(self.recipe, arch, seed, _images(self.load, self.recipe.images, self.root))
            if not isinstance(record, RunRecord):
                raise TypeError(f"train returned {type(record).__name__}, not a RunRecord")
            return record
        except (Exception, SystemExit):
            return traceback.format_exc()


@functools.lru_cache(maxsize=1)
def _images(load: Load, name: str, root: str | Path | None) -> Images:
    return load(name, SPLITS, root)


def _train_run() -> Train:
    train: Train = importlib.import_module("nasbench_ws.train").train_run
    if multiprocessing.parent_process() is not None:  # never in a caller's own process, as with a pool of threads
        sys.modules["torch"].set_num_threads(1)
    return train


class Workers:
    """A pool of processes for one task, or the caller's executor. After `stop`, the next `submit` starts a new pool."""

    def __init__(self, count: int, task: Task, executor: Executor | None = None) -> None:
        self.count, self.task, self.executor = count, task, executor
        self._pool: ProcessPoolExecutor | None = None
        if executor is None:
            try:
                pickle.dumps(task)
            except (pickle.PicklingError, AttributeError, TypeError) as error:
                raise UsageError(
                    f"train and load must be functions at the top level of a module, for workers import them ({error})"
                ) from error

    def submit(self, arch: Architecture, seed: int) -> Future[RunRecord | str]:
        if self.executor is not None:
            return self.executor.submit(self.task, arch, seed)
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.count, context, initializer=_prepare_worker)
        return self._pool.submit(self.task, arch, seed)

    def stop(self) -> None:
        """End the processes at once, whatever they do; a caller's executor stays as it is."""
        pool, self._pool = self._pool, None
        if pool is not None:
            for process in list((pool._processes or {}).values()):  # kill_workers() from Python 3.14 on
                process.kill()
            pool.shutdown(wait=True, cancel_futures=True)


def _prepare_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def follow() -> None:
            parent.join()
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
