"""What came of it: each finding has the paper's figure, ours with n and interval, and a verdict by a stated test.

Nothing is decided by hand. A difference "holds" where its 95 % interval lies on the side that the claim says, "does not
hold" where it lies on the other side, and is undecided where it has 0 in it, or no width: with one instance, or with
few that happen to agree to the last digit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from nasbench_ws.evaluation.catalogue import index
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.metrics.intervals import t_interval
from nasbench_ws.metrics.rank import measure, stability_tau
from nasbench_ws.metrics.top import survival
from nasbench_ws.metrics.values import rankable
from nasbench_ws.reproduction import paper
from nasbench_ws.results.assess import rankable_taus
from nasbench_ws.results.compare import paired
from nasbench_ws.results.interference import by_distance, matrix, while_training
from nasbench_ws.results.outcome import Window
from nasbench_ws.results.result import Result
from nasbench_ws.space.cell import Architecture
from nasbench_ws.tables.table import Table

CLAIMS = {
    1: "The best children of different runs, or of consecutive steps, differ widely",
    2: "Even so the super-net carries information: it filters bad children, and serves for a brief fine-tuning",
    3: "Interference between children is a main cause",
    4: "Sharing less, in the right way, lowers the variance and raises tau; random groups hurt",
}

WIDTHLESS = 1e-12  # an interval narrower than this has no width


@dataclass(frozen=True)
class Finding:
    """`mean` with `low` and `high`, its 95 % interval (NaN where there is none), over `n`; `paper` is words."""

    claim: int
    what: str
    paper: str
    mean: float
    low: float
    high: float
    n: int
    verdict: str = ""  # holds, does not hold, undecided; "" where it is a figure alone
    test: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For JSON; NaN is None."""
        return {key: None if isinstance(value, float) and math.isnan(value) else value
                for key, value in asdict(self).items()}  # fmt: skip


def findings(results: Mapping[str, Result], table: Table) -> list[Finding]:
    """Everything that the results have something to say of, claim by claim."""
    found: list[Finding] = []
    for decide in (_stability, _information, _interference, _sharing):
        found += decide(results, table)
    return found


# -- 1: stability ------------------------------------------------------------------------------------


def _stability(results: Mapping[str, Result], table: Table) -> list[Finding]:
    found = []
    seeds = stability_tau(table.by_seed("test_accuracy").T).mean
    for name, result in results.items():
        if name not in ("seeds", "orders", "shuffle"):
            continue
        theirs, scores = paper.STABILITY[name], rankable(result.scores)
        agreement = _jackknifed(scores)
        found.append(_figure(1, f"S-Tau between instances: {name}", f"{theirs.s_tau:.2f}", agreement))
        found.append(_figure(1, f"GT-Tau: {name}", f"{theirs.gt_tau:.2f} +- {theirs.gt_tau_std:.2f}", _taus(result)))
        for metric, label, value in (("top_rank@1", "T1R", theirs.t1r), ("top_rank@3", "T3R", theirs.t3r)):
            values = measure(scores, table.truth, [metric])[metric]
            one = _figure(1, f"{label} of {len(table)}: {name}", f"{value:.1f}", values)
            found.append(replace(one, low=max(one.low, 1.0), high=min(one.high, float(len(table)))))  # as ranks are
        gap = agreement - seeds
        text = f"S-Tau of {name} minus that of the table's seeds ({seeds:.2f})"
        difference = paper.STABILITY[name].s_tau - paper.STABILITY["ground truth"].s_tau
        test = "t over instances, jackknifed"
        found.append(_decided(1, text, f"{difference:+.2f}", gap, test, sign=-1))
        window = result.outcome.window
        if window is not None and name == "shuffle":
            theirs = paper.STABILITY["epochs"]
            within = np.array([stability_tau(one).mean for one in window.scores])
            found.append(_figure(1, "S-Tau between the last snapshots of an instance", f"{theirs.s_tau:.2f}", within))
            spread = np.array([rankable_taus(one, table.truth).std() for one in window.scores])
            found.append(_figure(1, "GT-Tau-Std-k over them", f"{theirs.gt_tau_std:.2f}", spread))
    return found


# -- 2: information ----------------------------------------------------------------------------------


def _information(results: Mapping[str, Result], table: Table) -> list[Finding]:
    found = []
    params = _params(table)
    if "shuffle" in results:
        result = results["shuffle"]
        theirs = f"{paper.STABILITY['shuffle'].gt_tau:+.2f}"
        found.append(_decided(2, "GT-Tau of full sharing is above 0", theirs, _taus(result), test="t over instances"))
        for mode in result.outcome.others:
            gain = _taus(result, mode) - _taus(result)
            found.append(_figure(2, f"GT-Tau gained by batch norm {mode}", "not separated", gain))
        for k in (5, 10):
            kept = np.array([survival(one, table.truth, drop=0.5, k=k) for one in rankable(result.scores)])
            text = f"of the true top {k}, kept when the worse half by rank is dropped, above one half"
            found.append(_decided(2, text, "not tested", kept - 0.5, test="t over instances"))
        gap = _taus(result) - params
        theirs = f"{paper.STABILITY['shuffle'].gt_tau - paper.PARAMETER_COUNT:+.2f}"
        found.append(_decided(2, "GT-Tau of full sharing minus parameter count's", theirs, gap, "t over instances"))
        window = result.outcome.window
        if window is not None:
            single = np.array([rankable_taus(one, table.truth).mean() for one in window.scores])
            for name, scores in (("mean", window.scores.mean(axis=1)), ("max", window.scores.max(axis=1))):
                gain = rankable_taus(scores, table.truth) - single
                theirs = f"{paper.WINDOW[f'{name} of 64'] - paper.WINDOW['single']:+.2f}"
                text = f"{name} of the last scores instead of one: GT-Tau gained"
                found.append(_decided(2, text, theirs, gain, test="t, paired by instance"))
    for mode, by_count in results["seeds"].assessment.readouts.fine_tune.items() if "seeds" in results else ():
        counts = sorted(by_count, key=int)
        gain = by_count[counts[-1]] - by_count[counts[0]]
        text = f"{counts[-1]} steps of fine-tuning, batch norm {mode}: GT-Tau gained"
        theirs = f"{paper.FINE_TUNED - paper.STABILITY['seeds'].gt_tau:+.2f}, batch norm not separated"
        found.append(_decided(2, text, theirs, gain, test="t, paired by instance"))
    return found


# -- 3: interference ---------------------------------------------------------------------------------


def _interference(results: Mapping[str, Result], table: Table) -> list[Finding]:
    measured = results["seeds"].outcome.readouts.interference if "seeds" in results else ()
    children = list(table.space)
    found = _while_training(results, children)
    if not measured:
        return found
    each = [by_distance(matrix([instance], len(children)), children) for instance in measured]
    cosines = [matrix([instance], len(children), cosine=True) for instance in measured]
    text = "points gained by a child at distance {} when one is trained from a snapshot"
    found += _by_distance(each, text, "where edge {} differs, from a snapshot")
    gap = np.array([one["distance"]["1"] - one["distance"]["3"] for one in each]) * 100
    theirs = f"{paper.INTERFERENCE['1'] - paper.INTERFERENCE['3']:+.1f}"
    found.append(_decided(3, "near (distance 1) minus far (3), points", theirs, gap, test="t, paired by instance"))
    far = np.array([one["distance"]["3"] for one in each]) * 100
    text = "training a child harms those at distance 3, points"
    found.append(_decided(3, text, f"{paper.INTERFERENCE['3']:+.1f}", far, sign=-1, test="t over instances"))
    alike = []
    for instance, cosine in zip(measured, cosines, strict=True):
        changes, other = matrix([instance], len(children)), ~np.eye(len(children), dtype=bool)
        alike.append(np.corrcoef(changes[other], cosine[other])[0, 1])
    text = "Pearson between change and gradient cosine, over pairs of children"
    found.append(_decided(3, text, "not measured", np.array(alike), test="t over instances"))
    return found


def _while_training(results: Mapping[str, Result], children: list[Architecture]) -> list[Finding]:
    """As the paper reads it, from the window of the last steps."""
    window = results["shuffle"].outcome.window if "shuffle" in results else None
    if window is None:
        return []
    each = [
        by_distance(while_training(Window(window.scores[i : i + 1], window.trained[i : i + 1])), children)
        for i in range(len(window.scores))
    ]
    text = "points above its own mean of a child at distance {} from the one just trained"
    return _by_distance(each, text, "where edge {} differs from the one just trained")


def _by_distance(each: Sequence[Mapping[str, Mapping[str, float]]], by_distance: str, by_edge: str) -> list[Finding]:
    """Figures in points beside the paper's; the texts take the distance, or the edge. Those that all instances have."""
    found = []
    for kind, text, theirs in (
        ("distance", by_distance, paper.INTERFERENCE),
        ("edge", f"at distance 1, {by_edge}", paper.INTERFERENCE_BY_EDGE),
    ):
        for name in each[0][kind]:
            if all(name in one[kind] for one in each):
                values = np.array([one[kind][name] for one in each]) * 100
                found.append(_figure(3, text.format(name), f"{theirs[name]:+.2f}", values))
    return found


# -- 4: sharing less ---------------------------------------------------------------------------------


def _sharing(results: Mapping[str, Result], table: Table) -> list[Finding]:
    if "shuffle" not in results:
        return []
    full, found, params = results["shuffle"], [], _params(table)
    known = index(table)
    run = {what: result for name, result in results.items() if (what := known.get(name)) is not None}
    for what, result in run.items():
        if what.kind == "prefix" and what.count is not None:
            mean, std = paper.PREFIX.get(what.count, (math.nan, math.nan))
            theirs = f"{mean:.2f} +- {std:.2f}, 2,000 epochs"
            text = f"GT-Tau with the first {what.count} cells shared, equal compute"
            found.append(_figure(4, text, theirs, _taus(result)))
        elif what.match in ("steps", "compute"):
            m = max(paper.GROUPING) if what.count is None else what.count
            words = _words(m, what.match)
            row = paper.GROUPING[m]
            value = row.random if what.kind == "random" else row.similar
            theirs = f"{value:.2f}, {m} times the compute"
            label = "every child alone" if what.kind == "none" else f"{m} {what.kind} groups"
            found.append(_figure(4, f"GT-Tau of {label}, {words}", theirs, _taus(result)))
            gap = value - paper.GROUPING[1].similar
            sign = -1 if what.kind == "random" else 1
            text = f"{label} minus full sharing, {words}"
            gain = _gained(result, full)
            found.append(_decided(4, text, f"{gap:+.2f}", gain, "t, paired by seed", sign=sign))
    for what, result in run.items():
        other = run.get(replace(what, kind="random"))
        if what.kind == "similar" and what.match in ("steps", "compute") and what.count and other is not None:
            m = what.count
            gap = paper.GROUPING[m].similar - paper.GROUPING[m].random
            text = f"{m} similar groups minus {m} random ones, {_words(m, what.match)}"
            found.append(_decided(4, text, f"{gap:+.2f}", _gained(result, other), test="t, paired by seed"))
    if "drift" in results:
        text = "weights that drift while unused minus frozen ones: GT-Tau"
        found.append(
            _figure(4, text, "not separated", _gained(results["drift"], full), test="t, paired by seed")
        )
    each = {
        (name, mode): _taus(result, mode)
        for name, result in results.items()
        for mode in result.outcome.scores
    }
    best = max(each, key=lambda key: float(np.nan_to_num(each[key], nan=-1.0).mean()))
    text = f"the best of all that was run ({best[0]}, batch norm {best[1]}) minus parameter count ({params:.2f})"
    theirs = f"{paper.GROUPING[64].similar - paper.PARAMETER_COUNT:+.2f}, every child alone"
    found.append(_decided(4, text, theirs, each[best] - params, "t over instances"))
    return found


def _words(m: int, match: str) -> str:
    return "equal compute" if match == "compute" else f"{m} times the compute"


# -- what all of them use ------------------------------------------------------------------------------


def _figure(claim: int, what: str, theirs: str, values: Sequence[float] | Array, test: str = "") -> Finding:
    known = _array(values)[np.isfinite(_array(values))]
    if not len(known):
        return Finding(claim, what, theirs, math.nan, math.nan, math.nan, 0, "", test)
    interval = t_interval(known)
    return Finding(claim, what, theirs, interval.mean, interval.low, interval.high, interval.n, "", test)


def _decided(claim: int, what: str, theirs: str, values: Sequence[float] | Array, test: str, sign: int = 1) -> Finding:
    """A figure that the claim says is above 0 (`sign` 1) or below it (-1)."""
    one = _figure(claim, what, theirs, values, test)
    low, high = sorted((sign * one.low, sign * one.high))
    known = high - low > WIDTHLESS
    verdict = "holds" if known and low > 0 else "does not hold" if known and high < 0 else "undecided"
    return Finding(one.claim, what, theirs, one.mean, one.low, one.high, one.n, verdict, test)


def _jackknifed(scores: Array) -> Array:
    """S-Tau's pseudo-values, (rows,): their mean is S-Tau, their spread its uncertainty. Two rows are one number.

    Source: Arvesen, "Jackknifing U-statistics", 1969.
    """
    whole, count = stability_tau(scores).mean, len(scores)
    if count < 3:
        return np.array([whole])
    without = np.array([stability_tau(np.delete(scores, i, axis=0)).mean for i in range(count)])
    return count * whole - (count - 1) * without


def _taus(result: Result, mode: str | None = None) -> Array:
    """GT-Tau by instance."""
    metrics, count = result.under(mode or result.outcome.batch_norm), result.outcome.instances
    values = metrics["kendall_tau"].values if "kendall_tau" in metrics else ()
    return _array(values) if len(values) == count else np.full(count, np.nan)


def _gained(one: Result, other: Result) -> Array:
    """GT-Tau of one minus the other's, over the instances that both have."""
    return np.array([ours - theirs for ours, theirs in paired(one, other, "kendall_tau").values()])


def _params(table: Table) -> float:
    return float(measure(table.column("params").astype(float)[None], table.truth, ["kendall_tau"])["kendall_tau"][0])


def _array(values: Any) -> Array:
    return np.asarray(values, dtype=np.float64)
