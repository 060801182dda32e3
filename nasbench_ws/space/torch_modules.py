"""Torch modules of a user's own as layers: examined once, made anew for each set of weights, run on given ones.

    examined = examine("mine", lambda: Mine(8), channels=8, height=14, width=14)
    examined.shapes, examined.statistics, examined.macs
    module = made("mine", lambda: Mine(8), seed, (2, 8, 14, 14))        # with the values that it draws of that seed

A module takes (B, C, H, W) and gives one tensor of that shape. Its trainable parameters are weights like any other; the
statistics of its batch norms are kept and moved as those of every batch norm are; whatever else it has stays as it was
made. What it draws, it draws from torch's global generator, which is seeded around it. Torch is imported here by
functions alone, which only a module's user calls. Not here: where it stands in a network (space/child.py).
"""

from __future__ import annotations

import contextlib
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from nasbench_ws.errors import UsageError
from nasbench_ws.plugins import raised, users_code

if TYPE_CHECKING:
    from torch import Tensor, nn

PRODUCTS = {"mm": 0, "bmm": 0, "mv": 0, "dot": 0, "addmm": 1, "baddbmm": 1, "addmv": 1}  # and their left factor
IMAGES = 2  # of a batch on which a module is tried: fewer have no statistics where height and width are one


class Examined(NamedTuple):
    """Shapes of the trainable parameters, channels of all batch norms, multiply-adds of one image."""

    shapes: tuple[tuple[int, ...], ...]
    statistics: int
    macs: int


def is_module(thing: object) -> bool:
    """Whether a thing is a torch module; asked without loading torch, without which there is none."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(thing, torch.nn.Module)


@contextlib.contextmanager
def drawing(seed: int) -> Iterator[None]:
    """In here torch's global generator is seeded; afterwards it is as it was. Without torch nothing happens."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**63)
        yield


def made(operation: str, make: Callable[[], Any], seed: int, shape: Sequence[int]) -> nn.Module:
    """A module of its own, with values drawn of that seed, ready for `run`. UsageError where it raises.

    Args:
        operation: for messages.
        make: gives the module.
        seed: of what it draws.
        shape: of a batch; parameters whose shapes it finds out itself (lazy ones) are made by one.
    """
    import torch

    with drawing(seed), users_code():
        try:
            module: Any = make()
            if not is_module(module):  # which the factory once gave, and now does not
                raise TypeError(f"it gave {type(module).__name__} in the place of a module")
            if any(torch.nn.parameter.is_lazy(one) for one in (*module.parameters(), *module.buffers())):
                module.eval()(torch.zeros(*shape))
        except Exception as error:
            raise UsageError(f"the operation {operation} raised {raised(error)}") from error
    for norm in norms(module).values():
        norm.momentum = None  # a mean over its calls; moved towards a batch's by whoever keeps the statistics
    return module  # type: ignore[no-any-return]


def trainable(module: nn.Module) -> dict[str, nn.Parameter]:
    """Its parameters that learn, by name, each once."""
    return {name: one for name, one in module.named_parameters() if one.requires_grad}


def norms(module: nn.Module) -> dict[str, Any]:
    """Its batch norms that keep statistics, by name."""
    from torch.nn.modules.batchnorm import _BatchNorm

    kept = {name: one for name, one in module.named_modules() if isinstance(one, _BatchNorm)}
    return {name: one for name, one in kept.items() if one.running_mean is not None}


def run(
    module: nn.Module,
    x: Tensor,
    parameters: Sequence[Tensor],
    statistics: tuple[Tensor, Tensor] | None,
    learning: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """What a module makes of x (B, C, H, W) with these parameters, and its batch norms' means and variances (s,).

    Args:
        module: as `made` gives it; nothing of it changes.
        x: its input, which it may write to: it gets a copy.
        parameters: in the order of `trainable`.
        statistics: means and variances (s,) to normalise with; None: each batch norm takes the batch's own, and those
            come back, variances unbiased.
        learning: whether what is only done in training (dropout) is done.
    """
    import torch
    from torch.func import functional_call

    given: dict[str, Tensor] = dict(zip(trainable(module), parameters, strict=True))
    module.train(learning)
    kept: list[tuple[Tensor, Tensor]] = []
    at = 0
    for name, norm in norms(module).items():
        norm.train(statistics is None)
        count, prefix = norm.num_features, f"{name}." if name else ""
        if statistics is None:
            mean, var = x.new_zeros(count), x.new_ones(count)
        else:
            mean, var = (one[at : at + count].to(x.dtype) for one in statistics)
        given |= {f"{prefix}running_mean": mean, f"{prefix}running_var": var}
        given[f"{prefix}num_batches_tracked"] = torch.zeros((), dtype=torch.int64)
        kept.append((mean, var))
        at += count
    made: Any = functional_call(module, given, (x.clone(memory_format=torch.contiguous_format),))
    mean, var = (torch.cat([x.new_empty(0), *some]).detach() for some in zip(*kept, strict=True)) if kept else (
        x.new_empty(0), x.new_empty(0)
    )  # fmt: skip
    return made, mean, var


def examine(operation: str, make: Callable[[], Any], channels: int, height: int, width: int) -> Examined:
    """What a network has to know of a module, found out by running it; UsageError where it fits into none.

    Args:
        operation: its name, for messages.
        make: gives the module.
        channels: of what it is given, as of what it shall give.
        height: likewise.
        width: likewise.
    """
    import torch

    shape = (IMAGES, channels, height, width)
    if make() is make():
        raise UsageError(
            f"the operation {operation} gives one and the same module each time; make a new one at each call, for "
            "every place and every seed has weights of its own"
        )
    module = made(operation, make, 0, shape)
    _check_travels(operation, module)
    parameters = list(trainable(module).values())
    others = _others(module)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    found = norms(module)
    count = sum(norm.num_features for norm in found.values())
    given = (torch.zeros(count), torch.ones(count))
    for statistics, learning in ((None, True), (given, False)):
        _check_output(operation, shape, _tried(operation, module, x, parameters, statistics, learning))
    for name, before in others.items():
        if not torch.equal(before, _others(module)[name]):
            raise UsageError(
                f"the operation {operation} changes its buffer {name} when it runs, which would not be put back "
                "between readouts; keep what changes in parameters, or in the statistics of a batch norm"
            )
    shapes = tuple(tuple(one.shape) for one in parameters)
    return Examined(shapes, count, _multiply_adds(module, x[:1], parameters, given))


def _others(module: nn.Module) -> dict[str, Tensor]:
    """Copies of the buffers that are not a batch norm's."""
    own = {f"{name}.{one}".lstrip(".") for name, norm in norms(module).items() for one in norm._buffers}
    return {name: one.clone() for name, one in module.named_buffers() if name not in own}


def _tried(
    operation: str, module: nn.Module, x: Tensor, parameters: Sequence[Tensor], statistics: Any, learning: bool
) -> object:
    import torch

    with drawing(0), torch.no_grad():
        return ran(operation, module, x, parameters, statistics, learning)[0]


def ran(operation: str, *arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
    """As `run`; what the module raises is a UsageError that names its operation."""
    with users_code():
        try:
            return run(*arguments)
        except Exception as error:
            shape = tuple(arguments[1].shape)
            raise UsageError(
                f"the operation {operation} raised {raised(error)}, of a batch of shape {shape}"
            ) from error


def _check_output(operation: str, shape: tuple[int, ...], found: object) -> None:
    import torch

    if not isinstance(found, torch.Tensor):
        raise UsageError(
            f"the operation {operation} gave an object of type {type(found).__name__} for a batch of shape {shape}; "
            "its module must return one tensor of that shape"
        )
    if tuple(found.shape) != shape:
        there = tuple(found.shape)
        wrong = "is of another shape: return one tensor of the shape that it is given"
        if len(there) == 4 and there[0] == shape[0]:
            wrong = (
                f"has {there[1]} channels: an edge keeps the {shape[1]} of the macro, so take macro.channels in and out"
                if there[1] != shape[1]
                else "is of another height or width, which an edge keeps: take a stride of 1, and padding"
            )
        raise UsageError(f"the operation {operation} makes {there} of a batch of shape {shape}, which {wrong}")
    if found.dtype != torch.float32:
        raise UsageError(
            f"the operation {operation} makes {found.dtype} of a batch of {torch.float32}; keep the type of its input"
        )
    if not bool(torch.isfinite(found).all()):
        bad = "NaN" if bool(torch.isnan(found).any()) else "infinity"
        raise UsageError(
            f"the operation {operation} gives {bad} for a batch of normal numbers, untrained; look for a division by "
            "0, a logarithm or a root of what may be negative in it"
        )


def _check_travels(operation: str, module: nn.Module) -> None:
    """UsageError for state that has no bytes: it is neither copied, kept nor sent to a worker process."""
    try:
        pickle.dumps(module)
    except Exception as error:
        raise UsageError(
            f"the operation {operation} has state that cannot be pickled ({type(error).__name__}: {error}), so that it "
            "is neither copied nor kept; define its class at the top of a file, and keep lambdas, locks and open files "
            "out of it"
        ) from error


def _multiply_adds(module: nn.Module, image: Tensor, parameters: Sequence[Tensor], statistics: Any) -> int:
    """Of one image's forward pass, counted while it runs: convolutions and matrix products, as is customary.

    Torch's own counter (torch.utils.flop_counter, of 2.14) leaves out attention on a processor. Either loads torch's
    compiler, which takes 2 s, once.
    """
    from torch.utils._python_dispatch import TorchDispatchMode

    counted = 0

    class Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            nonlocal counted
            made = function(*args, **(kwargs or {}))
            name = function.overloadpacket.__name__
            if name == "convolution":
                inputs, weight, transposed = args[0], args[1], args[6]
                counted += (inputs if transposed else made).numel() * (weight.numel() // weight.shape[0])
            elif name in PRODUCTS:
                counted += made.numel() * args[PRODUCTS[name]].shape[-1]
            elif name.startswith("_scaled_dot_product"):
                query, key = args[:2]
                counted += 2 * query.numel() * key.shape[-2]
            return made

    with Counter(), users_code():  # type: ignore[no-untyped-call]
        run(module, image, parameters, statistics, False)
    return counted
