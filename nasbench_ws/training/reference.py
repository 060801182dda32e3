"""The reference: a bound network executed by torch operations, any dtype, with autograd.

It says what the numbers mean; `compiled` computes the same ones faster. Batch norm is either `batch`
(each block normalises with the mean and variance over the batch at hand) or takes given statistics.
`TORCH` is it as a `backend.Backend`.

    run = forward(network, weights, images)                  # batch statistics
    run.logits, run.mean, run.var
    forward(network, weights, images, statistics=(mean, var))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from nasbench_ws.errors import UsageError
from nasbench_ws.provenance import processor
from nasbench_ws.space.blocks import IMAGE, Block, Head, Inputs, Network
from nasbench_ws.space.torch_modules import ran
from nasbench_ws.training.checks import check_batch, check_count, check_gradient, check_labels
from nasbench_ws.training.kernels.criterion import Criterion
from nasbench_ws.training.weights import Statistics, Weights

CHUNK = 250  # images scored at a time where statistics are given: calls cost more than memory
_FLOATS: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Forward:
    """`logits`: (heads, B, classes). `mean`, `var`: (sum of the blocks' channels,), biased, per batch."""

    logits: torch.Tensor
    mean: torch.Tensor
    var: torch.Tensor


def forward(
    network: Network[int],
    weights: Weights,
    images: torch.Tensor,
    statistics: Statistics | None = None,
    leaves: dict[int, list[torch.Tensor]] | None = None,
    learning: bool = False,
) -> Forward:
    """Run a bound network on images (B, H, W, C), already normalised.

    `statistics` holds each block's mean and (biased) variance, concatenated in block order; without it each
    block uses those of this batch. `leaves` may give the parameters of each storage, for autograd.
    Modules of a user's own do what they do in training (dropout) where it is `learning`.
    """
    means: list[torch.Tensor] = []
    variances: list[torch.Tensor] = []

    def parameters(number: int) -> list[torch.Tensor]:
        return leaves[number] if leaves is not None else weights.views(weights.values, number)

    at = 0
    training = statistics is None

    def run_own(block: Block[int], x: torch.Tensor) -> torch.Tensor:
        assert block.module is not None
        given = None if statistics is None else [one[at : at + block.statistics] for one in statistics]
        made, mean, var = ran(
            block.module.operation, weights.modules[block.bn], x, parameters(block.bn), given, learning
        )
        if given is None:  # as all others say it: what `move_statistics` makes unbiased
            numbers = len(x) * x.shape[2] * x.shape[3]
            var = var * ((numbers - 1) / numbers)
        means.append(mean)
        variances.append(var)
        return made

    def run_block(block: Block[int], x: torch.Tensor) -> torch.Tensor:
        nonlocal at
        if block.module is not None:
            made = run_own(block, x)
            at += block.statistics
            return made
        z = layer_outputs(block, x, parameters)[-1]
        if statistics is None:
            mean = z.detach().mean(dim=(0, 2, 3))
            var = z.detach().var(dim=(0, 2, 3), unbiased=False)
        else:
            mean, var = (s[at : at + block.out_channels].to(z.dtype) for s in statistics)
        at += block.out_channels
        gamma, beta = parameters(block.bn) if block.affine else (None, None)
        given = None if training else mean, None if training else var
        means.append(mean)
        variances.append(var)
        return F.batch_norm(z, given[0], given[1], gamma, beta, training, eps=weights.macro.bn_eps)

    def run_head(head: Head[int], x: torch.Tensor) -> torch.Tensor:
        weight, bias = parameters(head.linear)
        return F.linear(x.mean(dim=(2, 3)), weight, bias)

    logits = run_blocks(network, images.permute(0, 3, 1, 2), run_block, run_head)  # -> (B, C, H, W), channels last
    none = images.new_empty(0)  # what a network without blocks has
    return Forward(torch.stack(logits), torch.cat([none, *means]), torch.cat([none, *variances]))


def run_blocks(
    network: Network[int],
    images: torch.Tensor,
    run_block: Callable[[Block[int], torch.Tensor], torch.Tensor],
    run_head: Callable[[Head[int], torch.Tensor], torch.Tensor],
) -> list[torch.Tensor]:
    """What each head makes of its input, when each block has made something of its own.

    images (B, C, H, W). A block's result is dropped as soon as nothing will read it.
    """
    done: dict[int, torch.Tensor] = {}
    found: list[torch.Tensor] = []
    last_read, head_after = network.lifetimes()

    def value(inputs: Inputs, channels: int) -> torch.Tensor:
        groups = []
        for group in inputs:
            terms = [images if term == IMAGE else done[term] for term in group]
            if not terms:  # the sum of nothing
                count, _, height, width = images.shape
                terms = [images.new_zeros(count, channels // len(inputs), height, width)]
            total = terms[0]
            for term in terms[1:]:
                total = total + term
            groups.append(total)
        return groups[0] if len(groups) == 1 else torch.cat(groups, dim=1)

    def run_heads(number: int) -> None:
        while len(found) < len(network.heads) and head_after[len(found)] <= number:
            head = network.heads[len(found)]
            found.append(run_head(head, value(head.inputs, head.channels)))

    run_heads(-1)
    for number, block in enumerate(network.blocks):
        done[number] = run_block(block, value(block.inputs, block.in_channels))
        run_heads(number)
        for gone in [n for n in done if last_read[n] <= number]:
            del done[gone]
    return found


def layer_outputs(block: Block[int], u: torch.Tensor, parameters: Any) -> list[torch.Tensor]:
    """What each layer of a block makes, up to its batch norm: (B, Cin, H, W) -> [..., (B, Cout, H, W)]."""
    found = []
    if block.relu:
        u = F.relu(u)
    if block.pool:
        return [pooled(block.pool, u)]
    if block.depthwise is not None:
        (weight,) = parameters(block.depthwise)
        reach = (block.kernel - 1) * block.dilation // 2
        u = F.conv2d(
            u, weight.unsqueeze(1), padding=reach, dilation=block.dilation, groups=block.in_channels
        )
        found.append(u)
    if block.conv is not None:
        (weight,) = parameters(block.conv)
        found.append(F.conv2d(u, weight, padding=block.conv_kernel // 2, groups=block.groups))
    return found


def pooled(how: str, x: torch.Tensor) -> torch.Tensor:
    """Pooling 3x3 of stride 1, "max" or "average", over the pixels inside the image: (B, C, H, W) -> the same."""
    if how == "max":
        return F.max_pool2d(x, 3, stride=1, padding=1)
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def loss_and_gradient(
    network: Network[int], weights: Weights, images: torch.Tensor, labels: torch.Tensor, out: torch.Tensor,
    criterion: Criterion = F.cross_entropy,
) -> tuple[float, int, torch.Tensor, torch.Tensor]:  # fmt: skip
    """Mean cross-entropy of a one-headed network on a batch, or another loss; its gradient is *added* to `out`.

    images (B, H, W, C), labels (B,), out (n,) laid out like `weights.values`. Returns the loss, the
    number of correct images, and each block's batch mean and biased variance.
    """
    numbers = sorted({number for number, shapes in network.layers() if shapes})
    leaves = {
        number: [view.detach().requires_grad_() for view in weights.views(weights.values, number)]
        for number in numbers
    }
    run = forward(network, weights, images, leaves=leaves, learning=True)
    loss = criterion(run.logits[0], labels)
    flat = [leaf for number in numbers for leaf in leaves[number]]
    gradients = iter(torch.autograd.grad(loss, flat, allow_unused=bool(weights.modules)))  # None: not read
    for number in numbers:
        for view in weights.views(out, number):
            gradient = next(gradients)
            if gradient is not None:
                view += gradient
    correct = int((run.logits[0].detach().argmax(dim=1) == labels).sum())
    return float(loss.detach()), correct, run.mean, run.var


def move_statistics(
    weights: Weights, where: torch.Tensor, mean: torch.Tensor, var: torch.Tensor, momentum: float, count: int
) -> None:
    """Running statistics at `where` (s,) take in a batch's, over `count` numbers a channel; variances unbiased."""
    unbiased = var.to(weights.dtype) * (count / (count - 1))  # what torch keeps
    for running, new in ((weights.running_mean, mean.to(weights.dtype)), (weights.running_var, unbiased)):
        running[where] = torch.lerp(running[where], new, momentum)


def update(
    weights: Weights, where: torch.Tensor, gradient: torch.Tensor, lr: float, momentum: float, decay: float
) -> None:
    """Stochastic gradient descent with momentum and weight decay, as torch's, at positions `where` (n,).

    What it has used of the gradient is 0 afterwards.
    """
    moved = weights.values[where]
    speed = weights.momentum[where].mul_(momentum).add_(gradient[where]).add_(moved, alpha=decay)
    weights.momentum[where] = speed
    weights.values[where] = moved.sub_(speed, alpha=lr)
    gradient[where] = 0


class Reference:
    """A bound network run by torch, as a `backend.Bound`."""

    def __init__(self, network: Network[int], weights: Weights) -> None:
        self.network, self.weights = network, weights
        self._positions = weights.statistics_positions(network)
        self._learnt_from: Statistics | None = None

    def learn(
        self, images: torch.Tensor, labels: torch.Tensor, gradient: torch.Tensor, momentum: float,
        criterion: Criterion | None = None,
    ) -> tuple[float, int]:  # fmt: skip
        """As `backend.Bound.learn`."""
        self._check(images, labels)
        check_gradient(gradient, self.weights.values)
        count = check_count(len(images) * images.shape[1] * images.shape[2])
        loss, correct, mean, var = loss_and_gradient(
            self.network, self.weights, images, labels, gradient, criterion or F.cross_entropy
        )
        move_statistics(self.weights, self._positions, mean, var, momentum, count)
        self._learnt_from = mean, var
        return loss, correct

    def learnt_from(self) -> Statistics:
        """As `backend.Bound.learnt_from`."""
        if self._learnt_from is None:
            raise UsageError("the network has learnt from no batch yet")
        return self._learnt_from

    @torch.no_grad()
    def score(
        self, images: torch.Tensor, labels: torch.Tensor, statistics: Statistics | None = None, batch: int = 0
    ) -> tuple[_FLOATS, _FLOATS]:
        """As `backend.Bound.score`."""
        self._check(images, labels)
        loss, correct = np.zeros((2, len(self.network.heads)))
        for start in range(0, len(images), batch or CHUNK):
            some, right = (part[start : start + (batch or CHUNK)] for part in (images, labels))
            for head, logits in enumerate(forward(self.network, self.weights, some, statistics).logits):
                loss[head] += float(F.cross_entropy(logits, right, reduction="sum"))
                correct[head] += int((logits.argmax(dim=1) == right).sum())
        return loss / len(images), correct

    @torch.no_grad()
    def statistics(self, images: torch.Tensor) -> Statistics:
        """As `backend.Bound.statistics`."""
        run = forward(self.network, self.weights, images)
        return run.mean, run.var

    @torch.no_grad()
    def logits(self, images: torch.Tensor) -> torch.Tensor:
        """As `backend.Bound.logits`."""
        check_batch(self.weights.macro, self.weights.dtype, images, torch.zeros(len(images), dtype=torch.int64))
        return forward(self.network, self.weights, images).logits

    def _check(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        check_batch(self.weights.macro, self.weights.dtype, images, labels)
        check_labels(self.network, labels)


class _Updater:
    """`update` on ranges (start, size) of the flat vectors."""

    def __init__(self, weights: Weights, ranges: npt.NDArray[np.int64]) -> None:
        self._weights = weights
        self._where = torch.cat([torch.arange(at, at + size) for at, size in ranges.tolist()])

    def update(self, gradient: torch.Tensor, lr: float, momentum: float, decay: float) -> None:
        """As `backend.Updater.update`."""
        check_gradient(gradient, self._weights.values)
        update(self._weights, self._where, gradient, lr, momentum, decay)


class Torch:
    """The reference as a `backend.Backend`."""

    name = "torch"

    def bind(self, network: Network[int], weights: Weights, learns: bool) -> Reference:
        return Reference(network, weights)

    def updater(self, weights: Weights, ranges: npt.NDArray[np.int64]) -> _Updater:
        return _Updater(weights, ranges)

    def description(self, channels: int, dtype: torch.dtype = torch.float32) -> str:
        return f"cpu {processor()}, torch"


TORCH = Torch()
