"""What a trainer of a user's own may say of how a super-net is trained, and what is no trainer.

    class Smoothed:                                        # the shortest trainer: one method
        def loss(self, net, child, logits, labels, context):
            return F.cross_entropy(logits, labels, label_smoothing=0.1)

    nasbench-ws evaluate my.py:Smoothed

A trainer is a class, made anew for every super-net, or an object, of which every super-net gets a copy. It has any of

    loss(net, child, logits, labels, context)   a scalar tensor, in the place of mean cross-entropy
    combine(gradients)                          (k, n), one row a child of the step -> (n,), in the place of their sum
    optimiser(parameters)                       what has `step()`, in the place of the recipe's SGD
    next_children(history)                      numbers of the children of the next step, in the place of a schedule
    score(net, child, images)                   a number, higher is better, in the place of validation accuracy

and all that it has not stays as it is, on the compiled path. It may also have `start(net)`, called before the first
step; `key(arch, slot)` or `sharing`, the name of a strategy ("full" where it has neither); `schedule`; and, with
`next_children`, `width`: how many children a step has (1). Any other method begins with an underscore: a mistyped one
would be ignored without a word. What they are given: trainer.py.
"""

from __future__ import annotations

import inspect
import types
from typing import Any

from nasbench_ws.errors import StrategyError, near_misses

HOOKS = ("loss", "combine", "optimiser", "next_children", "score")
OTHERS = ("start", "key", "schedule", "later")


def is_trainer(thing: Any) -> bool:
    """Whether a class or an object has a method of a trainer, and is no ranker, whose helpers may be called so too.

    `score(net, ...)` is a trainer's, `score(problem, ...)` a ranker's.
    """
    others = any(callable(getattr(thing, name, None)) for name in HOOKS if name != "score")
    score = getattr(thing, "score", None)
    if not callable(score):
        return others and not all(callable(getattr(thing, name, None)) for name in ("tasks", "run", "gather"))
    try:
        first = list(inspect.signature(score).parameters)[:2]  # with self, of a class
    except (TypeError, ValueError):  # not written in Python
        first = []
    return "net" in first or (others and "problem" not in first)


def check_methods(name: str, thing: Any) -> None:
    """StrategyError for a method that nothing would call."""
    unknown = next((one for one in _methods(thing) if one not in HOOKS + OTHERS), None)
    if unknown is not None:
        raise StrategyError(
            f"trainer {name!r} has a method {unknown!r}, which nothing calls{near_misses(unknown, HOOKS, 1)}; "
            f"a trainer has {', '.join(HOOKS)} and start, and methods of your own begin with an underscore"
        )


def check_misspelt(name: str, thing: Any) -> None:
    """StrategyError where a class or object that is nothing else has a method that is nearly a trainer's."""
    if not callable(getattr(thing, "key", None)) and any(near_misses(one, HOOKS, 1) for one in _methods(thing)):
        check_methods(name, thing)


def _methods(thing: Any) -> list[str]:
    """Public ones of the user's own classes."""
    kind = thing if isinstance(thing, type) else type(thing)
    own = [one for one in kind.__mro__ if one is not object and not one.__module__.startswith(("torch.", "builtins"))]
    kinds = (types.FunctionType, staticmethod, classmethod)
    return [n for one in own for n, value in vars(one).items() if n[0] != "_" and isinstance(value, kinds)]
