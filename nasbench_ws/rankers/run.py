"""What a way of training shared weights works with, in one instance: weights, batches, clock, meter and noise.

    run = Run(plan, problem, images, seed=0, hold=0.5)
    while run.progress < 1:
        learnt = run.weight_step(run.weight_batch(), draw)      # pays for it
        gradient = run.gate_gradient(run.gate_batch(), draw)    # dL/dgates, on images held back from the weights

Every clock (learning rate, temperature, warm-up) runs on `progress`, the multiply-adds paid over those of the budget:
of as many steps of full sharing as the plan says. A forward pass costs the multiply-adds of what is active, and a
backward pass twice that, for gates too: it forms the weights' gradients as well. No table here, and no test images.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from nasbench_ws.images.dataset import Images, Split
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.rankers.plan import BACKWARD, Plan
from nasbench_ws.space.macro import macro_for
from nasbench_ws.space.problem import Problem
from nasbench_ws.training.batches import Augmentation, Batches
from nasbench_ws.training.loop import children_seed
from nasbench_ws.training.mixed import Draw, Learnt, MixedNet
from nasbench_ws.training.supernet import StepOutcome

Batch: TypeAlias = "tuple[torch.Tensor, torch.Tensor]"  # images (B, H, W, C) normalised, labels (B,)
SMALLEST = 1e-20  # of a uniform draw, so that its Gumbel noise is finite


class DivergedError(Exception):
    """A loss that is not finite; training stops there."""


@dataclass
class Meter:
    """What was spent so far."""

    weight_steps: int = 0
    child_updates: int = 0
    gate_steps: int = 0
    images: int = 0  # of the training set, one counted each time that it is looked at
    macs: int = 0  # multiply-adds, backward passes included
    trained: dict[int, int] = field(default_factory=dict)  # updates of single children, by number


class Run:
    """One instance.

    Args:
        plan: its recipe, and the budget in steps.
        problem: what is ranked.
        images: training and validation images.
        seed: of the instance.
        hold: part of the training images that moves the gates alone, the last ones. 0: all move the weights.
        dtype: float32 to run.
    """

    def __init__(
        self, plan: Plan, problem: Problem, images: Images, seed: int, hold: float = 0.0,
        dtype: torch.dtype = torch.float32,
    ) -> None:  # fmt: skip
        self.plan, self.problem, self.images, self.seed = plan, problem, images, seed
        self.recipe, self.space = plan.trained_by, problem.space
        self.net = MixedNet(self.recipe, macro_for(plan.recipe, images), problem.space, seed, dtype)
        self.meter = Meter()
        self.loss = math.nan  # of the last step, of weights or gates
        self.choices: NDArray[np.int64] = np.array([child.choices for child in problem.children])  # (n, edges)
        train = images.subset(plan.recipe.train_images).train
        kept = len(train) - max(1, round(hold * len(train))) if hold else len(train)
        self._weight_images = Split(train.pixels[:kept], train.labels[:kept])
        self._gate_images = Split(train.pixels[kept:], train.labels[kept:]) if hold else self._weight_images
        self._streams: dict[str, Batches] = {}
        self._noise: dict[str, list[list[np.random.Generator]]] = {}

    # -- the clock ---------------------------------------------------------------------------------------

    @cached_property
    def budget(self) -> int:
        """Multiply-adds of the plan's steps of full sharing, backward passes included."""
        return self.plan.steps * self.recipe.batch_size * BACKWARD * int(self.child_macs.sum()) // len(self.child_macs)

    @cached_property
    def child_macs(self) -> NDArray[np.int64]:
        """Multiply-adds of one image's forward pass through each child, (n,)."""
        operations = len(self.space.operations)
        return np.array([self.net.macs(Draw.one_hot(one, operations).active) for one in self.choices])

    @property
    def mean_child(self) -> float:
        return float(self.child_macs.mean())

    @property
    def progress(self) -> float:
        """Of the budget, what is spent: 0 at the start; training ends at 1 or just above."""
        return self.meter.macs / self.budget

    @property
    def lr(self) -> float:
        """The recipe's learning rate of this moment."""
        return self.recipe.learning_rate(min(self.progress, 1.0) * self.plan.steps, self.plan.steps)

    def updates(self, passes: float) -> int:
        """How many iterations the whole budget is worth, where one is `passes` steps of a mean child; at least 1."""
        return max(1, int(self.plan.steps / passes))

    @property
    def relaxed_cost(self) -> float:
        """A step of all operations, in steps of a mean child."""
        return self.net.macs() / self.mean_child

    # -- images ------------------------------------------------------------------------------------------

    def weight_batch(self) -> Batch:
        """The next batch that moves the weights. Where nothing is held back, it is the batch of `full` of that seed."""
        return next(self._stream("", self._weight_images))

    def gate_batch(self) -> Batch:
        """The next batch that moves the gates: of images that never move weights, where some are held back."""
        return next(self._stream("gates", self._gate_images))

    def _stream(self, extra: str, split: Split) -> Iterator[Batch]:
        if extra not in self._streams:
            recipe, children = self.recipe, self.problem.children
            self._streams[extra] = Batches(
                split, min(recipe.batch_size, len(split)), Augmentation(recipe.flip, recipe.shift), self.images.mean,
                self.images.std, children_seed(f"order{extra}", children, self.seed),
                children_seed(f"augment{extra}", children, self.seed), self.net.weights.dtype,
            )  # fmt: skip
        return self._streams[extra]

    # -- noise -------------------------------------------------------------------------------------------

    def uniform(self, purpose: str = "gates") -> Array:
        """Uniform numbers in (0, 1), (edges, operations); each operation has a stream of its own.

        So an operation's draws do not depend on where in the space's list it stands.
        """
        if purpose not in self._noise:
            children = self.problem.children
            self._noise[purpose] = [
                [
                    np.random.Generator(np.random.PCG64(children_seed(f"{purpose} {edge} {name}", children, self.seed)))
                    for name in self.space.operations
                ]
                for edge in self.space.edges
            ]
        drawn: Array = np.array([[one.random() for one in row] for row in self._noise[purpose]])
        return drawn.clip(SMALLEST, 1 - 1e-7)

    def gumbel(self, purpose: str = "gates") -> Array:
        """Gumbel noise (edges, operations): argmax(log p + noise) is a draw from p."""
        value: Array = -np.log(-np.log(self.uniform(purpose)))
        return value

    def derived(self, purpose: str) -> int:
        """A seed for a purpose of this instance."""
        return children_seed(purpose, self.problem.children, self.seed)

    def normal(self, purpose: str = "start") -> Array:
        """Standard normal numbers (edges, operations)."""
        from scipy.special import ndtri  # the inverse of its distribution function

        value: Array = np.asarray(ndtri(self.uniform(purpose)))
        return value

    def draw_child(self, probabilities: Array | None = None, purpose: str = "gates") -> NDArray[np.int64]:
        """An operation on each edge (edges,), drawn from (edges, operations) probabilities; uniformly without."""
        logs = np.log(np.maximum(probabilities, SMALLEST)) if probabilities is not None else 0.0
        chosen: NDArray[np.int64] = np.argmax(logs + self.gumbel(purpose), axis=1)
        return chosen

    # -- steps, each paid for ----------------------------------------------------------------------------

    def number(self, choices: Sequence[int] | NDArray[np.int64]) -> int:
        """The number of the child with these operations."""
        return int(np.ravel_multi_index(tuple(choices), (len(self.space.operations),) * len(self.space.edges)))

    def one_hot(self, choices: Sequence[int] | NDArray[np.int64]) -> Draw:
        return Draw.one_hot([int(one) for one in choices], len(self.space.operations))

    def child_step(
        self, batch: Batch, choices: Sequence[int] | NDArray[np.int64], lr: float | None = None
    ) -> StepOutcome:
        """One update of one child's weights, as of `full`; at a rate of its own, or the recipe's."""
        number = self.number(choices)
        outcome = self.net.supernet.step([number], *batch, self.lr if lr is None else lr)
        self.stepped(number, len(batch[0]), outcome.loss)
        return outcome

    def stepped(self, number: int, images: int, loss: float) -> None:
        """Pay for an update of a child that was made elsewhere, and count it."""
        self._stepped(images, int(self.child_macs[number]), loss)
        self.meter.trained[number] = self.meter.trained.get(number, 0) + 1

    def weight_step(self, batch: Batch, draw: Draw) -> Learnt:
        """One update of the weights under relaxed gates."""
        learnt = self.net.weight_step(*batch, draw, self.lr)
        self._stepped(len(batch[0]), self.net.macs(draw.active), learnt.loss)
        return learnt

    def ghost_step(self, batches: Sequence[tuple[Batch, Draw]]) -> None:
        """One update from several small batches, each with gates and batch statistics of its own."""
        active = np.logical_or.reduce([draw.active for _, draw in batches])
        lr = self.lr
        losses = []
        for (images, labels), draw in batches:
            losses.append(self.net.accumulate(images, labels, draw).loss)
            self.pay(len(images), self.net.macs(draw.active))
        self.net.gradient /= len(batches)
        self.net.update(active, lr)
        self._counted(float(np.mean(losses)))

    def gate_gradient(self, batch: Batch, draw: Draw, silent: NDArray[np.bool_] | None = None) -> torch.Tensor:
        """dL/dgates (edges, operations) float64; weights and statistics stay.

        `silent` operations have a gate of 0: they are run forward for their own gate's gradient, and paid for so.
        """
        learnt = self.net.weights_gradient(*batch, draw)[1]
        whole = self.net.macs(draw.active)
        loud = whole if silent is None else self.net.macs(draw.active & ~silent)
        self.pay(len(batch[0]), loud)
        self.meter.macs += len(batch[0]) * (whole - loud)
        self.meter.gate_steps += 1
        self._finite(learnt.loss)
        return learnt.gates

    def child_accuracy(self, batch: Batch, choices: Sequence[int] | NDArray[np.int64]) -> float:
        """Of a child on a batch, by the batch's own statistics."""
        number = self.number(choices)
        _, correct = self.net.supernet.merged([number]).score(*batch, None, len(batch[0]))
        self.pay(len(batch[0]), int(self.child_macs[number]), passes=1)
        return float(correct[0]) / len(batch[0])

    def pay(self, images: int, macs: int, passes: int = BACKWARD) -> None:
        """For so many images, of so many multiply-adds a forward pass; `passes` 1 is forward alone."""
        self.meter.macs += images * macs * passes
        self.meter.images += images

    def _stepped(self, images: int, macs: int, loss: float) -> None:
        self.pay(images, macs)
        self._counted(loss)

    def _counted(self, loss: float) -> None:
        self.meter.weight_steps += 1
        self.meter.child_updates += 1
        self._finite(loss)

    def _finite(self, loss: float) -> None:
        self.loss = loss
        if not math.isfinite(loss):
            raise DivergedError
