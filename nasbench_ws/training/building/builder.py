"""Train every child with every seed, and leave a folder of finished runs.

    build(Recipe(), range(10), "runs/", workers=2, progress=print)     # the same call goes on where it stopped
    merge(["runs/"], "table.h5")

Order: all children of the first seed, then of the next, so that what is there early is useful; in a seed the
longest (by multiply-adds) first, so that workers end together. A run is in the folder when it is finished, and
only then: what is interrupted is lost, what is finished is kept. Not here: training (training/loop.py), workers
(workers/pool.py), what goes into the folder (folder.py), tables (tables/merge.py).

A run that raises is tried again `retries` times, then recorded as failed, and others go on; a later build tries
it anew. A worker that dies (out of memory, most often) costs its own run alone, which is tried again in a fresh
process; a run that kills its worker each time ends the build. Several builders
may share a folder: what one makes, the others leave to it (building/claims.py).
"""

from __future__ import annotations

import functools
import importlib
import itertools
import operator
import os
import pickle
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import SupportsIndex

from nasbench_ws.errors import UsageError
from nasbench_ws.images.dataset import SPLITS, Images
from nasbench_ws.images.loaders import Load, load_images
from nasbench_ws.images.mapped import mapped
from nasbench_ws.json_files import check_writable, named_folder
from nasbench_ws.limits import LARGEST_SEED, MOST_RUNS, MOST_SEEDS, check_most
from nasbench_ws.recipe import Recipe
from nasbench_ws.space.cell import Architecture, ArchitectureLike, Space
from nasbench_ws.space.child import child_network, mac_count
from nasbench_ws.space.isomorphism import representatives
from nasbench_ws.space.macro import Macro, macro_for
from nasbench_ws.space.registry import SPACES, get_space, register_space
from nasbench_ws.tables.merge import Source, space_of
from nasbench_ws.tables.run import RunRecord
from nasbench_ws.training.building.folder import Job, Shelf, status_of, take_over
from nasbench_ws.workers import pool
from nasbench_ws.workers.pool import Task, execute
from nasbench_ws.workers.progress import training_seconds
from nasbench_ws.workers.signals import stops_as_interrupts, uninterrupted

STANDALONE = "nasbench_ws.training.building.standalone"  # needs torch, which is left to the workers
Train = Callable[[Recipe, Architecture, int, Images], RunRecord]


@dataclass(frozen=True)
class Progress:
    """Runs of this build. `done` has those that were there before; `failed` ones are not `done`."""

    done: int
    failed: int
    total: int
    seconds_left: float | None  # by the multiply-adds that remain, at the pace so far
    diverged: int = 0  # of those done, known when the build ends
    elsewhere: int = 0  # all that remain, where other builders in the folder are at them and this one waits
    idle: bool = False  # the executor has no workers now


class BuildInterrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM. `message` says what is kept and how to go on."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def plan(
    recipe: Recipe,
    macro: Macro,
    seeds: Iterable[int],
    architectures: Iterable[ArchitectureLike] | None = None,
    shard: tuple[int, int] = (0, 1),
    unique: bool = False,
    space: Space | None = None,
) -> list[Job]:
    """The runs of shard i of n (i from 0), in their order. Finished or not: shards never depend on that.

    `unique` takes one child, the first, of those that are the same network (space/isomorphism.py).
    `space` is the recipe's, where that is not registered under its name.
    """
    if not isinstance(seeds, Iterable):
        raise UsageError(f"seeds is {seeds!r}; give the seed indices, such as range({seeds!r})")
    indices = list(dict.fromkeys(itertools.islice(seeds, MOST_SEEDS + 1)))
    if len(indices) > MOST_SEEDS:
        raise UsageError(f"more than {MOST_SEEDS:,} seeds are asked for; ask for fewer")
    for seed in indices:
        if isinstance(seed, bool) or not isinstance(seed, SupportsIndex) or operator.index(seed) < 0:
            raise UsageError(f"{seed!r} is no seed index; give ints from 0")
        check_most("a seed index", operator.index(seed), LARGEST_SEED, "give a smaller one")
    i, n = shard
    if not 0 <= i < n:
        raise UsageError(f"there is no shard {i}/{n}; shards count from 0, so i is at least 0 and less than n")
    space = space or get_space(recipe.space)
    chosen: Iterable[Architecture] = space if architectures is None else map(space.architecture, architectures)
    if unique:
        first = representatives(space, macro.output)
        chosen = (space[first[arch.index]] for arch in chosen)
    some = dict.fromkeys(chosen)
    check_most(f"{len(some)} children with {len(indices)} seeds", len(some) * len(indices), MOST_RUNS)
    children = [(mac_count(child_network(macro, arch)), arch) for arch in some]
    children.sort(key=lambda child: (-child[0], child[1].index))
    jobs = [Job(arch, seed, macs) for seed in map(operator.index, indices) for macs, arch in children][i::n]
    if not jobs:
        raise UsageError(
            f"shard {i}/{n} of {len(children)} children with {len(indices)} seeds has no run; "
            "give a seed and a child or more, and no more shards than runs"
        )
    return jobs


def build(
    recipe: Recipe,
    seeds: Iterable[int],
    folder: str | os.PathLike[str],
    *,
    workers: int = 1,
    resume_from: Source | None = None,
    shard: tuple[int, int] = (0, 1),
    architectures: Iterable[ArchitectureLike] | None = None,
    unique: bool = False,
    retries: int = 1,
    progress: Callable[[Progress], None] | None = None,
    executor: Executor | None = None,
    train: Train | None = None,
    load: Load = load_images,
    root: str | Path | None = None,
) -> Progress:
    """Make every run that `folder` lacks, and return how many are done and failed.

    Args:
        recipe: how each child is trained.
        seeds: indices from 0, one run of each child for each.
        folder: where runs are kept, and found again.
        workers: processes of one thread each, or tasks on the way to an executor.
        resume_from: a folder or table whose runs are taken over first.
        shard: (i, n) makes the runs i, i + n, i + 2n, ... alone.
        architectures: the children, by any name; None: all of the space.
        unique: train one child of those that are the same network.
        retries: how often a run that failed is tried again.
        progress: called with a `Progress` after each run.
        executor: any Executor in the place of processes here, such as `dask.distributed.Client.get_executor()`.
        train: makes one run; None: `standalone.train_run`.
        load: reads images, called as `load_images` is.
        root: where data sets that do not ship are.

    UsageError for a folder of another recipe, OutputError where it cannot be written, RunError where workers keep
    dying, BuildInterrupted on Ctrl-C and SIGTERM: all keep what is finished.
    """
    if workers < 1 or retries < 0:
        raise UsageError(f"{workers} workers and {retries} retries; give at least 1 worker and 0 retries")
    images, jobs, shelf = _prepared(
        recipe, seeds, named_folder(folder), load, root, resume_from, shard, architectures, unique
    )
    make = _Make(train, load, recipe, root)
    if executor is None:
        make.check_travels()
    with shelf.claims, mapped(images if executor is None else None, load) as theirs:
        make = replace(make, load=theirs)
        tasks = {job: Task((job.arch, job.seed), job.macs) for job in jobs if job not in shelf.done}
        before = len(shelf.done)

        def report(p: pool.Progress) -> None:
            if progress is not None:
                done = before + p.done
                progress(Progress(done, p.failed, len(jobs), p.seconds_left, elsewhere=p.held_up, idle=p.idle))

        work = sum(job.macs for job in tasks) * recipe.steps * recipe.batch_size
        try:
            execute(
                make, tasks, shelf.keep, workers=workers, executor=executor, retries=retries, on_failed=shelf.fail,
                on_progress=report, seconds=training_seconds(work, workers), ready=shelf.ready,
                preload=(STANDALONE,) if train is None else (),
            )  # fmt: skip
        except KeyboardInterrupt:
            raise BuildInterrupted(_kept(shelf, jobs)) from None
        return Progress(len(shelf.done), len(shelf.failed), len(jobs), 0.0, len(shelf.diverged))


def build_together(
    recipe: Recipe,
    seeds: Iterable[int],
    folder: str | os.PathLike[str],
    *,
    together: int,
    device: str = "cuda",
    resume_from: Source | None = None,
    shard: tuple[int, int] = (0, 1),
    architectures: Iterable[ArchitectureLike] | None = None,
    unique: bool = False,
    progress: Callable[[Progress], None] | None = None,
    root: str | Path | None = None,
    load: Load = load_images,
) -> Progress:
    """As `build`, with `together` runs at a time in lockstep on one device; what is cut off loses those.

    Every run that ends is kept; those that another builder in the folder is at are left to it. UsageError where the
    device is not available; otherwise errors as of `build`.
    """
    if together < 1:
        raise UsageError(f"{together} runs together; give at least 1")
    from nasbench_ws.training.building.together import train_together  # torch, which `build` leaves to its workers

    images, jobs, shelf = _prepared(
        recipe, seeds, named_folder(folder), load, root, resume_from, shard, architectures, unique
    )
    waiting = [job for job in jobs if job not in shelf.done]
    begun, made = time.monotonic(), 0

    def tell(share: float, step: int) -> Progress:
        """After `step` steps of the runs at hand, each of which is `share` of a run."""
        part = made + share * step
        left = (time.monotonic() - begun) * (len(waiting) - part) / part if part else None
        now = Progress(len(jobs) - len(waiting) + made, 0, len(jobs), left)
        if progress is not None:
            progress(now)
        return now

    tell(0, 0)
    with stops_as_interrupts(), shelf.claims:
        try:
            for start in range(0, len(waiting), together):
                batch = waiting[start : start + together]
                free = [job for job in batch if shelf.ready(job) == "start"]
                runs = [(job.arch, job.seed) for job in free]
                on_step = partial(tell, len(batch) / recipe.steps)
                records = train_together(recipe, runs, images, device, on_step=on_step)
                with uninterrupted():
                    for job, record in zip(free, records, strict=True):
                        shelf.keep(job, record)
                made += len(batch)
        except KeyboardInterrupt:
            raise BuildInterrupted(_kept(shelf, jobs)) from None
    others = [status_of(shelf.folder, job) for job in jobs if job not in shelf.done]
    done = len(shelf.done) + others.count("ok") + others.count("diverged")
    found = Progress(done, 0, len(jobs), 0.0, len(shelf.diverged) + others.count("diverged"))
    if progress is not None:
        progress(found)
    return found


def _prepared(
    recipe: Recipe, seeds: Iterable[int], folder: Path, load: Load, root: str | Path | None,
    resume_from: Source | None, shard: tuple[int, int], architectures: Iterable[ArchitectureLike] | None,
    unique: bool,
) -> tuple[Images, list[Job], Shelf]:  # fmt: skip
    """What is refused before any work, refused; what is finished elsewhere, taken over."""
    check_writable(folder)
    images = load(recipe.images, SPLITS, root)
    macro = macro_for(recipe, images)
    space = _space(recipe, [folder, *([] if resume_from is None else [resume_from])])
    jobs = plan(recipe, macro, seeds, architectures, shard, unique, space)
    if resume_from is not None:
        take_over(resume_from, folder, recipe, images.digest, jobs)
    return images, jobs, Shelf(folder, recipe, macro, images.digest, jobs)


def _space(recipe: Recipe, sources: Iterable[Source]) -> Space:
    """Of that name: what is registered, else what the runs there say. UsageError where nobody knows it."""
    if recipe.space not in SPACES:
        found = space_of(sources)
        if found is not None and found.name == recipe.space:
            return found
    return get_space(recipe.space)


def _kept(shelf: Shelf, jobs: list[Job]) -> str:
    return (
        f"interrupted: {len(shelf.done)} of {len(jobs)} runs are finished and kept in {shelf.folder}; "
        "the same command goes on from there"
    )


@dataclass(frozen=True)
class _Make:
    """Makes a run, wherever it is called. `train` None is `standalone.train_run`, and torch with it."""

    train: Train | None
    load: Load
    recipe: Recipe
    root: str | Path | None

    def __call__(self, arch: Architecture, seed: int, on_step: object) -> RunRecord:
        register_space(arch.space)  # a user's own is known to the process that made it alone
        train: Train = self.train or importlib.import_module(STANDALONE).train_run
        record: object = train(self.recipe, arch, seed, _images(self.load, self.recipe.images, self.root))
        if not isinstance(record, RunRecord):
            raise TypeError(f"train returned {type(record).__name__}, not a RunRecord")
        return record

    def check_travels(self) -> None:
        try:
            pickle.dumps(self)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise UsageError(
                f"train and load must be functions at the top level of a module, for workers import them ({error})"
            ) from error


@functools.lru_cache(maxsize=1)
def _images(load: Load, name: str, root: str | Path | None) -> Images:
    return load(name, SPLITS, root)
