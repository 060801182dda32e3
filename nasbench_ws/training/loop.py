"""The training loop, one for standalone children and super-nets alike.

Seeds of initialisation, of the order of images, of augmentation and of the schedule are separate, and derived
from the set of children that are trained together and the seed index; so a super-net's part that shares
nothing with the rest is trained exactly as it would be alone.

    run = train_run(recipe, DEEPER64.architecture("434"), seed=0, images=load_images("fashion14", SPLITS))
    train(net, batches, sequence)                      # the loop itself
"""

from __future__ import annotations

import contextlib
import gc
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from nasbench_ws.images.dataset import Images
from nasbench_ws.recipe import Recipe
from nasbench_ws.seeds import derive
from nasbench_ws.sharing.keys import Key
from nasbench_ws.sharing.schedules import takes_over
from nasbench_ws.space.cell import Architecture
from nasbench_ws.training.batches import Augmentation, Batches
from nasbench_ws.training.supernet import StepOutcome, SuperNet

OnStep = Callable[[int, StepOutcome], None]


class Steps(Protocol):
    """The children of each step, some of which may be known only when it comes (trainer.py)."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Sequence[int]]: ...


def children_seed(purpose: str, children: Sequence[Architecture], seed: int) -> int:
    """The seed for a purpose ("order", "augment", "schedule") of the children trained together."""
    return derive(purpose, ",".join(sorted(arch.hash for arch in children)), seed)


def make_batches(recipe: Recipe, images: Images, net: SuperNet, seed: int, extra: str = "") -> Batches:
    """The stream of training batches of a super-net; `extra` names another one, for what follows its training."""
    return Batches(
        images.subset(recipe.train_images).train,
        recipe.batch_size,
        Augmentation(recipe.flip, recipe.shift),
        images.mean,
        images.std,
        children_seed(f"order{extra}", net.children, seed),
        children_seed(f"augment{extra}", net.children, seed),
        net.weights.dtype,
    )


def train(
    net: SuperNet,
    batches: Batches,
    sequence: npt.NDArray[np.int32] | Steps,
    on_step: OnStep | None = None,
    later: Sequence[tuple[float, Key]] = (),
) -> int | None:
    """Train the children that `sequence` (steps, children a step) names, one update a step.

    `later` holds keys that share less, each with the part of the steps, in (0, 1), after which it takes over. Calls
    `on_step(steps done, outcome)` after each step. Returns None, or the step (from 1) whose loss was not finite, where
    training stops: what is NaN once stays so.
    """
    steps = len(sequence)
    divisions = takes_over(later, steps)
    with _old_objects_left_alone():
        for step, numbers in enumerate(sequence.tolist() if isinstance(sequence, np.ndarray) else sequence):
            if step in divisions:
                net.divide(divisions[step])
            images, labels = next(batches)
            outcome = net.step(numbers, images, labels, net.recipe.learning_rate(step, steps))
            if not math.isfinite(outcome.loss):
                return step + 1
            if on_step is not None:
                on_step(step + 1, outcome)
    return None


@contextlib.contextmanager
def _old_objects_left_alone() -> Iterator[None]:
    """In here the collector searches new objects only: to go through all of torch's took 1 to 4 % of a training."""
    frozen = gc.get_freeze_count() > 0  # by the caller, who then unfreezes
    if not frozen:
        gc.freeze()
    try:
        yield
    finally:
        if not frozen:
            gc.unfreeze()


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """One thread for torch in here: with several, sums are rounded otherwise, and numbers depend on the machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
