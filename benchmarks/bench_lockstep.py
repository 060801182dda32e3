"""How fast are many runs in one program? Runs an hour, on a GPU where there is one, else on the CPU.

    pytest benchmarks/bench_lockstep.py --benchmark-only

In `extra_info`: the same recipe one run at a time by the compiled kernels, on one processor and on all of them (a
process each) in the same session (`ratio_to_one_core`, `ratio_to_all_cores`), what the same runs take alone on the
device (`ratio_to_alone`), and the time that the bytes would take which a step must move, at the device's measured copy
bandwidth (`floor_fraction`; 1 cannot be beaten). `test_where_the_time_goes` keeps the device's dearest kernels.
"""

from __future__ import annotations

import gc
import multiprocessing
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest
import torch
from timing import machine, seconds_of

from nasbench_ws.images.loaders import load_images
from nasbench_ws.recipe import Recipe
from nasbench_ws.sharing.keys import none
from nasbench_ws.space.macro import macro_for
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.training.backend import chosen
from nasbench_ws.training.lockstep import Feed, Lockstep
from nasbench_ws.training.loop import make_batches, one_thread
from nasbench_ws.training.supernet import SuperNet
from nasbench_ws.workers.processes import available_cpus

CUDA = torch.cuda.is_available()
DEVICE = "cuda" if CUDA else "cpu"
ROUNDS, RUNS, PROFILED = (20, [1, 16, 64, 256, 640], 256) if CUDA else (2, [1, 8], 8)
RECIPE = Recipe() if CUDA else Recipe(batch_size=16)
COPIED = 2**28  # bytes; far beyond any cache
STARTS, LASTS = (12.0, 4.0) if CUDA else (8.0, 0.5)  # seconds that processes have to start, and then to train


def _waited(function: Callable[[], object]) -> Callable[[], object]:
    def waited() -> object:
        found = function()
        if CUDA:
            torch.cuda.synchronize()
        return found

    return waited


def _chosen(runs: int) -> list[Any]:
    """Children spread over the space, then seeds."""
    return [(DEEPER64[(i * max(1, 64 // runs)) % 64], i // 64) for i in range(runs)]


def _stepping(runs: list[Any], device: str = DEVICE, dtype: torch.dtype = torch.float32) -> tuple[Lockstep, Any]:
    images = load_images("fashion14")
    net = Lockstep(RECIPE, macro_for(RECIPE, images), runs, device, dtype)
    feed = Feed(images, RECIPE, runs, net)
    return net, _waited(lambda: net.step(*next(feed), lr=0.01))


def _copy_bandwidth() -> float:
    """Bytes a second, those read and those written."""
    source = torch.ones(COPIED // 4, device=DEVICE)
    target = torch.empty_like(source)
    copy = _waited(lambda: target.copy_(source))
    copy()
    return 2 * COPIED / min(seconds_of(copy) for _ in range(5))


def _bytes_moved(net: Lockstep) -> int:
    """Forward, a block reads its input and writes its output; backward, it reads input and gradient, and writes one."""
    channels = sum(
        len(place.runs) * (3 * place.block.in_channels + 2 * place.block.out_channels) for place in net.places.values()
    )
    return channels * RECIPE.batch_size * net.macro.height * net.macro.width * 4


def _steps_until(start: float, end: float) -> int:
    """How many steps of standalone runs this process makes between two times, children in turn."""
    images = load_images("fashion14")
    macro = macro_for(RECIPE, images)
    with one_thread():
        nets = [SuperNet(RECIPE, macro, [arch], none, seed=0) for arch, _ in _chosen(16)]
        batches = make_batches(RECIPE, images, nets[0], 0)
        for net in nets:
            net.step([0], *next(batches), 0.01)
        late = max(0.0, time.time() - start)
        time.sleep(max(0.0, start - time.time()))
        made = 0
        while time.time() < end + late:
            nets[made % len(nets)].step([0], *next(batches), 0.01)
            made += 1
    return made


@pytest.fixture(scope="module")
def compiled_steps() -> dict[int, float]:
    """Steps a second of the path that `chosen()` names, by processes: 1, and as many as there are processors."""
    found = {}
    for count in sorted({1, available_cpus()}):
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(count, context) as pool:
            start = time.time() + STARTS
            made = [pool.submit(_steps_until, start, start + LASTS) for _ in range(count)]
            found[count] = sum(one.result() for one in made) / LASTS
    return found


@pytest.mark.benchmark(group="a step of many runs in lockstep")
@pytest.mark.parametrize("runs", RUNS)
def test_lockstep(benchmark: Any, compiled_steps: dict[int, float], runs: int) -> None:
    every = _chosen(runs)
    net, together = _stepping(every)
    loss = together()[0].clone()
    alone = []
    for i in range(0, runs, max(1, runs // 4)):
        _, step = _stepping([every[i]])
        torch.testing.assert_close(step()[0], loss[i : i + 1], rtol=1e-4, atol=1e-5)
        for _ in range(4):
            step()
        alone.append(statistics.median(seconds_of(step) for _ in range(ROUNDS)))
    for _ in range(4):
        together()
    seconds = statistics.median(seconds_of(together) for _ in range(ROUNDS))
    steps = runs / seconds
    benchmark.extra_info.update(
        machine(chosen().description(net.macro.channels)),
        device=torch.cuda.get_device_name() if CUDA else "cpu",
        runs_an_hour=3600 * steps / RECIPE.steps,
        child_images_a_second=steps * RECIPE.batch_size,
        ratio_to_alone=statistics.mean(alone) * steps,
        ratio_to_one_core=steps / compiled_steps[1],
        ratio_to_all_cores=steps / compiled_steps[max(compiled_steps)],
        cores=max(compiled_steps),
        one_core_runs_an_hour=3600 * compiled_steps[1] / RECIPE.steps,
        all_cores_runs_an_hour=3600 * compiled_steps[max(compiled_steps)] / RECIPE.steps,
        floor_fraction=_bytes_moved(net) / _copy_bandwidth() / seconds,
        gigabytes=torch.cuda.max_memory_reserved() / 1e9 if CUDA else 0.0,
    )
    benchmark.pedantic(together, rounds=ROUNDS)
    del net, together, step
    gc.collect()
    if CUDA:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def test_the_device_computes_what_the_cpu_does(benchmark: Any) -> None:
    """20 steps in float64, of which a CUDA device makes 17 as a captured graph."""
    every = _chosen(4)
    found = {}
    for device in sorted({"cpu", DEVICE}):
        net, step = _stepping(every, device, torch.float64)
        losses = torch.stack([step()[0].cpu() for _ in range(20)])
        parameters = torch.cat([parameter.detach().cpu().flatten() for parameter in net.parameters])
        found[device] = losses, parameters
    assert found["cpu"][0][-1].mean() < found["cpu"][0][0].mean()  # they learn
    for here, there in zip(found["cpu"], found[DEVICE], strict=True):
        benchmark.extra_info["greatest_difference"] = float((here - there).abs().max())
        torch.testing.assert_close(there, here, rtol=1e-8, atol=1e-9)
    benchmark.pedantic(step, rounds=3)


def test_where_the_time_goes(benchmark: Any) -> None:
    """Kernels by name: microseconds a step and calls a step, the dearest first."""
    from torch.profiler import ProfilerActivity, profile

    _, step = _stepping(_chosen(PROFILED))
    for _ in range(6):
        step()
    with profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if CUDA else [])]) as profiler:
        for _ in range(3):
            step()
    rows = [(row.self_device_time_total if CUDA else row.self_cpu_time_total, row) for row in profiler.key_averages()]
    rows = [(spent, row) for spent, row in rows if not CUDA or str(row.device_type).endswith("CUDA")]
    rows.sort(key=lambda one: -one[0])
    assert sum(spent for spent, _ in rows) > 0
    benchmark.extra_info["runs"] = PROFILED
    benchmark.extra_info["calls_a_step"] = sum(row.count for _, row in rows) / 3
    benchmark.extra_info["microseconds_a_step"] = {
        f"{row.key[:100]} x{row.count / 3:g}": round(spent / 3) for spent, row in rows[:25]
    }
    benchmark.pedantic(step, rounds=3)
