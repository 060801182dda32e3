"""The examples in docstrings run, and say what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import nasbench_ws

MODULES = [module.name for module in pkgutil.walk_packages(nasbench_ws.__path__, "nasbench_ws.")]
WITH_EXAMPLES = ("metrics.rank", "metrics.intervals", "space.cell", "tables.table")
FEWEST_EXAMPLES = 30  # of all modules: where a module moves out of sight, its examples would stop running unseen


@pytest.mark.parametrize("name", sorted(name for name in MODULES if not name.endswith("_kernels")))
def test_examples(name):
    found = doctest.testmod(importlib.import_module(name))
    assert found.failed == 0
    if name.removeprefix("nasbench_ws.") in WITH_EXAMPLES:
        assert found.attempted > 0


def test_no_example_is_out_of_sight():
    finder = doctest.DocTestFinder()
    tests = [t for name in MODULES if "_kernels" not in name for t in finder.find(importlib.import_module(name))]
    assert sum(len(test.examples) for test in tests) >= FEWEST_EXAMPLES
    assert {"nasbench_ws.tables.outside.paper", "nasbench_ws.training.kernels.library"} <= set(MODULES)
