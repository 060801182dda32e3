"""The leaderboard as one page: a forest plot, and a table that sorts and filters where scripts run.

    board_page(leaderboard(), load("fashion14"))         # HTML

A name leads to its strategy's scatter. Without scripts the page is the same, in the order of the metric. Not here: the
rows (leaderboard.py), the picture (board_figure.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nasbench_ws.evaluation.board_figure import forest
from nasbench_ws.markup import escaped
from nasbench_ws.report.canvas import prefixed
from nasbench_ws.report.page import OnFigure, Section, facts, figure, page, unseen
from nasbench_ws.report.results import FIGURES
from nasbench_ws.report.sortable import SCRIPT, Cell, Column, Filters, Line, sortable
from nasbench_ws.results.text import LABELS
from nasbench_ws.results.truth import GroundTruth
from nasbench_ws.training.batch_norm import labelled

if TYPE_CHECKING:
    from nasbench_ws.evaluation.board import Leaderboard
    from nasbench_ws.evaluation.board_row import Row
    from nasbench_ws.results.result import Result

COLUMNS = (
    Column("", "place by the mean, at its match"),
    Column("strategy", "who shares which weights, or what ranks without a super-net", text=True),
    Column("batch norm", "statistics while scoring", text=True),
    Column("match", "what is equal between strategies", text=True),
    Column("mean", "over instances"),
    Column("95 %", "where the mean may lie: other super-nets, other seeds of the table", text=True),
    Column("n", "instances"),
    Column("partial", "Kendall tau given parameter count; higher is better"),
    Column("S-Tau", "Kendall tau between instances; higher is more stable"),
    Column("ens.", "Kendall tau of the mean score over instances; higher is better"),
    Column("cost", "multiply-adds of an instance, in millions of millions"),
)
STRATEGY, MODE, MATCH, COST = 1, 2, 3, 10  # columns that are asked for


def board_page(
    board: Leaderboard, truth: GroundTruth, others: Sequence[Leaderboard] = (), *, on_figure: OnFigure = unseen
) -> str:
    """HTML, one file: nothing is loaded, and nothing is lost without scripts.

    Args:
        board: what is drawn, and shown first.
        truth: the table.
        others: the same at other matches; their super-nets stand below, and are filtered by match.
        on_figure: is called with how many figures of how many are drawn.
    """
    metric = LABELS.get(board.metric, board.metric)
    about = (
        f"{len(board.rows)} ways to rank the {len(truth)} children of {truth.name} ({board.seeds} seeds), by {metric}, "
        f"matched in {board.match} at {board.steps:,} steps that share all. Table {truth.digest[:16]}."
    )
    about += f" {board.power()}" if board.detectable else ""
    rows = [(board, row) for row in board.rows]
    rows += [(one, row) for one in others for row in one.rows if row.kind == "super-net"]
    scatters: dict[str, tuple[str, str, Result]] = {}  # by file: its anchor, its title
    lines = []
    for one, row in rows:
        anchor = ""
        for name in row.files[:1]:
            if name not in scatters:
                scatters[name] = f"c{len(scatters)}", _title(row, one.results[name], one.match), one.results[name]
            anchor = scatters[name][0]
        lines.append(_line(row, anchor, one.match if row.kind == "super-net" else "any"))
    caption = "Diamonds train no super-net. Lines are 95 % intervals. Hover over a mark for its numbers."
    if others:
        about += f" {' and '.join(one.match for one in others).capitalize()}: further down, or by the filter."
    on_figure(0, 1 + len(scatters))
    glance = figure(forest(board), caption)
    drawn = []
    for done, (anchor, title, result) in enumerate(scatters.values(), start=1):
        on_figure(done, 1 + len(scatters))
        drawn.append(_scatter(result, truth, anchor, title))
    filters = Filters(
        find=STRATEGY, choose={MODE: "any batch norm", **({MATCH: "any match"} if others else {})},
        chosen={MATCH: board.match}, kinds=True, most=COST,
    )  # fmt: skip
    sections = [
        Section("At a glance", glance),
        Section("All rows", sortable(COLUMNS, lines, filters=filters)),
        Section("Scatters", "".join(drawn)),
        Section("What the columns are", facts({one.head or "place": one.said for one in COLUMNS})),
    ]
    return page(f"Leaderboard of {truth.name}", sections, about=about, script=SCRIPT)


def _title(row: Row, result: Result, match: str) -> str:
    """Of a scatter; the scores are the result's own, those of its first way of batch norm or other readout."""
    outcome = result.outcome
    mode = f", {labelled(outcome.batch_norm)}" if outcome.batch_norm else ""
    at = f", matched in {match}" if row.kind == "super-net" else ""
    return f"{row.name}{mode}{at}, {outcome.instances} instances"


def _line(row: Row, anchor: str, match: str) -> Line:
    low, high = row.interval
    interval = "" if math.isnan(low) else f"[{low:.2f}, {high:.2f}]"
    name = f'<a href="#{anchor}">{escaped(row.name)}</a>' if anchor else escaped(row.name)
    cells = [
        Cell(row.place, str(row.place)),
        Cell(row.name, name),
        Cell.text(row.batch_norm),
        Cell(match, escaped(match) if match != "any" else ""),
        Cell.number(row.mean),
        Cell.text(interval),
        Cell.number(row.n if row.kind == "super-net" else math.nan, 0),
        *(Cell.number(value, 2) for value in (row.partial_tau, row.s_tau, row.ensemble)),
        Cell.number(row.macs / 1e12, 1),
    ]
    return Line(cells, row.kind, row.given)


def _scatter(result: Result, truth: GroundTruth, anchor: str, title: str) -> str:
    """Closed until it is asked for; what a name of the table leads to."""
    drawn = FIGURES["scatter"](result.among(truth), truth)
    if drawn is None:
        return ""
    return (
        f'<details><summary>{escaped(title)}</summary><div id="{anchor}">'
        f"{figure(prefixed(drawn, anchor), 'A point a child; hover for its name. Bars are standard deviations.')}"
        "</div></details>"
    )
