"""How far a long command is, on stderr: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

WIDTH = 28
LINE_SECONDS = 15.0  # between lines where stderr is no terminal


class Bar:
    """with Bar("evaluate full") as bar: bar.show(0.25, "1 of 3 super-nets", seconds_left)"""

    def __init__(self, title: str) -> None:
        self.title = title
        self._terminal = sys.stderr.isatty()
        self._last = 0.0
        self._drawn = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._drawn and self._terminal:
            print(file=sys.stderr)

    def once(self, text: str) -> None:
        """A line before the first."""
        if not self._drawn:
            print(f"{self.title}: {text}", file=sys.stderr, flush=True)

    def show(self, fraction: float, text: str, seconds_left: float | None) -> None:
        now = time.monotonic()
        if not self._terminal and self._drawn and now - self._last < LINE_SECONDS and fraction < 1:
            return
        self._last, self._drawn = now, True
        left = "" if seconds_left is None else f", {_duration(seconds_left)} left"
        if self._terminal:
            full = round(fraction * WIDTH)
            bar = "#" * full + "." * (WIDTH - full)
            print(f"\r\033[K{self.title} [{bar}] {fraction:4.0%} {text}{left}", end="", file=sys.stderr, flush=True)
        else:
            print(f"{self.title}: {fraction:.0%}, {text}{left}", file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
