"""Instances of one evaluation that were run at different times, as one result.

    more = evaluate("full", table, instances=2, first_seed=3)
    join([Result.load("full.json"), more], table)             # instances 0 to 2, and 3 and 4
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nasbench_ws.errors import ResultError
from nasbench_ws.results.result import Result
from nasbench_ws.tables.table import Table

ALIKE = ("strategy", "plan", "recipe", "children", "batch_norm")
AVERAGED = ("steps", "images", "child_updates", "macs", "weight_bytes", "seconds", "parameters")


def join(results: Sequence[Result], table: Table) -> Result:
    """All their instances in order of seed, measured against the table.

    ResultError where they are not of one plan, or have a seed twice.
    """
    first, *others = results = sorted(results, key=lambda result: min(result["seeds"]))
    for other in others:
        different = next((key for key in ALIKE if other[key] != first[key]), None)
        if different is not None:
            raise ResultError(
                f"{first!r} and {other!r} differ in {different}; only instances of one evaluation can be joined"
            )
    seeds = [seed for result in results for seed in result["seeds"]]
    twice = {seed for seed in seeds if seeds.count(seed) > 1}
    if twice:
        raise ResultError(f"seed {min(twice)} is in two of the results; join those of different seeds")
    parts = [result.unmeasured() for result in results]
    windows = [part["window"] for part in parts]
    budget = dict(first["budget"])
    for name in AVERAGED:
        mean = np.average([r["budget"][name] for r in results], weights=[r["instances"] for r in results])
        budget[name] = float(mean) if name == "seconds" else round(mean)
    return Result.make(
        strategy=first["strategy"],
        table=table,
        plan={**first["plan"], "recipe": first["recipe"]},
        seeds=seeds,
        scores=_joined([part["scores"] for part in parts]),
        window=None if any(window is None for window in windows) else np.concatenate(windows),
        window_trained=_joined([part["window_trained"] for part in parts]),
        readouts=_joined([part["readouts"] for part in parts]),
        budget=budget,
        diverged=_joined([list(result["diverged"]) for result in results]),
        trained=_joined([list(result["trained"]) for result in results]),
        versions=first["versions"],
    )


def _joined(values: Sequence[Any]) -> Any:
    """Arrays and lists one behind the other; of objects, what all of them have."""
    first = values[0]
    if isinstance(first, np.ndarray):
        return np.concatenate(values)
    if isinstance(first, Mapping):
        return {key: _joined([value[key] for value in values]) for key in first if all(key in v for v in values)}
    return [item for value in values for item in value]
