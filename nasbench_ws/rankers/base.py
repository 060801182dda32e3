"""Whatever scores every child of a space, under one protocol: super-nets, counts, proxies, files.

    class Synflow:                                  # the shortest ranker: one method
        name = "synflow"

        def score(self, problem, images, seed):     # (n,) scores in the order of problem.children, higher is better
            return [synflow(child, images) for child in problem.children]

    evaluate(Synflow(), table)

A ranker with more to say has the methods of `Ranker`. None of them is given a table, nor test images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from nasbench_ws.cost import NOTHING, Cost
from nasbench_ws.errors import StrategyError
from nasbench_ws.images.dataset import Images
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.results.outcome import Divergence, Readouts, Window
from nasbench_ws.space.problem import Problem

OnStep = Callable[[float], None]


@dataclass(frozen=True)
class Piece:
    """One task of a worker: a part of one instance. It travels, so it is small and can be pickled."""

    seed: int  # of the instance
    number: int  # among the pieces of that instance
    work: Any = None  # what the ranker needs to know of it, as JSON has it or as a dataclass
    size: float = 0.0  # in training steps of one child, as `on_step` reports them; 0: not worth a process
    macs: float = 0.0  # multiply-adds of its forward passes, for the estimate of time


@dataclass(frozen=True)
class Ranking:
    """What came of one instance."""

    scores: Mapping[str, Any]  # (n,) by batch norm mode, or under "" alone; NaN for a child whose training diverged
    cost: Cost = NOTHING
    window: Window | None = None  # of this one instance, as are the readouts: arrays (1, ...)
    readouts: Readouts = field(default_factory=Readouts)
    diverged: tuple[Divergence, ...] = ()
    trained: Mapping[str, int] = field(default_factory=dict)  # how often each child was trained, by its name
    trace: Mapping[str, Array] = field(default_factory=dict)  # as an outcome's, of this one instance: (1, points, ...)


@runtime_checkable
class Ranker(Protocol):
    """How children get scores.

    `name` is what a result calls it, `plan` all that it was asked for as JSON, with `steps` (of one super-net that
    shares everything; 0 where nothing is trained), `schedule` ("" likewise) and `last`; `recipe` how it trains, as
    JSON; `match` what is equal between evaluations of as many steps, "" where nothing is trained. `splits` are the
    images it looks at, of "train" and "valid"; () where it looks at none. One that has `valid_images` gets the first
    so many validation images; 0: all.
    """

    @property
    def name(self) -> str: ...

    @property
    def match(self) -> str: ...

    @property
    def splits(self) -> tuple[str, ...]: ...

    @property
    def recipe(self) -> Mapping[str, Any]: ...

    def plan(self, problem: Problem, images: Images | None) -> Mapping[str, Any]: ...

    def instances(self) -> int | None:
        """How many rankings it can give: 1 where no seed changes any number; None: as many as one likes."""

    def sources(self) -> Sequence[Any]:
        """Its own code, as names such as `FILE.py:NAME` or as objects: work is kept only for the very same code."""

    def check(self, problem: Problem, images: Images | None, seeds: Sequence[int]) -> None:
        """Raise now what would otherwise be raised after hours."""

    def tasks(self, problem: Problem, images: Images | None, seeds: Sequence[int]) -> Sequence[Piece]:
        """The pieces of all instances."""

    def run(self, piece: Piece, problem: Problem, images: Images | None, on_step: OnStep) -> Mapping[str, Any]:
        """One piece, in a worker: a JSON object. `on_step(done)` reports how much of the piece's size is done."""

    def gather(self, problem: Problem, outcomes: Sequence[Mapping[str, Any]]) -> Ranking:
        """The pieces of one instance, in order, together."""

    # One that also has `check_kept(piece, problem, outcome)` is asked it of every piece that is read from a file, and
    # raises ResultError for what `run` cannot have given.


def merged(ranker: str, children: int, pieces: Sequence[tuple[Sequence[int], Any]]) -> Array:
    """(..., n) from (numbers of children, (..., that many) values) of each piece. StrategyError unless each has one.

    None, which stands for NaN in JSON, becomes NaN.
    """
    times = np.zeros(children, dtype=int)
    for numbers, _ in pieces:
        np.add.at(times, np.asarray(numbers, dtype=int), 1)
    if (times != 1).any():
        child = int(np.flatnonzero(times != 1)[0])
        raise StrategyError(
            f"{ranker} gave child {child} {times[child]} scores, and {int((times != 1).sum())} of {children} children "
            "have none or several; every child needs exactly one: delete the folder of kept parts, and check the "
            "strategy with nasbench_ws.testing"
        )
    shape = np.asarray(pieces[0][1], dtype=np.float64).shape[:-1]
    whole = np.full((*shape, children), np.nan)
    for numbers, values in pieces:
        whole[..., list(numbers)] = np.asarray(values, dtype=np.float64)
    return whole


def checked_scores(ranker: str, scores: Any, children: int) -> Array:
    """(n,) scores as an array. StrategyError names the shape where they are not one for each child."""
    try:
        array = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError):
        raise StrategyError(f"{ranker} gave {scores!r:.60}; a ranking is a list of {children} numbers") from None
    if array.shape != (children,):
        raise StrategyError(
            f"{ranker} gave scores of shape {array.shape}; a ranking of this space has shape ({children},)"
        )
    return array
