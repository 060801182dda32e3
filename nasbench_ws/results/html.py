"""A result as HTML: what a notebook shows, and the first lines of a report.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nasbench_ws.markup import number, paragraph, table
from nasbench_ws.results.text import LABELS

if TYPE_CHECKING:
    from nasbench_ws.results.result import Result


def summary(result: Result) -> str:
    """The verdict and the metrics, as HTML."""
    return paragraph(result.verdict, "verdict") + _numbers_table(result)


def _numbers_table(result: Result) -> str:
    def row(label: str, name: str, metrics: Mapping[str, Any]) -> list[str]:
        one, baselines = metrics[name], result["baselines"]
        low, high = one["interval"]
        others = [number(baselines[b][name]["mean"]) for b in ("params", "macs", "random")]
        return [label, number(one["mean"]), number(one["std"]), f"[{number(low)}, {number(high)}]", *others]

    rows = [row(label, name, result["metrics"]) for name, label in LABELS.items() if name in result["metrics"]]
    for mode, other in result["other_batch_norm"].items():
        if "kendall_tau" in other["metrics"]:
            rows.append(row(f"Kendall tau, batch norm {mode}", "kendall_tau", other["metrics"]))
    if result["s_tau"]:
        rows.append(["S-Tau, between instances", number(result["s_tau"]["mean"]), "", "", "", "", ""])
    ceiling = result["ceiling"]["all"]
    text = (
        f"Noise ceiling: {number(ceiling['held_out']['mean'])} for a held-out seed against the mean of the others, "
        f"{number(ceiling['perfect']['mean'])} for a predictor that knows the true means. The columns params, macs and "
        "random are rankings that need no training."
    )
    head = ["metric", "mean", "std", "95 % interval", "params", "macs", "random"]
    return table(head, rows) + paragraph(text, "note")
