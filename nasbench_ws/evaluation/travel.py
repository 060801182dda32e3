"""A ranker as it travels to machines that do not have its files: with its code, and what a name in it stands for.

    sent = pack(ranker, table)                  # here
    sent.run(piece, problem, images, on_step)   # there

Processes on this machine find the files themselves (work.py).
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nasbench_ws.errors import UsageError
from nasbench_ws.evaluation.sources import sources
from nasbench_ws.images.dataset import Images
from nasbench_ws.plugins import at_hand
from nasbench_ws.rankers.base import OnStep, Piece, Ranker
from nasbench_ws.sharing.strategies import BUILT_IN, PLUGINS, resolve
from nasbench_ws.space.problem import Problem
from nasbench_ws.tables.table import Table


@dataclass(frozen=True)
class Sent:
    """A ranker and what its names stand for, as bytes. It is opened once a process."""

    things: bytes
    ranker: bytes

    def run(self, piece: Piece, problem: Problem, images: Images | None, on_step: OnStep) -> Mapping[str, Any]:
        """As of the ranker."""
        things, ranker = _opened(self)
        with at_hand(things):
            return ranker.run(piece, problem, images, on_step)

    @property
    def name(self) -> str:
        return _opened(self)[1].name

    @property
    def splits(self) -> tuple[str, ...]:
        return _opened(self)[1].splits

    @property
    def valid_images(self) -> int:
        return int(getattr(_opened(self)[1], "valid_images", 0))


@functools.lru_cache(maxsize=4)
def _opened(sent: Sent) -> tuple[Mapping[str, Any], Ranker]:
    import cloudpickle  # type: ignore[import-untyped]

    things: Mapping[str, Any] = cloudpickle.loads(sent.things)
    with at_hand(things):
        ranker: Ranker = cloudpickle.loads(sent.ranker)
    return things, ranker


def pack(ranker: Ranker, table: Table) -> Sent:
    """UsageError where it holds what does not travel, with the way out."""
    import cloudpickle  # which dask.distributed brings

    things = {name: _meaning(name, table) for name in ranker.sources() if isinstance(name, str) and _is_file(name)}
    try:
        with _by_value({os.path.realpath(path) for path in sources(ranker.sources())}):
            return Sent(cloudpickle.dumps(things), cloudpickle.dumps(ranker))
    except Exception as error:
        raise UsageError(
            f"{ranker.name} cannot be sent to other machines: {type(error).__name__}: {error}; keep open files, locks "
            "and the like out of it"
        ) from error


def _is_file(name: str) -> bool:
    """Whether the name means a file: code of a user's own, or groups."""
    return name.startswith("groups:file:") or (":" in name and name.partition(":")[0] not in BUILT_IN)


def _meaning(name: str, table: Table) -> Any:
    return resolve(name, table.space, table.macro).key if name.startswith("groups:file:") else PLUGINS.found(name)[0]


@contextlib.contextmanager
def _by_value(files: set[str]) -> Iterator[None]:
    """Inside, what is defined in modules of these files is sent as code, and not as a name to import."""
    import cloudpickle

    ours = [
        module
        for module in list(sys.modules.values())
        if getattr(module, "__file__", None) and os.path.realpath(str(module.__file__)) in files
    ]
    for module in ours:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in ours:
            cloudpickle.unregister_pickle_by_value(module)
