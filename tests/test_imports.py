"""What users import stays importable, and what needs no torch or scipy never imports them.

The order of the wings, and which modules may name torch, are contracts of import-linter in pyproject.toml; here is what
follows from them in a fresh process.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import nasbench_ws

TORCH = ("training", "rankers", "testing", "evaluation.evaluate")  # may import torch
FREE = {  # of these, what does without
    "rankers.cost", "rankers.plan", "rankers.scores_file", "training.batch_norm", "training.building.builder",
    "training.building.claims", "training.building.folder", "training.hooks",
}  # fmt: skip

PUBLIC = {
    "nasbench_ws": {
        "DEEPER64", "Architecture", "Entry", "NasbenchError", "Plan", "Recipe", "Result", "Space", "Table", "assess",
        "build", "compare", "config_space", "evaluate", "get_space", "leaderboard", "load", "load_images", "loader",
        "merge", "metrics", "register_space", "resolve", "score_all", "verify",
    },
    "nasbench_ws.images": {"Images", "Split", "load_images"},
    "nasbench_ws.metrics": {
        "EVALUATION", "MeanStd", "Stability", "best_rank", "gt_tau_mean", "kendall_tau", "kendall_tau_matrix",
        "kendall_taus", "measure", "nan_as_worst", "ndcg", "pearson", "precision_at_bottom", "precision_at_top",
        "rankable", "regret", "sparse_tau", "spearman", "stability_tau", "survival", "top_rank", "undefined_reason",
        "weighted_tau", "worst_rank",
    },
    "nasbench_ws.sharing": {
        "Key", "call_key", "components", "dependent", "edge", "full", "groups", "groups_from_file", "none", "prefix",
        "private", "shared",
    },
    "nasbench_ws.space": {
        "DEEPER64", "NO_EDGE", "SPACES", "TOPOLOGY729", "Architecture", "ArchitectureLike", "Edge", "Space",
        "get_space", "isomorphic", "isomorphism_classes", "register_space", "representatives", "same_network_classes",
    },
}  # fmt: skip
CHECKS = {
    "check_deterministic", "check_less_with_time", "check_schedule", "check_strategy", "check_trainable",
    "check_worker",
}  # fmt: skip


def _python(code: str, *arguments: str) -> str:
    """What a fresh process prints."""
    found = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    return found.stdout


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names_stay(module):
    """None of those written down here may go; what is new may be added."""
    imported = importlib.import_module(module)
    assert set(imported.__all__) >= PUBLIC[module]
    for name in PUBLIC[module]:
        assert getattr(imported, name) is not None
        assert name in dir(imported)


def test_the_checks_for_strategies_of_others_stay():
    from nasbench_ws import testing

    assert all(callable(getattr(testing, name)) for name in CHECKS)


def test_no_wing_hides_a_public_function():
    """A submodule becomes an attribute of its package as soon as it is imported."""
    folders = {module.name for module in pkgutil.iter_modules(nasbench_ws.__path__)}
    assert folders & PUBLIC["nasbench_ws"] == {"metrics"}


def test_strategies_of_installed_packages_are_found_by_the_same_group():
    from nasbench_ws.sharing.strategies import ENTRY_POINTS

    assert ENTRY_POINTS == "nasbench_ws.strategies"


def test_modules_that_need_no_torch_import_none():
    modules = [one.name for one in pkgutil.walk_packages(nasbench_ws.__path__, "nasbench_ws.")]
    names = {name.removeprefix("nasbench_ws.") for name in modules}
    assert names >= FREE
    without = sorted(
        name for name in names if name in FREE or not any(f"{name}.".startswith(f"{wing}.") for wing in TORCH)
    )
    assert len(without) > 50
    _python(
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(f'nasbench_ws.{name}')\n"
        "    assert 'torch' not in sys.modules, name\n",
        *without,
    )


def test_a_table_in_a_notebook_imports_neither_scipy_nor_the_reports():
    code = (
        "import json, sys\nimport nasbench_ws\ntext = nasbench_ws.load('fashion14')._repr_html_()\n"
        "assert '<table' in text\nprint(json.dumps(sorted(sys.modules)))\n"
    )
    modules = json.loads(_python(code))
    assert "nasbench_ws.tables.table" in modules
    heavy = ("scipy", "torch", "pandas", "xarray", "matplotlib", "nasbench_ws.report")
    assert [name for name in modules if f"{name}.".startswith(tuple(f"{one}." for one in heavy))] == []


def test_the_package_itself_imports_nothing_but_python():
    code = (
        "import json, sys\nbefore = set(sys.modules)\nimport nasbench_ws\n"
        "print(json.dumps([*set(sys.modules) - before]))\n"
    )
    modules = set(json.loads(_python(code)))
    assert {name.partition(".")[0] for name in modules} <= {"nasbench_ws", *sys.stdlib_module_names}
    assert {name for name in modules if name.startswith("nasbench_ws")} == {"nasbench_ws"}


def test_the_documented_layout_is_that_which_is_checked():
    """The table of wings has each of them, in the order of the contract, from the one that all may import."""
    root = Path(__file__).parents[1]
    config = tomllib.loads((root / "pyproject.toml").read_text())
    (wings,) = [one for one in config["tool"]["importlinter"]["contracts"] if one["id"] == "wings"]
    packages = {one.name for one in pkgutil.iter_modules(nasbench_ws.__path__) if one.ispkg} - {"data"}
    ordered = [name.strip("()") for name in reversed(wings["layers"])]
    told = re.findall(r"^\| `(\w+)` \|", (root / "docs" / "architecture.md").read_text(), re.MULTILINE)
    assert told == [name for name in ordered if name in packages]
    assert set(told) == packages
