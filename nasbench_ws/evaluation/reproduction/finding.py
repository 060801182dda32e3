"""A finding: the paper's figure, ours with n and interval, and a verdict by one stated rule.

    found = decided([asked(1, "S-Tau minus the table's", "-0.17", -0.17, told), ...])
    overall(found, 1)                    # the verdict on claim 1

Nothing is decided by hand. A test asks whether our figure lies on the side of 0 where the paper's lies; where the
paper has none, on the side that the claim says. p values are Holm's over all tests of the page that can be made: at .05
a test "holds" on the paper's side and "does not hold" on the other; it is "undecided" between. A test whose control
fails is "not testable". A claim holds where every test that decides holds, and does not hold where every such test says
so; it is "mixed" where they disagree.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.metrics.corrections import holm
from nasbench_ws.metrics.estimates import Difference, Estimate, Prior, difference, estimate, exact
from nasbench_ws.metrics.rank import stability_tau

ALPHA = 0.05
HOLDS, NOT, UNDECIDED, MIXED, UNTESTABLE = "holds", "does not hold", "undecided", "mixed", "not testable at this scale"


@dataclass(frozen=True)
class Finding:
    """`mean` with `low` and `high`, its 95 % interval (NaN where there is none), over `n`; `paper` is words."""

    claim: int
    what: str
    paper: str
    mean: float
    low: float
    high: float
    n: int
    side: int = 0  # of 0, on which the paper's figure lies; 0 where nothing is tested
    p_value: float = math.nan
    detectable: float = math.nan  # the difference that the test would have found with a chance of 80 %
    adjusted: float = math.nan  # Holm's p over the page
    verdict: str = ""  # "" where it is a figure alone
    why: str = ""  # it is not testable

    def to_dict(self) -> dict[str, Any]:
        """For JSON; NaN is None."""
        return {key: None if isinstance(value, float) and math.isnan(value) else value
                for key, value in asdict(self).items()}  # fmt: skip


def figure(claim: int, what: str, theirs: str, values: Sequence[float] | Array, prior: Prior | None = None) -> Finding:
    """A figure alone: the mean of the values that are known, one for each instance."""
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    if not len(known):
        return Finding(claim, what, theirs, math.nan, math.nan, math.nan, 0)
    one = estimate(known, prior)
    return Finding(claim, what, theirs, one.mean, *one.interval(), one.n)


def asked(claim: int, what: str, theirs: str, side: float, told: Difference, why: str = "") -> Finding:
    """A difference from 0, or of two means, and on which side of 0 it should lie (the sign of `side`)."""
    n = min(told.n) if min(told.n) > 1 else max(told.n)
    sign = int(math.copysign(1, side))
    return Finding(claim, what, theirs, told.mean, told.low, told.high, n, sign, told.p_value, told.detectable, why=why)


def from_zero(values: Sequence[float] | Array, prior: Prior | None = None, zero: float = 0.0) -> Difference:
    """The mean of (n,) values minus a number."""
    return difference(known(values, prior), exact(zero))


def known(values: Sequence[float] | Array, prior: Prior | None = None) -> Estimate:
    """`estimate` of the values that are known."""
    there = np.asarray(values, dtype=np.float64)
    there = there[np.isfinite(there)]
    if not len(there):
        return Estimate(math.nan, math.nan, math.nan, math.nan, 0, "every instance diverged")
    return estimate(there, prior)


def decided(found: Sequence[Finding]) -> list[Finding]:
    """The findings with their verdicts, p values corrected over all of them that can be tested."""
    p = np.array([one.p_value if one.side and not one.why else math.nan for one in found])
    adjusted = holm(p) if len(p) else p
    return [
        replace(one, adjusted=float(value), verdict=_verdict(one, float(value)))
        for one, value in zip(found, adjusted, strict=True)
    ]


def _verdict(one: Finding, adjusted: float) -> str:
    if not one.side:
        return ""
    if one.why:
        return UNTESTABLE
    if not adjusted < ALPHA:  # NaN: no spread is known
        return UNDECIDED
    return HOLDS if one.side * one.mean > 0 else NOT


def overall(found: Sequence[Finding], claim: int) -> str:
    """The one verdict on a claim: where most of its tests are not testable, few others do not speak for it."""
    each = [one.verdict for one in found if one.claim == claim and one.verdict]
    if 2 * each.count(UNTESTABLE) > len(each):
        return UNTESTABLE
    verdicts = set(each)
    deciding = verdicts & {HOLDS, NOT}
    if len(deciding) == 2:
        return MIXED
    if deciding:
        return deciding.pop()
    return UNTESTABLE if verdicts == {UNTESTABLE} else UNDECIDED


def jackknifed(scores: Array) -> Array:
    """S-Tau's pseudo-values, (rows,): their mean is S-Tau, their spread its uncertainty. Two rows are one number.

    Source: Arvesen, "Jackknifing U-statistics", 1969.
    """
    whole, count = stability_tau(scores).mean, len(scores)
    if count < 3:
        return np.array([whole])
    without = np.array([stability_tau(np.delete(scores, i, axis=0)).mean for i in range(count)])
    return count * whole - (count - 1) * without
