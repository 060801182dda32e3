"""Killed at any moment, on a full disk, on a disk that cannot be written: nothing finished is lost or damaged.

The plain run kills a few times; `pytest -m slow tests/test_soak.py` a hundred times each, in about twenty minutes.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TESTS_PATH
from small_builds import DIGEST, FEW, RECIPE, quick, tiny
from test_cli import QUICK, write_small_table
from test_images import write_originals

from nasbench_ws.errors import OutputError
from nasbench_ws.evaluation.evaluate import evaluate
from nasbench_ws.json_files import read_record
from nasbench_ws.rankers.plan import Plan
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.tables.columns import METRICS
from nasbench_ws.tables.merge import merge
from nasbench_ws.tables.run import finished, read_runs, run_paths
from nasbench_ws.tables.table import verify
from nasbench_ws.training.building.builder import build

BUILD = """
import sys
from small_builds import RECIPE, brief, tiny
from nasbench_ws.training.building.builder import build
if __name__ == "__main__":
    build(RECIPE, range(int(sys.argv[2])), sys.argv[1], train=brief, load=tiny, workers=2)
"""


def kill_again_and_again(
    start: Callable[[], subprocess.Popen[bytes]], count: Callable[[], int], check: Callable[[], None], kills: int
) -> int:
    """Start, kill with SIGKILL at a random moment, check; at the end let it finish. Returns how many were killed.

    One in four dies while it starts, the others some time after they have finished something.
    """
    killed, rng = 0, random.Random(kills)
    for _ in range(kills):
        before, process = count(), start()
        until = time.monotonic() + (rng.uniform(0.1, 2) if rng.random() < 0.25 else 60)
        while process.poll() is None and time.monotonic() < until:
            if count() > before:
                before, until = math.inf, time.monotonic() + rng.uniform(0, 1)
            time.sleep(0.02)
        if process.poll() is None:
            if rng.random() < 0.5:
                os.killpg(process.pid, signal.SIGKILL)  # with its workers, as a machine that goes down
            else:
                process.kill()  # alone
            killed += 1
        process.wait()
        check()
    assert start().wait(900) == 0
    return killed


@pytest.fixture
def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": TESTS_PATH, "OMP_NUM_THREADS": "1"}


@pytest.mark.parametrize(
    ("kills", "seeds", "nap"),
    [
        pytest.param(3, 1, 0.05, marks=pytest.mark.slow, id="few"),  # CI runs it
        pytest.param(100, 32, 0.05, marks=pytest.mark.slow),
    ],
)
def test_a_build_killed_again_and_again(
    tmp_path: Path, environment: dict[str, str], kills: int, seeds: int, nap: float
) -> None:
    runs, script = tmp_path / "runs", tmp_path / "build.py"
    script.write_text(BUILD)
    seen: dict[Path, bytes] = {}
    options: Any = {"env": {**environment, "NAP": str(nap)}, "start_new_session": True}

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, str(script), str(runs), str(seeds)], **options)

    def check() -> None:
        now = {path: path.read_bytes() for path, _ in read_runs(runs)}  # which reads every run, and its digest
        assert seen.items() <= now.items()
        seen.update(now)

    killed = kill_again_and_again(start, lambda: len(run_paths(runs)), check, kills)
    print(f"{killed} of {kills} killed, {len(seen)} runs by then")
    assert killed > kills // 2
    assert seen
    check()
    assert len(seen) == seeds * len(DEEPER64)
    build(RECIPE, range(seeds), tmp_path / "whole", train=quick, load=tiny, workers=1)
    broken, whole = merge([runs], tmp_path / "broken.h5"), merge([tmp_path / "whole"], tmp_path / "whole.h5")
    assert verify(tmp_path / "broken.h5") == []
    for name in METRICS:
        np.testing.assert_array_equal(broken.curves(name), whole.curves(name))


@pytest.mark.slow
@pytest.mark.parametrize("kills", [100])
def test_an_evaluation_killed_again_and_again(tmp_path: Path, environment: dict[str, str], kills: int) -> None:
    write_small_table(tmp_path / "small.h5")
    code = "import sys; from nasbench_ws.cli import main; main()"
    words = ["evaluate", "groups:similar:8", *QUICK, "--instances", "60", "--workers", "2"]
    seen: dict[Path, bytes] = {}

    def start(out: str = "killed.json") -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-c", code, *words, "--out", out]
        quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(command, env=environment, cwd=tmp_path, start_new_session=True, **quiet)

    def parts() -> list[Path]:
        return list((tmp_path / "killed.json.parts").glob("*/*.json"))

    def check() -> None:
        now = {path: path.read_bytes() for path in parts() if read_record(path, "nasbench-ws part")}
        assert seen.items() <= now.items()
        seen.update(now)

    killed = kill_again_and_again(start, lambda: len(parts()), check, kills)
    assert killed > kills // 2
    assert seen
    print(f"{killed} of {kills} killed, {len(seen)} parts by then")
    assert start("whole.json").wait(600) == 0
    found = [json.loads((tmp_path / f"{name}.json").read_text()) for name in ("killed", "whole")]
    assert found[0]["scores"] == found[1]["scores"]
    assert found[0]["metrics"] == found[1]["metrics"]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """A file system of the test's own, 256 KiB; called again with "remount,ro" or the like."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options: str) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("no file system can be mounted here")
        return folder

    yield mount
    subprocess.run(["umount", str(folder)], capture_output=True, check=False)


def test_a_full_disk(disk: Callable[[str], Path], tmp_path: Path) -> None:
    folder = disk("size=256k")
    with pytest.raises(OutputError) as caught:
        build(RECIPE, range(40), folder / "runs", train=quick, load=tiny, architectures=FEW)
    assert str(caught.value).endswith(
        "cannot be written: No space left on device; free some space and run the same command again"
    )
    kept = dict(read_runs(folder / "runs"))
    assert 10 < len(kept) < 160
    disk("remount,size=8m")
    found = build(RECIPE, range(40), folder / "runs", train=quick, load=tiny, architectures=FEW)
    assert (found.done, found.failed) == (160, 0)
    assert kept.items() <= dict(read_runs(folder / "runs")).items()
    table = merge([folder / "runs"], tmp_path / "t.h5")
    disk("remount,size=1m")
    fill(folder / "filler")
    with pytest.raises(OutputError):
        merge([folder / "runs"], folder / "big.h5")
    assert not (folder / "big.h5").exists()
    assert table.digest == merge([folder / "runs"], tmp_path / "again.h5").digest


@pytest.mark.slow  # makes a disk; CI runs it
def test_images_on_a_full_disk(disk: Callable[[str], Path], tmp_path: Path) -> None:
    """In a process of its own, for libhdf5 crashes where it writes to such a disk itself."""
    write_originals(tmp_path / "originals")
    output = disk("size=16k") / "a.h5"
    code = "from nasbench_ws.cli import main; main()"
    asked = ["data", "prepare", str(tmp_path / "originals"), "--quiet", "-o", str(output)]
    command = [sys.executable, "-P", "-c", code, *asked]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        7,
        f"Error: {output} cannot be written: No space left on device; free some space and run the same command again\n",
    )
    assert list(output.parent.iterdir()) == []


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass


def test_a_disk_that_cannot_be_written(disk: Callable[[str], Path]) -> None:
    folder = disk("size=1m")
    build(RECIPE, [0], folder / "runs", train=quick, load=tiny, architectures=FEW)
    disk("remount,ro,size=1m")
    with pytest.raises(OutputError) as caught:
        build(RECIPE, [0, 1], folder / "runs", train=quick, load=tiny, architectures=FEW)
    text = "cannot be written: Read-only file system; choose a place that can be written"
    assert str(caught.value).endswith(text)
    assert len(finished(folder / "runs", RECIPE, DIGEST)) == len(FEW)


READ = """
import sys, threading
from nasbench_ws import load
from nasbench_ws.space import DEEPER64

def ask():
    table = load(sys.argv[1])
    sums.append(sum(table.query(child.hash).test_accuracy.mean for child in DEEPER64))

sums = []
threads = [threading.Thread(target=ask) for _ in range(int(sys.argv[2]))]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(*sums)
"""


@pytest.mark.slow  # a dozen processes; CI runs it
def test_many_readers_beside_a_builder(disk: Callable[[str], Path], tmp_path: Path) -> None:
    """16 processes, one of 16 threads, ask one table on a disk that cannot be written, while runs are made."""
    folder = disk("size=8m")
    build(RECIPE, [0, 1], folder / "runs", train=quick, load=tiny)
    table = merge([folder / "runs"], folder / "t.h5")
    disk("remount,ro,size=8m")
    command = [sys.executable, "-P", "-c", READ, str(folder / "t.h5")]
    readers = [
        subprocess.Popen([*command, "16" if i == 0 else "1"], stdout=subprocess.PIPE, text=True) for i in range(16)
    ]
    found = build(RECIPE, [2], tmp_path / "runs", train=quick, load=tiny, workers=1)
    said = [reader.communicate()[0].split() for reader in readers]
    assert [len(words) for words in said] == [16] + [1] * 15
    assert {float(word) for words in said for word in words} == {sum(table.truth.tolist())}
    assert found.done == 64


@pytest.mark.slow
def test_fifty_instances_take_no_more_memory_than_ten(tmp_path: Path, tiny: Any) -> None:
    """In one process: what it holds after each super-net."""
    held: list[int] = []

    def note(progress: Any) -> None:
        if progress.done > len(held):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            held.append(pages * os.sysconf("SC_PAGE_SIZE"))

    plan = Plan("full", tiny.recipe, steps=640, last=8, batch_norm=("running", "recalibrate:64"))
    evaluate("full", tiny.table, plan=plan, instances=50, folder=tmp_path, load=tiny.load, on_progress=note)
    print(f"{held[9] / 2**20:.1f} MiB after 10 instances, {held[-1] / 2**20:.1f} after {len(held)}")
    assert len(held) == 50
    assert held[-1] < held[9] + 4 * 2**20
