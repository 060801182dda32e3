"""Scores of a super-net of one's own: a function is asked of every child of a table, and the answers are assessed.

    scores = score_all(lambda child, images: accuracy(net, child.index, images), "fashion14")      # (64,)
    assess(scores, load("fashion14")).verdict

Not here: training (yours), test images and accuracies, which the function is not given.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nasbench_ws.errors import UsageError
from nasbench_ws.images.dataset import Images
from nasbench_ws.images.loaders import load_images
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.space.cell import Architecture
from nasbench_ws.tables.table import Table
from nasbench_ws.tables.table import load as load_table


def score_all(
    fn: Callable[..., Any], table: str | Path | Table = "fashion14", *, images: Images | None = None
) -> Array:
    """(n,) scores in the table's order, as `assess` takes them: fn(child) or fn(child, images) of every child.

    UsageError where it gives a child no number; NaN is one, of a child whose training diverged.

    Args:
        fn: of an `Architecture`, whose `index` is its number in the space, and, if it takes two arguments, of images;
            higher is better.
        table: a shipped table's name, a path, or a `Table`.
        images: training and validation images; None: those that the table's children were trained on.
    """
    opened = table if isinstance(table, Table) else load_table(table)
    given: tuple[Images, ...] = ()
    if _takes_images(fn):
        given = (load_images(opened.recipe.images) if images is None else images,)
    children: list[Architecture] = [entry.architecture for entry in opened]
    return np.array([_number(fn(child, *given), child) for child in children], dtype=np.float64)


def _takes_images(fn: Callable[..., Any]) -> bool:
    try:
        inspect.signature(fn).bind(None, None)
    except TypeError:
        return False
    except ValueError:  # of a function that was not written in Python
        return False
    return True


def _number(found: Any, child: Architecture) -> float:
    try:
        if isinstance(found, str | bytes):
            raise TypeError
        return float(found)
    except (TypeError, ValueError, RuntimeError):
        raise UsageError(
            f"the score of child {child.name} is {found!r:.60}; give a number for each child, higher is better, or NaN "
            "where its training diverged"
        ) from None
