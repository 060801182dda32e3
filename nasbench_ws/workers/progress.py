"""How far many tasks are, and how long the rest will take at the pace so far. Not here: the tasks (workers/pool.py).

    meter = Meter([800, 800, 200], on_progress)      # the tasks' sizes
    meter.step(0, 120)                               # of the first task; reported now and then
    meter.end(0)                                     # reported at once
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

# Seconds for a multiply-add of the forward pass of a trained image (its backward pass, update and share of the
# scoring included): the median of the 640 runs of fashion14, two at a time on a busy 2-vCPU AMD EPYC.
PACE = 2.5e-10
RUN_BYTES = 4096  # of a finished run's file, as file systems count


def disk_mib(runs: int) -> float:
    """What so many finished runs take in their folder."""
    return runs * RUN_BYTES / 2**20


def training_seconds(macs: float, workers: int) -> float:
    """`macs` are multiply-adds of forward passes: a child's, times the images that train it, summed."""
    return macs * PACE / max(1, workers)


LITTLE = 0.01  # of the work: what came before it is start-up, and less than it is no basis for a pace
GUESS = 0.02  # of the work: for so much of it a guess of the whole counts, beside the pace that was measured


def time_left(passed: float, worked: float, fraction: float, guess: float | None) -> float | None:
    """Seconds: at the pace so far, into which a guess passes without a jump; None where nobody knows yet.

    Args:
        passed: seconds since the work began.
        worked: part of the work that was done in them.
        fraction: part of the work that is done in all.
        guess: seconds that all of it may take; None: nobody knows.

    >>> [round(time_left(70 * part, part, part, 35)) for part in (0.0, 0.01, 0.02, 0.05, 0.2)]  # it takes 70 s in truth
    [35, 46, 51, 57, 53]
    >>> time_left(1.0, 0.005, 0.005, None) is None, time_left(30.0, 0.25, 0.25, None)
    (True, 90.0)
    """
    if guess is None:
        return passed / worked * (1 - fraction) if worked > LITTLE else None
    return (passed + max(guess, passed) * GUESS) / (worked + GUESS) * (1 - fraction)


POLL_SECONDS = 0.2  # between reports of steps


@dataclass(frozen=True)
class Progress:
    """`fraction` is of the sizes, tasks under way included; `seconds_left` is None where nobody knows yet.

    `held_up` tasks are all that remain, and none of them can start yet: somebody else is at them.
    """

    done: int
    failed: int
    total: int
    fraction: float
    seconds_left: float | None
    held_up: int = 0
    idle: bool = False  # the executor has no workers now


OnProgress = Callable[[Progress], None]


class Meter:
    """Tasks go by their numbers. `seconds` are what all of them may take, for the first reports."""

    def __init__(self, sizes: list[float], on_progress: OnProgress | None, seconds: float | None = None) -> None:
        self._sizes, self._on_progress, self._guess = sizes, on_progress, seconds
        self._total = sum(sizes) or 1.0
        self._under_way: dict[int, float] = {}
        self._done = self._failed = 0
        self._ended = 0.0
        self._started = time.monotonic()
        self._reported = 0.0
        self._first: tuple[float, float] | None = None  # seconds and fraction when the first work was reported
        self._held_up, self._idle = 0, False

    def step(self, number: int, step: float) -> None:
        before = self._under_way.get(number, 0.0)  # of an earlier try, perhaps
        self._under_way[number] = max(before, min(step, self._sizes[number]))
        if time.monotonic() - self._reported > POLL_SECONDS:
            self.report()

    def end(self, number: int, failed: bool = False) -> None:
        self._under_way.pop(number, None)
        self._ended += self._sizes[number]
        self._idle = False
        self._failed += failed
        self._done += not failed
        self.report()

    def hold(self, count: int) -> None:
        """So many tasks remain, and none can start; 0 where one can. Reported when that changes."""
        if count != self._held_up:
            self._held_up = count
            self.report()

    def idle(self, idle: bool) -> None:
        """Whether there is nobody to do the work. Reported when that changes."""
        if idle != self._idle:
            self._idle = idle
            self.report()

    def report(self) -> None:
        if self._on_progress is None:
            return
        self._reported = time.monotonic()
        ended = self._done + self._failed == len(self._sizes)
        fraction = 1.0 if ended else min(1.0, (self._ended + sum(self._under_way.values())) / self._total)
        passed = self._reported - self._started
        if self._first is None and fraction > 0:  # workers that start, import and load images have no pace
            self._first = (passed, fraction) if fraction < LITTLE else (0.0, 0.0)
        waited, before = self._first or (passed, 0.0)
        left = 0.0 if ended else time_left(passed - waited, fraction - before, fraction, self._guess)
        count = len(self._sizes)
        self._on_progress(Progress(self._done, self._failed, count, fraction, left, self._held_up, self._idle))
