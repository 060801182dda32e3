"""Torch modules as operations: which are refused before anything is trained, and with which words."""

from __future__ import annotations

import pickle
import threading

import pytest
import torch
from torch import Tensor, nn

from nasbench_ws.errors import UsageError
from nasbench_ws.space import operations, registry
from nasbench_ws.space.cell import Space
from nasbench_ws.space.macro import Macro
from nasbench_ws.space.operations import OPERATIONS, layers_of, register_operation

MACRO = Macro("tiny", stem=(3,), channels=4, cells=1, height=6, width=5, image_channels=2, classes=3)


class By(nn.Module):
    """What a function makes of its input."""

    def __init__(self, make) -> None:
        super().__init__()
        self.make = make

    def forward(self, x: Tensor):
        return self.make(self, x)


def pair(module: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    return x, x


def not_a_number(module: nn.Module, x: Tensor) -> Tensor:
    return x.log()


def infinite(module: nn.Module, x: Tensor) -> Tensor:
    return x / (x > 9)


def doubled(module: nn.Module, x: Tensor) -> Tensor:
    return x.double()


def flat(module: nn.Module, x: Tensor) -> Tensor:
    return x.mean(dim=(2, 3))


def counting(module: nn.Module, x: Tensor) -> Tensor:
    module.count += 1
    return x


def in_training(module: nn.Module, x: Tensor) -> Tensor:
    return x / (0 if module.training else 1)


class Counting(By):
    def __init__(self) -> None:
        super().__init__(counting)
        self.register_buffer("count", torch.zeros(()))


class Locked(nn.Conv2d):
    def __init__(self) -> None:
        super().__init__(4, 4, 1)
        self.lock = threading.Lock()


def unpickled(thing: object) -> str:
    """What pickle says of it, which differs between versions of Python."""
    with pytest.raises((AttributeError, TypeError, pickle.PicklingError)) as caught:
        pickle.dumps(thing)
    return f"{type(caught.value).__name__}: {caught.value}"


def local():
    return lambda module, x: x


LOCAL, ONE = local(), nn.Identity()
AT = "a batch of shape (2, 4, 6, 5)"
UNPICKLED = (
    "the operation odd has state that cannot be pickled ({}), so that it is neither copied nor kept; define its class "
    "at the top of a file, and keep lambdas, locks and open files out of it"
)
REFUSED = {
    "stride": (
        lambda: nn.Conv2d(4, 4, 3, 2, 1),
        f"the operation odd makes (2, 4, 3, 3) of {AT}, which is of another height or width, which an edge keeps: take "
        "a stride of 1, and padding",
    ),
    "no padding": (
        lambda: nn.Conv2d(4, 4, 3),
        f"the operation odd makes (2, 4, 4, 3) of {AT}, which is of another height or width, which an edge keeps: take "
        "a stride of 1, and padding",
    ),
    "channels out": (
        lambda: nn.Conv2d(4, 8, 1),
        f"the operation odd makes (2, 8, 6, 5) of {AT}, which has 8 channels: an edge keeps the 4 of the macro, so "
        "take macro.channels in and out",
    ),
    "flat": (
        lambda: By(flat),
        f"the operation odd makes (2, 4) of {AT}, which is of another shape: return one tensor of the shape that it is "
        "given",
    ),
    "NaN": (
        lambda: By(not_a_number),
        "the operation odd gives NaN for a batch of normal numbers, untrained; look for a division by 0, a logarithm "
        "or a root of what may be negative in it",
    ),
    "infinity": (
        lambda: By(infinite),
        "the operation odd gives infinity for a batch of normal numbers, untrained; look for a division by 0, a "
        "logarithm or a root of what may be negative in it",
    ),
    "infinity in training": (
        lambda: By(in_training),
        "the operation odd gives infinity for a batch of normal numbers, untrained; look for a division by 0, a "
        "logarithm or a root of what may be negative in it",
    ),
    "no tensor": (
        lambda: By(pair),
        "the operation odd gave an object of type tuple for "
        f"{AT}; its module must return one tensor of that shape",
    ),
    "another type": (
        lambda: By(doubled),
        "the operation odd makes torch.float64 of a batch of torch.float32; keep the type of its input",
    ),
    "a lambda": (
        lambda: By(LOCAL),
        UNPICKLED.format(unpickled(LOCAL)),
    ),
    "a lock": (Locked, UNPICKLED.format(unpickled(threading.Lock()))),
    "a buffer that changes": (
        Counting,
        "the operation odd changes its buffer count when it runs, which would not be put back between readouts; keep "
        "what changes in parameters, or in the statistics of a batch norm",
    ),
    "one for all": (
        lambda: ONE,
        "the operation odd gives one and the same module each time; make a new one at each call, for every place and "
        "every seed has weights of its own",
    ),
    "channels in": (
        lambda: nn.Conv2d(8, 8, 1, bias=False),
        "the operation odd raised RuntimeError: Given groups=1, weight of size [8, 8, 1, 1], expected input[2, 4, 6, "
        "5] to have 8 channels, but got 4 channels instead, of a batch of shape (2, 4, 6, 5)",
    ),
    "what cannot be made": (
        lambda: nn.Conv2d(4, 4, 3, groups=3),
        "the operation odd raised ValueError: in_channels must be divisible by groups",
    ),
    "a factory of none": (
        lambda: lambda: 3,
        "the operation odd returned int '3'; it must return a tuple of Layer(...), () for the identity, None for an "
        "edge that is absent, or a torch.nn.Module",
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "OPERATIONS", dict(OPERATIONS))


def test_two_names_of_one_module_are_one_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "SPACES", dict(registry.SPACES))
    for name, dropped in (("one", 0.1), ("two", 0.1), ("other", 0.2)):
        register_operation(name)(lambda macro, dropped=dropped: nn.Dropout(dropped))
    assert registry.register_space(Space("fine", 1, ("one", "other"))).name == "fine"
    with pytest.raises(UsageError) as caught:
        registry.register_space(Space("same", 1, ("other", "one", "two")))
    assert str(caught.value) == (
        "the operations one and two of same are the same, so that every network has several names and is trained as "
        "often; leave one of them out"
    )


@pytest.mark.parametrize("fault", REFUSED)
def test_a_module_that_fits_into_no_network_is_refused(fault: str) -> None:
    make, text = REFUSED[fault]
    register_operation("odd")(lambda macro: make())
    with pytest.raises(UsageError) as caught:
        layers_of("odd", MACRO)
    assert str(caught.value) == text
