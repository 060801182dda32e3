"""Thompson sampling on an additive model: the strong and simple baseline.

Thompson (1933). A child's accuracy is a constant and one number an edge and operation, these normal around 0; of every
child not yet seen the model draws what it may be, and the best draw is trained.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator

from nasbench_ws.search.moves import moves_of
from nasbench_ws.search.oracle import Seen
from nasbench_ws.search.searcher import Ask, Setting

FIRST = 8  # random children


class Thompson:
    """Children are seen once, until all were; then again.

    Args:
        prior: standard deviation of an operation's effect.
        noise: of an observation; fashion14's seeds differ by .0044.
        rest: of what is not additive.
    """

    def __init__(
        self, setting: Setting, rng: Generator, prior: float = 0.02, noise: float = 0.0044, rest: float = 0.003
    ) -> None:
        self._x, self._rng = moves_of(setting.space).indicators, rng
        self._noise, self._rest = noise, rest
        width = self._x.shape[1]
        self._precision = np.eye(width) / prior**2
        self._sum_x, self._sum_xy, self._sum_y, self._count = np.zeros(width), np.zeros(width), 0.0, 0
        self._unseen = np.ones(len(self._x), dtype=bool)
        self._asked = 0

    def ask(self) -> Ask:
        if not self._unseen.any():
            self._unseen[:] = True
        candidates = np.flatnonzero(self._unseen)
        if self._asked < FIRST or not self._count:
            child = int(candidates[self._rng.integers(len(candidates))])
        else:
            about_mean = (self._sum_xy - self._sum_y / self._count * self._sum_x) / self._noise**2
            root = np.linalg.cholesky(self._precision)  # effects = mean + root^-T z has covariance precision^-1
            mean = np.linalg.solve(root, about_mean) + self._rng.standard_normal(len(about_mean))
            drawn = (self._x @ np.linalg.solve(root.T, mean))[candidates]  # all: a copy of the rows would take longer
            child = int(candidates[np.argmax(drawn + self._rest * self._rng.standard_normal(len(candidates)))])
        self._unseen[child] = False
        self._asked += 1
        return Ask(child)

    def tell(self, trial: int, ask: Ask, seen: Seen) -> None:
        if math.isnan(seen.signal):
            return
        x = self._x[ask.child]
        self._precision += np.outer(x, x) / self._noise**2
        self._sum_x += x
        self._sum_xy += x * seen.signal
        self._sum_y += seen.signal
        self._count += 1
