"""Steps in a space, on numbers of children: what evolution, local search and models of a child share.

    moves = moves_of(space)
    moves.mutate(59, rng)                        # one edge, uniformly, to another of its operations
    moves.choices[59], moves.indicators[59]      # (edges,), (edges x operations,) of 0 and 1

A child is its index: its choices are the digits, the first edge most significant.
"""

from __future__ import annotations

import functools
from functools import cached_property

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from nasbench_ws.space.cell import Space


class Moves:
    """Of one space; its arrays are computed once."""

    def __init__(self, space: Space) -> None:
        self.size, self.edges, self.operations = len(space), len(space.edges), len(space.operations)
        self.strides: list[int] = [self.operations ** (self.edges - 1 - edge) for edge in range(self.edges)]

    def choice(self, child: int, edge: int) -> int:
        return child // self.strides[edge] % self.operations

    def random(self, rng: Generator) -> int:
        return int(rng.integers(self.size))

    def mutate(self, child: int, rng: Generator) -> int:
        """One edge, uniformly, to one of its other operations; the child itself where there are none."""
        if self.operations == 1:
            return child
        edge, other = divmod(int(rng.integers(self.edges * (self.operations - 1))), self.operations - 1)
        own = self.choice(child, edge)
        return child + (other + (other >= own) - own) * self.strides[edge]

    def neighbours(self, child: int) -> list[int]:
        """One operation away, by edge, then by operation."""
        return [
            child + (operation - own) * stride
            for stride in self.strides
            for own in [child // stride % self.operations]
            for operation in range(self.operations)
            if operation != own
        ]

    def index(self, choices: NDArray[np.intp] | list[int]) -> int:
        return int(sum(int(choice) * stride for choice, stride in zip(choices, self.strides, strict=True)))

    @cached_property
    def choices(self) -> NDArray[np.intp]:
        """(children, edges)"""
        choices: NDArray[np.intp] = np.arange(self.size)[:, None] // np.array(self.strides) % self.operations
        return choices

    @cached_property
    def indicators(self) -> NDArray[np.float64]:
        """(children, edges x operations): 1 where the child has the operation on the edge."""
        ones = self.choices[:, :, None] == np.arange(self.operations)
        indicators: NDArray[np.float64] = ones.reshape(self.size, -1).astype(np.float64)
        return indicators


@functools.lru_cache(maxsize=8)
def moves_of(space: Space) -> Moves:
    return Moves(space)
