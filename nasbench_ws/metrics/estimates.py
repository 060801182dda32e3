"""Means over instances with moderated variances, and differences of two of them.

    usual = Prior(df=8.6, std=0.07)                  # how much a metric varies between instances, from other strategies
    ours, full = estimate([0.21, 0.38, 0.22], usual), estimate([0.35, 0.46], usual)
    difference(ours, full).verdict                   # "distinguishable" or "not distinguishable"

Three instances say little of their own variance: the t interval of three is 2.5 times as wide as that of a known
variance, and one instance has none. But many strategies have been run with a few instances each, and their
variances resemble one another. A prior (scaled inverse chi-squared, `df` and `std`) says how closely, and the variance
of a sample is drawn towards it: (df0 s0^2 + df s^2) / (df0 + df), with df0 + df degrees of freedom. Source: Smyth,
"Linear models and empirical Bayes methods for assessing differential expression in microarray experiments", 2004
(limma). Without a prior all of this is the plain t interval and Welch's t test.

Differences are unpaired: two strategies with one seed share neither the order of training nor augmentation, and their
metrics do not correlate over seeds. Where they do share something (one super-net, scored in two ways), estimate the
mean of the differences instead.

A sample whose values are all equal, as T1R's often are, has a variance of 0 only because it is small: without a prior
it has no interval and decides nothing. Not here: where priors come from (prior.py), the table's noise (intervals.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nasbench_ws.errors import MetricError
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.metrics.power import detectable
from nasbench_ws.metrics.student import quantile, tail

WIDTHLESS = 1e-12  # a standard deviation below it, beside values of about 1, is rounding


@dataclass(frozen=True)
class Prior:
    """The variance over instances that is usual: as if `df` + 1 instances had shown the standard deviation `std`."""

    df: float
    std: float

    def __post_init__(self) -> None:
        if not (self.df > 0 and math.isfinite(self.std) and self.std > 0):
            raise MetricError(
                f"a prior has df and std above 0, such as Prior(8.6, 0.07); these are {self.df}, {self.std}"
            )


@dataclass(frozen=True)
class Estimate:
    """A mean over n instances, and the variance of that mean; NaN with a reason where it is unknown."""

    mean: float
    variance: float  # of the mean; 0 for what does not vary between instances
    df: float  # degrees of freedom of that variance
    std: float  # over instances, dividing by n - 1; as they are, without the prior
    n: int
    reason: str | None = None

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Where the mean over all instances may lie; NaN where its variance is unknown."""
        half = _quantile(level, self.df) * math.sqrt(self.variance)
        return self.mean - half, self.mean + half


@dataclass(frozen=True)
class Difference:
    """a - b, unpaired."""

    mean: float
    low: float
    high: float
    std_error: float
    df: float
    n: tuple[int, int]
    level: float
    p_value: float
    verdict: str  # "distinguishable" or "not distinguishable"
    detectable: float  # the difference that would have been detected with a chance of 80 %
    reason: str | None = None


def estimate(values: npt.ArrayLike, prior: Prior | None = None) -> Estimate:
    """The mean of (n,) values, one for each instance, with its variance drawn towards the prior.

    >>> one = estimate([0.4], Prior(df=8, std=0.1))
    >>> [round(end, 3) for end in one.interval()]
    [0.169, 0.631]
    >>> estimate([0.4, 0.4]).reason
    'all 2 values are equal: how much they vary is not known'
    """
    array = np.atleast_1d(np.asarray(values, dtype=np.float64))
    if array.ndim != 1 or not array.size or not np.isfinite(array).all():
        raise MetricError(
            f"{int((~np.isfinite(array)).sum())} of {array.size} values are not finite, shape {array.shape}: "
            "one finite value for each instance, (n,), is needed; leave out instances without one"
        )
    n, mean = len(array), float(array.mean())
    std = float(array.std(ddof=1)) if n > 1 else math.nan
    own = 0.0 if n == 1 or std <= WIDTHLESS * max(1.0, abs(mean)) else std**2
    if prior is None:
        reason = None
        if n == 1:
            reason = "one value: how much it varies is not known"
        elif not own:
            reason = f"all {n} values are equal: how much they vary is not known"
        return Estimate(mean, math.nan if reason else own / n, n - 1.0, std, n, reason)
    if math.isinf(prior.df):
        return Estimate(mean, prior.std**2 / n, math.inf, std, n)
    df = prior.df + n - 1
    return Estimate(mean, (prior.df * prior.std**2 + (n - 1) * own) / df / n, df, std, n)


def exact(value: float) -> Estimate:
    """What does not vary between instances, such as the metric of parameter counts."""
    return Estimate(float(value), 0.0, math.inf, 0.0, 1)


def difference(a: Estimate, b: Estimate, *, table_std: float = 0.0, level: float = 0.95) -> Difference:
    """Is a's metric different from b's? Welch's t, with the variances that the estimates have.

    Args:
        a, b: `estimate` of each; `exact` for a value that does not vary.
        table_std: the standard deviation of the difference over redrawn tables (`table_deviations`); 0 asks about
            this very table.

    >>> difference(estimate([0.5, 0.6, 0.7]), estimate([0.4, 0.55, 0.55])).verdict
    'not distinguishable'
    >>> difference(estimate([0.4, 0.4]), estimate([0.2, 0.2])).p_value
    nan
    """
    mean, n = a.mean - b.mean, (a.n, b.n)
    variance = a.variance + b.variance + table_std**2
    reason = a.reason or b.reason
    if reason is None and variance == 0:
        reason = "neither varies, between instances or over tables: there is nothing to test"
    if reason is not None:
        nan = math.nan
        return Difference(mean, nan, nan, nan, nan, n, level, nan, "not distinguishable", nan, reason)
    squares = sum(one.variance**2 / one.df for one in (a, b) if one.variance)
    df = variance**2 / squares if squares else math.inf  # Welch and Satterthwaite; the table's noise is known well
    error = math.sqrt(variance)
    half = _quantile(level, df) * error
    p_value = 2 * tail(abs(mean) / error, df)
    verdict = "distinguishable" if abs(mean) > half else "not distinguishable"
    return Difference(
        mean, mean - half, mean + half, error, df, n, level, p_value, verdict, detectable(error, df, level=level)
    )


def fit_prior(variances: npt.ArrayLike, df: npt.ArrayLike, least: float = 0.0) -> Prior:
    """The prior under which samples with these variances are likeliest: s^2 / s0^2 has an F(df, df0) distribution.

    Args:
        variances: of each sample, dividing by n - 1.
        df: n - 1 of each.
        least: a variance below it counts as "somewhere below": a discrete metric takes few values, and three equal
            ones say that the spread is small, not that it is 0.

    A prior that comes out beyond 200 degrees of freedom is one of 200: no fifty samples tell the two apart.

    >>> from scipy import stats
    >>> s2 = 0.1**2 * stats.f.rvs(4, 10, size=400, random_state=0)
    >>> fit_prior(s2, np.full(400, 4))
    Prior(df=11.7, std=0.101)
    """
    from scipy import optimize, special, stats  # for the few who fit a prior

    s2, d = np.asarray(variances, dtype=np.float64), np.asarray(df, dtype=np.float64)
    least = max(least, float(s2.max(initial=0.0)) * WIDTHLESS)
    seen = s2 > least
    if seen.sum() < 2:
        raise MetricError(f"{int(seen.sum())} of {s2.size} samples vary: a prior needs at least 2 that do")

    def surprise(point: Array) -> float:
        scale, d0 = math.exp(2 * point[0]), math.exp(point[1])
        shown: Array = np.asarray(stats.f.logpdf(s2[seen] / scale, d[seen], d0)) - math.log(scale)
        hidden = special.fdtr(d[~seen], d0, least / scale)
        return -float(shown.sum() + np.log(np.maximum(hidden, 1e-300)).sum())

    start = [0.5 * math.log(float(np.average(s2, weights=d))), math.log(10.0)]
    found = optimize.minimize(surprise, start, method="L-BFGS-B", bounds=[(None, None), (math.log(0.5), math.log(200))])
    std, d0 = math.exp(found.x[0]), math.exp(found.x[1])
    return Prior(float(f"{d0:.3g}"), float(f"{std:.3g}"))


def _quantile(level: float, df: float) -> float:
    if not 0 < level < 1:
        raise MetricError(f"level={level}: it must be a fraction between 0 and 1, such as 0.95")
    upper = (1 + level) / 2
    return float(quantile(upper, df))
