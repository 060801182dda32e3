"""Claim 4: what becomes of variance and tau where less is shared, at every match and way of batch norm that was run.

    sharing(results, table)          # [Finding, ...], not yet decided

A match says what is equal (rankers/plan.py). The positive control of a match with a fixed total is every child alone:
the paper's reaches a tau of .80, and where ours, trained as often as within its groups, does not rank at all, the
budget has decided what less sharing is worth before anything was shared: similar groups cost unlike, and random ones
alike, so that it decides between these too. Of m times the steps it is full sharing with as many; the paper's own
comparison, with all the steps once, then stands beside as a figure that decides nothing. A result whose random groups
are one partition says nothing of random groups: it is shown, and not counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from scipy import stats

from nasbench_ws.evaluation.reproduction import paper
from nasbench_ws.evaluation.reproduction.finding import Finding, asked, figure, jackknifed, known
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.metrics.corrections import best_of
from nasbench_ws.metrics.estimates import Difference, difference, exact
from nasbench_ws.metrics.rank import kendall_tau
from nasbench_ws.results.result import Result
from nasbench_ws.results.standing import usual_of
from nasbench_ws.results.truth import GroundTruth
from nasbench_ws.seeds import derive

EQUAL = ("child-updates", "group-compute")  # matches with a fixed total, and a control
UNNAMED = {  # ways to train that the paper's logs do not tell apart
    "private-bn": "private batch norms minus shared ones",
    "drift": "weights that drift while unused minus frozen ones",
}
TIMES = "full-times-"  # before the number of times: the control of as many groups with all the steps each
ONE_PARTITION = "one partition of random groups stands for no other"


def sharing(results: Mapping[str, Result], table: GroundTruth) -> list[Finding]:
    """What the results say of claim 4."""
    if "shuffle" not in results:
        return []
    full, found = results["shuffle"], []
    for result in results.values():
        for mode in result.outcome.scores:
            if mode in full.outcome.scores:
                found += _against_full(result, full, mode, results)
    for result in results.values():
        found += _against_random(result, results)
    found += _prefixes(results)
    for name, what in {**UNNAMED, **{name: _times(name) for name in results if name.startswith(TIMES)}}.items():
        for mode in results[name].outcome.scores if name in results else ():
            if mode in full.outcome.scores:
                found.append(_untested(f"GT-Tau of {what}, {mode}", "not separated", results[name], full, mode))
    return [*found, _best(results, table)]


def _against_full(result: Result, full: Result, mode: str, results: Mapping[str, Result]) -> list[Finding]:
    """GT-Tau, its variance and S-Tau of m groups, against a super-net that shares all."""
    kind, m = _kind(result)
    if not kind:
        return []
    match = result.outcome.match
    label = "every child alone" if kind == "none" else f"{m} {kind} groups"
    if kind == "random" and _one_partition(result):
        label = f"one partition into {m} random groups"
    where = f"{m} times the steps" if match == "steps" else match
    row = paper.GROUPING[m]
    value, spread = (row.random, row.random_std) if kind == "random" else (row.similar, row.similar_std)
    gap = value - paper.GROUPING[1].similar
    control, found = _as_much(result, mode, results) if match == "steps" else None, []
    if control is not None:
        text = f"GT-Tau of {label} with {where} minus full sharing with all once, {mode}"
        found.append(_untested(text, f"{gap:+.2f}, compute not separated", result, full, mode))
        full, where = control, f"both at {where}"
    why = _control_fails(result, mode, results)
    if not why and kind == "random" and _one_partition(result):
        why = ONE_PARTITION
    told = between(result, full, mode)
    found.append(asked(4, f"GT-Tau of {label} minus full sharing, {where}, {mode}", f"{gap:+.2f}", gap, told, why))
    if kind != "random":
        ratio = math.log(spread / paper.GROUPING[1].similar_std)
        text = f"log ratio of its standard deviation over instances: {label} and full sharing, {where}, {mode}"
        compared = _spreads(taus(result, mode), taus(full, mode))
        found.append(asked(4, text, f"{ratio:+.2f}", ratio, compared, why))
    return found


def _against_random(result: Result, results: Mapping[str, Result]) -> list[Finding]:
    kind, m = _kind(result)
    if kind != "similar":
        return []
    match, found = result.outcome.match, []
    for other in results.values():
        if _kind(other) != ("random", m) or other.outcome.match != match:
            continue
        gap = paper.GROUPING[m].similar - paper.GROUPING[m].random
        one = _one_partition(other)
        theirs = f"one partition into {m} random ones" if one else f"{m} random ones"
        where = f"{m} times the steps" if match == "steps" else match
        for mode in (mode for mode in result.outcome.scores if mode in other.outcome.scores):
            text = f"GT-Tau of {m} similar groups minus {theirs}, {where}, {mode}"
            told = between(result, other, mode)
            fails = _control_fails(result, mode, results) if match in EQUAL else ""
            found.append(asked(4, text, f"{gap:+.2f}", gap, told, ONE_PARTITION if one else fails))
    return found


def _prefixes(results: Mapping[str, Result]) -> list[Finding]:
    found = []
    for result in results.values():
        kind, _, k = result.outcome.strategy.partition(":")
        if kind != "prefix":
            continue
        mean, std = paper.PREFIX.get(int(k), (math.nan, math.nan))
        for mode in result.outcome.scores:
            text = f"GT-Tau with the first {k} cells shared, {result.outcome.match}, {mode}"
            prior = usual_of(result.outcome, mode).get("kendall_tau")
            found.append(figure(4, text, f"{mean:.2f} +- {std:.2f}, 2,000 epochs", taus(result, mode), prior))
    return found


def _best(results: Mapping[str, Result], table: GroundTruth) -> Finding:
    """Of all that was run, minus parameter count, with what is to be paid for its being the best."""
    each = {(name, mode): result for name, result in results.items() for mode in result.outcome.scores}
    names = list(each)
    estimates = [
        known(taus(each[name, mode], mode), usual_of(each[name, mode].outcome, mode).get("kendall_tau"))
        for name, mode in names
    ]
    theirs = f"{paper.GROUPING[64].similar - paper.PARAMETER_COUNT:+.2f}, every child alone"
    params = kendall_tau(table.column("params").astype(np.float64), table.truth)
    if not any(math.isfinite(one.variance) for one in estimates):
        nan = math.nan
        return Finding(4, "the best of all that was run", theirs, nan, nan, nan, 0)
    best = best_of(estimates, rng=np.random.Generator(np.random.PCG64(derive("best of many"))))
    name, mode = names[best.index]
    one = estimates[best.index]
    told = difference(one, exact(params))
    text = (
        f"the best of {best.among} that were run ({name}, {mode}; its mean is expected to be {best.overestimate:.2f} "
        f"too high for that) minus parameter count ({params:.2f})"
    )
    many = min(told.p_value * best.among, 1.0)  # Bonferroni, for the choice; Holm's over the page comes on top
    return Finding(4, text, theirs, told.mean, best.low - params, best.high - params, one.n, 1, many, told.detectable)


# -- what these use --------------------------------------------------------------------------------------


def taus(result: Result, mode: str | None = None) -> Array:
    """GT-Tau of the instances that did not diverge."""
    measured = result.under(mode or result.outcome.batch_norm)
    return np.array(measured["kendall_tau"].values if "kendall_tau" in measured else (), dtype=np.float64)


def between(one: Result, other: Result, mode: str) -> Difference:
    """GT-Tau of one minus the other's, unpaired."""
    estimates = (known(taus(r, mode), usual_of(r.outcome, mode).get("kendall_tau")) for r in (one, other))
    return difference(*estimates)


def stability(one: Array, other: Array) -> Difference:
    """S-Tau of (rows, n) scores minus that of others, both jackknifed."""
    return difference(known(jackknifed(one)), known(jackknifed(other)))


def _untested(text: str, theirs: str, one: Result, other: Result, mode: str) -> Finding:
    """A difference of two that is shown, and decides nothing."""
    told = between(one, other, mode)
    return Finding(4, text, theirs, told.mean, told.low, told.high, min(told.n))


def _spreads(ours: Array, theirs: Array) -> Difference:
    """The log ratio of two standard deviations, by the F distribution of two normal samples' variances."""
    nan, n = math.nan, (len(ours), len(theirs))
    if min(n) < 2 or not (ours.std() > 0 and theirs.std() > 0):
        return Difference(nan, nan, nan, nan, nan, n, 0.95, nan, "not distinguishable", nan, "a spread is not known")
    df = n[0] - 1, n[1] - 1
    ratio = float(ours.var(ddof=1) / theirs.var(ddof=1))
    low, high = (0.5 * math.log(ratio / stats.f.ppf(q, *df)) for q in (0.975, 0.025))
    p = float(2 * min(stats.f.sf(ratio, *df), stats.f.cdf(ratio, *df)))
    verdict = "distinguishable" if p < 0.05 else "not distinguishable"
    return Difference(0.5 * math.log(ratio), low, high, nan, nan, n, 0.95, p, verdict, nan)


def _times(name: str) -> str:
    return f"full sharing with {name.removeprefix(TIMES)} times the steps minus that with all once"


def _kind(result: Result) -> tuple[str, int]:
    """similar, random or none, and the number of groups; "" of any other way to share."""
    words = result.outcome.strategy.split(":")
    if words[0] == "none":
        return "none", max(paper.GROUPING)
    if words[0] == "groups" and words[1] in ("similar", "random") and int(words[2]) in paper.GROUPING:
        return words[1], int(words[2])
    return "", 0


def _one_partition(result: Result) -> bool:
    """Random groups that a seed in the strategy's name fixes for all instances."""
    return len(result.outcome.strategy.split(":")) > 3


def _as_much(result: Result, mode: str, results: Mapping[str, Result]) -> Result | None:
    """Full sharing with as many steps as the groups take that have all the steps each; None where it was not run."""
    found = results.get(f"{TIMES}{_kind(result)[1]}")
    return found if found is not None and mode in found.outcome.scores else None


def _control_fails(result: Result, mode: str, results: Mapping[str, Result]) -> str:
    """Why a comparison with full sharing tests nothing; "" where it does."""
    match = result.outcome.match
    if match not in EQUAL:
        return "" if _as_much(result, mode, results) else "full sharing with as many steps was not run"
    alone = [one for one in results.values() if one.outcome.strategy == "none" and one.outcome.match == match]
    if not alone or mode not in alone[0].outcome.scores:
        return "every child alone was not run"
    one = known(taus(alone[0], mode), usual_of(alone[0].outcome, mode).get("kendall_tau"))
    if one.interval()[0] > 0:
        return ""
    return f"every child alone, trained as much, reaches {one.mean:.2f} (the paper's {paper.GROUPING[64].similar:.2f})"
