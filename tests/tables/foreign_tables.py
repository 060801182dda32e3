"""Small tables of what others measured, for tests of several wings."""

from __future__ import annotations

from typing import Any

import numpy as np

from nasbench_ws.space.cell import Space
from nasbench_ws.tables.outside.foreign import foreign
from nasbench_ws.tables.table import Table

TOPOLOGY = Space("small201", 2, ("none", "skip_connect", "conv"))  # 27 children
NAN = float("nan")


def small(name: str = "theirs", part: int | None = None, seeds: int = 3, **changes: Any) -> Table:
    """27 children, or the first `part` of them, with counts of 1,000 images; the last third lacks the last seed."""
    rng = np.random.default_rng(0)
    children = np.arange(len(TOPOLOGY) if part is None else part)
    quality = rng.random((len(children), 1))
    accuracy = np.round(1000 * (0.5 + 0.4 * quality + 0.02 * rng.random((len(children), seeds)))) / 1000
    if seeds > 1:
        accuracy[-(len(children) // 3) :, -1] = NAN
    given: dict[str, Any] = {
        "truth": "valid_accuracy", "source": "a test", "images": "cifar10", "licence": "MIT", "citation": "cite them",
        "epochs": [200.0], "params": 100 + (1000 * quality[:, 0]).astype(int), "counted": {"valid_accuracy": 1000},
    }  # fmt: skip
    content = foreign(TOPOLOGY, children, {"valid_accuracy": accuracy}, **{**given, **changes})
    content.source = name
    return Table(content, name)
