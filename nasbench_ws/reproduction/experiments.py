"""What is run: each experiment is one evaluation, kept as a result file, so that the next call goes on behind it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from nasbench_ws.errors import UsageError
from nasbench_ws.estimate import training_seconds
from nasbench_ws.plan import Match, Plan
from nasbench_ws.pool import Progress
from nasbench_ws.result import Result
from nasbench_ws.table import Table


@dataclass(frozen=True)
class Scale:
    """How much of everything. `steps` are those of a super-net that shares all."""

    name: str
    instances: int
    steps: int
    last: int  # snapshots at the end: k of GT-Tau-Mean-k
    calibration: int  # training images for recalibrating batch norm; some are scored with and without
    last_images: int  # validation images for them, for fine-tuning and interference
    groups: tuple[int, ...]  # m, at equal compute
    free: tuple[int, ...]  # m, each group with all the steps, as in the paper
    prefixes: tuple[int, ...] | None  # k; None: 0 to the number of cells
    fine_tune: tuple[int, ...]
    interference: int  # steps
    note: str


SCALES = {
    scale.name: scale
    for scale in (
        Scale(
            "smoke", 2, 320, 4, 128, 100, (4, 16), (4,), (0,), (0, 5), 1,
            "Smoke: five updates of each child. It shows that everything runs, and proves little.",
        ),
        Scale(
            "standard", 3, 6400, 64, 1024, 1000, (2, 4, 8, 16, 32, 64), (4,), None, (0, 1, 5, 10), 2,
            "Standard: a hundred updates of each child, three instances; hours of two cores.",
        ),
        Scale(
            "paper", 10, 39_200, 64, 1024, 10_000, (2, 4, 8, 16, 32, 64), (2, 4, 8, 16, 32, 64), None,
            (0, 1, 5, 10, 20), 2,
            "Paper: the paper's steps, instances and groups; days of many cores.",
        ),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Experiment:
    """One evaluation, and the claims that need it."""

    name: str
    plan: Plan
    instances: int
    claims: frozenset[int]


def experiments(table: Table, scale: Scale, claims: Sequence[int] = (1, 2, 3, 4)) -> list[Experiment]:
    """What the claims need at that scale, cheapest first."""
    last, modes = scale.last, ("running", f"recalibrate:{scale.calibration}")
    full = Plan("full", table.recipe, steps=scale.steps, last_images=scale.last_images)
    found = [
        # One run of the paper's fixed cycle serves stability by seed and by step, fine-tuning and interference.
        _named("seeds", {1, 2, 3}, full, schedule="cycle", last=last, fine_tune=scale.fine_tune, batch_norm=modes,
               interference=scale.interference),
        _named("orders", {1}, full, schedule="order", last=last),
        _named("shuffle", {1, 2, 4}, full, schedule="shuffle", last=last, batch_norm=modes),
        _named("drift", {4}, full, schedule="shuffle", recipe=dataclasses.replace(table.recipe, inactive="drift")),
    ]  # fmt: skip
    for m in scale.groups:
        kinds = ("similar", "random") if m < len(table) else ("similar",)  # each child alone is each child alone
        found += [_grouped(full, kind, m, "compute") for kind in kinds]
    found += [_grouped(full, kind, m, "steps") for m in scale.free for kind in ("similar", "random") if m < len(table)]
    prefixes = range(table.macro.cells + 1) if scale.prefixes is None else scale.prefixes
    found += [_named(f"prefix-{k}", {4}, full, strategy=f"prefix:{k}", match="compute") for k in prefixes]
    wanted = [dataclasses.replace(one, instances=scale.instances) for one in found if one.claims & set(claims)]
    return sorted(wanted, key=lambda one: _supernets(one) if one.plan.match == "steps" else 1)


def _named(name: str, claims: set[int], plan: Plan, **changes: object) -> Experiment:
    return Experiment(name, dataclasses.replace(plan, **changes), 0, frozenset(claims))  # type: ignore[arg-type]


def _grouped(full: Plan, kind: str, m: int, match: Match) -> Experiment:
    name = f"{kind}-{m}-{match}"
    return _named(name, {4}, full, strategy=f"groups:{kind}:{m}", match=match, schedule="shuffle")


def _supernets(one: Experiment) -> int:
    """In one instance."""
    return int(one.plan.strategy.split(":")[2]) if one.plan.strategy.startswith("groups:") else 1


def hours(table: Table, wanted: Sequence[Experiment], workers: int) -> float:
    """Of training what is wanted, at the pace of estimate.py; scoring and readouts come on top."""
    macs = float(table.column("macs").mean()) * table.recipe.batch_size
    steps = sum(o.instances * o.plan.steps * (_supernets(o) if o.plan.match == "steps" else 1) for o in wanted)
    return training_seconds(macs * steps, workers) / 3600


def run(
    table: Table,
    scale: Scale,
    folder: str | Path,
    claims: Sequence[int] = (1, 2, 3, 4),
    *,
    workers: int | None = None,
    executor: Executor | None = None,
    root: str | None = None,
    on_progress: Callable[[str, int, int, Progress], None] | None = None,
) -> dict[str, Result]:
    """Every experiment's result by name; what the folder has is not run again. `on_progress(name, place, of, ...)`.

    UsageError where the folder has results of another table or scale; otherwise errors as of `evaluate`.
    """
    from nasbench_ws.evaluation import evaluate  # torch, which showing results does without

    wanted, results = experiments(table, scale, claims), {}
    for place, one in enumerate(wanted, start=1):
        path = Path(folder) / f"{one.name}.json"
        if path.exists():
            results[one.name] = _kept(path, one, table)
            continue

        def tell(progress: Progress, name: str = one.name, place: int = place) -> None:
            if on_progress is not None:
                on_progress(name, place, len(wanted), progress)

        results[one.name] = evaluate(
            one.plan.strategy, table, instances=one.instances, plan=one.plan, root=root, workers=workers,
            folder=Path(folder) / "parts" / one.name, executor=executor, on_progress=tell,
        )  # fmt: skip
        results[one.name].save(path)
    return results


def _kept(path: Path, one: Experiment, table: Table) -> Result:
    """A result of an earlier call, measured against the table as it is now."""
    result = Result.load(path)
    wanted = {key: value for key, value in one.plan.to_dict().items() if key not in ("recipe", "schedule")}
    wanted = {key: list(value) if isinstance(value, tuple) else value for key, value in wanted.items()}
    there = {key: result["plan"].get(key) for key in wanted}
    if there != wanted or result["instances"] != one.instances:
        key = next((key for key in wanted if there[key] != wanted[key]), "instances")
        raise UsageError(
            f"{path} was run with {key} {there.get(key, result['instances'])}, and this scale has "
            f"{wanted.get(key, one.instances)}; give another folder with --out, or delete it"
        )
    return result if result["table"]["digest"] == table.digest else result.against(table)
