"""One standalone run: a child trained alone with one seed, as a record of a build. Needs torch.

    record = train_run(recipe, images, arch, seed=0)

The training itself is `nasbench_ws.training.loop`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from nasbench_ws.images.dataset import Images
from nasbench_ws.provenance import versions
from nasbench_ws.recipe import Recipe
from nasbench_ws.sharing.keys import none
from nasbench_ws.space.cell import Architecture
from nasbench_ws.space.code import operation_codes
from nasbench_ws.space.macro import Macro, macro_for
from nasbench_ws.space.torch_modules import drawing
from nasbench_ws.tables.run import RunRecord
from nasbench_ws.training.backend import Backend
from nasbench_ws.training.batch_norm import BatchNorm
from nasbench_ws.training.loop import children_seed, make_batches, one_thread, train
from nasbench_ws.training.scoring import Scorer
from nasbench_ws.training.supernet import StepOutcome, SuperNet


@one_thread()
def train_run(
    recipe: Recipe, arch: Architecture, seed: int, images: Images, backend: Backend | None = None,
    on_step: Callable[[int], None] | None = None,
) -> RunRecord:  # fmt: skip
    """Train one child standalone and record its curves as a `RunRecord`.

    `images` must hold all three splits. Training loss and accuracy are means over the augmented
    batches since the point before, as they were trained on; validation and test use the running batch norm statistics.
    `on_step(steps done)` is called after each step.
    """
    macro = macro_for(recipe, images)
    net = SuperNet(recipe, macro, [arch], none, seed, backend=backend)
    scorers = {split: Scorer(images, split, BatchNorm()) for split in ("valid", "test")}
    ends = recipe.recorded_steps
    curves: dict[str, list[float]] = {
        name: []
        for name in ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy", "test_accuracy", "seconds")
    }
    window: list[StepOutcome] = []
    started, cpu_started = time.perf_counter(), time.process_time()

    def after(step: int, outcome: StepOutcome) -> None:
        if on_step is not None:
            on_step(step)
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
    with drawing(children_seed("modules", [arch], seed)):  # as modules of a user's own may, for dropout
        diverged = train(net, make_batches(recipe, images, net, seed), sequence, after)
    seconds = time.perf_counter() - started
    device = net.description()
    record = record_of(recipe, macro, images, arch, seed, curves, diverged, seconds, device)
    return replace(record, cpu_seconds=time.process_time() - cpu_started)


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
        versions=versions() | operation_codes(arch.space),
        device=device,
        macro=macro,
    )
