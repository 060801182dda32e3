"""The page of a table: what its children reach, how much of it is noise, and what it cost.

    table_page(load("fashion14"))         # HTML
"""

from __future__ import annotations

import itertools

import numpy as np

from nasbench_ws.markup import number, paragraph, table
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.metrics.rank import kendall_tau, pearson, spearman
from nasbench_ws.report import figures
from nasbench_ws.report.canvas import prefixed
from nasbench_ws.report.child import draw_child
from nasbench_ws.report.explained import explained, followed, sentences
from nasbench_ws.report.page import Section, facts, figure, page
from nasbench_ws.results.result import Result
from nasbench_ws.results.truth import GroundTruth, children_of, judged
from nasbench_ws.results.yardstick import yardstick
from nasbench_ws.seeds import derive
from nasbench_ws.space.cell import Architecture
from nasbench_ws.tables.table import Entry, Table

PAIRS = 60  # of two disjoint sets of seeds, drawn at random where there are more
DRAWN = 3  # children at either end


def table_page(truth: Table, net: Result | None = None, *, allow_missing: bool = False) -> str:
    """HTML; `net` is a super-net's result, for what its scores follow.

    TableError where a child has no accuracy; with `allow_missing` the page is of the others.
    """
    known = judged(truth, allow_missing)
    own, accuracy, by_seed = children_of(known), known.truth, known.by_seed("truth")
    names = [child.name for child in own]
    children, seeds, points = truth.content.shape
    recipe, absent = truth.recipe, truth.absent()
    best, worst = (truth.query(own[place]) for place in (accuracy.argmax(), accuracy.argmin()))
    text = (
        f"All {children} children of {truth.space.name} trained alone on {recipe.images} with {seeds} seeds each, "
        f"{children * seeds} runs, {len(absent) or 'none'} of them missing: test accuracy "
        f"{worst.test_accuracy.mean:.4f} ({worst.name}) to {best.test_accuracy.mean:.4f} ({best.name})."
    )
    if len(own) < children:
        text += f" What follows is of the {len(own)} children that lack no run."
    sections = [
        Section("In a sentence", paragraph(text, "verdict")),
        Section("Accuracies", figure(figures.distribution(accuracy), "A child's accuracy is the mean over its seeds.")),
        Section("By operation and edge", _operations(own, accuracy)),
        _curves(truth, own, accuracy, points),
        _seeds(names, accuracy, by_seed),
        *(_explained(truth, net) if len(own) == children else []),
        _reach(known),
        _agreements(accuracy, by_seed),
        _cost(truth, known, names, accuracy),
        Section("The best and the worst", _drawn(truth, len(own))),
        Section("Recipe and digests", _made(truth)),
    ]
    return page(f"The table {truth.name}", sections)


def _operations(children: list[Architecture], accuracy: Array) -> str:
    space = children[0].space
    groups = {
        f"{edge[0]} to {edge[1]}": {
            name: accuracy[[i for i, child in enumerate(children) if child.operation(edge) == name]]
            for name in space.operations
        }
        for edge in space.edges
    }
    caption = "Children that have the operation on that edge; the box holds their middle half, the line is the median."
    return figure(figures.operations(groups), caption)


def _curves(truth: Table, children: list[Architecture], accuracy: Array, points: int) -> Section:
    title = "Learning curves"
    if points < 2 or np.isnan(truth.curves("valid_accuracy")).all():
        return Section(title, paragraph("Left out: the table has no curves.", "note"))
    mean = truth.curves("valid_accuracy")[[child.index for child in children]].mean(axis=1)
    names = [child.name for child in children]
    caption = "In colour the quarter that ends best and the one that ends worst. The rate falls to 0 at the end."
    return Section(title, figure(figures.curves(names, truth.epochs, mean, accuracy), caption))


def _seeds(names: list[str], accuracy: Array, by_seed: Array) -> Section:
    title = "Spread between seeds"
    if by_seed.shape[1] < 2:
        return Section(title, paragraph("Left out: every child has one seed.", "note"))
    spread = by_seed.std(axis=1, ddof=1)
    caption = (
        f"Between seeds of a child {spread.mean() * 100:.2f} points on average; between the children's means "
        f"{accuracy.std(ddof=1) * 100:.2f}."
    )
    return Section(title, figure(figures.seeds(names, accuracy, spread), caption))


def _explained(truth: Table, net: Result | None) -> list[Section]:
    said = sentences(explained(truth), followed(truth, net) if net is not None else None)
    return [Section("What explains this table", paragraph(" ".join(said).replace("`", "")))] if said else []


def _reach(truth: GroundTruth) -> Section:
    reach = yardstick(truth).reach
    rows = [
        [name, number(one.bound), number(one.bound_std), number(one.standalone)]
        for name, one in (("Kendall tau", reach["kendall_tau"]), ("partial tau", reach["partial_tau"]))
    ]
    text = (
        "Bound: what a ranking that knew the true means can be expected to reach, with its deviation over tables. One "
        "standalone training of every child, ranked by validation accuracy as super-nets are, is a reference."
    )
    head = ["metric", "bound", "its deviation", "one standalone training"]
    return Section("What can be reached", table(head, rows) + paragraph(text, "note"))


def _agreements(accuracy: Array, by_seed: Array) -> Section:
    title, count = "How well seeds agree", by_seed.shape[1]
    if count < 2:
        return Section(title, paragraph("Left out: it takes two seeds or more.", "note"))
    counts = list(range(1, count // 2 + 1))
    best = accuracy >= np.quantile(accuracy, 0.75)
    lines = {
        "all children": [_agreement(by_seed, k) for k in counts],
        f"the best quarter ({best.sum()})": [_agreement(by_seed[best], k) for k in counts],
    }
    caption = "How well the mean of k seeds ranks the children as another k seeds do: two noisy rankings, and no bound."
    rows = [[k, *(number(values[i]) for values in lines.values())] for i, k in enumerate(counts)]
    return Section(title, figure(figures.agreements(counts, lines), caption) + table(["seeds", *lines], rows))


def _agreement(by_seed: Array, k: int) -> float:
    """Mean Kendall tau between means of two disjoint sets of k seeds: every pair, or PAIRS random ones."""
    seeds = range(by_seed.shape[1])
    pairs = [
        (first, second)
        for first in itertools.combinations(seeds, k)
        for second in itertools.combinations([s for s in seeds if s not in first], k)
        if first < second
    ]
    if len(pairs) > PAIRS:
        rng = np.random.Generator(np.random.PCG64(derive("ceiling by seeds", str(k))))
        pairs = [pairs[i] for i in rng.choice(len(pairs), PAIRS, replace=False)]
    return float(np.mean([kendall_tau(by_seed[:, a].mean(axis=1), by_seed[:, b].mean(axis=1)) for a, b in pairs]))


def _cost(truth: Table, known: GroundTruth, names: list[str], accuracy: Array) -> Section:
    params, seconds = known.column("params").astype(float), truth.by_seed("seconds")
    text = (
        f"Parameter count alone ranks the children with Kendall tau {kendall_tau(params, accuracy):.2f} (Spearman "
        f"{spearman(params, accuracy):.2f}, Pearson {pearson(params, accuracy):.2f}): what a super-net has to beat."
    )
    if np.isfinite(seconds).any():
        hours = np.nansum(seconds) / 3600
        text += f" The runs took {hours:.1f} hours by the clock, {np.nanmedian(seconds):.0f} s each at the median."
    return Section("Cost", figure(figures.cost(names, params, accuracy), text))


def _drawn(truth: Table, count: int) -> str:
    best = truth.best("test_accuracy", count)
    parts = [
        figure(prefixed(draw_child(entry.architecture), entry.name), _caption(entry, place, len(best)))
        for place, entry in [*enumerate(best, start=1)][:DRAWN] + [*enumerate(best, start=1)][-DRAWN:]
    ]
    return f'<div class="cells">{"".join(parts)}</div>'


def _caption(entry: Entry, place: int, count: int) -> str:
    mean, std, _ = entry.test_accuracy
    return f"{entry.name}: {place} of {count}, {mean:.4f} +- {number(std, 4)}, {entry.params:,} parameters"


def _made(truth: Table) -> str:
    recipe = ", ".join(f"{key} {value}" for key, value in truth.recipe.to_dict().items() if value not in ("", 0))
    attributes = truth.content.attributes
    made_on = "; ".join(
        f"{one.get('device', '')} ({', '.join(f'{k} {v}' for k, v in dict(one.get('versions', {})).items())})"
        for one in truth.content.environments
    )
    return facts({
        "recipe": recipe, "made on": made_on, "images digest": attributes["images_digest"],
        "table digest": truth.digest, "licence": attributes["licence"],
        "citation": attributes["citation"],
    })  # fmt: skip
