"""The examples in docstrings run, and say what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import nasbench_ws

MODULES = [f"nasbench_ws.{module.name}" for module in pkgutil.iter_modules(nasbench_ws.__path__)]


@pytest.mark.parametrize("name", sorted(name for name in MODULES if not name.endswith("_kernels")))
def test_examples(name):
    found = doctest.testmod(importlib.import_module(name))
    assert found.failed == 0
    if name.rpartition(".")[2] in ("metrics", "resample", "space", "table"):
        assert found.attempted > 0
