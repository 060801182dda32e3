"""nasbench-ws: does a way of sharing weights rank architectures?

    import nasbench_ws

    table = nasbench_ws.load("fashion14")
    table.query("434").test_accuracy.mean
    result = nasbench_ws.evaluate("groups:similar:4", table)

Names are imported when first used: asking a table never imports torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nasbench_ws import metrics
    from nasbench_ws.errors import NasbenchError
    from nasbench_ws.evaluation.evaluate import evaluate
    from nasbench_ws.evaluation.leaderboard import leaderboard
    from nasbench_ws.evaluation.score_all import score_all
    from nasbench_ws.images.loaders import load_images
    from nasbench_ws.metrics.prior import Regime
    from nasbench_ws.rankers.plan import Plan
    from nasbench_ws.recipe import Recipe
    from nasbench_ws.results.assess import assess
    from nasbench_ws.results.compare import compare
    from nasbench_ws.results.result import Result
    from nasbench_ws.sharing.strategies import resolve
    from nasbench_ws.space.cell import Architecture, Space
    from nasbench_ws.space.exchange import config_space
    from nasbench_ws.space.registry import DEEPER64, get_space, register_space
    from nasbench_ws.tables.file import verify
    from nasbench_ws.tables.merge import merge
    from nasbench_ws.tables.table import Entry, Table, load
    from nasbench_ws.training.building.builder import build
    from nasbench_ws.training.module import loader

__version__ = "0.1.0"

_WHERE = {
    "assess": "results.assess",
    "build": "training.building.builder",
    "compare": "results.compare",
    "NasbenchError": "errors",
    "evaluate": "evaluation.evaluate",
    "leaderboard": "evaluation.leaderboard",
    "load_images": "images.loaders",
    "loader": "training.module",
    "score_all": "evaluation.score_all",
    "merge": "tables.merge",
    "Plan": "rankers.plan",
    "Recipe": "recipe",
    "Regime": "metrics.prior",
    "Result": "results.result",
    "config_space": "space.exchange",
    "DEEPER64": "space.registry",
    "Architecture": "space.cell",
    "Space": "space.cell",
    "get_space": "space.registry",
    "register_space": "space.registry",
    "resolve": "sharing.strategies",
    "Entry": "tables.table",
    "Table": "tables.table",
    "load": "tables.table",
    "verify": "tables.file",
}

__all__ = [
    "DEEPER64", "Architecture", "Entry", "NasbenchError", "Plan", "Recipe", "Regime", "Result", "Space", "Table",
    "assess", "build", "compare", "config_space", "evaluate", "get_space", "leaderboard", "load", "load_images",
    "loader", "merge", "metrics", "register_space", "resolve", "score_all", "verify",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "metrics":
        return importlib.import_module("nasbench_ws.metrics")
    if name not in _WHERE:
        raise AttributeError(f"module 'nasbench_ws' has no attribute {name!r}")
    return getattr(importlib.import_module(f"nasbench_ws.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
