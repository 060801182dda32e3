"""Rankers that score all children in one go: objects with a method `score`, and scores that are known beforehand.

    Scored(Synflow())                              # an object or class with score(problem, images, seed)
    Known("params", table.column("params")[None])  # one ranking, whatever the seed
    RandomOrder()
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nasbench_ws.cost import NOTHING, Cost
from nasbench_ws.errors import UsageError
from nasbench_ws.images.dataset import Images
from nasbench_ws.json_files import without_nan
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.rankers.base import OnStep, Piece, Ranking, checked_scores
from nasbench_ws.rankers.kept import check_scores
from nasbench_ws.seeds import derive
from nasbench_ws.space.problem import Problem


class Scored:
    """A `Ranker` of one piece an instance, made of a thing with `score(problem, images, seed)`.

    The thing may have `name`, `plan` (a mapping for the result), `splits` ("train", "valid"; () for none, and it is
    given None), `deterministic` (True: the seed changes nothing), `check(problem, images, seeds)`, and
    `macs(problem, images)`, the multiply-adds of an instance.
    """

    match = ""
    recipe: Mapping[str, Any] = {}

    def __init__(self, thing: Any, name: str | None = None) -> None:
        self.thing = thing() if isinstance(thing, type) else thing
        self.name = name or str(getattr(self.thing, "name", type(self.thing).__qualname__))
        self.splits = tuple(getattr(self.thing, "splits", ("train", "valid")))

    def plan(self, problem: Problem, images: Images | None) -> dict[str, Any]:
        return {"steps": 0, "schedule": "", "last": 0, **without_nan(getattr(self.thing, "plan", {}))}

    def instances(self) -> int | None:
        return 1 if getattr(self.thing, "deterministic", False) else None

    def sources(self) -> Sequence[Any]:
        return [self.thing]

    def check(self, problem: Problem, images: Images | None, seeds: Sequence[int]) -> None:
        check = getattr(self.thing, "check", None)
        if check is not None:
            check(problem, images, seeds)

    def tasks(self, problem: Problem, images: Images | None, seeds: Sequence[int]) -> list[Piece]:
        size = float(len(problem.space)) if self.splits else 0.0
        return [Piece(seed, 0, size=size) for seed in seeds]

    def run(self, piece: Piece, problem: Problem, images: Images | None, on_step: OnStep) -> dict[str, Any]:
        started, cpu_started = time.perf_counter(), time.process_time()
        scores = checked_scores(self.name, self.thing.score(problem, images, piece.seed), len(problem.space))
        on_step(piece.size)
        outcome: dict[str, Any] = without_nan({
            "scores": scores.tolist(),
            "macs": self.thing.macs(problem, images) if hasattr(self.thing, "macs") else 0,
            "seconds": time.perf_counter() - started,
            "cpu_seconds": time.process_time() - cpu_started,
        })
        return outcome

    def check_kept(self, piece: Piece, problem: Problem, outcome: Mapping[str, Any]) -> None:
        check_scores(outcome, len(problem.space))

    def gather(self, problem: Problem, outcomes: Sequence[Mapping[str, Any]]) -> Ranking:
        (outcome,) = outcomes
        macs, seconds = int(outcome.get("macs", 0)), float(outcome["seconds"])
        cost = Cost(0, 0, 0, macs, 0, seconds, 0, 0, outcome.get("cpu_seconds"))
        return Ranking({"": checked_scores(self.name, outcome["scores"], len(problem.space))}, cost)


class Known:
    """A `Ranker` whose scores are there already: (instances, n), the instance of seed s in row s.

    `cost` is of one instance; `what` goes into the result's plan. `looked_at`: where row s was made with the runs of a
    seed of the table, the place of that seed; the truth it is measured against is then that of the other seeds.
    """

    match = ""
    splits: tuple[str, ...] = ()
    recipe: Mapping[str, Any] = {}

    def __init__(
        self,
        name: str,
        scores: Array,
        cost: Cost = NOTHING,
        what: Mapping[str, Any] | None = None,
        looked_at: tuple[int, ...] = (),
    ) -> None:
        self.name, self.scores, self.cost, self.what, self.looked_at = name, scores, cost, what or {}, looked_at

    def plan(self, problem: Problem, images: Images | None) -> dict[str, Any]:
        return {"steps": 0, "schedule": "", "last": 0, **self.what}

    def instances(self) -> int | None:
        return len(self.scores)

    def sources(self) -> Sequence[Any]:
        return []

    def check(self, problem: Problem, images: Images | None, seeds: Sequence[int]) -> None:
        """UsageError for a seed beyond the scores that there are."""
        missing = [seed for seed in seeds if seed >= len(self.scores)]
        if missing:
            raise UsageError(
                f"{self.name} has {len(self.scores)} rankings, seeds 0 to {len(self.scores) - 1}, and none of seed "
                f"{missing[0]}; ask for fewer instances"
            )

    def tasks(self, problem: Problem, images: Images | None, seeds: Sequence[int]) -> list[Piece]:
        return [Piece(seed, 0) for seed in seeds]

    def run(self, piece: Piece, problem: Problem, images: Images | None, on_step: OnStep) -> dict[str, Any]:
        outcome: dict[str, Any] = without_nan({"scores": self.scores[piece.seed].tolist()})
        return outcome

    def gather(self, problem: Problem, outcomes: Sequence[Mapping[str, Any]]) -> Ranking:
        (outcome,) = outcomes
        return Ranking({"": checked_scores(self.name, outcome["scores"], len(problem.space))}, self.cost)


class RandomOrder:
    """Children in random order: what chance gives. A thing for `Scored`."""

    name = "random"
    splits: tuple[str, ...] = ()

    def score(self, problem: Problem, images: Images | None, seed: int) -> Array:
        rng = np.random.Generator(np.random.PCG64(derive("random ranking", seed)))
        return rng.permutation(len(problem.space)).astype(np.float64)
