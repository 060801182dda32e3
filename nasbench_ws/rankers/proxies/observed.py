"""An untrained child that shows what it computes: outputs of its layers, inputs of its ReLUs, features of its cells.

    child = Untrained(macro, arch, seed=0)
    seen = child.forward(images)                       # (B, C, H, W); batch norm by the batch's own statistics
    seen.logits, seen.layers, seen.relus, seen.cells
    child.gradients(loss)                              # of the weights of convolutions and of the classifier

Weights are those from which the suite trains that child alone with that seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from nasbench_ws.errors import UsageError
from nasbench_ws.sharing.keys import none
from nasbench_ws.space.blocks import Block, Head
from nasbench_ws.space.cell import Architecture
from nasbench_ws.space.child import child_network
from nasbench_ws.space.macro import Macro
from nasbench_ws.training.reference import layer_outputs, run_blocks
from nasbench_ws.training.weights import Weights


@dataclass
class Seen:
    """Of one forward pass; tensors keep their graph."""

    layers: list[Tensor] = field(default_factory=list)  # outputs of convolutions, before batch norm
    relus: list[Tensor] = field(default_factory=list)  # inputs of ReLUs
    norms: list[Tensor] = field(default_factory=list)  # variances of each batch norm's input, a channel
    cells: list[Tensor] = field(default_factory=list)  # inputs of cells 2, 3, ..., and of the classifier
    logits: Tensor = field(default_factory=lambda: torch.empty(0))


class Untrained:
    """One child. `weights` are its convolutions' and its classifier's, without biases and batch norms."""

    def __init__(self, macro: Macro, arch: Architecture, seed: int, dtype: torch.dtype = torch.float32) -> None:
        self.macro, self.arch = macro, arch
        own = [block.module.operation for block in child_network(macro, arch).blocks if block.module]
        if own:
            raise UsageError(
                f"zero-cost proxies look into the layers of a child, and {arch.name} has {own[0]}, a torch module; "
                "take a ranker that trains or counts, such as full or params"
            )
        self._weights = Weights(macro, [arch], none, seed, dtype)
        self._network = self._weights.network([0])
        self._slots = [block.bn for block in child_network(macro, arch).blocks]
        self._leaves: dict[int, list[Tensor]] = {}
        self.weights: list[Tensor] = []
        for number, shapes in self._network.layers():
            if shapes:
                views = self._weights.views(self._weights.values, number)
                self._leaves[number] = [view.detach().clone().requires_grad_() for view in views]
                if self._weights.storages[number].slot.kind != "bn":
                    self.weights.append(self._leaves[number][0])

    @torch.no_grad()
    def change(self, new: Callable[[Tensor], Tensor]) -> None:
        """Replace every one of `weights`."""
        for weight in self.weights:
            weight.copy_(new(weight))

    def forward(self, images: Tensor, norm: bool = True) -> Seen:
        """Images (B, C, H, W); `norm` False leaves out all batch norms."""
        seen, numbers = Seen(), iter(range(len(self._network.blocks)))

        def block(one: Block[int], x: Tensor) -> Tensor:
            slot = self._slots[next(numbers)]
            if slot.part == "preprocess" and slot.cell > 1:
                seen.cells.append(x)
            if one.relu:
                seen.relus.append(x)
            outputs = layer_outputs(one, x, self._leaves.__getitem__)
            seen.layers += [] if one.pool else outputs
            z = outputs[-1]
            seen.norms.append(z.detach().var(dim=(0, 2, 3), unbiased=False))
            if not norm:
                return z
            gamma, beta = self._leaves[one.bn] if one.affine else (None, None)
            return F.batch_norm(z, None, None, gamma, beta, training=True, eps=self.macro.bn_eps)

        def head(one: Head[int], x: Tensor) -> Tensor:
            seen.cells.append(x)
            return F.linear(x.mean(dim=(2, 3)), *self._leaves[one.linear])

        seen.logits = run_blocks(self._network, images, block, head)[0]
        return seen

    def gradients(self, value: Tensor, graph: bool = False) -> list[Tensor]:
        """Of a number by each of `weights`."""
        return list(torch.autograd.grad(value, self.weights, create_graph=graph))


def total(values: Sequence[Tensor]) -> float:
    """The sum of all numbers of all tensors."""
    return float(sum(float(value.detach().sum()) for value in values))
