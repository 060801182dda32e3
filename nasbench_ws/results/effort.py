"""How many draws each estimate of an assessment takes: fixed, so that two people get one number.

    effort_for(64).resamples                 # 2,000 tables redrawn for an interval
    with drawing(Effort(resamples=20)):      # coarser, to try something out: other numbers than everybody else's
        result = evaluate("full")

Not here: what is drawn (metrics/intervals.py, metrics/ceiling.py, metrics/bound.py).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import astuple, dataclass


@dataclass(frozen=True)
class Effort:
    """Each a number of draws; the error of an estimate falls with its root."""

    rankings: int = 2000  # random rankings of the baseline `random`
    resamples: int = 2000  # tables whose seeds are drawn again, for an interval
    simulations: int = 200  # tables drawn for a ceiling
    bounds: int = 400  # tables drawn for the bound of a metric


EFFORT = Effort()
FULL = 512  # children up to which all draws are made
LEAST = 0.02  # of the draws: 40 for an interval
_CHOSEN: ContextVar[Effort] = ContextVar("effort", default=EFFORT)


@contextlib.contextmanager
def drawing(chosen: Effort) -> Iterator[None]:
    """In here, assessments of this thread draw so often: of tables of up to FULL children, and less of larger ones.

    Args:
        chosen: numbers of draws. Results that were made with others than EFFORT are nobody else's numbers.
    """
    before = _CHOSEN.set(chosen)
    try:
        yield
    finally:
        _CHOSEN.reset(before)


def effort_for(children: int) -> Effort:
    """Of many children each estimate is a sum over so many pairs that it hardly varies: fewer draws tell as much.

    >>> effort_for(64) == EFFORT, effort_for(15_625).resamples
    (True, 66)
    """
    part = min(1.0, max(LEAST, FULL / children))
    whole = _CHOSEN.get()
    return whole if part == 1 else Effort(*(max(1, round(part * number)) for number in astuple(whole)))
