"""How many draws each estimate of an assessment takes: fixed, so that two people get one number.

    EFFORT.resamples          # 2,000 tables redrawn for an interval

Not here: what is drawn (metrics/intervals.py, metrics/ceiling.py, metrics/bound.py).
"""

from __future__ import annotations

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


def effort_for(children: int) -> Effort:
    """Of many children each estimate is a sum over so many pairs that it hardly varies: fewer draws tell as much.

    >>> effort_for(64) == EFFORT, effort_for(15_625).resamples
    (True, 66)
    """
    part = min(1.0, max(LEAST, FULL / children))
    return EFFORT if part == 1 else Effort(*(round(part * number) for number in astuple(EFFORT)))
