"""Threads of the kernels: no number depends on how many there are, in this process or in workers."""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from nasbench_ws.errors import UsageError
from nasbench_ws.recipe import Recipe
from nasbench_ws.sharing.keys import full
from nasbench_ws.space.macro import Macro
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.training import compiled
from nasbench_ws.training.supernet import SuperNet
from nasbench_ws.workers.pool import Task, execute
from nasbench_ws.workers.threads import threads_here, threads_now

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.skipif(not compiled.available(), reason="the compiled kernels are not built"),
]
COUNTS = (1, 2, 3, 7)
CHILDREN = [DEEPER64.architecture(name) for name in ("124", "333", "434")]
# 3 planes of 8 lanes where channels are 20, several cells, and a batch that no number of threads divides
MACROS = {channels: Macro("tiny", (3,), channels, 2, 6, 5, 1, 3) for channels in (4, 20)}


def numbers(macro: Macro, dtype: torch.dtype, batch: int = 61, own_loss: bool = True) -> bytes:
    """Everything that training and scoring a super-net computes, with a loss in Python or without."""
    net = SuperNet(Recipe(batch_size=batch, train_images=batch), macro, CHILDREN, full, 0, dtype)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn((batch, 6, 5, 1), generator=generator, dtype=dtype)
    labels = torch.arange(batch) % 3
    found: list[Any] = [net.step([number], images, labels, 0.1) for number in (0, 1, 2, 0)]
    gradient = torch.zeros_like(net.weights.values)
    found.append(net._child(2).learn(images, labels, gradient, 0.1, F.cross_entropy if own_loss else None))
    bound = net.merged(range(3))
    mean, var = bound.statistics(images)
    parts = [gradient, *bound.score(images, labels, (mean, var), 5), *bound.score(images, labels, None, 20), mean, var]
    parts += [net.weights.values, net.weights.momentum, net.weights.running_mean, net.weights.running_var]
    return repr(found).encode() + b"".join(np.asarray(part).tobytes() for part in parts)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
@pytest.mark.parametrize("channels", MACROS)
def test_no_number_depends_on_the_threads(channels: int, dtype: torch.dtype) -> None:
    found = []
    for count in COUNTS:
        with threads_here(count):
            found.append(numbers(MACROS[channels], dtype))
    assert all(one == found[0] for one in found)


def test_logits_too() -> None:
    net = SuperNet(Recipe(batch_size=16, train_images=16), MACROS[4], CHILDREN, full, 0)
    images, labels = torch.randn((50, 6, 5, 1), generator=torch.Generator().manual_seed(0)), torch.arange(50) % 3
    engine = net.merged(range(3))
    assert isinstance(engine, compiled.Engine)
    statistics = engine.statistics(images)
    found = []
    for count in COUNTS:
        logits = torch.full((3, 50, 3), torch.nan)
        with threads_here(count):
            engine.run(images, labels, 4, statistics, logits=logits)
        found.append(logits)
    assert all(torch.equal(one, found[0]) for one in found)
    assert torch.isfinite(found[0]).all()


def test_threads_of_the_callers_own_have_teams_of_their_own() -> None:
    """Several threads of a program may train at once, each with helpers, and end."""
    expected, found = numbers(MACROS[4], torch.float32), []

    def work() -> None:
        found.append(numbers(MACROS[4], torch.float32))

    with threads_here(2):
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [expected] * 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_has_helpers_of_its_own() -> None:
    with threads_here(3):
        expected = numbers(MACROS[4], torch.float32, own_loss=False)
        pid = os.fork()
        if not pid:  # where torch sees a GPU, its autograd refuses to work in a fork: no loss in Python
            os._exit(0 if numbers(MACROS[4], torch.float32, own_loss=False) == expected else 1)
    assert os.waitpid(pid, 0)[1] == 0


def counted(pause: float, on_step: Any) -> list[int]:
    """Threads that a task is allowed, until it has been allowed them all or has waited long."""
    import time

    seen, started = [threads_now()], time.monotonic()
    while seen[-1] < 2 and time.monotonic() - started < pause:
        time.sleep(0.01)
        seen.append(threads_now())
    return seen


@pytest.mark.slow  # workers start
def test_the_last_task_has_the_processors_of_all_workers() -> None:
    """Two tasks on two workers have one thread each; when one has ended, the other has two, while it runs.

    The long one may begin when the short one has ended: a worker's start takes seconds on a busy machine.
    """
    found: dict[str, list[int]] = {}
    execute(counted, {"short": Task((0.0,)), "long": Task((60.0,))}, found.__setitem__, workers=2)
    assert found["short"][0] == 1
    assert found["long"][-1] == 2
    execute(counted, {"alone": Task((60.0,))}, found.__setitem__, workers=3)
    assert found["alone"][-1] == 3
    assert threads_now() == 1


def test_no_threads() -> None:
    with pytest.raises(UsageError) as caught, threads_here(0):
        pass
    assert str(caught.value) == "0 threads: give at least 1"
