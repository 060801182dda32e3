"""What several test files need: a tiny data set with a table of its children, and quick statistics."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

# Two test processes on two processors, and each child of theirs: more threads only wait for one another. Before numpy
# and torch are imported, which read it then.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

# What the package keeps in its cache, it keeps for this run of the tests alone; all its processes share it.
if "PYTEST_XDIST_WORKER" not in os.environ:
    CACHE = tempfile.TemporaryDirectory(prefix="nasbench-ws-tests-")
    os.environ["NASBENCH_WS_CACHE"] = CACHE.name

import hypothesis
import numpy as np
import pytest

from nasbench_ws.cost import Cost
from nasbench_ws.images.dataset import Images, Split
from nasbench_ws.json_files import without_nan
from nasbench_ws.rankers.plan import Plan
from nasbench_ws.recipe import Recipe
from nasbench_ws.results.effort import Effort, drawing
from nasbench_ws.results.outcome import Outcome
from nasbench_ws.results.result import Result
from nasbench_ws.space.macro import build_macro
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.tables.checks import blank_columns, root_attributes
from nasbench_ws.tables.columns import CURVES, Content
from nasbench_ws.tables.table import Table

FOLDERS = ("", "training/building", "cli", "docs", "images", "metrics", "rankers", "search", "tables", "workers")
TESTS_PATH = os.pathsep.join(str(Path(__file__).parent / folder) for folder in FOLDERS)  # for processes of their own
SEEDS, EPOCHS = (0, 1, 2), (0.5, 1.0)

hypothesis.settings.register_profile("untimed", deadline=None)  # how long a case takes depends on who else computes
hypothesis.settings.load_profile("untimed")


def pytest_configure() -> None:
    """Where the suite was started in the background, Ctrl-C is ignored in all processes; some tests send it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)



@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_the_disk() -> Iterator[None]:
    """Some milliseconds for each of thousands of files, which need not outlive a loss of power here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: os.fstat(descriptor))  # fails where fsync does: on what is closed
        yield


@pytest.fixture(scope="session", autouse=True)
def no_progress_of_what_is_quick_on_an_idle_machine() -> Iterator[None]:
    """So that what a command says does not depend on what else the machine does; test_progress.py looks at that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nasbench_ws.cli.progress.PATIENCE", 3600.0)
        yield


@dataclass(frozen=True)
class Tiny:
    """256 training, 64 validation and 32 test images of 6x6, in four classes; a recipe and a table for them."""

    images: Images
    recipe: Recipe
    table: Table

    def load(
        self, name: str, splits: Sequence[str] = ("train", "valid"), root: str | Path | None = None, **_: Any
    ) -> Images:
        """In the place of `load_images`."""
        assert name == self.images.name
        return replace(self.images, splits={split: self.images.splits[split] for split in splits})

    def remade(self, recipe: Recipe, seed: int = 0, status: int = 0) -> Table:
        """A table of other numbers; the status is that of child 112's run with seed 1."""
        macro = build_macro(recipe, 6, 6, 1, 4)
        columns = blank_columns(DEEPER64, macro, SEEDS, EPOCHS)
        rng = np.random.default_rng(seed)
        quality = rng.random((64, 1, 1))
        for name in CURVES:
            columns[name][:] = 0.5 + 0.4 * quality + 0.05 * rng.random(columns[name].shape)
        columns["status"][:] = 0
        columns["environment"][:] = 0
        if status:
            columns["status"][1, 1] = status
            for name in CURVES:
                columns[name][1, 1] = np.nan
        environments = [{"versions": {"python": "3.11.7"}, "device": "one thread of a test"}]
        attributes = root_attributes(recipe, DEEPER64, macro, self.images.digest, environments, "MIT", "cite me")
        return Table(Content(attributes, columns), "tiny")


def tiny_split(count: int, seed: int) -> Split:
    """Images whose brightness tells the class, with much noise."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(count).astype(np.int64) % 4
    pixels = rng.integers(0, 150, (count, 6, 6, 1)) + 30 * labels[:, None, None, None]
    return Split(pixels.astype(np.uint8), labels)


@pytest.fixture(scope="session")
def tiny() -> Tiny:
    splits = {"train": tiny_split(256, 0), "valid": tiny_split(64, 1), "test": tiny_split(32, 2)}
    images = Images("tiny", ("a", "b", "c", "d"), "7" * 64, (0.47,), (0.2,), splits)
    recipe = Recipe(images="tiny", train_images=256, batch_size=64, channels=4, cells=1, epochs=1, points=2)
    made = Tiny(images, recipe, None)  # type: ignore[arg-type]
    return replace(made, table=made.remade(recipe))


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As workers train: with several, torch's small operations wait for one another, and round otherwise."""
    from nasbench_ws.training.loop import one_thread as on_one_thread

    with on_one_thread():
        yield


LITTLE = Effort(rankings=20, resamples=20, simulations=20, bounds=20)


@pytest.fixture
def quick() -> Iterator[None]:
    """Fewer resamples: intervals and baselines less exact, in a thirtieth of the time."""
    with drawing(LITTLE):
        yield


COST = Cost(
    steps=6400, images=409_600, child_updates=6400, macs=345_678_901_234, weight_bytes=17_408, seconds=21.7,
    parameters=4352, super_nets=1,
)  # fmt: skip


def scored(seed: int = 0, instances: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).random((instances, 64))


@pytest.fixture
def make(tiny: Tiny, quick: None) -> Callable[..., Result]:
    """A result of random scores, or of what is changed of its outcome; `table` measures it, `last` is the plan's."""

    def make(**changes: Any) -> Result:
        scores = changes.get("scores", {"running": scored()})
        instances = len(next(iter(scores.values())))
        strategy, last = changes.get("strategy", "full"), changes.pop("last", 0)
        plan = Plan(strategy, tiny.recipe, batch_norm=tuple(scores), last=last).to_dict()
        table = changes.pop("table", tiny.table)
        given: dict[str, Any] = {
            "strategy": "full",
            "children": tuple(child.hash for child in table.space),
            "plan": without_nan({**{key: x for key, x in plan.items() if key != "recipe"}, "schedule": "shuffle"}),
            "recipe": tiny.recipe.to_dict(),
            "seeds": tuple(range(instances)),
            "scores": scores,
            "cost": COST,
            "match": "child-updates",
            "trained": (dict.fromkeys(("111", "112"), 100),) * instances,
            "versions": {"nasbench-ws": "0.1.0", "python": "3.11.7"},
        }
        return Result.of(Outcome(**(given | changes)), table)

    return make
