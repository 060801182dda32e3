"""Rank all children first, then train the best few: a super-net and its standalone runs as one curve.

    search("then:shuffle:8", table, unit="macs")          # a shipped result, or the path of one
    search("then:params:8", table)

The ranking is charged before anything is trained: training the super-net, and a look at every network, in
multiply-adds.
"""

from __future__ import annotations

import functools
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from nasbench_ws.errors import SearcherError, near_misses
from nasbench_ws.metrics import nan_as_worst
from nasbench_ws.results.result import Result, check_children
from nasbench_ws.search.oracle import Seen
from nasbench_ws.search.searcher import Ask, Setting, or_worst
from nasbench_ws.search.supernet import images_of_a_look
from nasbench_ws.space.cell import Space

COUNTS = ("params", "macs")
FOLDERS = ("results", "longer")  # of results that ship: of the usual steps, and of more


class Then:
    """
    Args:
        ranker: params, macs, or a result of `nasbench-ws evaluate`: its file, or a shipped one's name. A repetition has
            one of its instances.
        top: how many networks are trained; when all were, the same again.
    """

    def __init__(self, setting: Setting, rng: Generator, ranker: str, top: int) -> None:
        self.macs_before = 0.0
        if ranker in COUNTS:
            scores = np.asarray(getattr(setting, ranker), dtype=np.float64)
        else:
            matrix, training, images = rankings(ranker, setting.space)
            self.instance = int(rng.integers(len(matrix)))
            scores = matrix[self.instance]
        if ranker not in COUNTS:
            networks = np.arange(len(scores)) if setting.networks is None else np.unique(setting.networks)
            self.macs_before = training + images * float(setting.macs[networks].sum())
        mixed = rng.permutation(len(scores))  # ties in random order
        order = mixed[np.argsort(-scores[mixed], kind="stable")]
        if setting.networks is not None:  # a network once, under the name that comes first
            _, firsts = np.unique(np.array(setting.networks)[order], return_index=True)
            order = order[np.sort(firsts)]
        self._top = order[: max(1, top)].tolist()
        self._count = 0
        self._best, self._value = int(self._top[0]), -np.inf

    def ask(self) -> Ask:
        child = self._top[self._count % len(self._top)]
        self._count += 1
        return Ask(child)

    def tell(self, trial: int, ask: Ask, seen: Seen) -> None:
        if or_worst(seen.signal) > self._value:
            self._best, self._value = ask.child, seen.signal

    def incumbent(self) -> int:
        """Before any is trained, the ranker's first."""
        return self._best


def ranking_file(ranker: str) -> Path | None:
    """The result's; None for what counts. SearcherError where there is none of that name."""
    if ranker in COUNTS:
        return None
    path = Path(ranker)
    if path.is_file():
        return path
    folders = [Path(str(files("nasbench_ws.data"))) / name for name in FOLDERS]
    found = next((path for folder in folders if (path := folder / f"{ranker}.json").is_file()), None)
    if found is None:
        ship = [path.relative_to(folder) for folder in folders for path in sorted(folder.rglob("*.json"))]
        known = [*COUNTS, *(path.with_suffix("").as_posix() for path in ship)]
        raise SearcherError(
            f"there is no ranking {ranker!r}{near_misses(ranker, known)}: neither params or macs, nor a file of "
            "`nasbench-ws evaluate -o FILE`, nor the file name of a result that ships, such as shuffle (which is full) "
            "or full-39200"
        )
    return found


@functools.lru_cache(maxsize=8)
def rankings(ranker: str, space: Space) -> tuple[NDArray[np.float64], float, int]:
    """(instances, children) scores, the multiply-adds of training one instance, and how many images score a child.

    ResultError where they are of other children than the space's.
    """
    path = ranking_file(ranker)
    assert path is not None
    result = Result.load(path)
    check_children(result.outcome, space, space.name)
    usable = result.scores[np.isfinite(result.scores).any(axis=1)]
    if not len(usable):
        raise SearcherError(f"{path} ranks nothing: every instance diverged; take another result")
    return nan_as_worst(usable), float(result.outcome.cost.macs), images_of_a_look(result)
