"""A folder of runs while it is filled: what is done, what a builder has claimed, what may be put there.

    shelf = Shelf(folder, recipe, macro, images.digest, jobs)     # UsageError where its runs are of another recipe
    with shelf.claims:
        if shelf.ready(job) == "start":
            shelf.keep(job, record)                               # or shelf.fail(job, error)

Not here: a run's file (tables/run.py), claims (building/claims.py), who trains (building/builder.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from nasbench_ws.errors import RunError, UsageError
from nasbench_ws.json_files import clear_leftovers, differences
from nasbench_ws.provenance import versions
from nasbench_ws.recipe import Recipe
from nasbench_ws.space.cell import Architecture
from nasbench_ws.space.code import operation_codes, other_code
from nasbench_ws.space.macro import Macro
from nasbench_ws.tables.merge import Source, runs_of
from nasbench_ws.tables.run import RunRecord, finished, is_written, read_run, run_path, write_run
from nasbench_ws.training.building.claims import Claims
from nasbench_ws.workers.pool import Readiness, TaskError

LONGEST_ERROR = 4000  # characters kept of a failed run's traceback: its end


@dataclass(frozen=True)
class Job:
    """One run to make."""

    arch: Architecture
    seed: int
    macs: int

    def __str__(self) -> str:
        return f"{self.arch.name} seed {self.seed}"


class Shelf:
    """The folder's runs as this build knows them: what is done, what it has claimed, what may be put there."""

    def __init__(self, folder: Path, recipe: Recipe, macro: Macro, images_digest: str, jobs: list[Job]) -> None:
        self.folder, self.recipe, self.macro, self.images_digest = folder, recipe, macro, images_digest
        statuses = finished(folder, recipe, images_digest, jobs[0].arch.space)
        self.done: set[Job] = set()
        self.diverged: set[Job] = set()  # of those done
        self.failed: set[Job] = set()
        for job in jobs:
            self._note(job, statuses.get((job.arch.hash, job.seed), "failed"))
        self.failed.clear()  # of an earlier build; each is tried anew
        self.claims = Claims(folder)

    def ready(self, job: Job) -> Readiness:
        """Whether a run is this builder's to make: no other is at it, or (asked once it is claimed) has made it."""
        if not self.claims.take(job.arch.hash, job.seed):
            return "wait"
        status = status_of(self.folder, job)
        if status in (None, "failed"):  # a failed one is tried anew
            clear_leftovers(run_path(self.folder, job.arch.hash, job.seed))
            return "start"
        self._settle(job, status)
        return "done"

    def keep(self, job: Job, record: RunRecord) -> None:
        expected = {"hash": job.arch.hash, "seed": job.seed, "images_digest": self.images_digest}
        there = {key: getattr(record, key) for key in expected}
        if {**there, **record.recipe} != {**expected, **self.recipe.to_dict()}:
            wrong = differences({**there, **record.recipe}, {**expected, **self.recipe.to_dict()})
            raise RunError(f"train made another run than {job}: {wrong}; it must train what it is given")
        macro = self.macro if record.macro is None else record.macro
        write_run(self.folder, replace(record, macro=macro, space=job.arch.space))
        self._settle(job, record.status)

    def fail(self, job: Job, error: Exception) -> None:
        """Record what a run raised. RunError where its worker died: the machine's fault, or the caller's."""
        if isinstance(error, RunError):
            raise RunError(
                f"the worker of {job} died each time. Out of memory is the usual reason, for which fewer workers help; "
                "a script must call build under `if __name__ == '__main__':`. What is finished is kept in "
                f"{self.folder}, and the same command goes on from there"
            ) from error
        text = str(error) if isinstance(error, TaskError) else f"{type(error).__name__}: {error}"
        record = RunRecord(
            hash=job.arch.hash, spec=job.arch.spec, seed=job.seed, status="failed", error=text[-LONGEST_ERROR:],
            epochs=(), curves={}, recipe=self.recipe.to_dict(), images_digest=self.images_digest,
            versions=versions(), device="",
        )  # fmt: skip
        self.keep(job, record)

    def _settle(self, job: Job, status: str) -> None:
        self._note(job, status)
        self.claims.release(job.arch.hash, job.seed)

    def _note(self, job: Job, status: str) -> None:
        (self.failed if status == "failed" else self.done).add(job)
        if status == "diverged":
            self.diverged.add(job)


def take_over(source: Source, folder: Path, recipe: Recipe, images_digest: str, jobs: list[Job]) -> None:
    """Copy the runs that are wanted and lacking from another folder or table, but for those another builder is at."""
    wanted = {(job.arch.hash, job.seed): job for job in jobs}
    own = operation_codes(jobs[0].arch.space) if jobs else {}
    with Claims(folder) as claims:
        for record in runs_of(source):
            expected = {**recipe.to_dict(), "images_digest": images_digest}
            found = {**record.recipe, "images_digest": record.images_digest}
            if found != expected:
                raise UsageError(
                    f"{source} cannot be resumed from: it was made with {differences(found, expected)}; "
                    "build with that recipe and those images, or from nothing"
                )
            if jobs and record.space not in (None, jobs[0].arch.space):
                raise UsageError(
                    f"{source} cannot be resumed from: it is of {record.space!r}, and this build of "
                    f"{jobs[0].arch.space!r}; give one of the spaces a name of its own"
                )
            other = other_code(record.versions, own)
            if other is not None:
                raise UsageError(
                    f"{source} cannot be resumed from: {other}; build with the code as it was, or from nothing"
                )
            job = wanted.get((record.hash, record.seed))
            if job is None or record.status == "failed" or not claims.take(record.hash, record.seed):
                continue
            if status_of(folder, job) in (None, "failed"):
                write_run(folder, record)
            claims.release(record.hash, record.seed)


def status_of(folder: Path, job: Job) -> str | None:
    """How a run ended; None where there is none."""
    path = run_path(folder, job.arch.hash, job.seed)
    return read_run(path).status if is_written(path) else None
