"""How much work a super-net of an evaluation is, so that progress and estimates count scoring and readouts too.

    work = work_of(plan, part, width=1, valid_images=10_000)
    work.total                    # in training steps of one child

Merging what children share makes scoring cheaper than this says, by a fifth where all is shared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nasbench_ws.rankers.plan import BACKWARD, Part, Plan
from nasbench_ws.sharing.strategies import Strategy
from nasbench_ws.space.cell import Architecture
from nasbench_ws.training.batch_norm import MODES, BatchNorm


def readout_modes(plan: Plan) -> tuple[str, ...]:
    """Windows and fine-tuned children are scored with recalibration too, which tells batch norm's part in what is seen.

    Nobody chose that mode, so it makes do with the training images that there are.
    """
    if any(BatchNorm.parse(mode).mode == "recalibrate" for mode in plan.batch_norm):
        return plan.batch_norm
    images = plan.recipe.train_images
    return (*plan.batch_norm, "recalibrate" if images >= MODES["recalibrate"] else f"recalibrate:{images}")


def size_of(plan: Plan, part: Part, children: Sequence[Architecture], strategy: Strategy, valid_images: int) -> Work:
    width = plan.width([children[i] for i in part.children], strategy)
    return work_of(plan, part, width, valid_images, len(readout_modes(plan)))


@dataclass(frozen=True)
class Work:
    """Each in training steps of one child."""

    step: float  # a step of the schedule
    snapshot: float  # of the last steps, under all its modes
    point: float  # on the way, likewise
    mode: float  # scoring all children at the end, for each mode
    tuned_child: float  # fine-tuning it, and scoring it in between
    interfering_child: float  # training it, and scoring all
    total: float


def work_of(plan: Plan, part: Part, width: int, valid_images: int, readout_modes: int = 1) -> Work:
    """`width` children are trained in a step; windows and fine-tuned ones are scored under `readout_modes` modes."""
    count, batch = len(part.children), plan.recipe.batch_size

    def scoring(children: int, images: int) -> float:
        return children * images / batch / BACKWARD

    some = min(plan.last_images, valid_images)
    step, mode = float(width), scoring(count, valid_images)
    snapshot = readout_modes * scoring(count, some)
    tuned = max(plan.fine_tune, default=0) + len(set(plan.fine_tune)) * readout_modes * scoring(1, some)
    interfering = plan.interference + scoring(count, some) if plan.interference else 0.0
    times = len(plan.batch_norm) * (2 if plan.average else 1)
    point = len(plan.batch_norm) * scoring(count, some)
    extra = plan.last * snapshot + len(plan.points) * point + count * (tuned + interfering)
    total = part.steps * step + times * mode + extra
    return Work(step, snapshot, point, mode, tuned, interfering, total)
