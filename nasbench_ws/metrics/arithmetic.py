"""The arithmetic of rank metrics, for many score vectors and many ground truths at once.

    tau_b(rows, columns)                            # (a, n), (b, n) -> (a, b)
    CORRELATIONS["spearman"](Truths(y), scores)     # (truths, n), (rows, n) -> (truths, rows)
    TOP["regret"](Truths(y), scores[0], 3)          # K = 3: (truths,)

Nothing is checked here: what the metrics mean, and what they refuse, is `metrics`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nasbench_ws.errors import MetricError

Array = npt.NDArray[np.float64]

DELTA = 0.001  # differences in truth below it do not count in sparse tau: a tenth of a percentage point of accuracy
ROUNDING = 1e-9  # part of a tolerance: .862 - .861 in binary is 1e-18 off .001, and is a difference of .001

MANY = 2048  # children, from which on pairs are counted and not looked at

# Pair signs held at once. Half a MiB of float32 stays in a core's cache, and keeps every partial sum
# of a float32 product far below 2**24, up to which float32 counts exactly.
_SIGNS_AT_ONCE = 2**17


# -- pair signs ------------------------------------------------------------------------------------


def tau_b(rows: Array, columns: Array | None = None, tolerance: float = 0.0) -> Array:
    """Tau-b of (a, n) with (b, n) -> (a, b); with itself if `columns` is None.

    Two children whose values in `rows` differ by less than `tolerance` tie.
    """
    split = len(rows)
    margin: Array | None = None
    if rows.shape[1] > MANY:
        from nasbench_ws.metrics.large import tau_b_of_many

        least = checked_tolerance(tolerance) * (1 - ROUNDING) if tolerance else 0.0
        return tau_b_of_many(rows, rows if columns is None else columns, least)
    if tolerance:
        margin = np.zeros(split if columns is None else split + len(columns))
        margin[:split] = checked_tolerance(tolerance) * (1 - ROUNDING)
    # Children first: the two sides of a block of pairs are then whole rows of memory.
    children = np.ascontiguousarray((rows if columns is None else np.concatenate([rows, columns])).T)
    agree = np.zeros((split, split if columns is None else len(columns)))
    untied = np.zeros(children.shape[1])
    # A symmetric chunk has at least as many pairs as rows: adding up its product then costs less than the product.
    least = split if columns is None else 1
    for signs in _pair_signs(children, max(_SIGNS_AT_ONCE // children.shape[1], least), margin):  # (pairs, a + b)
        # x.T @ x of one array lets BLAS compute half of a symmetric product.
        agree += signs.T @ signs if columns is None else signs[:, :split].T @ signs[:, split:]
        untied += np.einsum("pr,pr->r", signs, signs)
    product = np.outer(untied[:split], untied if columns is None else untied[split:])
    return np.clip(_divide(agree, np.sqrt(product)), -1.0, 1.0)


def checked_tolerance(delta: float) -> float:
    if not (math.isfinite(delta) and delta > 0):
        raise MetricError(f"delta={delta} is no difference in truth: it must be above 0, such as {DELTA}")
    return delta


def _pair_signs(children: Array, at_once: int, margin: Array | None) -> Iterator[npt.NDArray[np.float32]]:
    """sign(x_i - x_j) of all pairs i < j of (n, rows), in chunks of at most (at_once, rows).

    With a `margin` (rows,), a difference that is not above it is 0.
    """
    n = len(children)
    partners = np.arange(n - 1, 0, -1)  # child i has n - 1 - i pairs with later children
    ends = np.cumsum(partners)
    for start in range(0, n * (n - 1) // 2, at_once):
        stop = min(start + at_once, n * (n - 1) // 2)
        lowest, highest = np.searchsorted(ends, start, "right"), np.searchsorted(ends, stop, "left")
        i = np.repeat(np.arange(lowest, highest + 1), partners[lowest : highest + 1])
        first_pair = ends[lowest] - partners[lowest]
        i = i[start - first_pair : stop - first_pair]
        j = np.arange(start, stop) - (ends[i] - partners[i]) + i + 1
        left, right = children.take(i, axis=0), children.take(j, axis=0)
        # Comparing, not subtracting: exact for any two floats.
        signs = (left > right if margin is None else left > right + margin).view(np.int8)
        signs -= (left < right if margin is None else left + margin < right).view(np.int8)
        yield signs.astype(np.float32)


# -- kernels ---------------------------------------------------------------------------------------


class Truths:
    """Ground truths y (truths, n), with what several metrics need of them, computed once."""

    def __init__(self, y: Array) -> None:
        self.y = y

    @cached_property
    def ranks(self) -> tuple[Array, Array]:
        return _places(self.y)

    @cached_property
    def gain(self) -> Array:
        gain: Array = self.y - self.y.min(axis=1, keepdims=True)
        return gain

    @cached_property
    def best_gains(self) -> Array:
        return -np.sort(-self.gain, axis=1)


def _places(values: Array) -> tuple[Array, Array]:
    """Places by decreasing value, (rows, n) -> lowest and highest place among ties, each from 1 to n."""
    order = np.argsort(-values, axis=-1)
    ranked = np.take_along_axis(values, order, axis=-1)
    place = np.arange(values.shape[-1])
    begins = np.ones(values.shape, dtype=bool)
    begins[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    ends = np.roll(begins, -1, axis=1)  # a block ends where the next one begins; the roll ends the last
    lowest, highest = np.empty(values.shape), np.empty(values.shape)
    first = np.maximum.accumulate(np.where(begins, place, 0), axis=1)
    last = np.minimum.accumulate(np.where(ends, place, values.shape[-1])[:, ::-1], axis=1)[:, ::-1]
    np.put_along_axis(lowest, order, first + 1.0, axis=-1)
    np.put_along_axis(highest, order, last + 1.0, axis=-1)
    return lowest, highest


def _spearman(truths: Truths, scores: Array) -> Array:
    return _pearson(np.add(*truths.ranks), np.add(*_places(scores)))


def _pearson(y: Array, scores: Array) -> Array:
    rows, columns = _centred(y), _centred(scores)
    product = np.outer((rows**2).sum(axis=1), (columns**2).sum(axis=1))
    return np.clip(_divide(rows @ columns.T, np.sqrt(product)), -1.0, 1.0)


def _centred(rows: Array) -> Array:
    """Rows less their mean, scaled to about 1 by a power of two: exact, and squares stay in range."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    centred[(rows == rows[:, :1]).all(axis=1)] = 0.0  # a mean of equal numbers may be off by a rounding
    _, exponent = np.frexp(np.abs(centred).max(axis=1, keepdims=True))
    scaled: Array = np.ldexp(centred, -exponent)
    return scaled


def _weighted_tau(truths: Truths, scores: Array) -> Array:
    """Weights that add make a sum over pairs a sum over children: with h_i the weight of child i,
    sum over i < j of (h_i + h_j) s_ij t_ij = sum over i of h_i (sum over j of s_ij t_ij)."""
    if scores.shape[1] > MANY:
        from nasbench_ws.metrics.large import weighted_taus_of_many

        return weighted_taus_of_many(truths.y, scores)
    (low, high), (score_low, score_high) = truths.ranks, _places(scores)
    n = scores.shape[1]
    y, x = high.astype(np.float32), score_high.astype(np.float32)
    untied, score_untied = n - 1 - (high - low), n - 1 - (score_high - score_low)  # children of another value
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, n + 1))])
    agree, truth_sum, score_sum = np.zeros((3, 2, len(low), len(scores)))  # by either order of places
    for i in range(n):  # compare child i with all: sums over j as products (truths, n) @ (n, rows)
        t, s = np.sign(y - y[:, i : i + 1]), np.sign(x - x[:, i : i + 1])  # 1 where i is better than j
        t_ties, s_ties = (t == 0).astype(np.float32), (s == 0).astype(np.float32)
        alike = (t_ties @ s_ties.T).astype(np.intp)  # equal in both, i itself among them
        by_truth = low[:, i : i + 1] + t_ties @ (s < 0).astype(np.float32).T  # place by truth, then score
        by_score = score_low[:, i] + (t < 0).astype(np.float32) @ s_ties.T
        place = np.stack([by_truth, by_score]).astype(np.intp)
        # 1 / place; children equal in both share the mean of their places' weights.
        weight = (harmonic[place + alike - 1] - harmonic[place - 1]) / alike
        agree += weight * (t @ s.T)
        truth_sum += weight * untied[:, i : i + 1]
        score_sum += weight * score_untied[:, i]
    result: Array = _divide(agree, np.sqrt(truth_sum * score_sum)).mean(axis=0)
    return np.clip(result, -1.0, 1.0)


class _Chosen(NamedTuple):
    """The K children scored highest: those surely in, and how many are drawn of those tied at the edge."""

    sure: npt.NDArray[np.intp]
    tied: npt.NDArray[np.intp]
    drawn: int


def _chosen(scores: Array, k: int) -> _Chosen:
    threshold = np.partition(scores, len(scores) - k)[len(scores) - k]
    sure = np.flatnonzero(scores > threshold)
    return _Chosen(sure, np.flatnonzero(scores == threshold), k - len(sure))


def _expected_least(values: Array, chosen: _Chosen) -> Array:
    """Expected least of (truths, n) values over the chosen children -> (truths,).

    Drawing r of t tied children, the j-th least is the least drawn with probability
    C(t - j, r - 1) / C(t, r): r / t for j = 1, then times (t - j - r + 1) / (t - j) from j to j + 1.
    """
    t, r = len(chosen.tied), chosen.drawn
    j = np.arange(1, t)
    steps = np.maximum(t - j - r + 1, 0) / (t - j)
    probability = np.cumprod(np.concatenate([[r / t], steps]))
    tied = np.sort(values[:, chosen.tied], axis=1)
    if len(chosen.sure):
        tied = np.minimum(tied, values[:, chosen.sure].min(axis=1, keepdims=True))
    least: Array = tied @ probability
    return least


def _top_rank(truths: Truths, scores: Array, k: int) -> Array:
    return _expected_least(truths.ranks[0], _chosen(scores, k))


def _worst_rank(truths: Truths, scores: Array, k: int) -> Array:
    return -_expected_least(-truths.ranks[0], _chosen(scores, k))


def _regret(truths: Truths, scores: Array, k: int) -> Array:
    # The best minus each, before the expectation: 0 is then exactly 0.
    return _expected_least(truths.y.max(axis=1, keepdims=True) - truths.y, _chosen(scores, k))


def _p_random(truths: Truths, scores: Array, k: int) -> Array:
    """A child has ranks[0] - 1 children strictly better, and n - ranks[1] strictly worse."""
    best, worst = truths.ranks
    n, chosen = len(scores), _chosen(scores, k)
    if n == 1:
        return np.full(len(best), np.nan)
    above = ((n - worst) + (worst - best) / 2) / (n - 1)  # of the others: worse, and half of its equals
    total: Array = above[:, chosen.sure].sum(axis=1) + above[:, chosen.tied].mean(axis=1) * chosen.drawn
    return total / k


def _precision(rank: Array, scores: Array, k: int) -> Array:
    chosen = _chosen(scores, k)
    hit = rank <= k
    tied = hit[:, chosen.tied].mean(axis=1) * chosen.drawn
    precision: Array = (hit[:, chosen.sure].sum(axis=1) + tied) / k
    return precision


def _precision_at_top(truths: Truths, scores: Array, k: int) -> Array:
    return _precision(truths.ranks[0], scores, k)


def _precision_at_bottom(truths: Truths, scores: Array, k: int) -> Array:
    return _precision(len(scores) + 1 - truths.ranks[1], -scores, k)


def _ndcg(truths: Truths, scores: Array, k: int) -> Array:
    places = np.arange(1, len(scores) + 1)
    discount = np.where(places <= k, 1.0 / np.log2(places + 1.0), 0.0)
    _, block, sizes = np.unique(-scores, return_inverse=True, return_counts=True)
    shared = np.add.reduceat(discount, np.cumsum(sizes) - sizes) / sizes  # a tie shares its places' discounts
    return np.minimum(_divide(truths.gain @ shared[block], truths.best_gains @ discount), 1.0)


def partial(truths: Truths, scores: Array, control: Array) -> Array:
    """Partial tau of (rows, n) scores with the truths, given (n,) control -> (truths, rows)."""
    both = tau_b(truths.y, np.concatenate([scores, control[None]]))  # (truths, rows + 1)
    with_truth, truth_control = both[:, :-1], both[:, -1:]
    score_control = tau_b(scores, control[None]).T  # (1, rows)
    left = (1 - truth_control**2) * (1 - score_control**2)
    left[left < ROUNDING] = 0.0  # a tau of 1 is 1 to rounding
    return np.clip(_divide(with_truth - truth_control * score_control, np.sqrt(left)), -1.0, 1.0)


CORRELATIONS: dict[str, Callable[[Truths, Array], Array]] = {
    "kendall_tau": lambda truths, scores: tau_b(truths.y, scores),
    "spearman": _spearman,
    "pearson": lambda truths, scores: _pearson(truths.y, scores),
    "weighted_tau": _weighted_tau,
}
TOP: dict[str, Callable[[Truths, Array, int], Array]] = {
    "top_rank": _top_rank,
    "best_rank": _top_rank,
    "worst_rank": _worst_rank,
    "precision_at_top": _precision_at_top,
    "precision_at_bottom": _precision_at_bottom,
    "regret": _regret,
    "p_random": _p_random,
    "ndcg": _ndcg,
}


def _divide(numerator: Array, denominator: Array) -> Array:
    """NaN, without a warning, where the denominator is 0."""
    quotient = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator > 0)
    return quotient
