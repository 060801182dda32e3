"""What a table makes of an evaluation's scores, as data. Everything here can be computed again by assess.py.

    found.metrics["kendall_tau"].mean, found.baselines["params"]["kendall_tau"].mean, found.verdict

A number that is not known is NaN here and null in JSON. A field with the default None came later than the first
files: it is left out of JSON where it is None, so that an old file is written back as it was.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Annotated

from nasbench_ws.metrics.arithmetic import Array

if TYPE_CHECKING:
    Count = int
    Number = float
    Amount = float
    Fraction = float
    Tau = float
else:  # to msgspec, which checks files: null stands for NaN
    from msgspec import Meta

    Count = Annotated[int, Meta(ge=0)]
    Number = float | None
    Amount = Annotated[float, Meta(ge=0)] | None  # a spread, a cost
    Fraction = Annotated[float, Meta(ge=0, le=1)] | None
    Tau = Annotated[float, Meta(ge=-1 - 1e-9, le=1 + 1e-9)] | None  # rounded
NUMBERS = ("Number", "Amount", "Fraction", "Tau")


class Numbers:
    """Of a dataclass that msgspec reads: null becomes NaN in its fields of NUMBERS, or tuples of them."""

    def __post_init__(self) -> None:
        for one in fields(self):  # type: ignore[arg-type]  # its heirs are dataclasses
            value = getattr(self, one.name)
            if value is None and one.type in NUMBERS:
                object.__setattr__(self, one.name, math.nan)
            elif isinstance(value, tuple) and None in value:
                object.__setattr__(self, one.name, tuple(math.nan if x is None else x for x in value))


@dataclass(frozen=True)
class Figure(Numbers):
    """A metric's mean over n instances or rankings, and where it may lie; NaN with a reason where unknown."""

    mean: Number
    std: Amount
    interval: tuple[Number, Number]
    n: Count
    level: Fraction
    method: str  # which sources of noise the interval counts
    reason: str | None


@dataclass(frozen=True)
class Metric(Figure):
    """With the value of each instance that did not diverge, in order of the seeds."""

    values: tuple[Number, ...]


@dataclass(frozen=True)
class Stability(Numbers):
    """S-Tau: tau-b over all pairs of instances."""

    mean: Tau
    min: Tau
    max: Tau


@dataclass(frozen=True)
class MeanStd(Numbers):
    """GT-Tau-Mean-k and GT-Tau-Std-k: means over instances."""

    mean: Tau
    std: Amount


@dataclass(frozen=True)
class Spread(Numbers):
    """A ceiling's mean and range over n ways to take it."""

    mean: Tau
    std: Amount
    min: Tau
    max: Tau
    n: Count


@dataclass(frozen=True)
class Ceiling:
    """What the noise of the table's own seeds leaves to reach, among `children` of them."""

    children: Count
    seeds: Count
    held_out: Spread
    split_half: Spread
    single_seeds: Spread
    perfect: Spread
    reason: str | None


@dataclass(frozen=True)
class Ceilings:
    """Over all children, and within the best quarter and tenth."""

    all: Ceiling
    top_quarter: Ceiling
    top_tenth: Ceiling


@dataclass(frozen=True)
class Gap(Numbers):
    """A difference of two means over instances; NaN with a reason where it cannot be tested."""

    mean: Number
    interval: tuple[Number, Number]
    p_value: Fraction
    detectable: Amount  # what would have been detected with a chance of 80 %
    verdict: str
    n: tuple[Count, Count]
    level: Fraction
    reason: str | None


@dataclass(frozen=True)
class Reach(Numbers):
    """What can be reached on the table: the most that can be expected, and one standalone training of every child."""

    bound: Tau
    bound_std: Amount  # over tables
    standalone: Tau
    standalone_std: Amount  # over seeds


@dataclass(frozen=True)
class Standing(Numbers):
    """The scores beside what needs no super-net."""

    reach: Mapping[str, Reach]  # kendall_tau, partial_tau
    params_ties_random: Tau  # GT-Tau of parameter counts, ties broken at random
    minus_params: Gap  # GT-Tau minus that of parameter counts
    standalone_macs: Amount  # of one standalone training of every child
    children_accuracy: Fraction  # mean score; NaN where scores are not a super-net's accuracies
    standalone_accuracy: Fraction  # the table's mean validation accuracy
    chance: Fraction  # NaN where the number of classes is not known
    ensemble: Tau  # GT-Tau of the mean score over instances
    decidable: Count  # pairs of children whose order the table's seeds settle
    undecided: Count  # of these, pairs that parameter counts tie or get wrong
    undecided_right: Fraction  # part of those that the scores get right, mean over instances


@dataclass(frozen=True)
class TableName:
    """The table that the scores were measured against."""

    name: str
    digest: str


@dataclass(frozen=True)
class WindowTaus:
    """GT-Tau over the last steps, and GT-Tau by instance of what may be read off them."""

    gt_tau: MeanStd
    readouts: Mapping[str, Array]  # mean, max, own step: (instances,)
    others: Mapping[str, WindowTaus] = field(default_factory=dict)  # of the window under other modes of batch norm


@dataclass(frozen=True)
class ReadoutTaus:
    """GT-Tau by instance of each of an outcome's readouts, under the same names."""

    average: Mapping[str, Array] = field(default_factory=dict)
    fine_tune: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    other: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class Derived:
    """What stands in a result's file under the same keys; a new finding is declared here, with the default None."""

    table: TableName
    metrics: Mapping[str, Metric]  # {} where every instance diverged
    s_tau: Stability | None  # of two usable instances or more
    ceiling: Ceilings
    baselines: Mapping[str, Mapping[str, Figure]]  # params, macs, random: each metric
    verdict: str
    standing: Standing | None = None  # None where every instance diverged, and in files of older versions
    additive_bound: Tau | None = None  # Kendall tau of the best score that adds up over edges; None without such


@dataclass(frozen=True, eq=False, kw_only=True)
class Assessment(Derived):
    """Of one outcome, or of bare scores, against one table."""

    diverged: int  # instances without a score
    other_batch_norm: Mapping[str, Mapping[str, Metric]] = field(default_factory=dict)
    window: WindowTaus | None = None
    readouts: ReadoutTaus = field(default_factory=ReadoutTaus)
