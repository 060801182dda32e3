"""TransNAS-Bench-101's cell space: 4,096 children of NAS-Bench-201's graph with four operations, on seven tasks.

    content = transnas("transnas.json", "class_scene")

Duan et al., TransNAS-Bench-101 (CVPR 2021). The file is JSON: by task, or of one task, {architecture: number}, or
{architecture: {metric: number}}. Architectures are the benchmark's own strings, such as 64-41414-1_02_333: behind the
macro part a digit for each edge, by target and then source: 0 none, 1 skip_connect, 2 conv 1x1, 3 conv 3x3. Tuples of
other libraries, whose order of edges and of operations is their own, are refused. Not here: its macro space, whose
networks differ in length.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from nasbench_ws.errors import TableError, UsageError, near_misses
from nasbench_ws.space.cell import Space
from nasbench_ws.tables.columns import Content
from nasbench_ws.tables.outside.csv_file import Asked, fractions
from nasbench_ws.tables.outside.foreign import foreign
from nasbench_ws.tables.outside.nasbench_macro import read_object

MICRO = Space("transnas_micro", 3, ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3"))
TASKS = {  # task: the metric that is usual, as the API names it, and whether it is an accuracy
    "class_scene": ("valid_top1", True), "class_object": ("valid_top1", True), "jigsaw": ("valid_top1", True),
    "room_layout": ("valid_neg_loss", False), "segmentsemantic": ("valid_mIoU", True), "normal": ("valid_ssim", True),
    "autoencoder": ("valid_ssim", True),
}  # fmt: skip
OTHER_NAMES = ("val_accuracy", "valid_accuracy")  # what other libraries call whichever metric it is
NAME = re.compile(r"(?:.*-)?([0-3])_([0-3]{2})_([0-3]{3})")
REMEDY = 'give JSON of {"64-41414-1_02_333": number} or {task: {...}}'


def transnas(path: str | Path, task: str, *, metric: str | None = None, partial: bool = False) -> Content:
    """The table of one task. Scores such as SSIM and mIoU, which are from 0 to 1, stand as accuracies; a negative loss
    as a loss.

    Args:
        path: JSON.
        task: see TASKS.
        metric: what its numbers are called in the file; by default the task's usual one.
        partial: whether architectures may be absent.
    """
    if task not in TASKS:
        raise UsageError(f"there is no task {task!r}{near_misses(task, TASKS)}; they are {', '.join(TASKS)}")
    data = read_object(path, REMEDY)
    named = [key for key in data if key in TASKS]
    if named and task not in named:
        raise TableError(f"{path} has the tasks {', '.join(named)}, and not {task}; name one of these")
    if named and not (isinstance(data[task], dict) and data[task]):
        raise TableError(f"{path} has no architectures under {task}; {REMEDY}")
    usual, accuracy = TASKS[task]
    names = (metric,) if metric is not None else (usual, *OTHER_NAMES)
    numbers: dict[int, float] = {}
    for key, one in (data[task] if named else data).items():
        index = _index(path, key)
        if index in numbers:
            raise TableError(f"{path} has {MICRO[index].spec} twice, the second time as {key!r}; give each once")
        numbers[index] = _number(path, key, one, names)
    absent = sorted(set(range(len(MICRO))) - set(numbers))
    if absent and not partial:
        listed = ", ".join(MICRO[index].name for index in absent[:5]) + ", ..." * (len(absent) > 5)
        raise TableError(
            f"{path} lacks {len(absent)} of the {len(MICRO):,} architectures ({listed}, in digits from 1); fetch it "
            "whole, or give --partial for a table of those that it has"
        )
    rows, values = np.array(list(numbers)), np.array(list(numbers.values()))[:, None]
    truth = "valid_accuracy" if accuracy else "valid_loss"
    if accuracy:
        values = fractions(path, MICRO, rows, values, Asked(truth, percent=float(np.nanmax(values)) > 1))
    else:
        values = np.abs(values) if (values <= 0).all() else values
    return foreign(
        MICRO, rows, {truth: values}, truth=truth, images=f"taskonomy {task}",
        source=f"TransNAS-Bench-101, cell space, {task}, {metric or usual}, one training of each child",
        licence="MIT (TransNAS-Bench-101)",
        citation="Duan et al., TransNAS-Bench-101: Improving Transferability and Generalizability of Cross-Task Neural "
        "Architecture Search, CVPR 2021",
    )  # fmt: skip


def _index(path: str | Path, key: str) -> int:
    match = NAME.fullmatch(key)
    if match is None:
        raise TableError(
            f"{path} has the architecture {key!r}, which is not written like 64-41414-1_02_333; other libraries number "
            "edges and operations otherwise: write the benchmark's own strings"
        )
    return int("".join(match.groups()), 4)


def _number(path: str | Path, key: str, one: Any, names: tuple[str, ...]) -> float:
    if isinstance(one, dict):
        found = next((name for name in names if name in one), None)
        if found is None:
            raise TableError(f"{path} has {', '.join(map(str, one))} for {key}, and no {names[0]}; name one: --metric")
        one = one[found]
    if isinstance(one, bool) or not isinstance(one, int | float) or not math.isfinite(one):
        raise TableError(f"{path} has {one!r} for {key}, which is no number; {REMEDY}")
    return float(one)
