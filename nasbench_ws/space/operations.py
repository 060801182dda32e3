"""What an operation is: the layers that a network puts on an edge, by the operation's name.

    layers_of("sep_conv_3x3", macro)       # (Layer(depthwise=3, conv=1), Layer(depthwise=3, conv=1))
    layers_of("skip_connect", macro)       # (): the edge hands its source on
    layers_of("none", macro)               # None: the edge is absent

Built in, all of stride 1, with the macro's number of channels in and out:

    none            its edge is absent; a node without any input is zeros
    skip_connect    the identity, without batch norm
    max_pool_3x3, avg_pool_3x3            pooling (of the pixels inside the image), batch norm
    conv_1x1, conv_3x3                    ReLU, convolution, batch norm; nor_conv_* is NAS-Bench-201's name of them
    sep_conv_3x3, sep_conv_5x5            twice: ReLU, depthwise convolution, convolution 1x1, batch norm
    dil_conv_3x3, dil_conv_5x5            ReLU, depthwise convolution of dilation 2, convolution 1x1, batch norm
    group_conv                            ReLU, convolution 3x3 in groups of 4 channels (as ResNeXt's), batch norm

Not here: how they become a network (child.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from nasbench_ws.errors import UsageError, near_misses
from nasbench_ws.space.macro import Macro


@dataclass(frozen=True)
class Layer:
    """ReLU (optional), then pooling 3x3, or depthwise and dense convolution; batch norm follows always.

    Kernels are 0 where there is no such convolution. `groups` divides the channels of the dense one.
    """

    relu: bool = True
    pool: Literal["", "max", "average"] = ""
    depthwise: int = 0
    dilation: int = 1  # of the depthwise convolution
    conv: int = 0
    groups: int = 1


Layers: TypeAlias = "tuple[Layer, ...] | None"  # None: the edge is absent
GROUP_CHANNELS = 4  # of group_conv


def _group_conv(macro: Macro) -> Layers:
    groups, left = divmod(macro.channels, GROUP_CHANNELS)
    if left:
        raise UsageError(
            f"group_conv divides the channels into groups of {GROUP_CHANNELS}, and {macro.channels} channels are no "
            f"multiple of that; take channels={max(1, groups) * GROUP_CHANNELS} or another multiple of {GROUP_CHANNELS}"
        )
    return (Layer(conv=3, groups=groups),)


_SEPARABLE_3, _SEPARABLE_5 = Layer(depthwise=3, conv=1), Layer(depthwise=5, conv=1)
OPERATIONS: dict[str, Callable[[Macro], Layers]] = {
    "max_pool_3x3": lambda macro: (Layer(relu=False, pool="max"),),
    "sep_conv_3x3": lambda macro: (_SEPARABLE_3, _SEPARABLE_3),
    "sep_conv_5x5": lambda macro: (_SEPARABLE_5, _SEPARABLE_5),
    "dil_conv_5x5": lambda macro: (Layer(depthwise=macro.dilated_kernel, dilation=2, conv=1),),
    "none": lambda macro: None,
    "skip_connect": lambda macro: (),
    "avg_pool_3x3": lambda macro: (Layer(relu=False, pool="average"),),
    "conv_1x1": lambda macro: (Layer(conv=1),),
    "conv_3x3": lambda macro: (Layer(conv=3),),
    "nor_conv_1x1": lambda macro: (Layer(conv=1),),
    "nor_conv_3x3": lambda macro: (Layer(conv=3),),
    "dil_conv_3x3": lambda macro: (Layer(depthwise=3, dilation=2, conv=1),),
    "group_conv": _group_conv,
}


def layers_of(operation: str, macro: Macro) -> Layers:
    """What is on an edge with that operation. UsageError for a name that no network knows."""
    if operation not in OPERATIONS:
        raise UsageError(
            f"no network knows the operation {operation!r}{near_misses(operation, OPERATIONS)}; "
            f"known are {', '.join(OPERATIONS)}"
        )
    return OPERATIONS[operation](macro)
