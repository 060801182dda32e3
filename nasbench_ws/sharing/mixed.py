"""Children drawn in a mixing ratio, as the tasks of multi-task learning are (Luong et al., ICLR 2016).

    Mixed("params", macro)(children, rng)       # each child as often as it is small: odds 1 / parameters
    Mixed("macs", macro)                        # likewise, by multiply-adds
    Mixed("weights.json")                       # {"111": 2, "112": 0.5, ...}: a weight for every child

Draws are independent, so equal weights are the schedule `uniform`. Not here: the other schedules (schedules.py).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nasbench_ws.errors import StrategyError, UsageError
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.sharing.child_files import of_every_child, read_json
from nasbench_ws.space.cell import Architecture
from nasbench_ws.space.child import child_network, mac_count, parameter_count
from nasbench_ws.space.macro import Macro

RULES = {"params": parameter_count, "macs": mac_count}
LEAST = 1e-9  # of the largest weight: a child that is drawn once in as many steps as anyone trains
FORM = '{"111": 2, "112": 0.5, ...}, a number above 0 for each child'


@dataclass(frozen=True)
class Mixed:
    """A schedule.

    Args:
        rule: `params` or `macs`, whose reciprocal is a child's weight, or a JSON file of weights.
        macro: the network around a cell, which the two rules need.
    """

    rule: str
    macro: Macro | None = None

    def __post_init__(self) -> None:
        if not self.rule:
            raise UsageError(
                f"the schedule 'mixed:' has no rule; write mixed:{', mixed:'.join(RULES)}, or mixed:FILE.json"
            )

    @property
    def __name__(self) -> str:
        return f"mixed:{self.rule}"

    def __call__(self, children: Sequence[Architecture], rng: np.random.Generator) -> Iterator[Sequence[int]]:
        """Independent draws, for ever."""
        weights = self.weights(children)
        odds = weights / weights.sum()
        while True:
            yield from [(int(i),) for i in rng.choice(len(children), size=1024, p=odds)]

    def weights(self, children: Sequence[Architecture]) -> Array:
        """(children,) above 0. StrategyError for a file that lacks one, or says it twice."""
        if self.rule not in RULES:
            return self._listed(children)
        if self.macro is None:
            raise UsageError(f"the schedule {self.__name__!r} counts in a network, and got none")
        count, macro = RULES[self.rule], self.macro
        return 1.0 / np.array([count(child_network(macro, arch)) for arch in children], dtype=np.float64)

    def _listed(self, children: Sequence[Architecture]) -> Array:
        path, space = self.rule, children[0].space
        data = read_json(path, "weights", FORM)
        if not isinstance(data, dict):
            raise StrategyError(f"{path} does not say which child has which weight; write {FORM}")
        for name, weight in data.items():
            if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight <= sys.float_info.max:
                raise StrategyError(f"{path} gives {name} the weight {weight!r:.40}; write {FORM}")
        found = of_every_child(path, data.items(), space, "gives", "a weight", "no weight")
        weights: Array = np.array([float(found[arch.index]) for arch in children])
        scaled: Array = weights / weights.max()
        least = int(scaled.argmin())
        if scaled[least] < LEAST:
            raise StrategyError(
                f"{path} gives {children[least].name} the weight {weights[least]:g}, and the largest is "
                f"{weights.max():g}: it would never be drawn; give weights within a factor of {1 / LEAST:g}"
            )
        return scaled
