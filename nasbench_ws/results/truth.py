"""What the yardstick needs of a table, whoever made it: no recipe, no network, no files.

A `Table` is one; so is anything that has these. Scores are measured against `truth`, and intervals and ceilings come
from `by_seed`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nasbench_ws.errors import UsageError
from nasbench_ws.space.cell import Architecture, Space
from nasbench_ws.tables.over_seeds import mean_over, spelled
from nasbench_ws.tables.table import Table


class GroundTruth(Protocol):
    """Accuracies of every child of a space, trained alone. Children are in the order of the space."""

    name: str
    digest: str  # identity of its contents
    space: Space
    seeds: NDArray[np.int64]

    @property
    def truth(self) -> NDArray[np.float64]:
        """(n,) mean over seeds of what is ground truth, test accuracy if not others had another. TableError where a
        child has none.
        """

    def by_seed(self, name: str, epoch: float | None = None) -> NDArray[np.float64]:
        """(n, seeds) of "truth" or another column, at the last epoch or the one given; NaN where missing."""

    def column(self, name: str) -> NDArray[Any]:
        """(n,) of "params" (trainable parameters), "macs" (multiply-adds of one image's forward pass), or "truth", as
        the property, but NaN where a child has none. UsageError where the table does not know it.
        """

    def __len__(self) -> int: ...


class Without:
    """A ground truth that leaves out the seeds in some places: those that a ranking was made with."""

    def __init__(self, whole: GroundTruth, places: Sequence[int]) -> None:
        left = [place for place in range(len(whole.seeds)) if place not in places]
        if not left:
            raise UsageError(
                f"the ranking was made with all {len(whole.seeds)} seeds of {whole.name}, which leaves none to measure "
                "it against; ask for fewer instances"
            )
        self._whole, self._left = whole, left
        self.seeds = whole.seeds[left]
        self.space, self.digest, self.foreign = whole.space, whole.digest, getattr(whole, "foreign", False)
        seeds = ", ".join(str(whole.seeds[place]) for place in places)
        self.name = f"{whole.name} without seed{'s' if len(places) > 1 else ''} {seeds}"
        if isinstance(whole, Among):
            self.places = whole.places

    @property
    def truth(self) -> NDArray[np.float64]:
        """(n,) mean test accuracy over the seeds that are left."""
        _ = self._whole.truth  # which refuses a table that lacks runs
        means = _means(self.by_seed("truth"))
        if np.isnan(means).any():
            names = [child.name for child, mean in zip(children_of(self), means, strict=True) if np.isnan(mean)]
            raise UsageError(
                f"{self.name} has no seed to measure {', '.join(names[:3])}{', ...' * (len(names) > 3)} by; build "
                "another for each of these"
            )
        return means

    def by_seed(self, name: str, epoch: float | None = None) -> NDArray[np.float64]:
        """As of the whole, of the seeds that are left."""
        return self._whole.by_seed(name, epoch)[:, self._left]

    def column(self, name: str) -> NDArray[Any]:
        """As of the whole."""
        return self._whole.column(name)

    def __len__(self) -> int:
        return len(self._whole)


def whole_of(truth: GroundTruth) -> GroundTruth:
    """What some children or seeds are of, or the ground truth itself."""
    while isinstance(truth, Among | Without):
        truth = truth._whole
    return truth


class Among:
    """A ground truth of some children alone, which need not have every run: those at these places of the whole.

    >>> from nasbench_ws import load
    >>> best = Among.top(load("fashion14"), 0.25)
    >>> len(best), best.name
    (16, '16 of 64 children of fashion14')
    """

    def __init__(self, whole: GroundTruth, places: Sequence[int]) -> None:
        self.places = sorted(set(places))
        if len(self.places) < 2:
            count = "1 child" if self.places else "no child"
            raise UsageError(f"{count} of {whole.name} makes no ranking; name 2 or more")
        self._whole = whole
        self.seeds, self.space, self.digest = whole.seeds, whole.space, whole.digest
        if len(self.places) < len(whole):  # numbers of one part say nothing of those of another
            self.digest = hashlib.sha256(f"{whole.digest} {self.places}".encode()).hexdigest()
        self.foreign = getattr(whole, "foreign", False)
        self.name = f"{len(self.places)} of {len(whole)} children of {whole.name}"

    @classmethod
    def top(cls, whole: GroundTruth, fraction: float) -> Among:
        """The best by ground truth: that part of the children, rounded, of those that have every run."""
        if not 0 < fraction <= 1:
            raise UsageError(f"the top {fraction:g} of the children: give a part in (0, 1], as 0.25")
        counted = places_of(once(whole))
        known = [place for place in cls.known(whole).places if counted is None or place in counted]
        means = whole.column("truth")[known]
        count = round(fraction * (len(whole) if counted is None else len(counted)))
        return cls(whole, [known[i] for i in np.argsort(-means, kind="stable")[:count]])

    @classmethod
    def known(cls, whole: GroundTruth) -> Among:
        """The children without a missing or diverged run; of a table that others made, those with a run."""
        return cls(whole, np.flatnonzero(np.isfinite(whole.column("truth"))).tolist())

    @classmethod
    def unique(cls, whole: GroundTruth) -> Among:
        """Of children that compute the same, the first. UsageError where the table does not mark them."""
        return cls(whole, np.unique(whole.column("isomorph")[cls.known(whole).places]).tolist())

    @property
    def truth(self) -> NDArray[np.float64]:
        """(children,) mean test accuracy over seeds. UsageError where one of these lacks a run."""
        # The whole's means, to the last bit: a sum in another order would part children that tie.
        truth: NDArray[np.float64] = self._whole.column("truth")[self.places]
        lacking = [self.space[self.places[i]].name for i in np.flatnonzero(np.isnan(truth))]
        if lacking:
            raise UsageError(
                f"{self._whole.name} lacks runs of {', '.join(lacking[:5])}{', ...' * (len(lacking) > 5)}; leave them "
                "out, as --allow-missing does"
            )
        return truth

    def by_seed(self, name: str, epoch: float | None = None) -> NDArray[np.float64]:
        """(children, seeds)."""
        return self._whole.by_seed(name, epoch)[self.places]

    def column(self, name: str) -> NDArray[Any]:
        """(children,)."""
        values: NDArray[Any] = self._whole.column(name)[self.places]
        return values

    def __len__(self) -> int:
        return len(self.places)


class Once(Among):
    """A ground truth of every network once: of children that are one network and were trained once, the first.

    It has the table's own name and digest, for it is all that the table knows.
    """

    def __init__(self, whole: Table) -> None:
        super().__init__(whole, np.flatnonzero(whole.firsts).tolist())
        self.name, self.digest, self.recipe = whole.name, whole.digest, whole.recipe

    @property
    def truth(self) -> NDArray[np.float64]:
        """(networks,) mean test accuracy over seeds. TableError where the table lacks runs."""
        _ = self._whole.truth
        return super().truth


def once(table: GroundTruth) -> GroundTruth:
    """What counts of a table: `Once` where children are the same network, else the table itself.

    Where others trained such children apart (`nasbench201-*`), each counts, as their field has it.
    """
    return table if not isinstance(table, Table) or table.firsts.all() else Once(table)


def children_of(table: GroundTruth) -> list[Architecture]:
    """The children that it has a truth of, in the order of its columns."""
    places = places_of(table)
    return list(table.space) if places is None else [table.space[place] for place in places]


def places_of(table: GroundTruth) -> list[int] | None:
    """Where these are in the space; None where that is all of it."""
    places = getattr(table, "places", None)
    return None if places is None or len(places) == len(table.space) else list(places)


def judged(table: Table, allow_missing: bool) -> GroundTruth:
    """What scores are measured against: every network of the table, or with `allow_missing` those that lack no run.

    Of a table that others made of a part of a space, the children that it has.
    """
    if table.part is None and not (allow_missing and table.absent()):
        return once(table)
    return Among(table, [place for place in Among.known(table).places if table.firsts[place]])


def sizes(table: GroundTruth, name: str = "params") -> NDArray[np.float64]:
    """(n,) parameters, or multiply-adds. All 1 in a table that does not know them: equal sizes explain nothing."""
    try:
        return table.column(name).astype(np.float64)
    except UsageError:
        return np.ones(len(table))


def seeds_each(table: GroundTruth) -> str:
    """How many seeds a child has, as `10` or `10 to 27`; of a table that others made, how many at most."""
    whole = whole_of(table)
    if not isinstance(whole, Table):
        return str(len(table.seeds))
    planned = whole.planned[:, np.isin(whole.seeds, table.seeds)]
    counts = planned.sum(axis=1)[getattr(table, "places", slice(None))]
    return spelled(counts)


def _means(runs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over the seeds that a child has."""
    if not np.isnan(runs).any():
        return np.asarray(runs.mean(axis=1))
    return mean_over(runs, np.isfinite(runs))
