"""How far a long command is, on stderr: click's bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import click

WIDTH = 28
FINE = 1000  # steps of the bar
LINE_SECONDS = 15.0  # between lines where stderr is no terminal


class Bar:
    """with Bar("evaluate full") as bar: bar.show(0.25, "1 of 3 super-nets", seconds_left)"""

    def __init__(self, title: str, after: float = 0.0) -> None:
        """Nothing is shown in the first `after` seconds: of what is mostly quick."""
        self.title, self._from = title, time.monotonic() + after
        context = click.get_current_context(silent=True)
        self._quiet = context is not None and bool(context.meta.get("nasbench_ws.quiet"))
        self._terminal = sys.stderr.isatty()
        self._last = 0.0
        self._drawn = False
        self._bar = click.progressbar(
            length=FINE, label=title, file=sys.stderr, width=WIDTH, fill_char="#", empty_char=".", update_min_steps=0,
            show_eta=False, show_percent=True, item_show_func=lambda text: text,
            bar_template="%(label)s [%(bar)s] %(info)s",
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._drawn:
            self._bar.render_finish()

    def once(self, text: str) -> None:
        """A line before the first."""
        if not self._drawn and not self._quiet:
            click.echo(f"{self.title}: {text}", err=True)

    def show(self, fraction: float, text: str, seconds_left: float | None, at_once: bool = False) -> None:
        """`at_once`: a line that does not wait for its turn, for somebody has to do something."""
        if self._quiet:
            return
        now = time.monotonic()
        if now < self._from and not at_once:
            return
        early = self._drawn and now - self._last < LINE_SECONDS and fraction < 1
        if early and not self._terminal and not at_once:
            return
        self._last, self._drawn = now, True
        left = "" if seconds_left is None else f", {_duration(seconds_left)} left"
        if self._terminal:
            self._bar.update(round(fraction * FINE) - self._bar.pos, text + left)
        else:
            click.echo(f"{self.title}: {fraction:.0%}, {text}{left}", err=True)


def paced(bar: Bar, steps: int, noun: str) -> Callable[[int], None]:
    """For `on_step(steps done)` of one training: shown ten times a second at most, with the time left at its pace."""
    began: list[float] = []
    shown = 0.0

    def on_step(done: int) -> None:
        nonlocal shown
        now = time.monotonic()
        began.append(now) if not began else None
        if now - shown < 0.1 and done < steps:
            return
        shown, passed, first = now, now - began[0], 1
        left = passed / (done - first) * (steps - done) if done > first else None
        bar.show(done / steps, f"{done:,} of {steps:,} {noun}", left)

    return on_step


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
