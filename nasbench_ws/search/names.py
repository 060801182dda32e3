"""Searchers by name: `re:20:5`, `optuna:TPESampler`, `my.py:Mine`.

    make = resolve_searcher("re:20:5")        # a function of (setting, rng)

A built-in one's file is imported when it is asked for. Not here: what they do. No torch.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from nasbench_ws.errors import SearcherError
from nasbench_ws.plugins import Plugins
from nasbench_ws.search.searcher import Make

ENTRY_POINTS = "nasbench_ws.searchers"


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
        "random_search.ReEvaluate", (int, float),
    ),
    "re": BuiltIn(
        "re[:P[:S]]", "regularised evolution: the oldest of P dies", "evolution.RegularizedEvolution", (int, int)
    ),
    "large-scale": BuiltIn("large-scale[:P]", "of two the worse dies", "evolution.LargeScale", (int,)),
    "hierarchical": BuiltIn("hierarchical[:P[:PART]]", "nobody dies", "evolution.Hierarchical", (int, float)),
    "spos": BuiltIn("spos[:P]", "single path one-shot's evolution: crossing and mutation",
                    "evolution.SinglePathEvolution", (int,)),
    "local": BuiltIn("local", "to the first better neighbour, with restarts", "local_search.LocalSearch"),
    "reinforce": BuiltIn("reinforce[:adam|sgd[:RATE]]", "a softmax an edge, learnt by REINFORCE",
                         "reinforce.Reinforce", (str, float)),
    "mnas": BuiltIn("mnas[:TARGET[:soft|hard|abs[:W]]]", "REINFORCE for accuracy at a price in multiply-adds",
                    "reinforce.Mnas", (float, str, float)),
    "nas-rl": BuiltIn("nas-rl[:RATE[:BATCH]]", "an LSTM that writes children, REINFORCE",
                      "controllers.NasRl", (float, int)),
    "nasnet": BuiltIn("nasnet[:RATE[:BATCH]]", "an LSTM that writes children, PPO",
                      "controllers.NasNet", (float, int)),
    "metaqnn": BuiltIn("metaqnn[:authors]", "Q-learning with replay", "q_learning.MetaQnn", (str,)),
    "bayes": BuiltIn("bayes[:PRIOR[:NOISE[:REST]]]", "Thompson sampling on an additive model",
                     "thompson.Thompson", (float, float, float)),
    "pnas": BuiltIn("pnas[:K]", "small children first, then what a model predicts", "pnas.Pnas", (int,)),
    "coevolution": BuiltIn("coevolution[:N[:TEMPERATURE]]", "modules that are as fit as their networks",
                           "multitask.Coevolution", (int, float)),
    "ctr": BuiltIn("ctr", "one champion and its mutants", "multitask.Champion"),
    "pbt": BuiltIn("pbt[:P[:PART]]", "the worst of a population are replaced after every point of the curve",
                   "pbt.Pbt", (int, float)),
    "asha": BuiltIn("asha[:ETA]", "promotes what is among the best of its rung", "halving.Asha", (float,)),
    "hyperband": BuiltIn("hyperband[:ETA]", "halving from every rung", "halving.Hyperband", (float,)),
    "successive-halving": BuiltIn("successive-halving[:ETA]", "the best third of many goes on",
                                  "halving.SuccessiveHalving", (float,)),
    "then": BuiltIn("then:RANKER:K", "the K best of a ranking, its super-net's training charged first; RANKER: params, "
                    "macs, a result's file or shipped name", "then.Then", (str, int), 2),
    "optuna": BuiltIn("optuna[:SAMPLER]", "Optuna's samplers, such as TPESampler (extra optuna)",
                      "libraries.Optuna", (str,)),
    "nevergrad": BuiltIn("nevergrad[:OPTIMIZER]", "Nevergrad's optimisers, such as NGOpt (extra nevergrad)",
                         "libraries.Nevergrad", (str,)),
    "smac": BuiltIn("smac[:FACADE]", "SMAC3's facades (extra smac)", "libraries.Smac", (str,)),
}  # fmt: skip

PLUGINS = Plugins(
    "searcher", ENTRY_POINTS, SearcherError, BUILT_IN, [b.usage for b in BUILT_IN.values()], "nasbench-ws search --list"
)


def resolve_searcher(name: str) -> Make:
    """What makes the searcher of that name. SearcherError says what is wrong with the name."""
    head, _, rest = name.partition(":")
    if head not in BUILT_IN:
        found = PLUGINS.find(name)
        if not callable(found):
            raise SearcherError(
                f"searcher {name!r} is a {type(found).__name__}; name a class, or a function, of (setting, rng)"
            )
        make: Make = found
        return make
    built_in = BUILT_IN[head]
    arguments = rest.split(":") if rest else []
    try:
        if not built_in.least <= len(arguments) <= len(built_in.kinds):
            raise ValueError
        read = [kind(text) for kind, text in zip(built_in.kinds, arguments, strict=False)]
    except ValueError:
        raise SearcherError(f"searcher {name!r} is not written like {built_in.usage}") from None
    module, _, attribute = built_in.where.partition(".")
    made = getattr(importlib.import_module(f"nasbench_ws.search.{module}"), attribute)
    return partial(_made, made, tuple(read)) if read else made


def _made(make: Callable[..., Any], arguments: tuple[Any, ...], setting: Any, rng: Any) -> Any:
    return make(setting, rng, *arguments)
