"""What an evaluation will do, before it does it: which super-nets, how many steps each, at what match.

A strategy divides the children into components that share nothing with one another; each is a super-net of
its own. Budgets are stated as the steps that one fully shared super-net would take, and given out so (the first two
take as many multiply-adds in all as that super-net does, but for rounding):

    child-updates   every child is trained as often as in that super-net (its steps / 64)
    group-compute   every component does as many training multiply-adds a child: cheap children are trained more often
    steps           every component takes all the steps (the paper's grouping: m groups get m times the compute)

    plan = Plan("groups:similar:4", recipe, steps=3200)
    plan.parts(children, macro, strategy)  # [Part(children=(0, ..., 15), steps=800), ...]
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nasbench_ws.errors import StrategyError, UsageError
from nasbench_ws.limits import MOST_STEPS, check_most, integer, is_real, plain
from nasbench_ws.recipe import Recipe
from nasbench_ws.sharing.keys import components
from nasbench_ws.sharing.mixed import Mixed
from nasbench_ws.sharing.schedules import SCHEDULES, get_schedule, realise, takes_over
from nasbench_ws.sharing.strategies import Strategy
from nasbench_ws.space.cell import Architecture
from nasbench_ws.space.child import child_network, mac_count
from nasbench_ws.space.macro import Macro

MATCHES = ("child-updates", "group-compute", "steps")
Match = Literal["child-updates", "group-compute", "steps"]
BACKWARD = 3  # multiply-adds of forward and backward, in forward passes
# Of the peak, where a window is read: the paper's .001 of .025. At 0 the weights stand still: of `full` at 640 steps
# (one instance) recalibrated scores moved by .02 points over the last 8 steps, with an S-Tau of .998; at .04, by .73
# points with .915.
END_LR = 0.04


@dataclass(frozen=True)
class Part:
    """One super-net: the children it is over (numbers), and its steps."""

    children: tuple[int, ...]
    steps: int


MOST_POINTS = 1000  # of scores on the way
QUICK_UPDATES = 5  # of each child, in a quick look
QUICK_IMAGES = 1000  # validation images, and training images that recalibrate batch norm


def quick_look(plan: Plan, children: int) -> Plan:
    """The plan at so few steps, under one mode and on so few images that an answer takes seconds and proves little.

    >>> from nasbench_ws.recipe import Recipe
    >>> plan = quick_look(Plan("full", Recipe()), 64)
    >>> plan.steps, plan.valid_images, plan.batch_norm
    (320, 1000, ('recalibrate:1000',))
    """
    modes = (f"recalibrate:{min(QUICK_IMAGES, plan.recipe.train_images)}",)
    return dataclasses.replace(
        plan, steps=QUICK_UPDATES * children, valid_images=QUICK_IMAGES, batch_norm=modes, quick=True
    )


def default_modes(recipe: Recipe) -> tuple[str, ...]:
    """Recalibrated first, and running beside it: the variance of `full`'s tau is less than half of that of running."""
    return f"recalibrate:{min(1024, recipe.train_images)}", "running"


@dataclass(frozen=True)
class Plan:
    """Everything that an evaluation's numbers depend on, but the instance's seed."""

    strategy: str
    recipe: Recipe
    steps: int = 6400  # of one super-net that shares everything: 100 for each child of deeper64
    match: Match = "child-updates"
    schedule: str | None = None  # a name, or FILE.py:FUNCTION; None: the strategy's own
    batch_norm: tuple[str, ...] = ()  # modes of scoring; the first is the result's; none given: `default_modes`
    last: int = 0  # score after each of the last so many steps as well (GT-Tau-Mean-k): a window
    end_lr: float | None = None  # last learning rate, in peaks; None: END_LR with a window, else the recipe's
    last_images: int = 1000  # validation images for those scores, and for the readouts below
    average: float = 0.0  # decay of a moving average of the weights, scored at the end too; 0: none
    fine_tune: tuple[int, ...] = ()  # steps of each child alone after which it is scored (paper, figure 4)
    interference: int = 0  # steps of one child after which all are scored, for every child; 0: not measured
    extra_lr: float = 0.01  # learning rate of these steps
    valid_images: int = 0  # score on the first so many validation images, while developing; 0: on all
    quick: bool = False  # a look that proves little: it is never compared with anything
    score_every: int = 0  # score after every so many steps too, on `last_images`: tau against steps; 0: at the end

    def __post_init__(self) -> None:
        for name in ("steps", "last", "last_images", "interference", "valid_images", "score_every"):
            object.__setattr__(self, name, integer(name, getattr(self, name)))
        if not isinstance(self.recipe, Recipe):
            raise UsageError(f"recipe is {self.recipe!r:.60}; give a Recipe, as a table's or Recipe.from_dict(...)")
        if not isinstance(self.fine_tune, Iterable):
            raise UsageError(f"fine_tune is {self.fine_tune!r}; give a tuple of whole numbers, as (10, 100)")
        object.__setattr__(self, "fine_tune", tuple(integer("fine_tune", count) for count in self.fine_tune))
        for name in ("average", "extra_lr", "quick", "end_lr"):
            object.__setattr__(self, name, plain(getattr(self, name)))
        if not isinstance(self.quick, bool):
            raise UsageError(f"quick is {self.quick!r}; it must be True or False")
        if not is_real(self.extra_lr) or not 0 < self.extra_lr < math.inf:
            raise UsageError(f"extra_lr is {self.extra_lr!r}; a learning rate is finite and more than 0")
        for name in ("steps", "last", "interference"):
            check_most(name, getattr(self, name), MOST_STEPS)
        check_most("fine_tune", max(self.fine_tune, default=0), MOST_STEPS)
        if self.schedule is not None and not isinstance(self.schedule, str):
            raise UsageError(
                f"schedule is {self.schedule!r}; a plan takes the name of one ({', '.join(SCHEDULES)}), or "
                "FILE.py:FUNCTION: give a function itself to your strategy, as its attribute `schedule`"
            )
        if self.match not in MATCHES:
            raise UsageError(f"unknown match {self.match!r}; known are {', '.join(MATCHES)}")
        if self.steps < 1:
            raise UsageError(f"steps is {self.steps}; it must be at least 1")
        modes: Any = self.batch_norm
        modes = default_modes(self.recipe) if isinstance(modes, tuple) and not modes else modes
        modes = modes.tolist() if hasattr(modes, "tolist") else modes  # an array of texts
        # A set has no first mode, which is the result's own.
        if not isinstance(modes, list | tuple) or not modes or not all(isinstance(mode, str) for mode in modes):
            raise UsageError(f"batch_norm is {self.batch_norm!r}; give a tuple of at least one mode, as ('running',)")
        object.__setattr__(self, "batch_norm", tuple(map(str, modes)))
        if self.score_every < 0 or self.score_every > self.steps:
            raise UsageError(f"score_every is {self.score_every}; it is 1 to the {self.steps} steps, or 0 for none")
        check_most("the number of points to score at", len(self.points), MOST_POINTS)
        if self.valid_images < 0:
            raise UsageError(f"valid_images is {self.valid_images}; it is at least 1, or 0 for all")
        if self.last < 0 or self.last_images < 1:
            raise UsageError(
                f"last is {self.last} steps on {self.last_images} images; give at least 0 steps and 1 image"
            )

        if self.end_lr is None and self.last:
            object.__setattr__(self, "end_lr", END_LR)
        if self.end_lr is not None:
            if not is_real(self.end_lr) or not 0 <= self.end_lr <= 1:  # NaN is not
                raise UsageError(
                    f"end_lr is {self.end_lr!r}; it is the last learning rate as a share of the highest, from 0 to 1"
                )
            object.__setattr__(self, "end_lr", float(self.end_lr))
        if not is_real(self.average) or not 0 <= self.average < 1:
            raise UsageError(
                f"average is {self.average!r}; the decay of a moving average is at least 0 and less than 1"
            )
        if self.interference < 0 or any(f < 0 for f in self.fine_tune):
            raise UsageError(
                f"fine_tune is {self.fine_tune} and interference {self.interference} steps; they must be at least 0"
            )

    def parts(self, children: Sequence[Architecture], macro: Macro, strategy: Strategy) -> list[Part]:
        """The super-nets of one instance. StrategyError where a part's steps could not train its children.

        Args:
            children: all of the space, in its order.
            macro: the network around a cell.
            strategy: what is shared.
        """
        macs = [mac_count(child_network(macro, arch)) for arch in children]
        total = self.steps * sum(macs) / len(macs)  # multiply-adds of the fully shared super-net, per image
        found = []
        for members in components(macro, children, strategy.key):
            own = [children[i] for i in members]
            width = self.width(own, strategy)
            share = len(members) / len(children)
            if self.match == "steps":
                exact = float(self.steps)
            elif self.match == "child-updates":
                exact = self.steps * share / width
            else:
                mean = sum(macs[i] for i in members) / len(members)
                exact = total * share / mean / width
            steps = round(exact)
            if steps < 1:
                raise StrategyError(
                    f"{self.steps} steps leave {exact:.2f} for a super-net of {len(members)} "
                    f"of {len(children)} children; give at least {-(-len(children) * width // len(members))} steps"
                )
            takes_over(strategy.later, steps)
            if self.last > steps:
                raise UsageError(f"the last {self.last} steps of a super-net that takes {steps}; ask for fewer")
            found.append(Part(tuple(members), steps))
        return found

    def width(self, own: Sequence[Architecture], strategy: Strategy) -> int:
        """Children that one step of the schedule trains."""
        schedule = get_schedule(self.schedule or strategy.schedule)
        if isinstance(schedule, Mixed):
            return 1
        first = realise(schedule, own, 1, 0, check=False)
        return int(first.shape[1])

    @property
    def points(self) -> list[float]:
        """Where scores are taken on the way, in parts of the steps, (0, 1]: the same in super-nets of fewer steps."""
        every = self.score_every
        return [step / self.steps for step in range(every, self.steps + 1, every)] if every else []

    @property
    def trained_by(self) -> Recipe:
        """The recipe, with the last learning rate that the plan asks for."""
        if self.end_lr is None:
            return self.recipe
        return dataclasses.replace(self.recipe, lr_final=self.end_lr * self.recipe.lr)

    def to_dict(self) -> dict[str, Any]:
        """For JSON. What came later than the first files is left out where it is not asked for, as it is there."""
        later = {"end_lr": None, "valid_images": 0, "quick": False, "score_every": 0}
        data = {**dataclasses.asdict(self), "recipe": self.recipe.to_dict()}
        return {key: value for key, value in data.items() if key not in later or value != later[key]}

