"""What do five hundred searches cost, and who takes the time: the searcher or the world?

    pytest benchmarks/bench_search.py --benchmark-only

Grouped by the question. Every benchmark checks its numbers and none asserts a time; `extra_info` has what the searcher
itself took, of all of it.
"""

from __future__ import annotations

import numpy as np
import pytest

from nasbench_ws.search import BUILT_IN, Oracle, Rules, World, search
from nasbench_ws.search.compare import compare
from nasbench_ws.search.exact import regret
from nasbench_ws.tables.table import load

REPETITIONS = 500
HEAVY = ("optuna", "nevergrad", "smac", "pymoo", "then", "multitask")
SEARCHERS = [*(name for name in BUILT_IN if name not in HEAVY), "then:params:8", "then:shuffle:8"]


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return Oracle.of(load("fashion14"), Rules())


@pytest.mark.benchmark(group="500 searches of 64 evaluations, in one process")
@pytest.mark.parametrize("name", SEARCHERS)
def test_searchers(benchmark, oracle, name):
    result = benchmark.pedantic(search, (name, oracle), {"repetitions": REPETITIONS}, rounds=1)
    assert len(result) == REPETITIONS
    assert np.isfinite(result.regret[:, 0]).all()
    assert (result.cost[result.child >= 0] <= oracle.budget * (1 + 1e-9)).all()
    benchmark.extra_info["thinking_seconds"] = float(result.seconds.sum())
    benchmark.extra_info["trials"] = int(result.trials.sum())


@pytest.mark.benchmark(group="a comparison of four searchers, 500 repetitions each")
def test_comparison(benchmark, oracle):
    results = [search(name, oracle, repetitions=REPETITIONS) for name in ("random", "re", "local", "ctr")]
    baseline = search("random-without", oracle, repetitions=REPETITIONS)
    comparison = benchmark(compare, results, baseline)
    assert comparison.pairs == 10
    assert all(row.anytime.low <= row.anytime.mean <= row.anytime.high for row in comparison.rows)


@pytest.mark.benchmark(group="one observation")
def test_observation(benchmark, oracle):
    world = World(oracle, 0)
    assert 0 < benchmark(world, "434").valid_accuracy < 1


@pytest.mark.benchmark(group="random search without replacement in closed form, 64 of 64 children")
def test_closed_form(benchmark):
    in_sample = Oracle.of(load("fashion14"), Rules(truth="all"))
    assert benchmark(regret, in_sample, 64) == pytest.approx(0.00209, abs=1e-5)
