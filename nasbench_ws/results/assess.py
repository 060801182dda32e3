"""From scores and a table to an answer: metrics, bounds, baselines, and what to make of them.

Works on stored scores alone, so that any result can be assessed again, by a new metric or against a better
table. No training here.

    found = assess(scores, table)          # scores: (instances, children), NaN rows for runs that diverged
    found.metrics["kendall_tau"].mean, found.verdict

A new finding is a field of `assessment.Derived`, computed in `assess`, and shown in text.py and html.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from nasbench_ws.errors import MetricError
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.metrics.intervals import Interval, intervals
from nasbench_ws.metrics.prior import DEFAULT, Regime
from nasbench_ws.metrics.rank import kendall_taus, measure, reported, stability_tau
from nasbench_ws.metrics.values import nan_as_worst, rankable
from nasbench_ws.results import effort
from nasbench_ws.results.assessment import (
    Assessment,
    MeanStd,
    Metric,
    ReadoutTaus,
    Stability,
    TableName,
    WindowTaus,
)
from nasbench_ws.results.baselines import figure
from nasbench_ws.results.gates import best_additive
from nasbench_ws.results.interference import after_own_step
from nasbench_ws.results.outcome import Outcome, Window
from nasbench_ws.results.standing import standing, usual, varies
from nasbench_ws.results.truth import GroundTruth, once, places_of, seeds_each, sizes
from nasbench_ws.results.verdict import verdict
from nasbench_ws.results.yardstick import yardstick
from nasbench_ws.seeds import derive


def assess(
    scores: npt.ArrayLike, table: GroundTruth, *, batch_norm: str | None = None, macs: float = math.nan,
    regime: Regime | None = None,
) -> Assessment:  # fmt: skip
    """What (instances, n) scores are worth.

    MetricError where they are of other children than the table's, and for a regime without `batch_norm`.

    Ground truth is the mean test accuracy over the table's seeds. Instances without any finite score are
    left out of the metrics and counted in `diverged`; a child without one is ranked last. Of children that are one
    network, trained once, the first alone counts (truth.Once).

    Args:
        scores: (instances, n), or (n,) of one ranking; of all children of the table, or of those that count.
        table: what they are measured against.
        batch_norm: of super-nets, the mode that the scores were read under: their variances are drawn towards those
            of the super-nets that ship. None of any other ranker, whose variance nobody knows: one ranking, or the
            same several times, has the table's noise alone in its interval.
        macs: multiply-adds that an instance took, for the sentence on cost.
        regime: of super-nets, how and for how long they were trained, which decides how much they vary; None: by a
            schedule, for 6,400 steps. `batch_norm` goes with it.
    """
    if regime is not None and not isinstance(regime, Regime):
        raise MetricError(f"regime={regime!r}: give a Regime, such as Regime(steps=39_200)")
    if regime is not None and batch_norm is None:
        raise MetricError(
            "a regime says how much super-nets vary, and without batch_norm no super-net is assumed: give the mode "
            "that the scores were read under as well, such as batch_norm='running'"
        )
    regime = regime or DEFAULT
    scores, table = _counted(scores, table)
    usable, diverged = _usable(scores, table)
    metrics, known = measured(scores, table, batch_norm, regime), yardstick(table)
    found = standing(usable, table, batch_norm, regime) if len(usable) else None
    return Assessment(
        table=TableName(table.name, table.digest),
        metrics=metrics,
        s_tau=Stability(*stability_tau(usable)) if len(usable) > 1 else None,
        ceiling=known.ceiling,
        baselines=known.baselines,
        verdict=verdict(
            metrics,
            known.baselines,
            found,
            seeds=seeds_each(table),
            diverged=diverged,
            macs=macs,
            kind="super-net" if batch_norm else "ranking",
        ),
        standing=found,
        diverged=diverged,
    )


def assess_outcome(outcome: Outcome, table: GroundTruth) -> Assessment:
    """What an evaluation is worth: its own scores, those under other modes of batch norm, and its readouts."""
    mode, readouts = outcome.batch_norm or None, outcome.readouts
    found = assess(
        outcome.own, table, batch_norm=mode, macs=float(outcome.cost.macs), regime=outcome.regime if mode else None
    )
    return replace(
        found,
        other_batch_norm={
            mode: measured(scores, table, mode, outcome.regime) for mode, scores in outcome.others.items()
        },
        window=_window(outcome.window, table) if outcome.window else None,
        readouts=ReadoutTaus(
            _taus(readouts.average, table),
            {mode: _taus(by_steps, table) for mode, by_steps in readouts.fine_tune.items()},
            _taus(readouts.other, table),
        ),
        additive_bound=_additive_bound(outcome, table),
    )


def _additive_bound(outcome: Outcome, table: GroundTruth) -> float | None:
    """Where a readout is additive, and the table has enough children."""
    bound = best_additive(table) if outcome.plan.get("additive") else math.nan
    return bound if math.isfinite(bound) else None


def measured(
    scores: npt.ArrayLike, table: GroundTruth, batch_norm: str | None = None, regime: Regime = DEFAULT
) -> dict[str, Metric]:
    """The metrics alone of (instances, n) scores, each with its interval; none where every instance diverged."""
    usable, _ = _usable(scores, table)
    if not len(usable):
        return {}
    rng = np.random.Generator(np.random.PCG64(derive("intervals")))
    params, names = sizes(table), reported(usable.shape[1])
    values = measure(usable, table.truth, names, control=params)
    found = intervals(
        usable, table.by_seed("truth"), names, rng=rng, control=params,
        prior=usual(table, batch_norm, regime), varies=varies(usable, batch_norm),
        resamples=effort.effort_for(len(table)).resamples,
    )  # fmt: skip
    return {name: metric(interval, values[name]) for name, interval in found.items()}


def metric(interval: Interval, values: Array) -> Metric:
    """An interval beside the (instances,) values that it is of."""
    return Metric(**vars(figure(interval)), values=tuple(values.tolist()))


def _counted(scores: npt.ArrayLike, whole: GroundTruth) -> tuple[npt.ArrayLike, GroundTruth]:
    """Scores and ground truth of every network once."""
    table = once(whole)
    if table is whole or np.shape(scores)[-1] != len(whole):
        return scores, table
    return np.ma.asarray(scores)[..., places_of(table)], table


def _usable(scores: npt.ArrayLike, table: GroundTruth) -> tuple[Array, int]:
    """Instances with a finite score, NaN ranked last; and how many have none. MetricError for other children."""
    masked = np.ma.asarray(scores, dtype=np.float64)  # what a mask hides is no score
    matrix = np.atleast_2d(np.ma.filled(masked, np.nan))
    if matrix.shape[1] != len(table):
        raise MetricError(
            f"{matrix.shape[1]} scores for the {len(table)} children of the table; give one for each, in its order"
        )
    usable = rankable(matrix)
    return usable, len(matrix) - len(usable)


def _window(window: Window, table: GroundTruth) -> WindowTaus:
    """GT-Tau-Mean-k, and tau of what may be read off the window.

    That is its mean, its maximum, and each child's score right after its own last step, where all had one.
    """
    others = {mode: _window(replace(window, scores=one, others={}), table) for mode, one in window.others.items()}
    found = {"mean": window.scores.mean(axis=1), "max": window.scores.max(axis=1)}
    own = after_own_step(window)
    if np.isfinite(own).all():
        found["own step"] = own
    return WindowTaus(window_taus(window.scores, table), _taus(found, table), others)


def window_taus(window: npt.ArrayLike, table: GroundTruth) -> MeanStd:
    """GT-Tau-Mean-k and GT-Tau-Std-k of (instances, k, n) snapshot scores: means over instances (paper)."""
    taus = [rankable_taus(one, table.truth) for one in np.asarray(window, dtype=np.float64)]
    return MeanStd(float(np.mean([t.mean() for t in taus])), float(np.mean([t.std() for t in taus])))


def _taus(readouts: Mapping[str, Array], table: GroundTruth) -> dict[str, Array]:
    return {name: rankable_taus(scores, table.truth) for name, scores in readouts.items()}


def rankable_taus(scores: npt.ArrayLike, truth: Array) -> Array:
    """Kendall tau of (rows, n) scores, NaN ranked last; of a row without any finite score, NaN."""
    rows = np.asarray(scores, dtype=np.float64)
    taus, some = np.full(len(rows), np.nan), np.isfinite(rows).any(axis=1)
    if some.any():
        taus[some] = kendall_taus(nan_as_worst(rows[some]), truth)
    return taus
