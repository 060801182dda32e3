"""A child as a network: the blocks on its edges, and what they cost.

    network = child_network(macro, DEEPER64.architecture("434"))
    parameter_count(network), mac_count(network)

An edge whose operation is the identity hands its source's terms on; one that is absent hands on nothing, and what
works on nothing but zeros, or is read by nobody, is no part of the network: batch norm of zeros is zeros, so a child
computes the same without it. Not here: which layers an operation has (operations.py).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, Literal

from nasbench_ws.space.blocks import IMAGE, Block, Head, Inputs, Module, Network, Slot, read_blocks
from nasbench_ws.space.cell import Architecture, Edge
from nasbench_ws.space.macro import Macro
from nasbench_ws.space.operations import Layer, changed, layers_of


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

    def put(one: Layer, where: Slot, value: Inputs, cin: int) -> int:
        dense: Literal["conv", "pointwise"] = "pointwise" if one.conv == 1 else "conv"
        return add(
            Block(
                value, cin, macro.channels, *size, bn=where._replace(kind="bn"), affine=False, relu=one.relu,
                pool=one.pool, depthwise=where._replace(kind="depthwise") if one.depthwise else None,
                kernel=one.depthwise, dilation=one.dilation,
                conv=where._replace(kind=dense) if one.conv else None, conv_kernel=one.conv, groups=one.groups,
            )
        )  # fmt: skip

    def along(cell: int, edge: Edge, source: tuple[int, ...]) -> tuple[int, ...]:
        """The blocks whose sum an edge hands on, of those whose sum it gets; none: zeros."""
        layers = layers_of(arch.operation(edge), macro)
        if layers is None or not source:
            return ()
        for number, one in enumerate(layers):
            if isinstance(one, Module):
                slot = Slot(cell, "edge", edge, one.operation, number, "module")
                cin = macro.channels
                return (add(Block((source,), cin, cin, *size, bn=slot, affine=False, module=one)),)
            where = Slot(cell, "edge", edge, arch.operation(edge), number, "bn")
            source = (put(one, where, (source,), macro.channels),)
        return source

    for cell in range(1, macro.cells + 1):
        before = Slot(cell, "preprocess", None, None, 0, "bn")
        # Each node as the blocks that are summed into it; of zeros alone nothing is made.
        nodes: list[tuple[int, ...]] = [(put(Layer(conv=1), before, value, channels),) if any(value) else ()]
        for target in range(1, arch.space.nodes + 1):
            terms = [along(cell, edge, nodes[edge[0]]) for edge in arch.space.edges if edge[1] == target]
            nodes.append(tuple(term for some in terms for term in some))
        if macro.output == "concat":
            value, channels = tuple(nodes[1:]), macro.channels * arch.space.nodes
        elif macro.output == "sum":
            value, channels = (tuple(t for node in nodes[1:] for t in node),), macro.channels
        else:
            value, channels = (nodes[-1],), macro.channels
    linear = Slot(macro.cells + 1, "classifier", None, None, 0, "linear")
    head = Head(value, channels, *size, macro.classes, linear)
    return read_blocks(Network(tuple(blocks), (head,)))


changed.append(child_network.cache_clear)


def parameter_count(network: Network[Any]) -> int:
    """Trainable parameters of all the network's layers, batch norm's affine ones included."""
    return sum(math.prod(shape) for _, shapes in network.layers() for shape in shapes)


def mac_count(network: Network[Any]) -> int:
    """Multiply-adds of one image's forward pass: convolutions and classifiers, as is customary."""
    total = sum(head.channels * head.classes for head in network.heads)
    for block in network.blocks:
        if block.module is not None:
            total += block.module.macs
            continue
        pixels = block.height * block.width
        total += pixels * block.in_channels * block.kernel**2
        total += pixels * block.in_channels * block.out_channels // block.groups * block.conv_kernel**2
    return total
