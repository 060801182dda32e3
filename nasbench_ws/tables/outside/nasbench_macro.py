"""NAS-Bench-Macro: 6,561 chains of eight blocks, three test accuracies each, from its JSON file.

    content = nasbench_macro("nas-bench-macro_cifar10.json")

Su et al., Prioritized Architecture Sampling with Monto-Carlo Tree Search (CVPR 2021); data Apache-2.0, in the
repository xiusu/NAS-Bench-Macro. Its keys are the blocks' digits from 0: 00000001 is 11111112 here. Identity blocks
make copies: inside a stage but for its first block, their place does not matter, and 3,969 networks are left. What it
calls FLOPs are kept as multiply-adds.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from nasbench_ws.errors import TableError
from nasbench_ws.limits import bytes_of
from nasbench_ws.space.cell import Space
from nasbench_ws.space.grids import once
from nasbench_ws.tables.columns import Content
from nasbench_ws.tables.outside.csv_file import Asked, fractions
from nasbench_ws.tables.outside.foreign import foreign

MACRO = Space("nasbench_macro", 8, ("identity", "mb3_k3", "mb6_k5"), "chain")
STAGES = (2, 3, 3)  # blocks; the first of each halves the image
REMEDY = "give nas-bench-macro_cifar10.json of the repository xiusu/NAS-Bench-Macro"
KNOWN: dict[str, Any] = {
    "source": "NAS-Bench-Macro, test accuracies of three trainings (github.com/xiusu/NAS-Bench-Macro)",
    "images": "cifar10",
    "licence": "Apache-2.0",
    "citation": "Su et al., Prioritized Architecture Sampling with Monto-Carlo Tree Search, CVPR 2021",
}


def read_object(path: str | Path, remedy: str) -> dict[str, Any]:
    """A JSON object. TableError for anything else, or a key that is there twice."""
    try:
        data = json.loads(bytes_of(path, TableError, remedy), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise TableError(f"{path} is not JSON of architectures: {error}; {remedy}") from error
    if not isinstance(data, dict) or not data:
        raise TableError(f"{path} is not JSON of architectures by their names; {remedy}")
    return data


def nasbench_macro(path: str | Path, *, partial: bool = False) -> Content:
    """The table in the file. TableError where architectures are missing, or unknown, or lack numbers."""
    data = read_object(path, REMEDY)
    rows = []
    for key, one in data.items():
        choices = [int(c) if c in "012" else 3 for c in key]
        if len(choices) != MACRO.nodes or 3 in choices:
            raise TableError(f"{path} has the architecture {key!r}, which is not eight digits from 0 to 2; {REMEDY}")
        if not isinstance(one, dict) or not all(name in one for name in ("test_acc", "params", "flops")):
            raise TableError(f"{path} has no test_acc, params and flops for {key}; {REMEDY}")
        for name in ("test_acc", "params", "flops"):
            values = one[name] if name == "test_acc" and isinstance(one[name], list) else [one[name]]
            wrong = [x for x in values if type(x) not in (int, float) or not (math.isfinite(x) and x >= 0)]
            if wrong or not values or (name == "test_acc" and not isinstance(one[name], list)):
                raise TableError(
                    f"{path} has the {name} {str(one[name])[:60]} for {key}; it is "
                    f"{'a list of accuracies' if name == 'test_acc' else 'a number'} of 0 or more; {REMEDY}"
                )
        rows.append(int(key, 3))
    absent = sorted(set(range(len(MACRO))) - set(rows))
    if absent and not partial:
        listed = ", ".join(np.base_repr(index, 3).zfill(8) for index in absent[:5]) + ", ..." * (len(absent) > 5)
        raise TableError(
            f"{path} lacks {len(absent)} of the {len(MACRO):,} architectures ({listed}); fetch it whole, or give "
            "--partial for a table of those that it has"
        )
    most = max(len(one["test_acc"]) for one in data.values())
    runs = np.full((len(rows), most), np.nan)
    for row, one in enumerate(data.values()):
        runs[row, : len(one["test_acc"])] = one["test_acc"]
    indices = np.array(rows)
    runs = fractions(path, MACRO, indices, runs, Asked(percent=float(np.nanmax(runs)) > 1))
    sizes: dict[str, Any] = {
        name: np.array([round(float(one[key])) for one in data.values()])
        for name, key in (("params", "params"), ("macs", "flops"))
    }
    first = {index: index for index in rows} if absent else {}
    isomorph = np.array([first.get(index, _first(index)) for index in rows])
    return foreign(MACRO, indices, {"test_accuracy": runs}, truth="test_accuracy", isomorph=isomorph, **sizes, **KNOWN)


def _first(index: int) -> int:
    """The least index of the chains that are the same network: identities inside a stage, wherever they are."""
    digits = np.base_repr(index, 3).zfill(MACRO.nodes)
    parts, start = [], 0
    for length in STAGES:
        first, rest = digits[start], digits[start + 1 : start + length]
        kept = rest.replace("0", "")
        parts.append(first + kept.rjust(length - 1, "0"))  # identities in front: the least number
        start += length
    return int("".join(parts), 3)
