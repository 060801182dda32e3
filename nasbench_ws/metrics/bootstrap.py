"""Correlations when the children are drawn anew, with replacement: for the interval of a single instance.

    over_children(scores, truth, ["kendall_tau"], 10_000, rng, delta)["kendall_tau"]     # (10_000,)

All resamples are a few matrix products. Not here: what is made of them (`resample`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from nasbench_ws.metrics.arithmetic import ROUNDING, Array, checked_tolerance

VALUES_AT_ONCE = 2**17  # truths x children drawn together: 1 MiB, so that every step stays in cache


def over_children(
    scores: Array, truth: Array, metrics: Sequence[str], resamples: int, rng: np.random.Generator, delta: float
) -> dict[str, Array]:
    """Correlations of resampled children {name: (resamples,)}.

    With w_i the number of times child i is drawn, a sum over pairs is a quadratic form in w, as
    sum over i < j of w_i w_j s_ij t_ij: all resamples are one matrix product. Copies of a child tie.
    """
    n = len(scores)
    known = [metric for metric in metrics if metric in CORRELATIONS]
    result = {metric: np.full(resamples, np.nan) for metric in known}
    at_once = max(VALUES_AT_ONCE // n, 1)
    for start in range(0, resamples if known else 0, at_once):
        size = min(at_once, resamples - start)
        drawn = rng.integers(n, size=(size, n)) + np.arange(size)[:, None] * n
        times = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)
        for metric in known:
            if metric == "sparse_tau":
                result[metric][start : start + size] = _tau_drawn(scores, truth, times, checked_tolerance(delta))
            else:
                result[metric][start : start + size] = CORRELATIONS[metric](scores, truth, times)
    return result


def _tau_drawn(x: Array, y: Array, times: Array, tolerance: float = 0.0) -> Array:
    s, t = _signs(x), _signs(y)
    t[np.abs(y[:, None] - y) < tolerance * (1 - ROUNDING)] = 0.0
    agree, left, right = (((times @ pairs) * times).sum(axis=1) for pairs in (s * t, abs(s), abs(t)))
    return _ratio(agree, left * right)


def _spearman_drawn(x: Array, y: Array, times: Array) -> Array:
    left, right = times @ _signs(x).T, times @ _signs(y).T  # twice the average ranks, less their mean
    return _ratio((times * left * right).sum(axis=1), (times * left**2).sum(axis=1) * (times * right**2).sum(axis=1))


def _pearson_drawn(x: Array, y: Array, times: Array) -> Array:
    left, right = ((v - v.mean()) / max(np.abs(v - v.mean()).max(), np.finfo(float).tiny) for v in (x, y))
    n = len(x)
    mean_left, mean_right = times @ left / n, times @ right / n
    agree = times @ (left * right) / n - mean_left * mean_right
    return _ratio(agree, (times @ left**2 / n - mean_left**2) * (times @ right**2 / n - mean_right**2))


def _weighted_tau_drawn(x: Array, y: Array, times: Array) -> Array:
    """As the metric: a child's weight is the sum of 1 / place over the places its copies take."""
    s, t = _signs(x), _signs(y)
    agree, left, right = (times @ pairs.T for pairs in (s * t, abs(s), abs(t)))
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, len(x) + 1))])
    total = np.zeros(len(times))
    for order in (np.lexsort((-y, -x)), np.lexsort((-x, -y))):  # the last key sorts first
        copies = times[:, order].astype(np.intp)
        last = copies.cumsum(axis=1)
        weight = np.empty_like(times)
        weight[:, order] = harmonic[last] - harmonic[last - copies]
        sums = [(weight * per_child).sum(axis=1) for per_child in (agree, left, right)]
        total += _ratio(sums[0], sums[1] * sums[2])
    return total / 2


CORRELATIONS: dict[str, Callable[[Array, Array, Array], Array]] = {
    "kendall_tau": _tau_drawn,
    "sparse_tau": _tau_drawn,
    "spearman": _spearman_drawn,
    "pearson": _pearson_drawn,
    "weighted_tau": _weighted_tau_drawn,
}


def _signs(values: Array) -> Array:
    """sign(v_i - v_j), (n, n)."""
    signs: Array = np.subtract(values[:, None] > values, values[:, None] < values, dtype=np.float64)
    return signs


def _ratio(agree: Array, product: Array) -> Array:
    ratio = np.full(agree.shape, np.nan)
    np.divide(agree, np.sqrt(np.maximum(product, 0.0)), out=ratio, where=product > 0)
    return ratio
