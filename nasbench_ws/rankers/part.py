"""One super-net of an evaluation: trained, scored, and read out, in a worker.

    outcome = run_part(plan, strategy, part, seed=0, problem=problem, images=images, on_step=print)   # a JSON object

Training and validation images are all it has: test images are not loaded, and there is no table.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from nasbench_ws.images.dataset import Images
from nasbench_ws.json_files import without_nan
from nasbench_ws.rankers.cost import Work, readout_modes, size_of
from nasbench_ws.rankers.plan import BACKWARD, Part, Plan
from nasbench_ws.rankers.points import Points
from nasbench_ws.sharing.schedules import get_schedule, realise, updates
from nasbench_ws.sharing.strategies import Strategy
from nasbench_ws.space.child import child_network, mac_count
from nasbench_ws.space.macro import macro_for
from nasbench_ws.space.problem import Problem
from nasbench_ws.training.batch_norm import BatchNorm
from nasbench_ws.training.batches import Batches
from nasbench_ws.training.hook_calls import Hooks
from nasbench_ws.training.loop import children_seed, make_batches, one_thread, train
from nasbench_ws.training.readouts import Average, fine_tuned, gradient_similarity, interference
from nasbench_ws.training.scoring import Scorer
from nasbench_ws.training.supernet import StepOutcome, SuperNet
from nasbench_ws.training.trainer import TrainerNet


@one_thread()
def run_part(
    plan: Plan,
    strategy: Strategy,
    part: Part,
    seed: int,
    problem: Problem,
    images: Images,
    on_step: Callable[[float], None],
    hooks: Hooks | None = None,
) -> dict[str, Any]:
    """Train and score one part of one instance, as `hooks` say where there are any.

    Calls `on_step(work done)`, in the unit of `Work`.
    """
    recipe = plan.trained_by
    own = [problem.space[i] for i in part.children]
    macro = macro_for(recipe, images)
    started, cpu_started = time.perf_counter(), time.process_time()
    scorers = {mode: Scorer(images, "valid", BatchNorm.parse(mode)) for mode in plan.batch_norm}
    schedule = get_schedule(plan.schedule or strategy.schedule, macro)
    asks = hooks is not None and hooks.has("next_children")
    sequence = None if asks else realise(schedule, own, part.steps, children_seed("schedule", own, seed))
    net = SuperNet(recipe, macro, own, strategy.key, seed)
    if hooks is not None:
        net = TrainerNet(recipe, macro, own, strategy.key, seed, hooks=hooks, images=images, steps=part.steps)
    work, tally = size_of(plan, part, problem.children, strategy, len(images.valid.labels)), _Tally(on_step)
    if "private" in plan.batch_norm:
        net.weights.keep_own()
    snapshots, points = _Snapshots(images, plan, part.steps), Points(images, plan, part.steps)
    average = Average(net, plan.average)

    def each_step(step: int, outcome: StepOutcome) -> None:
        snapshots.take(step, net)
        if plan.average:
            average.take()
        taken = points.take(step, net)
        tally.add(work.step + (work.snapshot if step > part.steps - plan.last else 0) + taken * work.point)

    batches = make_batches(recipe, images, net, seed)
    if sequence is not None:
        diverged = train(net, batches, sequence, each_step, strategy.later)
    else:
        assert isinstance(net, TrainerNet)
        diverged = train(net, batches, net.asked(), each_step, strategy.later)
        sequence = np.array(net.history.children, dtype=np.int32)
    train_seconds = time.perf_counter() - started
    scores = {}
    for mode, scorer in scorers.items():
        found = scorer.score(net)
        if diverged is None and not np.isfinite(found.accuracy).all():  # fine on its batches, and not when scored
            diverged = part.steps
        tally.add(work.mode)
        scores[mode] = {"accuracy": found.accuracy.tolist(), "loss": found.loss.tolist()}
    readouts: dict[str, Any] = {}
    if plan.average:
        with average.in_place():
            for mode, scorer in scorers.items():
                readouts.setdefault("average", {})[mode] = scorer.score(net).accuracy.tolist()
                tally.add(work.mode)
    if diverged is None:
        readouts |= _extra_steps(plan, images, net, seed, work, tally)
    own_scores = net.own_scores() if isinstance(net, TrainerNet) and diverged is None else [math.nan] * len(own)
    macs = np.array([mac_count(child_network(macro, arch)) for arch in own])
    outcome: dict[str, Any] = {
        "children": list(part.children),
        "seed": seed,
        "diverged_at": diverged,
        "steps": part.steps,
        "child_updates": int(sequence.size),
        "images": int(sequence.size) * recipe.batch_size,
        "macs": int(macs[sequence].sum()) * recipe.batch_size * BACKWARD,
        "train_seconds": train_seconds,
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - cpu_started,
        "weight_bytes": net.weights.bytes,
        "parameters": net.weights.values.numel(),
        "scores": scores,
        "window": snapshots.scores,
        "window_trained": np.array(part.children)[sequence[part.steps - plan.last :]].tolist() if plan.last else [],
        "readouts": readouts,
        **({"points": points.whole(len(own))} if plan.score_every else {}),
        "trained": updates(own, sequence),
        "device": net.description(),
        "sequence_digest": hashlib.sha256(sequence.tobytes()).hexdigest()[:16],
    }
    if isinstance(net, TrainerNet):
        outcome["macs"] += net.extra_macs
        if hooks is not None and hooks.has("score"):
            outcome["own_scores"] = own_scores
    return without_nan(outcome)  # type: ignore[no-any-return]  # as a file gives it back


class _Tally:
    """Work done so far, reported."""

    def __init__(self, on_step: Callable[[float], None]) -> None:
        self._done, self._on_step = 0.0, on_step

    def add(self, work: float) -> None:
        self._done += work
        self._on_step(self._done)


def _extra_steps(
    plan: Plan, images: Images, net: SuperNet, seed: int, work: Work, tally: _Tally
) -> dict[str, Any]:
    """Fine-tuning of every child, with and without recalibration, and interference between children."""
    some = images.first_valid(plan.last_images)
    found: dict[str, Any] = {}

    def stream(child: int) -> Batches:
        return make_batches(net.recipe, images, net, seed, extra=net.children[child].hash)

    if plan.fine_tune:
        scorers = {mode: Scorer(some, "valid", BatchNorm.parse(mode)) for mode in readout_modes(plan)}
        tuned = fine_tuned(
            net, stream, plan.fine_tune, scorers, plan.extra_lr, lambda: tally.add(work.tuned_child)
        )  # fmt: skip
        found["fine_tune"] = {m: {str(f): s.tolist() for f, s in by_count.items()} for m, by_count in tuned.items()}
    if plan.interference:
        scorer = Scorer(some, "valid", BatchNorm.parse(plan.batch_norm[0]))
        changes = interference(
            net, stream, plan.interference, scorer, plan.extra_lr, lambda: tally.add(work.interfering_child)
        )  # fmt: skip
        found["interference"] = changes.round(6).tolist()  # of counts / images
        batch, labels = next(stream(0))
        found["gradient_cosine"] = gradient_similarity(net, batch, labels).round(5).tolist()
    return found


class _Snapshots:
    """Scores after each of the last steps, by mode, on the first validation images (GT-Tau-Mean-k's material)."""

    def __init__(self, images: Images, plan: Plan, steps: int) -> None:
        self.scores: dict[str, list[list[float]]] = {}
        self._from, self._scorers = steps - plan.last, {}
        if plan.last:
            some = images.first_valid(plan.last_images)
            self._scorers = {mode: Scorer(some, "valid", BatchNorm.parse(mode)) for mode in readout_modes(plan)}

    def take(self, step: int, net: SuperNet) -> None:
        if step > self._from:
            for mode, scorer in self._scorers.items():
                self.scores.setdefault(mode, []).append(scorer.score(net).accuracy.tolist())
