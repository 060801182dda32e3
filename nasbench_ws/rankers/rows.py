"""The ways of training shared weights that are built in, by name, and how each differs from its paper.

    ROWS["darts"].help, ROWS["darts"].differences
    options("darts:lr=0.05")                    # what is asked of it, or a UsageError
    made("darts:second")                        # the object that trains; its module is imported when it is made

`nasbench-ws strategies` lists this, and a wrong name is refused, without torch.
"""

from __future__ import annotations

import ast
import importlib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasbench_ws.errors import UsageError, near_misses

EVERYWHERE = (
    "one kind of cell and one choice for all cells; batch norms without scale and shift",
    "weights are trained by the table's recipe, the rate by the part of the budget that is spent",
    "rates of gates are the authors', times their number of updates over that of the budget, at most .1",
)
"""Differences that all relaxed rows share."""
HALF = (
    "half of the training images, the last in the data set's order, moves the gates, as in the paper a random half does"
)


@dataclass(frozen=True)
class Row:
    """A built-in way.

    Attributes:
        usage: the notation with its arguments.
        help: in a line.
        where: the module below nasbench_ws.rankers, and the class in it.
        paper: what it is from.
        differences: from the paper and its authors' code.
    """

    usage: str
    help: str
    where: str
    paper: str
    differences: tuple[str, ...] = ()


ROWS: dict[str, Row] = {
    "darts": Row(
        "darts[:second][:lr=RATE]",
        "softmax gates on all operations, moved by held-back images",
        "relaxed.darts:Darts",
        "Liu, Simonyan, Yang, DARTS, ICLR 2019",
        (
            *EVERYWHERE,
            HALF,
            "running statistics move in weight steps only; the authors' move in gate steps too",
            "no clipping of the weights' gradient (authors: norm 5), and no operations skip and none",
        ),
    ),
    "gdas": Row(
        "gdas[:lr=RATE]",
        "one drawn operation an edge, with the gradient of a Gumbel-softmax",
        "relaxed.gdas:Gdas",
        "Dong, Yang, Searching for a Robust Neural Architecture in Four GPU Hours, CVPR 2019",
        (
            *EVERYWHERE,
            HALF,
            "the gradient flows through the drawn gate alone (the authors' gdas_v1); their first code added the other "
            "gates to the feature map as numbers",
        ),
    ),
    "snas": Row(
        "snas[:lr=RATE]",
        "Gumbel-softmax gates that grow colder; the same batch moves weights and gates",
        "relaxed.snas:Snas",
        "Xie, Zheng, Liu, Lin, SNAS, ICLR 2019",
        (*EVERYWHERE, "gates by Adam, as the authors' distributed code; without its term for resources"),
    ),
    "fbnet": Row(
        "fbnet[:macs][:lr=RATE]",
        "Gumbel-softmax gates on held-back images; :macs adds the paper's cost term",
        "relaxed.fbnet:Fbnet",
        "Wu et al., FBNet, CVPR 2019",
        (
            *EVERYWHERE,
            "the authors' code was not published: constants are those of the paper and of unofficial codes",
            "one draw for a batch, not for an image; four weight steps to a gate step, not whole epochs",
            ":macs counts multiply-adds exactly, in place of a table of latencies, and in the gates' loss alone",
        ),
    ),
    "proxyless": Row(
        "proxyless[:two | :rl][:lr=RATE]",
        "drawn children are trained; gates move by gradient (full, two) or REINFORCE (rl)",
        "relaxed.proxyless:Proxyless",
        "Cai, Zhu, Han, ProxylessNAS, ICLR 2019",
        (
            *EVERYWHERE,
            "the authors' full_v2 also moves the running statistics of operations that were not drawn; not here",
            "without terms for latency, and without label smoothing",
        ),
    ),
    "dso": Row(
        "dso[:gamma=PENALTY]",
        "gates under an L1 penalty; what stays at 0 is dropped",
        "relaxed.dso:Dso",
        "Zhang, Huang, Wang, Xiang, Pan, You Only Search Once, TPAMI 2020",
        (
            *EVERYWHERE[:2],
            HALF,
            "gates scale an operation's output, not its input; half of the budget is trained with gates of 1",
            "the penalty is such that a gate without gradient falls by 1.3 over all its steps",
        ),
    ),
    "autodeeplab": Row(
        "autodeeplab[:lr=RATE]",
        "DARTS of the first order whose gates begin to move at half time",
        "relaxed.autodeeplab:AutoDeepLab",
        "Liu et al., Auto-DeepLab, CVPR 2019",
        (*EVERYWHERE, HALF, "the cell's search alone: there is one network around the cells, and no level to choose"),
    ),
    "enas": Row(
        "enas[:micro][:lr=RATE]",
        "a controller writes children, and learns from their accuracy on shared weights",
        "relaxed.enas:Enas",
        "Pham, Guan, Zoph, Le, Dean, ENAS, ICML 2018",
        (
            *EVERYWHERE,
            "logits are 2.5 tanh(. / 5), as in re-implementations on such cells; :micro has the authors' .44 tanh(.)",
            "no bias of the first two operations, which belongs to another list; no restarts of the learning rate",
        ),
    ),
    "oneshot": Row(
        "oneshot[:R][:fan=edge | :fan=node]",
        "all operations at once, each dropped at random; R (.05): all of an edge's at the end",
        "relaxed.oneshot:OneShot",
        "Bender et al., Understanding and Simplifying One-Shot Architecture Search, ICML 2018",
        (EVERYWHERE[0], EVERYWHERE[1], "ghost batches of 32 in batches of 64; the paper's in batches of 1,024"),
    ),
    "drnas": Row(
        "drnas[:lr=RATE]",
        "gates drawn from Dirichlet distributions, whose concentrations move",
        "relaxed.drnas:DrNas",
        "Chen, Wang, Cheng, Tang, Hsieh, DrNAS, ICLR 2021",
        (*EVERYWHERE, HALF, "all channels pass through the mixture from the start; the authors begin with some"),
    ),
    "sumnas": Row(
        "sumnas[:K]",
        "weights move to the mean of where K (2) steps of each of four children lead",
        "relaxed.sumnas:Sumnas",
        "Ha, Kim, Park, Yoo, SUMNAS, ICLR 2022",
        (EVERYWHERE[0], EVERYWHERE[1], "the outer step has rate 1, and the steps of a child begin without momentum"),
    ),
    "gm-nas": Row(
        "gm-nas",
        "children drawn evenly; twice, an edge's operations are divided where gradients disagree most",
        "relaxed.gmnas:GmNas",
        "Hu, Wang, Bender, Cheng, Hsieh, Generalizing Few-Shot NAS with Gradient Matching, ICLR 2022",
        (
            EVERYWHERE[0],
            EVERYWHERE[1],
            "divided at .3 and .6 of the budget (the authors' epochs 15 and 30 of 50), and paid for: 3 % of it each",
            "one super-net holds all copies, and children are drawn from all of them to the end",
        ),
    ),
    "dynas": Row(
        "dynas",
        "children drawn evenly; large ones keep a high rate longer, and momenta are an operation's own",
        "relaxed.dynas:Dynas",
        "Jeon, Oh, Jeong, Ham, Subnet-Aware Dynamic Supernet Training for NAS, CVPR 2025",
        (
            EVERYWHERE[0],
            "the rate is the recipe's highest, after its warm-up; then it falls as the paper says, from the recipe's "
            "end of warm-up on",
        ),
    ),
    "panda": Row(
        "panda",
        "operations and images with large gradients are drawn more often, the more so the later",
        "relaxed.panda:Panda",
        "Lu et al., PA&DA, CVPR 2023",
        (
            EVERYWHERE[0],
            EVERYWHERE[1],
            "the part that gradients decide rises with the spent budget, where the authors' rises by epochs",
            "images that were not seen yet count as the mean of those that were",
        ),
    ),
    "kshot": Row(
        "kshot[:K]",
        "K (2) sets of weights, of which every child has a mixture of its own",
        "relaxed.kshot:KShot",
        "Su et al., K-shot NAS, ICML 2021",
        (
            EVERYWHERE[0],
            EVERYWHERE[1],
            "the net that mixes adds up a vector for each (edge, operation), in place of two layers; it moves with "
            "every step",
        ),
    ),
    "rs-ws": Row(
        "rs-ws",
        "children drawn evenly, one a step; also scored on 640 images drawn for each",
        "relaxed.uniform:RsWs",
        "Li, Talwalkar, Random Search and Reproducibility for NAS, UAI 2019",
        (EVERYWHERE[0], EVERYWHERE[1], "sampled:1000 is the chance to be the best of 1,000 draws, in closed form"),
    ),
    "spos": Row(
        "spos",
        "the same training; children are scored after recalibrating batch norm",
        "relaxed.uniform:Spos",
        "Guo et al., Single Path One-Shot NAS with Uniform Sampling, ECCV 2020",
        (
            EVERYWHERE[0],
            EVERYWHERE[1],
            "all children are scored; the paper's evolutionary search has too few to search",
        ),
    ),
}


def made(name: str) -> Any:
    """The object behind a name such as `darts:second`. UsageError for arguments that it does not take."""
    found = options(name)
    module, _, attribute = ROWS[name.partition(":")[0]].where.partition(":")
    return getattr(importlib.import_module(f"nasbench_ws.rankers.{module}"), attribute)(**found)


def options(name: str) -> dict[str, Any]:
    """The arguments in a name: `word` is a flag, or the value of the row's first option; `key=value` any other.

    UsageError says how the name is written. Needs no torch, so that a wrong name is refused at once.

    >>> options("darts:second:lr=0.05"), options("kshot:4")
    ({'second': True, 'lr': 0.05}, {'k': 4})
    """
    head, *arguments = name.split(":")
    usage = ROWS[head].usage
    either = re.findall(r":(\w+) \| :(\w+)", usage)
    kinds, first = _fields(ROWS[head].where)
    found: dict[str, Any] = {}
    for argument in arguments:
        key, equals, text = argument.partition("=")
        if not equals and kinds.get(key) is not bool:
            key, equals, text = first, "=", argument
        if key not in kinds or (equals and kinds[key] is bool) or key in found:
            allowed = [key for key in kinds if key != first]
            raise UsageError(f"{name} is not written like {usage}{near_misses(argument, allowed)}")
        try:
            found[key] = kinds[key](text) if equals else True
        except ValueError:
            raise UsageError(f"{name}: {key} is {text!r}, not {WORDS[kinds[key]]}; write {usage}") from None
        allows, words = ALLOWED.get(key, (lambda value: True, ""))
        if not allows(found[key]):
            raise UsageError(f"{name}: {key} is {text}; give {words}")
    for pair in either:
        if found.keys() >= set(pair):
            raise UsageError(f"{name} asks for {' and '.join(pair)}, which exclude one another; write {usage}")
    return found


def _fields(where: str) -> tuple[dict[str, type], str]:
    """A class's options, each with its kind, and which one is written without its name ("": none).

    Read from its source: to import it would be to import torch.
    """
    module, _, attribute = where.partition(":")
    source = Path(__file__).parent.joinpath(*module.split(".")).with_suffix(".py").read_text("utf-8")
    (body,) = (one.body for one in ast.parse(source).body if isinstance(one, ast.ClassDef) and one.name == attribute)
    kinds: dict[str, type] = {}
    first = ""
    for line in body:
        match line:
            case ast.AnnAssign(target=ast.Name("first"), value=ast.Constant(str(name))):
                first = name
            case ast.AnnAssign(target=ast.Name(name), annotation=ast.Name(), value=ast.Constant(default)):
                kinds[name] = type(default)  # what is no option is a ClassVar or a field(...)
    return kinds, first


ALLOWED: dict[str, tuple[Callable[[Any], bool], str]] = {  # values of options, and in words
    "lr": (lambda rate: 0 < rate < math.inf, "a rate above 0, or leave it out for the authors', scaled"),
    "gamma": (lambda penalty: 0 < penalty < math.inf, "a penalty above 0, or leave it out"),
    "rate": (lambda rate: 0 <= rate <= 1, "0 to 1"),
    "fan": (lambda fan: fan in ("edge", "node"), "edge or node"),
    "inner": (lambda steps: steps >= 1, "at least 1 step"),
    "k": (lambda sets: 2 <= sets <= 64, "2 to 64 sets of weights"),  # all of them are held at once
}
WORDS: dict[type, str] = {int: "a whole number", float: "a number", str: "a text", bool: "a flag"}
