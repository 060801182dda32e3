"""A named evaluation whose result is a file: what is finished is not run again.

    wanted = [Experiment("none", Plan("none", table.recipe), instances=5)]
    results = run(table, wanted, "results")                  # {"none": Result}, and results/none.json

A result's scores are not the table's: against another table they are measured again. No torch until something runs.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from nasbench_ws.errors import UsageError
from nasbench_ws.estimate import training_seconds
from nasbench_ws.plan import Plan
from nasbench_ws.pool import Progress
from nasbench_ws.result import Result
from nasbench_ws.table import Table


@dataclass(frozen=True)
class Experiment:
    """One evaluation, and the claims of the paper that need it."""

    name: str
    plan: Plan
    instances: int
    claims: frozenset[int] = frozenset()


def shipped_results() -> Path:
    """The folder of results that come with the package."""
    folder = next(iter(importlib.import_module("nasbench_ws.data").__path__))
    return Path(folder) / "results"


def kept(table: Table, one: Experiment, folder: str | Path, shipped: bool = True) -> Result | None:
    """A result of an earlier call, or one that ships, measured against the table as it is now; None without one.

    UsageError where the folder has that name for something else.
    """
    path = Path(folder) / f"{one.name}.json"
    if path.exists():
        result = Result.load(path)
        other = _difference(one, result)
        if other is not None:
            key, there, here = other
            raise UsageError(
                f"{path} was run with {key} {there}, and this scale has {here}; give another folder with --out, or "
                "delete it"
            )
    else:
        path = shipped_results() / f"{one.name}.json"
        if not shipped or not path.exists():
            return None
        result = Result.load(path)
        if _difference(one, result) is not None:
            return None
    return result if result["table"]["digest"] == table.digest else result.against(table)


def _difference(one: Experiment, result: Result) -> tuple[str, object, object] | None:
    """What the result was run with and the experiment was not, first of all; more modes of batch norm do no harm."""
    wanted = {key: list(value) if isinstance(value, tuple) else value for key, value in one.plan.to_dict().items()}
    there = {**result["plan"], "recipe": result["recipe"]}
    if one.plan.schedule is None:
        del wanted["schedule"]
    modes, held = wanted.pop("batch_norm"), there.get("batch_norm", [])
    if modes[0] != held[0] or not set(modes) <= set(held):
        return "batch_norm", held, modes
    for key, value in {**wanted, "instances": one.instances}.items():
        found = result["instances"] if key == "instances" else there.get(key)
        if found != value:
            return key, found, value
    return None


def hours(table: Table, wanted: Sequence[Experiment], workers: int) -> float:
    """Of training what is wanted, at the pace of estimate.py; scoring and readouts come on top."""
    macs = float(table.column("macs").mean()) * table.recipe.batch_size
    steps = sum(o.instances * o.plan.steps * (_supernets(o) if o.plan.match == "steps" else 1) for o in wanted)
    return training_seconds(macs * steps, workers) / 3600


def _supernets(one: Experiment) -> int:
    """In one instance."""
    return int(one.plan.strategy.split(":")[2]) if one.plan.strategy.startswith("groups:") else 1


def run(
    table: Table,
    wanted: Sequence[Experiment],
    folder: str | Path,
    *,
    shipped: bool = True,
    workers: int | None = None,
    executor: Executor | None = None,
    root: str | None = None,
    on_progress: Callable[[str, int, int, Progress], None] | None = None,
) -> dict[str, Result]:
    """Every experiment's result by name; what the folder or (`shipped`) the package has is not run again.

    `on_progress(name, place, of, ...)`. UsageError where the folder has results of another table or scale; otherwise
    errors as of `evaluate`.
    """
    results: dict[str, Result] = {}
    for place, one in enumerate(wanted, start=1):
        found = kept(table, one, folder, shipped)
        if found is not None:
            results[one.name] = found
            continue
        from nasbench_ws.evaluation import evaluate  # torch, which showing results does without

        def tell(progress: Progress, name: str = one.name, place: int = place) -> None:
            if on_progress is not None:
                on_progress(name, place, len(wanted), progress)

        results[one.name] = evaluate(
            one.plan.strategy, table, instances=one.instances, plan=one.plan, root=root, workers=workers,
            folder=Path(folder) / "parts" / one.name, executor=executor, on_progress=tell,
        )  # fmt: skip
        results[one.name].save(Path(folder) / f"{one.name}.json")
    return results
