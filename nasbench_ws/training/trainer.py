"""A super-net that is trained as a trainer of the user's own says (hooks.py), and what such a trainer is given.

    hooks = Hooks("my.py:Smoothed", Smoothed())
    net = TrainerNet(recipe, macro, children, key, seed=0, hooks=hooks, images=images, steps=640)
    train(net, batches, sequence)            # or of its own next_children: train(net, batches, net.asked())

A loss of one's own runs the child by torch, and with it autograd; without one, the kernels compute gradients, whoever
combines them and whatever moves the weights. Every child is known by its number in `net.children`. Not here: who shares
what, budgets, and how a trainer is named (rankers/by_trainer.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nasbench_ws.errors import StrategyError, UsageError
from nasbench_ws.images.dataset import Images
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.plugins import raised
from nasbench_ws.recipe import Recipe
from nasbench_ws.seeds import derive
from nasbench_ws.sharing.keys import Key
from nasbench_ws.space.cell import Architecture
from nasbench_ws.space.child import child_network, mac_count
from nasbench_ws.space.macro import Macro
from nasbench_ws.training.batch_norm import BatchNorm
from nasbench_ws.training.hook_calls import Hooks
from nasbench_ws.training.kernels.criterion import Criterion
from nasbench_ws.training.scoring import Scorer
from nasbench_ws.training.supernet import StepOutcome, SuperNet, mean_of

SCORED_IMAGES = 500  # of the validation images, with their own statistics: scores that a trainer hears in training


@dataclass(frozen=True)
class Context:
    """The step at hand: normalised images (B, C, H, W), numbers from 0, and all children that it trains."""

    images: Tensor
    step: int
    steps: int
    children: tuple[int, ...]
    lr: float  # of the recipe


@dataclass
class History:
    """What a trainer hears: one entry a step done, with a number for each of its children.

    Attributes:
        net: with `children`, `macs`, `largest`, `smallest` and `rng`.
        steps: to be done in all.
        children: numbers.
        losses: on the training batch.
        accuracies: on the training batch, fractions.
    """

    net: TrainerNet
    steps: int
    children: list[tuple[int, ...]] = field(default_factory=list)
    losses: list[tuple[float, ...]] = field(default_factory=list)
    accuracies: list[tuple[float, ...]] = field(default_factory=list)

    @property
    def step(self) -> int:
        """Steps done."""
        return len(self.children)

    def scores(self, children: Sequence[int] | None = None) -> Array:
        """Validation accuracies of children (all of them) now, on 500 images; what that takes is paid for."""
        return self.net.accuracies(children)


class Asked:
    """The children of each step, asked of the trainer when the step comes."""

    def __init__(self, hooks: Hooks, history: History) -> None:
        self._hooks, self._history = hooks, history

    def __len__(self) -> int:
        return self._history.steps

    def __iter__(self) -> Iterator[Sequence[int]]:
        for _ in range(len(self)):
            yield self._hooks.next_children(self._history)


class TrainerNet(SuperNet):
    """A super-net as a trainer sees it.

    `macs` are the multiply-adds of one image's forward pass through each child; `largest` and `smallest` the numbers of
    the children with most and fewest, the first of several; `rng` draws from the instance's seed; `extra_macs` is what
    the trainer's own looks at children took.

    Args:
        recipe: as of `SuperNet`, and so are macro, children, key and seed.
        hooks: the trainer.
        images: training and validation images.
        steps: to be done.
    """

    def __init__(
        self, recipe: Recipe, macro: Macro, children: Sequence[Architecture], key: Key, seed: int, *, hooks: Hooks,
        images: Images, steps: int, dtype: torch.dtype = torch.float32,
    ) -> None:  # fmt: skip
        super().__init__(recipe, macro, children, key, seed, dtype)
        self.macs: NDArray[np.int64] = np.array([mac_count(child_network(macro, arch)) for arch in children])
        self.largest, self.smallest = int(self.macs.argmax()), int(self.macs.argmin())
        names = ",".join(sorted(arch.hash for arch in children))
        self.rng = np.random.Generator(np.random.PCG64(derive("trainer", names, seed)))
        self.extra_macs = 0
        self.history = History(self, steps)
        self._hooks, self._images = hooks, images
        self._scorer: Scorer | None = None
        self._context: Context | None = None
        self._now: list[StepOutcome] = []
        hooks.start(self)
        self.moved_by: Any = None
        if hooks.has("optimiser"):
            self._parameters = self._as_parameters()
            self.moved_by = hooks.optimiser([one for _, one, _ in self._parameters])
            groups = getattr(self.moved_by, "param_groups", ())
            self._rates = [float(group["lr"]) for group in groups]  # at the recipe's peak

    # -- for trainers ------------------------------------------------------------------------------------

    def logits(self, child: int, images: Tensor) -> Tensor:
        """What a child makes of normalised images (B, C, H, W), with their own statistics; without a gradient.

        Nothing of the super-net changes. The forward pass is paid for.
        """
        found = self.merged([child]).logits(images.detach().permute(0, 2, 3, 1))[0]
        self.extra_macs += len(images) * int(self.macs[child])
        return found

    def accuracies(self, children: Sequence[int] | None = None) -> Array:
        """Of children on the first 500 validation images, with their own statistics; paid for."""
        if self._scorer is None:
            count = min(SCORED_IMAGES, len(self._images.valid))
            mode = BatchNorm("batch", count)
            self._scorer = Scorer(self._images.first_valid(count), "valid", mode, self.weights.dtype)
        numbers = list(range(len(self.children))) if children is None else [int(one) for one in children]
        self.extra_macs += min(SCORED_IMAGES, len(self._images.valid)) * int(self.macs[numbers].sum())
        return self._scorer.score(self, numbers).accuracy

    def own_scores(self) -> list[float] | None:
        """By the trainer's `score`; None where it has none."""
        if not self._hooks.has("score"):
            return None
        return [self._hooks.score(self, child, self._images) for child in range(len(self.children))]

    # -- for the loop ------------------------------------------------------------------------------------

    def asked(self) -> Asked:
        """The steps that the trainer's `next_children` chooses, for `train`."""
        return Asked(self._hooks, self.history)

    def accumulate(
        self, number: int, images: Tensor, labels: Tensor, out: Tensor, criterion: Criterion | None = None
    ) -> StepOutcome:
        if self._hooks.has("loss"):
            outcome = self._learn(number, images, labels, out)
        else:
            outcome = super().accumulate(number, images, labels, out, criterion)
        self._now.append(outcome)
        return outcome

    def _learn(self, number: int, images: Tensor, labels: Tensor, out: Tensor) -> StepOutcome:
        """As of a `SuperNet`, with the trainer's loss."""
        context = self._context
        assert context is not None, "inside of a step"
        child = self._child(number)

        def criterion(logits: Tensor, labels: Tensor) -> Tensor:
            return self._hooks.loss(self, number, logits, labels, context)

        try:
            loss, correct = child.learn(images, labels, out, self.macro.bn_momentum, criterion)
        except (RuntimeError, UsageError) as error:  # of autograd, or of what surrounds it
            raise StrategyError(
                f"trainer {self._hooks.name!r}: the gradient of its loss for child {self.children[number].name} raised "
                f"{raised(error)}"
            ) from error
        self.keep_own(number, child, len(images))
        return StepOutcome(loss, correct / len(images))

    def step(self, numbers: Sequence[int], images: Tensor, labels: Tensor, lr: float) -> StepOutcome:
        history = self.history
        seen = images.permute(0, 3, 1, 2)
        self._context = Context(seen, history.step, history.steps, tuple(numbers), lr)
        self._now = []
        if self._hooks.has("combine"):
            outcome = self._combined(numbers, images, labels, lr)
        else:
            outcome = super().step(numbers, images, labels, lr)
        history.children.append(tuple(numbers))
        history.losses.append(tuple(one.loss for one in self._now))
        history.accuracies.append(tuple(one.accuracy for one in self._now))
        return outcome

    def _combined(self, numbers: Sequence[int], images: Tensor, labels: Tensor, lr: float) -> StepOutcome:
        """A step whose children's gradients the trainer puts together."""
        rows = torch.zeros((len(numbers), len(self.weights.values)), dtype=self.weights.dtype)
        for number, row in zip(numbers, rows, strict=True):
            self.accumulate(number, images, labels, row)
        outcome = mean_of(self._now)
        if math.isfinite(outcome.loss):
            gradient = self._hooks.combine(rows).to(self.weights.dtype).contiguous()
            self.update(numbers, gradient, lr)
        return outcome

    def update(self, numbers: Sequence[int], gradient: Tensor, lr: float) -> None:
        if self.moved_by is None:
            super().update(numbers, gradient, lr)
            return
        used = {number for child in numbers for number, _ in self.weights.network([child]).layers()}
        for number, parameter, at in self._parameters:
            idle = self.recipe.inactive == "frozen" and number not in used
            parameter.grad = None if idle else gradient[at : at + parameter.numel()].view(parameter.shape)
        for group, peak in zip(getattr(self.moved_by, "param_groups", ()), self._rates, strict=True):
            group["lr"] = peak * lr / self.recipe.lr
        self._hooks.move(self.moved_by)
        gradient.zero_()

    def _as_parameters(self) -> list[tuple[int, torch.nn.Parameter, int]]:
        """Number of its storage, the parameter, which is a view of the weights with their `slot`, and its place."""
        found = []
        for number, storage in enumerate(self.weights.storages):
            at = storage.offset
            for view in self.weights.views(self.weights.values, number):
                parameter = torch.nn.Parameter(view)
                parameter.slot = storage.slot  # type: ignore[attr-defined]
                found.append((number, parameter, at))
                at += view.numel()
        return found
