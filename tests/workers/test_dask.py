"""A real dask scheduler with worker processes: the same numbers as here, whatever dies on the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import TESTS_PATH
from test_cli import QUICK, write_small_table

from nasbench_ws.cli import group
from nasbench_ws.errors import RunError, UsageError
from nasbench_ws.images.dataset import Images
from nasbench_ws.recipe import Recipe
from nasbench_ws.space.cell import Architecture
from nasbench_ws.tables.columns import METRICS
from nasbench_ws.tables.merge import merge
from nasbench_ws.tables.run import RunRecord, read_runs
from nasbench_ws.training.building.builder import Progress, build
from nasbench_ws.training.building.standalone import train_run
from nasbench_ws.workers import dask as cluster
from nasbench_ws.workers.dask import dask_executor, threads

RECIPE = Recipe(train_images=512, batch_size=64, channels=4, cells=1, epochs=2, points=1)
WORDS = "--recipe=train_images=512,batch_size=64,channels=4,cells=1,epochs=2,points=1"
FEW = ("111", "222", "434")


def train_or_not(recipe: Recipe, arch: Architecture, seed: int, images: Images) -> RunRecord:
    """At the top level of a module that workers can import. 222 fails, and 434 kills its first worker."""
    if arch.name == "222":
        raise ValueError("no luck with 222")
    killed = Path(os.environ["NOTES"], "killed")
    if arch.name == "434" and not killed.exists():
        killed.touch()
        os.kill(os.getpid(), 9)
    return train_run(recipe, arch, seed, images)


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    folder = tmp_path_factory.mktemp("dask")
    file = folder / "scheduler.json"
    environment = {**os.environ, "PYTHONPATH": TESTS_PATH, "NOTES": str(folder), "OMP_NUM_THREADS": "1"}
    processes: list[subprocess.Popen[bytes]] = []

    def start(*words: str) -> None:
        command = [sys.executable, "-P", "-m", "dask", *words, "--scheduler-file", str(file)]
        with (folder / f"log{len(processes)}").open("wb") as log:
            processes.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder))

    start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    for _ in range(2):
        start("worker", "--nthreads", "1", "--no-nanny", "--no-dashboard")
    until = time.monotonic() + 60
    while not file.exists() and time.monotonic() < until:
        time.sleep(0.1)
    yield SimpleNamespace(file=file, start=start)
    for process in processes:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_builds_and_evaluations_are_the_same_there(
    dask: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    monkeypatch.chdir(tmp_path)

    def command(*words: str) -> str:
        result = CliRunner().invoke(group, list(words), catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    archs = f"--archs={','.join(FEW)}"
    out = command("build", "there", "--seeds", "0", archs, WORDS, "--dask", str(dask.file))
    assert "3 of 3 runs are finished in there" in out
    build(RECIPE, [0], "here", architectures=FEW)
    here, there = merge(["here"], "here.h5"), merge(["there"], "there.h5")
    for name in METRICS:
        np.testing.assert_array_equal(here.curves(name), there.curves(name))

    write_small_table(tmp_path / "small.h5")
    # evaluations: code, what it imports, and groups are sent: the workers have another folder, and no such files
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "edges_of_ours.py").write_text("FIRST = (0, 1)\n")
    monkeypatch.syspath_prepend(tmp_path / "ours")
    (tmp_path / "my.py").write_text(
        "from edges_of_ours import FIRST\n\n\nclass Few:\n    def key(self, arch, slot):\n"
        "        return arch.operation(FIRST)\n\n\nclass Plain:\n    splits = ()\n"
        "    def score(self, problem, images, seed):\n"
        "        return [FIRST[1] * child.index for child in problem.children]\n"
    )
    (tmp_path / "groups.json").write_text(json.dumps([[f"{i}{j}{k}" for j in "1234" for k in "1234"] for i in "1234"]))
    edge = json.loads(command("evaluate", "edge:0-1", *QUICK, "--json"))["scores"]
    for name in ("my.py:Few", "groups:file:groups.json"):
        assert json.loads(command("evaluate", name, *QUICK, "--json", "--dask", str(dask.file)))["scores"] == edge

    few = ["search", "re", "random", "--repetitions", "4", "--budget", "8", "--json"]
    searches = [json.loads(command(*few, *more)) for more in ((), ("--dask", str(dask.file)))]
    for one in searches:
        for row in one["searchers"]:
            row.pop("thinking")
    assert searches[0] == searches[1]

    # a killed worker costs its own run, which another one makes; a run that raises is recorded, and stops no other
    with dask_executor(str(dask.file)) as executor:
        assert threads(executor) == 2
        options: dict[str, Any] = {"train": train_or_not, "executor": executor, "workers": 2, "retries": 1}
        progress = build(RECIPE, [1], "odd", architectures=FEW, **options)
        assert (progress.done, progress.failed, threads(executor)) == (2, 1, 1)
    odd = {record.spec: record for _, record in read_runs("odd")}
    (failed,) = [record for record in odd.values() if record.status == "failed"]
    assert "ValueError: no luck with 222" in failed.error
    build(RECIPE, [1], "even", architectures=("111", "434"))
    for _, record in read_runs("even"):
        assert {name: odd[record.spec].curves[name] for name in METRICS} == {n: record.curves[n] for n in METRICS}


def test_a_scheduler_without_workers_and_then_without_life(tmp_path: Path) -> None:
    """That nobody works is said; that nobody will ends the build, with nothing recorded of what was under way."""
    file = tmp_path / "scheduler.json"
    command = [sys.executable, "-P", "-m", "dask", "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen([*command, "--scheduler-file", str(file)], stdout=log, stderr=log) as scheduler,
    ):
        try:
            until = time.monotonic() + 60
            while not file.exists() and time.monotonic() < until:
                time.sleep(0.1)
            idle = []

            def note(report: Progress) -> None:
                idle.append(report.idle)
                if report.idle:
                    scheduler.kill()

            address = json.loads(file.read_text())["address"]
            with pytest.raises(RunError) as caught, dask_executor(str(file)) as executor:
                build(RECIPE, [0], tmp_path / "runs", architectures=FEW, executor=executor, workers=2, progress=note)
        finally:
            scheduler.kill()
    assert idle == [False, True]
    assert str(caught.value) == (
        f"the executor is broken: the dask scheduler at {address} is gone, or has been told to drop its tasks; what "
        "finished is kept, run the same command with a new one"
    )
    assert list(read_runs(tmp_path / "runs")) == []
    started = time.monotonic()
    with pytest.raises(UsageError, match="no dask scheduler answers at "), dask_executor(str(file)):
        pass  # a file of a scheduler that is no more
    assert time.monotonic() - started < 5


def test_where_no_scheduler_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "TIMEOUT_SECONDS", 0.5)
    (tmp_path / "other.json").write_text('{"name": "one"}')
    for where in ("tcp://127.0.0.1:9", "127.0.0.1:9", "nothing at all", str(tmp_path / "other.json")):
        with pytest.raises(UsageError) as caught, dask_executor(where, timeout=0.5):
            pass
        text = str(caught.value)
        assert text.startswith(f"no dask scheduler answers at {where} (")
        assert text.endswith(
            "); start one with `dask scheduler --scheduler-file FILE`, workers with "
            "`dask worker --scheduler-file FILE --nthreads 1`, and give --dask FILE"
        )
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError) as caught, dask_executor("tcp://127.0.0.1:9"):
        pass
    assert str(caught.value) == "--dask needs dask.distributed; get it with: pip install 'nasbench-ws[dask]'"
