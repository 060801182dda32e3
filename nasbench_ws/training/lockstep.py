"""Many standalone runs in one program, step by step together: what a GPU, where every call costs, needs.

Each run has its own weights, batches and statistics, as alone; an operation is called once for all the runs that
have it at that place, their channels side by side: (B, runs * C, H, W). So the number of calls does not grow with
the runs. In float64 the results are those of `train_run`. Images stay on the device as bytes; a step sends it
the place of each crop. Not here: which runs, and their files (training/building/builder.py).

    records = train_together(recipe, [(arch, 0) for arch in DEEPER64], images, device="cuda")     # RunRecords

On a CUDA device a step is captured as a graph after the first few, and replayed from then on: its thousand calls are
one. On a CPU the compiled kernels are several times faster, one run at a time: there this is for tests.
"""

from __future__ import annotations

import importlib.util
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from nasbench_ws.errors import UsageError
from nasbench_ws.images.dataset import Images
from nasbench_ws.recipe import Recipe
from nasbench_ws.sharing.keys import none
from nasbench_ws.space.blocks import IMAGE, Block, Inputs, Slot
from nasbench_ws.space.cell import Architecture
from nasbench_ws.space.child import child_network
from nasbench_ws.space.macro import Macro
from nasbench_ws.training.batches import Augmentation, Crops, affine, draws
from nasbench_ws.training.loop import children_seed
from nasbench_ws.training.reference import pooled
from nasbench_ws.training.weights import Weights

SCORED_BYTES = 2**26  # of one block's results while scoring, all runs together
EAGER_STEPS = 3  # before a step is captured: libraries choose their algorithms and take their memory in the first ones
TRITON = importlib.util.find_spec("triton") is not None  # torch for CUDA brings it
_DEPTH = {"stem": 0, "preprocess": 1, "edge": 2}  # order of a cell's parts


@dataclass(frozen=True)
class _Term:
    """What readers take from blocks: the joined results of `slots` at `positions` (None: as they lie).

    Where some of the runs have fewer terms, `gaps` says that zeros stand behind the joined results, for them to take.
    """

    slots: tuple[Slot, ...]  # empty: the images
    positions: Tensor | None
    gaps: bool = False


@dataclass(frozen=True)
class Place:
    """One block of the macro, and the runs that have it, side by side. Parameters are (runs, *shape)."""

    block: Block[Slot]
    runs: list[int]
    inputs: list[list[_Term]]  # by group and term
    parameters: dict[Slot, list[Tensor]]
    mean: Tensor  # running, (runs * C,)
    var: Tensor


class Lockstep:
    """Standalone children, a run for each (child, seed), on one device."""

    def __init__(
        self, recipe: Recipe, macro: Macro, runs: Sequence[tuple[Architecture, int]], device: str | torch.device,
        dtype: torch.dtype = torch.float32,
    ) -> None:  # fmt: skip
        self.recipe, self.macro, self.runs = recipe, macro, list(runs)
        self.device, self.dtype = torch.device(device), dtype
        self._networks = [child_network(macro, arch) for arch, _ in runs]
        own = {block.module.operation for network in self._networks for block in network.blocks if block.module}
        if own:
            raise UsageError(
                f"the operation {min(own)} is a torch module, which does not run many networks at a time; leave "
                "--lockstep, and use --workers"
            )
        self._members: dict[Slot, list[int]] = {}
        blocks: dict[Slot, Block[Slot]] = {}
        for run, network in enumerate(self._networks):
            for block in network.blocks:
                blocks.setdefault(block.bn, block)
                self._members.setdefault(block.bn, []).append(run)
        every = [Weights(macro, [arch], none, seed, dtype) for arch, seed in runs]
        self._values = torch.empty(sum(len(weights.values) for weights in every), dtype=dtype, device=device)
        self._momentum = torch.zeros_like(self._values)
        self.parameters: list[Tensor] = []  # views of the values, one behind the other

        def stacked(slot: Slot, members: Sequence[int]) -> list[Tensor]:
            views = [every[run].views(every[run].values, every[run].number(0, slot)) for run in members]
            tensors = []
            for same in zip(*views, strict=True):
                initial = torch.stack(same)
                at = sum(parameter.numel() for parameter in self.parameters)
                place = self._values[at : at + initial.numel()].view_as(initial).copy_(initial)
                tensors.append(place.detach().requires_grad_())
                self.parameters.append(tensors[-1])
            return tensors

        self.places: dict[Slot, Place] = {}
        for slot in sorted(blocks, key=_order):
            members, channels = self._members[slot], len(self._members[slot]) * blocks[slot].out_channels
            self.places[slot] = Place(
                blocks[slot],
                members,
                self._terms(members, lambda run, slot=slot: self._block_of(run, slot).inputs),  # type: ignore[misc]
                {layer: stacked(layer, members) for layer, _ in blocks[slot].layers()},
                torch.zeros(channels, dtype=dtype, device=device),
                torch.ones(channels, dtype=dtype, device=device),
            )
        every_run = range(len(runs))
        self._outputs = self._terms(every_run, lambda run: self._networks[run].heads[0].inputs)
        self._classifier = stacked(self._networks[0].heads[0].linear, every_run)
        self._lr = torch.zeros((), dtype=dtype, device=device)
        self._step = _Captured(self._update) if self.device.type == "cuda" else self._update

    def _block_of(self, run: int, slot: Slot) -> Block[Slot]:
        return next(block for block in self._networks[run].blocks if block.bn == slot)

    def _terms(self, readers: Sequence[int], inputs: Callable[[int], Inputs]) -> list[list[_Term]]:
        by_run = [inputs(run) for run in readers]
        groups = zip(*by_run, strict=True)  # each run's terms of the first group, then of the next
        return [
            [self._term(readers, numbers) for numbers in itertools.zip_longest(*group)]
            for group in groups
        ]

    def _term(self, readers: Sequence[int], numbers: Sequence[int | None]) -> _Term:
        """The blocks that runs read, by their numbers in each run's network; None where a run reads no more."""
        if numbers[0] == IMAGE:
            every = len(readers) == len(self.runs)  # a child without blocks reads no image
            return _Term((), None if every else torch.tensor(list(readers), device=self.device))
        read = [
            None if number is None else (self._networks[run].blocks[number].bn, run)
            for run, number in zip(readers, numbers, strict=True)
        ]
        slots = tuple(sorted({one[0] for one in read if one is not None}, key=_order))
        joined = [(slot, run) for slot in slots for run in self._members[slot]]
        where: dict[tuple[Slot, int] | None, int] = {key: place for place, key in enumerate(joined)}
        positions = [where.get(key, len(joined)) for key in read]
        if positions == list(range(len(joined))):
            return _Term(slots, None)
        return _Term(slots, torch.tensor(positions, device=self.device), None in read)

    def logits(self, images: Tensor, training: bool) -> Tensor:
        """Each run's own images (B, runs, C, H, W) -> (B, runs, classes). In training, statistics move."""
        done: dict[Slot, Tensor] = {}  # (B, members, C, H, W)
        joined: dict[tuple[Slot, ...], Tensor] = {}

        def taken(term: _Term) -> Tensor:
            if not term.slots:
                return images if term.positions is None else images.index_select(1, term.positions)
            if len(term.slots) > 1 and term.slots not in joined:
                joined[term.slots] = torch.cat([done[slot] for slot in term.slots], dim=1)
            whole = done[term.slots[0]] if len(term.slots) == 1 else joined[term.slots]
            if term.gaps:
                whole = torch.cat([whole, torch.zeros_like(whole[:, :1])], dim=1)
            return whole if term.positions is None else whole.index_select(1, term.positions)

        def value(groups: list[list[_Term]], readers: int) -> Tensor:
            sums = []
            for group in groups:
                terms = list(map(taken, group))
                if not terms:  # nothing is read by any of the runs
                    count, _, _, *size = images.shape
                    terms = [images.new_zeros(count, readers, self.macro.channels, *size)]
                total = terms[0]
                for term in terms[1:]:
                    total = total + term
                sums.append(total)
            return sums[0] if len(sums) == 1 else torch.cat(sums, dim=2)

        for slot, place in self.places.items():
            done[slot] = _run_block(place, value(place.inputs, len(place.runs)), training, self.macro)
        means = value(self._outputs, len(self.runs)).mean(dim=(3, 4))  # (B, runs, C)
        weight, bias = self._classifier  # (runs, classes, C), (runs, classes)
        return torch.einsum("brc,rkc->brk", means, weight) + bias

    def step(self, images: Tensor, labels: Tensor, lr: float) -> tuple[Tensor, Tensor]:
        """One update of every run: images (B, runs, C, H, W), labels (B, runs). Mean loss and accuracy, (runs,)."""
        self._lr.fill_(lr)
        return self._step(images, labels)

    def _update(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.logits(images, training=True)
        loss = _cross_entropy(logits, labels).mean(dim=0)
        gradients = torch.autograd.grad(loss.sum(), self.parameters)  # a run's come from its own loss alone
        with torch.no_grad():  # stochastic gradient descent as torch's, of all parameters at once
            gradient = torch.cat([one.flatten() for one in gradients])
            gradient.add_(self._values, alpha=self.recipe.weight_decay)
            self._values.sub_(self._momentum.mul_(self.recipe.momentum).add_(gradient) * self._lr)
            return loss.detach(), (logits.argmax(dim=2) == labels).to(self.dtype).mean(dim=0)

    @torch.no_grad()
    def score(self, pixels: Tensor, labels: Tensor, scale: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
        """Mean loss and accuracy of every run on (N, H, W, C) bytes, with running statistics; (runs,) float64."""
        runs = len(self.runs)
        each = runs * self.macro.channels * pixels[0, ..., 0].numel() * self.dtype.itemsize
        loss = torch.zeros(runs, dtype=torch.float64, device=self.device)
        correct = torch.zeros_like(loss)
        parts = (torch.split(x, max(1, SCORED_BYTES // each)) for x in (pixels, labels))
        for part, right in zip(*parts, strict=True):
            images = _numbers(part, scale, offset).permute(0, 3, 1, 2).unsqueeze(1)  # (b, 1, C, H, W)
            logits = self.logits(images.expand(-1, runs, -1, -1, -1).contiguous(), training=False)
            right = right[:, None].expand(-1, runs)
            loss += _cross_entropy(logits.double(), right).sum(dim=0)
            correct += (logits.argmax(dim=2) == right).sum(dim=0)
        loss, accuracy = loss / len(pixels), correct / len(pixels)
        return loss, torch.where(torch.isfinite(loss), accuracy, math.nan)


class _Captured:
    """A function of tensors on a CUDA device, called as it is at first, and then as a graph of its calls.

    Shapes stay as they are. What it returns holds until the next call.
    """

    def __init__(self, function: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> None:
        self._function, self._calls = function, 0
        self._given: tuple[Tensor, Tensor]
        self._made: tuple[Tensor, Tensor]
        self._graph: torch.cuda.CUDAGraph

    def __call__(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        self._calls += 1
        if self._calls <= EAGER_STEPS:
            return self._aside(images, labels)
        if self._calls == EAGER_STEPS + 1:
            self._given, self._graph = (images.clone(), labels.clone()), torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph):  # records, and computes nothing
                self._made = self._function(*self._given)
        for here, given in zip(self._given, (images, labels), strict=True):
            here.copy_(given)
        self._graph.replay()
        return self._made

    def _aside(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """On a stream of its own, as a graph is captured."""
        stream = torch.cuda.Stream(images.device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(images.device))
        with torch.cuda.stream(stream):
            made = self._function(images, labels)
        torch.cuda.current_stream(images.device).wait_stream(stream)
        return made


def _order(slot: Slot) -> tuple[int, int, int, int, int, str]:
    """A block comes after all that it reads, in whichever child: a node's edges end where the next ones begin."""
    source, target = slot.edge or (0, 0)
    return slot.cell, _DEPTH[slot.part], target, source, slot.layer, slot.operation or ""


def _run_block(place: Place, x: Tensor, training: bool, macro: Macro) -> Tensor:
    """(B, runs, Cin, H, W) -> (B, runs, Cout, H, W); as training/reference.py's, for several runs."""
    block, (count, runs, channels, height, width) = place.block, x.shape
    if block.relu:
        x = F.relu(x)
    x = x.flatten(1, 2)  # (B, runs * C, H, W)
    if block.pool:
        x = pooled(block.pool, x)
    if block.depthwise is not None:
        (weight,) = place.parameters[block.depthwise]
        x = _depthwise(x, weight.flatten(0, 1).unsqueeze(1), block.dilation)
    if block.conv is not None:
        (weight,) = place.parameters[block.conv]
        if block.conv_kernel == 1 and block.groups == 1:  # (runs, O, C) @ (B, runs, C, H * W)
            x = torch.matmul(weight.flatten(2), x.view(count, runs, channels, -1))
        else:
            x = F.conv2d(x, weight.flatten(0, 1), padding=block.conv_kernel // 2, groups=runs * block.groups)
    x = x.reshape(count, runs * block.out_channels, height, width)
    scale, shift = (p.flatten() for p in place.parameters[block.bn]) if block.affine else (None, None)
    x = F.batch_norm(x, place.mean, place.var, scale, shift, training, macro.bn_momentum, macro.bn_eps)
    return x.view(count, runs, block.out_channels, height, width)


def _depthwise(x: Tensor, weight: Tensor, dilation: int) -> Tensor:
    if x.is_cuda and TRITON:
        from nasbench_ws.training.depthwise import depthwise

        return depthwise(x, weight, dilation)
    reach = (weight.shape[-1] - 1) * dilation // 2
    return F.conv2d(x, weight, padding=reach, dilation=dilation, groups=x.shape[1])


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """(B, runs, classes), (B, runs) -> (B, runs)."""
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view(labels.shape)


def _numbers(pixels: Tensor, scale: Tensor, offset: Tensor) -> Tensor:
    """Bytes (..., H, W, C) as the normalised numbers that `augment` makes of them."""
    return (pixels.to(scale.dtype).flatten(-3) * scale + offset).view(pixels.shape)


class Feed:
    """The batches of every run: drawn here, cut and normalised on the device, where the images are, as bytes."""

    def __init__(self, images: Images, recipe: Recipe, runs: Sequence[tuple[Architecture, int]], net: Lockstep) -> None:
        train = images.subset(recipe.train_images).train
        crops, device = Crops(train, recipe.shift), net.device
        self._shape, self._device = crops.shape, device
        self._bytes = torch.from_numpy(crops.padded).to(device)
        height, width, channels = crops.shape
        rows = torch.arange(height, device=device)[:, None] * crops.row
        inside = torch.arange(width * channels, device=device)
        self._offsets = rows + inside, rows + torch.from_numpy(crops.mirror.copy()).to(device)  # plain, mirrored
        self.scale, self.offset = (x.to(device) for x in affine(crops.shape, images.mean, images.std, net.dtype))
        self._size = recipe.batch_size
        augmentation = Augmentation(recipe.flip, recipe.shift)
        self._draws = [
            draws(
                train, crops, recipe.batch_size, augmentation,
                children_seed("order", [arch], seed), children_seed("augment", [arch], seed),
            )
            for arch, seed in runs
        ]  # fmt: skip

    def __next__(self) -> tuple[Tensor, Tensor]:
        """Images (B, runs, C, H, W) and labels (B, runs)."""
        drawn = np.empty((3, len(self._draws), self._size), dtype=np.int64)
        for run, stream in enumerate(self._draws):
            whole, mirrored, start, right = next(stream)
            drawn[0, run] = whole[start : start + self._size]
            drawn[1, run] = mirrored[start : start + self._size]
            drawn[2, run] = right
        sent = torch.from_numpy(drawn)
        if self._device.type == "cuda":  # the next batch is drawn while this one is computed
            sent = sent.pin_memory().to(self._device, non_blocking=True)
        first, flip, labels = sent.transpose(1, 2)  # (B, runs)
        at, mirror = first[..., None, None], flip[..., None, None] != 0
        pixels = self._bytes[at + torch.where(mirror, self._offsets[1], self._offsets[0])]  # (B, runs, H, W * C)
        numbers = _numbers(pixels.view(*pixels.shape[:2], *self._shape), self.scale, self.offset)
        return numbers.permute(0, 1, 4, 2, 3), labels
