"""The leaderboard as one page: a forest plot, and a table that sorts and filters where scripts run.

    board_page(leaderboard(), load("fashion14"))         # HTML

A name leads to its strategy's scatter. Without scripts the page is the same, in the order of the metric. Not here: the
rows (leaderboard.py), the picture (board_figure.py).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nasbench_ws.evaluation.board_figure import forest
from nasbench_ws.markup import escaped
from nasbench_ws.report.canvas import prefixed
from nasbench_ws.report.page import Section, facts, figure, page
from nasbench_ws.report.results import FIGURES
from nasbench_ws.report.sortable import SCRIPT, Cell, Column, Filters, Line, sortable
from nasbench_ws.results.text import LABELS
from nasbench_ws.results.truth import GroundTruth

if TYPE_CHECKING:
    from nasbench_ws.evaluation.leaderboard import Leaderboard, Row
    from nasbench_ws.results.result import Result

COLUMNS = (
    Column("", "place by the mean"),
    Column("strategy", "who shares which weights, or what ranks without a super-net", text=True),
    Column("batch norm", "statistics while scoring", text=True),
    Column("mean", "over instances"),
    Column("95 %", "where the mean may lie: other super-nets, other seeds of the table", text=True),
    Column("n", "instances"),
    Column("partial", "Kendall tau given parameter count; higher is better"),
    Column("S-Tau", "Kendall tau between instances; higher is more stable"),
    Column("ens.", "Kendall tau of the mean score over instances; higher is better"),
    Column("cost", "multiply-adds of an instance, in millions of millions"),
)
FILTERS = Filters(find=1, choose={2: "any batch norm"}, kinds=True, most=9)


def board_page(board: Leaderboard, truth: GroundTruth) -> str:
    """HTML, one file: nothing is loaded, and nothing is lost without scripts."""
    metric = LABELS.get(board.metric, board.metric)
    about = (
        f"{len(board.rows)} ways to rank the {len(truth)} children of {truth.name} ({board.seeds} seeds), by {metric}, "
        f"matched in {board.match} at {board.steps:,} steps that share all. Table {truth.digest[:16]}."
    )
    anchors = {id(result): f"c{place}" for place, result in enumerate(board.results.values())}
    of_row = {row.place: anchor for row in board.rows for anchor in [_anchor(row, board, anchors)] if anchor}
    shown = [one for one in board.results.values() if anchors[id(one)] in of_row.values()]
    caption = "Diamonds train no super-net. Lines are 95 % intervals. Hover over a mark for its numbers."
    lines = [_line(row, of_row.get(row.place, "")) for row in board.rows]
    sections = [
        Section("At a glance", figure(forest(board), caption)),
        Section("All rows", sortable(COLUMNS, lines, filters=FILTERS)),
        Section("Scatters", "".join(_scatter(one, truth, anchors[id(one)]) for one in shown)),
        Section("What the columns are", facts({one.head or "place": one.said for one in COLUMNS})),
    ]
    return page(f"Leaderboard of {truth.name}", sections, about=about, script=SCRIPT)


def _anchor(row: Row, board: Leaderboard, anchors: dict[int, str]) -> str:
    """Of the row's result, "" where it trains none."""
    for name in row.files:
        return anchors[id(board.results[name])]
    return ""


def _line(row: Row, anchor: str) -> Line:
    low, high = row.interval
    interval = "" if math.isnan(low) else f"[{low:.2f}, {high:.2f}]"
    name = f'<a href="#{anchor}">{escaped(row.name)}</a>' if anchor else escaped(row.name)
    cells = [
        Cell(row.place, str(row.place)),
        Cell(row.name, name),
        Cell.text(row.batch_norm),
        Cell.number(row.mean),
        Cell.text(interval),
        Cell.number(row.n if row.kind == "super-net" else math.nan, 0),
        *(Cell.number(value, 2) for value in (row.partial_tau, row.s_tau, row.ensemble)),
        Cell.number(row.macs / 1e12, 1),
    ]
    return Line(cells, row.kind, row.given)


def _scatter(result: Result, truth: GroundTruth, anchor: str) -> str:
    """Closed until it is asked for; what a name of the table leads to."""
    drawn = FIGURES["scatter"](result.among(truth), truth)
    if drawn is None:
        return ""
    title = f"{result.outcome.strategy}, batch norm {result.outcome.batch_norm}, {result.outcome.instances} instances"
    return (
        f'<details><summary>{escaped(title)}</summary><div id="{anchor}">'
        f"{figure(prefixed(drawn, anchor), 'A point a child; hover for its name. Bars are standard deviations.')}"
        "</div></details>"
    )
