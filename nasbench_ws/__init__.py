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
    from nasbench_ws.board import leaderboard
    from nasbench_ws.builder import build
    from nasbench_ws.comparison import compare
    from nasbench_ws.errors import NasbenchError
    from nasbench_ws.evaluation import evaluate
    from nasbench_ws.images import load_images
    from nasbench_ws.merging import merge
    from nasbench_ws.plan import Plan
    from nasbench_ws.recipe import Recipe
    from nasbench_ws.result import Result
    from nasbench_ws.space import DEEPER64, Architecture, Space, get_space, register_space
    from nasbench_ws.strategy import resolve
    from nasbench_ws.table import Entry, Table, load, verify

__version__ = "0.1.0"

_WHERE = {
    "build": "builder",
    "compare": "comparison",
    "NasbenchError": "errors",
    "evaluate": "evaluation",
    "leaderboard": "board",
    "load_images": "images",
    "merge": "merging",
    "Plan": "plan",
    "Recipe": "recipe",
    "Result": "result",
    "DEEPER64": "space",
    "Architecture": "space",
    "Space": "space",
    "get_space": "space",
    "register_space": "space",
    "resolve": "strategy",
    "Entry": "table",
    "Table": "table",
    "load": "table",
    "verify": "table",
}

__all__ = [
    "DEEPER64", "Architecture", "Entry", "NasbenchError", "Plan", "Recipe", "Result", "Space", "Table", "build",
    "compare", "evaluate", "get_space", "leaderboard", "load", "load_images", "merge", "metrics", "register_space",
    "resolve", "verify",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "metrics":
        return importlib.import_module("nasbench_ws.metrics")
    if name not in _WHERE:
        raise AttributeError(f"module 'nasbench_ws' has no attribute {name!r}")
    return getattr(importlib.import_module(f"nasbench_ws.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
