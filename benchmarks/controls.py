"""How much training an evaluation needs here: tau against steps, for full sharing and for no sharing at all.

    python benchmarks/controls.py                  # of the results that ship

A claim about sharing can be tested where standalone training at the same number of updates ranks the children; this
prints from which budget on it does, as the table of docs/controls/README.md, and draws docs/controls/tau.svg. Results
of the same strategy and steps are joined. To be run when one is added to data/longer.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from nasbench_ws import Result, Table, load
from nasbench_ws.evaluation.experiment import longer_results, shipped_results
from nasbench_ws.report.canvas import FAINT, FIRST, SECOND, THIRD, Canvas, styled
from nasbench_ws.results.join import join

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "controls"
SHORTEST = [shipped_results() / name for name in ("shuffle.json", "none-child-updates.json")]
MODES = ("recalibrate:1024", "running")
COLOURS = {"full": FIRST, "none": SECOND}
BEGIN, END = "<!-- table -->", "<!-- end of the table -->"


def controls(table: Table) -> dict[tuple[str, int], Result]:
    """(strategy, steps) -> all instances that there are, in order of strategy, then steps."""
    found = defaultdict(list)
    longer = [path for way in COLOURS for path in sorted(longer_results().glob(f"{way}-[0-9]*.json"))]
    for path in [*SHORTEST, *longer]:
        result = Result.load(path)
        found[result.outcome.strategy, int(result.outcome.plan["steps"])].append(result)
    return {key: join(found[key], table) for key in sorted(found)}


def rows(results: dict[tuple[str, int], Result], table: Table) -> list[str]:
    """A line of the table for each result and mode of batch norm."""
    lines = []
    for (strategy, steps), result in results.items():
        for mode in MODES:
            metrics, scores = result.under(mode), result.outcome.scores[mode]
            tau, partial = (metrics[name] for name in ("kendall_tau", "partial_tau"))
            numbers = (
                f"{one.mean:.2f} [{one.interval[0]:.2f}, {one.interval[1]:.2f}]" for one in (tau, partial)
            )  # fmt: skip
            lines.append(
                f"| `{strategy}` | {steps:,} | {steps // len(table.space):,} | {mode.split(':')[0]} | "
                f"{result.outcome.instances} | {' | '.join(numbers)} | {100 * scores.mean():.1f} % | "
                f"{result.outcome.cost.macs / 1e12:.2f} |"
            )
    return lines


@styled
def figure(results: dict[tuple[str, int], Result]) -> str:
    """Kendall tau and mean accuracy of the children against steps, recalibrated."""
    canvas = Canvas("controls", "Kendall tau and the children's accuracy against training", columns=1, height=4.0)
    axes = canvas.axes
    reference = None
    for strategy, colour in COLOURS.items():
        points = [(steps, result) for (name, steps), result in results.items() if name == strategy]
        for mode, style, fill, aside in zip(MODES, ("-", ":"), (colour, "none"), (0.985, 1.015), strict=True):
            taus = [(steps, result.under(mode)["kendall_tau"]) for steps, result in points]
            axes.plot(
                [steps * aside for steps, _ in taus], [tau.mean for _, tau in taus], style, color=colour, marker="o",
                markerfacecolor=fill, label=f"{strategy}, {mode.split(':')[0]}",
            )  # fmt: skip
            for steps, tau in taus:
                (drawn,) = axes.plot([steps * aside] * 2, tau.interval, color=colour, linewidth=1.2)
                canvas.note(drawn, f"{strategy}, {steps:,} steps, {mode}: {tau.mean:.2f}, {tau.n} instances")
        reference = points[-1][1].assessment.baselines["params"]["kendall_tau"].mean if points else reference
    axes.axhline(0, color=FAINT, linewidth=0.8)
    if reference is not None:
        axes.axhline(reference, color=THIRD, linestyle="--", linewidth=1.2, label=f"parameter count {reference:.2f}")
    axes.set_xscale("log")
    ticks = sorted({steps for _, steps in results})
    axes.set_xticks(ticks, [f"{steps:,}" for steps in ticks])
    axes.minorticks_off()
    axes.set_xlabel("steps of an instance")
    axes.set_ylabel("Kendall tau with the ground truth")
    axes.legend(fontsize=9, ncols=3, loc="lower left", bbox_to_anchor=(-0.02, 1.0))
    return canvas.svg()


def main() -> None:
    table = load("fashion14")
    results = controls(table)
    lines = "\n".join(rows(results, table))
    page = FOLDER / "README.md"
    head = (
        "| strategy | steps | updates a child | batch norm | instances | GT-Tau | partial tau | children score | "
        "10¹² multiply-adds |\n|---|---|---|---|---|---|---|---|---|"
    )
    text = re.sub(
        f"{BEGIN}.*{END}", f"{BEGIN}\n{head}\n{lines}\n{END}", page.read_text(encoding="utf-8"), flags=re.S
    )
    page.write_text(text, encoding="utf-8")
    (FOLDER / "tau.svg").write_text(figure(results) + "\n", encoding="utf-8")
    print(lines)


if __name__ == "__main__":
    main()
