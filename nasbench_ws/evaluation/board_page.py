"""The leaderboard as one page: a forest plot, and a table that sorts and filters where scripts run.

    board_page(leaderboard(), load("fashion14"))         # HTML

A name leads to its strategy's scatter. Without scripts the page is the same, in the order of the metric. Not here: the
rows (leaderboard.py), the picture (board_figure.py).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nasbench_ws.evaluation.board_figure import forest
from nasbench_ws.markup import escaped, number
from nasbench_ws.report.canvas import prefixed
from nasbench_ws.report.page import Section, facts, figure, page
from nasbench_ws.report.results import FIGURES
from nasbench_ws.results.text import LABELS
from nasbench_ws.results.truth import GroundTruth

if TYPE_CHECKING:
    from nasbench_ws.evaluation.leaderboard import Leaderboard, Row
    from nasbench_ws.results.result import Result

HEADS = (  # heading, what it says, and whether it is a text
    ("", "place by the mean", False),
    ("strategy", "who shares which weights, or what ranks without a super-net", True),
    ("batch norm", "statistics while scoring", True),
    ("mean", "over instances", False),
    ("95 %", "where the mean may lie: other super-nets, other seeds of the table", True),
    ("n", "instances", False),
    ("partial", "Kendall tau given parameter count; higher is better", False),
    ("S-Tau", "Kendall tau between instances; higher is more stable", False),
    ("ens.", "Kendall tau of the mean score over instances; higher is better", False),
    ("cost", "multiply-adds of an instance, in millions of millions", False),
)
SCRIPT = """
(function () {
  var table = document.querySelector('.board'), body = table.tBodies[0], rows = Array.from(body.rows);
  var form = document.querySelector('.filter'); form.hidden = false;
  function value(row, i) { return row.cells[i].getAttribute('data-v'); }
  Array.from(table.tHead.rows[0].cells).forEach(function (head, i) {
    var button = head.querySelector('button');
    button.disabled = false;
    button.addEventListener('click', function () {
      var up = head.getAttribute('aria-sort') === 'descending' ? 1 : -1;
      if (!head.hasAttribute('aria-sort') && (head.dataset.text || i === 0)) up = 1;
      Array.from(table.tHead.rows[0].cells).forEach(function (other) { other.removeAttribute('aria-sort'); });
      head.setAttribute('aria-sort', up > 0 ? 'ascending' : 'descending');
      rows.sort(function (a, b) {
        var x = value(a, i), y = value(b, i);
        if (head.dataset.text) return up * x.localeCompare(y);
        if (x === '' || y === '') return (x === '') - (y === '');
        return up * (x - y);
      }).forEach(function (row) { body.appendChild(row); });
    });
  });
  function filter() {
    var text = form.elements.text.value.toLowerCase(), mode = form.elements.mode.value, kind = form.elements.kind.value;
    var most = parseFloat(form.elements.cost.value), shown = 0;
    rows.forEach(function (row) {
      var ok = row.cells[1].textContent.toLowerCase().indexOf(text) >= 0 &&
        (!mode || value(row, 2) === mode) && (!kind || row.dataset.kind === kind) &&
        (isNaN(most) || parseFloat(value(row, 9)) <= most);
      row.hidden = !ok; shown += ok;
    });
    document.querySelector('.count').textContent = shown + ' of ' + rows.length + ' rows';
  }
  form.addEventListener('input', filter); form.addEventListener('submit', function (e) { e.preventDefault(); });
  function open() {
    var at = location.hash && document.getElementById(location.hash.slice(1));
    if (at && at.parentNode.tagName === 'DETAILS') { at.parentNode.open = true; at.parentNode.scrollIntoView(); }
  }
  addEventListener('hashchange', open); open(); filter();
})();
"""


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
    sections = [
        Section("At a glance", figure(forest(board), caption)),
        Section("All rows", _filters(board) + _table(board, of_row)),
        Section("Scatters", "".join(_scatter(one, truth, anchors[id(one)]) for one in shown)),
        Section("What the columns are", facts({head or "place": said for head, said, _ in HEADS})),
    ]
    return page(f"Leaderboard of {truth.name}", sections, about=about, script=SCRIPT)


def _anchor(row: Row, board: Leaderboard, anchors: dict[int, str]) -> str:
    """Of the row's result, "" where it trains none."""
    for name in row.files:
        return anchors[id(board.results[name])]
    return ""


def _filters(board: Leaderboard) -> str:
    modes = sorted({row.batch_norm for row in board.rows if row.batch_norm})
    options = "".join(f"<option>{escaped(mode)}</option>" for mode in modes)
    return (
        '<form class="filter" hidden><input name="text" type="search" placeholder="strategy" aria-label="strategy">'
        f'<select name="mode" aria-label="batch norm"><option value="">any batch norm</option>{options}</select>'
        '<select name="kind" aria-label="kind"><option value="">any kind</option>'
        "<option>super-net</option><option>ranker</option></select>"
        '<input name="cost" type="number" min="0" step="any" placeholder="cost at most" aria-label="cost at most">'
        '<span class="count note"></span></form>'
    )


def _table(board: Leaderboard, anchors: dict[int, str]) -> str:
    heads = "".join(
        f'<th title="{escaped(said)}"{" data-text=1" if text else ""}><button disabled>{head or "#"}</button></th>'
        for head, said, text in HEADS
    )
    body = "".join(_row(row, anchors.get(row.place, "")) for row in board.rows)
    return f'<div class="wide"><table class="board"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'


def _row(row: Row, anchor: str) -> str:
    low, high = row.interval
    name = f'<a href="#{anchor}">{escaped(row.name)}</a>' if anchor else escaped(row.name)
    interval = "" if math.isnan(low) else f"[{low:.2f}, {high:.2f}]"
    cells = [
        (row.place, str(row.place)),
        (row.name, name),
        (row.batch_norm, escaped(row.batch_norm)),
        (row.mean, number(row.mean)),
        (interval, interval),
        (row.n if row.kind == "super-net" else math.nan, str(row.n) if row.kind == "super-net" else ""),
        *((value, number(value, 2)) for value in (row.partial_tau, row.s_tau, row.ensemble)),
        (row.macs / 1e12, f"{row.macs / 1e12:.1f}"),
    ]
    labels = [head for head, _, _ in HEADS]
    shown = "".join(
        f'<td data-v="{escaped(_plain(value))}" data-l="{label}">{text}</td>'
        for (value, text), label in zip(cells, labels, strict=True)
    )
    return f'<tr data-kind="{row.kind}"{" class=own" if row.given else ""}>{shown}</tr>'


def _plain(value: object) -> object:
    return "" if isinstance(value, float) and math.isnan(value) else value


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
