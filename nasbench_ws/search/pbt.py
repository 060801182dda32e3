"""Population based training, on curves.

Jaderberg et al., Population Based Training of Neural Networks (2017), truncation selection: after every point of the
curve the worst 20 % are replaced by copies of the best 20 %, changed a little. An operation cannot be made 20 %
larger: a copy gets another one on one edge. On a table it inherits no weights, so that it is trained from the start up
to the present point, and paid for.
"""

from __future__ import annotations

from numpy.random import Generator

from nasbench_ws.search.moves import moves_of
from nasbench_ws.search.oracle import Seen
from nasbench_ws.search.searcher import Ask, Setting, or_worst


class Pbt:
    """When a population is trained in full, the next one begins at random.

    Args:
        population: trained side by side.
        part: replaced after every point, at least one.
    """

    def __init__(self, setting: Setting, rng: Generator, population: int = 8, part: float = 0.2) -> None:
        self._moves, self._rng, self._epochs = moves_of(setting.space), rng, setting.epochs
        self._size, self._replaced = max(2, population), max(1, int(part * max(2, population)))
        self._begin()

    def _begin(self) -> None:
        self._point = 0
        self._trials: list[int | None] = [None] * self._size  # what each member would carry on
        self._children = [self._moves.random(self._rng) for _ in range(self._size)]
        self._values: list[float] = []

    def ask(self) -> Ask:
        if len(self._values) == self._size:
            self._select()
        member = len(self._values)
        return Ask(self._children[member], self._epochs[self._point], self._trials[member])

    def tell(self, trial: int, ask: Ask, seen: Seen) -> None:
        self._trials[len(self._values)] = trial
        self._values.append(or_worst(seen.signal))

    def _select(self) -> None:
        self._point += 1
        if self._point == len(self._epochs):
            self._begin()
            return
        order = sorted(range(self._size), key=lambda member: -self._values[member])
        for loser in order[-self._replaced :]:
            winner = order[int(self._rng.integers(self._replaced))]
            self._children[loser] = self._moves.mutate(self._children[winner], self._rng)
            self._trials[loser] = None
        self._values = []
