"""The conformance suite: every built-in strategy passes, and each check catches what it is for."""

from __future__ import annotations

import pytest

from nasbench_ws.errors import StrategyError
from nasbench_ws.testing import (
    CHECKS,
    check_deterministic,
    check_less_with_time,
    check_schedule,
    check_strategy,
    check_worker,
)

BUILT_IN = [
    "full", "none", "groups:similar:4", "groups:random:8:1", "prefix:0", "prefix:3", "edge:0->1", "private:bn",
    "shared:bn", "dependent", "split:0->1", "curriculum",
]  # fmt: skip
FAST = [check for check in CHECKS if check is not check_worker]


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_strategies_conform(name):
    for check in FAST:
        check(name)


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
    with pytest.raises(StrategyError, match="differs for the same seed; draw from `rng` alone"):
        check_schedule(name)


def test_a_key_that_differs_between_processes_is_caught(tmp_path):
    name = _strategy(
        tmp_path,
        "import multiprocessing\n"
        "class S:\n"
        "    def key(self, arch, slot):\n"
        "        return arch if multiprocessing.parent_process() else None\n",
    )
    with pytest.raises(StrategyError, match="shares otherwise in a worker process"):
        check_worker(name)
