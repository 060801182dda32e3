"""The training loop, one for standalone children and super-nets alike.

Seeds of initialisation, of the order of images, of augmentation and of the schedule are separate, and derived
from the set of children that are trained together and the seed index; so a super-net's part that shares
nothing with the rest is trained exactly as it would be alone.

    run = train_run(recipe, DEEPER64.architecture("434"), seed=0, images=load_images("fashion14", SPLITS))
    train(net, batches, sequence)                      # the loop itself
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch

from nasbench_ws import engine
from nasbench_ws.augment import Augmentation, Batches
from nasbench_ws.images import Images
from nasbench_ws.network import Macro
from nasbench_ws.recipe import Recipe
from nasbench_ws.runs import RunRecord
from nasbench_ws.score import BatchNorm, Scorer
from nasbench_ws.seeds import derive
from nasbench_ws.sharing import Key, none
from nasbench_ws.space import Architecture
from nasbench_ws.supernet import StepOutcome, SuperNet
from nasbench_ws.versions import versions

OnStep = Callable[[int, StepOutcome], None]


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
    sequence: npt.NDArray[np.int32],
    on_step: OnStep | None = None,
    later: Sequence[tuple[float, Key]] = (),
) -> int | None:
    """Train the children that `sequence` (steps, children a step) names, one update a step.

    `later` holds keys that share less, each with the part of the steps, in (0, 1), after which it takes over. Calls
    `on_step(steps done, outcome)` after each step. Returns None, or the step (from 1) whose loss was not finite, where
    training stops: what is NaN once stays so.
    """
    steps = len(sequence)
    divisions = {round(part * steps): key for part, key in later}
    for step, numbers in enumerate(sequence.tolist()):
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
def one_thread() -> Iterator[None]:
    """One thread for torch in here: with several, sums are rounded otherwise, and numbers depend on the machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@one_thread()
def train_run(
    recipe: Recipe, arch: Architecture, seed: int, images: Images, fast: bool | None = None
) -> RunRecord:
    """Train one child standalone and record its curves as a `RunRecord`.

    `images` must hold all three splits. Training loss and accuracy are means over the augmented
    batches since the point before, as they were trained on; validation and test use the running batch norm statistics.
    """
    macro = recipe.macro_for(images)
    net = SuperNet(recipe, macro, [arch], none, seed, fast=fast)
    scorers = {split: Scorer(images, split, BatchNorm()) for split in ("valid", "test")}
    ends = recipe.recorded_steps
    curves: dict[str, list[float]] = {
        name: []
        for name in ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy", "test_accuracy", "seconds")
    }
    window: list[StepOutcome] = []
    started = time.perf_counter()

    def on_step(step: int, outcome: StepOutcome) -> None:
        window.append(outcome)
        if step == ends[len(curves["seconds"])]:
            curves["train_loss"].append(float(np.mean([o.loss for o in window])))
            curves["train_accuracy"].append(float(np.mean([o.accuracy for o in window])))
            window.clear()
            for split, scorer in scorers.items():
                scores = scorer.score(net)
                curves[f"{split}_accuracy"].append(float(scores.accuracy[0]))
                if split == "valid":
                    curves["valid_loss"].append(float(scores.loss[0]))
            curves["seconds"].append(time.perf_counter() - started)

    sequence = np.zeros((recipe.steps, 1), dtype=np.int32)
    diverged = train(net, make_batches(recipe, images, net, seed), sequence, on_step)
    seconds = time.perf_counter() - started
    device = engine.description(net.fast, macro.channels)
    return record_of(recipe, macro, images, arch, seed, curves, diverged, seconds, device)


def record_of(
    recipe: Recipe,
    macro: Macro,
    images: Images,
    arch: Architecture,
    seed: int,
    curves: dict[str, list[float]],
    diverged: int | None,
    seconds: float,
    device: str,
) -> RunRecord:
    """The record of a standalone run; its curves may end where it diverged, at that step. `seconds` it took in all."""
    ends = recipe.recorded_steps
    error = "" if diverged is None else f"the loss was not finite at step {diverged} of {recipe.steps}"
    whole: dict[str, tuple[float, ...]] = {}
    for name, values in curves.items():
        if diverged is None and not all(map(math.isfinite, values)):  # fine on its batches, and not when scored
            error = f"{name} was not finite at one of its {len(ends)} points"
        rest = seconds if name == "seconds" else math.nan
        whole[name] = (*values, *[rest] * (len(ends) - len(values)))
    return RunRecord(
        hash=arch.hash,
        spec=arch.spec,
        seed=seed,
        status="diverged" if error else "ok",
        error=error,
        epochs=tuple(end / recipe.steps_per_epoch for end in ends),
        curves=whole,
        recipe=recipe.to_dict(),
        images_digest=images.digest,
        versions=versions(),
        device=device,
        macro=macro,
    )
