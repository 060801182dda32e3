"""A trainer of the user's own as a ranker: super-nets as of any sharing strategy, trained or scored as it says.

    ranker = ByTrainer(Plan("my.py:Smoothed", recipe))        # by name, which a worker resolves again
    ranker = ByTrainer(Plan("Smoothed", recipe), Smoothed)    # a class or an object that can be pickled

Who shares what is its `key` or `sharing`; budgets, matches, modes and costs are those of super-nets. A ranking by its
own `score` comes first in a result, and accuracies beside it. Not here: what a trainer is (training/hooks.py), and how
its methods are called (training/trainer.py).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nasbench_ws.errors import StrategyError, UsageError
from nasbench_ws.images.dataset import Images
from nasbench_ws.rankers.plan import Plan
from nasbench_ws.rankers.weight_sharing import WeightSharing
from nasbench_ws.sharing.schedules import Children
from nasbench_ws.sharing.strategies import PLUGINS, Strategy, adopt, resolve
from nasbench_ws.space.cell import Space
from nasbench_ws.space.macro import Macro
from nasbench_ws.space.problem import Problem
from nasbench_ws.training.hook_calls import Hooks

FURTHER = {  # readouts that train or score further, and the methods that they would not heed
    "fine_tune": ("loss", "combine", "optimiser"),
    "interference": ("loss", "combine", "optimiser"),
}


class ByTrainer(WeightSharing):
    """A `Ranker`. `thing` is the trainer, an object or a class; None: as the plan's name says."""

    def __init__(self, asked: Plan, thing: Any = None) -> None:
        super().__init__(asked, thing)
        hooks = self.hooks()
        self.own, self.width = hooks.own, hooks.width
        self.scheduled = not hooks.has("next_children")
        sharing = getattr(hooks.thing, "sharing", "full")
        if not isinstance(sharing, str):
            raise StrategyError(
                f"trainer {self.name!r} has sharing {sharing!r:.60}; it is the name of a strategy, such as 'full'"
            )
        self.shares = sharing
        if not self.scheduled and (asked.schedule or hasattr(hooks.thing, "schedule")):
            raise UsageError(
                f"trainer {self.name!r} has next_children, which chooses the children of a step; leave schedule out"
            )
        for readout, ignored in FURTHER.items():
            heedless = [hook for hook in ignored if hooks.has(hook)]
            if getattr(asked, readout) and heedless:
                raise UsageError(
                    f"the readout {readout} trains by the recipe, and not by the {heedless[0]} of trainer "
                    f"{self.name!r}; leave {readout} out"
                )

    def hooks(self) -> Hooks:
        if self.thing is None:
            made = PLUGINS.make(self.name, *PLUGINS.found(self.name))
        else:
            made = PLUGINS.make(self.name, self.thing if isinstance(self.thing, type) else copy.deepcopy(self.thing))
        return Hooks(self.name, made)

    def sources(self) -> Sequence[Any]:
        return [*super().sources(), self.shares]

    def plan(self, problem: Problem, images: Images | None) -> dict[str, Any]:
        return {**super().plan(problem, images), "sharing": self.shares, "trainer": list(self.own)}

    def sharing(self, name: str, space: Space, macro: Macro) -> Strategy:
        thing = self.hooks().thing
        if callable(getattr(thing, "key", None)):
            strategy = adopt(self.name, thing, space, macro)
        else:
            strategy = resolve(name, space, macro)
            schedule = getattr(thing, "schedule", strategy.schedule)
            strategy = Strategy(name, strategy.key, schedule, strategy.later)
        if strategy.later and "optimiser" in self.own:
            raise StrategyError(
                f"trainer {self.name!r} has an optimiser, and shares less with time, which gives it other parameters; "
                "leave out one of them"
            )
        if self.scheduled:
            return strategy
        return Strategy(name, strategy.key, _Wide(self.width), strategy.later)


class _Wide:
    """In the place of a schedule, where it is only asked how many children a step has."""

    __name__ = "next_children"

    def __init__(self, width: int) -> None:
        self._width = width

    def __call__(self, children: Children, rng: np.random.Generator) -> Iterator[Sequence[int]]:
        while True:
            yield (0,) * self._width
