"""One piece of an evaluation, wherever it runs: images loaded once a process, and what it was made with beside it.

    run_piece(ranker, problem, Source(), piece, on_step=print)      # a JSON object

There is no table here: a worker could not open one.
"""

from __future__ import annotations

import pickle
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nasbench_ws.errors import DataError, UsageError
from nasbench_ws.evaluation.travel import Sent
from nasbench_ws.images.dataset import Images
from nasbench_ws.images.loaders import Load, load_images
from nasbench_ws.plugins import staying_here
from nasbench_ws.provenance import versions
from nasbench_ws.rankers.base import Piece, Ranker
from nasbench_ws.space.code import operation_codes
from nasbench_ws.space.problem import Problem

DATA_SETS = 2  # kept in a process: in a worker there is one, in a notebook perhaps a small one beside it


@dataclass(frozen=True)
class Source:
    """Where images come from: `load` is called as `load_images` is, with the data set's name, splits and `root`.

    A name says nothing of what is in a folder, which may have changed, or differ on another machine: `digest` does.
    """

    root: str | None = None
    load: Load | None = None  # None: `load_images`
    digest: str | None = None  # of the images that are asked for; None: whatever is there now


_kept: OrderedDict[tuple[Any, ...], Images] = OrderedDict()  # of this process, the one asked for last at the end


def images_for(ranker: Ranker | Sent, problem: Problem, source: Source) -> Images | None:
    """The images that a ranker looks at; None where it looks at none.

    UsageError where it asks for test images, DataError where the images of that name are others here.
    """
    if not ranker.splits:
        return None
    if not set(ranker.splits) <= {"train", "valid"}:
        raise UsageError(
            f"{ranker.name} asks for the images {', '.join(ranker.splits)}; a ranker may look at train and valid only"
        )
    load, name = source.load or load_images, problem.images
    which = (load, name, tuple(ranker.splits), source.root)
    found = next((one for key, one in _kept.items() if key == (*which, source.digest)), None)
    if found is None:
        found = load(name, ranker.splits, root=source.root)
        if source.digest not in (None, found.digest):
            raise DataError(
                f"the images {name} have digest {found.digest} here, and {source.digest} where this evaluation was "
                "asked for; have the same images in the same place on every machine, and leave them while it runs"
            )
        _kept[(*which, found.digest)] = found
        while len(_kept) > DATA_SETS:
            _kept.popitem(last=False)
    return _first(found, getattr(ranker, "valid_images", 0))


def _first(images: Images, count: int) -> Images:
    """With that many validation images; 0: all. UsageError where there are not so many."""
    if not count:
        return images
    there = len(images.valid)
    if count > there:
        raise UsageError(f"{count:,} validation images of {images.name}: it has 1 to {there:,} (--valid-images)")
    return images.first_valid(count)


def run_piece(
    ranker: Ranker | Sent,
    problem: Problem,
    source: Source,
    piece: Piece,
    on_step: Callable[[float], None],
) -> Mapping[str, Any]:
    """The piece's outcome, with the versions of what made it; errors as of `images_for`."""
    with staying_here():  # where the user's code goes to another folder, relative names are those of before
        outcome = ranker.run(piece, problem, images_for(ranker, problem, source), on_step)
    return {**outcome, "versions": versions() | operation_codes(problem.space)}


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
