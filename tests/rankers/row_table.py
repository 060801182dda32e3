"""The tables of docs/rankers.md of what rows reach, from the results that ship: python tests/rankers/row_table.py."""

from __future__ import annotations

import numpy as np

from nasbench_ws.evaluation.board_row import mean_text, two
from nasbench_ws.evaluation.leaderboard import leaderboard
from nasbench_ws.metrics.corrections import holm
from nasbench_ws.rankers.rows import ROWS
from nasbench_ws.results.compare import gap_between

MODE = "recalibrate:1024"
HEAD = "| row | n | recalibrated | minus `full` | Holm's p | partial tau | by gates | entropy |"


def row_table(steps: int = 6400) -> str:
    """Best first by one-hot accuracy under recalibrated batch norm; p corrected for as many rows as there are."""
    board = leaderboard(steps=steps)
    named = {row.name: row for row in board.rows if row.batch_norm == MODE}
    full = board.results[named["full"].files[0]]
    own = {name: row for name, row in named.items() if name.partition(":")[0] in ROWS}
    results = {name: board.results[row.files[0]] for name, row in own.items()}
    gaps = {name: gap_between(result, full, "kendall_tau", MODE) for name, result in results.items()}
    corrected = dict(zip(gaps, holm([gap.p_value for gap in gaps.values()]), strict=True))
    lines = [HEAD, "|---" * (HEAD.count("|") - 1) + "|"]
    for name, row in sorted(own.items(), key=lambda pair: -pair[1].mean):
        outcome, gap, p = results[name].outcome, gaps[name], corrected[name]
        read = {one.batch_norm: one for one in board.rows if one.name == name}
        gates = read.get("logp") or read.get("gates")
        entropy = outcome.trace.get("entropy")
        lines.append(
            f"| `{name}` | {row.n} | {mean_text(row)} | {gap.mean:+.2f} [{gap.interval[0]:.2f}, {gap.interval[1]:.2f}] "
            f"| {'< .001' if p < 0.001 else f'{p:.3f}'} | {two(row.partial_tau)} "
            f"| {mean_text(gates) if gates else ''} | {'' if entropy is None else f'{np.mean(entropy[:, -1]):.2f}'} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(row_table(), row_table(39_200), sep="\n\n")
