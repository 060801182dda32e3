"""The page of one result or several: the verdict, then what it rests on. What a result lacks is left out, and said.

    results_page([Result.load("full.json")], load("fashion14"))         # HTML
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nasbench_ws.errors import UsageError
from nasbench_ws.markup import escaped, number, paragraph, table
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.metrics.values import rankable
from nasbench_ws.report import figures
from nasbench_ws.report.canvas import prefixed
from nasbench_ws.report.frontier import ALIKE
from nasbench_ws.report.page import OnFigure, Section, facts, figure, page, unseen
from nasbench_ws.report.scatter import MOST_KINDS, Kinds, scatter
from nasbench_ws.report.sortable import Cell, Column, Line, sortable
from nasbench_ws.results.assess import rankable_taus
from nasbench_ws.results.compare import Comparison, compare, modes_beside, name_of, names_beside, shared_mode
from nasbench_ws.results.html import summary
from nasbench_ws.results.interference import by_distance, matrix
from nasbench_ws.results.result import Result
from nasbench_ws.results.text import LABELS, LOW_IS_GOOD, SAID, cost_text, directed
from nasbench_ws.results.truth import GroundTruth, children_of, once
from nasbench_ws.tables.over_seeds import deviation_over


def results_page(results: Sequence[Result], truth: GroundTruth | None, *, on_figure: OnFigure = unseen) -> str:
    """HTML. `truth` is the table to measure against, again where it is another one; None where none is at hand.

    UsageError for no result, ResultError for a table of other children.
    """
    if not results:
        raise UsageError("no result to report; give at least one file of `nasbench-ws evaluate -o FILE`")
    again = [truth is not None and result.assessment.table.digest != truth.digest for result in results]
    if truth is not None:
        truth = once(truth)
        results = [result.against(truth) if stale else result for result, stale in zip(results, again, strict=True)]
        results = [result.among(truth) for result in results]
    sections = [_side_by_side(results)] if len(results) > 1 else []
    if any(again):
        text = f"{sum(again)} of {len(results)} were evaluated with another table; here they are measured against this."
        sections.insert(0, Section("Measured again", paragraph(text, "note")))
    for place, (result, name) in enumerate(zip(results, names_beside(results), strict=True), start=1):
        part = f"{place}. {name}" if len(results) > 1 else ""
        sections += _one(result, truth, part, place, on_figure, len(results))
    names = ", ".join(sorted({result.assessment.table.name for result in results}))
    title = f"{name_of(results[0]) if len(results) == 1 else f'{len(results)} results'} on {names}"
    return page(title, sections, about=_about(results))


def _about(results: Sequence[Result]) -> str:
    """What the page is."""
    outcome, table = results[0].outcome, results[0].assessment.table
    if len(results) > 1:
        return f"{len(results)} ways to rank the {len(outcome.children)} children of {table.name}, side by side."
    what = f"{outcome.steps:,} steps a super-net, matched in {outcome.match}" if outcome.match else "nothing is trained"
    return (
        f"How {name_of(results[0])} ranks the {len(outcome.children)} children of {table.name}: "
        f"{outcome.instances} instances, {what}."
    )


def _scatter(result: Result, truth: GroundTruth) -> str | None:
    scores = result.scores
    if not np.isfinite(scores).any():
        return None
    tau = result.metrics["kendall_tau"].mean if "kendall_tau" in result.metrics else np.nan
    what = "" if result.outcome.accuracies else result.outcome.batch_norm or result.outcome.strategy
    return scatter(_names(truth), truth.truth, _spread(truth), scores, _tied(scores), _deciding(truth), tau, what)


def _deciding(truth: GroundTruth) -> Kinds | None:
    """The operations of the edge that explains most of the truth's variance; None where marks do not suffice."""
    children = children_of(truth)
    space = children[0].space
    if len(space.operations) > MOST_KINDS:
        return None
    choices = np.array([child.choices for child in children])  # (n, edges)
    between = [
        sum(
            float(own.sum()) * float(truth.truth[own].mean() - truth.truth.mean()) ** 2
            for number in range(len(space.operations))
            if (own := choices[:, edge] == number).any()
        )
        for edge in range(choices.shape[1])
    ]
    most = int(np.argmax(between))
    a, b = space.edges[most]
    return Kinds(choices[:, most], space.operations, f"operation on edge {a}-{b}, which decides most")


def _ranks(result: Result, truth: GroundTruth) -> str | None:
    seeds = result.outcome.seeds
    usable = {seed: kept[0] for seed, row in zip(seeds, result.scores, strict=True) if len(kept := rankable([row]))}
    if len(usable) < 2:
        return None
    from scipy.stats import rankdata  # a second of the processor, for this figure alone

    ranked = rankdata(-np.array(list(usable.values())), axis=1)
    return figures.ranks(_names(truth), truth.truth, ranked, list(usable))


def _window(result: Result, truth: GroundTruth) -> str | None:
    window = result.outcome.window
    if window is None:
        return None
    taus = np.array([rankable_taus(one, truth.truth) for one in window.scores])
    return figures.window(taus, *_levels(result), result.outcome.seeds)


def _progress(result: Result, truth: GroundTruth) -> str | None:
    trace = result.outcome.trace
    labels = {name: f"{name.replace('accuracy', 'accuracy of each child', 1)}" for name in trace if "accuracy" in name}
    labels |= {"logp": "log-probability of each child"} if "logp" in trace else {}
    taus = {
        label: np.array([rankable_taus(one, truth.truth) for one in trace[name]]) for name, label in labels.items()
    }
    return figures.progress(trace["progress"].mean(axis=0), taus, *_levels(result)) if taus else None


def _tuning(result: Result, truth: GroundTruth) -> str | None:
    tuned = result.assessment.readouts.fine_tune
    if not tuned:
        return None
    taus = {mode: {int(steps): one for steps, one in by_steps.items()} for mode, by_steps in tuned.items()}
    return figures.tuning(taus, *_levels(result))


def _interference(result: Result, truth: GroundTruth) -> str | None:
    found = result.outcome.readouts.interference
    if not found:
        return None
    children = children_of(truth)
    alike = [child.choices[0] for child in children].count(children[0].choices[0])
    return figures.interference(matrix(found, len(truth)), _names(truth), alike)


FIGURES: Mapping[str, Callable[[Result, GroundTruth], str | None]] = {
    "scatter": _scatter, "ranks": _ranks, "window": _window, "progress": _progress, "tuning": _tuning,
    "interference": _interference,
}  # fmt: skip
HEADINGS = {  # title, what is seen, and why it may not be
    "scatter": (
        "Scores against the ground truth",
        "A point a child; hover for its name. Bars are standard deviations: across, between the table's seeds; up, "
        "between instances. An open point has the same score as another child in some instance; a triangle at the edge "
        "is a child far off the others.",
        "every instance diverged",
    ),
    "ranks": (
        "Ranks across instances",
        "Where the instances rank each child: a dot an instance, over a pale bar from the best to the worst (of many, "
        "the bar holds the middle half, the line all); the tick is the median. On the dashed line the rank is the true "
        "one.",
        "it takes two instances or more",
    ),
    "window": (
        "Over the last steps",
        "Kendall tau after each of the last steps of training, a line an instance.",
        "snapshots were not taken; evaluate with --last K",
    ),
    "progress": (
        "Correlation against progress",
        "Kendall tau of what could be read off at some points of the training: mean over instances, and range. "
        "Accuracies on the way are of some validation images alone, so that the last point is not the verdict's tau.",
        "",
    ),
    "tuning": (
        "After fine-tuning",
        "Each child is trained alone for some steps from the super-net's weights, then scored. How much of a gain is "
        "batch norm's shows between the lines.",
        "it was not measured; evaluate with --fine-tune 0,5,10",
    ),
    "interference": (
        "Interference",
        "Each child (row) is trained for some steps from the same snapshot; the columns are how all children's "
        "accuracy changes. Mean over instances.",
        "it was not measured; evaluate with --interference N",
    ),
}  # fmt: skip


def _one(
    result: Result, truth: GroundTruth | None, part: str, place: int, on_figure: OnFigure, many: int
) -> list[Section]:
    """The sections of one result, the place-th of many."""
    sections = [Section("Verdict", summary(result.outcome, result.assessment, cards=True), part)]
    left_out = []
    for number_, (name, draw) in enumerate(FIGURES.items()):
        on_figure((place - 1) * len(FIGURES) + number_, many * len(FIGURES))
        title, caption, why = HEADINGS[name]
        if truth is None:
            left_out.append(f"{title}: the table is not at hand.")
            continue
        drawn = draw(result, truth)
        if drawn is None:
            left_out += [f"{title}: {why}."] if why else []  # of what this kind of result never has nothing is said
            continue
        body = figure(prefixed(drawn, f"r{place}"), caption)
        body += _by_distance(result, truth) if name == "interference" else ""
        sections.append(Section(title, body, part))
    if left_out:
        sections.append(Section("Left out", "".join(paragraph(text, "note") for text in left_out), part))
    sections.append(Section("How it was made", _made(result), part))
    return sections


def _by_distance(result: Result, truth: GroundTruth) -> str:
    found = by_distance(matrix(result.outcome.readouts.interference, len(truth)), children_of(truth))
    rows = [[f"Hamming distance {name}", f"{value * 100:+.2f}"] for name, value in found["distance"].items()]
    edges = {name.replace("->", "-"): value for name, value in found["edge"].items()}
    rows += [[f"distance 1, by edge {name}", f"{value * 100:+.2f}"] for name, value in edges.items()]
    return table(["children", "mean change (points)"], rows, cards=True)


def _side_by_side(results: Sequence[Result]) -> Section:
    modes = modes_beside(results, shared_mode(results))
    each = zip(results, modes, names_beside(results, modes), strict=True)
    ranked = [(one, mode, name) for one, mode, name in each if "kendall_tau" in one.under(mode)]
    rows = [_row(*one) for one in ranked]
    rows.sort(key=lambda row: -row.mean)
    if not rows:
        return Section("Side by side", paragraph("Every instance of every result diverged.", "note"))
    front = [not any(_beats(other, row) for other in rows) for row in rows]
    levels = _levels(results[0])
    body = figure(figures.strategies(rows, *levels), "Mean over instances, best first.")
    costs = [row.macs for row in rows]
    if max(costs) > ALIKE * min(costs):
        body += figure(
            figures.pareto(rows, front),
            "On the front (filled, joined): no other strategy here has a higher Kendall tau for as much training or "
            "less.",
        )
    else:
        body += paragraph("All cost the same within 5 %: there is no front to draw.", "note")
    body += _metrics(ranked)
    try:
        body += _pairs(compare(results))
    except UsageError as error:  # not of one match: the figures stand, a test does not
        body += paragraph(f"No differences: {error}.", "note")
    return Section("Side by side", body)


def _metrics(results: Sequence[tuple[Result, str, str]]) -> str:
    """Every metric of every result by its mode, under its name; the best of each row is bold, by its direction."""
    known = [name for name in LABELS if all(name in result.under(mode) for result, mode, _ in results)]
    columns = [
        Column("metric", "hover over a name for what it is; up: higher is better, down: lower", text=True),
        *(Column(name, f"{result.outcome.instances} instances") for result, _, name in results),
    ]
    lines = []
    for name in known:
        means = [result.under(mode)[name].mean for result, mode, _ in results]
        best = (min if name.startswith(LOW_IS_GOOD) else max)(means)
        cells = [Cell(mean, f"<b>{number(mean)}</b>" if mean == best else number(mean)) for mean in means]
        label = f'<span title="{escaped(SAID[name])}">{escaped(directed(name))}</span>'
        lines.append(Line([Cell(LABELS[name], label), *cells]))
    return sortable(columns, lines, name=0)


def _beats(a: figures.Row, b: figures.Row) -> bool:
    """No worse in both, and not the same."""
    return a.mean >= b.mean and a.macs <= b.macs and (a.mean, a.macs) != (b.mean, b.macs)


def _pairs(found: Comparison) -> str:
    rows = [
        [f"{pair.first} - {pair.second}", f"{one.mean:+.3f}", f"[{number(one.interval[0], sign=True)}, "
         f"{number(one.interval[1], sign=True)}]", " and ".join(map(str, one.n)), number(one.detectable), pair.verdict]
        for pair in found.pairs
        for one in [pair.difference]
    ]  # fmt: skip
    note = (
        f"Differences of Kendall tau, unpaired, matched in {found.match}. A difference as large as in the column "
        "detectable would have been detected with a chance of 80 %."
    )
    head = ["difference", "mean", "95 % interval", "instances", "detectable", "verdict"]
    return paragraph(note, "note") + table(head, rows, cards=True)


def _made(result: Result) -> str:
    outcome, cost, truth = result.outcome, result.outcome.cost, result.assessment.table
    nets = "1 super-net" if cost.super_nets == 1 else f"{cost.super_nets} super-nets"
    values = {
        "instances": f"{outcome.instances}, seeds {', '.join(map(str, outcome.seeds))}",
        "batch norm": outcome.batch_norm,
        "cost of an instance": f"{cost_text(cost)}; {nets}; matched in {outcome.match}",
        "diverged": len(outcome.diverged) or "none",
        "plan": _joined(outcome.plan),
        "recipe": _joined(outcome.recipe),
        "versions": _joined(outcome.versions),
        "table": f"{truth.name}, digest {truth.digest}",
    }
    if outcome.device is not None:
        values["device"] = outcome.device
    if outcome.code is None:
        return facts(values)
    code = outcome.code
    values |= {"source": f"{code.name}, sha256 {code.sha256}"}
    values |= {f"imports {name}": f"sha256 {digest}" for name, digest in code.helpers.items()}
    cut = "" if code.whole else f" (the first {len(code.text):,} of {code.characters:,} characters)"
    source = f"<pre>{escaped(code.text)}</pre>"
    return facts(values) + f"<details><summary>The source of {escaped(code.name)}{cut}</summary>{source}</details>"


def _joined(data: Mapping[str, Any]) -> str:
    shown = ((key, " and ".join(map(str, x)) if isinstance(x, list | tuple) else x) for key, x in data.items())
    return ", ".join(f"{key} {value}" for key, value in shown if value not in ("", None, 0))


def _row(result: Result, mode: str, name: str) -> figures.Row:
    tau = result.under(mode)["kendall_tau"]
    return figures.Row(name, tau.mean, *tau.interval, float(result.outcome.cost.macs))


def _levels(result: Result) -> tuple[float, float]:
    """Bound and parameter count, NaN where there is none."""
    found = result.assessment
    return found.ceiling.all.perfect.mean, found.baselines["params"]["kendall_tau"].mean


def _tied(scores: Array) -> npt.NDArray[np.bool_]:
    """Children that share their score with another in some instance."""
    equal = scores[:, :, None] == scores[:, None, :]
    tied: npt.NDArray[np.bool_] = (equal.sum(axis=2) > 1).any(axis=0)
    return tied


def _names(truth: GroundTruth) -> list[str]:
    return [child.name for child in children_of(truth)]


def _spread(truth: GroundTruth) -> Array:
    """Between seeds of each child; 0 of one seed."""
    by_seed = truth.by_seed("truth")
    return np.nan_to_num(deviation_over(by_seed, np.isfinite(by_seed), truth.truth))
