"""What a search asks a table: an answer with its price, and a truth that it is never shown.

    oracle = Oracle.of(load("fashion14"), Rules(unit="epochs"))
    world = World(oracle, seed=0)
    world("434").valid_accuracy          # one run's; asking again shows another seed
    world("434", epochs=3).cost

An `Oracle` is a table as arrays, so that it travels to a worker; a `World` is one repetition of it: for each child an
order of the table's runs, drawn from the repetition's number alone, so that all searchers meet the same worlds. What is
ground truth is kept for the judge: no answer holds a test accuracy. In a table that others made, whose truth may be
validation accuracy, searchers see one seed's and are judged by the others'. Not here: who asks (searcher.py), the loop
(run.py), prices (costs.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from nasbench_ws.errors import SearcherError, TableError, UsageError, near_misses
from nasbench_ws.search.costs import BACKWARD, Unit, costs, train_images
from nasbench_ws.seeds import derive
from nasbench_ws.space.cell import ArchitectureLike, Space
from nasbench_ws.tables.columns import NO_RUN
from nasbench_ws.tables.over_seeds import mean_over
from nasbench_ws.tables.table import Table

Array = NDArray[np.float64]
Signal = Literal["valid_accuracy", "valid_loss", "train_loss"]


@dataclass(frozen=True)
class Rules:
    """How a search is charged and judged.

    Args:
        unit: of costs and budget. evaluations: full trainings; epochs: passes over the training images; macs:
            multiply-adds of training, forward and backward; seconds: a line fitted to each child's fastest run
            against its multiply-adds, because stored times hold whatever else the machine did; in a table that others
            made, the seconds that they give.
        budget: in that unit; None: 64 mean evaluations.
        noise: seed: every observation is one run's; mean: the mean over seeds, a world without noise.
        repeats: fresh: asking again is paid and shows the next seed; cached: it is free and shows the same.
        signal: what a searcher sees of a run; losses with their sign changed, so that higher is better.
        incumbent: best: the child of the highest single observation; mean: of the highest mean of its observations,
            one prior observation at the mean of all among them.
        truth: held-out: an incumbent is judged on test accuracies of seeds it was not observed with (of all, where all
            were); all: on every seed's, as most papers do, which flatters by the noise that validation and test share.
        limit: multiply-adds of one image that a choice may have at most; None: any. Dearer children may be trained, and
            are paid for, and are nobody's choice; regret is against the best child within the limit.
    """

    unit: Unit = "evaluations"
    budget: float | None = None
    noise: Literal["seed", "mean"] = "seed"
    repeats: Literal["fresh", "cached"] = "fresh"
    signal: Signal = "valid_accuracy"
    incumbent: Literal["best", "mean"] = "best"
    truth: Literal["held-out", "all"] = "held-out"
    limit: float | None = None

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(type(self)).items():
            allowed, value = get_args(kind), getattr(self, name)
            if get_origin(kind) is Literal and value not in allowed:
                raise UsageError(
                    f"{name} is {value!r}{near_misses(str(value), allowed)}; it is one of {', '.join(allowed)}"
                )
        if self.budget is not None and not (math.isfinite(self.budget) and self.budget > 0):
            raise UsageError(f"a budget of {self.budget} {self.unit} buys nothing; give a positive number")
        if self.limit is not None and not (math.isfinite(self.limit) and self.limit > 0):
            raise UsageError(f"a limit of {self.limit} multiply-adds leaves no child; give a positive number, or none")


class Seen(NamedTuple):
    """What a trial showed; never a test accuracy. NaN throughout where the run diverged or does not exist."""

    signal: float  # higher is better
    valid_accuracy: float
    valid_loss: float
    train_loss: float
    curve: Array  # the signal at every point up to the asked epoch
    cost: float  # charged for this trial
    params: int
    macs: int


@dataclass(frozen=True)
class Oracle:
    """n children, S runs of each that can be shown, E points of their curves, T runs that judge."""

    space: Space
    name: str
    digest: str
    rules: Rules
    epochs: Array  # (E,)
    shown: dict[str, Array]  # signal, valid_accuracy, valid_loss, train_loss: (n, S, E)
    exists: NDArray[np.bool_]  # (n, S)
    test: Array  # (n, T)
    cost: Array  # (n, E)
    evaluation: float  # mean cost of a full training
    evaluation_macs: float  # the same in multiply-adds; NaN where the table does not know its images
    params: NDArray[np.int64]
    macs: NDArray[np.int64]  # parameters where the table does not know multiply-adds, and 1 where neither
    one_run: bool = False  # a repetition shows one run of all children: a super-net's instance
    start: Array = field(default_factory=lambda: np.zeros(1))  # (1,) or (S,): what a repetition pays at first
    truth_name: str = "test_accuracy"  # what judges
    first: tuple[int, ...] | None = None  # by child: the first that is the same network; None: each is its own
    sizes: Literal["macs", "params"] = "macs"  # what `macs` are

    @classmethod
    def of(cls, table: Table, rules: Rules | None = None) -> Oracle:
        """A table under `rules`. TableError without ground truth, UsageError without signals, or what costs need.

        Args:
            table: whose runs are shown.
            rules: what is shown, what it costs, and what counts as truth; None: the defaults.
        """
        rules = Rules() if rules is None else rules
        if not table.has(rules.signal):
            known = [name for name in get_args(Signal) if table.has(name)]
            raise UsageError(
                f"{table.name} does not know {rules.signal}, the signal that searchers are to see; it has "
                f"{', '.join(known) or 'none of the signals, so that there is nothing to search by'}"
            )
        columns = {name: table.curves(name) for name in get_args(Signal)}
        signal = columns[rules.signal] * (1.0 if rules.signal.endswith("accuracy") else -1.0)
        shown = {"signal": signal, **columns}
        exists: NDArray[np.bool_] = ~np.isin(table.status, NO_RUN)
        if rules.noise == "mean":
            shown = {name: _mean(values, 1)[:, None] for name, values in shown.items()}
            exists = np.asarray(exists.any(axis=1, keepdims=True))
        test = table.by_seed("truth")
        if not np.isfinite(test).any():
            what = table.truth_name.replace("_", " ")
            raise TableError(f"{table.name} has no {what}, so that nothing can be judged; take another table")
        params = _sizes(table, "params", np.ones(len(table), np.int64))
        macs = _sizes(table, "macs", params)
        if rules.limit is not None:
            _check_limit(table, rules.limit)
        cost, images = costs(table, rules.unit), train_images(table)
        whole = float(table.epochs[-1]) * images * BACKWARD * float(macs.mean())
        oracle = cls(
            table.space, table.name, table.digest, rules, table.epochs, shown, exists, test, cost,
            float(cost[:, -1].mean()), whole, params, macs, truth_name=table.truth_name,
            first=None if table.firsts.all() else tuple(table.column("isomorph").tolist()),
            sizes="macs" if table.has("macs") else "params",
        )  # fmt: skip
        choices = int((table.firsts & oracle.allowed & np.isfinite(oracle.truth)).sum())
        if choices < 2:
            raise UsageError(
                f"{table.name} has {'one network' if choices else 'no network'} to choose, by its rows and the limit; "
                "a search needs two or more"
            )
        return oracle

    @property
    def budget(self) -> float:
        return 64 * self.evaluation if self.rules.budget is None else float(self.rules.budget)

    @cached_property
    def truth(self) -> Array:
        """(n,) mean test accuracy over the seeds there are; NaN where there is none."""
        return _mean(self.test, 1)

    @cached_property
    def allowed(self) -> NDArray[np.bool_]:
        """(n,) which children may be chosen: those within the limit."""
        limit = math.inf if self.rules.limit is None else self.rules.limit
        allowed: NDArray[np.bool_] = self.macs <= limit
        return allowed

    @cached_property
    def best(self) -> float:
        """Truth of the best child that may be chosen."""
        return float(np.nanmax(self.truth[self.allowed]))

    @cached_property
    def valid(self) -> Array:
        """(n,) mean of what full trainings show."""
        return _mean(self.shown["signal"][:, :, -1], 1)

    @cached_property
    def counts(self) -> list[int]:
        """Runs that can be shown, of each child; 1 where there is none, which is shown as NaN."""
        counts: list[int] = np.maximum(self.exists.sum(axis=1), 1).tolist()
        return counts

    @cached_property
    def prices(self) -> list[list[float]]:
        prices: list[list[float]] = self.cost.tolist()  # far quicker to look into
        return prices

    @cached_property
    def points(self) -> dict[float | None, int]:
        return {None: len(self.epochs) - 1} | {float(epoch): i for i, epoch in enumerate(self.epochs)}

    def point(self, epochs: float | None) -> int:
        """Where on the curve `epochs` are; None: at its end."""
        place = self.points.get(epochs)
        if place is None:
            raise SearcherError(
                f"epochs={epochs!r} were asked of {self.name}; recorded are {', '.join(f'{x:g}' for x in self.epochs)}"
            )
        return place


class World:
    """One repetition: which run of a child is shown first, second and so on; from the last on again.

    A network that was asked for under another name is the same network: its runs go on, and what was paid is paid.
    Runs that the table is missing come last and are not shown: they say nothing about training. A run that diverged
    is shown as NaN, a child without any run too, and both are charged.

    Args:
        table: a Table, with `rules` as keywords, or an Oracle.
        seed: the repetition.
    """

    def __init__(self, table: Table | Oracle, seed: int = 0, **rules: Any) -> None:
        self.oracle = oracle = table if isinstance(table, Oracle) else Oracle.of(table, Rules(**rules))
        self._draws = np.random.default_rng(derive("world", seed)).random(oracle.exists.shape)
        self._draws[~oracle.exists] = 2.0
        self.instance = seed % oracle.exists.shape[1] if oracle.one_run else None  # of a super-net
        self._orders: dict[int, list[int]] = {}
        self._known = {name: oracle.shown[name] for name in ("signal", *get_args(Signal))}
        self._cached = oracle.rules.repeats == "cached"
        self._held_out = oracle.rules.truth == "held-out" and oracle.rules.noise == "seed" and not oracle.one_run
        self._params, self._macs = oracle.params, oracle.macs
        self.visits: dict[int, int] = {}  # child: trials that began a run of it
        self.trials: list[tuple[int, int, int]] = []  # child, run, point
        self._paid: dict[int, float] = {}  # child: what it has cost, where repeats are cached
        self.started = float(oracle.start[seed % len(oracle.start)])

    def __call__(self, arch: ArchitectureLike, epochs: float | None = None, resume: int | None = None) -> Seen:
        """Train a child, by any of its names, up to `epochs`; the number of the trial is `len(world.trials) - 1`."""
        child, point = self.network(self.oracle.space.architecture(arch).index), self.oracle.point(epochs)
        return self.show(child, point, resume, self.price(child, point, resume))

    def network(self, child: int) -> int:
        """The first child that is the same network."""
        return child if self.oracle.first is None else self.oracle.first[child]

    def price(self, child: int, point: int, resume: int | None = None) -> float:
        """What that would cost. SearcherError where it carries on what cannot be.

        Args:
            child: its number.
            point: place among the recorded epochs.
            resume: a trial to carry on; None: a new run.
        """
        child = self.network(child)
        price = self.oracle.prices[child][point]
        if resume is not None:
            there = isinstance(resume, int) and 0 <= resume < len(self.trials)
            before = self.trials[resume] if there else None
            if before is None or before[0] != child or before[2] > point:
                what = "does not exist" if before is None else f"is of child {before[0]} up to point {before[2]}"
                raise SearcherError(
                    f"trial {resume}, to be carried on for child {child} up to point {point} of its curve, {what}; "
                    "carry on an earlier trial of the same child"
                )
            price -= self.oracle.prices[child][before[2]]
        return max(0.0, price - self._paid.get(child, 0.0)) if self._cached else price

    def show(self, child: int, point: int, resume: int | None, cost: float) -> Seen:
        """The trial itself, for a price that `price` said.

        Args:
            child: its number.
            point: place among the recorded epochs.
            resume: a trial to carry on; None: a new run.
            cost: as `price` says.
        """
        child = self.network(child)
        if resume is not None:
            run = self.trials[resume][1]
        else:
            visit = self.visits.get(child, 0)
            run = self._order(child)[0 if self._cached else visit % self._count(child)]
            self.visits[child] = visit + 1
        if self._cached:
            self._paid[child] = self._paid.get(child, 0.0) + cost
        self.trials.append((child, run, point))
        known = self._known
        return Seen(
            known["signal"].item(child, run, point), known["valid_accuracy"].item(child, run, point),
            known["valid_loss"].item(child, run, point), known["train_loss"].item(child, run, point),
            known["signal"][child, run, : point + 1], cost, self._params.item(child), self._macs.item(child),
        )  # fmt: skip

    def _order(self, child: int) -> list[int]:
        """The runs as they are shown; sorted when a child is first asked for, since most of a large space never is."""
        order = self._orders.get(child)
        if order is None:
            order = (
                [self.instance] if self.instance is not None else np.argsort(self._draws[child], kind="stable").tolist()
            )
            self._orders[child] = order
        return order

    def _count(self, child: int) -> int:
        return 1 if self.instance is not None else self.oracle.counts[child]

    def truth(self, child: int) -> float:
        """What the child is worth, by the rules; for the judge alone."""
        child = self.network(child)
        shown = min(self.visits.get(child, 0), 1) if self._cached else self.visits.get(child, 0)
        if not self._held_out or not 0 < shown < len(self._order(child)):
            return self.oracle.truth.item(child)
        unseen = self.oracle.test[child, self._order(child)[shown:]]
        mean = float(_mean(unseen, 0))
        return self.oracle.truth.item(child) if math.isnan(mean) else mean


def _check_limit(table: Table, limit: float) -> None:
    """UsageError where a limit leaves nothing to choose, or cannot be held against anything."""
    if not table.has("macs"):
        raise UsageError(f"{table.name} does not know its multiply-adds, so that they have no limit; leave it out")
    macs = table.column("macs")
    least, most = int(macs[macs >= 0].min()), int(macs.max())
    if limit < least:
        raise UsageError(
            f"no child of {table.name} has at most {limit:g} multiply-adds; they have {least:,} to {most:,}"
        )


def _sizes(table: Table, name: str, otherwise: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) params or macs; the median where the table has no row of a child."""
    if not table.has(name):
        return otherwise
    sizes: NDArray[np.int64] = table.column(name)
    return sizes if table.part is None else np.where(sizes < 0, np.int64(np.median(sizes[table.part])), sizes)


def _mean(values: Array, axis: int) -> Array:
    """Over what is not NaN; NaN where nothing is."""
    return mean_over(values, np.isfinite(values), axis)
