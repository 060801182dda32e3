"""The main job: score every child by a ranker, and compare the ranking with a table.

An evaluation is instances (each of a seed) times pieces, such as super-nets that share nothing. Each of these is one
task for a worker process and, when done, one small file in the work folder, so that an interrupted evaluation goes on
where it stopped. Rankers see training and validation images only: test images are not even loaded, and what trains and
scores is not given the table.

    result = evaluate("groups:similar:4", "fashion14", instances=3)
    print(result)

Not here: who shares what, and how anything is trained (rankers/).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass, replace
from pathlib import Path
from typing import Any

from nasbench_ws.errors import ResultError, UsageError
from nasbench_ws.evaluation.at_work import in_use, is_mine_alone
from nasbench_ws.evaluation.code import code_of
from nasbench_ws.evaluation.fit import problem_of
from nasbench_ws.evaluation.sources import sources
from nasbench_ws.evaluation.travel import pack
from nasbench_ws.evaluation.work import Source, check_travels, images_for, run_piece
from nasbench_ws.images.dataset import Images
from nasbench_ws.images.loaders import Load, load_images
from nasbench_ws.images.mapped import mapped
from nasbench_ws.json_files import check_writable, named_folder, read_record, write_record
from nasbench_ws.limits import LARGEST_SEED, MOST_SEEDS, check_most, integer
from nasbench_ws.provenance import versions
from nasbench_ws.rankers.base import Piece, Ranker, checked_scores
from nasbench_ws.rankers.named import ranker as ranker_of
from nasbench_ws.rankers.plan import Plan
from nasbench_ws.results.checked import checked
from nasbench_ws.results.join import different, stack
from nasbench_ws.results.outcome import Code, Outcome
from nasbench_ws.results.result import Result
from nasbench_ws.results.truth import GroundTruth, Without, judged
from nasbench_ws.space.code import operation_codes
from nasbench_ws.space.problem import Problem
from nasbench_ws.tables.table import Table
from nasbench_ws.tables.table import load as load_table
from nasbench_ws.workers.interactive import line
from nasbench_ws.workers.pool import OnProgress, Task, execute
from nasbench_ws.workers.progress import training_seconds

FORMAT = "nasbench-ws part"


@dataclass(frozen=True)
class _Made:
    """What every piece is kept with, whatever the ranker gave."""

    versions: dict[str, str]
    device: str | None = None


INSTANCES = 3  # where nothing is said


def evaluate(
    ranker: Any,
    table: str | Path | Table = "fashion14",
    *,
    instances: int | None = None,
    first_seed: int = 0,
    plan: Plan | None = None,
    root: str | None = None,
    load: Load | None = None,
    workers: int | None = None,
    folder: str | Path | None = None,
    executor: Any = None,
    on_progress: OnProgress | None = None,
    allow_missing: bool = False,
) -> Result:
    """Evaluate a way of ranking children against a table.

    Args:
        ranker: a name (a sharing strategy as "groups:similar:4" or "my.py:MyStrategy", or "params", "macs", "random",
            "alone:EPOCH", "scores:FILE"), or an object or class of your own: a sharing strategy with key(arch, slot),
            or a ranker (rankers/base.py).
        table: a shipped table's name, a path, or a `Table`.
        instances: rankings, each of its seed; 3 by default, or as many as there are.
        first_seed: seed of the first instance.
        plan: how super-nets are trained and read out (steps, match, schedule, batch norm); the table's recipe.
        root: where data sets that do not ship are.
        load: reads images in the place of `load_images`, and is called like it: load(name, splits, root=root). With
            worker processes, a function at the top level of a module.
        workers: processes of one thread each; None: all in this process.
        folder: where finished pieces are kept, to be used again by the very same evaluation.
        executor: any `concurrent.futures.Executor` in the place of worker processes.
        on_progress: called with a `Progress` now and then; None: a line on stderr in a notebook or at Python's prompt,
            and nothing elsewhere.
        allow_missing: leave out children whose runs the table lacks: all are trained, and the others measured.

    Raises:
        StrategyError, DataError, TableError, UsageError, OutputError: before anything is trained.
        RunError: a worker died for good.
    """
    ready = prepare(
        ranker, table, instances=instances, first_seed=first_seed, plan=plan, root=root, load=load, folder=folder,
        allow_missing=allow_missing,
    )  # fmt: skip
    shown = on_progress or line(f"evaluate {ready.ranker.name}")
    return ready.run(workers=workers, executor=executor, on_progress=shown)


@dataclass(frozen=True)
class Evaluation:
    """All that was checked before anything is trained. `kept` is where finished pieces are, None: nowhere."""

    ranker: Ranker
    table: Table
    problem: Problem
    images: Images | None
    source: Source
    pieces: Sequence[Piece]
    kept: Path | None
    judge: GroundTruth  # the table, or its children that lack no run
    code: Code | None = None  # of the user's own, as it was when all was checked

    @property
    def seeds(self) -> list[int]:
        return list(dict.fromkeys(piece.seed for piece in self.pieces))

    def place(self, piece: Piece) -> Path | None:
        """The file of a finished piece; None where it is not worth keeping."""
        return None if self.kept is None or not piece.size else self.kept / f"{piece.seed}-{piece.number}.json"

    def run(
        self, *, workers: int | None = None, executor: Any = None, on_progress: OnProgress | None = None
    ) -> Result:
        """Run what is not kept, and measure it. Arguments and errors as of `evaluate`."""
        with in_use(self.kept):
            return self._run(workers, executor, on_progress)

    def _run(self, workers: int | None, executor: Any, on_progress: OnProgress | None) -> Result:
        outcomes: dict[tuple[int, int], Mapping[str, Any]] = {}
        todo: dict[tuple[int, int], Piece] = {}
        for piece in self.pieces:
            path = self.place(piece)
            if path is not None and path.exists():
                outcomes[piece.seed, piece.number] = self._kept_outcome(path, piece)
            else:
                todo[piece.seed, piece.number] = piece

        def on_done(name: tuple[int, int], outcome: Mapping[str, Any]) -> None:
            outcomes[name] = outcome
            path = self.place(todo[name])
            if path is not None:
                write_record(path, FORMAT, outcome)

        if not any(piece.size for piece in todo.values()):
            workers, executor = None, None  # not worth a process
        elif workers and executor is None:
            check_travels(self.ranker, self.problem, self.source)
        elif executor is None:
            check_here: Any = getattr(self.ranker, "check_here", None)
            if check_here is not None:
                check_here(self.problem, self.images, self.seeds[0])
        elsewhere = executor is not None and getattr(executor, "elsewhere", False)
        ranker = pack(self.ranker, self.table) if elsewhere else self.ranker
        longest = sorted(todo.items(), key=lambda item: -item[1].size)  # first, so that all end together
        ours = self.images if workers and executor is None else None
        with mapped(ours, self.source.load or load_images) as load:
            source = self.source if ours is None else replace(self.source, load=load)
            execute(
                run_piece,
                {name: Task((ranker, self.problem, source, piece), piece.size) for name, piece in longest},
                on_done,
                workers=workers,
                executor=executor,
                on_progress=on_progress,
                seconds=training_seconds(sum(piece.macs for piece in todo.values()), workers or 1),
                preload=("nasbench_ws.rankers.weight_sharing",),
            )
        instances = [
            [outcomes[piece.seed, piece.number] for piece in self.pieces if piece.seed == seed] for seed in self.seeds
        ]
        looked_at = getattr(self.ranker, "looked_at", ())
        judge = Without(self.judge, [looked_at[seed] for seed in self.seeds]) if looked_at else self.judge
        return Result.of(stack([self._outcome(*one) for one in zip(self.seeds, instances, strict=True)]), judge)

    def _kept_outcome(self, path: Path, piece: Piece) -> Mapping[str, Any]:
        """ResultError names the file where it holds what that piece cannot have given."""
        outcome = read_record(path, FORMAT)
        try:
            checked(outcome, _Made)
            check: Any = getattr(self.ranker, "check_kept", None)
            if check is not None:
                check(piece, self.problem, {key: value for key, value in outcome.items() if key != "versions"})
        except ResultError as error:
            raise ResultError(
                f"{path}: {error}; it is no part of this evaluation: delete it, and run the same command again"
            ) from None
        return outcome

    def forget(self) -> None:
        """Delete the files of the finished pieces; none while another process makes this very evaluation's too."""
        if self.kept is None or not is_mine_alone(self.kept):
            return
        for path in filter(None, map(self.place, self.pieces)):
            path.unlink(missing_ok=True)
        for folder in (self.kept, self.kept.parent):
            with contextlib.suppress(OSError):  # where something else is in it
                folder.rmdir()

    def _outcome(self, seed: int, outcomes: Sequence[Mapping[str, Any]]) -> Outcome:
        """One instance."""
        ranker, children = self.ranker, self.problem.children
        ranking = ranker.gather(self.problem, outcomes)
        made = [outcome["versions"] for outcome in outcomes]
        devices = [outcome["device"] for outcome in outcomes if outcome.get("device")]
        return Outcome(
            strategy=ranker.name,
            children=tuple(child.hash for child in children),
            seeds=(seed,),
            scores={m: checked_scores(ranker.name, one, len(children))[None] for m, one in ranking.scores.items()},
            cost=ranking.cost,
            match=ranker.match,
            plan=ranker.plan(self.problem, self.images),
            recipe=ranker.recipe,
            window=ranking.window,
            readouts=ranking.readouts,
            diverged=ranking.diverged,
            trained=(ranking.trained,),
            versions={name: different([one[name] for one in made]) for name in made[0]},
            device=different(devices) if devices else None,
            trace=ranking.trace,
            code=self.code,
            images_digest=None if self.images is None else self.images.digest,
        )


def prepare(
    ranker: Any,
    table: str | Path | Table = "fashion14",
    *,
    instances: int | None = None,
    first_seed: int = 0,
    plan: Plan | None = None,
    root: str | None = None,
    load: Load | None = None,
    folder: str | Path | None = None,
    allow_missing: bool = False,
) -> Evaluation:
    """Check everything that can be checked before hours of training. Arguments and errors as of `evaluate`."""
    truth = table if isinstance(table, Table) else load_table(table)
    chosen = ranker_of(ranker, plan or Plan("full", truth.recipe), truth)
    problem = problem_of(chosen.recipe, truth)
    seeds = _seeds(chosen, instances, first_seed)
    source = Source(root, load)
    images = images_for(chosen, problem, source)
    source = replace(source, digest=None if images is None else images.digest)
    _check_images(images, truth)
    judge = judged(truth, allow_missing)
    _ = judge.truth  # which refuses a table that lacks runs
    chosen.check(problem, images, seeds)
    pieces = chosen.tasks(problem, images, seeds)
    where = None if folder is None else named_folder(folder)
    if where is not None:
        check_writable(where)
    kept = None if where is None else where / _identity(chosen, problem, images, pieces)
    return Evaluation(chosen, truth, problem, images, source, pieces, kept, judge, code_of(chosen.sources()))


def _check_images(images: Images | None, table: Table) -> None:
    """A folder's name says nothing of what is in it; their digest does. A table of published numbers has none."""
    stored = table.content.attributes["images_digest"]
    if images is not None and stored not in ("", images.digest):
        raise UsageError(
            f"the images {images.name} have digest {images.digest}, and the table's {stored}; a super-net is compared "
            "with children of the same images: find those, or build a table with these"
        )


def _seeds(ranker: Ranker, instances: int | None, first: int) -> range:
    most, first = ranker.instances(), integer("first_seed", first)
    instances = None if instances is None else integer("instances", instances)
    count = min(INSTANCES, most or INSTANCES) if instances is None else instances
    if instances is None and most is not None and not getattr(ranker, "looked_at", ()):
        count = most
    if count < 1:
        raise UsageError(f"instances is {count}; it must be at least 1")
    check_most("instances", count, MOST_SEEDS)
    check_most("the seed of the last instance", first + count - 1, LARGEST_SEED, "begin with a smaller one")
    if most is not None and first + count > most:
        what = "1 ranking, the same with every seed" if most == 1 else f"{most} rankings, seeds 0 to {most - 1}"
        raise UsageError(f"{ranker.name} has {what}, and {count} from seed {first} on were asked for; ask for fewer")
    return range(first, first + count)


def _identity(ranker: Ranker, problem: Problem, images: Images | None, pieces: Sequence[Piece]) -> str:
    """Of the work, for resuming: all that its numbers depend on but the seeds, the user's code included."""
    first = [piece for piece in pieces if piece.seed == pieces[0].seed]
    known = [
        ranker.name, ranker.plan(problem, images), ranker.recipe, repr(problem.space),
        [asdict(piece.work) if is_dataclass(piece.work) else piece.work for piece in first],  # type: ignore[arg-type]
        images.digest if images is not None else "", sources(ranker.sources()), versions()["nasbench-ws"],
    ]  # fmt: skip
    own = operation_codes(problem.space)
    known += [own] if own else []
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]
