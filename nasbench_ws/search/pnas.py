"""Progressive search: small children first, then what a model of them predicts to be good.

Liu et al., Progressive Neural Architecture Search (ECCV 2018). A cell here always has all its operations, so a child's
size is the number of edges that do not have the space's first operation (max pooling in deeper64, nothing in
NAS-Bench-201). Level 1 is trained whole; level b + 1 are the children that one more such edge makes of the K best of
level b, of which the K that the model likes best are trained. Where the first operation is a bad one, as pooling is in
deeper64, progressive search starts in the worst region: that is a property of it, not hidden here.

The model: five ridge regressions on operations and pairs of them, each on a random 4/5 of the data (the paper: five
LSTMs or MLPs); a kernel 1 + h + h (h - 1) / 2 of the number h of equal edges is exactly that.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from nasbench_ws.search.moves import moves_of
from nasbench_ws.search.oracle import Seen
from nasbench_ws.search.searcher import Ask, Setting

MODELS, PART, PENALTY = 5, 0.8, 1.0


class Pnas:
    """
    Args:
        keep: K (the paper: 256 of far larger levels).
    """

    def __init__(self, setting: Setting, rng: Generator, keep: int = 8) -> None:
        self._moves, self._rng, self._keep = moves_of(setting.space), rng, keep
        self._next: list[int] = [0, *self._moves.neighbours(0)]  # at most one other edge
        self._level: dict[int, float] = {}
        self._children: list[int] = []
        self._values: list[float] = []
        self._asked: set[int] = set()

    def ask(self) -> Ask:
        if not self._next:
            candidates = self._larger()
            self._level = {}
            predicted = self._predict(candidates)
            self._next = [candidates[i] for i in np.argsort(-predicted, kind="stable")[: self._keep].tolist()][::-1]
        child = self._next.pop()
        self._asked.add(child)
        return Ask(child)

    def tell(self, trial: int, ask: Ask, seen: Seen) -> None:
        if math.isnan(seen.signal):
            return
        self._children.append(ask.child)
        self._values.append(seen.signal)
        self._level[ask.child] = seen.signal

    def _larger(self) -> list[int]:
        """What the best of this level become; where there is nothing left, all that was not trained; else all."""
        best = sorted(self._level, key=lambda child: -self._level[child])[: self._keep]
        choices = self._moves.choices
        larger = {
            child
            for parent in best
            for child in self._moves.neighbours(parent)
            if np.count_nonzero(choices[child]) > np.count_nonzero(choices[parent])
        } - self._asked
        if not larger:
            larger = set(range(self._moves.size)) - self._asked
        if not larger:  # every child was trained: once more
            self._asked.clear()
            larger = set(range(self._moves.size))
        return sorted(larger)

    def _predict(self, candidates: list[int]) -> NDArray[np.float64]:
        """(candidates,) mean of the models; random where nothing was seen."""
        if not self._children:
            return self._rng.random(len(candidates))
        seen, values = np.array(self._children), np.array(self._values)
        inside = self._kernel(seen, seen)
        means, weights = 0.0, np.zeros(len(seen))  # summed over the models
        size = max(1, round(PART * len(seen)))
        for _ in range(MODELS):
            part = self._rng.permutation(len(seen))[:size]
            mean = values[part].mean()
            means += mean
            weights[part] += np.linalg.solve(
                inside[np.ix_(part, part)] + PENALTY * np.eye(size), values[part] - mean
            )
        return (means + self._across(np.array(candidates), seen, weights)) / MODELS

    def _across(
        self, candidates: NDArray[np.intp], seen: NDArray[np.intp], weights: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The kernel of the candidates with those seen, times weights, by its features: 1 + h / 2 + h h / 2.

        A matrix of thousands of candidates by all that was seen would take as many times as long as were seen.
        """
        x = self._moves.indicators
        rows = x[seen]
        single, pairs = rows.T @ weights, (rows * weights[:, None]).T @ rows
        one = x if len(candidates) > len(x) // 2 else x[candidates]
        values: NDArray[np.float64] = weights.sum() + 0.5 * (one @ single + ((one @ pairs) * one).sum(axis=1))
        return values[candidates] if len(candidates) > len(x) // 2 else values

    def _kernel(self, first: NDArray[np.intp], second: NDArray[np.intp]) -> NDArray[np.float64]:
        equal = self._moves.indicators[first] @ self._moves.indicators[second].T
        kernel: NDArray[np.float64] = 1 + equal + equal * (equal - 1) / 2
        return kernel
