"""The conformance suite: every built-in strategy passes, and each check catches what it is for."""

from __future__ import annotations

import numpy as np
import pytest

from nasbench_ws.errors import StrategyError
from nasbench_ws.testing import (
    CHECKS,
    check_deterministic,
    check_less_with_time,
    check_ranker,
    check_schedule,
    check_strategy,
    check_worker,
)

BUILT_IN = [
    "full", "none", "groups:similar:4", "groups:random:8:1", "prefix:0", "prefix:3", "edge:0->1", "private:bn",
    "shared:bn", "dependent", "split:0->1", "curriculum", "opsplit:0-1:13+24",
]  # fmt: skip
FAST = [check for check in CHECKS if check is not check_worker]


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_strategies_conform(name):
    for check in FAST:
        check(name)


@pytest.mark.slow
def test_in_a_worker_too(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("def key(arch, slot):\n    return arch.operation((1, 2)) if slot.cell > 1 else None\n")
    check_strategy(f"{path}:key")


def _strategy(tmp_path, body):
    path = tmp_path / "bad.py"
    path.write_text(body)
    return f"{path}:S"


def test_a_key_with_a_memory_is_caught(tmp_path):
    name = _strategy(
        tmp_path,
        "class S:\n    n = 0\n    def key(self, arch, slot):\n        self.n += 1\n        return self.n % 2\n",
    )
    with pytest.raises(StrategyError, match="shares otherwise when asked again; key\\(arch, slot\\) must depend on"):
        check_deterministic(name)


def test_sharing_more_with_time_is_caught(tmp_path):
    name = _strategy(
        tmp_path,
        "class S:\n    later = [(0.5, lambda arch, slot: None)]\n    def key(self, arch, slot):\n        return arch\n",
    )
    with pytest.raises(StrategyError, match="sharing may only become less with time"):
        check_less_with_time(name)


def test_a_schedule_of_its_own_randomness_is_caught(tmp_path):
    name = _strategy(
        tmp_path,
        "import random\n"
        "class S:\n"
        "    @staticmethod\n"
        "    def schedule(children, rng):\n"
        "        while True:\n"
        "            yield from random.sample([(i,) for i in range(len(children))], len(children))\n"
        "    def key(self, arch, slot):\n"
        "        return None\n",
    )
    said = "when asked again with the same generator; it must draw from that generator alone"
    with pytest.raises(StrategyError, match=said):
        check_schedule(name)


def test_a_key_that_differs_between_processes_is_caught(tmp_path):
    name = _strategy(
        tmp_path,
        "import multiprocessing\n"
        "class S:\n"
        "    def key(self, arch, slot):\n"
        "        return arch if multiprocessing.parent_process() else None\n",
    )
    with pytest.raises(StrategyError) as caught:
        check_worker(name)
    assert str(caught.value) == (
        f"strategy {name!r} gives child 112 other weights to share in a worker process than in this one; its key must "
        "not depend on hash() of a text, the order of a set, id() or state, which differ from process to process: "
        "compute it from arch and slot alone"
    )


# -- rankers ------------------------------------------------------------------------------------------


class Proxy:
    """Pixels times the child's number: a ranker of one method."""

    def score(self, problem, images, seed):
        return [float(images.train.pixels[child.index].sum()) + seed for child in problem.children]


SLOW = ("random", "alone:1", "groups:similar:4", Proxy)  # processes of their own


@pytest.mark.parametrize("given", ["params", *(pytest.param(one, marks=pytest.mark.slow) for one in SLOW)])
def test_rankers_conform(given):
    check_ranker(given)


class _Forgetful(Proxy):
    def score(self, problem, images, seed):
        return np.random.rand(len(problem.children)).tolist()


class _Scribbling(Proxy):
    def score(self, problem, images, seed):
        images.train.pixels.setflags(write=True)
        images.train.pixels[0] = 0
        return [0.0] * len(problem.children)


class _Seeding(Proxy):
    def score(self, problem, images, seed):
        np.random.seed(seed)
        return np.random.rand(len(problem.children)).tolist()


class _Mute(Proxy):
    def score(self, problem, images, seed):
        return [float("nan")] * len(problem.children)


class _Hashing(Proxy):
    def score(self, problem, images, seed):
        return [hash(child.name) for child in problem.children]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (_Forgetful, "_Forgetful gives other scores for the same seed; draw from the seed alone"),
        (_Scribbling, "_Scribbling changes the images that it is given; work on a copy"),
        (
            _Seeding,
            "_Seeding seeds the global generator of random, numpy or torch, or draws from it; make one of its own from "
            "the seed",
        ),
        (_Mute, "_Mute gives no child a score that is a number"),
        (
            _Hashing,
            "_Hashing gives other scores in a worker process; they must not depend on what happened before",
        ),
    ],
)
def test_each_check_of_a_ranker_catches_what_it_is_for(given, text):
    with pytest.raises(StrategyError) as caught:
        check_ranker(given)
    assert str(caught.value) == text


class Own:
    def key(self, arch, slot):
        return arch.operation((0, 1))


class Moody:
    def __init__(self):
        self.asked = 0

    def key(self, arch, slot):
        self.asked += 1
        return self.asked


@pytest.mark.parametrize("given", [Own, Own()], ids=["class", "object"])
def test_a_class_or_an_object_is_checked_as_a_name_is(given):
    for check in (check_deterministic, check_less_with_time, check_schedule):
        check(given)
    with pytest.raises(StrategyError) as caught:
        check_strategy(Moody())
    assert str(caught.value).endswith(
        "when asked for again; it must depend on the child and the slot alone, not on chance or on earlier calls"
    )
