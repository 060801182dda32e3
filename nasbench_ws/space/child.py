"""A child as a network: which blocks an operation is made of, and what they cost.

    network = child_network(macro, DEEPER64.architecture("434"))
    parameter_count(network), mac_count(network)
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from nasbench_ws.errors import UsageError, near_misses
from nasbench_ws.space.blocks import IMAGE, Block, Head, Inputs, Network, Slot
from nasbench_ws.space.cell import Architecture
from nasbench_ws.space.macro import Macro

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
