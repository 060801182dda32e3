"""How things are written for people: a number, with a dash where there is none, a stranger's text, and a little HTML.

    number(0.27131), number(0.4, sign=True), number(float("nan"))      # "0.271", "+0.400", "-"
    paragraph("It beats parameter count.", "verdict")

At the ground, so that neither tables nor results need the reports.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence


def printable(text: str) -> str:
    """The text with all that commands a terminal, turns what follows, or is no letter written out; lines stay.

    Names in tables, results and folders come from strangers.

    >>> printable("\\x1b[31mred\\u202e\\udcff") == r"\\x1b[31mred\\u202e\\udcff"
    True
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t\xa0" else c.encode("unicode_escape").decode() for c in text)


def on_one_line(text: str) -> str:
    """Printable, and without a line's end, which would end a comment of LaTeX or a label of a figure.

    >>> on_one_line("a\\n\\tb")
    'a b'
    """
    return " ".join(printable(text).split())


def escaped(text: object) -> str:
    return html.escape(printable(str(text)))


def paragraph(text: str, kind: str = "") -> str:
    """`kind` is verdict, note or none."""
    return f'<p class="{kind}">{escaped(text)}</p>' if kind else f"<p>{escaped(text)}</p>"


def table(
    head: Sequence[str], rows: Iterable[Sequence[object]], *, cards: bool = False,
    said: Mapping[str, str] | None = None,
) -> str:  # fmt: skip
    """`cards`: each cell knows its heading, so that a page can show a row as a card on a phone.

    `said`: what hovering over a row's first cell shows, by the text of it.
    """
    top = "".join(f"<th>{escaped(cell)}</th>" for cell in head)

    def shown(row: Sequence[object]) -> str:
        cells: list[str] = []
        for name, cell in zip(head, row, strict=True):
            about = (said or {}).get(str(row[0]), "") if not cells else ""
            attributes = f' title="{escaped(about)}"' if about else ""
            attributes += f' data-l="{escaped(name)}"' if cards else ""
            cells.append(f"<td{attributes}>{escaped(cell)}</td>")
        return "".join(cells)

    body = "".join(f"<tr>{shown(row)}</tr>" for row in rows)
    kind = ' class="cards"' if cards else ""
    return f'<div class="wide"><table{kind}><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def number(value: float | None, digits: int = 3, *, sign: bool = False, short: bool = False) -> str:
    """`digits` behind the point; `short`: one digit from 10 on, so that columns stay narrow.

    >>> number(None), number(31.25, short=True), number(-0.5, 2, sign=True)
    ('-', '31.2', '-0.50')
    """
    if value is None or value != value:
        return "-"
    places = 1 if short and abs(value) >= 10 else digits
    return f"{value:{'+' if sign else ''}.{places}f}"
