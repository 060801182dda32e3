"""One row of the leaderboard, and its cells as text. Not here: which rows there are (leaderboard.py)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from nasbench_ws.markup import number
from nasbench_ws.training.batch_norm import is_mode


@dataclass(frozen=True)
class Row:
    """A strategy under one way of batch norm, or a ranker ("ranker"); `macs` of training an instance of it."""

    place: int
    name: str
    kind: str  # "super-net" or "ranker"
    batch_norm: str
    mean: float
    std: float
    interval: tuple[float, float]
    n: int
    s_tau: float
    macs: float
    partial_tau: float = math.nan  # given parameter count
    ensemble: float = math.nan  # Kendall tau of the mean score over instances
    given: bool = False  # a result of the caller's
    files: tuple[str, ...] = ()  # in `results`: those with these scores
    detectable: float = math.nan  # difference to another of as many instances that is told with a chance of 80 %


def usual(rows: Sequence[Row]) -> tuple[list[str], set[str]]:
    """Ways of batch norm that half of the super-nets have, recalibrated statistics first; and all other readouts."""
    own = Counter(row.batch_norm for row in sorted(rows, key=mode_order) if row.batch_norm)
    names = {row.name for row in rows if row.batch_norm}
    usual = [mode for mode, count in own.items() if is_mode(mode) and 2 * count >= len(names)]
    return usual, own.keys() - set(usual)


def mode_order(row: Row) -> tuple[bool, str]:
    """Recalibrated statistics first."""
    return not row.batch_norm.startswith("recalibrate"), row.batch_norm


def told_apart(rows: Sequence[Row]) -> dict[int, tuple[float, float]]:
    """Instances -> by how much two rows of so many must differ to be told apart, where it is known; most first.

    The least and the most: super-nets that are trained in a way of their own vary more.
    """
    found: dict[int, tuple[float, float]] = {}
    for row in sorted(rows, key=lambda row: -row.n):
        if not math.isnan(row.detectable):
            least, most = found.get(row.n, (math.inf, 0.0))
            found[row.n] = min(least, row.detectable), max(most, row.detectable)
    return found


def interval_text(row: Row) -> str:
    return "" if math.isnan(row.interval[0]) else f"[{two(row.interval[0])}, {two(row.interval[1])}]"


def mean_text(row: Row) -> str:
    return f"{two(row.mean)} {interval_text(row)}".strip()


def count_text(row: Row) -> str:
    """Instances; of what does not vary, or has a distribution of its own, none."""
    return str(row.n) if row.kind == "super-net" else ""


def two(value: float) -> str:
    return "" if math.isnan(value) else number(value, 2)
