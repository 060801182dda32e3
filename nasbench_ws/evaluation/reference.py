"""The shipped result that an evaluation is compared with at once, and what a difference from it would need.

    reference = shipped_reference(result)                       # `full` at the same plan, or None
    print(against(result, reference))                           # one line
    print(needed(0.1, load("fashion14"), "full").text())        # instances and minutes

Not here: comparisons of any results (results/compare.py), the statistics (metrics/power.py).
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from nasbench_ws.errors import UsageError, near_misses
from nasbench_ws.evaluation.experiment import longer_results, shipped_results
from nasbench_ws.evaluation.named import known_names
from nasbench_ws.metrics.estimates import estimate
from nasbench_ws.metrics.power import POWER, instances_needed
from nasbench_ws.metrics.prior import DEFAULT, shipped_prior
from nasbench_ws.recipe import Recipe
from nasbench_ws.results.assessment import Gap
from nasbench_ws.results.compare import gap_between, matches, shared_mode, unusual
from nasbench_ws.results.result import Result
from nasbench_ws.results.text import gap_text
from nasbench_ws.space.problem import same
from nasbench_ws.tables.table import Table
from nasbench_ws.training.batch_norm import BatchNorm, is_mode, labelled, whole_name

METRIC = "kendall_tau"


def shipped(strategy: str = "full", space: str = "deeper64", longer: bool = False) -> Iterator[tuple[str, Result]]:
    """Results that ship of a strategy, by file name, without windows of another kind; `longer`: those of more steps."""
    for path in sorted((longer_results() if longer else shipped_results(space)).glob("*.json")):
        one = Result.load(path)
        if strategy in (one.outcome.strategy, unusual(one), path.stem):
            yield path.stem, one


def shipped_on(table: Table) -> list[Result]:
    """All results that ship on that very table, each experiment once, whatever is equal between them."""
    found: dict[bytes, Result] = {}
    for path in sorted(shipped_results(table.space.name).glob("*.json")):
        one = Result.load(path)
        if one.assessment.table.digest == table.digest:
            found.setdefault(one.outcome.scores[one.outcome.batch_norm].tobytes(), one)
    return list(found.values())


def shipped_full(table: Table) -> Result | None:
    """The shipped result of full sharing on that very table; None where none ships."""
    return full_of(shipped_on(table))


def full_of(results: Iterable[Result]) -> Result | None:
    """The first of full sharing as it is usual; None where there is none."""
    return next((one for one in results if unusual(one) == "full"), None)


def shipped_reference(result: Result) -> Result | None:
    """The shipped `full` of the same steps, match, images and networks, with scores of the same kind; or None."""
    outcome = result.outcome
    if outcome.strategy == "full" or METRIC not in result.metrics or not outcome.recipe:
        return None
    recipe = Recipe.from_dict(outcome.recipe)
    for _, one in chain(shipped("full", recipe.space), shipped("full", longer=True)):
        there = one.outcome
        alike = (
            there.steps == outcome.steps
            and there.valid_images == outcome.valid_images
            and there.end_lr == outcome.end_lr
            and unusual(one) == "full"
            and matches(one) & matches(result)
            and shared_mode([result, one])
            and one.assessment.table.digest == result.assessment.table.digest
            and same(Recipe.from_dict(there.recipe), recipe)
        )
        if alike:
            return one
    return None


def beside_full(result: Result) -> str | None:
    """A line, at most 79 columns wide, on the difference from the shipped `full` at the same plan; None without one."""
    reference = shipped_reference(result)
    return None if reference is None else textwrap.fill(against(result, reference), 79)


def against(result: Result, reference: Result) -> str:
    """`result` beside the reference: their difference, and the one that could have been told.

    Where its own scores are of a kind that the reference lacks, as gates are, those are meant that both have.
    """
    mode = shared_mode([result, reference])
    told: Gap = gap_between(result, reference, METRIC, mode)
    ours, theirs = (one.under(mode)[METRIC] for one in (result, reference))
    read = "" if mode == result.outcome.batch_norm else f", batch norm {mode}, where this has {ours.mean:.2f}"
    return f"full ({theirs.n} instances that ship{read}): {theirs.mean:.2f}; difference {gap_text(told)}"


@dataclass(frozen=True)
class Need:
    """What it takes to tell a difference of `detect` from a strategy, with a chance of 80 %."""

    detect: float
    batch_norm: str
    std: float  # of Kendall tau over instances, to expect of what is new
    each: int | None  # instances of each of two new strategies
    against: str  # a strategy that ships, or ""
    against_instances: int
    against_std: float  # of those; NaN without a strategy that ships
    beside: int | None  # instances beside those; None where no number is enough
    minutes: float  # of one instance on one processor, as those that ship took: of that strategy, or of `full`
    steps: int = DEFAULT.steps  # of that strategy

    def text(self) -> str:
        """In lines."""
        lines = [
            f"A difference of {self.detect:g} in Kendall tau, {labelled(self.batch_norm)}, detected with a chance of "
            f"{POWER:.0%} at .05 (two-sided),".replace("%", " %"),
            f"where instances differ by a standard deviation of {self.std:.3f}, needs",
            f"  {_number(self.each)} instances of each of two strategies" + self._took(self.each, 2),
        ]
        if self.against:
            there = f"the {self.against_instances} of {self.against} that ship and differ by {self.against_std:.3f}"
            lines.append(
                f"  more than {there}: beside these few, no number of new ones is enough"
                if self.beside is None
                else f"  {self.beside} instances beside {there}{self._took(self.beside, 1)}"
            )
        return "\n".join(lines)

    def _took(self, count: int | None, strategies: int) -> str:
        if count is None or math.isnan(self.minutes):
            return ""
        plan = "the default plan" if self.steps == DEFAULT.steps else f"{self.steps:,} steps"
        return f": {count * strategies * self.minutes:.0f} minutes of one processor at {plan}"


def needed(detect: float, table: Table, strategy: str | None = None, batch_norm: str = "recalibrate:1024") -> Need:
    """Instances and minutes that a difference needs. UsageError where nothing ships of that strategy, or at all.

    How much new instances differ is taken from what resembles the strategy: rows that move gates or draw children
    differ more. Those of the strategy itself differ as they do, drawn towards that, as in tests of a difference. Of a
    readout that is no accuracy, as gates, only the strategy's own instances are known.

    Args:
        detect: a difference in Kendall tau.
        table: that strategies are measured against.
        strategy: one that ships; a name as `full-39200` asks for more steps. None: full sharing, of which only the
            minutes are taken.
        batch_norm: a way of batch norm, or with a strategy another readout of its.
    """
    mode = str(BatchNorm.parse(batch_norm)) if strategy is None else whole_name(batch_norm)
    usual = shipped_prior()
    if not usual.applies(vars(table.recipe)):
        known = usual.learnt_from["problem"]
        raise UsageError(
            f"how much instances differ is known for {known['images']}, space {known['space']}, macro {known['macro']} "
            f"only, and {table.name} is of something else: evaluate a strategy with five instances, and take the "
            "standard deviation that it prints"
        )
    found = next(one for _, one in shipped("full")) if strategy is None else _of(strategy, mode)
    regime, cost = found.outcome.regime, found.outcome.cost
    prior = usual.by_metric(mode, regime)[METRIC] if is_mode(mode) else None
    minutes = (cost.seconds if cost.cpu_seconds is None else cost.cpu_seconds) / 60
    there = None if strategy is None else estimate(found.under(mode)[METRIC].values, prior)
    own = math.nan if there is None else math.sqrt(there.variance * there.n)
    std, df = (own, 0.0) if prior is None else (prior.std, prior.df)
    each = instances_needed(detect, std, prior_df=df)
    if there is None:
        return Need(detect, mode, std, each, "", 0, own, None, minutes, regime.steps)
    beside = instances_needed(detect, std, prior_df=df, other=there.n, other_std=own)
    return Need(detect, mode, std, each, strategy or "", there.n, own, beside, minutes, regime.steps)


def _of(strategy: str, batch_norm: str) -> Result:
    """What ships of it with the most instances, of the usual steps if there is any. UsageError where nothing does."""
    modes: dict[str, None] = {}
    for longer in (False, True):
        every = [one for _, one in shipped(strategy, longer=longer)]
        found = [one for one in every if batch_norm in one.outcome.scores and METRIC in one.under(batch_norm)]
        if found:
            return max(found, key=lambda one: one.under(batch_norm)[METRIC].n)
        modes |= dict.fromkeys(mode for one in every for mode in one.outcome.scores)
    if not modes:
        close = near_misses(strategy, known_names())
        raise UsageError(f"nothing of {strategy!r} ships{close}; `nasbench-ws leaderboard` lists what does")
    if not any(modes):
        raise UsageError(
            f"{strategy} trains no super-net; `nasbench-ws show {strategy}` says how much its instances differ"
        )
    raise UsageError(
        f"nothing of {strategy!r} ships under {labelled(batch_norm)}{near_misses(batch_norm, modes)}; it has "
        f"{', '.join(modes)}"
    )


def _number(count: int | None) -> str:
    return "no number of" if count is None else str(count)
