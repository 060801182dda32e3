"""What is around figures: one self-contained HTML page, light or dark, for a desk, a phone and paper.

    page("full on fashion14", [Section("Verdict", paragraph("..."))])

Everything that is not a figure comes in as text and is escaped here.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from nasbench_ws.markup import escaped, paragraph
from nasbench_ws.provenance import versions
from nasbench_ws.report.canvas import COLOURS

STYLE = COLOURS + """@media print { :root { --paper: #ffffff; --ink: #000000; --faint: #555555; --line: #bbbbbb; }
  section { break-inside: avoid; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 46rem; padding: 1.2rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .4rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .4rem; }
p { margin: .4rem 0; } .verdict { font-size: 1.15rem; border-left: 4px solid var(--first); padding-left: .8rem; }
.note { color: var(--faint); font-size: .92rem; }
figure { margin: .6rem 0; max-width: 42rem; } svg { width: 100%; height: auto; display: block; }
.cells { display: flex; flex-wrap: wrap; gap: 1rem; } .cells figure { flex: 1 1 15rem; margin: 0; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .6rem .2rem 0; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 6.5rem;
  overflow-wrap: break-word; }
tr.own td { font-weight: 600; background: color-mix(in srgb, var(--first) 14%, transparent); }
.board button { all: unset; cursor: pointer; font-weight: 600; } .board button:disabled { cursor: default; }
.board button:focus-visible { outline: 2px solid var(--first); }
.board th[aria-sort=ascending] button::after { content: " \\2191"; }
.board th[aria-sort=descending] button::after { content: " \\2193"; }
.filter { display: flex; flex-wrap: wrap; gap: .5rem; margin: .6rem 0; align-items: center; }
.filter[hidden] { display: none; } .filter input, .filter select { font: inherit; padding: .2rem .4rem;
  max-width: 12rem; background: var(--paper); color: var(--ink); border: 1px solid var(--line); border-radius: 4px; }
pre { overflow-x: auto; font-size: .85rem; line-height: 1.4; overflow-wrap: normal; }
summary { cursor: pointer; padding: .25rem 0; }
.board th:first-child, .board td:first-child { min-width: 0; }
.board .t { text-align: left; } .board .n { white-space: normal; min-width: 7rem; }
.board .long { display: block; min-width: 11rem; white-space: normal; }
@media (min-width: 60rem) { .filter + .wide { width: 56rem; margin-left: -6.2rem; }
  .filter + .wide table { margin: 0 auto; } }
@media (min-width: 79rem) { .filter + .wide { width: 74rem; margin-left: -15.2rem; } }
@media (max-width: 30rem) {
  .board thead { display: none; } .board, .board tbody, .board tr { display: block; width: 100%; }
  .board tr[hidden] { display: none; } .board tr { border-bottom: 1px solid var(--line); padding: .35rem 0; }
  .board td { display: inline-block; border: 0; padding: 0 .8rem 0 0; text-align: left; white-space: nowrap; }
  .board td::before { content: attr(data-l) " "; color: var(--faint); }
  .board td.n { font-weight: 600; font-size: 1rem; } .board td.n::before { content: ""; }
  .board td:first-child { min-width: 0; } .board .long { display: inline; }
  .board td[data-v=""], .board td[data-v=any] { display: none; }
  .cards thead { display: none; } .cards, .cards tbody, .cards tr { display: block; width: 100%; }
  .cards tr { border-bottom: 1px solid var(--line); padding: .35rem 0; }
  .cards td { display: inline-block; border: 0; padding: 0 .8rem 0 0; text-align: left; white-space: nowrap; }
  .cards td:first-child { display: block; font-weight: 600; white-space: normal; } .cards td:empty { display: none; }
  .cards td:not(:first-child)::before { content: attr(data-l) " "; color: var(--faint); }
  .text, .text tbody, .text tr, .text th, .text td { display: block; }
  .text th { text-align: left; border: 0; padding: .35rem 0 0; } .text td { padding: 0 0 .35rem; } }
nav { font-size: .88rem; margin: .6rem 0; } nav div { display: flex; flex-wrap: wrap; gap: .2rem .9rem; }
nav b { font-weight: 600; }
a { color: var(--first); }
.text td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
.text th { vertical-align: top; white-space: nowrap !important; }
"""


OnFigure = Callable[[int, int], None]  # is called with how many figures of how many are drawn


def unseen(done: int, of: int) -> None:
    """Nobody waits."""


@dataclass(frozen=True)
class Section:
    """A heading and what is below it, as HTML; `part` is what several sections are of, as one result among others."""

    title: str
    body: str
    part: str = ""

    @property
    def heading(self) -> str:
        return f"{self.part}: {self.title}" if self.part else self.title


def page(title: str, sections: Iterable[Section], *, about: str = "", script: str = "") -> str:
    """The whole document, with a line on what made it, and contents where there are several sections.

    Args:
        title: of the page.
        sections: in order.
        about: what the page is, in a sentence.
        script: JavaScript of ours for the end of the page, which must be whole without it.
    """
    listed = list(sections)
    ids = _anchors(listed)
    body = "".join(
        f'<section id="{name}"><h2>{escaped(s.heading)}</h2>{s.body}</section>\n'
        for name, s in zip(ids, listed, strict=True)
    )
    links = _contents(listed, ids) if len(listed) > 2 else ""
    day = date.today()
    made = f"Made by nasbench-ws {versions()['nasbench-ws']} on {day.day} {day:%B %Y}."
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="generator" content="nasbench-ws {versions()["nasbench-ws"]}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{escaped(title)}</title><style>{STYLE}</style></head>\n'
        f"<body><header><h1>{escaped(title)}</h1>{paragraph(f'{about} {made}'.strip(), 'note')}"
        f"{f'<nav>{links}</nav>' if links else ''}</header>\n{body}"
        f"{f'<script>{script}</script>' if script else ''}</body></html>\n"
    )


def _contents(sections: Sequence[Section], ids: Sequence[str]) -> str:
    """Links, a line a part."""
    lines = []
    for part, own in itertools.groupby(zip(sections, ids, strict=True), key=lambda pair: pair[0].part):
        links = "".join(f'<a href="#{name}">{escaped(one.title)}</a>' for one, name in own)
        lines.append(f"<div>{f'<b>{escaped(part)}</b>' if part else ''}{links}</div>")
    return "".join(lines)


def _anchors(sections: Sequence[Section]) -> list[str]:
    """Of each section's title, letters and dashes; a number behind one that stood before."""
    found: list[str] = []
    for one in sections:
        name = re.sub(r"[^a-z0-9]+", "-", one.heading.lower()).strip("-") or "section"
        found.append(name if name not in found else f"{name}-{len(found)}")
    return [f"s-{name}" for name in found]


def figure(svg: str, caption: str) -> str:
    return f'<figure>{svg}<figcaption class="note">{escaped(caption)}</figcaption></figure>'


def facts(values: Mapping[str, object]) -> str:
    """Names and values, a row each."""
    rows = "".join(f"<tr><th>{escaped(key)}</th><td>{escaped(value)}</td></tr>" for key, value in values.items())
    return f'<div class="wide"><table class="text"><tbody>{rows}</tbody></table></div>'
