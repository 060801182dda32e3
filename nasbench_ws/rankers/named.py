"""What `evaluate` may be given: a name, an object or a class; and the rankers that train no super-net, by name.

    ranker("groups:similar:4", plan, table), ranker(MyStrategy(), plan, table), ranker("params", plan, table)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nasbench_ws.errors import StrategyError, UsageError
from nasbench_ws.rankers.alone import Curves, alone
from nasbench_ws.rankers.base import Ranker
from nasbench_ws.rankers.plan import Plan
from nasbench_ws.rankers.predictor import predicted
from nasbench_ws.rankers.rows import ROWS, options
from nasbench_ws.rankers.scored import Known, RandomOrder, Scored
from nasbench_ws.rankers.scores_file import read_scores
from nasbench_ws.sharing.strategies import BUILT_IN as STRATEGIES
from nasbench_ws.sharing.strategies import PLUGINS, name_of, resolve
from nasbench_ws.space.cell import Space
from nasbench_ws.space.macro import Macro
from nasbench_ws.tables.over_seeds import common
from nasbench_ws.tables.table import Table
from nasbench_ws.training.hooks import check_misspelt, is_trainer


@dataclass(frozen=True)
class Named:
    """A ranker by name. `make` gets what stands behind the colon, and the table it may read all but accuracies of."""

    usage: str
    help: str
    make: Callable[[str, Table], Ranker]


def _counted(name: str) -> Callable[[str, Table], Ranker]:
    def make(argument: str, table: Table) -> Ranker:
        if argument:
            raise UsageError(f"{name} takes no arguments, and got {argument!r}; write {name}")
        return Known(name, table.column(name).astype(np.float64)[None])

    return make


def _random(argument: str, table: Table) -> Ranker:
    if argument:
        raise UsageError(f"random takes no arguments, and got {argument!r}; its seeds are those of the instances")
    return Scored(RandomOrder())


def curves(table: Table, places: list[int] | None = None) -> Curves:
    """All that a ranker may know of a table's runs, or of those of some children."""
    own, seeds = slice(None) if places is None else places, common(table)
    valid, loss = (table.curves(name)[own][:, seeds] for name in ("valid_accuracy", "train_loss"))
    sizes = table.column("macs")[own], table.column("params")[own]
    return Curves(table.recipe, table.epochs, valid, loss, *sizes, tuple(seeds.tolist()))


def _alone(name: str) -> Callable[[str, Table], Ranker]:
    def make(argument: str, table: Table) -> Ranker:
        try:
            epoch = float(argument)
        except ValueError:
            recorded = ", ".join(f"{x:g}" for x in table.epochs)
            raise UsageError(
                f"{name}:{argument} has no number of epochs; write {name}:EPOCH, with one of {recorded}"
            ) from None
        return alone(curves(table), epoch, by_loss=name == "early-loss")

    return make


def _predictor(argument: str, table: Table) -> Ranker:
    kind, _, count = argument.partition(":")
    if kind != "additive" or not count.isdecimal():
        raise UsageError(f"predictor:{argument} is not written like predictor:additive:N, with N runs to fit it to")
    choices = np.array([child.choices for child in table.space])
    return predicted(curves(table), choices, int(count))


def _proxy(name: str) -> Callable[[str, Table], Ranker]:
    def make(argument: str, table: Table) -> Ranker:
        if argument:
            raise UsageError(f"{name} takes no arguments, and got {argument!r}; write {name}")
        from nasbench_ws.rankers.proxies.ranker import Proxy  # torch

        return Scored(Proxy(name))

    return make


def _wann(argument: str, table: Table) -> Ranker:
    if argument not in ("", "shared"):
        raise UsageError(f"wann takes shared or nothing, and got {argument!r}; write wann or wann:shared")
    from nasbench_ws.rankers.proxies.wann import Wann  # torch

    return Scored(Wann(shared=bool(argument)))


def _scores(argument: str, table: Table) -> Ranker:
    if not argument:
        raise UsageError("scores: names no file; write scores:FILE.csv")
    return Known(f"scores:{argument}", read_scores(argument, table.space))


PROXIES = {
    "grad_norm": "norm of the gradient", "snip": "sum of |weight x gradient|", "grasp": "-weight x Hessian x gradient",
    "fisher": "(activation x gradient)^2", "plain": "sum of weight x gradient", "l2_norm": "norm of the weights",
    "synflow": "|weight| x gradient without batch norm, on an image of ones", "jacov": "correlations of Jacobians",
    "epe_nas": "the same by class", "naswot": "codes of ReLUs on 128 images", "zen": "sensitivity of Gaussian networks",
    "zico": "mean over deviation of gradients between two batches", "az_nas": "four proxies by their ranks",
}  # fmt: skip  # zero-cost proxies, each with what it is
NAMED = {
    "params": Named("params", "the number of parameters: trains nothing", _counted("params")),
    "macs": Named("macs", "multiply-adds of a forward pass: trains nothing", _counted("macs")),
    "random": Named("random", "chance: every instance is another order", _random),
    "alone": Named("alone:EPOCH", "every child alone, stopped early: read off the table's curves", _alone("alone")),
    "early-loss": Named("early-loss:EPOCH", "the same by training loss, which tells earlier", _alone("early-loss")),
    "predictor": Named("predictor:additive:N", "an additive fit to N standalone runs of the table", _predictor),
    "scores": Named("scores:FILE", "scores of your own, as `assess` reads them", _scores),
    "wann": Named("wann[:shared]", "a linear classifier on random features; shared: one value for all weights", _wann),
    **{name: Named(name, f"zero-cost proxy: {what}", _proxy(name)) for name, what in PROXIES.items()},
}


def ranker(given: Any, plan: Plan, table: Table) -> Ranker:
    """The ranker that a name, an object or a class means; sharing strategies are trained as `plan` says.

    So are the super-nets of a trainer (an object with `loss`, `combine`, ...; training/hooks.py).
    A way to train shared weights otherwise (rows.py, or an object with `start` and `iterate`) takes its budget from the
    plan. StrategyError for what is neither, UsageError for a name that is not written as it should be.
    """
    if isinstance(given, str):
        head, _, rest = given.partition(":")
        if head in NAMED:
            return NAMED[head].make(rest, table)
        if head in ROWS:
            options(given)  # before torch is imported
            return _trained(replace(plan, strategy=given), None)
        if head in STRATEGIES:
            return _sharing(replace(plan, strategy=given), None)
        found, _ = PLUGINS.found(given)
        if _trains(found):
            return _trained(replace(plan, strategy=given), None)
        if is_trainer(found):
            return _by_trainer(replace(plan, strategy=given), None)
        if _ranks(found):
            return ByName(given)
        check_misspelt(given, found)
        return _sharing(replace(plan, strategy=given), None)
    if _trains(given):
        return _trained(replace(plan, strategy=name_of(given)), given)
    if is_trainer(given):
        return _by_trainer(replace(plan, strategy=name_of(given)), given)
    if _ranks(given):
        return _adopted(given, None)
    check_misspelt(name_of(given), given)
    if not (callable(given) or callable(getattr(given, "key", None))):
        raise StrategyError(
            f"{given!r:.60} is of type {type(given).__name__}, which ranks nothing; give a name, or an object or class "
            "with key(arch, slot), with score(problem, images, seed), or with a trainer's methods (training/hooks.py)"
        )
    return _sharing(replace(plan, strategy=name_of(given)), given)


def check_name(name: str, space: Space, macro: Macro) -> None:
    """Refuse a mistyped name of what is built in before anything that trains is imported. Errors as of `ranker`."""
    if name.partition(":")[0] in STRATEGIES:
        resolve(name, space, macro)
    elif name.partition(":")[0] not in NAMED.keys() | ROWS.keys():
        PLUGINS.found(name)


def _sharing(plan: Plan, thing: Any) -> Ranker:
    from nasbench_ws.rankers.weight_sharing import WeightSharing  # torch, which counting does without

    return WeightSharing(plan, thing)


def _by_trainer(plan: Plan, thing: Any) -> Ranker:
    from nasbench_ws.rankers.by_trainer import ByTrainer  # torch

    return ByTrainer(plan, thing)


def _trained(plan: Plan, thing: Any) -> Ranker:
    from nasbench_ws.rankers.trained import Trained  # torch

    return Trained(plan, thing)


def _trains(thing: Any) -> bool:
    """Whether it is a way to train shared weights (trained.py)."""
    return callable(getattr(thing, "start", None)) and callable(getattr(thing, "iterate", None))


def _ranks(thing: Any) -> bool:
    """Whether it has the methods of a `Ranker`, or the one of the shortest."""
    return callable(getattr(thing, "score", None)) or all(
        callable(getattr(thing, method, None)) for method in ("tasks", "run", "gather")
    )


def _adopted(thing: Any, name: str | None) -> Ranker:
    made = thing() if isinstance(thing, type) else thing
    if callable(getattr(made, "score", None)):
        return Scored(made, name)
    if not isinstance(made, Ranker):
        lacking = [one for one in _PROTOCOL if not hasattr(made, one)]
        raise StrategyError(
            f"{name_of(thing)} lacks {', '.join(lacking)} of a ranker; give it these, or score(problem, images, seed) "
            "alone"
        )
    return made


_PROTOCOL = ("name", "match", "splits", "recipe", "plan", "instances", "sources", "check", "tasks", "run", "gather")


class ByName:
    """A ranker of a user's file, which a worker process makes again from its name."""

    def __init__(self, name: str) -> None:
        self.given = name
        self.made = _adopted(PLUGINS.make(name, *PLUGINS.found(name)), name)

    def __reduce__(self) -> tuple[Any, ...]:
        return ByName, (self.given,)

    @property
    def name(self) -> str:
        return self.given

    def sources(self) -> list[Any]:
        return [self.given]

    def __getattr__(self, attribute: str) -> Any:
        if attribute in _PROTOCOL:
            return getattr(self.made, attribute)
        raise AttributeError(f"a ranker has no {attribute!r}")
