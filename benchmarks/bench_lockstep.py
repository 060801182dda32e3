"""How fast are many runs in one program? Child-images a second, on a GPU where there is one, else on the CPU.

    pytest benchmarks/bench_lockstep.py --benchmark-only

Beside it in `extra_info`: the same runs one at a time on the same device (`ratio`), and the time that the bytes
would take which a step must move, at the device's measured copy bandwidth (`floor_fraction`; 1 cannot be beaten).
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import pytest
import torch
from timing import machine, seconds_of

from nasbench_ws.images.loaders import load_images
from nasbench_ws.recipe import Recipe
from nasbench_ws.space.macro import macro_for
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.training.lockstep import Feed, Lockstep

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
BATCH, ROUNDS, RUNS = (128, 20, [2, 8, 64, 256]) if DEVICE == "cuda" else (32, 2, [2, 8])
COPIED = 2**28  # bytes; far beyond any cache


def _waited(function: Callable[[], object]) -> Callable[[], object]:
    def waited() -> object:
        found = function()
        if DEVICE == "cuda":
            torch.cuda.synchronize()
        return found

    return waited


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
    return channels * BATCH * net.macro.height * net.macro.width * 4


@pytest.mark.benchmark(group="a step of many runs in lockstep")
@pytest.mark.parametrize("runs", RUNS)
def test_lockstep(benchmark: Any, runs: int) -> None:
    recipe, images = Recipe(batch_size=BATCH), load_images("fashion14")
    macro = macro_for(recipe, images)
    every = [(DEEPER64[(i * max(1, 64 // runs)) % 64], i // 64) for i in range(runs)]  # children spread, then seeds

    def step_of(chosen: list[Any]) -> tuple[Lockstep, Callable[[], Any]]:
        net = Lockstep(recipe, macro, chosen, DEVICE)
        feed = Feed(images, recipe, chosen, net)
        return net, _waited(lambda: net.step(*next(feed), lr=0.01))

    net, together = step_of(every)
    loss, _ = together()
    alone = []
    for i, run in enumerate(every):
        _, step = step_of([run])
        torch.testing.assert_close(step()[0], loss[i : i + 1], rtol=1e-4, atol=1e-5)
        alone.append(statistics.median(seconds_of(step) for _ in range(ROUNDS)))
    seconds = statistics.median(seconds_of(together) for _ in range(ROUNDS))
    floor = _bytes_moved(net) / _copy_bandwidth()
    benchmark.extra_info.update(
        machine("torch in lockstep"),
        device=torch.cuda.get_device_name() if DEVICE == "cuda" else "cpu",
        ratio=sum(alone) / seconds,
        child_images_a_second=runs * BATCH / seconds,
        floor_fraction=floor / seconds,
    )
    benchmark.pedantic(together, rounds=ROUNDS)
