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
    # Of the processors, all threads together: what the clock says depends on what else the machine does. None where it
    # was not measured, as in older files, which are written back without it.
    cpu_seconds: float | None = None

    def __add__(self, other: Cost) -> Cost:
        pairs: Any = zip(astuple(self), astuple(other), strict=True)
        both: list[Any] = [None if a is None or b is None else a + b for a, b in pairs]
        return Cost(*both)

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
        totals: dict[str, Any] = {}
        for name in (field.name for field in fields(cls)):
            values = [getattr(cost, name) for cost in costs]
            if None not in values:
                total = sum(value * n for value, n in zip(values, times, strict=True))
                totals[name] = total / count if name.endswith("seconds") else total // count
        return cls(**totals)

    def to_dict(self) -> dict[str, Any]:
        """For JSON, without what was not measured."""
        return {name: value for name, value in asdict(self).items() if value is not None}


NOTHING = Cost(0, 0, 0, 0, 0, 0.0, 0, 0, 0.0)  # of what trains nothing
