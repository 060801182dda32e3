"""Does a strategy, or a ranker, keep the protocol? Run it in your own tests:

    from nasbench_ws.testing import check_ranker, check_strategy

    def test_my_strategy():
        check_strategy("my.py:MyStrategy")

    def test_my_proxy():
        check_ranker("my.py:MyProxy")

    def test_my_trainer():
        check_trainer("my.py:MyTrainer")

    def test_my_searcher():
        check_searcher("my_search.py:Mine")             # nasbench_ws/search/check.py

Each check raises StrategyError, or an error of the strategy's own. Images here are random numbers.
"""

from __future__ import annotations

import json
import math
import pickle
import random
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nasbench_ws.errors import StrategyError
from nasbench_ws.images.dataset import Images, Split
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.rankers.base import Ranker, checked_scores
from nasbench_ws.rankers.named import ranker as ranker_of
from nasbench_ws.rankers.plan import Plan
from nasbench_ws.recipe import Recipe
from nasbench_ws.search.check import check_searcher
from nasbench_ws.sharing.elsewhere import all_partners
from nasbench_ws.sharing.keys import UNSTEADY, Key, call_key, components
from nasbench_ws.sharing.schedules import get_schedule, realise
from nasbench_ws.sharing.strategies import PLUGINS, Strategy, adopt, name_of, resolve
from nasbench_ws.space.cell import Architecture, Space
from nasbench_ws.space.child import child_network
from nasbench_ws.space.macro import SMALL, Macro
from nasbench_ws.space.problem import Problem
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.tables.table import Table, load
from nasbench_ws.training.hooks import HOOKS, is_trainer
from nasbench_ws.training.supernet import SuperNet

__all__ = [
    "check_deterministic", "check_less_with_time", "check_ranker", "check_schedule", "check_searcher",
    "check_strategy", "check_trainable", "check_trainer", "check_worker",
]  # fmt: skip
Partition = dict[str, list[list[str]]]  # for each slot, the sets of children that share it


def check_strategy(given: Any, space: Space = DEEPER64, macro: Macro = SMALL) -> None:
    """All checks of a strategy, as `evaluate` would be given it; that a worker makes the same is tried of a name alone.

    Args:
        given: a name, an object or a class, as `evaluate` takes it.
        space: whose children share.
        macro: the network around a cell.
    """
    for check in CHECKS:
        if isinstance(given, str) or check is not check_worker:
            check(given, space, macro)


def check_deterministic(given: Any, space: Space = DEEPER64, macro: Macro = SMALL) -> None:
    """Keys are the same when asked again, in another order, and of a strategy made anew.

    Args:
        given: a name, an object or a class, as `evaluate` takes it.
        space: whose children share.
        macro: the network around a cell.
    """
    strategy = _strategy(given, space, macro)
    first = _partition(strategy.key, list(space), macro)
    mixed = list(space)
    random.Random(0).shuffle(mixed)
    again = {"asked again": strategy.key, "made anew": _strategy(given, space, macro).key}
    for how, key in again.items():
        if _partition(key, mixed, macro) != first:
            raise StrategyError(
                f"strategy {strategy.name!r} shares otherwise when {how}; key(arch, slot) must depend on its arguments "
                "alone"
            )


def check_less_with_time(given: Any, space: Space = DEEPER64, macro: Macro = SMALL) -> None:
    """Later keys only divide what is shared, and leave every child's output as it was at that moment.

    Args:
        given: a name, an object or a class, as `evaluate` takes it.
        space: whose children share.
        macro: the network around a cell.
    """
    strategy = _strategy(given, space, macro)
    net = _net(strategy, macro, list(space))
    for _, key in strategy.later:
        net.divide(key)  # raises where a later key shares more


def check_trainable(given: Any, space: Space = DEEPER64, macro: Macro = SMALL) -> None:
    """Every child takes a step with a finite loss, and moves no weights but its own and shared ones.

    Args:
        given: a name, an object or a class, as `evaluate` takes it.
        space: whose children share.
        macro: the network around a cell.
    """
    strategy = _strategy(given, space, macro)
    children = list(space)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn((8, macro.height, macro.width, macro.image_channels), generator=generator)
    labels = torch.arange(8) % macro.classes
    net = _net(strategy, macro, children)
    start = net.weights.snapshot()
    for number, arch in enumerate(children):
        outcome = net.step([number], images, labels, lr=0.01)
        if not math.isfinite(outcome.loss):
            raise StrategyError(
                f"strategy {strategy.name!r}: child {arch.name} has a loss of {outcome.loss} at its first step"
            )
        moved = (net.weights.values != start.values).nonzero().flatten()
        if not set(moved.tolist()) <= set(net.weights.active(number).tolist()):
            raise StrategyError(
                f"strategy {strategy.name!r}: a step of child {arch.name} moved weights that it does not use"
            )
        net.weights.restore(start)


def check_schedule(given: Any, space: Space = DEEPER64, macro: Macro = SMALL) -> None:
    """Its schedule visits every child of every super-net, and is the same for the same seed.

    Args:
        given: a name, an object or a class, as `evaluate` takes it.
        space: whose children share.
        macro: the network around a cell.
    """
    strategy = _strategy(given, space, macro)
    children = list(space)
    for members in components(macro, children, strategy.key):
        own = [children[i] for i in members]
        realise(get_schedule(strategy.schedule, macro), own, 40 * len(own), seed=1)  # which refuses one that differs


def _strategy(given: Any, space: Space, macro: Macro) -> Strategy:
    """The strategy that a name, an object or a class is."""
    return resolve(given, space, macro) if isinstance(given, str) else adopt(name_of(given), given, space, macro)


def check_worker(name: str, space: Space = DEEPER64, macro: Macro = SMALL) -> None:
    """A worker process makes the same strategy from its name.

    Args:
        name: as `evaluate` takes it.
        space: whose children share.
        macro: the network around a cell.
    """
    here = all_partners(resolve(name, space, macro), space, macro)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        there = pool.submit(_in_worker, name, space, macro).result()
    for child, ours, theirs in zip(space, here, there, strict=True):
        if ours != theirs:
            raise StrategyError(
                f"strategy {name!r} gives child {child.name} other weights to share in a worker process than in this "
                f"one; {UNSTEADY}"
            )


CHECKS: tuple[Callable[[str, Space, Macro], None], ...] = (
    check_deterministic,
    check_less_with_time,
    check_schedule,
    check_trainable,
    check_worker,
)


def check_ranker(given: Any, table: str | Path | Table = "fashion14") -> None:
    """All checks of a ranker: its name, an object or a class, as `evaluate` would be given it.

    It gives each child of the table's space one score, the same again for the same seed and in a worker process, and
    leaves the images and the global generators as they are. The table's accuracies are not looked at.

    Args:
        given: a name, an object or a class.
        table: a shipped table's name, a path, or a `Table`.
    """
    opened = table if isinstance(table, Table) else load(table)
    images = _noise()
    recipe = Recipe(
        images=images.name, train_images=128, batch_size=32, channels=4, cells=1, space=opened.space.name
    )
    problem, plan = Problem.of(recipe, opened.space), Plan("full", recipe, steps=len(opened.space))
    seen = {name: split.pixels.copy() for name, split in images.splits.items()}
    drawn = _global_generators()
    rankings = [_ranking(ranker_of(given, plan, opened), problem, images) for _ in range(2)]
    chosen = ranker_of(given, plan, opened)
    if not _same(*rankings):
        raise StrategyError(f"{chosen.name} gives other scores for the same seed; draw from the seed alone")
    if _global_generators() != drawn:
        raise StrategyError(
            f"{chosen.name} seeds the global generator of random, numpy or torch, or draws from it; make one of its "
            "own from the seed"
        )
    if any((split.pixels != seen[name]).any() for name, split in images.splits.items()):
        raise StrategyError(f"{chosen.name} changes the images that it is given; work on a copy")
    if not any(np.isfinite(scores).any() for scores in rankings[0].values()):
        raise StrategyError(f"{chosen.name} gives no child a score that is a number")
    try:
        pickle.dumps(chosen)
    except Exception as error:
        raise StrategyError(
            f"{chosen.name} cannot be sent to a worker process: {error}; write it in a file and give its name"
        ) from error
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        there = pool.submit(_ranking, chosen, problem, images).result()
    if not _same(rankings[0], there):
        raise StrategyError(
            f"{chosen.name} gives other scores in a worker process; they must not depend on what happened before"
        )


def check_trainer(given: Any, table: str | Path | Table = "fashion14") -> None:
    """All checks of a trainer: it has methods of one and no mistyped ones, and its super-nets those of a ranker.

    Args:
        given: a name, an object or a class.
        table: a shipped table's name, a path, or a `Table`.
    """
    found = PLUGINS.found(given)[0] if isinstance(given, str) else given
    if not is_trainer(found):
        raise StrategyError(f"{given!r:.60} has no method of a trainer; give it any of {', '.join(HOOKS)}")
    check_ranker(given, table)


def _ranking(ranker: Ranker, problem: Problem, images: Images) -> dict[str, Array]:
    """One instance, as an evaluation makes it: outcomes are what a file would give back."""
    ranker.check(problem, images, [0])
    outcomes = []
    for piece in ranker.tasks(problem, images, [0]):
        outcome = ranker.run(piece, problem, images, lambda step: None)
        try:
            outcomes.append(json.loads(json.dumps(outcome, allow_nan=False)))
        except (TypeError, ValueError) as error:
            what = f"the outcome of {ranker.name} is no JSON object: {error}; NaN is None there"
            raise StrategyError(what) from error
    scores = ranker.gather(problem, outcomes).scores
    return {name: checked_scores(ranker.name, one, len(problem.space)) for name, one in scores.items()}


def _global_generators() -> tuple[object, ...]:
    """Where the generators of the whole process stand."""
    kind, keys, *others = np.random.get_state(legacy=True)
    return random.getstate(), kind, bytes(np.asarray(keys)), *others, bytes(torch.get_rng_state().numpy())


def _same(first: dict[str, Array], second: dict[str, Array]) -> bool:
    return first.keys() == second.keys() and all(
        np.array_equal(first[name], second[name], equal_nan=True) for name in first
    )


def _noise() -> Images:
    """128 training and 32 validation images of 6x6 in four classes."""
    rng = np.random.Generator(np.random.PCG64(0))

    def split(count: int) -> Split:
        return Split(rng.integers(0, 256, (count, 6, 6, 1)).astype(np.uint8), np.arange(count) % 4)

    splits = {"train": split(128), "valid": split(32)}
    return Images("noise", ("a", "b", "c", "d"), "0" * 64, (0.5,), (0.3,), splits)


def _in_worker(name: str, space: Space, macro: Macro) -> list[str]:
    return all_partners(resolve(name, space, macro), space, macro)


def _net(strategy: Strategy, macro: Macro, children: list[Architecture]) -> SuperNet:
    return SuperNet(Recipe(), macro, children, strategy.key, seed=0)


def _partition(key: Key, children: Iterable[Architecture], macro: Macro) -> Partition:
    """Which children share each slot: what a key means, whatever its values are."""
    users: dict[str, dict[Hashable, list[str]]] = {}
    for arch in children:
        for slot, _ in child_network(macro, arch).layers():
            users.setdefault(str(slot), {}).setdefault(call_key(key, arch, slot), []).append(arch.name)
    return {slot: sorted(sorted(names) for names in by_key.values()) for slot, by_key in users.items()}
