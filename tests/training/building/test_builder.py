"""Builds: every run once, in order, whatever dies on the way; and what is finished is kept."""

from __future__ import annotations

import concurrent.futures
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TESTS_PATH
from small_builds import (
    DIGEST,
    FEW,
    MACRO,
    RECIPE,
    Here,
    awkward,
    deadly,
    deadly_once,
    made,
    moody,
    other,
    quick,
    tiny,
)

from nasbench_ws.errors import ArchitectureError, OutputError, RunError, TableError, UsageError
from nasbench_ws.images.dataset import Images
from nasbench_ws.recipe import Recipe, recipe_of
from nasbench_ws.space.macro import build_macro
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.tables.merge import merge
from nasbench_ws.tables.run import finished, read_runs, run_path, write_run
from nasbench_ws.tables.table import verify
from nasbench_ws.training.building.builder import BuildInterrupted, Job, Progress, build, plan


def refused(kind: type[BaseException], action: Callable[[], object]) -> str:
    with pytest.raises(kind) as caught:
        action()
    return str(caught.value)


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    monkeypatch.setenv("NOTES", str(folder))
    return folder


# -- the plan -------------------------------------------------------------------------------------


def test_one_child_of_those_that_are_the_same_network() -> None:
    recipe = recipe_of("topology729")
    macro = build_macro(recipe, 14, 14, 1, 10)
    jobs = plan(recipe, macro, range(3), unique=True)
    assert (len(jobs), len({job.arch for job in jobs}), len(plan(recipe, macro, [0]))) == (3 * 99, 99, 729)
    named = plan(recipe, macro, [0], ["212111", "222111", "311111"], unique=True)  # none sees the image
    assert [job.arch.name for job in named] == ["111111"]
    assert len(plan(recipe, replace(macro, output="concat"), [0], unique=True)) == 216


def test_seeds_come_first_and_the_longest_lead() -> None:
    jobs = plan(RECIPE, MACRO, range(3))
    assert plan(RECIPE, MACRO, np.arange(3)) == jobs
    assert all(type(job.seed) is int for job in plan(RECIPE, MACRO, np.arange(3)))
    assert [job.seed for job in jobs] == [0] * 64 + [1] * 64 + [2] * 64
    macs = [job.macs for job in jobs[:64]]
    assert macs == sorted(macs, reverse=True)
    assert {job.arch for job in jobs[:64]} == set(DEEPER64)
    assert jobs[0].arch.name == "333"
    assert str(jobs[0]) == "333 seed 0"


@pytest.mark.parametrize("n", [1, 2, 5, 64])
def test_shards_divide_the_work(n: int) -> None:
    whole = plan(RECIPE, MACRO, range(3))
    shards = [plan(RECIPE, MACRO, range(3), shard=(i, n)) for i in range(n)]
    assert sorted(map(str, whole)) == sorted(str(job) for shard in shards for job in shard)
    sizes = [sum(job.macs for job in shard) for shard in shards]
    assert max(sizes) - min(sizes) <= 3 * max(job.macs for job in whole)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": 3}, "seeds is 3; give the seed indices, such as range(3)"),
        ({"seeds": [0, -1]}, "-1 is no seed index; give ints from 0"),
        ({"seeds": [True]}, "True is no seed index; give ints from 0"),
        ({"shard": (4, 4)}, "there is no shard 4/4; shards count from 0, so i is at least 0 and less than n"),
        (
            {"shard": (4, 5)},
            "shard 4/5 of 4 children with 1 seeds has no run; give a seed and a child or more, and no more shards than "
            "runs",
        ),
        ({"workers": 0}, "0 workers and 1 retries; give at least 1 worker and 0 retries"),
    ],
)
def test_what_cannot_be_meant(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    assert refused(UsageError, lambda: made(tmp_path, **options)) == message


def test_an_unknown_child_is_refused_before_any_work(tmp_path: Path) -> None:
    assert refused(ArchitectureError, lambda: made(tmp_path, architectures=["125"])).startswith("deeper64 has no child")


def test_functions_that_workers_cannot_import(tmp_path: Path) -> None:
    message = refused(UsageError, lambda: made(tmp_path, train=lambda *given: None))
    assert message.startswith("train and load must be functions at the top level of a module, for workers import them")


# -- whole builds ---------------------------------------------------------------------------------


def test_a_build_makes_every_run_and_then_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    reports: list[Progress] = []
    result = made(tmp_path / "runs", seeds=range(2), workers=2, progress=reports.append)
    assert result == Progress(done=8, failed=0, total=8, seconds_left=0.0)
    assert [report.done for report in reports] == list(range(9))
    assert all((report.seconds_left or 0.0) > 0 for report in reports[:-1])
    records = [record for _, record in read_runs(tmp_path / "runs")]
    assert {(record.spec, record.seed) for record in records} == {
        (DEEPER64.architecture(name).spec, seed) for name in FEW for seed in (0, 1)
    }
    processes = {record.device for record in records}
    assert 1 <= len(processes) <= 2  # workers that live on, with one thread, and not this process
    assert all(device.endswith(" 1") and not device.startswith(f"{os.getpid()} ") for device in processes)
    assert all(record.macro == MACRO for record in records)  # train left it out

    pool = Here()
    assert made(tmp_path / "runs", seeds=range(2), executor=pool).done == 8
    assert pool.order == []
    table = merge([tmp_path / "runs"], tmp_path / "t.h5")
    assert verify(tmp_path / "t.h5") == []
    assert len(table.absent()) == 2 * 60


def test_the_environment_is_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    before, handler = dict(os.environ), signal.getsignal(signal.SIGTERM)
    made(tmp_path, executor=Here())
    assert dict(os.environ) == before
    assert signal.getsignal(signal.SIGTERM) == handler


def test_any_executor_will_do(tmp_path: Path) -> None:
    pool = Here()
    made(tmp_path / "here", seeds=(3, 1), executor=pool)
    assert pool.order == [(name, seed) for seed in (3, 1) for name in ("333", "222", "444", "111")]
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        assert made(tmp_path / "threads", executor=threads, workers=2).done == 4
        assert threads.submit(len, "abc").result() == 3  # it is the caller's, and left as it was


def test_shards_and_workers_change_no_number(tmp_path: Path) -> None:
    made(tmp_path / "whole", executor=Here())
    for i in range(3):
        made(tmp_path / "parts", executor=Here(), shard=(i, 3))
    tables = [merge([tmp_path / name], tmp_path / f"{name}.h5") for name in ("whole", "parts")]
    assert tables[0].digest == tables[1].digest


def test_a_run_made_elsewhere_meanwhile_is_not_made_again(tmp_path: Path) -> None:
    pool = Here()

    def intrude(report: Progress) -> None:
        if report.done == 1:  # after 333, another builder finishes 444
            images = tiny("fashion14", ("train", "valid", "test"), None)
            write_run(tmp_path, quick(RECIPE, DEEPER64.architecture("444"), 0, images))

    assert made(tmp_path, executor=pool, progress=intrude).done == 4
    assert [name for name, _ in pool.order] == ["333", "222", "111"]


def test_resume_from_a_partial_table(tmp_path: Path) -> None:
    made(tmp_path / "first", executor=Here(), architectures=("111", "222"), seeds=(0, 1))
    partial = merge([tmp_path / "first"], tmp_path / "partial.h5")
    for source in (tmp_path / "partial.h5", partial, tmp_path / "first"):
        pool, folder = Here(), tmp_path / f"from {type(source).__name__} {Path(str(source)).name}"
        made(folder, executor=pool, resume_from=source)
        assert pool.order == [("333", 0), ("444", 0)]
        assert len(finished(folder, RECIPE, DIGEST)) == 4  # and not those of seed 1, which nobody asked for
    hopeless = tmp_path / "hopeless"  # a failed run gives way to one that did not fail
    made(hopeless, executor=Here(), architectures=("111",), train=awkward, retries=0)
    assert set(finished(hopeless, RECIPE).values()) == {"failed"}
    made(hopeless, executor=Here(), architectures=("111",), train=awkward, retries=0, resume_from=partial)
    assert set(finished(hopeless, RECIPE).values()) == {"ok"}
    message = refused(
        UsageError, lambda: build(Recipe(), (0,), tmp_path / "x", load=tiny, train=quick, resume_from=partial)
    )
    assert message == (
        f"{partial} cannot be resumed from: it was made with epochs 2.0, not {Recipe().epochs}; "
        "build with that recipe and those images, or from nothing"
    )


# -- what goes wrong ------------------------------------------------------------------------------


def test_a_run_that_raises_is_tried_again_then_recorded(tmp_path: Path, notes: Path) -> None:
    result = made(tmp_path / "runs", executor=Here(), train=moody)
    assert (result.done, result.failed, result.diverged) == (3, 1, 1)
    statuses = finished(tmp_path / "runs", RECIPE)
    by_name = {DEEPER64.architecture(hash).name: status for (hash, _), status in statuses.items()}
    assert by_name == {"111": "ok", "222": "ok", "333": "failed", "444": "diverged"}
    assert len(list(notes.iterdir())) == 1 + 2 + 2 + 1
    records = {record.spec: record for _, record in read_runs(tmp_path / "runs")}
    error = records[DEEPER64.architecture("333").spec].error
    assert error.startswith("Traceback (most recent call last):")
    assert error.endswith("ValueError: mood of 333\n")
    assert merge([tmp_path / "runs"], tmp_path / "t.h5").query("333").status == ("failed",)

    pool = Here()  # a later build tries the failed one anew, and nothing else
    assert made(tmp_path / "runs", executor=pool).failed == 0
    assert pool.order == [("333", 0)]


def test_without_retries_there_is_one_try(tmp_path: Path, notes: Path) -> None:
    assert made(tmp_path / "runs", executor=Here(), train=moody, retries=0).failed == 2


def test_exceptions_that_do_not_travel_and_results_that_are_none(tmp_path: Path) -> None:
    result = made(tmp_path, train=awkward, retries=0, architectures=("111", "222", "333"))
    assert (result.done, result.failed) == (0, 3)
    errors = {record.spec[-20:]: record.error.splitlines()[-1] for _, record in read_runs(tmp_path)}
    assert sorted(error.rpartition("small_builds.")[2] for error in errors.values()) == [
        "SystemExit: 3",
        "TypeError: train returned NoneType, not a RunRecord",
        "UnpicklableError: cannot be made again from this",
    ]


def test_a_train_that_makes_another_run(tmp_path: Path) -> None:
    assert refused(RunError, lambda: made(tmp_path, executor=Here(), train=other)) == (
        "train made another run than 333 seed 0: seed 1, not 0; it must train what it is given"
    )


def test_a_worker_that_dies_once_costs_nothing(tmp_path: Path, notes: Path) -> None:
    assert made(tmp_path / "runs", train=deadly_once, workers=2) == Progress(4, 0, 4, 0.0)
    assert len(list(notes.glob("222.*"))) == 2


def test_a_run_that_kills_its_worker_ends_the_build_and_is_named(tmp_path: Path, notes: Path) -> None:
    message = refused(RunError, lambda: made(tmp_path / "runs", train=deadly, workers=2))
    assert message == (
        "the worker of 222 seed 0 died each time. Out of memory is the usual reason, for which fewer workers help; a "
        "script must call build under `if __name__ == '__main__':`. What is finished is kept in "
        f"{tmp_path}/runs, and the same command goes on from there"
    )
    assert len(list(notes.glob("222.*"))) in (2, 3)  # twice alone, and before that perhaps beside another
    statuses = finished(tmp_path / "runs", RECIPE)
    assert (DEEPER64.architecture("333").hash, 0) in statuses
    assert set(statuses.values()) == {"ok"}


def test_a_broken_executor_of_the_caller(tmp_path: Path) -> None:
    class Broken(Here):
        def submit(self, *given: Any) -> Any:
            raise concurrent.futures.BrokenExecutor("all gone")

    assert refused(RunError, lambda: made(tmp_path, executor=Broken())) == (
        "the executor is broken: all gone; what finished is kept, run the same command with a new one"
    )


def test_a_run_that_the_executor_gives_up_is_tried_again(tmp_path: Path) -> None:
    class Fickle(Here):
        def submit(self, *given: Any) -> Any:
            future = super().submit(*given)
            if len(self.order) > 2:
                return future
            lost: concurrent.futures.Future[Any] = concurrent.futures.Future()
            if len(self.order) == 1:
                lost.cancel()
                lost.set_running_or_notify_cancel()
            else:
                lost.set_exception(ConnectionError("no such machine"))
            return lost

    pool = Fickle()
    assert made(tmp_path / "runs", executor=pool, retries=2) == Progress(4, 0, 4, 0.0)
    assert [name for name, _ in pool.order] == ["333", "333", "333", "222", "444", "111"]
    assert made(tmp_path / "more", executor=Fickle(), retries=1) == Progress(3, 1, 4, 0.0)
    (failed,) = [record for _, record in read_runs(tmp_path / "more") if record.status == "failed"]
    assert failed.error == "ConnectionError: no such machine"


def test_a_folder_that_cannot_be_written_is_refused_first(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    def never(*given: object) -> Images:
        raise AssertionError("the images were loaded first")

    assert refused(OutputError, lambda: made(tmp_path / "file", load=never)) == (
        f"{tmp_path}/file cannot be written: File exists; choose a place that can be written"
    )


def test_a_full_disk_keeps_what_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = os.fsync, []

    def fsync(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) > 4:  # two calls a run: the file, and its folder
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    path = run_path(tmp_path, DEEPER64.architecture("444").hash, 0)
    assert refused(OutputError, lambda: made(tmp_path, executor=Here())) == (
        f"{path} cannot be written: No space left on device; free some space and run the same command again"
    )
    assert len(finished(tmp_path, RECIPE, DIGEST)) == 2
    monkeypatch.undo()
    assert made(tmp_path, executor=Here()).done == 4


def test_a_folder_of_another_recipe_or_with_a_broken_run(tmp_path: Path) -> None:
    made(tmp_path, executor=Here())
    path = run_path(tmp_path, DEEPER64.architecture("111").hash, 0)
    message = refused(UsageError, lambda: build(Recipe(epochs=3.0), (0,), tmp_path, load=tiny, train=quick))
    assert message.endswith(
        " was made by another recipe: epochs 2.0, not 3.0; build into another folder, or with that recipe"
    )
    path.write_text("{")
    message = refused(TableError, lambda: made(tmp_path))
    assert message.startswith(f"{path} is not a whole file of a nasbench-ws run (")
    assert message.endswith("); delete it, and the next build makes that run again")
    path.unlink()
    pool = Here()
    made(tmp_path, executor=pool)
    assert pool.order == [("111", 0)]


def test_an_interruption_keeps_what_ended_unnoticed(tmp_path: Path) -> None:
    def interrupt(report: Progress) -> None:
        if report.done == 1:  # of the two that have ended by now
            raise KeyboardInterrupt

    with pytest.raises(BuildInterrupted) as caught:
        made(tmp_path, executor=Here(), workers=2, progress=interrupt)
    assert isinstance(caught.value, KeyboardInterrupt)
    assert caught.value.message == str(caught.value) == (
        f"interrupted: 2 of 4 runs are finished and kept in {tmp_path}; the same command goes on from there"
    )
    assert len(finished(tmp_path, RECIPE, DIGEST)) == 2
    assert made(tmp_path, executor=Here()).done == 4


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_a_run_is_being_written_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    real = os.fsync

    def fsync(descriptor: int) -> None:
        os.kill(os.getpid(), number)
        time.sleep(0.01)
        monkeypatch.undo()
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    assert refused(BuildInterrupted, lambda: made(tmp_path, executor=Here(), workers=1)) == (
        f"interrupted: 1 of 4 runs are finished and kept in {tmp_path}; the same command goes on from there"
    )
    assert list(finished(tmp_path, RECIPE, DIGEST).values()) == ["ok"]


SCRIPT = """
import sys
sys.path[:0] = sys.argv[1].split(":")
from nasbench_ws.training.building.builder import BuildInterrupted
from small_builds import made, slow
if __name__ == "__main__":
    try:
        made(sys.argv[2], train=slow, seeds=(0, 1), workers=2)
    except BuildInterrupted as error:
        print(error)
        sys.exit(130)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_signals_end_the_workers_and_keep_the_runs(tmp_path: Path, notes: Path, number: signal.Signals) -> None:
    script, runs = tmp_path / "script.py", tmp_path / "runs"
    script.write_text(SCRIPT)
    arguments = [sys.executable, str(script), TESTS_PATH, str(runs)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            wait_for(lambda: len(list(notes.iterdir())) == 2)  # both workers sleep in a run of seed 1
        except BaseException:
            process.kill()  # or this test would wait for it
            raise
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)
    if number != signal.SIGKILL:
        message = f"interrupted: 4 of 8 runs are finished and kept in {runs}; the same command goes on from there\n"
        assert (process.returncode, output, errors) == (130, message, "")
    workers = [int(path.name.partition(".")[0]) for path in notes.iterdir()]
    wait_for(lambda: not any(map(alive, workers)))
    assert sorted(finished(runs, RECIPE, DIGEST).values()) == ["ok"] * 4
    assert [path for path in runs.rglob("*") if path.suffix == ".tmp"] == []


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(process: int) -> bool:
    """Whether it runs; one that has ended and waits for its parent's notice does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_jobs_of_one_child_and_seed_are_the_same() -> None:
    child = DEEPER64.architecture("124")
    assert Job(child, 0, 1) == Job(child, 0, 1)


def test_torch_is_left_to_the_workers() -> None:
    code = (
        "import sys, nasbench_ws.training.building.builder; "
        "print([name for name in ('torch', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
