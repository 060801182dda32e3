"""A super-net in training: weights, one gradient step for some of its children, and the update.

A standalone child is the super-net that has it as its only child. What is trained at which step is the
schedule's affair, and the loop is `train`'s; here is what one step does. What computes it is a `Backend`.

    net = SuperNet(recipe, macro, children, key, seed=0)
    net.step([5], images, labels, lr=0.1)      # child number 5
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from nasbench_ws.recipe import Recipe
from nasbench_ws.sharing.keys import Key
from nasbench_ws.space.blocks import Network
from nasbench_ws.space.cell import Architecture
from nasbench_ws.space.macro import Macro
from nasbench_ws.space.operations import BUILT_IN
from nasbench_ws.training.backend import Backend, Bound, Updater, chosen
from nasbench_ws.training.kernels.criterion import Criterion
from nasbench_ws.training.kernels.known import knows
from nasbench_ws.training.reference import TORCH
from nasbench_ws.training.weights import Weights


@dataclass(frozen=True)
class StepOutcome:
    """Mean over the step's children: `loss` (cross-entropy) and `accuracy` on the training batch."""

    loss: float
    accuracy: float


def mean_of(outcomes: Sequence[StepOutcome]) -> StepOutcome:
    count = len(outcomes)
    if count == 1:
        return outcomes[0]
    return StepOutcome(sum(o.loss for o in outcomes) / count, sum(o.accuracy for o in outcomes) / count)


class SuperNet:
    """Weights over `children`, with what is needed to train and run each (made when first asked for).

    `backend` computes; None takes the compiled kernels where they can be used and know the layers, else torch: an
    operation of a user's own may have others. Then children that have it run by torch, and the rest do not.
    """

    def __init__(
        self,
        recipe: Recipe,
        macro: Macro,
        children: Sequence[Architecture],
        key: Key,
        seed: int,
        dtype: torch.dtype = torch.float32,
        backend: Backend | None = None,
    ) -> None:
        self.recipe, self.macro, self.children = recipe, macro, tuple(children)
        self.backend = chosen() if backend is None else backend
        self._strict = backend is not None
        self.weights = Weights(macro, children, key, seed, dtype)
        self._gradient = torch.zeros_like(self.weights.values)
        self._prepared: dict[int, Bound] = {}
        self._merged: dict[tuple[int, ...], Bound] = {}
        self._moved: dict[tuple[int, ...], Updater] = {}  # by children: what a step of them moves

    def divide(self, key: Key) -> None:
        """Go on under a key that shares less; copies inherit, and no child's output changes by it."""
        self.weights = self.weights.divided(key)
        self._gradient = torch.zeros_like(self.weights.values)
        self._prepared, self._merged, self._moved = {}, {}, {}

    def merged(self, numbers: Sequence[int]) -> Bound:
        """Children as one network, bound, that computes what they have in common once; to score, not to train."""
        key = tuple(numbers)
        if key not in self._merged:
            if len(self._merged) > len(self.children):  # of use to who scores the same children again and again
                self._merged.clear()
            network = self.weights.network(key)
            self._merged[key] = self.backend_of(network).bind(network, self.weights, learns=False)
        return self._merged[key]

    def _child(self, number: int) -> Bound:
        if number not in self._prepared:
            network = self.weights.network([number])
            self._prepared[number] = self.backend_of(network).bind(network, self.weights, learns=True)
        return self._prepared[number]

    def backend_of(self, network: Network[int]) -> Backend:
        """What computes that network: torch where the kernels do not know it, unless a backend was asked for."""
        return self.backend if self._strict or self.backend is TORCH or knows(network) else TORCH

    def by_backend(self, numbers: Sequence[int]) -> list[list[int]]:
        """The children `numbers`, each once, in one list for each way of computing them."""
        if self._strict or self.backend is TORCH or self._all_built_in:
            return [list(numbers)]
        known = {number: self.backend_of(self.weights.network([number])) is self.backend for number in numbers}
        return [some for some in ([n for n in known if known[n] is it] for it in (True, False)) if some]

    @property
    def _all_built_in(self) -> bool:
        return all(operation in BUILT_IN for child in self.children[:1] for operation in child.space.operations)

    def description(self) -> str:
        """The processor and the path that computes, for records; where paths differ, how many children take torch's."""
        own = self.backend.description(self.macro.channels, self.weights.dtype)
        if self._all_built_in:
            return own
        networks = [self.weights.network([number]) for number in range(len(self.children))]
        other = sum(self.backend_of(network) is not self.backend for network in networks)
        return f"{own}, {other} of {len(networks)} children by torch" if other else own

    def accumulate(
        self, number: int, images: torch.Tensor, labels: torch.Tensor, out: torch.Tensor,
        criterion: Criterion | None = None,
    ) -> StepOutcome:  # fmt: skip
        """Add the gradient of a child's mean loss on a batch to `out` (n,); move its running statistics.

        `criterion` is another loss than mean cross-entropy, of logits (B, classes) and labels (B,).
        """
        child = self._child(number)
        loss, correct = child.learn(images, labels, out, self.macro.bn_momentum, criterion)
        self.keep_own(number, child, len(images))
        return StepOutcome(loss, correct / len(images))

    def keep_own(self, number: int, child: Bound, images: int) -> None:
        """The statistics that a child learnt from into those of its own steps, where `Weights.keep_own` is on."""
        if not len(self.weights.own):
            return
        (mean, var), pixels = child.learnt_from(), images * self.macro.height * self.macro.width
        own = self.weights.own[:, number, : len(mean)]
        own.lerp_(torch.stack([mean, var * (pixels / (pixels - 1))]).to(own.dtype), self.macro.bn_momentum)

    def step(self, numbers: Sequence[int], images: torch.Tensor, labels: torch.Tensor, lr: float) -> StepOutcome:
        """One update from the summed gradients of the children `numbers` on one batch."""
        try:
            outcomes = [self.accumulate(number, images, labels, self._gradient) for number in numbers]
        except BaseException:
            self._gradient.zero_()  # as each update leaves it
            raise
        self.update(numbers, self._gradient, lr)
        return mean_of(outcomes)

    def update(self, numbers: Sequence[int], gradient: torch.Tensor, lr: float) -> None:
        """SGD with momentum and weight decay, as torch's: on what the children use, or on all (`drift`).

        The gradient (n,) is 0 afterwards where it was used.
        """
        momentum, decay = self.recipe.momentum, self.recipe.weight_decay
        key = tuple(range(len(self.children))) if self.recipe.inactive == "drift" else tuple(numbers)
        if key not in self._moved:
            if len(self._moved) > 4 * len(self.children):  # sets of children that may never come again
                self._moved.clear()
            self._moved[key] = self.backend.updater(self.weights, self.weights.ranges(key))
        self._moved[key].update(gradient, lr, momentum, decay)
