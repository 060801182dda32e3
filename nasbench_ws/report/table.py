"""The page of a table: what its children reach, how much of it is noise, and what it cost.

    table_page(load("fashion14"))         # HTML
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from nasbench_ws.markup import number, paragraph, table
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.metrics.ceiling import whole_rankings
from nasbench_ws.metrics.rank import kendall_tau, pearson, spearman
from nasbench_ws.report import table_figures as figures
from nasbench_ws.report.canvas import prefixed
from nasbench_ws.report.child import draw_child
from nasbench_ws.report.explained import explained, followed, sentences
from nasbench_ws.report.frontier import frontier
from nasbench_ws.report.page import OnFigure, Section, facts, figure, page, unseen
from nasbench_ws.results.result import Result
from nasbench_ws.results.truth import GroundTruth, judged
from nasbench_ws.results.yardstick import yardstick
from nasbench_ws.seeds import derive
from nasbench_ws.space.isomorphism import sees_image
from nasbench_ws.tables.over_seeds import alike, deviation_over, mean_over, seeds_each
from nasbench_ws.tables.table import Entry, Table

PAIRS = 60  # of two disjoint sets of seeds, drawn at random where there are more
MEANS = "A child's accuracy is the mean over its seeds."
DRAWN = 3  # children at either end
MOST = 500  # points of a figure: a page of 15,625 would take seconds to show


def table_page(
    truth: Table, net: Result | None = None, *, results: Sequence[Result] = (), allow_missing: bool = False,
    on_figure: OnFigure = unseen,
) -> str:  # fmt: skip
    """HTML; `net` is a super-net's result, for what its scores follow, and `results` stand in tau against cost.

    TableError where a child has no accuracy; with `allow_missing` the page is of the others.
    """
    yard = judged(truth, allow_missing)
    places = np.array(getattr(yard, "places", range(len(truth))))
    accuracy, by_seed = yard.truth, yard.by_seed("truth")
    some = _shown(places)
    names = [truth.space[i].name for i in places[some].tolist()]
    note = "" if len(some) == len(places) else f" {len(some):,} children, drawn at random, stand for all."
    explains = len(places) == truth.firsts.sum() and truth.has("params")
    parts: list[Callable[[], Section | None]] = [
        lambda: Section("In a sentence", paragraph(_sentence(truth, places, accuracy), "verdict")),
        lambda: Section("Accuracies", figure(figures.distribution(accuracy, _what(truth)), MEANS)),
        lambda: Section("By operation and edge", _operations(truth, places, accuracy)),
        lambda: _curves(truth, names, accuracy, truth.content.shape[2], places),
        lambda: _seeds(names, accuracy, by_seed, some, note, _what(truth)),
        lambda: _explained(truth, net) if explains else None,
        lambda: _reach(yard),
        lambda: _agreements(accuracy, by_seed[:, whole_rankings(by_seed)]),
        lambda: frontier(truth, yard, results),
        lambda: _cost(truth, names, accuracy, places, some, note) if truth.has("params") else None,
        lambda: Section("The best and the worst", _drawn(truth, places, accuracy)),
        lambda: Section("Recipe and digests", _made(truth)),
    ]
    sections = []
    for done, make in enumerate(parts):
        on_figure(done, len(parts))
        sections += [one for one in [make()] if one is not None]
    return page(f"The table {truth.name}", sections)


def _shown(places: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Which of the children are drawn as points: all, or MOST of them, the same for everyone."""
    if len(places) <= MOST:
        return np.arange(len(places))
    rng = np.random.Generator(np.random.PCG64(derive("points of a page", len(places))))
    return np.sort(rng.choice(len(places), MOST, replace=False))


def _what(truth: Table) -> str:
    return truth.truth_name.replace("valid_", "validation ").replace("_", " ")


def _sentence(truth: Table, places: npt.NDArray[np.intp], accuracy: Array) -> str:
    children, seeds, _ = truth.content.shape
    what = _what(truth)
    best, worst = (int(places[pick(accuracy)]) for pick in (np.argmax, np.argmin))
    ends = " to ".join(f"{truth.query(i).truth.mean:.4f} ({truth.space[i].name})" for i in (worst, best))
    if truth.foreign:
        of = "All" if truth.part is None else f"{children:,} of the"
        images, most = truth.content.attributes["images"], f"{seeds} seed{'s' if seeds > 1 else ''}"
        return (
            f"{of} {len(truth):,} children of {truth.space.name} as others trained them on {images}, with up to {most} "
            f"each: {what} {ends}."
        )
    absent = truth.absent()
    networks = int(truth.firsts.sum())
    every = "All" if networks == children else f"The {networks} different networks among the"
    blind = [truth.space[i].name for i in places if not sees_image(truth.space[int(i)], truth.macro.output)]
    follows = f" The output of {' and '.join(blind)} does not depend on the image." if blind else ""
    follows += f" What follows is of the {len(places)} children that lack no run." if len(places) < networks else ""
    return (
        f"{every} {children} children of {truth.space.name} trained alone on {truth.recipe.images} with "
        f"{seeds_each(truth)} seeds each, {int(truth.planned[truth.firsts].sum())} runs, {len(absent) or 'none'} of "
        f"them missing: {what} {ends}.{follows}"
    )


def _operations(truth: Table, places: npt.NDArray[np.intp], accuracy: Array) -> str:
    base, edges = len(truth.space.operations), truth.space.edges
    groups = {
        f"{edge[0]} to {edge[1]}": {
            name: accuracy[places // base ** (len(edges) - 1 - place) % base == operation]
            for operation, name in enumerate(truth.space.operations)
        }
        for place, edge in enumerate(edges)
    }
    caption = "Children that have the operation on that edge; the box holds their middle half, the line is the median."
    if len(places) > figures.MANY:
        caption = caption.replace("is the median.", "is the median, and the whiskers go from 5 % to 95 %.")
    return figure(figures.operations(groups, _what(truth)), caption)


def _curves(
    truth: Table, names: list[str], accuracy: Array, points: int, places: npt.NDArray[np.intp]
) -> Section:
    title = "Learning curves"
    if points < 2 or truth.foreign or np.isnan(truth.curves("valid_accuracy")).all():
        return Section(title, paragraph("Left out: the table has no curves.", "note"))
    mean = truth.mean_curves("valid_accuracy")[places]
    caption = "In colour the quarter that ends best and the one that ends worst. The rate falls to 0 at the end."
    return Section(title, figure(figures.curves(names, truth.epochs, mean, accuracy), caption))


def _seeds(
    names: list[str], accuracy: Array, by_seed: Array, some: npt.NDArray[np.intp], note: str, what: str
) -> Section:
    title = "Spread between seeds"
    if by_seed.shape[1] < 2:
        return Section(title, paragraph("Left out: every child has one seed.", "note"))
    there = np.isfinite(by_seed)
    known = deviation_over(by_seed, there, mean_over(by_seed, there))
    several = np.isfinite(known)
    if not several.any():
        return Section(title, paragraph("Left out: every child has one seed.", "note"))
    spread = np.where(several, known, 0.0)
    caption = (
        f"Between seeds of a child {spread[several].mean() * 100:.2f} points on average; between the children's means "
        f"{accuracy.std(ddof=1) * 100:.2f}.{note}"
    )
    return Section(title, figure(figures.seeds(names, accuracy[some], spread[some], what), caption))


def _explained(truth: Table, net: Result | None) -> Section | None:
    said = sentences(explained(truth), followed(truth, net) if net is not None else None)
    return Section("What explains this table", paragraph(" ".join(said).replace("`", ""))) if said else None


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
    return Section("What can be reached", table(head, rows, cards=True) + paragraph(text, "note"))


def _agreements(accuracy: Array, by_seed: Array) -> Section:
    title, count = "How well seeds agree", by_seed.shape[1]
    whole = np.isfinite(by_seed).all(axis=1)
    accuracy, by_seed = accuracy[whole], by_seed[whole]
    if count < 2 or whole.sum() < 4:
        return Section(title, paragraph("Left out: it takes two seeds or more.", "note"))
    counts = list(range(1, count // 2 + 1))
    best = accuracy >= np.quantile(accuracy, 0.75)
    lines = {
        "all children": [_agreement(by_seed, k) for k in counts],
        f"the best quarter ({best.sum()})": [_agreement(by_seed[best], k) for k in counts],
    }
    caption = "How well the mean of k seeds ranks the children as another k seeds do: two noisy rankings, and no bound."
    rows = [
        ["1 seed" if k == 1 else f"{k} seeds", *(number(values[i]) for values in lines.values())]
        for i, k in enumerate(counts)
    ]
    body = figure(figures.agreements(counts, lines), caption) + table(["in each mean", *lines], rows, cards=True)
    return Section(title, body)


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


def _cost(
    truth: Table, names: list[str], accuracy: Array, places: npt.NDArray[np.intp], some: npt.NDArray[np.intp], note: str
) -> Section:
    params, seconds = truth.column("params")[places].astype(float), truth.by_seed("seconds")[places]
    text = (
        f"Parameter count alone ranks the children with Kendall tau {kendall_tau(params, accuracy):.2f} (Spearman "
        f"{spearman(params, accuracy):.2f}, Pearson {pearson(params, accuracy):.2f}): what a super-net has to beat."
    )
    if np.isfinite(seconds).any():
        hours = np.nansum(seconds) / 3600
        how, same = "as others give them" if truth.foreign else "by the clock", alike(truth)
        where = "" if same[truth.planned].all() else " of those of the machine that made most"
        median = np.nanmedian(seconds[same[places]])
        text += f" The runs took {hours:,.1f} hours {how}, {median:.0f} s each at the median{where}."
    return Section("Cost", figure(figures.cost(names, params[some], accuracy[some], _what(truth)), text + note))


def _drawn(truth: Table, places: npt.NDArray[np.intp], accuracy: Array) -> str:
    order = places[np.argsort(-accuracy, kind="stable")].tolist()
    ranked = [*enumerate(order, start=1)]
    parts = [
        figure(prefixed(draw_child(truth.space[i]), truth.space[i].name), _caption(truth.query(i), place, len(order)))
        for place, i in ranked[:DRAWN] + ranked[-DRAWN:]
    ]
    return f'<div class="cells">{"".join(parts)}</div>'


def _caption(entry: Entry, place: int, count: int) -> str:
    mean, std, _ = entry.truth
    size = "" if entry.params is None else f", {entry.params:,} parameters"
    return f"{entry.name}: {place} of {count}, {mean:.4f} +- {number(std, 4)}{size}"


def _made(truth: Table) -> str:
    attributes = truth.content.attributes
    if truth.foreign:
        return facts({
            "source": attributes["source"], "images": attributes["images"], "table digest": truth.digest,
            "licence": attributes["licence"], "citation": attributes["citation"],
        })  # fmt: skip
    recipe = ", ".join(f"{key} {value}" for key, value in truth.recipe.to_dict().items() if value not in ("", 0))
    made_on = "; ".join(
        f"{one.get('device', '')} ({', '.join(f'{k} {v}' for k, v in dict(one.get('versions', {})).items())})"
        for one in truth.content.environments
    )
    return facts({
        "recipe": recipe, "made on": made_on, "images digest": attributes["images_digest"],
        "table digest": truth.digest, "licence": attributes["licence"],
        "citation": attributes["citation"],
    })  # fmt: skip
