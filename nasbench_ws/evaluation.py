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
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nasbench_ws.augment import Batches
from nasbench_ws.errors import UsageError
from nasbench_ws.estimate import training_seconds
from nasbench_ws.images import Images, load_images
from nasbench_ws.network import child_network, mac_count
from nasbench_ws.plan import BACKWARD, Part, Plan
from nasbench_ws.pool import OnProgress, Task, execute
from nasbench_ws.readout import Average, fine_tuned, gradient_similarity, interference
from nasbench_ws.records import read_record, without_nan, write_record
from nasbench_ws.result import Result
from nasbench_ws.runs import check_writable
from nasbench_ws.schedule import audit, get_schedule, name_of, realise
from nasbench_ws.score import BatchNorm, Scorer
from nasbench_ws.space import Architecture, get_space
from nasbench_ws.strategy import Strategy, resolve
from nasbench_ws.supernet import StepOutcome, SuperNet
from nasbench_ws.table import Table, load
from nasbench_ws.train import children_seed, make_batches, one_thread, train
from nasbench_ws.versions import versions
from nasbench_ws.weights import Weights
from nasbench_ws.work import Work, work_of

FORMAT = "nasbench-ws part"


@dataclass(frozen=True)
class Setting:
    """What a worker needs for any part of an evaluation; small, so that it travels as it is."""

    plan: Plan
    root: str | None = None  # where data sets that do not ship are


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
    children, parts, named = _parts(setting, images)
    seeds = range(first_seed, first_seed + instances)
    _refuse_early(plan, truth, images, children, parts, named, seeds)
    if folder is not None:
        check_writable(Path(folder))
    identity = plan.digest(parts, images.digest, _code(strategy, named))

    def place(seed: int, number: int) -> Path | None:
        return None if folder is None else Path(folder) / identity / f"{seed}-{number}.json"

    sizes = [_work(plan, part, children, named, len(images.valid.labels)) for part in parts]
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

    macro = plan.recipe.macro_for(images)
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
    for mode in (*plan.batch_norm, *(_tuning_modes(plan) if plan.fine_tune else [])):
        Scorer(images.first_valid(1), "valid", BatchNorm.parse(mode))
    macro = plan.recipe.macro_for(images)
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


def _parts(setting: Setting, images: Images) -> tuple[list[Architecture], list[Part], Strategy]:
    recipe = setting.plan.recipe
    space = get_space(recipe.space)
    macro = recipe.macro_for(images)
    strategy = resolve(setting.plan.strategy, space, macro)
    children = list(space)
    return children, setting.plan.parts(children, macro, strategy), strategy


_images: dict[tuple[str, str | None], Images] = {}  # of this process: loaded once for all its parts


@one_thread()
def run_part(setting: Setting, seed: int, number: int, on_step: Callable[[float], None]) -> dict[str, Any]:
    """Train and score one part of one instance (in a worker). Calls `on_step(work done)`, in the unit of `Work`."""
    plan, recipe = setting.plan, setting.plan.recipe
    where = (recipe.images, setting.root)
    if where not in _images:
        _images[where] = load_images(recipe.images, ("train", "valid"), root=setting.root)
    images = _images[where]
    children, parts, strategy = _parts(setting, images)
    part = parts[number]
    own = [children[i] for i in part.children]
    macro = recipe.macro_for(images)
    started = time.perf_counter()
    scorers = {mode: Scorer(images, "valid", BatchNorm.parse(mode)) for mode in plan.batch_norm}
    schedule = get_schedule(plan.schedule or strategy.schedule)
    sequence = realise(schedule, own, part.steps, children_seed("schedule", own, seed))
    net = SuperNet(recipe, macro, own, strategy.key, seed)
    work, tally = _work(plan, part, children, strategy, len(images.valid.labels)), _Tally(on_step)
    if "private" in plan.batch_norm:
        net.weights.keep_own()
    snapshots = _Snapshots(images, plan, part.steps)
    average = Average(net, plan.average)

    def each_step(step: int, outcome: StepOutcome) -> None:
        snapshots.take(step, net)
        if plan.average:
            average.take()
        tally.add(work.step + (work.snapshot if step > part.steps - plan.last else 0))

    diverged = train(net, make_batches(recipe, images, net, seed), sequence, each_step, strategy.later)
    train_seconds = time.perf_counter() - started
    scores = {}
    for mode, scorer in scorers.items():
        found = scorer.score(net)
        if diverged is None and not np.isfinite(found.accuracy).all():  # fine on its batches, and not when scored
            diverged = part.steps
        tally.add(work.mode)
        scores[mode] = {"accuracy": found.accuracy.tolist(), "loss": found.loss.tolist()}
    readouts: dict[str, Any] = {}
    if plan.average:
        with average.in_place():
            for mode, scorer in scorers.items():
                readouts.setdefault("average", {})[mode] = scorer.score(net).accuracy.tolist()
                tally.add(work.mode)
    if diverged is None:
        readouts |= _extra_steps(plan, images, net, seed, work, tally)
    macs = np.array([mac_count(child_network(macro, arch)) for arch in own])
    outcome = {
        "children": list(part.children),
        "seed": seed,
        "diverged_at": diverged,
        "steps": part.steps,
        "child_updates": int(sequence.size),
        "images": int(sequence.size) * recipe.batch_size,
        "macs": int(macs[sequence].sum()) * recipe.batch_size * BACKWARD,
        "train_seconds": train_seconds,
        "seconds": time.perf_counter() - started,
        "weight_bytes": net.weights.bytes,
        "parameters": net.weights.values.numel(),
        "scores": scores,
        "window": snapshots.scores,
        "window_trained": np.array(part.children)[sequence[part.steps - plan.last :]].tolist() if plan.last else [],
        "readouts": readouts,
        "trained": audit(own, sequence)["children"],
        "sequence_digest": hashlib.sha256(sequence.tobytes()).hexdigest()[:16],
    }
    return without_nan(outcome)  # type: ignore[no-any-return]  # as a file gives it back


def _tuning_modes(plan: Plan) -> tuple[str, ...]:
    """Fine-tuned children are scored with recalibration too, or batch norm's part in the gain could not be told."""
    recalibrates = any(BatchNorm.parse(mode).mode == "recalibrate" for mode in plan.batch_norm)
    return plan.batch_norm if recalibrates else (*plan.batch_norm, "recalibrate")


def _work(plan: Plan, part: Part, children: Sequence[Architecture], strategy: Strategy, valid_images: int) -> Work:
    width = plan.width([children[i] for i in part.children], strategy)
    return work_of(plan, part, width, valid_images, len(_tuning_modes(plan)))


class _Tally:
    """Work done so far, told on."""

    def __init__(self, on_step: Callable[[float], None]) -> None:
        self._done, self._on_step = 0.0, on_step

    def add(self, work: float) -> None:
        self._done += work
        self._on_step(self._done)


def _extra_steps(
    plan: Plan, images: Images, net: SuperNet, seed: int, work: Work, tally: _Tally
) -> dict[str, Any]:
    """Fine-tuning of every child, with and without recalibration, and interference between children."""
    some = images.first_valid(plan.last_images)
    found: dict[str, Any] = {}

    def stream(child: int) -> Batches:
        return make_batches(net.recipe, images, net, seed, extra=net.children[child].hash)

    if plan.fine_tune:
        scorers = {mode: Scorer(some, "valid", BatchNorm.parse(mode)) for mode in _tuning_modes(plan)}
        tuned = fine_tuned(
            net, stream, plan.fine_tune, scorers, plan.extra_lr, lambda: tally.add(work.tuned_child)
        )  # fmt: skip
        found["fine_tune"] = {m: {str(f): s.tolist() for f, s in by_count.items()} for m, by_count in tuned.items()}
    if plan.interference:
        scorer = Scorer(some, "valid", BatchNorm.parse(plan.batch_norm[0]))
        changes = interference(
            net, stream, plan.interference, scorer, plan.extra_lr, lambda: tally.add(work.interfering_child)
        )  # fmt: skip
        found["interference"] = changes.round(6).tolist()  # of counts / images
        batch, labels = next(stream(0))
        found["gradient_cosine"] = gradient_similarity(net, batch, labels).round(5).tolist()
    return found


class _Snapshots:
    """Scores after each of the last steps, on the first validation images (GT-Tau-Mean-k's material)."""

    def __init__(self, images: Images, plan: Plan, steps: int) -> None:
        self.scores: list[list[float]] = []
        self._from = steps - plan.last
        if plan.last:
            some = images.first_valid(plan.last_images)
            self._scorer = Scorer(some, "valid", BatchNorm.parse(plan.batch_norm[0]))

    def take(self, step: int, net: SuperNet) -> None:
        if step > self._from:
            self.scores.append(self._scorer.score(net).accuracy.tolist())


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

    def total(name: str) -> float:
        sums = [sum(outcome[name] for outcome in instance) for instance in gathered]
        return float(np.mean(sums))

    def accuracies(mode: str) -> Any:
        return joined(lambda outcome: outcome["scores"][mode]["accuracy"])

    window = joined(lambda o: o["window"], plan.last) if plan.last and not _any_diverged(gathered) else None
    return Result.make(
        strategy=plan.strategy,
        table=table,
        plan={**plan.to_dict(), "schedule": name_of(plan.schedule or strategy.schedule)},
        seeds=seeds,
        scores={mode: accuracies(mode) for mode in plan.batch_norm},
        window=window,
        window_trained=[[outcome["window_trained"] for outcome in instance] for instance in gathered],
        readouts=_readouts(plan, gathered, joined),
        budget={
            "per": "instance",
            "match": plan.match,
            **{name: int(total(name)) for name in ("steps", "images", "child_updates", "macs", "weight_bytes")},
            "seconds": total("seconds"),
            "parameters": int(total("parameters")),
            "super_nets": len(parts),
        },
        diverged=[
            {"seed": outcome["seed"], "children": outcome["children"], "step": outcome["diverged_at"]}
            for instance in gathered
            for outcome in instance
            if outcome["diverged_at"] is not None
        ],
        trained=[
            {name: times for outcome in instance for name, times in outcome["trained"].items()}
            for instance in gathered
        ],
        versions=versions(),
    )


def _readouts(plan: Plan, gathered: list[list[dict[str, Any]]], joined: Callable[..., Any]) -> dict[str, Any]:
    """The other readouts as (instances, children) scores; matrices of interference by instance and part."""
    found: dict[str, Any] = {}
    if plan.average:
        found["average"] = {mode: joined(lambda o, m=mode: o["readouts"]["average"][m]) for mode in plan.batch_norm}
    if _any_diverged(gathered):
        return found
    if plan.fine_tune:
        modes = gathered[0][0]["readouts"]["fine_tune"]
        found["fine_tune"] = {
            mode: {f: joined(lambda o, m=mode, f=f: o["readouts"]["fine_tune"][m][f]) for f in modes[mode]}
            for mode in modes
        }
    if plan.interference:
        names = ("children", "interference", "gradient_cosine")
        found["interference"] = [
            [{name: ({**outcome, **outcome["readouts"]})[name] for name in names} for outcome in instance]
            for instance in gathered
        ]
    return found


def _any_diverged(gathered: list[list[dict[str, Any]]]) -> bool:
    return any(outcome["diverged_at"] is not None for instance in gathered for outcome in instance)
