"""What was trained and scored, whatever table it is measured against: the part of a result that can be joined.

    outcome = Outcome(strategy="full", children=hashes, seeds=(0, 1), scores={"running": scores}, ...)
    outcome.own, outcome.batch_norm          # the scores (instances, children) that are the result's own

Not here: what the scores are worth (assessment.py), and files (schema.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np

from nasbench_ws.cost import Cost
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.metrics.prior import Regime
from nasbench_ws.training.batch_norm import is_mode

Trained: TypeAlias = "tuple[tuple[tuple[tuple[int, ...], ...], ...], ...]"  # by instance, super-net and step


@dataclass(frozen=True)
class Window:
    """Scores after each of the last k steps, and which children each of these steps trained."""

    scores: Array  # (instances, k, children), under the result's own mode of batch norm
    trained: Trained
    others: Mapping[str, Array] = field(default_factory=dict)  # under other modes; none in files of older versions


@dataclass(frozen=True)
class Changes:
    """How training one child of a super-net changed all of its children. Rows: trained, columns: scored."""

    children: tuple[int, ...]  # of the super-net, by number
    interference: Array  # (children, children) change of accuracy, a fraction
    gradient_cosine: Array  # (children, children)


@dataclass(frozen=True)
class Readouts:
    """Other ways to read scores off the same weights; empty where not asked for, or where an instance diverged."""

    average: Mapping[str, Array] = field(default_factory=dict)  # of averaged weights, by batch norm mode
    fine_tune: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)  # by mode, then by steps
    interference: tuple[tuple[Changes, ...], ...] = ()  # by instance and super-net
    other: Mapping[str, Array] = field(default_factory=dict)  # what else a ranker reads off, by its name


@dataclass(frozen=True)
class Divergence:
    """A super-net whose loss or scores stopped being finite."""

    seed: int
    children: tuple[int, ...]
    step: int


LONGEST_CODE = 65_536  # characters of a source that a result keeps
MOST_HELPERS = 1000  # files whose digests it keeps


@dataclass(frozen=True)
class Code:
    """The user's own code that ranked: `sha256` is of the whole source, `text` its first LONGEST_CODE characters."""

    name: str  # of its file, without folders, or of the class or function where there is no file
    text: str
    sha256: str
    characters: int  # of the whole
    helpers: Mapping[str, str] = field(default_factory=dict)  # SHA-256 of further files that it imports, by name

    @property
    def whole(self) -> bool:
        return len(self.text) == self.characters


@dataclass(frozen=True, eq=False)
class Outcome:
    """The instances of one evaluation, before any table. Arrays are (instances, children), NaN where it diverged."""

    strategy: str
    children: tuple[str, ...]  # hashes, in the order of the scores
    seeds: tuple[int, ...]  # of the instances
    scores: Mapping[str, Array]  # by batch norm mode, "" where there is none; the first is the result's own
    cost: Cost  # mean of an instance
    match: str  # what is equal to other evaluations of as many steps
    plan: Mapping[str, Any]  # all that the ranker was asked for, as its JSON
    recipe: Mapping[str, Any]  # as its JSON: a recipe of an older version keeps its keys
    window: Window | None = None
    readouts: Readouts = field(default_factory=Readouts)
    diverged: tuple[Divergence, ...] = ()
    trained: tuple[Mapping[str, int], ...] = ()  # by instance: how often each child was trained
    versions: Mapping[str, str] = field(default_factory=dict)  # of libraries, by name
    device: str | None = None  # processors and path that computed; None in files written before it was kept
    trace: Mapping[str, Array] = field(default_factory=dict)  # on the way, by name: (instances, points, ...)
    code: Code | None = None  # None: what is built in, and files written before it was kept
    images_digest: str | None = None  # of those that were looked at; None: of none, and in files of older versions

    def among(self, places: Sequence[int] | None) -> Outcome:
        """Of these children alone; None: of all. Interference, which is of pairs, is left out."""
        if places is None:
            return self
        chosen = list(places)

        def some(by_name: Mapping[str, Array]) -> dict[str, Array]:
            return {name: scores[..., chosen] for name, scores in by_name.items()}

        window, read = self.window, self.readouts
        return replace(
            self,
            children=tuple(self.children[place] for place in chosen),
            scores=some(self.scores),
            window=None if window is None else Window(
                window.scores[..., chosen], _renumbered(window.trained, chosen), some(window.others)
            ),
            readouts=Readouts(
                some(read.average), {mode: some(one) for mode, one in read.fine_tune.items()}, (), some(read.other)
            ),
        )

    @property
    def instances(self) -> int:
        return len(self.seeds)

    @property
    def batch_norm(self) -> str:
        """The mode of the result's own scores."""
        return next(iter(self.scores))

    @property
    def accuracies(self) -> bool:
        """Are the result's own scores accuracies in a super-net, and not what a proxy or another readout gives?"""
        return is_mode(self.batch_norm)

    @property
    def own_way(self) -> bool:
        """Was the super-net trained in a way of its own (rankers/trained.py), not by a schedule of children?"""
        return "readouts" in self.plan

    @property
    def regime(self) -> Regime:
        """What decides how much its instances differ."""
        return Regime(own_way=self.own_way, steps=self.steps)

    @property
    def own(self) -> Array:
        """The result's own scores, (instances, children)."""
        return self.scores[self.batch_norm]

    @property
    def others(self) -> dict[str, Array]:
        """Scores under the other modes of batch norm."""
        return {mode: scores for mode, scores in self.scores.items() if mode != self.batch_norm}

    @property
    def usable(self) -> list[bool]:
        """By instance: does any child have a score?"""
        return [bool(np.isfinite(row).any()) for row in self.own]

    @property
    def steps(self) -> int:
        """Of one super-net that shares everything, as planned; 0 where nothing is trained."""
        return int(self.plan["steps"])

    @property
    def schedule(self) -> str:
        """Which child trains when; "" where nothing is trained."""
        return str(self.plan["schedule"])

    @property
    def last(self) -> int:
        """k of the window."""
        return int(self.plan["last"])

    @property
    def end_lr(self) -> float:
        """Learning rate of the last step, as a share of the peak; NaN where nothing is trained."""
        asked = self.plan.get("end_lr")
        if asked is not None:
            return float(asked)
        return float(self.recipe.get("lr_final", 0.0)) / float(self.recipe.get("lr", math.nan))

    @property
    def valid_images(self) -> int:
        """Validation images that it was scored on, the first; 0 for all."""
        return int(self.plan.get("valid_images", 0))

    @property
    def quick(self) -> bool:
        """Was it a quick look, which is never compared?"""
        return bool(self.plan.get("quick", False))

    @property
    def inactive(self) -> str:
        """What became of weights that a step did not use."""
        return str(self.recipe.get("inactive", "frozen"))


def _renumbered(trained: Trained, places: Sequence[int]) -> Trained:
    """By their numbers among these children; what trained none of them stays, as a step of nobody."""
    number = {place: i for i, place in enumerate(places)}
    return tuple(
        tuple(tuple(tuple(number[n] for n in step if n in number) for step in part) for part in instance)
        for instance in trained
    )
