"""The main job: train a strategy's super-nets, score every child, and compare the ranking with a table.

An evaluation is instances (super-nets from different seeds) times parts (components that share nothing).
Each of these is one task for a worker process and, when done, one small file in the work folder, so that an
interrupted evaluation goes on where it stopped. Strategies see training and validation images only: test
images are not even loaded, and what trains and scores is not given the table.

    result = evaluate("groups:similar:4", "fashion14", instances=3)
    print(result)
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nasbench_ws.cost import NOTHING, Cost
from nasbench_ws.errors import UsageError
from nasbench_ws.images.dataset import Images
from nasbench_ws.images.loaders import load_images
from nasbench_ws.json_files import check_writable, read_record, without_nan, write_record
from nasbench_ws.provenance import versions
from nasbench_ws.rankers.cost import size_of, tuning_modes
from nasbench_ws.rankers.plan import Part, Plan
from nasbench_ws.rankers.weight_sharing import Setting, parts_of, run_part
from nasbench_ws.results.outcome import Changes, Divergence, Outcome, Readouts, Window
from nasbench_ws.results.result import Result
from nasbench_ws.sharing.schedules import get_schedule, name_of, realise
from nasbench_ws.sharing.strategies import Strategy
from nasbench_ws.space.cell import Architecture
from nasbench_ws.space.child import child_network, mac_count
from nasbench_ws.space.macro import macro_for
from nasbench_ws.tables.table import Table, load
from nasbench_ws.training.batch_norm import BatchNorm
from nasbench_ws.training.loop import children_seed
from nasbench_ws.training.scoring import Scorer
from nasbench_ws.training.weights import Weights
from nasbench_ws.workers.pool import OnProgress, Task, execute
from nasbench_ws.workers.progress import training_seconds

FORMAT = "nasbench-ws part"


def evaluate(
    strategy: str,
    table: str | Path | Table = "fashion14",
    *,
    instances: int = 3,
    first_seed: int = 0,
    plan: Plan | None = None,
    root: str | None = None,
    workers: int | None = None,
    folder: str | Path | None = None,
    executor: Any = None,
    on_progress: OnProgress | None = None,
) -> Result:
    """Evaluate a strategy (see `strategy`) against a table.

    `plan` says how (steps, match, schedule, batch norm; by default the table's recipe). Finished parts are
    kept in `folder` and used again by the same evaluation. StrategyError, DataError, TableError, UsageError
    and OutputError are raised before anything is trained; RunError where a worker died for good.
    """
    truth = table if isinstance(table, Table) else load(table)
    plan = Plan(strategy, truth.recipe) if plan is None else replace(plan, strategy=strategy)
    if instances < 1:
        raise UsageError(f"instances is {instances}; it must be at least 1")
    _check_match(plan, truth)
    setting = Setting(plan, root)
    images = load_images(plan.recipe.images, ("train", "valid"), root=root)
    _check_images(images, truth)
    children, parts, named = parts_of(setting, images)
    seeds = range(first_seed, first_seed + instances)
    _refuse_early(plan, truth, images, children, parts, named, seeds)
    if folder is not None:
        check_writable(Path(folder))
    identity = plan.digest(parts, images.digest, _code(strategy, named))

    def place(seed: int, number: int) -> Path | None:
        return None if folder is None else Path(folder) / identity / f"{seed}-{number}.json"

    sizes = [size_of(plan, part, children, named, len(images.valid.labels)) for part in parts]
    tasks: dict[tuple[int, int], Task] = {}
    outcomes: dict[tuple[int, int], dict[str, Any]] = {}
    for seed in seeds:
        for number in range(len(parts)):
            path = place(seed, number)
            if path is not None and path.exists():
                outcomes[seed, number] = read_record(path, FORMAT)
            else:
                tasks[seed, number] = Task((setting, seed, number), sizes[number].total)

    def on_done(task: tuple[int, int], outcome: dict[str, Any]) -> None:
        outcomes[task] = outcome
        path = place(*task)
        if path is not None:
            write_record(path, FORMAT, outcome)

    macro = macro_for(plan.recipe, images)
    macs = np.array([mac_count(child_network(macro, arch)) for arch in children])
    work = sum(sizes[number].total * float(macs[list(parts[number].children)].mean()) for _, number in tasks)
    seconds = training_seconds(work * plan.recipe.batch_size, workers or 1)
    execute(
        run_part, tasks, on_done, workers=workers, executor=executor, on_progress=on_progress, seconds=seconds
    )  # fmt: skip
    gathered = [[outcomes[seed, number] for number in range(len(parts))] for seed in seeds]
    return _result(plan, truth, named, parts, len(children), list(seeds), gathered)


def _check_match(plan: Plan, table: Table) -> None:
    """A super-net of other children, images or networks says nothing about the table's."""
    theirs = table.recipe
    for name in ("space", "images", "macro", "channels", "cells", "output", "dilated_kernel"):
        ours, stored = getattr(plan.recipe, name), getattr(theirs, name)
        elsewhere = name == "images" and ours.startswith("folder:") and stored.startswith("folder:")
        if ours != stored and not elsewhere:
            raise UsageError(
                f"recipe {name} is {ours!r}, and the table's is {stored!r}; a super-net is compared with "
                f"children of the same kind: leave {name} as it is, or build a table with {ours!r}"
            )


def _check_images(images: Images, table: Table) -> None:
    """A folder's name says nothing of what is in it; their digest does. A table of published numbers has none."""
    stored = table.content.attributes["images_digest"]
    if stored not in ("", images.digest):
        raise UsageError(
            f"the images {images.name} have digest {images.digest}, and the table's {stored}; a super-net is compared "
            "with children of the same images: find those, or build a table with these"
        )


def _refuse_early(
    plan: Plan, table: Table, images: Images, children: list[Architecture], parts: list[Part], strategy: Strategy,
    seeds: range,
) -> None:  # fmt: skip
    """Raise now what would otherwise be raised after hours of training."""
    _ = table.truth
    for mode in (*plan.batch_norm, *(tuning_modes(plan) if plan.fine_tune else [])):
        Scorer(images.first_valid(1), "valid", BatchNorm.parse(mode))
    macro = macro_for(plan.recipe, images)
    schedule = get_schedule(plan.schedule or strategy.schedule)
    for part in parts:
        own = [children[i] for i in part.children]
        for seed in seeds:
            realise(schedule, own, part.steps, children_seed("schedule", own, seed))
        weights = Weights(macro, own, strategy.key, 0) if strategy.later else None
        for _, key in strategy.later:
            assert weights is not None
            weights = weights.divided(key)


def _code(name: str, strategy: Strategy) -> str:
    """Digest of the file with the strategy's code, so that an edited one is not taken for the old; "" without one."""
    path = Path(name.partition(":")[0])
    if path.suffix != ".py":
        module = sys.modules.get(getattr(strategy.key, "__module__", None) or "")
        path = Path(getattr(module, "__file__", None) or "")
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _result(
    plan: Plan,
    table: Table,
    strategy: Strategy,
    parts: Sequence[Part],
    count: int,
    seeds: list[int],
    gathered: list[list[dict[str, Any]]],
) -> Result:
    def joined(pick: Callable[[dict[str, Any]], Any], *shape: int) -> Any:
        whole = np.full((len(gathered), *shape, count), np.nan)
        for i, instance in enumerate(gathered):
            for outcome in instance:
                values = np.array(pick(outcome), dtype=np.float64)  # null, for NaN, becomes NaN
                whole[i][..., outcome["children"]] = values
        return whole

    def accuracies(mode: str) -> Any:
        return joined(lambda outcome: outcome["scores"][mode]["accuracy"])

    window = None
    if plan.last and not _any_diverged(gathered):
        trained = tuple(
            tuple(tuple(map(tuple, outcome["window_trained"])) for outcome in instance) for instance in gathered
        )
        window = Window(joined(lambda o: o["window"], plan.last), trained)
    schedule = name_of(plan.schedule or strategy.schedule)
    outcome = Outcome(
        strategy=plan.strategy,
        children=tuple(child.hash for child in table.space),
        seeds=tuple(seeds),
        scores={mode: accuracies(mode) for mode in plan.batch_norm},
        cost=Cost.mean([sum(map(_cost, instance), NOTHING) for instance in gathered]),
        match=plan.match,
        plan=without_nan({key: x for key, x in {**plan.to_dict(), "schedule": schedule}.items() if key != "recipe"}),
        recipe=plan.recipe.to_dict(),
        window=window,
        readouts=_readouts(plan, gathered, joined),
        diverged=tuple(
            Divergence(outcome["seed"], tuple(outcome["children"]), outcome["diverged_at"])
            for instance in gathered
            for outcome in instance
            if outcome["diverged_at"] is not None
        ),
        trained=tuple(
            {name: times for outcome in instance for name, times in outcome["trained"].items()}
            for instance in gathered
        ),
        versions=versions(),
    )
    return Result.of(outcome, table)


def _cost(outcome: dict[str, Any]) -> Cost:
    names = ("steps", "images", "child_updates", "macs", "weight_bytes", "seconds", "parameters")
    return Cost(**{name: outcome[name] for name in names}, super_nets=1)


def _readouts(plan: Plan, gathered: list[list[dict[str, Any]]], joined: Callable[..., Any]) -> Readouts:
    """The other readouts as (instances, children) scores; matrices of interference by instance and part."""
    average = (
        {mode: joined(lambda o, m=mode: o["readouts"]["average"][m]) for mode in plan.batch_norm}
        if plan.average
        else {}
    )
    if _any_diverged(gathered):
        return Readouts(average)
    fine_tune = {}
    if plan.fine_tune:
        modes = gathered[0][0]["readouts"]["fine_tune"]
        fine_tune = {
            mode: {f: joined(lambda o, m=mode, f=f: o["readouts"]["fine_tune"][m][f]) for f in modes[mode]}
            for mode in modes
        }
    changes: tuple[tuple[Changes, ...], ...] = ()
    if plan.interference:
        changes = tuple(
            tuple(
                Changes(
                    tuple(outcome["children"]),
                    *(np.array(outcome["readouts"][n], dtype=float) for n in ("interference", "gradient_cosine")),
                )
                for outcome in instance
            )
            for instance in gathered
        )
    return Readouts(average, fine_tune, changes)


def _any_diverged(gathered: list[list[dict[str, Any]]]) -> bool:
    return any(outcome["diverged_at"] is not None for instance in gathered for outcome in instance)
