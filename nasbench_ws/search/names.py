"""Searchers by name: `re:20:5`, `optuna:TPESampler`, `my.py:Mine`.

    make = resolve_searcher("re:20:5")                      # a function of (setting, rng)
    make = resolve_tasks("multitask:coevolution")           # of (settings, rng), for several tables

A built-in one's file is imported when it is asked for. Not here: what they do.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from numpy.random import Generator

from nasbench_ws.errors import SearcherError
from nasbench_ws.plugins import Plugins
from nasbench_ws.search.arguments import RefusedError, above_1, at_least_0, count, finite, one_of, part, positive
from nasbench_ws.search.searcher import Make, MakeTasks, Searcher, Setting

ENTRY_POINTS = "nasbench_ws.searchers"
MULTITASK = "multitask"


@dataclass(frozen=True)
class BuiltIn:
    """`usage` is the notation with its arguments, `where` module and class, `kinds` what its arguments are read as."""

    usage: str
    help: str
    where: str
    kinds: tuple[Callable[[str], Any], ...] = ()
    least: int = 0  # how many arguments it takes at least


BUILT_IN: dict[str, BuiltIn] = {
    "random": BuiltIn("random", "uniform, with replacement", "random_search.Random"),
    "random-without": BuiltIn("random-without", "without replacement: the baseline", "random_search.RandomWithout"),
    "enumerate": BuiltIn("enumerate", "in order of index, for comparison", "random_search.Enumerate"),
    "re-evaluate": BuiltIn(
        "re-evaluate[:K[:PART]]", "random without replacement, then the K best again and again",
        "random_search.ReEvaluate", (count(1), part),
    ),
    "re": BuiltIn("re[:P[:S]]", "regularised evolution: the oldest of P dies",
                  "evolution.RegularizedEvolution", (count(1), count(1))),
    "large-scale": BuiltIn("large-scale[:P]", "of two the worse dies", "evolution.LargeScale", (count(2),)),
    "hierarchical": BuiltIn("hierarchical[:P[:PART]]", "nobody dies",
                            "evolution.Hierarchical", (count(1), part)),
    "spos": BuiltIn("spos[:P]", "single path one-shot's evolution: crossing and mutation",
                    "evolution.SinglePathEvolution", (count(2),)),
    "local": BuiltIn("local", "to the first better neighbour, with restarts", "local_search.LocalSearch"),
    "reinforce": BuiltIn("reinforce[:adam|sgd[:RATE]]", "a softmax an edge, learnt by REINFORCE",
                         "reinforce.Reinforce", (one_of("adam", "sgd"), positive)),
    "mnas": BuiltIn("mnas[:TARGET[:soft|hard|abs[:W]]]", "REINFORCE for accuracy at a price in multiply-adds",
                    "reinforce.Mnas", (at_least_0, one_of("soft", "hard", "abs"), finite)),
    "nas-rl": BuiltIn("nas-rl[:RATE[:BATCH]]", "an LSTM that writes children, REINFORCE",
                      "controllers.NasRl", (positive, count(1))),
    "nasnet": BuiltIn("nasnet[:RATE[:BATCH]]", "an LSTM that writes children, PPO",
                      "controllers.NasNet", (positive, count(1))),
    "metaqnn": BuiltIn("metaqnn[:authors]", "Q-learning with replay",
                       "q_learning.MetaQnn", (one_of("authors", "mean"),)),
    "bayes": BuiltIn("bayes[:PRIOR[:NOISE[:REST]]]", "Thompson sampling on an additive model",
                     "thompson.Thompson", (positive, positive, at_least_0)),
    "pnas": BuiltIn("pnas[:K]", "small children first, then what a model predicts", "pnas.Pnas", (count(1),)),
    "coevolution": BuiltIn("coevolution[:N[:TEMPERATURE]]", "modules that are as fit as their networks",
                           "multitask.Coevolution", (count(1), positive)),
    "ctr": BuiltIn("ctr", "one champion and its mutants", "multitask.Champion"),
    "multitask": BuiltIn("multitask:NAME", "one search of all tables at once: coevolution, ctr, or your own with "
                         "for_tasks", "", least=1),
    "pbt": BuiltIn("pbt[:P[:PART]]", "the worst of a population are replaced after every point of the curve",
                   "pbt.Pbt", (count(2), part)),
    "asha": BuiltIn("asha[:ETA]", "promotes what is among the best of its rung", "halving.Asha", (above_1,)),
    "hyperband": BuiltIn("hyperband[:ETA]", "halving from every rung", "halving.Hyperband", (above_1,)),
    "successive-halving": BuiltIn("successive-halving[:ETA]", "the best third of many goes on",
                                  "halving.SuccessiveHalving", (above_1,)),
    "then": BuiltIn("then:RANKER:K", "the K best of a ranking, its super-net's training charged first; RANKER: params, "
                    "macs, a result's file or shipped name", "then.Then", (str, count(1)), 2),
    "optuna": BuiltIn("optuna[:SAMPLER]", "Optuna's samplers, such as TPESampler (extra optuna)",
                      "libraries.Optuna", (str,)),
    "nevergrad": BuiltIn("nevergrad[:OPTIMIZER]", "Nevergrad's optimisers, such as NGOpt (extra nevergrad)",
                         "libraries.Nevergrad", (str,)),
    "pymoo": BuiltIn("pymoo[:NSGA2|SMSEMOA[:P]]", "pymoo's algorithms for accuracy and multiply-adds (extra pymoo)",
                     "libraries.Pymoo", (one_of("NSGA2", "SMSEMOA"), count(2))),
    "smac": BuiltIn("smac[:FACADE]", "SMAC3's facades (extra smac)", "libraries.Smac", (str,)),
}  # fmt: skip

PLUGINS = Plugins(
    "searcher", ENTRY_POINTS, SearcherError, BUILT_IN, [b.usage for b in BUILT_IN.values()], "nasbench-ws search --list"
)


def is_multitask(name: str) -> bool:
    """Whether that is one search of all tables at once."""
    return name.partition(":")[0] == MULTITASK


def resolve_searcher(name: str) -> Make:
    """What makes the searcher of that name. SearcherError says what is wrong with the name."""
    if is_multitask(name):
        return partial(_of_one, resolve_tasks(name))
    made, arguments = _found(name)
    return partial(_made, made, arguments) if arguments else made


def resolve_tasks(name: str) -> MakeTasks:
    """What makes one search of several tables. SearcherError says what is wrong with the name."""
    own = name.partition(":")[2]
    if not own:
        raise SearcherError(f"searcher {name!r} is not written like {BUILT_IN[MULTITASK].usage}")
    made, arguments = _found(own)
    make = getattr(made, "for_tasks", None)
    if make is None:
        raise SearcherError(
            f"{own} searches one table at a time: it has no for_tasks(settings, rng), which makes a searcher a table; "
            "multitask:coevolution and multitask:ctr search all at once"
        )
    return partial(_of_tasks, make, arguments)


def code_of(make: str | Make) -> str | None:
    """SHA-256 of the file that a searcher of a user's own is in, or of the ranking that `then` has; None where neither.

    What was kept of a search is not gone on with when this has changed.
    """
    name = make if isinstance(make, str) else ""
    name = name.partition(":")[2] if is_multitask(name) else name
    head, _, rest = name.partition(":")
    try:
        if head == "then":
            then = importlib.import_module("nasbench_ws.search.then")
            path = then.ranking_file(rest.rpartition(":")[0])
        elif head in BUILT_IN:
            return None
        else:
            own: Any = _found(name)[0] if name else make
            path = inspect.getsourcefile(own)
        return None if path is None else hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except (TypeError, OSError):  # of what was made without a file
        return None


def _found(name: str) -> tuple[Any, tuple[Any, ...]]:
    """A class, or function, and its arguments."""
    head, _, rest = name.partition(":")
    if head not in BUILT_IN:
        found = PLUGINS.find(name)
        if not callable(found):
            raise SearcherError(
                f"searcher {name!r} is of type {type(found).__name__}; name a class, or a function, of (setting, rng)"
            )
        return found, ()
    built_in = BUILT_IN[head]
    arguments = rest.split(":") if rest else []
    try:
        if head == MULTITASK or not built_in.least <= len(arguments) <= len(built_in.kinds):
            raise ValueError
        read = [kind(text) for kind, text in zip(built_in.kinds, arguments, strict=False)]
    except RefusedError as error:
        raise SearcherError(f"searcher {name!r} is not written like {built_in.usage}: {error}") from None
    except ValueError:
        raise SearcherError(f"searcher {name!r} is not written like {built_in.usage}") from None
    module, _, attribute = built_in.where.partition(".")
    return getattr(importlib.import_module(f"nasbench_ws.search.{module}"), attribute), tuple(read)


def _made(make: Callable[..., Any], arguments: tuple[Any, ...], setting: Any, rng: Any) -> Any:
    return make(setting, rng, *arguments)


def _of_tasks(make: Callable[..., Any], arguments: tuple[Any, ...], settings: Any, rng: Any) -> Any:
    return make(settings, rng, *arguments)


def _of_one(make: MakeTasks, setting: Setting, rng: Generator) -> Searcher:
    """A search of several tables, on one."""
    (searcher,) = make([setting], rng)
    return searcher
