"""How cells become a network: the macro presets, and each child as a short list of blocks.

A child is data, not modules: a `Network` of `Block`s (activation, then one convolution or pooling,
then batch norm) and one `Head` (global average pool and a linear classifier). Every primitive layer is
named by a `Slot`; a sharing strategy decides which children use the same weights at a slot.
The same lists are executed by `plain` (torch, the reference) and by `engine` (C++).

    child = child_network(SMALL, DEEPER64.architecture("124"))
    parameter_count(child), mac_count(child)

No torch here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from functools import lru_cache
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from nasbench_ws.errors import UsageError, near_misses
from nasbench_ws.space import Architecture, Edge

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
    kind: Literal["conv", "depthwise", "pointwise", "bn", "linear"]


W = TypeVar("W")  # what a layer's weights are named by: a Slot in a child, a storage number in a bound network
V = TypeVar("V")
IMAGE = -1  # the block number that stands for the input image


@dataclass(frozen=True)
class Block(Generic[W]):
    """ReLU (optional), then max pool 3x3 or depthwise and dense convolution, then batch norm. Stride 1.

    `inputs` are concatenated along the channels; each is a tuple of earlier block numbers, summed.
    `kernel` 0 means no depthwise convolution, `conv_kernel` 0 no dense one; padding keeps height and width.
    """

    inputs: Inputs
    in_channels: int
    out_channels: int
    height: int
    width: int
    bn: W
    affine: bool
    relu: bool = False
    pool: bool = False
    depthwise: W | None = None
    kernel: int = 0
    dilation: int = 1
    conv: W | None = None
    conv_kernel: int = 0

    def layers(self) -> Iterator[tuple[W, tuple[tuple[int, ...], ...]]]:
        """Each layer that has a slot, with the shapes of its parameters (none for a plain batch norm)."""
        if self.depthwise is not None:
            yield self.depthwise, ((self.in_channels, self.kernel, self.kernel),)
        if self.conv is not None:
            yield self.conv, ((self.out_channels, self.in_channels, self.conv_kernel, self.conv_kernel),)
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
    """Blocks in an order in which they can run, and one head for each child."""

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
        the block right after which each head runs). Heads run in order, as soon as their inputs are there.
        """
        runs_after: list[int] = []
        for head in self.heads:
            runs_after.append(max([*runs_after[-1:], *(term for group in head.inputs for term in group)]))
        last = list(range(len(self.blocks)))
        readers = [(i, block.inputs) for i, block in enumerate(self.blocks)]
        readers += [(when, head.inputs) for when, head in zip(runs_after, self.heads, strict=True)]
        for when, inputs in readers:
            for term in (term for group in inputs for term in group if term != IMAGE):
                last[term] = max(last[term], when)
        return last, runs_after


@dataclass(frozen=True)
class Macro:
    """How cells become a network (paper, section 3; the code's choices are the defaults)."""

    name: str
    stem: tuple[int, ...]  # channels of each stem convolution 3x3, each followed by an affine batch norm
    channels: int  # of each node in a cell
    cells: int
    height: int
    width: int
    image_channels: int
    classes: int = 10
    output: Literal["concat", "sum"] = "concat"  # of the nodes of a cell; the paper's text sums
    dilated_kernel: int = 5  # of dil_conv_5x5; the paper's text says 3
    bn_momentum: float = 0.4  # weight of the newest batch in the running statistics (paper)
    bn_eps: float = 1e-5

    def __post_init__(self) -> None:
        if self.output not in ("concat", "sum"):
            raise UsageError(f"macro output is {self.output!r}; allowed are 'concat' and 'sum'")
        if self.dilated_kernel not in (3, 5):
            raise UsageError(f"dilated_kernel is {self.dilated_kernel}; allowed are 3 and 5")
        for field in ("channels", "cells", "height", "width", "image_channels", "classes"):
            if getattr(self, field) < 1:
                raise UsageError(f"macro {field} is {getattr(self, field)}; it must be at least 1")
        if not self.stem:
            raise UsageError("the stem has no convolution; give at least one number of channels")


PAPER = Macro("paper", stem=(48, 48), channels=16, cells=4, height=32, width=32, image_channels=3)
SMALL = Macro("small", stem=(8,), channels=8, cells=3, height=14, width=14, image_channels=1)
MACROS = {macro.name: macro for macro in (PAPER, SMALL)}


def get_macro(name: str) -> Macro:
    """The preset of that name. UsageError lists the known ones."""
    try:
        return MACROS[name]
    except KeyError:
        known = ", ".join(sorted(MACROS))
        raise UsageError(f"unknown macro {name!r}{near_misses(name, MACROS)}; known are {known}") from None


# Each operation as its blocks: (kernel, dilation), or None for max pooling. All of stride 1.
_SEPARABLE_3 = ((3, 1), (3, 1))
_SEPARABLE_5 = ((5, 1), (5, 1))
OPERATIONS: dict[str, tuple[tuple[int, int] | None, ...]] = {
    "max_pool_3x3": (None,),
    "sep_conv_3x3": _SEPARABLE_3,
    "sep_conv_5x5": _SEPARABLE_5,
    "dil_conv_5x5": ((5, 2),),
}


@lru_cache(maxsize=65536)
def child_network(macro: Macro, arch: Architecture) -> Network[Slot]:
    """One child as blocks. UsageError where the space has an operation that no network knows."""
    blocks: list[Block[Slot]] = []

    def add(block: Block[Slot]) -> int:
        blocks.append(block)
        return len(blocks) - 1

    size = (macro.height, macro.width)
    value: Inputs = ((IMAGE,),)
    channels = macro.image_channels
    for layer, width in enumerate(macro.stem):
        conv, bn = Slot(0, "stem", None, None, layer, "conv"), Slot(0, "stem", None, None, layer, "bn")
        stem = Block(value, channels, width, *size, bn=bn, affine=True, conv=conv, conv_kernel=3)
        value, channels = ((add(stem),),), width

    def unit(where: Slot, value: Inputs, cin: int, kernel: int, dilation: int) -> int:
        """ReLU, depthwise convolution (kernel > 0), pointwise convolution, batch norm."""
        return add(
            Block(
                value, cin, macro.channels, *size, bn=where._replace(kind="bn"), affine=False, relu=True,
                depthwise=where._replace(kind="depthwise") if kernel else None, kernel=kernel, dilation=dilation,
                conv=where._replace(kind="pointwise"), conv_kernel=1,
            )
        )  # fmt: skip

    for cell in range(1, macro.cells + 1):
        pre = unit(Slot(cell, "preprocess", None, None, 0, "pointwise"), value, channels, 0, 1)
        nodes: list[tuple[int, ...]] = [(pre,)]  # each node as the blocks that are summed into it
        for target in range(1, arch.space.nodes + 1):
            terms: list[int] = []
            for edge in arch.space.edges:
                if edge[1] == target:
                    operation = arch.operation(edge)
                    source: Inputs = (nodes[edge[0]],)
                    for layer, shape in enumerate(_blocks_of(operation, macro)):
                        where = Slot(cell, "edge", edge, operation, layer, "bn")
                        if shape is None:
                            c = macro.channels
                            source = ((add(Block(source, c, c, *size, bn=where, affine=False, pool=True)),),)
                        else:
                            source = ((unit(where, source, macro.channels, *shape),),)
                    terms.append(source[0][0])
            nodes.append(tuple(terms))
        if macro.output == "concat":
            value, channels = tuple(nodes[1:]), macro.channels * arch.space.nodes
        else:
            value, channels = (tuple(t for node in nodes[1:] for t in node),), macro.channels
    linear = Slot(macro.cells + 1, "classifier", None, None, 0, "linear")
    head = Head(value, channels, *size, macro.classes, linear)
    return Network(tuple(blocks), (head,))


def _blocks_of(operation: str, macro: Macro) -> tuple[tuple[int, int] | None, ...]:
    if operation not in OPERATIONS:
        raise UsageError(
            f"no network knows the operation {operation!r}{near_misses(operation, OPERATIONS)}; "
            f"known are {', '.join(OPERATIONS)}"
        )
    if operation == "dil_conv_5x5":
        return ((macro.dilated_kernel, 2),)
    return OPERATIONS[operation]


def parameter_count(network: Network[Any]) -> int:
    """Trainable parameters of all the network's layers, batch norm's affine ones included."""
    return sum(math.prod(shape) for _, shapes in network.layers() for shape in shapes)


def mac_count(network: Network[Any]) -> int:
    """Multiply-adds of one image's forward pass: convolutions and classifiers, as is customary."""
    total = sum(head.channels * head.classes for head in network.heads)
    for block in network.blocks:
        pixels = block.height * block.width
        total += pixels * block.in_channels * block.kernel**2
        total += pixels * block.in_channels * block.out_channels * block.conv_kernel**2
    return total


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


def macro_to_dict(macro: Macro) -> dict[str, Any]:
    """For JSON."""
    return {field.name: getattr(macro, field.name) for field in fields(macro)} | {"stem": list(macro.stem)}


def macro_from_dict(data: Mapping[str, Any]) -> Macro:
    """UsageError for keys that are unknown or missing, or values that cannot be meant."""
    check_keys("macro", data, Macro)
    return Macro(**{**data, "stem": tuple(data["stem"])})


def check_keys(what: str, data: Mapping[str, Any], kind: type[Any]) -> None:
    """A key with a default may be absent: files written before there was such a key stay readable."""
    known = [field.name for field in fields(kind)]
    for name in data:
        if name not in known:
            raise UsageError(f"unknown {what} key {name!r}{near_misses(name, known)}; known are {', '.join(known)}")
    for field in fields(kind):
        if field.name not in data and field.default is MISSING:
            raise UsageError(f"the {what} has no {field.name!r}; it takes {', '.join(known)}")
