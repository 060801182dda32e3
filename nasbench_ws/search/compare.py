"""What a search is worth: regret against cost, and whether two searchers can be told apart.

    curve(result)                            # mean regret, its interval and quantiles, on a grid of costs
    anytime(result, baseline)                # area under it over log cost, over random search's: below 1 is better
    compare([re, bayes], baseline)           # a row each, with the paired tests, corrected for how many they are

Regret is a step function of cost, and before the first trial ends that of a random child. Repetitions are the sample:
intervals are 95 % bootstrap intervals over them, paired where two searchers are compared, because both met the same
worlds; see sample.py for repetitions that share super-nets. Not here: pages (report/search.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench_ws.errors import ResultError
from nasbench_ws.search.front import reached
from nasbench_ws.search.result import SearchResult, identity
from nasbench_ws.search.sample import LEVEL, Estimate, corrected, estimate, fewer, interval, means, weights

Array = NDArray[np.float64]
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
DELTAS = (0.005, 0.002, 0.001)
POINTS = 120  # of a curve
HARDLY = 0.5  # of a seed's standard deviation: a difference that two trainings of one child hide


@dataclass(frozen=True)
class Curve:
    """Regret at each of `cost`; quantiles by QUANTILES."""

    cost: Array
    mean: Array
    low: Array
    high: Array
    quantiles: Array  # (5, costs)


@dataclass(frozen=True)
class Row:
    """One searcher. Truths of `best_child` to `ert` are means over all seeds; regrets are by the rules.

    Args:
        anytime: normalised area under the regret curve over log cost, over the baseline's, paired.
        anytime_p: of no difference in that area, after Holm's correction for the number of searchers.
        final: regret at the end.
        final_difference: final regret less the baseline's.
        final_p: of no such difference, corrected as well.
        wins: how often one search ends better than the baseline's in the same world, ties half.
        best_child: how often the incumbent is the best child; top5: one of the best five.
        rank: expected rank of the incumbent, 1 the best.
        distinct: networks trained; trials: trainings, in part or in full.
        observed_regret: what the searcher thinks: the best mean observation less its incumbent's; below the true
            regret where noise flattered it.
        ert: expected cost until the incumbent's true regret is at most each of DELTAS, censored searches restarted.
        thinking: seconds of the searcher itself, a search.
        front: how much of the hypervolume of accuracy and multiply-adds the search's front reaches (front.py).
        front_p: of no difference in that, corrected.
        instances: super-nets that the repetitions share: intervals and tests are over them; 0: over repetitions.
    """

    name: str
    anytime: Estimate
    anytime_p: float
    final: Estimate
    quantiles: tuple[float, ...]
    final_difference: float
    final_p: float
    wins: Estimate
    best_child: float
    top5: float
    rank: float
    distinct: float
    trials: float
    observed_regret: float
    ert: tuple[float, ...]
    thinking: float
    front: Estimate
    front_difference: float
    front_p: float
    instances: int

    @property
    def anytime_verdict(self) -> str:
        return _verdict(self.anytime.mean - 1, self.anytime_p)

    @property
    def final_verdict(self) -> str:
        return _verdict(self.final_difference, self.final_p)

    @property
    def front_verdict(self) -> str:
        return _verdict(-self.front_difference, self.front_p)

    def to_dict(self) -> dict[str, Any]:
        ert = {f"{delta:g}": value for delta, value in zip(DELTAS, self.ert, strict=True)}
        quantiles = {f"{q:g}": value for q, value in zip(QUANTILES, self.quantiles, strict=True)}
        verdicts = {f"{name}_verdict": getattr(self, f"{name}_verdict") for name in ("anytime", "final", "front")}
        return {**asdict(self), "ert": ert, "quantiles": quantiles, **verdicts}

    def record(self) -> dict[str, Any]:
        """Flat, for a line of CSV: intervals as low and high, without quantiles and expected costs."""
        names = ("wins", "best_child", "top5", "rank", "distinct", "trials", "observed_regret", "thinking")
        spans = {
            f"{name}_{end}": getattr(getattr(self, name), end)
            for name in ("anytime", "final")
            for end in ("mean", "low", "high")
        }
        rest = {name: getattr(self, name) for name in names} | {"wins": self.wins.mean}
        verdicts = {"anytime_verdict": self.anytime_verdict, "final_verdict": self.final_verdict}
        return {"searcher": self.name, **spans, **verdicts, **rest}


@dataclass(frozen=True)
class Comparison:
    """Rows in order of their anytime number, and how far apart the searchers are.

    Args:
        pairs: of searchers, the baseline among them; apart: those whose final regrets differ after Holm's correction.
        seed_std: standard deviation between trainings of one child.
    """

    rows: tuple[Row, ...]
    baseline: str
    pairs: int
    apart: int
    seed_std: float

    @property
    def text(self) -> str:
        """What may be said of them, by these tests."""
        better = sum(row.anytime_verdict == "better" for row in self.rows)
        final = sum(row.final_verdict == "better" for row in self.rows)
        said = (
            f"Better than {self.baseline}: {better} of {len(self.rows)} by the anytime number, {final} by the final "
            f"regret. Of {self.pairs} pairs, {self.apart} can be told apart by the final regret."
        )
        best = min(self.rows, key=lambda row: row.final_difference)
        if not self.seed_std > 0 or best.final_difference >= 0:
            return said
        ratio = -best.final_difference / self.seed_std
        said += (
            f" The largest gain is that of {best.name}, which ends {-100 * best.final_difference:.3f} points better: "
            f"{ratio:.2f} times the standard deviation between trainings of one child ({100 * self.seed_std:.2f})"
        )
        said += "; searchers hardly differ from random search on this table." if ratio < HARDLY else "."
        return said


def steps(result: SearchResult) -> tuple[Array, Array]:
    """(R, T + 1) costs and regrets: from each cost on, that regret; at cost 0 a random child's."""
    rows = len(result)
    start = result.random_child
    cost = np.concatenate([np.zeros((rows, 1)), result.cost], axis=1)
    regret = np.concatenate([np.full((rows, 1), start), result.regret], axis=1)
    regret = np.where(np.isnan(regret), start, regret)  # no observation yet, or one of a child without a truth
    return cost, regret


def at(result: SearchResult, costs: Array, values: Array | None = None) -> Array:
    """(R, costs) regret, or other `values` (R, T + 1) by trial, as a step function."""
    cost, regret = steps(result)
    values = regret if values is None else values
    places = np.stack([np.searchsorted(row, costs * (1 + 1e-9), side="right") - 1 for row in cost])
    return np.take_along_axis(values, places, axis=1)


def grid(result: SearchResult, points: int = POINTS) -> Array:
    """Costs from one mean evaluation to the budget, evenly on a log axis."""
    first = min(float(result.header["evaluation"]), result.budget)
    return np.geomspace(first, result.budget, points)


def curve(result: SearchResult, points: int = POINTS) -> Curve:
    costs = grid(result, points)
    values = at(result, costs)
    low, high = interval(values, result.instance)
    return Curve(costs, values.mean(axis=0), low, high, np.quantile(values, QUANTILES, axis=0))


def area(result: SearchResult) -> Array:
    """(R,) mean regret over log cost, from one mean evaluation to the budget."""
    cost, regret = steps(result)
    first = min(float(result.header["evaluation"]), result.budget)
    edges = np.concatenate([cost, np.full((len(result), 1), np.inf)], axis=1)
    edges = np.log(np.clip(edges, first, result.budget))
    width = math.log(result.budget / first)
    if width == 0:
        return regret[:, -1].copy()
    whole: Array = (np.diff(edges, axis=1) * regret).sum(axis=1) / width
    return whole


def final(result: SearchResult) -> Array:
    """(R,) regret at the end."""
    return at(result, np.array([result.budget]))[:, 0]


def anytime(result: SearchResult, baseline: SearchResult) -> Estimate:
    """Area under the regret curve over the baseline's, in the same worlds."""
    one, other = area(result), area(baseline.only(result.repetitions.tolist()))
    if (result.instance >= 0).any():
        each = _over(means(one, result.instance), means(other, result.instance))
        low, high = interval(each, np.arange(len(each)))
        return Estimate(float(_over(one.mean(), other.mean())), float(low), float(high))
    drawn = weights(len(one))
    ratios = _over(drawn @ one, drawn @ other)
    low, high = np.quantile(ratios, [LEVEL / 2, 1 - LEVEL / 2])
    return Estimate(float(_over(one.mean(), other.mean())), float(low), float(high))


def _over(one: Any, other: Any) -> Array:
    """The ratio; NaN where the other is 0, as of a table so small that the baseline finds its best at once."""
    ratio: Array = np.divide(one, other, out=np.full(np.shape(other), np.nan), where=np.asarray(other) > 0)
    return ratio


def ert(result: SearchResult, delta: float) -> float:
    """Expected cost until the incumbent's true regret is at most delta; infinite where none came so far.

    A search that did not is restarted: all that was spent, over the number of successes.
    """
    truth = np.where(result.incumbent >= 0, result.truth[result.incumbent], -np.inf)
    hit = float(result.header["best"]) - truth <= delta + 1e-12
    reached = hit.any(axis=1)
    place = hit.argmax(axis=1)
    spent = np.where(reached, result.cost[np.arange(len(result)), place], result.budget)
    return float(spent.sum() / reached.sum()) if reached.any() else math.inf


def compare(results: Sequence[SearchResult], baseline: SearchResult) -> Comparison:
    """Rows of all, each against the baseline in the same worlds. ResultError where they are not comparable."""
    for result in results:
        _check_comparable(result, baseline)
    others = [baseline.only(r.repetitions.tolist()) for r in results]
    figures = [
        [(figure(one), figure(other)) for one, other in zip(results, others, strict=True)]
        for figure in (area, final, reached)
    ]
    ps = [corrected([(a, b, r.instance) for (a, b), r in zip(pairs, results, strict=True)]) for pairs in figures]
    rows = [
        _row(result, baseline, figures[1][i], figures[2][i], (ps[0][i], ps[1][i], ps[2][i]))
        for i, result in enumerate(results)
    ]
    everyone = list(results) if any(r.name == baseline.name for r in results) else [*results, baseline]
    finals = [final(result) for result in everyone]
    pairs = []
    for i, a in enumerate(everyone):
        for j, b in enumerate(everyone[:i]):
            _, own, theirs = np.intersect1d(a.repetitions, b.repetitions, return_indices=True)
            pairs.append((finals[i][own], finals[j][theirs], fewer(a.instance[own], b.instance[theirs])))
    seed_std = baseline.header.get("seed_std")
    return Comparison(
        tuple(sorted(rows, key=lambda row: row.anytime.mean)),
        baseline.name,
        len(pairs),
        int((np.array(corrected(pairs)) < LEVEL).sum()),
        math.nan if seed_std is None else float(seed_std),
    )


def _row(
    result: SearchResult,
    baseline: SearchResult,
    ends: tuple[Array, Array],
    fronts: tuple[Array, Array],
    ps: tuple[float, float, float],
) -> Row:
    own, other = ends
    last = np.maximum(result.trials - 1, 0)
    incumbent = result.incumbent[np.arange(len(result)), last]
    known = incumbent >= 0
    truth = np.nan_to_num(result.truth, nan=-np.inf)
    candidates, may = truth[result.candidates], result.candidates[result.networks]
    ranks = 1 + (candidates[None, :] > truth[np.unique(incumbent[known])][:, None]).sum(axis=1)
    rank = np.full(len(result), (len(candidates) + 1) / 2)
    rank[known] = ranks[np.searchsorted(np.unique(incumbent[known]), incumbent[known])]
    counts = np.isfinite(result.signal) & (result.run >= 0) & may[result.child]
    best_signal = np.where(counts, result.signal, -np.inf).max(axis=1)
    thinks = np.nanmax(result.valid[may]) - best_signal[np.isfinite(best_signal)]
    named = np.where(result.run >= 0, result.networks[result.child], -1)
    distinct = [len(set(row[row >= 0].tolist())) for row in named]
    return Row(
        result.name, anytime(result, baseline), ps[0], estimate(own, result.instance),
        tuple(np.quantile(own, QUANTILES).tolist()), float((own - other).mean()), ps[1],
        estimate((own < other - 1e-12) + 0.5 * (np.abs(own - other) <= 1e-12), result.instance),
        float(np.mean(rank == 1)), float(np.mean(rank <= 5)), float(rank.mean()), float(np.mean(distinct)),
        float((result.run >= 0).sum(axis=1).mean()), float(thinks.mean()) if len(thinks) else math.nan,
        tuple(ert(result, delta) for delta in DELTAS), float(result.seconds.mean()),
        estimate(fronts[0], result.instance), float((fronts[0] - fronts[1]).mean()), ps[2],
        len(np.unique(result.instance[result.instance >= 0])),
    )  # fmt: skip


def _verdict(difference: float, p_value: float) -> str:
    if p_value >= LEVEL or difference == 0:
        return "not distinguishable"
    return "better" if difference < 0 else "worse"


def _check_comparable(result: SearchResult, baseline: SearchResult) -> None:
    here, there = (dict(identity(r.header)) for r in (result, baseline))
    ignored = ("searcher", "table.name", "epochs", "rules.repeats", "tasks", "code")
    differing = [key for key in sorted({*here, *there}) if key not in ignored and here.get(key) != there.get(key)]
    if differing:
        key = differing[0]
        raise ResultError(
            f"{result.name} and {baseline.name} cannot be compared: {key} is {here.get(key)!r} for one and "
            f"{there.get(key)!r} for the other; search again with the same"
        )
