"""The surface that figures are drawn on: matplotlib in, SVG text out, for a page that is light or dark.

    @styled
    def scatter(x, y):
        canvas = Canvas("scatter", "Scores against accuracies")
        canvas.note(canvas.axes.plot(x, y, "o", color=FIRST)[0], "child 434: 0.87")     # what hovering shows
        return canvas.svg()

Colours are CSS variables with a fallback, text stays text, and every id begins with the figure's name, so that several
figures can stand in one page, or one alone in a file. The same numbers give the same bytes.
"""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, ParamSpec

from nasbench_ws.errors import extra
from nasbench_ws.markup import escaped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# What is drawn in these becomes var(--name, fallback). Distinguishable without colour vision (Okabe and Ito).
INK, FAINT, FIRST, SECOND, THIRD, FOURTH = "#1f2328", "#8a9099", "#0072b2", "#d55e00", "#009e73", "#aa5588"
FIFTH, SIXTH, SEVENTH, EIGHTH = "#9a7600", "#56616d", "#b3123f", "#5a7d01"
SERIES = (FIRST, SECOND, THIRD, FOURTH, FIFTH, SIXTH, SEVENTH, EIGHTH)
NAMES = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
VARIABLES = {INK: "ink", FAINT: "faint", **dict(zip(SERIES, NAMES, strict=True))}
# beside colours: for paper, and for eyes that do not tell colours apart
DASHES: tuple[Literal["-", "--", ":", "-."], ...] = ("-", "--", ":", "-.")

COLOURS = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1f2328; --faint: #6b727c; --line: #d8dce1;
  --first: #0072b2; --second: #c04f00; --third: #00795a; --fourth: #9b4478;
  --fifth: #8a6a00; --sixth: #56616d; --seventh: #b3123f; --eighth: #4f6e00; }
@media (prefers-color-scheme: dark) { :root { --paper: #15181c; --ink: #e6e8eb; --faint: #9aa2ad; --line: #343a42;
  --first: #5ab4ef; --second: #ff9d5c; --third: #3fcf9f; --fourth: #e08fc0;
  --fifth: #e5c453; --sixth: #b4bec9; --seventh: #ff7088; --eighth: #a8cf45; } }
"""
WIDTH = 5.8  # inches: text can be read at a phone's width, and is not huge on a desk
P = ParamSpec("P")
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 11.0, "axes.spines.top": False,
    "axes.spines.right": False, "axes.edgecolor": FAINT, "axes.labelcolor": INK, "text.color": INK,
    "xtick.color": INK, "ytick.color": INK, "xtick.labelcolor": INK, "ytick.labelcolor": INK, "axes.titlesize": 11.0,
    "legend.frameon": False, "legend.fontsize": 10.0, "axes.unicode_minus": False,
    "text.parse_math": False,  # a name with dollars is a name
}  # fmt: skip


def styled(draw: Callable[P, str]) -> Callable[P, str]:
    """For a function that draws a figure: matplotlib imported when it is called, and this style while it runs."""

    @functools.wraps(draw)
    def drawn(*arguments: P.args, **options: P.kwargs) -> str:
        with extra("report", "figures need matplotlib"):
            import matplotlib
        with matplotlib.rc_context({**STYLE, "svg.hashsalt": draw.__name__}):
            return draw(*arguments, **options)

    return drawn


class Canvas:
    """One figure: `axes` to draw on, or `grid` where there are several side by side. Inside a `styled` function."""

    def __init__(self, name: str, description: str, *, columns: int = 1, height: float = 3.7) -> None:
        from matplotlib.figure import Figure

        self.name, self.description = name, description
        self._notes: list[str] = []
        self._figure = Figure(figsize=(WIDTH, height), layout="constrained")
        self.grid: list[Axes] = list(self._figure.subplots(1, columns, sharey=columns > 1, squeeze=False)[0])
        self.axes = self.grid[0]

    def note(self, artist: Any, text: str) -> None:
        """What a reader sees on hovering over a mark."""
        artist.set_gid(f"note{len(self._notes)}")
        self._notes.append(text)

    def svg(self) -> str:
        """The figure as one <svg> element."""
        buffer = io.StringIO()
        self._figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
        text = buffer.getvalue()
        text = text[text.index("<svg") :]
        text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.S)
        text = re.sub(r'<svg .*?(viewBox="[^"]*").*?>', self._head, text, count=1, flags=re.S)
        text = re.sub(r'<g id="note(\d+)">', self._title, text)
        text = prefixed(text, self.name)
        for colour, name in VARIABLES.items():
            text = text.replace(colour, f"var(--{name}, {colour})")
        return text.strip()

    def _head(self, match: re.Match[str]) -> str:
        names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
        return f'<svg {names} {match[1]} role="img" aria-label="{escaped(self.description)}">'

    def _title(self, match: re.Match[str]) -> str:
        return f"{match[0]}<title>{escaped(self._notes[int(match[1])])}</title>"


def prefixed(svg: str, prefix: str) -> str:
    """With every id, and what refers to it, behind a prefix: for several in one page."""
    return re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{prefix}-", svg)


def standalone(svg: str) -> str:
    """A figure as a file of its own: on its own ground, which is light or dark as the reader's system is."""
    head, _, rest = svg.partition(">")
    ground = '<rect width="100%" height="100%" rx="6" fill="var(--paper, #ffffff)"/>'
    return f"{head}><!-- by nasbench-ws --><style>{COLOURS}</style>{ground}{rest}\n"
