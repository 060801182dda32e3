"""What a ranking costs: one record for every place that counts, adds or shows it.

    whole = sum(parts, NOTHING)                     # the super-nets of an instance
    Cost.mean([first, second])                      # of the instances of an evaluation
    whole.to_dict()                                 # as a result's file has it under `budget`

Not here: what a plan will cost before it is run (rankers/cost.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass, fields
from typing import Any

from nasbench_ws.errors import UsageError


@dataclass(frozen=True)
class Cost:
    """Of one instance, or of a part of it."""

    steps: int  # of the optimiser
    images: int  # training images, one counted each time that a child sees it
    child_updates: int  # a step trains one child or several
    macs: int  # multiply-adds of training, forward and backward
    weight_bytes: int  # of all weights held
    seconds: float  # wall-clock, scoring and readouts included
    parameters: int  # trainable, of all weights held
    super_nets: int  # sets of weights that share nothing with one another

    def __add__(self, other: Cost) -> Cost:
        return Cost(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    @classmethod
    def mean(cls, costs: Sequence[Cost], weights: Sequence[int] | None = None) -> Cost:
        """The mean of at least one cost, each counted `weights` times; whole numbers are rounded down.

        >>> Cost.mean([NOTHING, Cost(3, 192, 3, 10, 8, 1.5, 2, 1)], weights=[1, 2]).steps
        2
        """
        if not costs:
            raise UsageError("there are no costs to take the mean of; give at least one")
        times = [1] * len(costs) if weights is None else weights
        count = sum(times)
        totals = {
            field.name: sum(getattr(cost, field.name) * n for cost, n in zip(costs, times, strict=True))
            for field in fields(cls)
        }
        return cls(**{name: x / count if name == "seconds" else x // count for name, x in totals.items()})

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


NOTHING = Cost(0, 0, 0, 0, 0, 0.0, 0, 0)  # of what trains nothing
