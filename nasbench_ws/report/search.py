"""The page of a comparison of searchers: what may be said, regret against cost, and every number.

    search_page([re, bayes], baseline, compare([re, bayes], baseline), exhaustive(oracle))         # HTML
    tables_page([OnTable(...), OnTable(...)])                       # of the same searchers on several tables

Not here: the numbers (nasbench_ws/search/compare.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nasbench_ws.markup import number, paragraph, table
from nasbench_ws.report.canvas import DASHES, FAINT, FIRST, INK, SERIES, Canvas, prefixed, styled
from nasbench_ws.report.page import Section, facts, figure, page
from nasbench_ws.report.sortable import SCRIPT, Cell, Column, Filters, Line, sortable
from nasbench_ws.search.compare import DELTAS, QUANTILES, Comparison, Curve, Row, curve
from nasbench_ws.search.result import SearchResult
from nasbench_ws.search.sample import Estimate
from nasbench_ws.search.text import SIZES, UNITS, shared

IN_ONE = 4  # curves in a figure


def search_page(
    results: Sequence[SearchResult], baseline: SearchResult, comparison: Comparison, lines: Mapping[str, float]
) -> str:
    """HTML.

    Args:
        results: of the searchers.
        baseline: what they are compared with.
        comparison: of these.
        lines: regrets of exhaustive search, by name.
    """
    sections = _sections(OnTable(results, baseline, comparison, lines))
    many = f"{len(results)} {'searcher' if len(results) == 1 else 'searchers'}"
    return page(f"{many} on {baseline.header['table']['name']}", sections, script=SCRIPT)


@dataclass(frozen=True)
class OnTable:
    """What the same searchers did on one table: the arguments of `search_page`."""

    results: Sequence[SearchResult]
    baseline: SearchResult
    comparison: Comparison
    lines: Mapping[str, float]

    @property
    def name(self) -> str:
        return str(self.baseline.header["table"]["name"])


def tables_page(parts: Sequence[OnTable]) -> str:
    """HTML: the anytime number of every searcher on every table, then each table's own sections."""
    sections = [Section("On every table", _together(parts))]
    for number_, part in enumerate(parts):
        sections += [
            Section(one.title, prefixed(one.body, f"t{number_}"), part.name) for one in _sections(part)
        ]
    return page(f"{len(parts[0].results)} searchers on {len(parts)} tables", sections, script=SCRIPT)


def _together(parts: Sequence[OnTable]) -> str:
    """Rows in order of their mean anytime number; + better, - worse than random search, = not distinguishable."""
    rows = {row.name: [row] for row in parts[0].comparison.rows}
    for part in parts[1:]:
        for row in part.comparison.rows:
            rows[row.name].append(row)
    ordered = sorted(rows.items(), key=lambda item: float(np.mean([row.anytime.mean for row in item[1]])))
    marks = {"better": "+", "worse": "-", "not distinguishable": "="}
    columns = [
        Column("", "place by the mean over tables"),
        Column("searcher", "its name and arguments", text=True),
        *(Column(part.name, "anytime number; lower is better") for part in parts),
    ]
    lines = [
        Line([Cell(place, str(place)), Cell.text(name), *(
            Cell(one.anytime.mean, f"{one.anytime.mean:.2f} [{one.anytime.low:.2f}, {one.anytime.high:.2f}] "
                                   f"{marks[one.anytime_verdict]}")
            for one in own
        )])
        for place, (name, own) in enumerate(ordered, start=1)
    ]  # fmt: skip
    note = ANYTIME.replace("Open: not distinguishable", "+ better, - worse, = not distinguishable")
    return sortable(columns, lines, filters=Filters(find=1)) + paragraph(note, "note")


def _sections(part: OnTable) -> list[Section]:
    results, baseline, comparison, lines = part.results, part.baseline, part.comparison, part.lines
    what = str(baseline.header.get("truth", "test_accuracy")).replace("_", " ").replace("valid ", "validation ")
    by_name = {result.name: result for result in results}
    order = [by_name[row.name] for row in comparison.rows]
    curves = {result.name: curve(result) for result in [*order, baseline]}
    unit, size = UNITS[baseline.header["rules"]["unit"]], SIZES[baseline.header.get("sizes", "macs")]
    sections = [Section("Verdict", paragraph(comparison.text, "verdict"))]
    others = [result for result in order if result.name != baseline.name]
    for start in range(0, max(len(others), 1), IN_ONE - 1):
        shown = [baseline.name, *(result.name for result in others[start : start + IN_ONE - 1])]
        svg = regrets(f"regret{start}", {name: curves[name] for name in shown}, lines, unit)
        caption = REGRET.format(what.capitalize())
        title = f"Regret of {', '.join(shown[1:])}" if start else "Regret against cost"
        sections.append(Section(title, figure(svg, caption)))
    rows = [(row.name, row.anytime, row.anytime_verdict) for row in comparison.rows]
    sections.append(Section("The anytime number", figure(forest(rows), ANYTIME)))
    ends = {row.name: row.quantiles for row in comparison.rows}
    sections.append(Section("At the end", figure(final(ends), FINAL) + _final_table(comparison)))
    sections.append(Section("How long it takes to be good", paragraph(ERT, "note") + _ert_table(comparison, unit)))
    sections.append(
        Section(f"Accuracy and {size}", paragraph(FRONT.format(size, baseline.name), "note") + _fronts(comparison))
    )
    sections.append(Section("How it was made", _made(baseline, lines)))
    return sections


REGRET = (
    "{} of the best child less that of the search's choice, in points: mean over repetitions, and its 95 % "
    "interval. A step function of cost. Thin lines: exhaustive search. Both axes are logarithmic, regret down to 0.1."
)
ANYTIME = (
    "Area under the regret curve over log cost, from one evaluation to the budget, over that of random search without "
    "replacement in the same worlds: left of 1 is better. Open: not distinguishable after Holm's correction."
)
FINAL = (
    "Regret when the budget is spent: the bar holds the middle half of the searches, the line 10 % to 90 %, and the "
    "tick is the median."
)
ERT = (
    "Expected cost until the choice's true regret is at most so many points; searches that end before are restarted, "
    "and all that they spent is counted."
)
FRONT = (
    "Part of the hypervolume of accuracy and {0} that a search's front reaches: the networks that it trained in full "
    "and that no other beats in both, by the mean of what was seen of each. The table's own front reaches 1. Against "
    "{1} in the same worlds, after Holm's correction."
)


@styled
def regrets(name: str, curves: Mapping[str, Curve], lines: Mapping[str, float], unit: str) -> str:
    """Mean regret of each, with its band, on log axes."""
    from matplotlib.ticker import LogLocator, NullLocator

    canvas = Canvas(name, f"Mean regret against cost of {', '.join(curves)}", height=3.9)
    axes = canvas.axes
    axes.set_xscale("log")  # before anything is drawn: margins are then of these axes
    axes.set_yscale("symlog", linthresh=0.1, linscale=0.5)  # held-out regrets may be 0, or less
    for (label, one), colour, dash in zip(curves.items(), SERIES, DASHES, strict=False):
        axes.fill_between(one.cost, one.low * 100, one.high * 100, step="post", color=colour, alpha=0.15, linewidth=0)
        (line,) = axes.step(one.cost, one.mean * 100, where="post", color=colour, linestyle=dash, label=label)
        low, mid, high = one.quantiles[[0, 2, 4], -1] * 100
        end = f"at the end mean {one.mean[-1] * 100:.3f}, median {mid:.3f}, 10 to 90 %: {low:.3f} to {high:.3f}"
        canvas.note(line, f"{label}: {end}")
    for text, value in lines.items():
        if value > 0:
            (line,) = axes.plot(axes.get_xlim(), [value * 100] * 2, color=FAINT, linewidth=0.9)
            canvas.note(line, f"{text}: {value * 100:.3f}")
    first = next(iter(curves.values()))
    axes.set_xlim(first.cost[0], first.cost[-1])
    means = 100 * np.stack([one.mean for one in curves.values()])  # bands over two super-nets are wider than all
    low, high = means.min() * (0.7 if means.min() > 0 else 1.3) - 0.02, means.max() * 1.2
    axes.set_ylim(low, high)
    axes.set_yticks([tick for tick in (0, 0.1, 0.2, 0.3, 0.5, 1, 2, 3, 5, 10, 20, 50) if low <= tick <= high])
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())
    if first.cost[-1] < 1e6:
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xticks([tick for tick in 2.0 ** np.arange(20) if first.cost[0] <= tick <= first.cost[-1] * 1.001])
        axes.xaxis.set_minor_locator(NullLocator())
    else:  # matplotlib's own would be formulas, which a picture with text in it does not set
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(lambda cost, _: f"{cost:.0e}".replace("+", ""))
        axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(unit)
    axes.set_ylabel("regret (points)")
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2)
    return canvas.svg()


@styled
def forest(rows: Sequence[tuple[str, Estimate, str]]) -> str:
    """Anytime numbers with their intervals, best on top."""
    canvas = Canvas("forest", "Anytime number of each searcher with its interval", height=1.0 + 0.3 * len(rows))
    axes = canvas.axes
    axes.axvline(1, color=FAINT, linestyle="--", linewidth=1)
    for place, (name, value, verdict) in enumerate(rows):
        axes.hlines(place, value.low, value.high, color=FIRST, linewidth=1.6)
        face = "none" if verdict == "not distinguishable" else FIRST
        (mark,) = axes.plot(value.mean, place, "o", color=FIRST, markerfacecolor=face, markersize=5.5)
        canvas.note(mark, f"{name}: {value.mean:.3f} [{value.low:.3f}, {value.high:.3f}], {verdict}")
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel("area under the regret curve / random search's")
    return canvas.svg()


@styled
def final(rows: Mapping[str, tuple[float, ...]]) -> str:
    """Quantiles of the final regret, by QUANTILES."""
    canvas = Canvas("final", "Final regret of each searcher: quantiles over repetitions", height=1.0 + 0.3 * len(rows))
    axes = canvas.axes
    for place, (name, values) in enumerate(rows.items()):
        least, low, mid, high, most = (100 * value for value in values)
        axes.hlines(place, least, most, color=FAINT, linewidth=1.2)
        (bar,) = axes.barh(place, max(high - low, 1e-3), left=low, height=0.55, color=FIRST, alpha=0.55)
        spread = f"half between {low:.3f} and {high:.3f}, 80 % between {least:.3f} and {most:.3f}"
        canvas.note(bar, f"{name}: median {mid:.3f}, {spread}")
        axes.vlines(mid, place - 0.32, place + 0.32, color=INK, linewidth=1.6)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel("final regret (points)")
    return canvas.svg()


def _final_table(comparison: Comparison) -> str:
    columns = (
        Column("", "place by the anytime number"),
        Column("searcher", "its name and arguments", text=True),
        Column("anytime", "area under the regret curve over log cost, over the baseline's; lower is better"),
        Column("verdict", "of the anytime number, after Holm's correction", text=True),
        Column("regret", "final, in points; lower is better"),
        Column("95 %", "interval of the final regret", text=True),
        Column(f"against {comparison.baseline}", "of the final regret, after Holm's correction", text=True),
        Column("p", "of no difference in the final regret, Holm's"),
        Column("wins", "how often a search ends better in the same world; higher is better"),
        Column("best", "how often the choice is the best child"),
        Column("top 5", "how often it is one of the best five"),
        Column("rank", "expected rank of the choice, 1 the best"),
        Column("distinct", "networks trained"),
        Column("trials", "trainings, in part or in full"),
        Column("it thinks", "regret that the search believes it has: noise flattered it where this is less"),
        Column("ms", "of the searcher itself, a search"),
    )
    lines = [_final_line(place, row) for place, row in enumerate(comparison.rows, start=1)]
    notes = [paragraph(f"{row.name}: {shared(row)}.", "note") for row in comparison.rows if row.instances]
    return sortable(columns, lines, filters=Filters(find=1, choose={3: "any verdict"})) + "".join(notes)


def _final_line(place: int, row: Row) -> Line:
    return Line([
        Cell(place, str(place)),
        Cell.text(row.name),
        Cell.number(row.anytime.mean, 2),
        Cell.text(row.anytime_verdict),
        Cell(100 * row.final.mean, _points(row.final.mean)),
        Cell.text(f"{_points(row.final.low)} to {_points(row.final.high)}"),
        Cell.text(row.final_verdict),
        Cell(row.final_p, f"{row.final_p:.2g}"),
        *(Cell.number(value, 2) for value in (row.wins.mean, row.best_child, row.top5)),
        *(Cell.number(value, 1) for value in (row.rank, row.distinct, row.trials)),
        Cell(100 * row.observed_regret, _points(row.observed_regret)),
        Cell.number(row.thinking * 1000, 1),
    ])  # fmt: skip


def _ert_table(comparison: Comparison, unit: str) -> str:
    columns = [
        Column("", "place by the anytime number"),
        Column("searcher", "its name and arguments", text=True),
        *(Column(f"within {100 * delta:g}", f"expected cost until so near, in {unit}") for delta in DELTAS),
    ]
    lines = [
        Line([Cell(place, str(place)), Cell.text(row.name), *(
            Cell(value, "never" if math.isinf(value) else f"{value:.4g}") for value in row.ert
        )])
        for place, row in enumerate(comparison.rows, start=1)
    ]  # fmt: skip
    return sortable(columns, lines) + paragraph(f"In {unit}.", "note")


def _fronts(comparison: Comparison) -> str:
    head = ["searcher", "part", "95 % interval", f"against {comparison.baseline}", "p (Holm)"]
    rows = [
        [row.name, f"{row.front.mean:.4f}", f"{row.front.low:.4f} to {row.front.high:.4f}", row.front_verdict,
         f"{row.front_p:.2g}"]
        for row in sorted(comparison.rows, key=lambda row: -row.front.mean)
    ]  # fmt: skip
    return table(head, rows, cards=True)


def _made(baseline: SearchResult, lines: Mapping[str, float]) -> str:
    header = baseline.header
    rules = ", ".join(f"{key} {value}" for key, value in header["rules"].items() if value is not None)
    return facts({
        "table": f"{header['table']['name']}, {header['table']['digest']}",
        "children": children_of(baseline),
        "repetitions": f"{len(baseline)}, the same worlds for all",
        "budget": f"{baseline.budget:.6g} {UNITS[header['rules']['unit']]}",
        "rules": rules,
        "a random child": f"regret {100 * baseline.random_child:.3f}",
        **{name: f"regret {100 * value:.3f}" for name, value in lines.items()},
        "quantiles": ", ".join(f"{q:g}" for q in QUANTILES),
        "versions": ", ".join(f"{key} {value}" for key, value in header["versions"].items()),
    })  # fmt: skip


def children_of(result: SearchResult) -> str:
    """How many, how many networks these are, and how many of them may be chosen."""
    names, networks, chosen = len(result.truth), len(np.unique(result.networks)), int(result.candidates.sum())
    said = f"{names:,}"
    if networks < names:
        said += f" names of {networks:,} networks, each of which is met, counted and ranked once"
    return said if chosen == networks else f"{said}; {chosen:,} within the limit"


def _points(value: float) -> str:
    return number(100 * value)
