"""The card of a table: what it is, how it was made and what to expect, every figure computed from the table.

    Path("data/README.md").write_text(card(load("fashion14")))

Headings follow the datasheet habit (what, why, how, known limits).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nasbench_ws.errors import UsageError
from nasbench_ws.markup import number
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.metrics.rank import kendall_tau, pearson, spearman
from nasbench_ws.report.explained import explained, followed, sentences
from nasbench_ws.report.more_seeds import more_seeds
from nasbench_ws.results.result import Result
from nasbench_ws.results.truth import children_of, judged
from nasbench_ws.results.yardstick import ceilings, yardstick
from nasbench_ws.space.cell import Architecture, Space
from nasbench_ws.space.isomorphism import sees_image
from nasbench_ws.tables.over_seeds import machines, seeds_each
from nasbench_ws.tables.table import Table

_BY_CLASS = (
    "The original {0} training images are divided, by class, into {1} for training and {2} for validation; the 10,000 "
    "test images are the original ones."
)
IMAGES = {  # what is known of a data set beside its name and digest
    "fashion14": "Fashion-MNIST (70,000 images, MIT licence, (c) 2017 Zalando SE), each 2x2 window averaged to give "
    "14x14 grey images. " + _BY_CLASS.format("60,000", "50,000", "10,000"),
    "fashion-mnist": "Fashion-MNIST (70,000 grey images of 28x28, MIT licence, (c) 2017 Zalando SE). "
    + _BY_CLASS.format("60,000", "50,000", "10,000"),
    "cifar10": "CIFAR-10 (60,000 colour images of 32x32 in 10 classes; Krizhevsky, 2009). "
    + _BY_CLASS.format("50,000", "40,000", "10,000"),
    "cifar100": "CIFAR-100 (60,000 colour images of 32x32 in 100 classes; Krizhevsky, 2009). "
    + _BY_CLASS.format("50,000", "40,000", "10,000"),
}
PUBLISHED_IMAGES = {  # of tables that others trained, whose splits are theirs
    "cifar10": "CIFAR-10, as its authors divided it; this package has not seen their images.",
}


def card(table: Table, against: Sequence[Table] = (), net: Result | None = None, *, allow_missing: bool = False) -> str:
    """The card as Markdown.

    Args:
        table: which one.
        against: other tables, to state how far they agree with it.
        net: a super-net's result on it, to state what its scores follow.
        allow_missing: leave out children whose runs the table lacks, and say so.

    TableError where a child has no truth and none may be left out.
    """
    counted = judged(table, allow_missing)
    recipe, by_seed, truth, own = table.recipe, counted.by_seed("truth"), counted.truth, children_of(counted)
    points = len(table.epochs)
    params = counted.column("params").astype(float)
    yard = yardstick(counted)
    found, reach = yard.ceiling, yard.reach
    pooled = ~without_pooling(table.space)[[child.index for child in own]]
    plain = [("without pooling", ceilings(by_seed[~pooled]).all)] if pooled.any() else []
    entries = [table.query(child) for child in own]
    best = sorted(entries, key=lambda entry: -entry.test_accuracy.mean)[:5]
    worst = sorted(entries, key=lambda entry: entry.test_accuracy.mean)[:3]
    spread = float(np.nanmean([entry.test_accuracy.std for entry in entries])) if len(table.seeds) > 1 else math.nan
    curve = table.mean_curves("valid_accuracy")[[child.index for child in own]].mean(axis=0)
    epochs = ", ".join(f"{at:g}: {number(float(value), 4)}" for at, value in zip(table.epochs, curve, strict=True))
    absent, networks = table.absent(), int(table.firsts.sum())
    made = table.content.environments
    devices = sorted({str(one.get("device", "")) for one in made})
    versions = sorted({", ".join(f"{k} {v}" for k, v in sorted(dict(one.get("versions", {})).items())) for one in made})
    operations = _by_operation(table.space, own, truth)
    lines = [
        f"# The table `{table.name}`",
        "",
        "Generated from the table by `nasbench-ws data card`.",
        "",
        "## What",
        "",
        f"Standalone training of {_all(table, networks)} with {seeds_each(table)} seeds each "
        f"({int(table.planned[table.firsts].sum())} runs, {len(absent)} of them missing or diverged): loss and "
        f"accuracy on training, validation and test images at {points} points of training, in one HDF5 file that "
        "plain h5py reads."
        + (f" Figures are of the {len(own)} children that lack no run." if len(own) < networks else ""),
        "",
        "## Why",
        "",
        "To measure whether a super-net with shared weights ranks the children as standalone training does. Ground "
        "truth is the mean test accuracy over seeds at the last point; validation accuracy is there for choosing.",
        "",
        *_same_networks(table, own),
        "## Images and splits",
        "",
        _images(table),
        "",
        "## How: the recipe",
        "",
        *(f"* {key}: {value}" for key, value in recipe.to_dict().items() if value not in ("", 0)),
        "",
        f"Steps of a run: {recipe.steps:,}. Images: {recipe.steps * recipe.batch_size:,}. Learning rate: linear "
        "warm-up, then a cosine. Seeds of initialisation, order and augmentation are derived from the child's hash and "
        "the seed index.",
        "",
        "## With what, and how long",
        "",
        *_how_long(table, [child.index for child in own]),
        "",
        *(f"* {text}" for text in [*devices, *versions] if text),
        "",
        "## First numbers",
        "",
        f"* Test accuracy of the children (mean over seeds): {truth.min():.4f} ({worst[0].name}) to {truth.max():.4f} "
        f"({best[0].name}), mean {truth.mean():.4f}.",
        f"* Between children: standard deviation {truth.std(ddof=1):.4f}. Between seeds of a child: "
        f"{number(spread, 4)}.",
        f"* Best: {', '.join(f'{e.name} {e.test_accuracy.mean:.4f}' for e in best)}.",
        f"* Worst: {', '.join(f'{e.name} {e.test_accuracy.mean:.4f}' for e in worst)}.",
        f"* Validation accuracy, mean over all runs, by epoch: {epochs}.",
        f"* Parameter count against ground truth: Kendall tau {kendall_tau(params, truth):.3f}, Spearman "
        f"{spearman(params, truth):.3f}, Pearson {pearson(params, truth):.3f}.",
        "",
        "Mean test accuracy of the children that have an operation on an edge:",
        "",
        "| operation | " + " | ".join(f"{a}->{b}" for a, b in table.space.edges) + " |",
        "|---|" + "---|" * len(table.space.edges),
        *(f"| {name} | " + " | ".join(number(x, 4) for x in row) + " |" for name, row in operations.items()),
        "",
        *(_explained(table, net) if len(own) == networks else []),
        "## What can be reached",
        "",
        "Bound: what a ranking that knew the true means can be expected to reach against the mean over all seeds, "
        "estimated by simulation, with its deviation over tables. Reference: one standalone training of every child, "
        "ranked by validation accuracy as super-nets are, against the mean test accuracy of the other seeds. Partial "
        "tau is Kendall tau given parameter count.",
        "",
        "| metric | bound | one standalone training |",
        "|---|---|---|",
        *(
            f"| {name} | {_with_spread(one.bound, one.bound_std)} | {number(one.standalone)} |"
            for name, one in (("Kendall tau", reach["kendall_tau"]), ("partial tau", reach["partial_tau"]))
        ),
        "",
        "## How well seeds agree",
        "",
        "Kendall tau. Single seeds: one seed against another (S-Tau). Held out: one seed against the mean of the "
        "others. Split half: the mean of half the seeds against that of the rest. None of these is a bound, for each "
        "is a noisy ranking itself; the bound stands beside them.",
        "",
        "| children | single seeds | held out | split half | bound |",
        "|---|---|---|---|---|",
        *(
            f"| {name} ({c.children}) | "
            + " | ".join(number(one.mean) for one in (c.single_seeds, c.held_out, c.split_half, c.perfect))
            + " |"
            for name, c in (("all", found.all), *plain, ("top quarter", found.top_quarter))
        ),
        "",
        *(more_seeds(table) if len(own) == networks else []),
        *_agreements(table, against, allow_missing),
        "## Known limits",
        "",
        f"* {seeds_each(table)} seeds: much of the ranking among good children is noise; read the bound of the top "
        "quarter.",
        f"* {recipe.images}, the macro network {recipe.macro}, {recipe.epochs:g} epochs: a finding here is about this "
        "setting.",
        "* The curves are points of one learning-rate schedule; an early point is not what a short schedule reaches.",
        "",
        "## Licence and digests",
        "",
        f"The table's licence: {table.content.attributes['licence']}. Content digest (`nasbench-ws verify` checks it): "
        f"`{table.digest}`. Recipe `{recipe.digest}`.",
        "",
    ]
    return "\n".join(lines)


def _all(table: Table, networks: int) -> str:
    every = f"{len(table)} children of the space `{table.space.name}`"
    return f"all {every}" if networks == len(table) else f"the {networks} different networks among the {every}"


def _same_networks(table: Table, own: Sequence[Architecture]) -> list[str]:
    if table.firsts.all():
        return []
    names = np.bincount(table.column("isomorph"))[[child.index for child in own]]
    most, alone = int(names.argmax()), int((names == 1).sum())
    blind = [child for child in own if not sees_image(child, table.macro.output)]
    return [
        "## Children that are the same network",
        "",
        f"Absent edges, identities and layers that nobody reads give a network up to {names[most]} names "
        f"({own[most].name}), and {alone} of {len(own)} have one. Each was trained once, as the first of its names; "
        "the column `isomorph` marks it, and its runs stand in the rows of the others. Every figure here, and every "
        "metric of a ranking, counts a network once, with the score of its first name.",
        "",
        *(
            f"The output of {child.name} ({names[own.index(child)]} names) does not depend on the image: it is "
            "trained as what it is, and answers alike to every image."
            for child in blind
        ),
        *([""] if blind else []),
    ]


def _explained(table: Table, net: Result | None) -> list[str]:
    said = sentences(explained(table), followed(table, net) if net is not None else None)
    return ["## What explains this table", "", " ".join(said), ""] if said else []


def _with_spread(value: float, spread: float) -> str:
    return number(value) if math.isnan(spread) else f"{number(value)} +- {number(spread)}"


def _images(table: Table) -> str:
    """What the table itself says of its images, and what is known of a data set of that name."""
    name, digest = str(table.content.attributes["images"]), str(table.content.attributes["images_digest"])
    if not digest:
        return f"`{name}`: {PUBLISHED_IMAGES.get(name, 'not seen by this package.')} The table has no digest of them."
    known = IMAGES.get(name, "images of the maker's own; the table keeps their name and digest.")
    return f"`{name}`: {known} Digest `{digest}`."


def _how_long(table: Table, places: Sequence[int]) -> list[str]:
    """A line for the runs of each machine."""
    seconds = table.by_seed("seconds")[places]
    if not np.isfinite(seconds).any():
        return ["The table does not say how long its runs took."]
    where = table.whole(table.content.columns["environment"], -1)[places]
    by_machine: dict[str, list[int]] = {}
    for i, name in enumerate(machines(table)):
        by_machine.setdefault(name, []).append(i)
    found = []
    runs = {name: seconds[np.isin(where, made) & np.isfinite(seconds)] for name, made in by_machine.items()}
    for name, own in sorted(runs.items(), key=lambda pair: -len(pair[1])):
        if len(own):
            median, digits = float(np.median(own)), 1 if np.median(own) < 10 else 0
            whole = "one process" if len(by_machine) == 1 else f"`{name}`"
            found.append(
                f"{median:.{digits}f} s a run at the median: {median * len(own) / 3600:.1f} hours of {whole} for "
                f"{'all' if len(by_machine) == 1 else f'{len(own)} runs'}. By the clock it was "
                f"{float(own.sum()) / 3600:.1f}, where runs that waited for other work count whole."
            )
    return found


def _by_operation(space: Space, children: Sequence[Architecture], truth: Array) -> dict[str, list[float]]:
    """Means by edge; NaN where none of the children has the operation there."""

    def mean(name: str, edge: tuple[int, int]) -> float:
        own = [value for child, value in zip(children, truth, strict=True) if child.operation(edge) == name]
        return float(np.mean(own)) if own else math.nan

    return {name: [mean(name, edge) for edge in space.edges] for name in space.operations}


def _agreements(table: Table, others: Sequence[Table], allow_missing: bool) -> list[str]:
    if not others:
        return []
    found = [
        (f"{other.recipe.images}, macro {other.recipe.macro}", agreement(table, other, allow_missing))
        for other in others
    ]
    return [
        "## Agreement with other tables",
        "",
        "Kendall tau between the two tables' mean test accuracies (`nasbench-ws data published` makes a table of the "
        "paper's, from its authors' files).",
        "",
        "| other table | all children | those without pooling |",
        "|---|---|---|",
        *(f"| {name} | {number(found['all'], 3)} | {number(found['without_pooling'], 3)} |" for name, found in found),
        "",
    ]


def agreement(first: Table, second: Table, allow_missing: bool = False) -> dict[str, float]:
    """Kendall tau between two tables' ground truth: over all children, and over those without pooling.

    UsageError for tables of two spaces.
    """
    if first.space != second.space:
        spaces = f"{first.name} is of {first.space.name}, and {second.name} of {second.space.name}"
        raise UsageError(f"{spaces}; only tables of one space can be compared")
    if allow_missing:  # of the children that both know
        own, other = first.column("truth"), second.column("truth")
        known = np.isfinite(own) & np.isfinite(other)
    else:
        own, other = first.truth, second.truth
        known = np.ones(len(own), dtype=bool)
    without = known & without_pooling(first.space)
    return {"all": kendall_tau(own[known], other[known]), "without_pooling": kendall_tau(own[without], other[without])}


def without_pooling(space: Space) -> NDArray[np.bool_]:
    """Which children have no pooling on any edge: those that a cheap look cannot tell apart."""
    return np.array([not any("pool" in child.operation(edge) for edge in space.edges) for child in space])
