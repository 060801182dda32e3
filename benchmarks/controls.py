"""How much training an evaluation needs here: tau against steps, and against the number of groups at two budgets.

    python benchmarks/controls.py                  # of the results that ship

A claim about sharing can be tested where standalone training at the same number of updates ranks the children; this
writes from which budget on it does into the table of docs/controls/README.md, and draws its pictures: tau.svg,
groups.svg, and compute.svg of groups that all have the whole budget. Results of the same strategy and steps are joined.
To be run when one is added to data/longer.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from nasbench_ws import Result, Table, load
from nasbench_ws.evaluation.experiment import What, longer_results, shipped_results
from nasbench_ws.report.canvas import FAINT, FIRST, FOURTH, SECOND, THIRD, Canvas, standalone, styled
from nasbench_ws.results.join import join

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "controls"
SHORTEST = [shipped_results() / name for name in ("shuffle.json", "none-child-updates.json")]
MODES = ("recalibrate:1024", "running")
COLOURS = {"full": FIRST, "none": SECOND}
BUDGETS = {6400: ("--", "none"), 39_200: ("-", None)}  # line, and what fills a mark
TIMES = (2, 4, 8)  # the steps that full sharing has, as control of as many groups with all the steps each
KINDS = {"similar": FIRST, "random": SECOND}  # of groups
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


def grouped(kind: str, match: str, steps: int) -> list[tuple[int, Result]]:
    """(m, result) of m groups at a match, as many as ship."""
    folder, end = (shipped_results(), "") if steps == min(BUDGETS) else (longer_results(), f"-{steps}")
    paths = {m: folder / f"{What(kind, m, match=match).name}{end}.json" for m in (2, 4, 8, 16, 32)}
    return [(m, Result.load(path)) for m, path in paths.items() if path.exists()]


def draw(
    canvas: Canvas, points: list[tuple[int, Result]], mode: str, line: str, colour: str, aside: float, label: str,
    fill: str | None = None,
) -> None:  # fmt: skip
    """Kendall tau with its interval at each place, joined by a line."""
    taus = [(at * aside, result.under(mode)["kendall_tau"]) for at, result in points]
    canvas.axes.plot(
        [at for at, _ in taus], [tau.mean for _, tau in taus], line, color=colour, marker="o", label=label,
        markerfacecolor=fill or colour,
    )  # fmt: skip
    for (at, tau), (place, _) in zip(taus, points, strict=True):
        (drawn,) = canvas.axes.plot([at] * 2, tau.interval, color=colour, linewidth=1.2)
        low, high = tau.interval
        canvas.note(drawn, f"{label}, at {place:,}: {tau.mean:.2f} [{low:.2f}, {high:.2f}], {tau.n} instances")


def finish(canvas: Canvas, result: Result, ticks: list[int], xlabel: str, columns: int = 3) -> str:
    """With parameter count, 0, a logarithmic axis and a legend, as SVG."""
    axes, params = canvas.axes, result.assessment.baselines["params"]["kendall_tau"].mean
    axes.axhline(0, color=FAINT, linewidth=0.8)
    axes.axhline(params, color=THIRD, linestyle="--", linewidth=1.2, label=f"parameter count {params:.2f}")
    axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    axes.tick_params(axis="x", labelsize=9)
    axes.set_xlabel(xlabel)
    axes.set_ylabel("Kendall tau with the ground truth")
    axes.legend(fontsize=9, ncols=columns, loc="lower left", bbox_to_anchor=(-0.02, 1.0))
    return canvas.svg()


@styled
def against_steps(results: dict[tuple[str, int], Result]) -> str:
    """Kendall tau against steps, recalibrated and with running statistics."""
    canvas = Canvas("controls", "Kendall tau against training", columns=1, height=4.0)
    for strategy, colour in COLOURS.items():
        points = [(steps, result) for (name, steps), result in results.items() if name == strategy]
        for mode, line, fill, aside in zip(MODES, ("-", ":"), (None, "none"), (0.985, 1.015), strict=True):
            draw(canvas, points, mode, line, colour, aside, f"{strategy}, {mode.split(':')[0]}", fill)
    return finish(canvas, points[-1][1], sorted({steps for _, steps in results}), "steps of an instance")


@styled
def against_groups(results: dict[tuple[str, int], Result]) -> str:
    """Kendall tau against the number of groups, recalibrated, at as many updates of every child."""
    canvas = Canvas("groups", "Kendall tau against the number of groups", columns=1, height=4.0)
    for steps, (line, fill) in BUDGETS.items():
        for kind, colour in KINDS.items():
            between, aside = grouped(kind, "child-updates", steps), 1.03 if kind == "random" else 0.97
            points = [(1, results["full", steps]), *between, (64, results["none", steps])]
            label = f"{kind}, {steps // 64} updates"
            draw(canvas, points, MODES[0], line, colour, aside, label, fill)
    return finish(canvas, points[0][1], [2**n for n in range(7)], "groups of children that share, of 64 children", 2)


@styled
def against_compute(results: dict[tuple[str, int], Result]) -> str:
    """Kendall tau against times the compute, recalibrated: of m groups with all the steps each, and of full sharing."""
    canvas, steps = Canvas("compute", "Kendall tau against compute", columns=1, height=4.0), max(BUDGETS)
    full = [(m, results["full", m * steps]) for m in (1, *TIMES) if ("full", m * steps) in results]
    draw(canvas, full, MODES[0], ":", FOURTH, 1.0, "full, as many times the steps", "none")
    times = {m for m, _ in full}
    for kind, colour in KINDS.items():
        points, aside = grouped(kind, "steps", steps), 1.03 if kind == "random" else 0.97
        draw(canvas, points, MODES[0], "-", colour, aside, f"{kind} groups, all the steps each")
        times |= {m for m, _ in points}
    return finish(canvas, full[0][1], sorted(times), f"times the compute of {steps:,} steps; as many groups", 2)


def written() -> dict[Path, str]:
    """What is made of the results that ship: the page with its table, and each picture."""
    table = load("fashion14")
    results = controls(table)
    lines = "\n".join(rows(results, table))
    page = FOLDER / "README.md"
    head = (
        "| strategy | steps | updates a child | batch norm | instances | GT-Tau | partial tau | children score | "
        "10¹² multiply-adds |\n|---|---|---|---|---|---|---|---|---|"
    )
    text = re.sub(f"{BEGIN}.*{END}", f"{BEGIN}\n{head}\n{lines}\n{END}", page.read_text(encoding="utf-8"), flags=re.S)
    drawn = {"tau": against_steps, "groups": against_groups, "compute": against_compute}
    return {page: text, **{FOLDER / f"{name}.svg": standalone(draw_it(results)) for name, draw_it in drawn.items()}}


def main() -> None:
    for path, text in written().items():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
