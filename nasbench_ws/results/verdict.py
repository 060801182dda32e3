"""What an evaluation says, in sentences: its tau, and beside it what needs no super-net, and what bounds it.

    verdict(metrics, baselines, standing, seeds="10", diverged=0, kind="super-net", macs=0.67e12)

Not here: the numbers (assess.py, standing.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from nasbench_ws.results.assessment import Figure, Metric, Standing

UNDER_TRAINED = 0.5  # of the way from chance to standalone accuracy: below it the super-net's children are said to be


def verdict(
    metrics: Mapping[str, Metric],
    measures: Mapping[str, Mapping[str, Figure]],
    found: Standing | None,
    *,
    seeds: str,
    diverged: int = 0,
    kind: str = "ranking",
    macs: float = math.nan,
) -> str:
    """Sentences on GT-Tau.

    Args:
        metrics: of the scores.
        measures: of the baselines, by name.
        found: None where nothing is left to rank.
        seeds: how many a child has, as `10` or `10 to 27`.
        diverged: instances without a score.
        kind: what an instance is: "super-net" or "ranking".
        macs: multiply-adds that an instance took, NaN if unknown.
    """
    tau = metrics.get("kendall_tau")
    if tau is None or found is None:
        return "Every instance diverged: there is nothing to rank."
    if tau.reason is not None and math.isnan(tau.mean):
        return f"No verdict: {tau.reason}."
    whole = f"{tau.n} {kind}{'' if tau.n == 1 else 's'}"
    if diverged:
        whole = f"{tau.n} of {tau.n + diverged} {kind}s ({diverged} diverged)"
    interval = f" {_interval(tau)}" if tau.reason is None else ""
    sentences = [f"GT-Tau {tau.mean:.2f}{interval} over {whole}."]
    params = measures["params"]["kendall_tau"].mean
    if not math.isnan(params):
        random = f"{found.params_ties_random:.2f} with ties broken at random"
        sentences.append(f"Counting parameters: {params:.2f} ({random}).")
    reach, partial = found.reach["kendall_tau"], found.reach["partial_tau"]
    if not math.isnan(reach.standalone):
        cost = ""
        if macs > 0 and not math.isnan(found.standalone_macs):
            times = found.standalone_macs / macs
            cost = f", at {times:.0f} times the compute" if times >= 1 else f", at {times:.2g} of the compute"
        sentences.append(f"One standalone training of every child: {reach.standalone:.2f}{cost}.")
    if not math.isnan(reach.bound):
        sentences.append(
            f"The most any ranking can be expected to reach, given {seeds} seeds a child: {reach.bound:.2f}."
        )
    else:
        sentences.append("The table has too few seeds for a bound.")
    beyond = metrics.get("partial_tau")
    if beyond is not None and not math.isnan(beyond.mean):
        beside = [f"one standalone training {partial.standalone:.2f}"] if not math.isnan(partial.standalone) else []
        beside += [f"most {partial.bound:.2f}"] if not math.isnan(partial.bound) else []
        more = f" ({', '.join(beside)})" if beside else ""
        interval = f" {_interval(beyond)}" if beyond.reason is None else ""
        sentences.append(f"Beyond parameter count: partial tau {beyond.mean:.2f}{interval}{more}.")
    elif beyond is not None and beyond.reason is not None:
        sentences.append(f"Beyond parameter count: no partial tau, for {beyond.reason}.")
    far = _far_from_trained(found)
    return " ".join([*sentences, far] if far else sentences)


def _far_from_trained(found: Standing) -> str:
    """Where children come less than half of the way from chance to what they reach alone."""
    theirs, alone, chance = found.children_accuracy, found.standalone_accuracy, found.chance
    if not theirs - chance < UNDER_TRAINED * (alone - chance):  # NaN: not known
        return ""
    return (
        f"The children score {theirs:.0%} on average; alone they reach {alone:.0%}: the super-net is far from trained."
    ).replace("%", " %")


def _interval(one: Figure) -> str:
    return f"[{one.interval[0]:.2f}, {one.interval[1]:.2f}]"
