"""Super-nets and children as `torch.nn.Module`: for training loops, optimizers and devices of your own.

    net = SuperNetModule.of("edge:0->1", recipe, images, seed=0)     # or SuperNetModule(weights)
    logits = net(pixels, child=5)              # (B, C, H, W) normalised -> (B, classes); every child has a number
    child = net.child(5)                       # a module that shares its layers with the super-net
    net.store(weights)                         # back into the suite's weights, to be scored by its kernels

Each storage of the weights is one ordinary module (Conv2d, BatchNorm2d, Linear) in `net.layers`, whoever shares it, so
`state_dict`, `parameters`, hooks, `to(device)` and `train`/`eval` are torch's own. It computes what the compiled
kernels compute. Not here: training (loop.py), and scoring all children at once (scoring.py).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, Sampler, SequentialSampler, TensorDataset

from nasbench_ws.errors import UsageError
from nasbench_ws.images.dataset import Images
from nasbench_ws.recipe import Recipe
from nasbench_ws.sharing.keys import none
from nasbench_ws.sharing.strategies import adopt, name_of, of_instance, resolve
from nasbench_ws.space.blocks import Block, Head, Network
from nasbench_ws.space.cell import Architecture
from nasbench_ws.space.macro import Macro, macro_for
from nasbench_ws.space.registry import get_space
from nasbench_ws.space.torch_modules import norms, trainable
from nasbench_ws.training.batches import normalised
from nasbench_ws.training.reference import pooled, run_blocks
from nasbench_ws.training.weights import Storage, Weights


class ChildModule(nn.Module):
    """One child. `layers` may be another module's: then both train the same parameters.

    Args:
        network: the child's blocks, over numbers of storages.
        layers: the module of each storage, by its number.
        names: how each is called in the `state_dict`, by the same number.
    """

    def __init__(self, network: Network[int], layers: Sequence[nn.Module], names: Sequence[str]) -> None:
        super().__init__()
        used = sorted({number for number, _ in network.layers()})
        self._network, self._names = network, {number: names[number] for number in used}
        self.layers = nn.ModuleDict({names[number]: layers[number] for number in used})

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (B, C, H, W) -> logits (B, classes)."""

        def layer(number: int) -> nn.Module:
            return self.layers[self._names[number]]

        def block(block: Block[int], x: Tensor) -> Tensor:
            if block.module is not None:  # which may write to what it is given
                made: Tensor = layer(block.bn)(x.clone(memory_format=torch.contiguous_format))
                return made
            if block.relu:
                x = F.relu(x)
            if block.pool:
                x = pooled(block.pool, x)
            for number in (block.depthwise, block.conv, block.bn):
                if number is not None:
                    x = layer(number)(x)
            return x

        def head(head: Head[int], x: Tensor) -> Tensor:
            logits: Tensor = layer(head.linear)(x.mean(dim=(2, 3)))
            return logits

        return run_blocks(self._network, images, block, head)[0]


class SuperNetModule(nn.Module):
    """All children of some weights, sharing what the weights share; a copy of their values to begin with."""

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        self.macro, self.architectures = weights.macro, weights.children
        self._storages = tuple(weights.storages)
        self._networks = [weights.network([number]) for number in range(len(weights.children))]
        # What a storage does not say of its convolution, by its number: dilation of a depthwise, groups of a dense one.
        blocks = [block for network in self._networks for block in network.blocks]
        says = {block.conv: block.groups for block in blocks} | {block.depthwise: block.dilation for block in blocks}
        self._layers = [
            _own(weights.modules[number], weights.macro)
            if number in weights.modules
            else _layer(storage, weights.macro, says.get(number, 1)).to(weights.dtype)
            for number, storage in enumerate(self._storages)
        ]
        self._names = _names(self._storages)
        self.layers = nn.ModuleDict(dict(zip(self._names, self._layers, strict=True)))
        self._made: dict[int, ChildModule] = {}  # children asked for; their layers are those above
        self.load(weights)

    @classmethod
    def of(
        cls, strategy: Any, recipe: Recipe, images: Images, seed: int = 0, dtype: torch.dtype = torch.float32
    ) -> SuperNetModule:
        """Every child of the recipe's space, sharing as a strategy says (`full`, `edge:0->1`, `my.py:Mine`, an object).

        The values are those with which the suite's own super-net of that seed begins. Of a strategy that shares less
        with time, this is how it begins.

        Args:
            strategy: a name, an object or a class, as `evaluate` takes it.
            recipe: its space and macro network count here.
            images: whose size and classes the network has.
            seed: of the values, and of random groups.
            dtype: of the parameters.
        """
        space, macro = get_space(recipe.space), macro_for(recipe, images)
        if isinstance(strategy, str):
            made = resolve(of_instance(strategy, seed), space, macro)
        else:
            made = adopt(name_of(strategy), strategy, space, macro)
        return cls(Weights(macro, list(space), made.key, seed, dtype))

    def child(self, number: int) -> ChildModule:
        """One child as a module of its own: its layers are this super-net's, under the same names."""
        if not 0 <= number < len(self._networks):
            raise UsageError(f"child number {number}: this super-net has children 0 to {len(self._networks) - 1}")
        if number not in self._made:
            self._made[number] = ChildModule(self._networks[number], self._layers, self._names)
        return self._made[number]

    def forward(self, images: Tensor, child: int = 0) -> Tensor:
        """Normalised images (B, C, H, W) -> logits (B, classes) of one child, by its number.

        Args:
            images: (B, C, H, W).
            child: its number in the space.
        """
        logits: Tensor = self.child(child)(images)
        return logits

    @torch.no_grad()
    def load(self, weights: Weights) -> None:
        """Take values and running statistics of weights that are shared alike. UsageError where they are not."""
        for mine, theirs in self._pairs(weights):
            mine.copy_(theirs)

    @torch.no_grad()
    def store(self, weights: Weights) -> None:
        """Give values and running statistics to weights that are shared alike, such as `SuperNet(...).weights`."""
        for mine, theirs in self._pairs(weights):
            theirs.copy_(mine)

    def _pairs(self, weights: Weights) -> list[tuple[Tensor, Tensor]]:
        """Each parameter and statistic of this module, beside its view in the weights, in one shape."""
        if tuple(weights.storages) != self._storages:
            raise UsageError(
                f"weights of {len(weights.storages)} storages, {weights.values.numel()} numbers, for a module of "
                f"{len(self._storages)}, {sum(s.size for s in self._storages)}: they are of another macro, of other "
                "children, or shared otherwise"
            )
        pairs: list[tuple[Tensor, Tensor]] = []
        for number, (storage, layer) in enumerate(zip(self._storages, self._layers, strict=True)):
            views = weights.views(weights.values, number)
            pairs += [(p, view.view(p.shape)) for p, view in zip(trainable(layer).values(), views, strict=True)]
            at = storage.stats_offset
            for norm in norms(layer).values():
                pairs.append((norm.running_mean, weights.running_mean[at : at + norm.num_features]))
                pairs.append((norm.running_var, weights.running_var[at : at + norm.num_features]))
                at += norm.num_features
        return pairs


def child_module(macro: Macro, arch: Architecture, seed: int = 0, dtype: torch.dtype = torch.float32) -> ChildModule:
    """A child alone, with the values from which the suite trains it standalone with that seed.

    Args:
        macro: the network around a cell.
        arch: the child.
        seed: of the values.
        dtype: of the parameters.
    """
    return SuperNetModule(Weights(macro, [arch], none, seed, dtype)).child(0)


def tensors(images: Images, split: str, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """A split as a module takes it: normalised pixels (N, C, H, W), channels last in memory, and labels (N,).

    Args:
        images: a data set.
        split: "train", "valid" or "test".
        dtype: of the pixels.
    """
    part = images.splits[split] if split in images.splits else getattr(images, split)
    pixels = normalised(part.pixels, images.mean, images.std, dtype)  # (N, H, W, C)
    return pixels.permute(0, 3, 1, 2), torch.from_numpy(part.labels)


def loader(
    images: Images, split: str, batch_size: int, *, shuffle: bool = False, seed: int = 0
) -> DataLoader[tuple[Tensor, ...]]:
    """A split as torch's `DataLoader`, of batches as `tensors` gives them; the last may be smaller.

    Args:
        images: a data set.
        split: "train", "valid" or "test".
        batch_size: images a batch.
        shuffle: another order in each pass, drawn from the seed.
        seed: of the order.
    """
    if batch_size < 1:
        raise UsageError(f"batch_size is {batch_size}; it must be at least 1")
    whole = TensorDataset(*tensors(images, split))
    order: Sampler[int] = SequentialSampler(whole)
    if shuffle:
        order = RandomSampler(whole, generator=torch.Generator().manual_seed(seed))
    batches = BatchSampler(order, batch_size, drop_last=False)  # a batch is one look-up, not one an image
    return DataLoader(whole, batch_size=None, sampler=batches)


def _own(module: nn.Module, macro: Macro) -> nn.Module:
    """A module of a user's own as one to train here: its batch norms keep their statistics themselves."""
    mine = copy.deepcopy(module)
    for norm in norms(mine).values():
        norm.momentum = macro.bn_momentum
    return mine


def _layer(storage: Storage, macro: Macro, how: int) -> nn.Module:
    """The module of a storage, values aside; `how` is a depthwise convolution's dilation, a dense one's groups."""
    kind = storage.slot.kind
    if kind == "bn":
        channels, affine = storage.channels, bool(storage.size)
        return nn.BatchNorm2d(channels, eps=macro.bn_eps, momentum=macro.bn_momentum, affine=affine)
    shape = storage.shapes[0]
    if kind == "linear":
        return nn.Linear(shape[1], shape[0])
    if kind == "depthwise":
        channels, kernel, _ = shape
        reach = (kernel - 1) * how // 2
        return nn.Conv2d(channels, channels, kernel, 1, reach, how, groups=channels, bias=False)
    outputs, inputs, kernel, _ = shape
    return nn.Conv2d(inputs * how, outputs, kernel, padding=kernel // 2, groups=how, bias=False)


def _names(storages: Sequence[Storage]) -> list[str]:
    """Of each storage: its slot, and a number where children do not share it, as `cell1_0to2_sep_conv_3x3_0_bn_3`."""
    copies: dict[object, int] = {}
    names = []
    for storage in storages:
        slot = storage.slot
        copies[slot] = copies.get(slot, -1) + 1
        place = slot.part if slot.edge is None else f"{slot.edge[0]}to{slot.edge[1]}_{slot.operation}"
        names.append(f"cell{slot.cell}_{place}_{slot.layer}_{slot.kind}_{copies[slot]}")
    return names
