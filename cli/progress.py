"""How far a long command is, on stderr: click's bar on a terminal, now and then a line elsewhere.

    with Bar.patient("assess") as bar:
        bar.show(None, "resampling", None)          # one step, of which nobody knows how long it takes
        found = assess(scores, table)               # two seconds later: "assess: resampling, 2 s"
    click.echo(found)                               # the answer, when the bar is gone
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import click

WIDTH = 28
FINE = 1000  # steps of the bar
PATIENCE = 2.0  # seconds: what is over by then needs no word
LINE_SECONDS = 15.0  # between lines where stderr is no terminal


class Bar:
    """with Bar("evaluate full") as bar: bar.show(0.25, "1 of 3 super-nets", seconds_left)"""

    def __init__(self, title: str, after: float = 0.0) -> None:
        """Nothing is shown in the first `after` seconds: of what is mostly quick.

        What takes longer is then said even while nobody calls: a step may be one import, or one computation.
        """
        self.title, self._began = title, time.monotonic()
        self._from = self._began + after
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._waiting: tuple[float | None, str, float | None] | None = None
        self._told = threading.Thread(target=self._tell, daemon=True) if after else None
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

    @classmethod
    def patient(cls, title: str) -> Self:
        """For what is mostly over at once."""
        return cls(title, PATIENCE)

    def __enter__(self) -> Self:
        if self._told is not None and not self._quiet:
            self._told.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        with self._lock:
            if self._drawn and self._terminal:
                self._bar.render_finish()

    def _tell(self) -> None:
        """What was last said before anything could be shown; of a step without parts, how long it has been at work."""
        wait = max(0.0, self._from - time.monotonic())
        while not self._over.wait(wait):
            with self._lock:
                if self._over.is_set():
                    return
                wait = 1.0 if self._terminal else LINE_SECONDS
                if self._waiting is None:
                    continue
                fraction, text, left = self._waiting
                if fraction is not None and self._drawn:
                    return
                passed = "" if fraction is not None else f", {_duration(time.monotonic() - self._began)}"
                self._draw(fraction, text + passed, left)

    def once(self, text: str) -> None:
        """A line before the first."""
        if not self._drawn and not self._quiet:
            click.echo(f"{self.title}: {text}", err=True)

    def show(self, fraction: float | None, text: str, seconds_left: float | None, at_once: bool = False) -> None:
        """`fraction` None: nobody knows. `at_once`: a line that waits for nothing, for somebody has to do something."""
        if self._quiet:
            return
        with self._lock:
            now = time.monotonic()
            self._waiting = fraction, text, seconds_left
            if (now < self._from or fraction is None) and not at_once:
                return  # _tell says it, if it lasts
            early = self._drawn and now - self._last < LINE_SECONDS and fraction != 1
            if early and not self._terminal and not at_once:
                return
            self._draw(fraction, text, seconds_left)

    def _draw(self, fraction: float | None, text: str, seconds_left: float | None) -> None:
        self._last, self._drawn = time.monotonic(), True
        left = "" if seconds_left is None else f", {_duration(seconds_left)} left"
        if self._terminal:
            place = self._bar.pos if fraction is None else round(fraction * FINE)
            self._bar.update(place - self._bar.pos, text + left)
        else:
            part = "" if fraction is None else f"{fraction:.0%}, "
            click.echo(f"{self.title}: {part}{text}{left}", err=True)


def counted(bar: Bar, noun: str, alike: bool = True) -> Callable[[int, int], None]:
    """For `on_part(done, of)`; of parts that take about as long each, with the time left at the pace so far."""
    began = time.monotonic()

    def on_part(done: int, of: int) -> None:
        left = (time.monotonic() - began) / done * (of - done) if done and alike else None
        bar.show(done / of, f"{done} of {of} {noun}", left)

    return on_part


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
