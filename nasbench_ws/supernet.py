"""A super-net in training: weights, one gradient step for some of its children, and the update.

A standalone child is the super-net that has it as its only child. What is trained at which step is the
schedule's affair, and the loop is `train`'s; here is what one step does, on the fast path or the plain one.

    net = SuperNet(recipe, macro, children, key, seed=0)
    net.step([5], images, labels, lr=0.1)      # child number 5
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from nasbench_ws import engine, plain
from nasbench_ws.engine import Engine
from nasbench_ws.network import Macro, Network
from nasbench_ws.recipe import Recipe
from nasbench_ws.sharing import Key
from nasbench_ws.space import Architecture
from nasbench_ws.weights import Weights


@dataclass(frozen=True)
class StepOutcome:
    """Mean over the step's children: `loss` (cross-entropy) and `accuracy` on the training batch."""

    loss: float
    accuracy: float


@dataclass(frozen=True)
class _Child:
    network: Network[int]
    engine: Engine | None
    statistics: torch.Tensor  # positions of its batch norms' channels in the running statistics
    active: torch.Tensor  # positions of its parameters


class SuperNet:
    """Weights over `children`, with what is needed to train and run each (made when first asked for).

    `fast` None takes the compiled kernels where they can be used; False forces torch.
    """

    def __init__(
        self,
        recipe: Recipe,
        macro: Macro,
        children: Sequence[Architecture],
        key: Key,
        seed: int,
        dtype: torch.dtype = torch.float32,
        fast: bool | None = None,
    ) -> None:
        self.recipe, self.macro, self.children = recipe, macro, tuple(children)
        self.fast = engine.available() if fast is None else fast
        self.weights = Weights(macro, children, key, seed, dtype)
        self._gradient = torch.zeros_like(self.weights.values)
        self._prepared: dict[int, _Child] = {}
        self._merged: dict[tuple[int, ...], tuple[Network[int], Engine | None]] = {}

    def divide(self, key: Key) -> None:
        """Go on under a key that shares less; copies inherit, and no child's output changes by it."""
        self.weights = self.weights.divided(key)
        self._gradient = torch.zeros_like(self.weights.values)
        self._prepared = {}
        self._merged = {}

    def merged(self, numbers: Sequence[int]) -> tuple[Network[int], Engine | None]:
        """Children as one network that computes what they have in common once, and its plan for the fast path."""
        key = tuple(numbers)
        if key not in self._merged:
            if len(self._merged) > len(self.children):  # of use to who scores the same children again and again
                self._merged.clear()
            network = self.weights.network(key)
            self._merged[key] = network, Engine(network, self.weights, keep=False) if self.fast else None
        return self._merged[key]

    def _child(self, number: int) -> _Child:
        if number not in self._prepared:
            network = self.weights.network([number])
            self._prepared[number] = _Child(
                network,
                Engine(network, self.weights, keep=True) if self.fast else None,
                statistics_positions(network, self.weights),
                self.weights.active(number),
            )
        return self._prepared[number]

    def accumulate(self, number: int, images: torch.Tensor, labels: torch.Tensor, out: torch.Tensor) -> StepOutcome:
        """Add the gradient of a child's mean loss on a batch to `out` (n,); move its running statistics."""
        child = self._child(number)
        if child.engine is not None:
            outcome = child.engine.run(images, labels, len(images), gradient=out)
            loss, correct = float(outcome.loss[0]), int(outcome.correct[0])
            mean, var = outcome.mean, outcome.var
        else:
            loss, correct, mean, var = plain.loss_and_gradient(child.network, self.weights, images, labels, out)
        pixels = len(images) * self.macro.height * self.macro.width
        where, momentum = child.statistics, self.macro.bn_momentum
        weights = self.weights
        unbiased = var.to(weights.dtype) * (pixels / (pixels - 1))  # torch keeps the unbiased variance
        weights.running_mean[where] = torch.lerp(weights.running_mean[where], mean.to(weights.dtype), momentum)
        weights.running_var[where] = torch.lerp(weights.running_var[where], unbiased, momentum)
        return StepOutcome(loss, correct / len(images))

    def step(self, numbers: Sequence[int], images: torch.Tensor, labels: torch.Tensor, lr: float) -> StepOutcome:
        """One update from the summed gradients of the children `numbers` on one batch."""
        gradient = self._gradient.zero_()
        outcomes = [self.accumulate(number, images, labels, gradient) for number in numbers]
        self.update(numbers, gradient, lr)
        count = len(outcomes)
        return StepOutcome(sum(o.loss for o in outcomes) / count, sum(o.accuracy for o in outcomes) / count)

    def update(self, numbers: Sequence[int], gradient: torch.Tensor, lr: float) -> None:
        """SGD with momentum and weight decay, as torch's: on what the children use, or on all (`drift`)."""
        values, buffer = self.weights.values, self.weights.momentum
        momentum, decay = self.recipe.momentum, self.recipe.weight_decay
        if self.recipe.inactive == "drift" or len(self.children) == 1:
            buffer.mul_(momentum).add_(gradient).add_(values, alpha=decay)
            values.sub_(buffer, alpha=lr)
            return
        parts = [self._child(number).active for number in numbers]
        where = parts[0] if len(parts) == 1 else torch.unique(torch.cat(parts))
        moved = values[where]
        speed = buffer[where].mul_(momentum).add_(gradient[where]).add_(moved, alpha=decay)
        buffer[where] = speed
        values[where] = moved.sub_(speed, alpha=lr)


def statistics_positions(network: Network[int], weights: Weights) -> torch.Tensor:
    """Positions in the running statistics of each block's channels, concatenated in block order: (s,)."""
    starts = [(weights.storages[block.bn].stats_offset, block.out_channels) for block in network.blocks]
    return torch.cat([torch.arange(start, start + count) for start, count in starts])
