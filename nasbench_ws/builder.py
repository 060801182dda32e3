"""Train every child with every seed, and leave a folder of finished runs.

    build(Recipe(), range(10), "runs/", workers=2, progress=print)     # the same call goes on where it stopped
    merge(["runs/"], "table.h5")

Order: all children of the first seed, then of the next, so that what is there early is useful; in a seed the
longest (by multiply-adds) first, so that workers end together. A run is in the folder when it is finished, and
only then: what is interrupted is lost, what is finished is kept. Not here: training (train.py), processes
(workers.py), files (runs.py), tables (merging.py).

A run that raises is tried again `retries` times, then recorded as failed, and others go on; a later build tries
it anew. A worker that dies (out of memory, most often) takes the runs of all workers with it: each of them is
tried again alone, in a fresh process, and the one that kills its worker again ends the build. Several builders may
share a folder: what one makes, the others leave to it (claims.py).
"""

from __future__ import annotations

import operator
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import SupportsIndex

from nasbench_ws.claims import BEAT_SECONDS, Claims
from nasbench_ws.errors import RunError, UsageError
from nasbench_ws.estimate import training_seconds
from nasbench_ws.images import SPLITS, load_images
from nasbench_ws.merging import Source, runs_of
from nasbench_ws.network import Macro, child_network, mac_count
from nasbench_ws.recipe import Recipe
from nasbench_ws.runs import RunRecord, check_writable, differences, finished, read_run, run_path, write_run
from nasbench_ws.space import Architecture, ArchitectureLike, get_space
from nasbench_ws.versions import versions
from nasbench_ws.workers import Load, Task, Train, Workers, one_thread_a_process, sigterm_as_interrupt

ELSEWHERE_SECONDS = 1.0  # between looks at runs that another builder makes
LONGEST_ERROR = 4000  # characters kept of a failed run's traceback: its end


@dataclass(frozen=True)
class Progress:
    """Runs of this build. `done` has those that were there before; `failed` ones are not `done`."""

    done: int
    failed: int
    total: int
    seconds_left: float | None  # by the multiply-adds that remain, at the pace so far; at first, that of estimate.py


class BuildInterrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM. `message` says what is kept and how to go on."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True)
class Job:
    """One run to make."""

    arch: Architecture
    seed: int
    macs: int

    def __str__(self) -> str:
        return f"{self.arch.name} seed {self.seed}"


def plan(
    recipe: Recipe,
    macro: Macro,
    seeds: Iterable[int],
    architectures: Iterable[ArchitectureLike] | None = None,
    shard: tuple[int, int] = (0, 1),
) -> list[Job]:
    """The runs of shard i of n (i from 0), in their order. Finished or not: shards never depend on that."""
    if not isinstance(seeds, Iterable):
        raise UsageError(f"seeds is {seeds!r}; give the seed indices, such as range({seeds!r})")
    indices = list(dict.fromkeys(seeds))
    for seed in indices:
        if isinstance(seed, bool) or not isinstance(seed, SupportsIndex) or operator.index(seed) < 0:
            raise UsageError(f"{seed!r} is no seed index; give ints from 0")
    i, n = shard
    if not 0 <= i < n:
        raise UsageError(f"there is no shard {i}/{n}; shards count from 0, so i is at least 0 and less than n")
    space = get_space(recipe.space)
    chosen = space if architectures is None else dict.fromkeys(map(space.architecture, architectures))
    children = [(mac_count(child_network(macro, arch)), arch) for arch in chosen]
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
    retries: int = 1,
    progress: Callable[[Progress], None] | None = None,
    executor: Executor | None = None,
    train: Train | None = None,
    load: Load = load_images,
    root: str | Path | None = None,
) -> Progress:
    """Make every run that `folder` lacks, `workers` of them at a time; return how many are done and failed.

    `resume_from` is a folder or table whose runs are taken over first. `executor` is any Executor in the place of
    processes here, such as `dask.distributed.Client.get_executor()`. `train` is `nasbench_ws.train.train_run` unless
    told; `load` and `root` find the images. UsageError for a folder of another recipe, OutputError where it cannot be
    written, RunError where workers keep dying, BuildInterrupted on Ctrl-C and SIGTERM: all keep what is finished.
    """
    if workers < 1 or retries < 0:
        raise UsageError(f"{workers} workers and {retries} retries; give at least 1 worker and 0 retries")
    folder = Path(folder)
    check_writable(folder)
    pool = Workers(workers, Task(train, load, recipe, root), executor)
    images = load(recipe.images, SPLITS, root)
    macro = recipe.build_macro(images.height, images.width, images.channels, len(images.classes))
    jobs = plan(recipe, macro, seeds, architectures, shard)
    if resume_from is not None:
        _take_over(resume_from, folder, recipe, images.digest, jobs)
    builder = _Builder(folder, recipe, macro, images.digest, jobs, pool, retries, progress)
    try:
        with sigterm_as_interrupt(), one_thread_a_process():
            builder.run()
    except KeyboardInterrupt:
        builder.keep_ended()
        raise BuildInterrupted(_kept(len(builder.done), len(jobs), folder)) from None
    finally:
        builder.claims.release_all()
        pool.stop()
        for future in builder.flying:
            future.cancel()
    return builder.progress()


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
    progress: Callable[[Progress], None] | None = None,
    root: str | Path | None = None,
) -> Progress:
    """As `build`, with `together` runs at a time in lockstep on one device (lockstep.py); what is cut off loses those.

    Every run that ends is kept; those that another builder in the folder is at are left to it. UsageError where the
    device cannot be had; otherwise errors as of `build`.
    """
    if together < 1:
        raise UsageError(f"{together} runs together; give at least 1")
    from nasbench_ws.lockstep import train_together  # torch, which `build` leaves to its workers

    folder = Path(folder)
    check_writable(folder)
    images = load_images(recipe.images, SPLITS, root)
    macro = recipe.build_macro(images.height, images.width, images.channels, len(images.classes))
    jobs = plan(recipe, macro, seeds, architectures, shard)
    if resume_from is not None:
        _take_over(resume_from, folder, recipe, images.digest, jobs)
    statuses = finished(folder, recipe, images.digest)
    waiting = [job for job in jobs if statuses.get((job.arch.hash, job.seed), "failed") == "failed"]
    begun, made, claims = time.monotonic(), 0, Claims(folder)

    def tell(share: float, step: int) -> Progress:
        """After `step` steps of the runs at hand, each of which is `share` of a run."""
        claims.beat()
        part = made + share * step
        left = (time.monotonic() - begun) * (len(waiting) - part) / part if part else None
        now = Progress(len(jobs) - len(waiting) + made, 0, len(jobs), left)
        if progress is not None:
            progress(now)
        return now

    tell(0, 0)
    with sigterm_as_interrupt():
        try:
            for start in range(0, len(waiting), together):
                batch = [(job.arch, job.seed) for job in waiting[start : start + together]]
                runs = [(arch, seed) for arch, seed in batch if _is_free(folder, claims, arch.hash, seed)]
                on_step = partial(tell, len(batch) / recipe.steps)
                for record in train_together(recipe, runs, images, device, on_step=on_step):
                    write_run(folder, record)
                made += len(batch)
        except KeyboardInterrupt:
            raise BuildInterrupted(_kept(len(jobs) - len(waiting) + made, len(jobs), folder)) from None
        finally:
            claims.release_all()
    there = sum(_is_there(folder, job.arch.hash, job.seed) for job in jobs)
    found = Progress(there, 0, len(jobs), 0.0)
    if progress is not None:
        progress(found)
    return found


def _is_free(folder: Path, claims: Claims, hash: str, seed: int) -> bool:
    """Whether a run is this builder's to make: none has made it, or is about to."""
    return claims.take(hash, seed) and not _is_there(folder, hash, seed)


def _kept(done: int, total: int, folder: Path) -> str:
    return (
        f"interrupted: {done} of {total} runs are finished and kept in {folder}; "
        "the same command goes on from there"
    )


def _take_over(source: Source, folder: Path, recipe: Recipe, images_digest: str, jobs: list[Job]) -> None:
    """Copy the runs that are wanted and lacking from another folder or table."""
    wanted = {(job.arch.hash, job.seed) for job in jobs}
    for record in runs_of(source):
        expected = {**recipe.to_dict(), "images_digest": images_digest}
        found = {**record.recipe, "images_digest": record.images_digest}
        if found != expected:
            raise UsageError(
                f"{source} cannot be resumed from: it was made with {differences(found, expected)}; "
                "build with that recipe and those images, or from nothing"
            )
        key = record.hash, record.seed
        if key in wanted and record.status != "failed" and not _is_there(folder, *key):
            write_run(folder, record)


def _is_there(folder: Path, hash: str, seed: int) -> bool:
    """Whether a run is finished. A failed one is not: it is tried anew."""
    path = run_path(folder, hash, seed)
    return path.exists() and read_run(path).status != "failed"


class _Builder:
    """The loop, and what it knows: which runs wait, which are under way (`flying`), which have ended."""

    def __init__(
        self, folder: Path, recipe: Recipe, macro: Macro, images_digest: str, jobs: list[Job], pool: Workers,
        retries: int, report: Callable[[Progress], None] | None,
    ) -> None:  # fmt: skip
        self.folder, self.recipe, self.macro, self.images_digest = folder, recipe, macro, images_digest
        self.pool, self.retries, self.report = pool, retries, report
        statuses = finished(folder, recipe, images_digest)
        self.done = {job for job in jobs if statuses.get((job.arch.hash, job.seed), "failed") != "failed"}
        self.failed: set[Job] = set()
        self.total = len(jobs)
        self.waiting = deque(job for job in jobs if job not in self.done)
        self.flying: dict[Future[RunRecord | str], Job] = {}
        self.raised: Counter[Job] = Counter()  # attempts that ended in an exception
        self.died: Counter[Job] = Counter()  # attempts during which a worker died
        self.begun, self.macs_made = time.monotonic(), 0
        self.macs_left = sum(job.macs for job in self.waiting)
        self.claims = Claims(folder)
        self.elsewhere: list[Job] = []  # which another builder makes, in the same folder

    def run(self) -> None:
        self._tell()
        while self.waiting or self.flying or self.elsewhere:
            broken = not self._start()
            self.claims.beat()
            if self.flying and not broken:
                wait(self.flying, timeout=BEAT_SECONDS, return_when=FIRST_COMPLETED)
            elif self.elsewhere and not broken:
                time.sleep(ELSEWHERE_SECONDS)
            if not self.waiting:  # another builder may have ended, well or badly
                self.waiting.extend(self.elsewhere)
                self.elsewhere.clear()
            if broken or any(isinstance(_error(future), BrokenExecutor) for future in self._ended()):
                self.pool.stop()  # its processes end, and with them every run under way
            for future in sorted(self._ended(), key=lambda future: _error(future) is not None):  # runs, then errors
                job = self.flying[future]
                self._settle(job, future)
                self.claims.release(job.arch.hash, job.seed)
                del self.flying[future]

    def _start(self) -> bool:
        """Start runs while there is room. False where the pool is broken."""
        while self.waiting:
            job = self.waiting[0]
            alone = self.died[job] or any(self.died[other] for other in self.flying.values())
            if self.flying and (alone or len(self.flying) >= self.pool.count):
                break
            self.waiting.popleft()
            if _is_there(self.folder, job.arch.hash, job.seed):  # another builder has made it meanwhile
                self.done.add(job)
                self.macs_left -= job.macs
                self._tell()
                continue
            if not self.claims.take(job.arch.hash, job.seed):
                self.elsewhere.append(job)
                continue
            try:
                self.flying[self.pool.submit(job.arch, job.seed)] = job
            except BrokenExecutor as error:
                self.waiting.appendleft(job)
                if self.pool.executor is not None:
                    raise RunError(f"the executor is broken: {error}; the same command goes on in a new one") from error
                return False
        return True

    def _ended(self) -> list[Future[RunRecord | str]]:
        return [future for future in self.flying if future.done()]

    def _settle(self, job: Job, future: Future[RunRecord | str]) -> None:
        error = _error(future)
        if error is not None and self.pool.executor and not isinstance(error, BrokenExecutor):
            self._try_again(job, f"{type(error).__name__}: {error}")  # such as dask's word for workers that died
            return
        if error is not None:
            self.died[job] += 1
            if self.died[job] > self.retries or (self.pool.executor and isinstance(error, BrokenExecutor)):
                raise RunError(
                    f"the worker of {job} died {self.died[job]} times: {error} Out of memory is the usual reason, for "
                    "which fewer workers help; a script must call build under `if __name__ == '__main__':`. What is "
                    f"finished is kept in {self.folder}, and the same command goes on from there"
                ) from error
            self.waiting.appendleft(job)
            return
        outcome = future.result()
        if isinstance(outcome, RunRecord):
            self._keep(job, outcome)
            return
        self._try_again(job, str(outcome))

    def _try_again(self, job: Job, error: str) -> None:
        """Or, after the last try, record the failure."""
        self.raised[job] += 1
        if self.raised[job] <= self.retries:
            self.waiting.appendleft(job)
        else:
            self._keep(job, self._failure(job, error))

    def _failure(self, job: Job, error: str) -> RunRecord:
        return RunRecord(
            hash=job.arch.hash, spec=job.arch.spec, seed=job.seed, status="failed", error=error[-LONGEST_ERROR:],
            epochs=(), curves={}, recipe=self.recipe.to_dict(), images_digest=self.images_digest,
            versions=versions(), device="",
        )  # fmt: skip

    def _keep(self, job: Job, record: RunRecord) -> None:
        expected = {"hash": job.arch.hash, "seed": job.seed, "images_digest": self.images_digest}
        there = {key: getattr(record, key) for key in expected}
        if {**there, **record.recipe} != {**expected, **self.recipe.to_dict()}:
            wrong = differences({**there, **record.recipe}, {**expected, **self.recipe.to_dict()})
            raise RunError(f"train made another run than {job}: {wrong}; it must train what it is given")
        write_run(self.folder, record if record.macro is not None else replace(record, macro=self.macro))
        (self.failed if record.status == "failed" else self.done).add(job)
        self.macs_made += job.macs
        self.macs_left -= job.macs
        self._tell()

    def keep_ended(self) -> None:
        """Keep the runs that ended unnoticed, before an interruption's end."""
        self.report = None
        for future, job in self.flying.items():
            if future.done() and _error(future) is None and isinstance(outcome := future.result(), RunRecord):
                self._keep(job, outcome)

    def progress(self) -> Progress:
        if self.macs_made:
            left = (time.monotonic() - self.begun) * self.macs_left / self.macs_made
        else:
            images = self.recipe.steps * self.recipe.batch_size
            left = training_seconds(self.macs_left * images, self.pool.count)
        return Progress(len(self.done), len(self.failed), self.total, left)

    def _tell(self) -> None:
        if self.report is not None:
            self.report(self.progress())


def _error(future: Future[RunRecord | str]) -> BaseException | None:
    """What an ended future was broken by: nothing where its run ended, whether well or by raising."""
    return RunError("it was cancelled") if future.cancelled() else future.exception()
