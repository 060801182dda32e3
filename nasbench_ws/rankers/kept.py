"""Finished parts as a later call reads them: what they hold must be what the part that is asked for can have given.

    check_part(outcome, net.part, seed, plan)          # ResultError: scores.running.accuracy[3] is 7.0; it must be ...

A part lies in a folder that anyone can write to, and its digest says that it is whole, not that it is true.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from msgspec import Meta

from nasbench_ws.errors import ResultError
from nasbench_ws.rankers.cost import readout_modes
from nasbench_ws.rankers.plan import Part, Plan
from nasbench_ws.results.checked import checked

Count = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(ge=0, le=1e15)]
Fractions = list[Annotated[float, Meta(ge=0, le=1)] | None]
Losses = list[Annotated[float, Meta(ge=0)] | None]
Matrix = list[list[Annotated[float, Meta(ge=-1.001, le=1.001)] | None]]  # changes of fractions, cosines; rounded


@dataclass(frozen=True)
class _Scores:
    accuracy: Fractions
    loss: Losses


@dataclass(frozen=True)
class _Readouts:
    average: dict[str, Fractions] = field(default_factory=dict)
    fine_tune: dict[str, dict[str, Fractions]] = field(default_factory=dict)
    interference: Matrix = field(default_factory=list)
    gradient_cosine: Matrix = field(default_factory=list)


@dataclass(frozen=True)
class _Kept:
    """A part's JSON, as `part.run_part` gives it."""

    children: tuple[Count, ...]
    seed: Count
    diverged_at: Count | None
    steps: Count
    child_updates: Count
    images: Count
    macs: Count
    train_seconds: Seconds
    seconds: Seconds
    weight_bytes: Count
    parameters: Count
    scores: dict[str, _Scores]
    window: dict[str, list[Fractions]]  # by mode, then step
    window_trained: list[list[Count]]
    readouts: _Readouts
    trained: dict[str, Count]
    device: str
    sequence_digest: str
    cpu_seconds: Seconds | None = None  # pieces of older versions have none
    own_scores: list[float | None] | None = None  # of a trainer that has `score`
    points: dict[str, list[Fractions]] = field(default_factory=dict)  # by mode, where they are asked for


@dataclass(frozen=True)
class _Scored:
    """The JSON of a ranker of one method."""

    scores: list[float | None]
    seconds: Seconds = 0.0
    cpu_seconds: Seconds | None = None


def check_part(outcome: Mapping[str, Any], part: Part, names: Sequence[str], seed: int, plan: Plan) -> None:
    """ResultError where that is not what the part's super-net can have given.

    Args:
        outcome: what was kept.
        part: what is asked for.
        names: of its children.
        seed: of the instance.
        plan: how it is trained and read.
    """
    problem = next(_contradictions(checked(outcome, _Kept), part, names, seed, plan), None)
    if problem is not None:
        raise ResultError(problem)


def check_scores(outcome: Mapping[str, Any], children: int) -> None:
    """ResultError where that is no ranking of so many children."""
    count = len(checked(outcome, _Scored).scores)
    if count != children:
        raise ResultError(f"scores are of {count} children, not of {children}")


def _contradictions(kept: _Kept, part: Part, names: Sequence[str], seed: int, plan: Plan) -> Iterator[str]:
    count = len(part.children)
    if kept.children != part.children:
        yield f"children are {list(kept.children)!r:.60}, and this part's {list(part.children)!r:.60}, in that order"
    for name, there, here in (("seed", kept.seed, seed), ("steps", kept.steps, part.steps)):
        if there != here:
            yield f"{name} is {there}, and this part's {here}"
    if kept.diverged_at is not None and not 1 <= kept.diverged_at <= part.steps:
        yield f"diverged_at is {kept.diverged_at}; it must be a step, 1 to {part.steps}"
    if set(kept.trained) != set(names):
        yield f"trained names {', '.join(kept.trained) or 'nobody':.60}, and this part has {', '.join(names):.60}"
    elif sum(kept.trained.values()) != kept.child_updates:
        yield f"trained adds up to {sum(kept.trained.values())} updates, and child_updates is {kept.child_updates}"
    if set(kept.scores) != set(plan.batch_norm):
        yield f"scores are of {', '.join(kept.scores)}, and the plan's modes are {', '.join(plan.batch_norm)}"
    rows = [(f"scores.{mode}.{what}", getattr(one, what)) for mode, one in kept.scores.items() for what in _BOTH]
    rows += [(f"readouts.average.{mode}", row) for mode, row in kept.readouts.average.items()]
    for mode, by_steps in kept.readouts.fine_tune.items():
        rows += [(f"readouts.fine_tune.{mode}.{steps}", row) for steps, row in by_steps.items()]
    for name in ("interference", "gradient_cosine"):
        matrix = getattr(kept.readouts, name)
        rows += [(f"readouts.{name}", row) for row in matrix]
        if plan.interference and kept.diverged_at is None and len(matrix) != count:
            yield f"readouts.{name} has {len(matrix)} rows, and the part {count} children"
    rows += [(f"window.{mode}", row) for mode, steps in kept.window.items() for row in steps]
    rows += [(f"points.{mode}", row) for mode, points in kept.points.items() for row in points]
    asked = dict.fromkeys(plan.batch_norm, len(plan.points)) if plan.score_every else {}
    if {mode: len(points) for mode, points in kept.points.items()} != asked:
        yield f"points are not the {len(plan.points)} of the plan, under each of its modes"
    if kept.own_scores is not None:
        rows.append(("own_scores", kept.own_scores))
    for name, row in rows:
        if len(row) != count:
            yield f"{name} is of {len(row)} children, and the part of {count}"
        if name.startswith("scores.") and kept.diverged_at is None and None in row:
            yield f"{name} lacks a number, and diverged_at is null"
    if plan.average and set(kept.readouts.average) != set(plan.batch_norm):
        yield f"readouts.average is of {', '.join(kept.readouts.average) or 'no mode'}, not of the plan's modes"
    if plan.fine_tune and kept.diverged_at is None:
        wanted = {mode: {str(steps) for steps in plan.fine_tune} for mode in readout_modes(plan)}
        if {mode: set(by_steps) for mode, by_steps in kept.readouts.fine_tune.items()} != wanted:
            yield "readouts.fine_tune is not of the plan's modes and steps"
    if plan.last and kept.diverged_at is None and set(kept.window) != set(readout_modes(plan)):
        yield f"window is of {', '.join(kept.window) or 'no mode'}, not of {', '.join(readout_modes(plan))}"
    for mode, steps in kept.window.items():
        if kept.diverged_at is None and len(steps) != plan.last:
            yield f"window.{mode} has {len(steps)} steps, and the plan's last are {plan.last}"
    ended = kept.diverged_at is None or len(kept.window_trained) > plan.last  # before that, a trainer chose no more
    if (ended and len(kept.window_trained) != plan.last) or not {n for step in kept.window_trained for n in step} <= {
        *part.children
    }:
        yield f"window_trained is not of {plan.last} steps and this part's children"


_BOTH = ("accuracy", "loss")
