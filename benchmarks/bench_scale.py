"""What does a build cost that is large: files, bookkeeping for each run, memory, and the merge?

    pytest benchmarks/bench_scale.py --benchmark-only                 # 64 and 729 children
    pytest benchmarks/bench_scale.py --benchmark-only -m slow         # 15,625 x 3 and 4,096 x 10: data/SCALE.md

The scheduler, the files and the merge are the real ones; workers are simulated: each ends at once with made-up curves.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from timing import machine

from nasbench_ws.images.dataset import Images, Split
from nasbench_ws.recipe import Recipe
from nasbench_ws.space import operations
from nasbench_ws.space.cell import Architecture, Space
from nasbench_ws.space.registry import DEEPER64, SPACES
from nasbench_ws.tables.columns import CURVES
from nasbench_ws.tables.merge import merge
from nasbench_ws.tables.run import RunRecord
from nasbench_ws.training.building.builder import build

POINTS, IN_FLIGHT = 10, 256
FIFTH = "dil_conv_3x3"  # so that 15,625 children can be had; as dil_conv_5x5 with another kernel
SIZES = {
    (64, 3): DEEPER64,
    (729, 3): Space("bench729", 3, DEEPER64.operations[:3]),
    (4096, 10): Space("bench4096", 3, DEEPER64.operations),
    (15625, 3): Space("bench15625", 3, (*DEEPER64.operations, FIFTH)),
}
SLOW = [pytest.param(size, marks=pytest.mark.slow) if size[0] > 1000 else size for size in SIZES]


def _no_images(name: str, splits: Any, root: object) -> Images:
    split = Split(np.zeros((10, 14, 14, 1), np.uint8), np.arange(10))
    return Images(name, tuple("abcdefghij"), "d" * 64, (0.0,), (1.0,), dict.fromkeys(splits, split))


class Simulated(Executor):
    """Workers that need no time. `messages` are tasks and results, as a scheduler would pass them on."""

    messages = 0

    def submit(  # type: ignore[override]
        self, work: Any, make: Any, number: int, run: tuple[Architecture, int], on_step: Any
    ) -> Future[RunRecord]:
        (arch, seed), self.messages = run, self.messages + 2
        rng = np.random.default_rng([arch.index, seed])
        curves = {name: tuple(rng.random(POINTS).tolist()) for name in CURVES}
        future: Future[RunRecord] = Future()
        record = RunRecord(
            hash=arch.hash, spec=arch.spec, seed=seed, status="ok", error="",
            epochs=tuple(float(i + 1) for i in range(POINTS)), curves=curves, recipe=make.recipe.to_dict(),
            images_digest="d" * 64, versions={"torch": "none"}, device="simulated",
        )  # fmt: skip
        future.set_result(record)
        return future


def _timed(action: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    return action(), time.perf_counter() - started


@pytest.mark.benchmark(group="a build of many runs")
@pytest.mark.parametrize("size", SLOW, ids=lambda size: f"{size[0]}x{size[1]}")
def test_build_of_many(benchmark: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, size: tuple[int, int]) -> None:
    monkeypatch.setitem(operations.OPERATIONS, FIFTH, operations.OPERATIONS["dil_conv_5x5"])
    children, seeds = size
    space = SIZES[size]
    monkeypatch.setitem(SPACES, space.name, space)  # for this benchmark alone
    recipe = Recipe(space=space.name, epochs=10.0, points=POINTS)
    executor, runs = Simulated(), tmp_path / "runs"

    def make() -> Any:
        return build(recipe, range(seeds), runs, executor=executor, load=_no_images, workers=IN_FLIGHT)

    progress, seconds = _timed(lambda: benchmark.pedantic(make, rounds=1))
    assert progress.done == children * seeds
    again, resumed = _timed(make)
    assert again.done == children * seeds
    assert executor.messages == 2 * children * seeds  # nothing twice
    table, merging = _timed(lambda: merge([runs], tmp_path / "t.h5"))
    assert table.content.shape == (children, seeds, POINTS)
    files = [entry for _, _, names in os.walk(runs) for entry in names]
    benchmark.extra_info.update(
        machine("simulated workers"),
        files=len(files),
        most_files_in_a_folder=max(len(names) for _, _, names in os.walk(runs)),
        messages=executor.messages,
        milliseconds_a_run=1e3 * seconds / (children * seeds),
        resume_seconds=resumed,
        merge_seconds=merging,
        table_bytes=(tmp_path / "t.h5").stat().st_size,
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )
