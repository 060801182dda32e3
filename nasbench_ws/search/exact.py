"""Random search without replacement in closed form: no repetition, no error.

    probability = incumbents(oracle, 16)             # (children, runs): which observation is the best of 16
    regret(oracle, 16)                               # its mean regret by the oracle's rules

A child is drawn with probability k / n and shows one of its runs. That observation is the incumbent if each of the
k - 1 others, a random subset, shows less, or the same later: with l_j and t_j the parts of child j's runs below and
equal to it, and u the place of the incumbent in the order of drawing, the probability is the integral over u in [0, 1]
of the mean over subsets of the product of l_j + u t_j. Not here: searchers that look at what they see.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from nasbench_ws.errors import UsageError
from nasbench_ws.search.oracle import Array, Oracle

MOST = 2**31  # steps of the recursion: some ten seconds
NODES = 8  # of Gauss and Legendre: exact for 15 equal observations


def possible(oracle: Oracle, k: int) -> bool:
    """Whether the closed form exists: k evaluations, none twice, in a space small enough.

    Where children have several names random search meets networks in proportion to these, and with a limit it may have
    nothing to choose: there it exists for none but all of `networks`.
    """
    n, runs = oracle.exists.shape
    simple = oracle.first is None and (oracle.rules.limit is None or k == n)
    once = oracle.rules.repeats == "fresh" and not oracle.one_run
    return simple and once and 1 <= k <= n and n * n * runs * k * NODES < MOST


def networks(oracle: Oracle) -> Oracle:
    """Each network under its first name alone; the oracle itself where each child is its own."""
    if oracle.first is None:
        return oracle
    firsts = np.flatnonzero(np.equal(oracle.first, np.arange(len(oracle.first))))
    shown = {name: values[firsts] for name, values in oracle.shown.items()}
    rows = {name: getattr(oracle, name)[firsts] for name in ("exists", "test", "cost", "params", "macs")}
    return dataclasses.replace(oracle, shown=shown, **rows, first=None)


def incumbents(oracle: Oracle, k: int) -> Array:
    """(n, S) probability that this observation is the incumbent after k evaluations."""
    if not possible(oracle, k):
        n = len(oracle.exists)
        raise UsageError(f"there is no closed form for {k} evaluations of {n} children; search with random-without")
    shown = oracle.shown["signal"][:, :, -1]
    n, runs = shown.shape
    there = oracle.exists & np.isfinite(shown) & oracle.allowed[:, None]  # what may be the incumbent
    count = oracle.exists.sum(axis=1)
    values = np.where(there, shown, -np.inf).ravel()  # (n S,) of which each may be the incumbent
    owner = np.repeat(np.arange(n), runs)
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    u = (nodes + 1) / 2
    mean = np.zeros((k, NODES, n * runs))  # [m]: over subsets of size m of the children so far, of the product
    mean[0] = 1.0
    others = np.zeros(n * runs)  # children so far, but for the owner
    for j in range(n):
        runs_j = np.where(oracle.exists[j], np.where(there[j], shown[j], -np.inf), np.nan)[:, None]
        less, equal = ((runs_j < values).sum(axis=0), (runs_j == values).sum(axis=0))
        chance = (less + u[:, None] * equal) / max(int(count[j]), 1) if count[j] else np.ones((NODES, 1))
        other = owner != j
        others += other
        for m in range(min(k - 1, j + 1), 0, -1):
            new = ((others - m) * mean[m] + m * chance * mean[m - 1]) / np.maximum(others, 1)
            mean[m] = np.where(other & (others >= m), new, mean[m])
    best = (weights[:, None] / 2 * mean[k - 1]).sum(axis=0).reshape(n, runs)
    return np.where(there, k / n * best / np.maximum(count, 1)[:, None], 0.0)


def regrets(oracle: Oracle) -> Array:
    """(n, S) the regret of a child that was observed once, with this run, by the oracle's rules."""
    truth = np.broadcast_to(oracle.truth[:, None], oracle.exists.shape)
    if oracle.rules.truth == "held-out" and oracle.rules.noise == "seed":
        there = np.isfinite(oracle.test)
        others = there.sum(axis=1, keepdims=True) - there
        total = np.where(there, oracle.test, 0.0).sum(axis=1, keepdims=True)
        rest = (total - np.where(there, oracle.test, 0.0)) / np.maximum(others, 1)
        truth = np.where(others > 0, rest, truth)
    regret: Array = oracle.best - truth
    return regret


def regret(oracle: Oracle, k: int) -> float:
    """Mean regret of random search without replacement after k evaluations."""
    return _mean(incumbents(oracle, k), regrets(oracle))


def quantile(oracle: Oracle, k: int, q: float) -> float:
    """The regret that it stays below with probability q."""
    return _quantile(incumbents(oracle, k), regrets(oracle), q)


def _mean(probability: Array, values: Array) -> float:
    return float((probability * np.where(probability > 0, values, 0.0)).sum() / probability.sum())


def _quantile(probability: Array, values: Array, q: float) -> float:
    order = np.argsort(values, axis=None)
    reached = np.cumsum(probability.ravel()[order]) >= q * probability.sum() * (1 - 1e-12)
    return float(values.ravel()[order][np.argmax(reached)])


def exhaustive(oracle: Oracle) -> dict[str, float]:
    """Regret of choosing among all networks: by one training of each, where a closed form exists, and by all runs."""
    oracle = networks(oracle)
    n = len(oracle.exists)
    lines = {}
    if possible(oracle, n):
        probability, values = incumbents(oracle, n), regrets(oracle)
        lines["exhaustive, one seed each"] = _mean(probability, values)
        lines["exhaustive, one seed each, median"] = _quantile(probability, values, 0.5)
    chosen = int(np.nanargmax(np.where(oracle.allowed, oracle.valid, np.nan)))
    lines["exhaustive, every seed"] = oracle.best - float(oracle.truth[chosen])
    return lines
