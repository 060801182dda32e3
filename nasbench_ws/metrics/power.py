"""What an evaluation could have told: the difference it would detect, and the instances that a difference needs.

    detectable(0.065, df=20)                           # of a difference with this standard error
    told_apart(5, 0.08, prior_df=8.6)                  # between two strategies of five instances
    instances_needed(0.10, 0.08, prior_df=8.6)         # of each of two strategies
    instances_needed(0.10, 0.08, other=50)             # of one, against another that has 50

Holds the power of the two-sided t test of estimates.py. Source: the noncentral t distribution. Not here: the standard
deviations to expect (prior.py).
"""

from __future__ import annotations

import math

from nasbench_ws.errors import MetricError
from nasbench_ws.metrics.student import quantile

POWER = 0.8
_MOST_INSTANCES = 100_000


def detectable(std_error: float, df: float, *, power: float = POWER, level: float = 0.95) -> float:
    """The difference that a test with this standard error and degrees of freedom finds with a chance of `power`.

    Infinite below one degree of freedom.

    >>> round(detectable(0.08 * (2 / 3) ** 0.5, 4), 3)         # three instances a side, s.d. .08, variances unknown
    0.246
    """
    if not 0 < power < 1:
        raise MetricError(f"power={power}: it must be a fraction between 0 and 1, such as 0.8")
    if df > 1e4:
        return float(quantile((1 + level) / 2, math.inf) + quantile(power, math.inf)) * std_error
    if df < 1:
        return math.inf  # intervals of less than one degree of freedom are too wide to find anything
    from scipy import special

    # The shift at which the noncentral t lies below the critical value with the chance of missing it; that of finding
    # the wrong side is left out.
    return float(special.nctdtrinc(df, 1 - power, quantile((1 + level) / 2, df))) * std_error


def told_apart(n: int, std: float, prior_df: float = 0.0) -> float:
    """The difference between two strategies of `n` instances each that is found with a chance of 80 %.

    >>> round(told_apart(5, 0.08, prior_df=30), 2), round(told_apart(3, 0.08), 2)
    (0.14, 0.25)
    """
    return detectable(std * math.sqrt(2 / n), 2 * (prior_df + n - 1))


def instances_needed(
    gap: float,
    std: float,
    *,
    prior_df: float = 0.0,
    other: int | None = None,
    other_std: float | None = None,
    power: float = POWER,
    level: float = 0.95,
) -> int | None:
    """The fewest instances with which a difference of `gap` is found with a chance of `power`; None if none do.

    Args:
        gap: the difference in the metric.
        std: the metric's standard deviation over instances.
        prior_df: degrees of freedom of the prior of its variance (estimates.py); 0 without one.
        other: instances of the other strategy where they are given; None: as many as of this one.
        other_std: the other's standard deviation; None: the same.

    >>> instances_needed(0.10, 0.08, prior_df=146), instances_needed(0.10, 0.08)
    (11, 12)
    """
    if not gap > 0:
        raise MetricError(f"a difference of {gap} is to be detected: it must be above 0, such as 0.1")
    theirs = std if other_std is None else other_std

    def found(n: int) -> bool:
        there = n if other is None else other
        a, b, df = std**2 / n, theirs**2 / there, prior_df - 1
        if df + n <= 0 or df + there <= 0:
            return False
        together = (a + b) ** 2 / (a**2 / (df + n) + b**2 / (df + there))
        return detectable(math.sqrt(a + b), together, power=power, level=level) <= gap

    most = 1
    while not found(most):
        most *= 2
        if most > _MOST_INSTANCES:
            return None
    least = most // 2
    while most - least > 1:  # found(least) is false, found(most) true
        middle = (least + most) // 2
        least, most = (least, middle) if found(middle) else (middle, most)
    return most
