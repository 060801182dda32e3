"""A trainer's methods, called with care: what they raise, or give amiss, is a StrategyError that says so.

    hooks = Hooks("my.py:Smoothed", Smoothed())
    hooks.own                                # ("loss",)
    hooks.loss(net, child, logits, labels, context)

Not here: which methods there are (hooks.py), and what is done with what they give (trainer.py).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from nasbench_ws.errors import StrategyError
from nasbench_ws.images.dataset import Images
from nasbench_ws.sharing.strategies import PLUGINS
from nasbench_ws.training.hooks import HOOKS, check_methods
from nasbench_ws.training.supernet import SuperNet

T = TypeVar("T")
USUAL = 1e4  # logits below this in size leave every loss finite that is written with log_softmax


class Hooks:
    """Of one trainer; `context` and `history` are those of trainer.py."""

    def __init__(self, name: str, thing: Any) -> None:
        check_methods(name, thing)
        self.name, self.thing = name, thing
        self.own = tuple(hook for hook in HOOKS if callable(getattr(thing, hook, None)))

    def has(self, hook: str) -> bool:
        return hook in self.own

    @property
    def width(self) -> int:
        """Children of a step that `next_children` gives."""
        try:
            width = operator.index(getattr(self.thing, "width", 1))
        except TypeError:
            width = 0
        if not 1 <= width <= 65_536:
            raise StrategyError(
                f"trainer {self.name!r} has width {self.thing.width!r:.60}; it is the number of children of a step, "
                "a whole number from 1 to 65,536"
            )
        return width

    def start(self, net: SuperNet) -> None:
        if callable(getattr(self.thing, "start", None)):
            self._call("start(net)", lambda: self.thing.start(net))

    def loss(self, net: SuperNet, child: int, logits: Tensor, labels: Tensor, context: Any) -> Tensor:
        what, name = "loss(net, child, logits, labels, context)", net.children[child].name
        found = self._call(what, lambda: self.thing.loss(net, child, logits, labels, context))
        if not isinstance(found, Tensor) or found.shape != ():
            given = f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else repr(found)[:60]
            raise self._wrong(what, f"{given} for child {name}; it must be one number, a tensor of shape (): its mean")
        if not found.requires_grad:
            raise self._wrong(what, f"a number for child {name} that does not depend on the logits; compute it of them")
        usual = bool((logits.detach().abs() < USUAL).all())  # NaN is not
        if usual and not math.isfinite(float(found.detach())):
            raise self._wrong(
                what, f"{float(found.detach())} for child {name} at step {context.step + 1}, of logits that are finite;"
                " look for a logarithm or a division of 0 in it",
            )  # fmt: skip
        return found

    def combine(self, gradients: Tensor) -> Tensor:
        what = "combine(gradients)"
        found = self._call(what, lambda: self.thing.combine(gradients.clone()))
        count, size = gradients.shape
        if not isinstance(found, Tensor) or found.shape != (size,):
            given = f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else repr(found)[:60]
            raise self._wrong(what, f"{given} for ({count}, {size}); it must be one gradient, a tensor of ({size},)")
        if not torch.isfinite(found).all() and torch.isfinite(gradients).all():
            raise self._wrong(what, "numbers that are not finite, of gradients that are; look for a division of 0")
        return found.detach()

    def optimiser(self, parameters: list[torch.nn.Parameter]) -> Any:
        what = "optimiser(parameters)"
        found = self._call(what, lambda: self.thing.optimiser(parameters))
        if not callable(getattr(found, "step", None)):
            gave = f"an object of type {type(found).__name__} without step()"
            raise self._wrong(what, f"{gave}; give one such as those of torch.optim")
        return found

    def move(self, optimiser: Any) -> None:
        """A step of the user's optimiser."""
        self._call("step() of its optimiser", optimiser.step)

    def next_children(self, history: Any) -> tuple[int, ...]:
        what, count, width = "next_children(history)", len(history.net.children), self.width
        found = self._call(what, lambda: self.thing.next_children(history))
        try:
            listed = [found] if isinstance(found, int | np.integer) else list(found)
            numbers = tuple(operator.index(one) for one in listed)
        except TypeError:
            raise self._wrong(what, f"{found!r:.60}; it must give numbers of children, 0 to {count - 1}") from None
        at = f"at step {history.step + 1}"
        if not numbers:
            raise self._wrong(what, f"no children {at}; it must give {width}, numbers from 0 to {count - 1}")
        if len(numbers) != width:
            raise self._wrong(
                what, f"{len(numbers)} children {at}, and the trainer's width is {width}; give {width} at every step, "
                f"or set width = {len(numbers)}",
            )  # fmt: skip
        unknown = [number for number in numbers if not 0 <= number < count]
        if unknown:
            raise self._wrong(what, f"child {unknown[0]} {at}; children are numbered 0 to {count - 1}")
        return numbers

    def score(self, net: SuperNet, child: int, images: Images) -> float:
        what = "score(net, child, images)"
        found = self._call(what, lambda: self.thing.score(net, child, images))
        try:
            if isinstance(found, str | bytes):
                raise TypeError
            return float(found)
        except (TypeError, ValueError, RuntimeError):
            text = f"{found!r:.60} for child {net.children[child].name}; it must be a number, higher is better"
            raise self._wrong(what, text) from None

    def _call(self, what: str, call: Callable[[], T]) -> T:
        return PLUGINS.run(call, f"trainer {self.name!r}: {what}")

    def _wrong(self, what: str, gave: str) -> StrategyError:
        return StrategyError(f"trainer {self.name!r}: {what} gave {gave}")
