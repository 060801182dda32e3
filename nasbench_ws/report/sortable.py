"""A table that sorts and filters where scripts run, and is a plain one in a sensible order where they do not.

    body = sortable([Column("strategy", "who shares what", text=True), ...], [Line([Cell("full", "full"), ...]), ...],
                    find=1, choose={2: "any batch norm"})
    page("Leaderboard", [Section("All rows", body)], script=SCRIPT)         # the script once a page

On a phone each row is a card: its name, then each number behind its heading. Not here: what is in the rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nasbench_ws.markup import escaped, number

SCRIPT = """
document.querySelectorAll('.board').forEach(function (table) {
  var body = table.tBodies[0], rows = Array.from(body.rows), heads = Array.from(table.tHead.rows[0].cells);
  function value(row, i) { return row.cells[i].getAttribute('data-v'); }
  heads.forEach(function (head, i) {
    var button = head.querySelector('button');
    button.disabled = false;
    button.addEventListener('click', function () {
      var up = head.getAttribute('aria-sort') === 'descending' ? 1 : -1;
      if (!head.hasAttribute('aria-sort') && (head.dataset.text || i === 0)) up = 1;
      heads.forEach(function (other) { other.removeAttribute('aria-sort'); });
      head.setAttribute('aria-sort', up > 0 ? 'ascending' : 'descending');
      rows.sort(function (a, b) {
        var x = value(a, i), y = value(b, i);
        if (x === '' || y === '') return (x === '') - (y === '');
        return head.dataset.text ? up * x.localeCompare(y) : up * (x - y);
      }).forEach(function (row) { body.appendChild(row); });
    });
  });
  var form = table.parentNode.previousElementSibling;
  if (!form || !form.classList.contains('filter')) return;
  function filter() {
    var shown = 0;
    rows.forEach(function (row) {
      var ok = Array.from(form.elements).every(function (asked) {
        var at = asked.dataset;
        if (!asked.value) return true;
        if (at.find) return row.cells[at.find].textContent.toLowerCase().indexOf(asked.value.toLowerCase()) >= 0;
        if (at.most) return value(row, at.most) === '' || parseFloat(value(row, at.most)) <= parseFloat(asked.value);
        return [asked.value, 'any'].indexOf(at.kind ? row.dataset.kind : value(row, at.is)) >= 0;
      });
      row.hidden = !ok; shown += ok;
    });
    form.querySelector('.count').textContent = shown + ' of ' + rows.length + ' rows';
  }
  form.hidden = false;
  form.addEventListener('input', filter);
  form.addEventListener('submit', function (event) { event.preventDefault(); });
  filter();
});
(function () {
  function open() {
    var at = location.hash && document.getElementById(location.hash.slice(1));
    if (at && at.parentNode.tagName === 'DETAILS') { at.parentNode.open = true; at.parentNode.scrollIntoView(); }
  }
  addEventListener('hashchange', open); open();
})();
"""


@dataclass(frozen=True)
class Column:
    """A heading, what it says, and whether its cells are texts."""

    head: str
    said: str
    text: bool = False


@dataclass(frozen=True)
class Cell:
    """What a cell is sorted by, and what it shows, as HTML."""

    value: object
    html: str

    @classmethod
    def number(cls, value: float, digits: int = 3, *, sign: bool = False) -> Cell:
        return cls(value, number(value, digits, sign=sign) if math.isfinite(value) else "")

    @classmethod
    def text(cls, value: str) -> Cell:
        return cls(value, escaped(value))


@dataclass(frozen=True)
class Line:
    """A row: its cells, the name of its kind, and whether it is the reader's own."""

    cells: Sequence[Cell]
    kind: str = ""
    own: bool = False


@dataclass(frozen=True)
class Filters:
    """What is asked for above a table, by number of column: a text in it, one of its values, a number at most.

    Where values are chosen from, a row whose value is "any" is of all of them; `chosen` is what is asked for at first.
    """

    find: int | None = None
    choose: Mapping[int, str] = field(default_factory=dict)  # with what stands there for any
    chosen: Mapping[int, str] = field(default_factory=dict)
    kinds: bool = False
    most: int | None = None


def sortable(columns: Sequence[Column], lines: Sequence[Line], name: int = 1, filters: Filters | None = None) -> str:
    """HTML; the page has SCRIPT at its end. `name` is the column that a row goes by."""
    heads = "".join(
        f'<th title="{escaped(one.said)}"{_class(one, place == name)}{" data-text=1" if one.text else ""}>'
        f"<button disabled>{escaped(one.head) or '#'}</button></th>"
        for place, one in enumerate(columns)
    )
    body = "".join(_line(columns, line, name) for line in lines)
    table = f'<table class="board"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'
    return (_form(columns, lines, filters) if filters is not None else "") + f'<div class="wide">{table}</div>'


def _class(column: Column, name: bool) -> str:
    classes = " ".join(word for word, there in (("t", column.text), ("n", name)) if there)
    return f' class="{classes}"' if classes else ""


def _line(columns: Sequence[Column], line: Line, name: int) -> str:
    shown = "".join(
        f'<td{_class(column, place == name)} data-v="{escaped(_plain(cell.value))}" data-l="{escaped(column.head)}">'
        f"{cell.html}</td>"
        for place, (column, cell) in enumerate(zip(columns, line.cells, strict=True))
    )
    kind = f' data-kind="{escaped(line.kind)}"' if line.kind else ""
    return f"<tr{kind}{' class=own' if line.own else ''}>{shown}</tr>"


def _plain(value: object) -> object:
    return "" if isinstance(value, float) and not math.isfinite(value) else value


def _form(columns: Sequence[Column], lines: Sequence[Line], filters: Filters) -> str:
    asked = []
    if filters.find is not None:
        head = escaped(columns[filters.find].head)
        asked.append(f'<input data-find="{filters.find}" type="search" placeholder="{head}" aria-label="{head}">')
    for place, anything in filters.choose.items():
        there = sorted({str(line.cells[place].value) for line in lines} - {"", "any"})
        first = filters.chosen.get(place, "")
        asked.append(_select(f'data-is="{place}"', columns[place].head, anything, there, first))
    if filters.kinds:
        asked.append(_select('data-kind="1"', "kind", "any kind", list(dict.fromkeys(line.kind for line in lines))))
    if filters.most is not None:
        text = f"{escaped(columns[filters.most].head)} at most"
        asked.append(
            f'<input data-most="{filters.most}" type="number" min="0" step="any" placeholder="{text}" '
            f'aria-label="{text}">'
        )
    return f'<form class="filter" hidden>{"".join(asked)}<span class="count note"></span></form>'


def _select(what: str, label: str, anything: str, values: Sequence[str], chosen: str = "") -> str:
    options = "".join(
        f"<option{' selected' if value == chosen else ''}>{escaped(value)}</option>" for value in values
    )
    return (
        f'<select {what} aria-label="{escaped(label)}"><option value="">{escaped(anything)}</option>{options}</select>'
    )
