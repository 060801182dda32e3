"""NATS-Bench's topologies as people export them: a CSV of architecture strings and seed-mean test accuracies.

    content = nats("nats_bench.csv", "cifar10")

A line is an architecture in NATS-Bench's own string; columns are named like CIFAR10TestAccuracy200Epochs, in percent,
as `api.get_more_info(i, "cifar10", hp=200, is_random=False)["test-accuracy"]` gives them. No such file ships: make or
find your own. Not here: validation accuracies by seed, which ship (nasbench201.py).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from nasbench_ws.errors import TableError, UsageError, near_misses
from nasbench_ws.space.grids import read_grid
from nasbench_ws.space.registry import NASBENCH201
from nasbench_ws.tables.columns import Content
from nasbench_ws.tables.outside.csv_file import Asked, from_csv
from nasbench_ws.tables.outside.nasbench201 import CITATION, SETS

NAMES = {"cifar10": "cifar10", "cifar100": "cifar100", "imagenet16-120": "imagenet"}


def nats(path: str | Path, images: str, *, partial: bool = False) -> Content:
    """The table of one data set; whatever column has its longest training."""
    if images not in SETS:
        raise UsageError(f"there is no set {images!r}{near_misses(images, SETS)}; they are {', '.join(SETS)}")
    grid = read_grid(path, TableError)
    heading = grid.lines[0].cells if grid.lines else ()
    pattern = re.compile(rf"{NAMES[images]}(?:16(?:-120)?)?testaccuracy(\d+)epochs")
    epochs = {int(match[1]): name for name in heading if (match := pattern.fullmatch(name.lower()))}
    if not epochs:
        raise TableError(
            f"{grid.name} has the columns {', '.join(heading) or 'none'}, and none like "
            f"{NAMES[images].upper()}TestAccuracy200Epochs; rename the one that is meant, or use "
            "`nasbench-ws import csv`"
        )
    longest = max(epochs)
    asked = Asked("test_accuracy", percent=True, columns=[epochs[longest]], partial=partial, epochs=float(longest))
    known: dict[str, Any] = {
        "source": f"NATS-Bench, mean test accuracies after {longest} epochs, from a CSV export", "images": images,
        "licence": "MIT (NATS-Bench)", "citation": CITATION,
    }  # fmt: skip
    return from_csv(grid, NASBENCH201, asked, **known)
