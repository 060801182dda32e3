"""A result as text: the verdict, the metrics and the cost, at most 80 columns wide.

    print(render(result.data))
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.results.assess import assess
from nasbench_ws.tables.table import Table


def fixed(value: float | None, sign: bool = False) -> str:
    if value is None or value != value:
        return "-"
    return f"{value:+.3f}" if sign else f"{value:.3f}"


def render_scores(name: str, scores: Array, table: Table) -> str:
    """The verdict in a sentence, and the metrics; at most 80 columns wide."""
    count = len(scores)
    head = f"{name} on {table.name}: {count} instance{'' if count == 1 else 's'}"
    return "\n".join([head, "", *render_measured(assess(scores, table))])


LABELS = {
    "kendall_tau": "Kendall tau", "spearman": "Spearman", "pearson": "Pearson", "weighted_tau": "weighted tau",
    "sparse_tau": "sparse tau", "top_rank@1": "T1R", "top_rank@3": "T3R", "precision_at_top@5": "P@top5",
    "precision_at_bottom@5": "P@bottom5", "regret@1": "regret@1", "ndcg@5": "NDCG@5",
}  # fmt: skip


def render(data: Mapping[str, Any]) -> str:
    """The human form, at most 80 columns wide."""
    budget, plan = data["budget"], data["plan"]
    lines = [
        *_wrap(
            f"{data['strategy']} on {data['table']['name']}: {data['instances']} "
            f"instance{'' if data['instances'] == 1 else 's'}, batch norm {data['batch_norm']}, "
            f"schedule {plan['schedule']}"
        ),
        "",
        *render_measured(data),
    ]
    if data["window"]:
        tau = data["window"]["gt_tau"]
        lines.append(f"last {plan['last']} steps   GT-Tau mean {_number(tau['mean'])}, std {_number(tau['std'])}")
        for name, taus in data["window"]["readouts"].items():
            what = "each child right after its own step" if name == "own step" else f"{name} of these scores"
            lines.append(f"  {what}: GT-Tau {_number(_average(taus))}")
    for mode, readout in data["readouts"].get("average", {}).items():
        lines.append(f"averaged weights, batch norm {mode}: GT-Tau {_number(_average(readout['kendall_tau']))}")
    for mode, by_count in data["readouts"].get("fine_tune", {}).items():
        taus_text = ", ".join(f"{f} steps {_number(_average(r['kendall_tau']))}" for f, r in by_count.items())
        lines += _wrap(f"fine-tuned, batch norm {mode}: GT-Tau after {taus_text}")
    for mode, other in data["other_batch_norm"].items():
        tau = other["metrics"].get("kendall_tau")
        if tau is None:
            lines.append(f"batch norm {mode}: every instance diverged")
            continue
        low, high = tau["interval"]
        lines.append(f"batch norm {mode}: Kendall tau {_number(tau['mean'])} [{_number(low)}, {_number(high)}]")
    if data["diverged"]:
        first = data["diverged"][0]
        lines.append(f"diverged: {len(data['diverged'])} super-nets, the first at step {first['step']}")
    lines += [
        "",
        *_wrap(
            f"cost of one instance (matched in {budget['match']}): {budget['steps']:,} steps, "
            f"{budget['child_updates']:,} child updates, {budget['images']:,} images, "
            f"{budget['macs'] / 1e12:.2f}T multiply-adds, {budget['weight_bytes'] / 1024:.0f} KiB of weights, "
            f"{budget['seconds']:.0f} s"
        ),
    ]
    return "\n".join(lines)


def render_measured(data: Mapping[str, Any]) -> list[str]:
    """The lines of what `assess` found: verdict, metrics and ceiling."""
    lines = [
        *_wrap(data["verdict"]),
        "",
        f"{'':15}{'mean':>8}{'std':>8}  {'95 % interval':18}{'params':>8}{'macs':>8}{'random':>8}",
    ]
    for name, label in LABELS.items():
        if name not in data["metrics"]:
            continue
        one = data["metrics"][name]
        low, high = one["interval"]
        baselines = "".join(f"{_number(data['baselines'][b][name]['mean']):>8}" for b in ("params", "macs", "random"))
        interval = f"[{_number(low)}, {_number(high)}]"
        lines.append(f"{label:15}{_number(one['mean']):>8}{_number(one['std']):>8}  {interval:18}{baselines}")
    ceiling = data["ceiling"]["all"]
    if data["s_tau"]:
        s_tau = data["s_tau"]
        lines.append(f"{'S-Tau':15}{_number(s_tau['mean']):>8}{'':8}  between instances")
    return [
        *lines,
        "",
        f"noise ceiling  {_number(ceiling['held_out']['mean'])} a held-out seed against the others' mean, "
        f"{_number(ceiling['perfect']['mean'])} a perfect",
        f"               predictor against the mean of the table's {ceiling['seeds']} seeds (estimated)",
    ]


def _average(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _number(value: float | None) -> str:
    if value is None or math.isnan(value):
        return "-"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def _wrap(text: str, width: int = 79) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width)
