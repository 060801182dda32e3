"""One piece of an evaluation, wherever it runs: images loaded once a process, and what it was made with beside it.

    run_piece(ranker, problem, Source(), piece, on_step=print)      # a JSON object

There is no table here: a worker could not open one.
"""

from __future__ import annotations

import functools
import pickle
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nasbench_ws.errors import UsageError
from nasbench_ws.images.dataset import Images
from nasbench_ws.images.loaders import Load, load_images
from nasbench_ws.provenance import versions
from nasbench_ws.rankers.base import Piece, Ranker
from nasbench_ws.space.problem import Problem


@dataclass(frozen=True)
class Source:
    """Where images come from: `load` is called as `load_images` is, with the data set's name, splits and `root`."""

    root: str | None = None
    load: Load | None = None  # None: `load_images`


def images_for(ranker: Ranker, problem: Problem, source: Source) -> Images | None:
    """The images that a ranker looks at; None where it looks at none. UsageError where it asks for test images."""
    if not ranker.splits:
        return None
    if not set(ranker.splits) <= {"train", "valid"}:
        raise UsageError(
            f"{ranker.name} asks for the images {', '.join(ranker.splits)}; a ranker may look at train and valid only"
        )
    loaded = _loaded(source.load or load_images, problem.images, tuple(ranker.splits), source.root)
    return _first(loaded, getattr(ranker, "valid_images", 0))


@functools.lru_cache(maxsize=2)  # in a worker, one data set; in a notebook, perhaps a small one beside it
def _loaded(load: Load, name: str, splits: tuple[str, ...], root: str | None) -> Images:
    return load(name, splits, root=root)


def _first(images: Images, count: int) -> Images:
    """With that many validation images; 0: all. UsageError where there are not so many."""
    if not count:
        return images
    there = len(images.valid)
    if count > there:
        raise UsageError(f"{count:,} validation images of {images.name}: it has 1 to {there:,} (--valid-images)")
    return images.first_valid(count)


def run_piece(
    ranker: Ranker, problem: Problem, source: Source, piece: Piece, on_step: Callable[[float], None]
) -> Mapping[str, Any]:
    """The piece's outcome, with the versions of what made it."""
    outcome = ranker.run(piece, problem, images_for(ranker, problem, source), on_step)
    return {**outcome, "versions": versions()}


def check_travels(ranker: Ranker, problem: Problem, source: Source) -> None:
    """UsageError where a worker process could not be sent the ranker, or what loads images, with the way out."""
    thing = getattr(ranker, "thing", None)
    kind: Any = thing if hasattr(thing, "__qualname__") else type(thing)
    why = ""
    if getattr(kind, "__module__", "") == "__main__" and not hasattr(sys.modules["__main__"], "__file__"):
        why = f"{kind.__name__} exists in this session only"
    else:
        try:
            pickle.dumps((ranker, problem, source))
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
    if why:
        raise UsageError(
            f"{ranker.name} cannot be sent to worker processes: {why}; write it in a file and give its name, as "
            f"'my.py:{ranker.name}', or leave workers out to run it in this process"
        )
