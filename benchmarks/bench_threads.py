"""What do more threads give one super-net? And does any number depend on them?

    pytest benchmarks/bench_threads.py --benchmark-only

Threads take turns in one run. On processors that have other work the ratios of the clock say little; `processor` is the
time of all threads together in that of one, which is what waiting for one another costs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from timing import machine

from nasbench_ws.images.loaders import load_images
from nasbench_ws.recipe import Recipe
from nasbench_ws.sharing.keys import full
from nasbench_ws.space.macro import macro_for
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.training import compiled as engine
from nasbench_ws.training.batch_norm import BatchNorm
from nasbench_ws.training.loop import make_batches, one_thread
from nasbench_ws.training.scoring import Scorer
from nasbench_ws.training.supernet import SuperNet
from nasbench_ws.workers.processes import available_cpus
from nasbench_ws.workers.threads import threads_here

pytestmark = pytest.mark.skipif(not engine.available(), reason="the compiled kernels are not built")
CHILDREN = range(0, 64, 8)


def _turns(works: dict[int, Callable[[], Any]], rounds: int) -> dict[int, tuple[float, float]]:
    """By threads: the least seconds by the clock and of the processors, over rounds in turn."""
    found: dict[int, list[tuple[float, float]]] = {count: [] for count in works}
    for _ in range(rounds):
        for count, work in works.items():
            with threads_here(count):
                wall, cpu = time.perf_counter(), time.process_time()
                work()
                found[count].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {count: tuple(np.min(values, axis=0).tolist()) for count, values in found.items()}  # type: ignore[misc]


@pytest.mark.benchmark(group="threads in one super-net")
@pytest.mark.parametrize("what", ["training", "scoring", "recalibrating"])
def test_threads(benchmark: Any, what: str) -> None:
    recipe, images = Recipe(), load_images("fashion14")
    counts = sorted({1, 2, available_cpus()})
    with one_thread():
        nets = {count: SuperNet(recipe, macro_for(recipe, images), list(DEEPER64), full, 0) for count in counts}
        batch, labels = next(make_batches(recipe, images, nets[1], 0))
        mode = "recalibrate:256" if what == "recalibrating" else "running"
        scorer = Scorer(images.first_valid(200), "valid", BatchNorm.parse(mode))
        found: dict[int, Any] = {}

        def work(count: int) -> Callable[[], Any]:
            net = nets[count]

            def train() -> None:
                for number in CHILDREN:
                    net.step([number], batch, labels, 0.01)
                found[count] = net.weights.values

            def score() -> None:
                found[count] = torch.from_numpy(scorer.score(net).loss)

            return train if what == "training" else score

        works = {count: work(count) for count in counts}
        benchmark.pedantic(works[1], rounds=1)
        for count in counts[1:]:
            with threads_here(count):
                works[count]()
        least = _turns(works, 1 if benchmark.disabled else 20)
    assert all(torch.equal(found[count], found[1]) for count in counts)
    benchmark.extra_info.update(
        machine(nets[1].backend.description(8)),
        **{f"ratio of {count}": least[1][0] / least[count][0] for count in counts},
        **{f"processor of {count}": least[count][1] / least[1][1] for count in counts},
    )
