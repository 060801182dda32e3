"""Small builds: what their workers are given, which import this module, and neither pytest, scipy nor torch with it.

build(RECIPE, [0], "runs", train=quick, load=tiny, architectures=FEW)
"""

from __future__ import annotations

import concurrent.futures
import math
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nasbench_ws.images.dataset import Images, Split
from nasbench_ws.recipe import Recipe
from nasbench_ws.space.cell import Architecture
from nasbench_ws.space.macro import build_macro
from nasbench_ws.tables.columns import CURVES
from nasbench_ws.tables.run import RunRecord
from nasbench_ws.training.building.builder import Progress, build

RECIPE = Recipe(epochs=2.0)
MACRO = build_macro(RECIPE, 14, 14, 1, 10)
DIGEST = "d" * 64
FEW = ("111", "222", "333", "444")


def tiny(name: str, splits: Sequence[str], root: object) -> Images:
    split = Split(np.zeros((10, 14, 14, 1), np.uint8), np.arange(10))
    return Images(name, tuple("abcdefghij"), DIGEST, (0.0,), (1.0,), dict.fromkeys(splits, split))


def quick(recipe: Recipe, arch: Architecture, seed: int, images: Images) -> RunRecord:
    assert sorted(images.splits) == ["test", "train", "valid"]
    rng = np.random.default_rng([arch.index, seed])
    return RunRecord(
        hash=arch.hash, spec=arch.spec, seed=seed, status="ok", error="", epochs=(1.0, 2.0),
        curves={name: tuple(rng.random(2)) for name in CURVES}, recipe=recipe.to_dict(), images_digest=images.digest,
        versions={}, device=f"{os.getpid()} {os.environ.get('OMP_NUM_THREADS')}",
    )  # fmt: skip


def note(seed_and_name: str) -> int:
    """How often this was noted before, in the folder that the test names; across processes."""
    folder = Path(os.environ["NOTES"])
    before = len(list(folder.glob(f"{seed_and_name}.*")))
    (folder / f"{seed_and_name}.{before}").touch()
    return before


def moody(recipe: Recipe, arch: Architecture, seed: int, images: Images) -> RunRecord:
    """Raises once for 222, always for 333, and diverges for 444."""
    before = note(arch.name)
    if arch.name == "333" or (arch.name == "222" and before == 0):
        raise ValueError(f"mood of {arch.name}")
    record = quick(recipe, arch, seed, images)
    if arch.name == "444":
        nan = {name: (0.5, math.nan) for name in CURVES if name != "seconds"}
        return replace(record, status="diverged", error="at step 7", curves={**record.curves, **nan})
    return record


def deadly_once(recipe: Recipe, arch: Architecture, seed: int, images: Images) -> RunRecord:
    if note(arch.name) == 0 and arch.name == "222":
        os.kill(os.getpid(), signal.SIGKILL)
    return quick(recipe, arch, seed, images)


def deadly(recipe: Recipe, arch: Architecture, seed: int, images: Images) -> RunRecord:
    note(arch.name)
    if arch.name == "222":
        time.sleep(0.3)  # others are under way
        os.kill(os.getpid(), signal.SIGKILL)
    return quick(recipe, arch, seed, images)


class UnpicklableError(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__("cannot be made again from this")


def awkward(recipe: Recipe, arch: Architecture, seed: int, images: Images) -> Any:
    if arch.name == "111":
        raise UnpicklableError(1, 2)
    if arch.name == "222":
        sys.exit(3)
    return None


def other(recipe: Recipe, arch: Architecture, seed: int, images: Images) -> RunRecord:
    return quick(recipe, arch, seed + 1, images)


def slow(recipe: Recipe, arch: Architecture, seed: int, images: Images) -> RunRecord:
    if seed:
        note(f"{os.getpid()}")
        time.sleep(600)
    return quick(recipe, arch, seed, images)


def brief(recipe: Recipe, arch: Architecture, seed: int, images: Images) -> RunRecord:
    """Numbers that depend on the child and seed alone, after some time."""
    time.sleep(float(os.environ["NAP"]))
    return quick(recipe, arch, seed, images)


def counted(recipe: Recipe, arch: Architecture, seed: int, images: Images) -> RunRecord:
    note(f"{arch.name}-{seed}")
    time.sleep(0.15)
    return quick(recipe, arch, seed, images)


class Here(concurrent.futures.Executor):
    """Runs at once, in this process: the order of submission is that of the work."""

    def __init__(self) -> None:
        self.order: list[tuple[str, int]] = []

    def submit(self, work: Any, make: Any, number: int, run: Any, *rest: Any) -> Any:  # type: ignore[override]
        arch, seed = run
        self.order.append((arch.name, seed))
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        try:
            future.set_result(work(make, number, run, *rest))
        except Exception as error:
            future.set_exception(error)
        return future


def made(folder: Path, **options: Any) -> Progress:
    options = {"train": quick, "load": tiny, "architectures": FEW, **options}
    return build(RECIPE, options.pop("seeds", (0,)), folder, **options)


def builder(folder: Path) -> None:
    build(RECIPE, [0, 1], folder, train=counted, load=tiny, architectures=FEW, executor=Here())
