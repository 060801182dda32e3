"""Scores against the ground truth, a mark a child. SVG by hand: a page of a hundred of these would take half a minute.

    scatter(names, truth, spread, scores, tied)         # an <svg> element

Shapes: (n,) by child, (I, n) by instance and child. Accuracies are fractions in, percent on the axes. Not here: the
other figures of results (figures.py), which matplotlib draws, and the same one for a notebook (results/plot.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nasbench_ws.markup import escaped
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.report.canvas import FAINT, INK, SERIES, VARIABLES

WIDTH, HEIGHT = 418.0, 266.0  # points, with a legend of no line; a page scales them
LEFT, RIGHT, BOTTOM, TOP = 56.0, 10.0, 46.0, 10.0  # around the axes
LINE, LETTER = 13.0, 5.2  # points between lines of the legend, and from letter to letter
RADIUS = 2.6
TICKS = 7  # at most
SHAPES = "osDP"  # circle, square, diamond and plus: for eyes that do not tell colours apart
OUTLINES = {  # of a radius of 1
    "s": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
    "D": ((0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)),
    "P": (
        (-0.45, -1.2), (0.45, -1.2), (0.45, -0.45), (1.2, -0.45), (1.2, 0.45), (0.45, 0.45), (0.45, 1.2), (-0.45, 1.2),
        (-0.45, 0.45), (-1.2, 0.45), (-1.2, -0.45), (-0.45, -0.45),
    ),
    "<": ((-1.3, 0), (0.9, -1.2), (0.9, 1.2)),
}  # fmt: skip


class Kinds(NamedTuple):
    """What marks are coloured by: a number for each child, the names of the numbers, and what they are names of."""

    of: npt.NDArray[np.int64]  # (n,)
    names: Sequence[str]
    what: str


MOST_KINDS = len(SERIES) * len(SHAPES)


class Axis(NamedTuple):
    """From values to points, between two ends."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """At most TICKS round numbers within: multiples of 1, 2, 2.5 or 5 times a power of ten."""
        span = self.high - self.low
        power = 10.0 ** math.floor(math.log10(span / TICKS))
        step = next(power * part for part in (1, 2, 2.5, 5, 10, 20) if span / (power * part) <= TICKS - 1)
        first = math.ceil(self.low / step)
        return [step * i for i in range(first, first + TICKS + 1) if step * i <= self.high]


def scatter(
    names: Sequence[str], truth: Array, spread: Array, scores: Array, tied: npt.NDArray[np.bool_],
    kinds: Kinds | None = None, tau: float = np.nan, what: str = "",
) -> str:  # fmt: skip
    """Mean score (I, n) against ground truth; bars are standard deviations, open marks share a score with another.

    A child far off the others is at the edge as a triangle: the axes are for the rest. `what` says what scores are that
    are no accuracies.
    """
    x, wide = truth * 100, spread * 100
    mean, over = (values * (1 if what else 100) for values in _over_instances(scores))
    shown = np.flatnonzero(np.isfinite(mean)).tolist()
    left, below = _beginning(x[shown]), _beginning(mean[shown])
    off = (x < left) | (mean < below)
    inside = [i for i in shown if not off[i]]
    legend, top = _legend(kinds)
    up = _axis(mean[inside], over[inside], below, HEIGHT - BOTTOM + top, TOP + top)
    start = LEFT + LETTER * max(0, max(len(label) for _, label in _labelled(up)) - 3)
    across = _axis(x[inside], wide[inside], left, start, WIDTH - RIGHT)
    lines = [f"score: {what}"] if what else ["score: validation accuracy", "in the super-net (%)"]
    parts = [_frame(across, up, lines), legend, _bars(across, up, x, wide, mean, over, inside)]
    for kind in range(len(kinds.names) if kinds is not None else 1):
        colour, shape = colour_and_shape(kind)
        own = [i for i in shown if kinds is None or kinds.of[i] == kind]
        marks = []
        for i in own:
            true = f"{x[i]:.2f} +- {wide[i]:.2f}"
            said = f"{mean[i]:.4g} +- {over[i]:.2g}" if what else f"{mean[i]:.2f} +- {over[i]:.2f}"
            note = f"{names[i]}: score {said}, ground truth {true}"
            at = across(max(x[i], left)), up(max(mean[i], below))
            marks.append(_mark(*at, "<" if off[i] else shape, note, filled=not tied[i]))
        parts.append(f'<g fill="{_var(colour)}" stroke="{_var(colour)}">{"".join(marks)}</g>' if marks else "")
    said = f"Kendall tau {tau:.2f}" if np.isfinite(tau) else ""
    parts.append(_text(start + 8, TOP + top + 8, said, size=10) if said else "")
    if off.any():
        parts.append(_text(start + 8, HEIGHT - BOTTOM + top - 8, f"{int(off.sum())} further off", size=9, colour=FAINT))
    label = "Score of each child against its ground truth"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(WIDTH)} {_n(HEIGHT + top)}" role="img" '
        f'aria-label="{label}" font-family="sans-serif" font-size="11">{"".join(parts)}</svg>'
    )


def colour_and_shape(number: int) -> tuple[str, str]:
    """Of the mark of a kind: eight colours, and as many again in every other shape."""
    return SERIES[number % len(SERIES)], SHAPES[number // len(SERIES) % len(SHAPES)]


def _over_instances(scores: Array) -> tuple[Array, Array]:
    """(n,) mean and standard deviation of the finite ones; NaN where there is none, and no deviation of one."""
    known = np.isfinite(scores)
    count, filled = known.sum(axis=0), np.where(known, scores, 0.0)
    mean = np.where(count > 0, filled.sum(axis=0) / np.maximum(count, 1), np.nan)
    squares = (np.where(known, scores - mean, 0.0) ** 2).sum(axis=0)
    return mean, np.sqrt(squares / np.maximum(count - 1, 1))


def _beginning(values: Array) -> float:
    """Where an axis begins: at the least value that is no more than three quartile ranges below the lower quartile."""
    low, high = np.quantile(values, [0.25, 0.75])
    return float(values[values >= low - 3 * (high - low)].min())


def _axis(values: Array, spread: Array, begins: float, start: float, end: float) -> Axis:
    """Over all bars, and a twentieth more at both ends; something is to be seen where all are equal."""
    low, high = min(begins, float((values - spread).min())), float((values + spread).max())
    margin = (high - low) / 20 or max(1e-3, abs(high) / 100)
    return Axis(low - margin, high + margin, start, end)


def _frame(across: Axis, up: Axis, score: Sequence[str]) -> str:
    """Axes, ticks and labels; `score` is the label beside the scores, in lines."""
    bottom, left = up.start, across.start
    line = f"M{_n(left)} {_n(up.end)}V{_n(bottom)}H{_n(across.end)}"
    ticks, labels = "", []
    for value, text in _labelled(across):
        ticks += f"M{_n(across(value))} {_n(bottom)}v3.5"
        labels.append(_text(across(value), bottom + 15, text, anchor="middle"))
    for value, text in _labelled(up):
        ticks += f"M{_n(left)} {_n(up(value))}h-3.5"
        labels.append(_text(left - 7, up(value) + 4, text, anchor="end"))
    middle = _n((up.start + up.end) / 2)
    beside = "".join(_text(0, 13 * row, text, anchor="middle") for row, text in enumerate(score))
    return (
        f'<path d="{line}" fill="none" stroke="{_var(FAINT)}" stroke-width=".8"/>'
        f'<path d="{ticks}" stroke="{_var(INK)}" stroke-width=".8"/>{"".join(labels)}'
        + _text((left + across.end) / 2, bottom + 33, "ground truth: test accuracy trained alone (%)", anchor="middle")
        + f'<g transform="translate(12 {middle}) rotate(-90)">{beside}</g>'
    )


def _labelled(axis: Axis) -> Iterator[tuple[float, str]]:
    """Ticks, all with as many digits as the step takes."""
    found = axis.ticks()
    step = found[1] - found[0]
    digits = next((d for d in range(5) if abs(round(step, d) - step) < step * 1e-6), None)
    plain = digits is not None and max(map(abs, found)) < 1e5
    return ((value, f"{value + 0.0:.{digits}f}" if plain else f"{value + 0.0:.4g}") for value in found)


def _bars(
    across: Axis, up: Axis, x: Array, wide: Array, mean: Array, over: Array, inside: Sequence[int]
) -> str:  # fmt: skip
    """Standard deviations, as one path."""
    path = "".join(
        f"M{_n(across(x[i] - wide[i]))} {_n(up(mean[i]))}H{_n(across(x[i] + wide[i]))}"
        f"M{_n(across(x[i]))} {_n(up(mean[i] - over[i]))}V{_n(up(mean[i] + over[i]))}"
        for i in inside
    )
    return f'<path d="{path}" stroke="{_var(FAINT)}" stroke-width=".7" opacity=".6"/>'


def _legend(kinds: Kinds | None) -> tuple[str, float]:
    """What the colours are, above the axes, and how high it is."""
    if kinds is None:
        return "", 0.0
    longest = max(map(len, kinds.names)) * LETTER + 22
    columns = max(1, min(3, int((WIDTH - LEFT) // longest)))
    parts = [_text(LEFT, 11, kinds.what, size=9)]
    for number, name in enumerate(kinds.names):
        row, column = divmod(number, columns)
        at, down = LEFT + 5 + column * (WIDTH - LEFT) / columns, 11 + LINE * (row + 1)
        colour, shape = colour_and_shape(number)
        mark = _mark(at, down - 3, shape)
        parts.append(f'<g fill="{_var(colour)}" stroke="{_var(colour)}">{mark}</g>{_text(at + 8, down, name, size=9)}')
    return "".join(parts), 6 + LINE * (1 + math.ceil(len(kinds.names) / columns))


def _mark(x: float, y: float, shape: str, note: str = "", *, filled: bool = True) -> str:
    """In the colour of what is around it; `note` is what hovering shows."""
    hollow = "" if filled else ' fill="none"'
    if shape == "o":
        name, where = "circle", f'cx="{_n(x)}" cy="{_n(y)}" r="{RADIUS}"'
    else:
        points = " ".join(f"{_n(x + RADIUS * a)},{_n(y + RADIUS * b)}" for a, b in OUTLINES[shape])
        name, where = "polygon", f'points="{points}"'
    return f"<{name} {where}{hollow}>{f'<title>{escaped(note)}</title>' if note else ''}</{name}>"


def _text(x: float, y: float, text: str, *, anchor: str = "", size: float = 11, colour: str = INK) -> str:
    style = f' text-anchor="{anchor}"' if anchor else ""
    style += f' font-size="{size:g}"' if size != 11 else ""
    return f'<text x="{_n(x)}" y="{_n(y)}" fill="{_var(colour)}"{style}>{escaped(text)}</text>'


def _var(colour: str) -> str:
    return f"var(--{VARIABLES[colour]}, {colour})"


def _n(value: float) -> str:
    """Tenths of a point, which nobody sees."""
    return f"{value:.1f}".removesuffix(".0")
