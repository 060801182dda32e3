"""What came of the paper's claims: what is measured for each, from the results of its experiments.

    findings(results, table)                # [Finding, ...], decided together

finding.py has the rule of the verdicts, sharing.py what claim 4 asks. Not here: what is run (evaluation/catalogue.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nasbench_ws.evaluation.reproduction import paper
from nasbench_ws.evaluation.reproduction.finding import Finding, asked, decided, figure, from_zero, jackknifed
from nasbench_ws.evaluation.reproduction.sharing import sharing, stability, taus
from nasbench_ws.metrics.ceiling import whole_rankings
from nasbench_ws.metrics.rank import kendall_tau, measure, stability_tau
from nasbench_ws.metrics.top import survival
from nasbench_ws.metrics.values import rankable
from nasbench_ws.results.assess import rankable_taus
from nasbench_ws.results.interference import by_distance, matrix, while_training
from nasbench_ws.results.outcome import Window
from nasbench_ws.results.result import Result
from nasbench_ws.results.standing import minus_params, usual_of
from nasbench_ws.results.truth import GroundTruth
from nasbench_ws.space.cell import Architecture

CLAIMS = {
    1: "The best children of different runs, or of consecutive steps, differ widely",
    2: "Even so the super-net carries information: it filters bad children, and serves for a brief fine-tuning",
    3: "Interference between children is a main cause",
    4: "Sharing less, in the right way, lowers the variance and raises tau; random groups hurt",
}
LIVE = 0.01  # of the peak: a window whose learning rate is below it shows batch norm, not weights


def findings(
    results: Mapping[str, Result], table: GroundTruth, claims: Sequence[int] = tuple(CLAIMS)
) -> list[Finding]:
    """Everything that the results have something to say of, claim by claim, with verdicts.

    Args:
        results: by name, measured against the table.
        table: of all children, or of those that it knows (`judged`): what needs a truth is then of these alone.
        claims: of which; experiments of one have something to say of others too, which is not all there is to say.
    """
    own = {name: result.among(table) for name, result in results.items()}
    found = [*_stability(own, table), *_information(own, table)]
    found += _interference(results, table)  # of all that were trained: it asks for no truth
    return decided([one for one in [*found, *sharing(own, table)] if one.claim in claims])


@dataclass(frozen=True)
class _Windows:
    """The windows of one result, by mode of batch norm; `why` says that they show no training, "" where they do."""

    by_mode: Mapping[str, Window]
    why: str


def _windows(results: Mapping[str, Result]) -> _Windows:
    """Of the training that was run for its window, else of full sharing; where neither has one, none."""
    for result in (results[name] for name in ("window", "shuffle") if name in results):
        whole = result.outcome.window
        if whole is not None:
            others = {mode: Window(scores, whole.trained) for mode, scores in whole.others.items()}
            alive = result.outcome.end_lr >= LIVE
            why = "" if alive else "the learning rate of the window is 0: what moves is batch norm"
            return _Windows({result.outcome.batch_norm: whole, **others}, why)
    return _Windows({}, "")


# -- 1: stability ------------------------------------------------------------------------------------


def _stability(results: Mapping[str, Result], table: GroundTruth) -> list[Finding]:
    found = []
    by_seed = table.by_seed("truth")
    by_seed = by_seed[:, whole_rankings(by_seed)]
    seeds = rankable(by_seed[np.isfinite(by_seed).all(axis=1)].T)
    alone = stability_tau(seeds).mean
    for name, result in results.items():
        if name not in ("seeds", "orders", "shuffle"):
            continue
        theirs = paper.STABILITY[name]
        for mode, rows in result.outcome.scores.items():
            scores = rankable(rows)
            prior = usual_of(result.outcome, mode)
            label = f"{name}, {mode}"
            gt_tau = f"{theirs.gt_tau:.2f} +- {theirs.gt_tau_std:.2f}"
            found.append(figure(1, f"S-Tau between instances: {label}", f"{theirs.s_tau:.2f}", jackknifed(scores)))
            found.append(figure(1, f"GT-Tau: {label}", gt_tau, taus(result, mode), prior.get("kendall_tau")))
            for metric, short, value in (("top_rank@1", "T1R", theirs.t1r), ("top_rank@3", "T3R", theirs.t3r)):
                one = result.under(mode).get(metric)
                if one is not None:
                    text = f"{short} of {len(table)}: {label}"
                    found.append(Finding(1, text, f"{value:.1f}", one.mean, *one.interval, one.n))
            text = f"S-Tau of {label} minus that of the table's seeds ({alone:.2f})"
            gap = paper.STABILITY[name].s_tau - paper.STABILITY["ground truth"].s_tau
            found.append(asked(1, text, f"{gap:+.2f}", gap, stability(scores, seeds)))
    windows, theirs = _windows(results), paper.STABILITY["epochs"]
    for mode, window in windows.by_mode.items():
        within = np.array([stability_tau(one).mean for one in window.scores])
        text = f"S-Tau between the last snapshots of an instance, {mode}"
        found.append(figure(1, text, f"{theirs.s_tau:.2f}", within))
        text = f"S-Tau between the last snapshots minus that of the table's seeds ({alone:.2f}), {mode}"
        gap = theirs.s_tau - paper.STABILITY["ground truth"].s_tau
        found.append(asked(1, text, f"{gap:+.2f}", gap, from_zero(within, zero=alone), windows.why))
        spread = np.array([rankable_taus(one, table.truth).std() for one in window.scores])
        found.append(figure(1, f"GT-Tau-Std-k over them, {mode}", f"{theirs.gt_tau_std:.2f}", spread))
    return found


# -- 2: information ----------------------------------------------------------------------------------


def _information(results: Mapping[str, Result], table: GroundTruth) -> list[Finding]:
    found = _of_full(results["shuffle"], table) if "shuffle" in results else []
    tuned = results["seeds"].assessment.readouts.fine_tune if "seeds" in results else {}
    for mode, by_steps in tuned.items():
        steps = sorted(by_steps, key=int)
        gain = by_steps[steps[-1]] - by_steps[steps[0]]
        gap = paper.FINE_TUNED - paper.STABILITY["seeds"].gt_tau
        text = f"GT-Tau gained by {steps[-1]} steps of fine-tuning, {mode}"
        found.append(asked(2, text, f"{gap:+.2f}, batch norm not separated", gap, from_zero(gain)))
    return found + _averaged(_windows(results), table)


def _averaged(windows: _Windows, table: GroundTruth) -> list[Finding]:
    """What is gained by reading all of the last scores instead of one of them."""
    found = []
    for mode, window in windows.by_mode.items():
        single = np.array([rankable_taus(one, table.truth).mean() for one in window.scores])
        for name, scores in (("mean", window.scores.mean(axis=1)), ("max", window.scores.max(axis=1))):
            gain = rankable_taus(scores, table.truth) - single
            gap = paper.WINDOW[f"{name} of 64"] - paper.WINDOW["single"]
            text = f"{name} of the last scores instead of one: GT-Tau gained, {mode}"
            found.append(asked(2, text, f"{gap:+.2f}", gap, from_zero(gain), windows.why))
    return found


def _of_full(result: Result, table: GroundTruth) -> list[Finding]:
    """What full sharing knows, under each way of batch norm."""
    found, theirs = [], paper.STABILITY["shuffle"].gt_tau
    params = table.column("params").astype(np.float64)
    for mode, rows in result.outcome.scores.items():
        prior, scores = usual_of(result.outcome, mode), rankable(rows)
        told = from_zero(taus(result, mode), prior.get("kendall_tau"))
        found.append(asked(2, f"GT-Tau of full sharing, {mode}", f"{theirs:+.2f}", theirs, told))
        beyond = measure(scores, table.truth, ["partial_tau"], control=params)["partial_tau"]
        told = from_zero(beyond, prior.get("partial_tau"))
        found.append(asked(2, f"partial tau of full sharing given parameter count, {mode}", "not tested", 1, told))
        for k in (5, 10):
            kept = np.array([survival(one, table.truth, drop=0.5, k=k) for one in scores])
            text = f"of the true top {k}, kept when the worse half by rank is dropped, above one half, {mode}"
            found.append(asked(2, text, "not tested", 1, from_zero(kept - 0.5)))
        one = minus_params(scores, table, mode, result.outcome.regime)
        gap, ends = theirs - paper.PARAMETER_COUNT, one.interval
        text = f"GT-Tau of full sharing minus parameter count's ({kendall_tau(params, table.truth):.2f}), {mode}"
        side = -1 if gap < 0 else 1
        found.append(Finding(2, text, f"{gap:+.2f}", one.mean, *ends, one.n[0], side, one.p_value, one.detectable))
    first, *others = result.outcome.scores
    for mode in others:
        both = (rankable_taus(result.outcome.scores[one], table.truth) for one in (first, mode))
        gain = np.subtract(*both)  # an instance that diverged under one of them has none
        found.append(figure(2, f"GT-Tau gained by batch norm {first} over {mode}", "not separated", gain))
    return found


# -- 3: interference ---------------------------------------------------------------------------------


def _interference(results: Mapping[str, Result], table: GroundTruth) -> list[Finding]:
    measured = results["seeds"].outcome.readouts.interference if "seeds" in results else ()
    children = list(table.space)
    found = _while_training(_windows(results), children)
    if not measured:
        return found
    each = [by_distance(matrix([instance], len(children)), children) for instance in measured]
    cosines = [matrix([instance], len(children), cosine=True) for instance in measured]
    text = "points gained by a child at distance {} when one is trained from a snapshot"
    found += _by_distance(each, text, "where edge {} differs, from a snapshot")
    gap = np.array([one["distance"]["1"] - one["distance"]["3"] for one in each]) * 100
    aim = paper.INTERFERENCE["1"] - paper.INTERFERENCE["3"]
    found.append(asked(3, "near (distance 1) minus far (3), points", f"{aim:+.1f}", aim, from_zero(gap)))
    far = np.array([one["distance"]["3"] for one in each]) * 100
    text = "training a child harms those at distance 3, points"
    aim = paper.INTERFERENCE["3"]
    found.append(asked(3, text, f"{aim:+.1f}", aim, from_zero(far)))
    alike = []
    for instance, cosine in zip(measured, cosines, strict=True):
        changes, other = matrix([instance], len(children)), ~np.eye(len(children), dtype=bool)
        alike.append(np.corrcoef(changes[other], cosine[other])[0, 1])
    text = "Pearson between change and gradient cosine, over pairs of children"
    found.append(asked(3, text, "not measured", 1, from_zero(alike)))
    return found


def _while_training(windows: _Windows, children: list[Architecture]) -> list[Finding]:
    """As the paper reads it, from the window of the last steps."""
    found = []
    for mode, window in windows.by_mode.items():
        each = [
            by_distance(while_training(Window(window.scores[i : i + 1], window.trained[i : i + 1])), children)
            for i in range(len(window.scores))
        ]
        text = "points above its own mean of a child at distance {} from the one just trained, " + mode
        found += _by_distance(each, text, "where edge {} differs from the one just trained, " + mode)
        if all({"1", "3"} <= set(one["distance"]) for one in each):
            gap = np.array([one["distance"]["1"] - one["distance"]["3"] for one in each]) * 100
            aim = paper.INTERFERENCE["1"] - paper.INTERFERENCE["3"]
            text = f"near (distance 1) minus far (3) from the one just trained, points, {mode}"
            found.append(asked(3, text, f"{aim:+.1f}", aim, from_zero(gap), windows.why))
    return found


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
                found.append(figure(3, text.format(name), f"{theirs[name]:+.2f}", values))
    return found
