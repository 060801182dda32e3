"""A result as HTML: what a notebook shows, and the first lines of a report.

summary(result.outcome, result.assessment)
"""

from __future__ import annotations

from collections.abc import Mapping

from nasbench_ws.markup import number, paragraph, table
from nasbench_ws.results.assessment import Assessment, Metric
from nasbench_ws.results.gates import remarks
from nasbench_ws.results.outcome import Outcome
from nasbench_ws.results.text import BASELINES, LABELS, SAID, UP, directed, gap_text
from nasbench_ws.training.batch_norm import labelled


def summary(outcome: Outcome, found: Assessment, *, cards: bool = False) -> str:
    """The verdict, the metrics, and what became of gates, as HTML.

    With `cards`, for a page that shows rows as cards on a phone.
    """
    said = "; ".join(remarks(outcome, found.additive_bound))
    gates = paragraph(f"Of gates and readouts: {said}.") if said else ""
    return paragraph(found.verdict, "verdict") + gates + _numbers_table(found, cards)


def _numbers_table(found: Assessment, cards: bool) -> str:
    def row(label: str, name: str, metrics: Mapping[str, Metric]) -> list[str]:
        one = metrics[name]
        low, high = one.interval
        others = [number(found.baselines[baseline][name].mean) for baseline in BASELINES]
        return [label, number(one.mean), number(one.std), f"[{number(low)}, {number(high)}]", *others]

    rows = [row(directed(name), name, found.metrics) for name in LABELS if name in found.metrics]
    for mode, metrics in found.other_batch_norm.items():
        if "kendall_tau" in metrics:
            rows.append(row(f"Kendall tau, {labelled(mode)}", "kendall_tau", metrics))
    if found.s_tau is not None:
        rows.append([f"S-Tau, between instances {UP}", number(found.s_tau.mean), "", "", "", "", ""])
    text = (
        f"{UP}: higher is better; hover over a name for what it is. The columns params, macs and random are rankings "
        "that need no training."
    )
    if found.standing is not None:
        one = found.standing
        tau = one.reach["kendall_tau"]
        rows.append(["Kendall tau of the mean score (an ensemble)", number(one.ensemble), "", "", "", "", ""])
        text = (
            f"Bound, what a ranking that knows the true means can be expected to reach: {number(tau.bound)} +- "
            f"{number(tau.bound_std)} of Kendall tau, {number(one.reach['partial_tau'].bound)} of partial tau (given "
            f"parameter count). Minus parameter count: {gap_text(one.minus_params)}. {text}"
        )
    head = ["metric", "mean", "std", "95 % interval", *BASELINES]
    said = {directed(name): text for name, text in SAID.items()}
    return table(head, rows, cards=cards, said=said) + paragraph(text, "note")
