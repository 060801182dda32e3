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

One of a user's own is such layers, or a torch module as it is (torch_modules.py). Not here: how they become a network
(child.py).
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypeAlias, TypeVar

from nasbench_ws.errors import UsageError, near_misses
from nasbench_ws.plugins import raised, users_code
from nasbench_ws.space.blocks import Module
from nasbench_ws.space.macro import Macro
from nasbench_ws.space.torch_modules import drawing, examine, is_module


@dataclass(frozen=True)
class Layer:
    """ReLU (optional), then pooling 3x3, or depthwise and dense convolution; batch norm follows always.

    UsageError for one that is both or neither, or whose kernel is even, which would change height and width.

    Args:
        relu: before it.
        pool: "max" or "average" for pooling 3x3, "" for none.
        depthwise: kernel of a depthwise convolution, 0: none.
        dilation: of the depthwise convolution.
        conv: kernel of the dense convolution behind it, 0: none.
        groups: parts that the channels of the dense convolution are divided into.
    """

    relu: bool = True
    pool: Literal["", "max", "average"] = ""
    depthwise: int = 0
    dilation: int = 1  # of the depthwise convolution
    conv: int = 0
    groups: int = 1

    def __post_init__(self) -> None:
        for name, least in (("depthwise", 0), ("dilation", 1), ("conv", 0), ("groups", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise UsageError(f"a layer's {name} is {value!r}; it must be a whole number, at least {least}")
        for name in ("depthwise", "conv"):
            if getattr(self, name) and getattr(self, name) % 2 == 0:
                raise UsageError(
                    f"a layer's {name} kernel is {getattr(self, name)}; an even one changes height and width, which "
                    "layers on an edge keep: take an odd one"
                )
        if self.pool not in ("", "max", "average"):
            raise UsageError(f"a layer's pool is {self.pool!r}; allowed are '', 'max' and 'average'")
        if bool(self.pool) == bool(self.depthwise or self.conv):
            raise UsageError(
                f"{self} is {'both pooling and convolution' if self.pool else 'neither pooling nor convolution'}; a "
                "layer is one of the two, and the identity is () in the place of layers"
            )


Layers: TypeAlias = "tuple[Layer | Module, ...] | None"  # a module stands alone; None: the edge is absent
GROUP_CHANNELS = 4  # of group_conv
_WORD = re.compile(r"[a-z0-9_]+")


def _group_conv(macro: Macro) -> Layers:
    groups, left = divmod(macro.channels, GROUP_CHANNELS)
    if left:
        raise UsageError(
            f"group_conv divides the channels into groups of {GROUP_CHANNELS}, and {macro.channels} channels are no "
            f"multiple of that; take channels={max(1, groups) * GROUP_CHANNELS} or another multiple of {GROUP_CHANNELS}"
        )
    return (Layer(conv=3, groups=groups),)


_SEPARABLE_3, _SEPARABLE_5 = Layer(depthwise=3, conv=1), Layer(depthwise=5, conv=1)
OPERATIONS: dict[str, Callable[[Macro], Any]] = {
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
BUILT_IN = frozenset(OPERATIONS)


Maker = TypeVar("Maker", bound=Callable[[Macro], Any])
changed: list[Callable[[], object]] = []  # called when a name gets another meaning: what remembers networks forgets


def register_operation(name: str) -> Callable[[Maker], Maker]:
    """Make an operation of your own known, by the layers that a function of the macro returns, or a torch module.

        @register_operation("wide_conv")
        def wide_conv(macro):
            return (Layer(depthwise=5, dilation=2, conv=1), Layer(conv=1))

        @register_operation("gated")
        def gated(macro):
            return Gated(macro.channels)          # an nn.Module: (B, C, H, W) -> the same shape

    The kernels run layers that they know; a module runs by torch, and with it the children that have it. It is called
    anew for each set of weights: its initial values are drawn from the seed. A class of modules that takes the macro
    may be registered itself, and a function may return what makes a module in the place of one.

    In a file with a space that uses it (`--space my.py:SPACE`) it is known in every process that works on that space.
    A name keeps its meaning: one that is built in is refused.

    Args:
        name: of the operation, as spaces list it.
    """

    def register(make: Maker) -> Maker:
        if not _WORD.fullmatch(name):
            raise UsageError(
                f"{name!r} cannot name an operation; use lower-case letters, digits and _, as in sep_conv_3x3"
            )
        if name in BUILT_IN:
            raise UsageError(f"the operation {name} is built in; give your own a name of its own")
        OPERATIONS[name] = make
        for forget in changed:
            forget()
        return make

    return register


def layers_of(operation: str, macro: Macro) -> Layers:
    """What is on an edge with that operation. UsageError for a name that no network knows."""
    if operation not in OPERATIONS:
        raise UsageError(
            f"no network knows the operation {operation!r}{near_misses(operation, OPERATIONS)}; "
            f"known are {', '.join(OPERATIONS)}; one of your own is known once its file is named, as --space "
            "FILE.py:NAME, or imported"
        )
    if operation in BUILT_IN:
        built_in: Layers = OPERATIONS[operation](macro)
        return built_in
    return _own(OPERATIONS[operation], operation, macro)


@lru_cache(maxsize=1024)
def _own(make: object, operation: str, macro: Macro) -> Layers:
    """Of an operation of a user's own; `make` is what its name means now."""
    with drawing(0):  # a module draws as it is made, and this one is looked at alone
        return _layers(operation, macro)


def _layers(operation: str, macro: Macro) -> Layers:
    layers = _called(operation, lambda: OPERATIONS[operation](macro))
    if layers is None or (isinstance(layers, tuple | list) and all(isinstance(one, Layer) for one in layers)):
        return None if layers is None else tuple(layers)
    made = _called(operation, layers) if callable(layers) and not is_module(layers) else layers
    if is_module(made):
        size = macro.channels, macro.height, macro.width
        return (Module(operation, *examine(operation, lambda: module_of(operation, macro), *size)),)
    raise UsageError(
        f"the operation {operation} returned {type(made).__name__} {str(made)[:60]!r}; it must return a tuple of "
        "Layer(...), () for the identity, None for an edge that is absent, or a torch.nn.Module"
    )


def _called(operation: str, make: Callable[[], object]) -> Any:
    with users_code():
        try:
            return make()
        except Exception as error:
            raise UsageError(f"the operation {operation} raised {raised(error)}") from error


def content(operation: str, macro: Macro) -> object:
    """What two names of one operation have alike, and other operations have not: layers, or a module drawn from 0."""
    layers = layers_of(operation, macro)
    if not (layers and isinstance(layers[0], Module)):
        return layers
    with drawing(0):
        return pickle.dumps(module_of(operation, macro))


def module_of(operation: str, macro: Macro) -> Any:
    """A new torch module of that operation; what its factory returns, where that is none."""
    found: Any = OPERATIONS[operation](macro)
    return found if is_module(found) or not callable(found) else found()
