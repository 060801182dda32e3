"""The examples in docstrings run, and say what they say."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable

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


DOCUMENTED = ("testing", "training.module", "results.effort")  # modules that documents name, and that list no __all__


def public() -> dict[str, Callable[..., object]]:
    """What users call by a name that a package exports: functions, and methods of classes."""
    packages = ["nasbench_ws", *(one.name for one in pkgutil.iter_modules(nasbench_ws.__path__, "nasbench_ws."))]
    found: dict[str, Callable[..., object]] = {}
    for name in (*packages, *(f"nasbench_ws.{one}" for one in DOCUMENTED)):
        module = importlib.import_module(name)
        own = [n for n, one in vars(module).items() if n[0] != "_" and getattr(one, "__module__", "") == name]
        listed = own if name.removeprefix("nasbench_ws.") in DOCUMENTED else getattr(module, "__all__", ())
        for thing in (getattr(module, one) for one in listed):
            if inspect.isfunction(thing):
                found[f"{thing.__module__}.{thing.__qualname__}"] = thing
            elif inspect.isclass(thing) and thing.__module__.startswith("nasbench_ws"):
                methods = (getattr(one, "__func__", one) for n, one in vars(thing).items() if n[0] != "_")
                found |= {f"{thing.__module__}.{one.__qualname__}": one for one in methods if inspect.isfunction(one)}
    return found


def test_what_users_call_says_what_its_arguments_are():
    """All have a sentence; with three arguments, or one that may be left out, each of them stands below Args."""
    functions = public()
    assert len(functions) > 100
    assert {"nasbench_ws.evaluation.evaluate.evaluate", "nasbench_ws.tables.table.Table.best"} <= set(functions)
    wrong = []
    for name, function in functions.items():
        arguments = {n: one for n, one in inspect.signature(function).parameters.items() if n not in ("self", "cls")}
        text = inspect.getdoc(function) or ""
        if not text and arguments:
            wrong.append(f"{name} has no docstring")
        needed = len(arguments) > 2 or any(one.default is not one.empty for one in arguments.values())
        if not needed:
            continue
        below = text.partition("Args:\n")[2]
        described = {word for one in re.findall(r"^ {4}(\w[\w, ]*):", below, re.MULTILINE) for word in one.split(", ")}
        if not set(arguments) <= described:
            wrong.append(f"{name} does not describe {', '.join(sorted(set(arguments) - described))}")
    assert wrong == []
