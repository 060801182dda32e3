"""A named evaluation whose result is a file: what is finished is not run again.

    wanted = [Experiment(What("none"), Plan("none", table.recipe), instances=5)]
    results = run(table, wanted, "results")                  # {"none": Result}, and results/none.json

A result's scores are not the table's: against another table they are measured again.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nasbench_ws.errors import UsageError
from nasbench_ws.rankers.cost import work_of
from nasbench_ws.rankers.plan import Match, Plan
from nasbench_ws.results.join import join
from nasbench_ws.results.result import Result
from nasbench_ws.results.truth import GroundTruth, judged
from nasbench_ws.sharing.strategies import resolve
from nasbench_ws.space.cell import Edge
from nasbench_ws.tables.table import Table
from nasbench_ws.workers.pool import Progress
from nasbench_ws.workers.progress import training_seconds

if TYPE_CHECKING:
    from nasbench_ws.images.loaders import Load

VALID_IMAGES, TUNING_MODES = 10_000, 2  # for an estimate, before images are read


@dataclass(frozen=True)
class What:
    """What an experiment is about: the names of its file and of its row derive from this."""

    kind: str  # similar, random, none, prefix, edge, or what is unusual of a run that shares everything
    count: int | None = None  # groups, or cells that are shared
    edge: Edge | None = None  # that children are split on
    match: Match | None = None  # stated where the same is run at several
    division: int | None = None  # the seed of random groups, where one division of the children serves all instances

    @property
    def name(self) -> str:
        """As `similar-4-group-compute`."""
        numbers = [one for one in (self.count, *(self.edge or ()), self.division) if one is not None]
        return "-".join(map(str, (self.kind, *numbers, *([self.match] if self.match else []))))


@dataclass(frozen=True)
class Experiment:
    """One evaluation, and the claims of the paper that need it."""

    what: What
    plan: Plan
    instances: int
    claims: frozenset[int] = frozenset()

    @property
    def name(self) -> str:
        return self.what.name


def shipped_results(space: str = "deeper64") -> Path:
    """The folder of results that come with the package, of super-nets of a space; of others `deeper64`'s, which no
    table of theirs is measured by.
    """
    folder = _data() / "results"
    return folder / space if (folder / space).is_dir() else folder


def longer_results() -> Path:
    """The folder of results that come with the package and took more steps than is usual, all of `deeper64`."""
    return _data() / "longer"


def shipped_folders(space: str = "deeper64") -> list[Path]:
    """All folders of results that come with the package of a space: those of the usual steps first."""
    usual = shipped_results(space)
    return [usual, longer_results()] if usual == shipped_results() else [usual]


def _data() -> Path:
    return Path(next(iter(importlib.import_module("nasbench_ws.data").__path__)))


def kept(one: Experiment, folder: str | Path, shipped: bool = True) -> Result | None:
    """A result of an earlier call, or one that ships, against whatever table it was measured; None without one.

    It may have fewer instances. UsageError where the folder has that name for something else.
    """
    path = Path(folder) / f"{one.name}.json"
    if path.exists():
        result = Result.load(path)
        other = _difference(one, result)
        if other is not None:
            key, there, here = other
            raise UsageError(
                f"{path} was run with {key} {there}, and this scale has {here}; give another folder, or delete it"
            )
        return result
    for path in _shipped(one) if shipped else ():
        result = Result.load(path)
        joins = result.outcome.plan["last"] == one.plan.last  # those with a window join with others that have one
        if _difference(one, result) is None and (joins or result.outcome.instances >= one.instances):
            return result
    return None


def _shipped(one: Experiment) -> list[Path]:
    """Files that may be its result: of more steps than is usual, they are named by these, and by what is trained."""
    usual = shipped_results(one.plan.recipe.space) / f"{one.name}.json"
    longer = [longer_results() / f"{name}-{one.plan.steps}.json" for name in (one.name, one.plan.strategy)]
    return [path for path in (usual, *longer) if path.exists()]


def _difference(one: Experiment, result: Result) -> tuple[str, object, object] | None:
    """What the result was run with and the experiment was not, first of all.

    More modes of batch norm do no harm, nor does another order of them.
    """
    wanted = {key: list(value) if isinstance(value, tuple) else value for key, value in one.plan.to_dict().items()}
    there = {**result.outcome.plan, "recipe": result.outcome.recipe}
    if one.plan.schedule is None:
        del wanted["schedule"]
    if not one.plan.last and one.plan.end_lr is None and result.outcome.end_lr == _recipes_end(one):
        there["last"] = 0  # a window that it has as well changes no score
        there.pop("end_lr", None)
    modes, held = wanted.pop("batch_norm"), there.get("batch_norm", [])
    if not set(modes) <= set(held):
        return "batch_norm", held, modes
    for key, value in wanted.items():
        if there.get(key) != value:
            return key, there.get(key), value
    held_seeds, seeds = list(result.outcome.seeds), list(range(result.outcome.instances))
    return None if held_seeds == seeds else ("seeds", held_seeds, seeds)


def _recipes_end(one: Experiment) -> float:
    return one.plan.recipe.lr_final / one.plan.recipe.lr


def lacking(wanted: Sequence[Experiment], folder: str | Path, shipped: bool = True) -> list[Experiment]:
    """What `run` would run: the experiments without a result, and with the instances that others lack."""
    found = []
    for one in wanted:
        there = kept(one, folder, shipped)
        missing = one.instances - (there.outcome.instances if there else 0)
        if missing > 0:
            found.append(replace(one, instances=missing))
    return found


def present(
    wanted: Sequence[Experiment], folder: str | Path, judge: GroundTruth, shipped: bool = True
) -> dict[str, Result]:
    """Results by name, as `run` gives them, of what is there; some may have fewer instances. Nothing is trained."""
    found = {one.name: kept(one, folder, shipped) for one in wanted}
    return {name: there.measured_by(judge) for name, there in found.items() if there}


def wanting(wanted: Sequence[Experiment], results: Mapping[str, Result]) -> dict[str, frozenset[int]]:
    """The claims of what is not there, by its name in words, as "shuffle (5 of 10 instances)"."""
    found = {}
    for one in wanted:
        have = results[one.name].outcome.instances if one.name in results else 0
        if have < one.instances:
            found[f"{one.name} ({have} of {one.instances} instances)" if have else one.name] = one.claims
    return found


def hours(table: Table, wanted: Sequence[Experiment], workers: int) -> float:
    """Of training, scoring and reading out what is wanted, at the pace of workers/progress.py."""
    macs, children = table.column("macs"), list(table.space)
    work = 0.0
    for one in wanted:
        strategy = resolve(one.plan.strategy, table.space, table.macro)
        for part in one.plan.parts(children, table.macro, strategy):
            size = work_of(one.plan, part, 1, VALID_IMAGES, TUNING_MODES).total
            work += one.instances * size * float(macs[list(part.children)].mean())
    return training_seconds(work * table.recipe.batch_size, workers) / 3600


def run(
    table: Table,
    wanted: Sequence[Experiment],
    folder: str | Path,
    *,
    shipped: bool = True,
    workers: int | None = None,
    executor: Executor | None = None,
    root: str | None = None,
    load: Load | None = None,
    on_progress: Callable[[str, int, int, Progress], None] | None = None,
    allow_missing: bool = False,
) -> dict[str, Result]:
    """Every experiment's result by name; instances that are there already are not run again.

    Args:
        table: what results are measured against.
        wanted: as `experiments` lists them.
        folder: where results are kept, and found again.
        shipped: take results that ship with the package, too.
        workers, executor, root, load, allow_missing: as of `evaluate`.
        on_progress: called with the experiment's name, its place, how many there are, and a `Progress`.

    UsageError where the folder has results of another table or scale; otherwise errors as of `evaluate`.
    """
    results: dict[str, Result] = {}
    judge = judged(table, allow_missing)
    for place, one in enumerate(wanted, start=1):
        there = kept(one, folder, shipped)
        have = there.outcome.instances if there else 0
        if there and have >= one.instances:
            results[one.name] = there.measured_by(judge)
            continue
        from nasbench_ws.evaluation.evaluate import evaluate  # torch, which showing results does without

        def tell(progress: Progress, name: str = one.name, place: int = place) -> None:
            if on_progress is not None:
                on_progress(name, place, len(wanted), progress)

        modes = there.outcome.plan["batch_norm"] if there else one.plan.batch_norm  # in the order that joins
        plan = replace(one.plan, batch_norm=tuple(modes))
        more = evaluate(
            one.plan.strategy, table, instances=one.instances - have, first_seed=have, plan=plan, root=root,
            load=load, workers=workers, folder=Path(folder) / "parts" / one.name, executor=executor, on_progress=tell,
            allow_missing=allow_missing,
        )  # fmt: skip
        results[one.name] = join([there, more], judge) if there else more
        results[one.name].save(Path(folder) / f"{one.name}.json")
    return results
