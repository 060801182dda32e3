"""Where scores stand beside what needs no super-net: bounds, references, parameter counts, and how far training came.

    found = standing(scores, table, "running", Regime())
    found.reach["kendall_tau"].bound, found.minus_params.detectable, found.ensemble

Not here: the metrics and their intervals (assess.py), and the sentence made of all this (verdict.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.metrics.estimates import Estimate, Prior, difference, estimate, exact
from nasbench_ws.metrics.intervals import table_deviations
from nasbench_ws.metrics.pairs import decidable, undecided_by
from nasbench_ws.metrics.prior import Regime, shipped_prior
from nasbench_ws.metrics.rank import kendall_tau, kendall_taus, tau_ties_random
from nasbench_ws.results import effort
from nasbench_ws.results.assessment import Gap, Standing
from nasbench_ws.results.outcome import Outcome
from nasbench_ws.results.truth import GroundTruth, sizes
from nasbench_ws.results.yardstick import yardstick
from nasbench_ws.seeds import derive
from nasbench_ws.training.batch_norm import is_mode

CLASSES = {"fashion14": 10, "fashion-mnist": 10, "cifar10": 10, "cifar100": 100}
BACKWARD = 3  # multiply-adds of forward and backward, in forward passes


def usual(table: GroundTruth, batch_norm: str | None, regime: Regime) -> Mapping[str, Prior]:
    """The variances that are usual of super-nets read in that way; none of other rankers, or on other tables.

    Args:
        table: what they are measured against.
        batch_norm: the mode that scores were read under; None of what trains no super-net.
        regime: how, and for how long, they were trained (Outcome.regime).
    """
    recipe = _recipe(table)
    return _usual({} if recipe is None else vars(recipe), batch_norm, regime)


def usual_of(outcome: Outcome, batch_norm: str) -> Mapping[str, Prior]:
    """As `usual`, by what was trained."""
    return _usual(outcome.recipe, batch_norm, outcome.regime)


def _usual(problem: Mapping[str, Any], batch_norm: str | None, regime: Regime) -> Mapping[str, Prior]:
    if not batch_norm or not problem or not is_mode(batch_norm):
        return {}
    known = shipped_prior()
    return known.by_metric(batch_norm, regime) if known.applies(problem) else {}


def varies(scores: Array, batch_norm: str | None) -> bool:
    """Is that a sample of instances? One ranking of unknown make, or the same one several times, is not."""
    return bool(batch_norm) or bool((scores != scores[0]).any())


def estimated(values: Array, scores: Array, prior: Prior | None, batch_norm: str | None) -> Estimate:
    """A metric's mean over instances, as intervals count it."""
    return estimate(values, prior) if varies(scores, batch_norm) else exact(float(values[0]))


def standing(scores: Array, table: GroundTruth, batch_norm: str | None, regime: Regime) -> Standing:
    """Of usable (instances, n) scores; `batch_norm` is the mode they were read under, None of any other ranker."""
    params, truth = sizes(table), table.truth
    pairs, children = _pairs(table), math.nan
    if batch_norm and is_mode(batch_norm):
        children = float(scores.mean())  # accuracies; what another ranker gives is of any kind
    images = getattr(_recipe(table), "images", "")
    return Standing(
        reach=yardstick(table).reach,
        params_ties_random=tau_ties_random(params, truth),
        minus_params=minus_params(scores, table, batch_norm, regime),
        standalone_macs=_standalone_macs(table),
        children_accuracy=children,
        standalone_accuracy=_mean(table, "valid_accuracy"),
        chance=1 / CLASSES[images] if images in CLASSES else math.nan,
        ensemble=kendall_tau(scores.mean(axis=0), truth),
        decidable=pairs[0],
        undecided=len(pairs[1]),
        undecided_right=float(pairs[1].accuracy(scores).mean()),
    )


def minus_params(scores: Array, table: GroundTruth, batch_norm: str | None, regime: Regime) -> Gap:
    """GT-Tau minus that of parameter counts, the table's noise on the difference included."""
    params, name = sizes(table), "kendall_tau"
    ours = kendall_taus(scores, table.truth)
    if not np.ptp(params) > 0:
        return _gap_unknown(len(ours), "parameter counts are all equal, or the table does not know them")
    if not np.isfinite(ours).all():
        return _gap_unknown(len(ours), "a ranking of equal scores has no tau")
    rng = np.random.Generator(np.random.PCG64(derive("minus params")))
    weights = [*[1 / len(scores)] * len(scores), -1.0]
    noise = table_deviations(
        np.vstack([scores, params]), table.by_seed("truth"), weights, [name], rng=rng,
        resamples=effort.effort_for(len(table)).resamples,
    )  # fmt: skip
    one = estimated(ours, scores, usual(table, batch_norm, regime).get(name), batch_norm)
    theirs = exact(kendall_tau(params, table.truth))
    return gap(one, theirs, float(noise[name].std()))


def gap(one: Estimate, other: Estimate, table_std: float = 0.0) -> Gap:
    """As results keep a difference."""
    told = difference(one, other, table_std=table_std)
    return Gap(
        told.mean, (told.low, told.high), told.p_value, told.detectable, told.verdict, told.n, told.level, told.reason
    )


def _gap_unknown(n: int, reason: str) -> Gap:
    nan = math.nan
    return Gap(nan, (nan, nan), nan, nan, "not distinguishable", (n, 1), 0.95, reason)


def _pairs(table: GroundTruth) -> tuple[int, Any]:
    """How many pairs the table decides, and those of them that parameter counts do not."""
    every = decidable(table.by_seed("truth"))
    return len(every), undecided_by(sizes(table), every)


def _standalone_macs(table: GroundTruth) -> float:
    """Multiply-adds of one standalone training of every child; NaN of tables that others made."""
    recipe = _recipe(table)
    try:
        steps = recipe.steps_per_epoch * recipe.epochs
        return float(steps * recipe.batch_size * BACKWARD * table.column("macs").sum())
    except (AttributeError, TypeError, ValueError):
        return math.nan


def _recipe(table: GroundTruth) -> Any:
    """None of a table that others made, or of parts of one."""
    return None if getattr(table, "foreign", False) else getattr(table, "recipe", None)


def _mean(table: GroundTruth, column: str) -> float:
    values = table.by_seed(column)
    return float(np.nanmean(values)) if np.isfinite(values).any() else math.nan
