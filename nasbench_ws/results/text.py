"""A result as text: the verdict, the metrics and the cost, at most 80 columns wide.

print(render(result.outcome, result.assessment))
print(render_scores("mine.csv", assess(scores, table), len(scores)))
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from nasbench_ws.cost import Cost
from nasbench_ws.markup import number
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.metrics.curves import alc
from nasbench_ws.results.assessment import Assessment, Gap
from nasbench_ws.results.gates import remarks
from nasbench_ws.results.outcome import Outcome
from nasbench_ws.training.batch_norm import labelled

LABELS = {
    "kendall_tau": "Kendall tau", "spearman": "Spearman", "pearson": "Pearson", "weighted_tau": "weighted tau",
    "sparse_tau": "sparse tau", "top_rank@1": "T1R", "top_rank@3": "T3R", "precision_at_top@5": "P@top5",
    "precision_at_bottom@5": "P@bottom5", "regret@1": "regret@1", "ndcg@5": "NDCG@5", "partial_tau": "partial tau",
}  # fmt: skip
SHORT = {"gt-tau": "kendall_tau", "tau": "kendall_tau"}


def metric_name(text: str) -> str:
    """A metric by the name that is printed of it (T1R, P@top5, Kendall tau), or its own; anything else as it is."""
    printed = {label.lower(): name for name, label in LABELS.items()}
    return (SHORT | printed).get(text.lower(), text)


LOW_IS_GOOD = ("top_rank", "regret")  # metrics whose names begin so
SAID = {  # in a sentence; docs/glossary.md has the formulas
    "kendall_tau": "pairs in the order of the ground truth minus pairs in the other, over all pairs",
    "spearman": "correlation of ranks",
    "pearson": "correlation of the values themselves",
    "weighted_tau": "tau in which the top of the ranking weighs most",
    "sparse_tau": "tau in which truths closer than .001 tie",
    "top_rank@1": "true rank of the child scored highest",
    "top_rank@3": "best true rank among the three scored highest",
    "precision_at_top@5": "part of the five scored highest that are truly among the best five",
    "precision_at_bottom@5": "part of the five scored lowest that are truly among the worst five",
    "regret@1": "accuracy of the best child minus that of the child scored highest",
    "ndcg@5": "gain of the five scored highest, discounted by rank",
    "partial_tau": "what scores know beyond parameter count: Kendall's partial tau given it",
}
UP, DOWN = "\N{UPWARDS ARROW}", "\N{DOWNWARDS ARROW}"


def directed(name: str) -> str:
    """What is printed of a metric, with an arrow: up where higher is better.

    >>> directed("regret@1") == f"regret@1 {DOWN}"
    True
    """
    return f"{LABELS[name]} {DOWN if name.startswith(LOW_IS_GOOD) else UP}"


BASELINES = ("params", "macs", "random")  # the columns beside a result's own


def metric_rows(found: Assessment) -> list[dict[str, Any]]:
    """A flat mapping a metric: mean, std, low, high, n, and what the baselines reach."""
    return [
        {"metric": name, "mean": one.mean, "std": one.std, "low": one.interval[0], "high": one.interval[1], "n": one.n,
         **{baseline: found.baselines[baseline][name].mean for baseline in BASELINES}}
        for name, one in found.metrics.items()
    ]  # fmt: skip


def render_scores(name: str, found: Assessment, instances: int) -> str:
    """The verdict on bare scores in a sentence, and the metrics; at most 80 columns wide."""
    head = f"{name} on {found.table.name}: {instances} instance{'' if instances == 1 else 's'}"
    return "\n".join([head, "", *_measured(found)])


def render(outcome: Outcome, found: Assessment) -> str:
    """The human form, at most 80 columns wide."""
    count = outcome.instances
    parts = [f"{outcome.strategy} on {found.table.name}: {count} instance{'' if count == 1 else 's'}"]
    parts += [labelled(outcome.batch_norm)] if outcome.batch_norm else []
    parts += [f"schedule {outcome.schedule}"] if outcome.schedule else []
    lines = [*_wrap(", ".join(parts)), *_caveat(outcome), "", *_measured(found), *_readouts(outcome, found)]
    lines += [line for remark in remarks(outcome, found.additive_bound) for line in _wrap(remark)]
    if outcome.diverged:
        first = outcome.diverged[0]
        lines.append(f"diverged: {len(outcome.diverged)} super-nets, the first at step {first.step}")
    matched = f" (matched in {outcome.match})" if outcome.match else ""
    cost = cost_text(outcome.cost) if outcome.cost.steps else _untrained(outcome.cost)
    lines += ["", *_wrap(f"cost of one instance{matched}: {cost}")]
    if outcome.device is not None and "torch" in outcome.device:  # the slower path, for layers of a user's own
        lines += _wrap(f"computed on {outcome.device}")
    return "\n".join(lines)


def _caveat(outcome: Outcome) -> list[str]:
    """What makes it less than an evaluation."""
    if outcome.quick:
        return _wrap(
            f"A quick look: {outcome.steps:,} steps, {outcome.valid_images:,} validation images. It proves little, "
            "and is compared with nothing."
        )
    if outcome.valid_images:
        return _wrap(f"Scored on {outcome.valid_images:,} validation images: for developing, not for a leaderboard.")
    return []


def _untrained(cost: Cost) -> str:
    macs = f"{cost.macs / 1e12:.3f}T multiply-adds, " if cost.macs else ""
    return f"nothing is trained, {macs}{seconds_text(cost)}"


def cost_text(cost: Cost) -> str:
    """In words, with thousands apart."""
    return (
        f"{cost.steps:,} steps, {cost.child_updates:,} child updates, {cost.images:,} images, "
        f"{cost.macs / 1e12:.2f}T multiply-adds, {cost.weight_bytes / 1024:.0f} KiB of weights, {seconds_text(cost)}"
    )


def seconds_text(cost: Cost) -> str:
    """By the clock, and of the processors where that was measured."""
    if cost.cpu_seconds is None or round(cost.seconds) == 0:
        return f"{cost.seconds:.0f} s"
    return f"{cost.seconds:.0f} s ({cost.cpu_seconds:.0f} s of a processor)"


def _measured(found: Assessment) -> list[str]:
    """Verdict, metrics, and what they stand beside."""
    lines = [
        *_wrap(found.verdict),
        "",
        f"{'':15}{'mean':>8}{'std':>8}  {'95 % interval':18}{'params':>8}{'macs':>8}{'random':>8}",
    ]
    for name, label in LABELS.items():
        if name not in found.metrics:
            continue
        one = found.metrics[name]
        beside = "".join(f"{_short(found.baselines[b][name].mean):>8}" for b in BASELINES)
        lines.append(f"{label:15}{_short(one.mean):>8}{_short(one.std):>8}  {_interval(one.interval):18}{beside}")
    if found.s_tau is not None:
        lines.append(f"{'S-Tau':15}{_short(found.s_tau.mean):>8}{'':8}  between instances")
    reasons = dict.fromkeys(
        one.reason.replace(name, LABELS.get(name, name))
        for name, one in found.metrics.items()
        if one.reason is not None
    )
    return [*lines, *(line for reason in reasons for line in _wrap(f"no interval: {reason}")), "", *_standing(found)]


def _standing(found: Assessment) -> list[str]:
    """Bounds, the difference from parameter counts, and what several instances together reach."""
    ceiling, one = found.ceiling.all, found.standing
    if one is None:
        return [f"bound          {_short(ceiling.perfect.mean)} +- {_short(ceiling.perfect.std)} of Kendall tau"]
    tau, partial = one.reach["kendall_tau"], one.reach["partial_tau"]
    lines = [
        f"bound          {_short(tau.bound)} +- {_short(tau.bound_std)} of Kendall tau, {_short(partial.bound)} +- "
        f"{_short(partial.bound_std)} of partial tau",
        f"one training   {_short(tau.standalone)} and {_short(partial.standalone)}: every child alone, by validation "
        "accuracy",
        *_wrap(f"minus parameter count: {gap_text(one.minus_params)}"),
    ]
    if found.metrics["kendall_tau"].n > 1:
        lines += _wrap(
            f"an ensemble of {found.metrics['kendall_tau'].n} (tau of the mean score): {_short(one.ensemble)}"
        )
    if one.undecided:
        lines += _wrap(
            f"of {one.undecided:,} pairs that the table can decide ({one.decidable:,} in all) and parameter count "
            f"cannot: {_short(one.undecided_right)} right (chance 0.5)"
        )
    return lines


def gap_text(gap: Gap) -> str:
    """A difference with its interval, and the one that would have been told."""
    if gap.reason is not None:
        return f"{number(gap.mean, sign=True)}, not tested: {gap.reason}"
    ends = ", ".join(number(end, sign=True) for end in gap.interval)
    told = number(gap.detectable)
    return f"{number(gap.mean, sign=True)} [{ends}], {gap.verdict}; could have told {told} (80 % power)"


def _readouts(outcome: Outcome, found: Assessment) -> list[str]:
    """Whatever else was read off the same super-nets."""
    lines = []
    if found.window is not None:
        for mode, window in {outcome.batch_norm: found.window, **found.window.others}.items():
            tau = window.gt_tau
            lines += _wrap(
                f"last {outcome.last} steps, batch norm {mode}: GT-Tau mean {_short(tau.mean)}, std {_short(tau.std)}"
            )
            for name, taus in window.readouts.items():
                what = "each child right after its own step" if name == "own step" else f"{name} of these scores"
                lines.append(f"  {what}: GT-Tau {_average(taus)}")
    for mode, taus in found.readouts.average.items():
        lines.append(f"averaged weights, batch norm {mode}: GT-Tau {_average(taus)}")
    for mode, by_steps in found.readouts.fine_tune.items():
        taus_text = ", ".join(f"{steps} steps {_average(taus)}" for steps, taus in by_steps.items())
        lines += _wrap(f"fine-tuned, batch norm {mode}: GT-Tau after {taus_text}{_area(by_steps)}")
    for name, taus in found.readouts.other.items():
        lines += _wrap(f"{name}: GT-Tau {_average(taus)}")
    for mode, metrics in found.other_batch_norm.items():
        one = metrics.get("kendall_tau")
        if one is None:
            lines.append(f"{labelled(mode)}: every instance diverged")
        else:
            lines.append(f"{labelled(mode)}: Kendall tau {_short(one.mean)} {_interval(one.interval)}")
    return lines


def _area(by_steps: Mapping[str, Array]) -> str:
    """The mean over instances of the area under tau against steps, where that is a curve."""
    if len(by_steps) < 2:
        return ""
    areas = [alc(list(map(int, by_steps)), taus) for taus in np.transpose(list(by_steps.values()))]
    return f"; area under this curve, over doublings of 1 + steps, {_average(np.array(areas))}"


def _average(values: Array) -> str:
    known = values[np.isfinite(values)].tolist()
    return _short(sum(known) / len(known) if known else None)


def _interval(ends: Iterable[float]) -> str:
    return f"[{', '.join(map(_short, ends))}]"


def _short(value: float | None) -> str:
    return number(value, short=True)


def _wrap(text: str, width: int = 79) -> list[str]:
    return textwrap.wrap(text, width)
