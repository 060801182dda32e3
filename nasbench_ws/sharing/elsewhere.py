"""Whether a strategy of a file or module shares alike in another process, where texts have other hashes.

    check_elsewhere(strategy, space, macro)         # StrategyError names the first child that shares otherwise

A key that takes hash() of a text, or the order of a set, divides the children otherwise each time: what is evaluated in
one process alone would be of a division that nobody sees again. The other process resolves the name and asks for every
key, which takes half a second; where it fails for whatever reason, nothing is said.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys

from nasbench_ws.errors import StrategyError
from nasbench_ws.sharing.keys import UNSTEADY, partners
from nasbench_ws.sharing.strategies import Strategy, resolve
from nasbench_ws.space.cell import Space
from nasbench_ws.space.macro import Macro

PROGRAM = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from nasbench_ws.sharing.elsewhere import answer; answer()"
)
LONGEST_SECONDS = 60.0


def all_partners(strategy: Strategy, space: Space, macro: Macro) -> list[str]:
    """For each child of the space, `keys.partners` under all of a strategy's keys."""
    return partners(macro, list(space), [strategy.key, *(key for _, key in strategy.later)])


def check_elsewhere(strategy: Strategy, space: Space, macro: Macro) -> None:
    """StrategyError where a process of its own finds a strategy, by its name, to share otherwise than this one does."""
    name, here = strategy.name, all_partners(strategy, space, macro)
    asked = pickle.dumps(sys.path) + pickle.dumps((name, space, macro))
    try:
        ended = subprocess.run(
            [sys.executable, "-c", PROGRAM], input=asked, capture_output=True, timeout=LONGEST_SECONDS, check=True
        )
        there = json.loads(ended.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return
    for child, ours, theirs in zip(space, here, there, strict=True):
        if ours != theirs:
            raise StrategyError(
                f"strategy {name!r} gives child {child.name} other weights to share in another process than in this "
                f"one; {UNSTEADY}"
            )


def answer() -> None:
    """What the other process runs: the name in, the partners of every child out. What a strategy prints is dropped."""
    name, space, macro = pickle.load(sys.stdin.buffer)
    out = os.dup(1)
    os.dup2(2, 1)
    found = all_partners(resolve(name, space, macro), space, macro)
    with open(out, "w") as answered:
        json.dump(found, answered)
