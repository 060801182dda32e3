"""Any score of every child, measured as a super-net's is: a zero-cost proxy, a predictor, a search's last word.

    scores = read_scores("mine.csv", table.space)       # (instances, n): a line a child, a column an instance
    print(render_scores("mine.csv", assess(scores, table), len(scores)))

Not here: which columns of a file are what (space/by_child.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.metrics.rank import kendall_taus
from nasbench_ws.metrics.values import rankable
from nasbench_ws.space.by_child import ByChild, numbers_by_child
from nasbench_ws.space.cell import Space
from nasbench_ws.space.grids import Source
from nasbench_ws.space.headings import LOWER, words_of

TURNED = -0.5  # GT-Tau below which a sign is more likely than a ranker that bad


def read_scores(source: Source, space: Space, columns: Sequence[str] = (), *, lower_is_better: bool = False) -> Array:
    """Scores (instances, n) in the order of the space's children, higher is better.

    Args:
        source: the path of a CSV (commas, semicolons, tabs or blanks), JSON or .npy file, or "-" for standard input;
            or a pandas frame or series, a mapping of children to scores, or an array (instances, n). A line is a
            child, by any of its names, in any order. A heading, where there is one, says which column names the
            children and which hold scores. A child that diverged has "nan".
        space: whose children.
        columns: names of the columns to read, one for each instance; needed where a heading leaves a choice.
        lower_is_better: turns the sign, as for a loss or a rank.

    Raises:
        ResultError: it is broken or ambiguous, or a child is absent or stands there twice.
        ArchitectureError: a name is no child of the space.
    """
    return read_columns(source, space, columns, lower_is_better=lower_is_better).values


def read_columns(
    source: Source,
    space: Space,
    columns: Sequence[str] = (),
    *,
    lower_is_better: bool = False,
    partial: bool = False,
) -> ByChild:
    """As `read_scores`, with the names of the columns that were read and of those that were not."""
    found = numbers_by_child(source, space, columns, partial=partial)
    values = -found.values if lower_is_better else found.values
    return ByChild(values, found.columns, found.left_out, found.present)


def turned(scores: Array, truth: Array, *, lower_is_better: bool = False) -> str | None:
    """What to say where (instances, n) scores rank the children backwards, as a loss does; None where they do not.

    Args:
        lower_is_better: whether their sign was turned already.
    """
    matrix = np.atleast_2d(scores)
    usable = rankable(matrix)
    if not len(usable):
        return None
    taus = kendall_taus(usable, truth)  # NaN of equal scores, which is below nothing
    mean, lowest = float(np.mean(taus)), int(np.argmin(np.where(np.isnan(taus), 0.0, taus)))
    if mean < TURNED:
        then = "if higher is better, leave out" if lower_is_better else "if lower is better, give"
        return f"GT-Tau is {mean:.2f}: higher scores go to worse children; {then} --lower-is-better"
    if taus[lowest] < TURNED:
        instance = int(np.flatnonzero(np.isfinite(matrix).any(axis=1))[lowest])
        return (
            f"GT-Tau of instance {instance} of 0 to {len(matrix) - 1} is {taus[lowest]:.2f}: higher scores go to worse "
            "children there; if lower is better in it alone, turn its sign"
        )
    return None


def sounds_turned(columns: Sequence[str]) -> str | None:
    """What to say where a column's name is of something of which less is better; None where none is."""
    named = next((name for name in columns if words_of(name) & set(LOWER)), None)
    if named is None:
        return None
    return f"higher was taken for better, and {named!r} sounds as if lower were: if so, give --lower-is-better"


def without_score(scores: Array) -> list[int]:
    """The columns of (instances, n) scores in which an instance that has scores has none."""
    lacks = np.isnan(np.atleast_2d(scores))
    return [int(i) for i in np.flatnonzero((lacks & ~lacks.all(axis=1, keepdims=True)).any(axis=0))]
