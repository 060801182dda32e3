"""What further seeds of some children do to bounds: a part of a table's card.

    more_seeds(load("fashion14"))       # lines of Markdown; [] where every child has as many, or no two are common

The same table is measured twice: with the seeds that every child has, and with all.
"""

from __future__ import annotations

import numpy as np

from nasbench_ws.markup import number
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.metrics.pairs import decidable, undecided_by
from nasbench_ws.results.truth import sizes
from nasbench_ws.results.yardstick import ceilings
from nasbench_ws.tables.over_seeds import common, spelled
from nasbench_ws.tables.table import Table


def more_seeds(table: Table) -> list[str]:
    """A section with a table of both; of a table without missing runs."""
    counts, own = table.planned.sum(axis=1), table.firsts
    if counts.min() == counts.max() or len(common(table)) < 2:
        return []
    by_seed, control = table.by_seed("truth")[own], sizes(table)[own]
    counts = counts[own]
    close = counts == counts.max()
    few, all_ = by_seed[:, common(table)], by_seed
    rows: list[tuple[str, list[str]]] = [
        (f"reliability of a mean, of these {close.sum()}", [number(reliability(one[close])) for one in (few, all_)]),
        (f"bound among these {close.sum()}", [number(ceilings(one[close]).all.perfect.mean) for one in (few, all_)]),
        ("bound in the top quarter of all", [number(ceilings(one).top_quarter.perfect.mean) for one in (few, all_)]),
        ("bound among all", [number(ceilings(one).all.perfect.mean) for one in (few, all_)]),
        ("pairs of children that are told apart", [f"{len(decidable(one)):,}" for one in (few, all_)]),
        (
            "those of them that parameter count ties or gets wrong",
            [f"{len(undecided_by(control, decidable(one))):,}" for one in (few, all_)],
        ),
    ]
    return [
        "## More seeds of some children",
        "",
        f"{close.sum()} children have {counts.max()} seeds, and the others {spelled(counts[~close])}. What that does: "
        "a mean's reliability is the part of the variance between means that is not noise of seeds, and a pair is told "
        "apart where its means differ by more than 2 standard errors.",
        "",
        f"| | with {few.shape[1]} seeds each | with all |",
        "|---|---|---|",
        *(f"| {name} | {' | '.join(values)} |" for name, values in rows),
        "",
    ]


def reliability(by_seed: Array) -> float:
    """The part of the variance between (n, seeds) means that is not noise of seeds: 1 - noise / variance.

    >>> reliability(np.array([[0.0, 0.2], [0.4, 0.6], [0.8, 1.0]]))
    0.9375
    """
    counts = np.isfinite(by_seed).sum(axis=1)
    means = np.nanmean(by_seed, axis=1)
    noise = np.nansum((by_seed - means[:, None]) ** 2, axis=1) / (counts - 1) / counts
    return float(1 - noise.mean() / means.var(ddof=1))
