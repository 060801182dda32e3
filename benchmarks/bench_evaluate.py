"""What does an evaluation cost, how much of it is not arithmetic, and do worker processes get in each other's way?

    pytest benchmarks/bench_evaluate.py --benchmark-only

Every benchmark checks its numbers, and none asserts a time: shares and ratios are in `extra_info`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from timing import machine

from nasbench_ws.evaluation.evaluate import evaluate
from nasbench_ws.evaluation.work import Source, images_for, run_piece
from nasbench_ws.images.loaders import load_images
from nasbench_ws.rankers.plan import Plan
from nasbench_ws.rankers.weight_sharing import WeightSharing
from nasbench_ws.recipe import Recipe
from nasbench_ws.sharing.keys import full
from nasbench_ws.sharing.schedules import SCHEDULES, realise
from nasbench_ws.space.macro import build_macro, macro_for
from nasbench_ws.space.problem import Problem
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.tables.checks import blank_columns, root_attributes
from nasbench_ws.tables.columns import CURVES, Content
from nasbench_ws.tables.table import Table
from nasbench_ws.training import compiled as engine
from nasbench_ws.training.backend import chosen
from nasbench_ws.training.compiled import Engine
from nasbench_ws.training.loop import make_batches, one_thread, train
from nasbench_ws.training.supernet import SuperNet
from nasbench_ws.workers.pool import Task, execute

RECIPE = Recipe()  # the shipped table's, on the shipped images


def _table() -> Table:
    """One of random numbers: it costs what any costs."""
    macro = build_macro(RECIPE, 14, 14, 1, 10)
    columns = blank_columns(DEEPER64, macro, range(10), (1.0,))
    rng = np.random.default_rng(0)
    for name in CURVES:
        columns[name][:] = 0.7 + 0.2 * rng.random((64, 1, 1)) + 0.01 * rng.random(columns[name].shape)
    columns["status"][:] = columns["environment"][:] = 0
    environment = {"versions": {}, "device": "none"}
    attributes = root_attributes(RECIPE, DEEPER64, macro, load_images(RECIPE.images).digest, [environment], "MIT", "")
    return Table(Content(attributes, columns), "random")


def _facts() -> dict[str, Any]:
    return machine(chosen().description(8))


@pytest.mark.benchmark(group="an evaluation, from start to verdict")
@pytest.mark.parametrize(("instances", "steps"), [(1, 64), (1, 128), (1, 256), (2, 128), (4, 64)])
def test_evaluation_by_instances_and_steps(benchmark: Any, instances: int, steps: int) -> None:
    """`outside` is the share of images, plan, metrics and intervals: what no part's own seconds count."""
    table = _table()
    plan = Plan("full", RECIPE, steps=steps)
    load_images("fashion14")  # from here on the file is in memory
    started = time.perf_counter()
    result = benchmark.pedantic(evaluate, ("full", table), {"plan": plan, "instances": instances}, rounds=1)
    seconds = time.perf_counter() - started
    assert result.scores.shape == (instances, 64)
    assert np.isfinite(result.scores).all()
    assert result.outcome.cost.steps == steps
    inside = instances * result.outcome.cost.seconds
    benchmark.extra_info.update(
        _facts(), instances=instances, steps=steps, seconds=seconds, outside_fraction=1 - inside / seconds
    )


class _Clock:
    """Seconds spent in functions that are wrapped."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                self.seconds += time.perf_counter() - started

        return timed


class _Timed:
    """A stream of batches on a clock."""

    def __init__(self, batches: Any, clock: _Clock) -> None:
        self._next = clock.around(batches.__next__)

    def __iter__(self) -> _Timed:
        return self

    def __next__(self) -> Any:
        return self._next()


@pytest.mark.skipif(not engine.available(), reason="the compiled kernels are not built")
@pytest.mark.benchmark(group="where a training step's time goes")
@pytest.mark.parametrize("batch_size", [64, 128])
def test_share_of_a_step(benchmark: Any, monkeypatch: pytest.MonkeyPatch, batch_size: int) -> None:
    """Shares of the kernels, the update, the batches (gather, augmentation, normalisation) and all the rest.

    The rest is statistics, Python and these clocks. Aim: batches and rest together take 5 % at most.
    """
    steps = 256
    recipe = Recipe(batch_size=batch_size)
    images = load_images("fashion14")
    macro = macro_for(recipe, images)
    children = list(DEEPER64)
    sequence = realise(SCHEDULES["shuffle"], children, steps, 0)

    def trained(clocks: dict[str, _Clock]) -> tuple[SuperNet, float]:
        net = SuperNet(recipe, macro, children, full, seed=0)
        for number in range(64):
            net._child(number)  # made once for each child, however many steps there are
        batches: Any = make_batches(recipe, images, net, 0)
        next(batches)  # the order of the first epoch
        if clocks:
            batches = _Timed(batches, clocks["batches"])
            monkeypatch.setattr(Engine, "_execute", clocks["kernels"].around(Engine._execute))
            monkeypatch.setattr(SuperNet, "update", clocks["update"].around(SuperNet.update))
        started = time.perf_counter()
        assert train(net, batches, sequence) is None
        return net, time.perf_counter() - started

    with one_thread():
        plain, _ = trained({})
        clocks = {name: _Clock() for name in ("batches", "kernels", "update")}
        timed, seconds = trained(clocks)
        assert torch.equal(plain.weights.values, timed.weights.values)
        monkeypatch.undo()
        benchmark.pedantic(trained, ({},), rounds=1)
    shares = {name: clock.seconds / seconds for name, clock in clocks.items()}
    shares["rest"] = 1 - sum(shares.values())
    assert all(share > 0 for share in shares.values())
    benchmark.extra_info.update(
        _facts(),
        step_milliseconds=seconds / steps * 1e3,
        overhead_fraction=shares["batches"] + shares["rest"],
        **{f"{name}_fraction": share for name, share in shares.items()},
    )


ALONE = """
import json, sys
from nasbench_ws.evaluation.work import Source, images_for, run_piece
from nasbench_ws.rankers.weight_sharing import WeightSharing
from nasbench_ws.rankers.plan import Plan
from nasbench_ws.recipe import Recipe
from nasbench_ws.space.problem import Problem
from nasbench_ws.space.registry import DEEPER64
number, steps = map(int, sys.argv[1:])
ranker, problem = WeightSharing(Plan("groups:similar:2", Recipe(), steps=steps)), Problem.of(Recipe(), DEEPER64)
piece = ranker.tasks(problem, images_for(ranker, problem, Source()), [0])[number]
print(json.dumps(run_piece(ranker, problem, Source(), piece, lambda step: None)))
"""


@pytest.mark.benchmark(group="two workers against two processes of their own")
def test_two_workers(benchmark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ratio` is of throughput while at work (1: workers lose nothing); `wall_ratio` has the start in it as well."""
    steps = 800
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    ranker, problem = WeightSharing(Plan("groups:similar:2", RECIPE, steps=steps)), Problem.of(RECIPE, DEEPER64)
    pieces = ranker.tasks(problem, images_for(ranker, problem, Source()), [0])

    def pooled() -> tuple[float, dict[Any, Any]]:
        found: dict[Any, Any] = {}
        tasks = {piece.number: Task((ranker, problem, Source(), piece), steps / 2) for piece in pieces}
        started = time.perf_counter()
        execute(run_piece, tasks, found.__setitem__, workers=2)
        return time.perf_counter() - started, found

    def apart() -> tuple[float, dict[Any, Any]]:
        started = time.perf_counter()
        commands = [[sys.executable, "-P", "-c", ALONE, str(number), str(steps)] for number in (0, 1)]
        processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for command in commands]
        printed = [process.communicate()[0] for process in processes]  # of both, even where one fails
        found = {number: json.loads(text) for number, text in enumerate(printed)}
        return time.perf_counter() - started, found

    walls: dict[str, list[float]] = {"pooled": [], "apart": []}
    insides: dict[str, list[float]] = {"pooled": [], "apart": []}
    outcomes = []
    for turn, name in enumerate(("apart", "pooled", "pooled", "apart")):  # what else the machine does falls on both
        way = pooled if name == "pooled" else apart
        wall, found = benchmark.pedantic(way, rounds=1) if turn == 1 else way()
        walls[name].append(wall)
        insides[name].append(sum(outcome["seconds"] for outcome in found.values()))
        outcomes.append([found[number]["scores"] for number in (0, 1)])
    assert all(scores == outcomes[0] for scores in outcomes)
    benchmark.extra_info.update(
        _facts(),
        steps=steps,
        ratio=min(insides["apart"]) / min(insides["pooled"]),
        wall_ratio=min(walls["apart"]) / min(walls["pooled"]),
        pooled_seconds=walls["pooled"],
        apart_seconds=walls["apart"],
    )
