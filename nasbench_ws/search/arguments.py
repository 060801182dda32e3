"""What a built-in searcher takes behind its colons, and what is refused before anything is run.

    count(1)("10"), part("0.2"), positive("0.01"), one_of("adam", "sgd")("sgd")        # 10, 0.2, 0.01, 'sgd'
    count(1)("0")                                                                      # RefusedError

Not here: which searcher takes which (names.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable

MOST = 10_000  # of a population, or a batch: more than any paper has, and some 100 MB of a controller's


class RefusedError(ValueError):
    """A number, or a word, that has no meaning there; the text says what has."""


def count(least: int) -> Callable[[str], int]:
    """A whole number."""

    def read(text: str) -> int:
        value = int(text)
        if value < least:
            raise RefusedError(f"{value} must be at least {least}")
        if value > MOST:
            raise RefusedError(f"{text[:20]} must be at most {MOST:,}")
        return value

    return read


def one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise RefusedError(f"{text[:40]!r} must be one of {', '.join(words)}")
        return text

    return read


def finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise RefusedError(f"{value} must be a finite number")
    return value


def positive(text: str) -> float:
    value = finite(text)
    if not value > 0:
        raise RefusedError(f"{value:g} must be above 0")
    return value


def at_least_0(text: str) -> float:
    value = finite(text)
    if value < 0:
        raise RefusedError(f"{value:g} must be at least 0")
    return value


def above_1(text: str) -> float:
    """Of Hyperband and its like: one of so many is promoted."""
    value = finite(text)
    if not value > 1:
        raise RefusedError(f"{value:g} must be above 1, such as 3: one of so many is promoted")
    return value


def part(text: str) -> float:
    value = finite(text)
    if not 0 < value <= 1:
        raise RefusedError(f"{value:g} must be above 0 and at most 1: it is a part")
    return value
