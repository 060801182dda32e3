"""The ways of training shared weights that are built in, by name, and how each differs from its paper.

    ROWS["darts"].help, ROWS["darts"].differences
    made("darts:second", "darts:lr=0.05")       # the object that trains; a module is imported when it is made

No torch here: `nasbench-ws strategies` lists this.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from nasbench_ws.errors import UsageError, near_misses

EVERYWHERE = (
    "one kind of cell and one choice for all cells; batch norms without scale and shift",
    "weights are trained by the table's recipe, the rate by the part of the budget that is spent",
    "rates of gates are the authors', times their number of updates over that of the budget, at most .1",
)
"""Differences that all relaxed rows share."""


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
            "half of the training images moves the gates, as in the paper, but in the order of the data set",
            "running statistics move in weight steps only; the authors' move in gate steps too",
            "no clipping of the weights' gradient (authors: norm 5), and no operations skip and none",
        ),
    ),
}


def made(name: str) -> Any:
    """The object behind a name such as `darts:second`. UsageError for arguments that it does not take."""
    head, *arguments = name.split(":")
    row = ROWS[head]
    module, _, attribute = row.where.partition(":")
    kind = getattr(importlib.import_module(f"nasbench_ws.rankers.{module}"), attribute)
    return kind(**options(name, row.usage, arguments, dataclasses.fields(kind), getattr(kind, "first", "")))


def options(
    name: str, usage: str, arguments: Iterable[str], fields: Iterable[dataclasses.Field[Any]], first: str = ""
) -> dict[str, Any]:
    """Arguments as fields of a dataclass: `word` is a flag, or the value of the field `first`; `key=value` any other.

    UsageError says how the name is written.
    """
    kinds: dict[str, Any] = {one.name: type(one.default) for one in fields}
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
    return found


WORDS: dict[type, str] = {int: "a whole number", float: "a number", str: "a text", bool: "a flag"}
