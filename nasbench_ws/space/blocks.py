"""How cells become a network: the macro presets, and each child as a short list of blocks.

A child is data, not modules: a `Network` of `Block`s (activation, then one convolution or pooling,
then batch norm) and one `Head` (global average pool and a linear classifier). Every primitive layer is
named by a `Slot`; a sharing strategy decides which children use the same weights at a slot.
The same lists are executed by `training/reference.py` (torch) and by `training/compiled.py` (C++).

    child = child_network(SMALL, DEEPER64.architecture("124"))
    parameter_count(child), mac_count(child)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from nasbench_ws.space.cell import Edge

Inputs = tuple[tuple[int, ...], ...]  # groups to concatenate, each of block numbers to sum


class Slot(NamedTuple):
    """Where one primitive layer sits. Slots are equal when they name the same place.

    `cell` is 0 in the stem, 1..L in the cells and L + 1 for the classifier, so `slot.cell <= k` is
    "in the prefix of k cells". `edge` and `operation` are None outside a cell's edges. `layer` counts the
    blocks of one operation (a separable convolution has two) or of the stem.
    """

    cell: int
    part: Literal["stem", "preprocess", "edge", "classifier"]
    edge: Edge | None
    operation: str | None
    layer: int
    kind: Literal["conv", "depthwise", "pointwise", "bn", "linear", "module"]


class Module(NamedTuple):
    """What a network knows of a torch module of a user's own (torch_modules.py), which is on an edge as it is.

    `shapes` are those of its trainable parameters, `statistics` the channels of all its batch norms, `macs` the
    multiply-adds of one image.
    """

    operation: str
    shapes: tuple[tuple[int, ...], ...]
    statistics: int
    macs: int


W = TypeVar("W")  # what a layer's weights are named by: a Slot in a child, a storage number in a bound network
V = TypeVar("V")
IMAGE = -1  # the block number that stands for the input image


@dataclass(frozen=True)
class Block(Generic[W]):
    """ReLU (optional), then pooling 3x3 or depthwise and dense convolution, then batch norm. Stride 1.

    `inputs` are concatenated along the channels; each is a tuple of earlier block numbers, summed: one that is there
    twice counts twice, and the sum of none is zeros. `kernel` 0 means no depthwise convolution, `conv_kernel` 0 no
    dense one, `groups` divides the dense one's channels; padding keeps height and width (average pooling leaves it
    out). A block of a `module` is that alone, and `bn` names its parameters and its batch norms' statistics.
    """

    inputs: Inputs
    in_channels: int
    out_channels: int
    height: int
    width: int
    bn: W
    affine: bool
    relu: bool = False
    pool: Literal["", "max", "average"] = ""
    depthwise: W | None = None
    kernel: int = 0
    dilation: int = 1
    conv: W | None = None
    conv_kernel: int = 0
    groups: int = 1
    module: Module | None = None

    @property
    def statistics(self) -> int:
        """Channels whose mean and variance it keeps."""
        return self.out_channels if self.module is None else self.module.statistics

    def layers(self) -> Iterator[tuple[W, tuple[tuple[int, ...], ...]]]:
        """Each layer that has a slot, with the shapes of its parameters (none for a plain batch norm)."""
        if self.module is not None:
            yield self.bn, self.module.shapes
            return
        if self.depthwise is not None:
            yield self.depthwise, ((self.in_channels, self.kernel, self.kernel),)
        if self.conv is not None:
            inside = self.in_channels // self.groups
            yield self.conv, ((self.out_channels, inside, self.conv_kernel, self.conv_kernel),)
        yield self.bn, ((self.out_channels,), (self.out_channels,)) if self.affine else ()

    def renamed(self, inputs: Inputs, name: Callable[[W], V]) -> Block[V]:
        """The same block with other input numbers, and its layers named by `name`."""
        new: Any = replace(
            self,
            inputs=inputs,
            bn=name(self.bn),  # type: ignore[arg-type]
            depthwise=None if self.depthwise is None else name(self.depthwise),  # type: ignore[arg-type]
            conv=None if self.conv is None else name(self.conv),  # type: ignore[arg-type]
        )
        return new  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Head(Generic[W]):
    """Global average pool over the concatenated inputs, then a linear classifier with a bias."""

    inputs: Inputs
    channels: int
    height: int
    width: int
    classes: int
    linear: W

    def layers(self) -> Iterator[tuple[W, tuple[tuple[int, ...], ...]]]:
        yield self.linear, ((self.classes, self.channels), (self.classes,))


@dataclass(frozen=True)
class Network(Generic[W]):
    """Blocks in an order in which they can run, and one head for each child.

    A network without blocks is that of a child whose output does not depend on the image: its head reads zeros.
    """

    blocks: tuple[Block[W], ...]
    heads: tuple[Head[W], ...]

    def layers(self) -> Iterator[tuple[W, tuple[tuple[int, ...], ...]]]:
        """Each layer in order, with the shapes of its parameters."""
        for block in self.blocks:
            yield from block.layers()
        for head in self.heads:
            yield from head.layers()

    def lifetimes(self) -> tuple[list[int], list[int]]:
        """When results may be dropped: (the block after which each block's result is read no more,
        the block right after which each head runs, -1: before all). Heads run in order, as soon as their inputs are
        there.
        """
        runs_after: list[int] = []
        for head in self.heads:
            runs_after.append(max([-1, *runs_after[-1:], *(term for group in head.inputs for term in group)]))
        last = list(range(len(self.blocks)))
        readers = [(i, block.inputs) for i, block in enumerate(self.blocks)]
        readers += [(when, head.inputs) for when, head in zip(runs_after, self.heads, strict=True)]
        for when, inputs in readers:
            for term in (term for group in inputs for term in group if term != IMAGE):
                last[term] = max(last[term], when)
        return last, runs_after


def read_blocks(network: Network[W]) -> Network[W]:
    """The network without the blocks from which no path leads to a head."""
    needed: set[int] = {term for head in network.heads for group in head.inputs for term in group}
    for number in reversed(range(len(network.blocks))):
        if number in needed:
            needed.update(term for group in network.blocks[number].inputs for term in group)
    kept = sorted(needed - {IMAGE})
    if len(kept) == len(network.blocks):
        return network
    at = {old: new for new, old in enumerate(kept)} | {IMAGE: IMAGE}

    def moved(inputs: Inputs) -> Inputs:
        return tuple(tuple(at[term] for term in group) for group in inputs)

    blocks = tuple(replace(network.blocks[old], inputs=moved(network.blocks[old].inputs)) for old in kept)
    return Network(blocks, tuple(replace(head, inputs=moved(head.inputs)) for head in network.heads))


def merged(networks: Sequence[Network[W]], name: Callable[[int, W], int]) -> Network[int]:
    """One network that computes all the given ones, each distinct block once, one head for each.

    `name(i, layer)` is the number of the storage that network i uses at that layer. Two blocks are the
    same where they have the same storages and the same inputs; since batch norm depends on nothing but
    its block's input and the storage, this is exact under every way of normalising.
    """
    numbers: dict[Block[int], int] = {}
    heads: list[Head[int]] = []
    for i, network in enumerate(networks):
        at: dict[int, int] = {IMAGE: IMAGE}

        def moved(inputs: Inputs, at: dict[int, int] = at) -> Inputs:
            return tuple(tuple(at[term] for term in group) for group in inputs)

        for number, block in enumerate(network.blocks):
            bound = block.renamed(moved(block.inputs), lambda layer, i=i: name(i, layer))  # type: ignore[misc]
            at[number] = numbers.setdefault(bound, len(numbers))
        head: Any = replace(network.heads[0], inputs=moved(network.heads[0].inputs))
        heads.append(replace(head, linear=name(i, network.heads[0].linear)))
    return Network(tuple(numbers), tuple(heads))
