"""The leaderboard as it is shown: its rows, what they are measured on, and the same as text, a frame or a notebook's.

    print(board)
    board.only(top=10, kind="super-net").to_frame()
    board.plot.forest()

Not here: which rows there are, and what is run for them (leaderboard.py).
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from nasbench_ws.errors import UsageError, extra
from nasbench_ws.evaluation.board_plot import BoardPlot
from nasbench_ws.evaluation.board_row import Row, count_text, interval_text, mean_text, two, usual
from nasbench_ws.json_files import without_nan
from nasbench_ws.markup import number, paragraph
from nasbench_ws.markup import table as table_of
from nasbench_ws.results.result import Result
from nasbench_ws.results.text import LABELS

if TYPE_CHECKING:
    import pandas as pd

IN_NOTEBOOKS = 20  # rows, and the caller's own
WIDE = 78  # characters of a line of the caption


@dataclass(frozen=True, repr=False)
class Leaderboard:
    """`rows` best first by the metric's mean; `results` by file name, those given included."""

    table: str
    seeds: str  # of a child, as `10` or `10 to 27`
    metric: str
    match: str
    steps: int
    bound: float  # the most that a ranking can be expected to reach; NaN where the metric has no bound
    rows: tuple[Row, ...]
    results: Mapping[str, Result]
    networks: int = 0  # that count, where some of the table's children are one network; 0: every child does
    detectable: Mapping[int, tuple[float, float]] = field(default_factory=dict)  # told_apart of its rows
    left_out: int = 0  # results of the folder of other images, networks or children, or scored on some images alone

    def to_dict(self) -> dict[str, Any]:
        """For JSON; without the results. NaN is None."""
        names = ("table", "seeds", "networks", "metric", "match", "steps", "bound", "detectable")
        data = {**{name: getattr(self, name) for name in names}, "rows": [asdict(row) for row in self.rows]}
        found: dict[str, Any] = without_nan(data)
        return found

    def only(self, *, top: int | None = None, kind: str | None = None, strategy: str | None = None) -> Leaderboard:
        """The first `top` rows of those of a kind, and with a text in their name; the caller's rows always.

        UsageError where no row is left.
        """
        some = [
            row
            for row in self.rows
            if row.given or (kind in (None, row.kind) and (strategy or "").replace("->", "-") in row.name)
        ]
        if not some:
            of_kind = "" if kind is None else f" of kind {kind}"
            raise UsageError(f"no row{of_kind} has {strategy or ''!r} in its name; leave that out to see what there is")
        first = some if top is None else [row for i, row in enumerate(some) if i < top or row.given]
        return replace(self, rows=tuple(first))

    def records(self) -> list[dict[str, Any]]:
        """A flat mapping a row: the interval as low and high."""
        found = []
        for row in self.rows:
            record = {**asdict(row), "files": " ".join(row.files), "low": row.interval[0], "high": row.interval[1]}
            del record["interval"]
            found.append(record)
        return found

    def to_frame(self) -> pd.DataFrame:
        """A pandas frame with a row for each."""
        with extra("pandas", "to_frame needs pandas"):
            import pandas as pd
        return pd.DataFrame(self.records())

    def __str__(self) -> str:
        head = f"{'':3} {'':13}{'batch norm':17}{'mean':>5}  {'95 %':14}{'n':>2}{'part.':>6}{'S-Tau':>6}"
        lines = [self.caption(), "", f"{head}{'ens.':>6}{'cost':>5}"]
        for row in self.rows:
            place = f"{'>' if row.given else ''}{row.place}"
            title = f"{row.name:13}{row.batch_norm:17}" if row.batch_norm else f"{row.name:30}"
            if row.batch_norm and len(row.name) > 12:  # on a line of its own
                lines.append(f"{place:>3} {row.name}")
                place, title = "", f"{'':13}{row.batch_norm:17}"
            lines.append(
                f"{place:>3} {title}{two(row.mean):>5}  {interval_text(row):14}{count_text(row):>2}"
                f"{two(row.partial_tau):>6}{two(row.s_tau):>6}{two(row.ensemble):>6}{row.macs / 1e12:>5.1f}"
            )
        return "\n".join(lines)

    @property
    def plot(self) -> BoardPlot:
        """Figures as matplotlib Axes: `forest()`, `frontier()`."""
        return BoardPlot(self)

    def __repr__(self) -> str:
        return f"Leaderboard({self.table!r}: {len(self.rows)} rows by {self.metric}, matched in {self.match})"

    def _repr_html_(self) -> str:
        first = self.only(top=IN_NOTEBOOKS) if self.rows else self
        left = len(self.rows) - len(first.rows)
        more = paragraph(f"{left} more rows: print the leaderboard, or take its to_frame()", "note") if left else ""
        rows = [
            [
                row.place, row.name, row.batch_norm, number(row.mean), interval_text(row), count_text(row),
                two(row.partial_tau),
            ]
            for row in first.rows
        ]
        head = ["", "strategy", "batch norm", self.metric, "95 %", "n", "partial tau"]
        return paragraph(self.caption()) + table_of(head, rows) + more

    def markdown(self) -> str:
        """For a README: a strategy a line, ways to read it that most have side by side, the rest in a column."""
        modes, rest = usual(self.rows)
        heads = [*(part for mode in modes for part in (mode, "partial")), *(["other readouts"] if rest else [])]
        lines = [self.caption(), "", f"| | {' | '.join(heads)} | n | cost |", "|---" * (len(heads) + 3) + "|"]
        for name in dict.fromkeys(row.name for row in self.rows):
            own = {row.batch_norm: row for row in self.rows if row.name == name}
            some = next(iter(own.values()))
            shown = [own.get(mode, some if some.kind == "ranker" else None) for mode in modes]
            cells = [cell for row in shown for cell in ((mean_text(row), two(row.partial_tau)) if row else ("", ""))]
            if rest:
                cells.append("; ".join(f"{mode} {mean_text(row)}" for mode, row in own.items() if mode in rest))
            title = f"`{name}`" if some.kind == "super-net" else f"*{name}*"
            title = f"**{title}**" if some.given else title
            lines.append(f"| {' | '.join((title, *cells, count_text(some), f'{some.macs / 1e12:.1f}'))} |")
        return "\n".join(lines)

    def caption(self) -> str:
        """What is measured, and what is equal."""
        most = "" if math.isnan(self.bound) else f"; expected at most: {number(self.bound)}"
        each = f", {self.networks} networks" if self.networks else ""
        return (
            f"{LABELS[self.metric]} on {self.table} ({self.seeds} seeds{each}){most}.\n"
            f"Matched in {self.match}: {self.steps:,} steps that share all.\n"
            "Partial: Kendall tau given parameters. Cost: T multiply-adds of an instance.\n"
            "Ens.: Kendall tau of the mean score, an ensemble of the n instances."
            + (f"\n{textwrap.fill(self.power(), WIDE)}" if self.detectable else "")
            + self._without()
        )

    def power(self) -> str:
        """By how much rows must differ to be told apart; "" where nothing is known of that."""
        each = {n: dict.fromkeys(map(two, ends)) for n, ends in self.detectable.items()}
        gaps = ", ".join(f"{' to '.join(ends)} (n = {n})" for n, ends in each.items())
        return f"Told apart with a chance of 80 %: rows that differ by {gaps}." if gaps else ""

    def _without(self) -> str:
        count = self.left_out
        return f"\nOf other images or networks, or some images: {count} results, left out." if count else ""
