"""What is around figures: one self-contained HTML page, light or dark, for a desk, a phone and paper.

    page("full on fashion14", [Section("Verdict", paragraph("..."))])

Everything that is not a figure comes in as text and is escaped here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nasbench_ws.markup import escaped

STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1f2328; --faint: #6b727c; --line: #d8dce1;
  --first: #0072b2; --second: #c04f00; --third: #00795a; --fourth: #9b4478; }
@media (prefers-color-scheme: dark) { :root { --paper: #15181c; --ink: #e6e8eb; --faint: #9aa2ad; --line: #343a42;
  --first: #5ab4ef; --second: #ff9d5c; --third: #3fcf9f; --fourth: #e08fc0; } }
@media print { :root { --paper: #ffffff; --ink: #000000; --faint: #555555; --line: #bbbbbb; }
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
.text td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
.text th { vertical-align: top; white-space: nowrap !important; }
"""


@dataclass(frozen=True)
class Section:
    """A heading and what is below it, as HTML."""

    title: str
    body: str


def page(title: str, sections: Iterable[Section]) -> str:
    """The whole document."""
    body = "".join(f"<section><h2>{escaped(s.title)}</h2>{s.body}</section>\n" for s in sections)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{escaped(title)}</title><style>{STYLE}</style></head>\n'
        f"<body><h1>{escaped(title)}</h1>\n{body}</body></html>\n"
    )


def figure(svg: str, caption: str) -> str:
    return f'<figure>{svg}<figcaption class="note">{escaped(caption)}</figcaption></figure>'


def facts(values: Mapping[str, object]) -> str:
    """Names and values, a row each."""
    rows = "".join(f"<tr><th>{escaped(key)}</th><td>{escaped(value)}</td></tr>" for key, value in values.items())
    return f'<div class="wide"><table class="text"><tbody>{rows}</tbody></table></div>'
