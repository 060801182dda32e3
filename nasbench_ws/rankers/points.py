"""Scores on the way: tau against steps, for `Plan.score_every`.

    points = Points(images, plan, steps=800)        # of a super-net that takes 800 of the plan's steps
    points.take(step, net)                          # after each step; 1 where all children were scored, once or more
    points.whole(children)                          # by mode: (points, children), NaN from where training stopped

A point is a part of the training: super-nets of several sizes, which share nothing, are scored at the same parts of
theirs. Scoring changes no number of what follows. Not here: the last steps, each of them (part.py).
"""

from __future__ import annotations

import math
from collections import Counter

from nasbench_ws.images.dataset import Images
from nasbench_ws.rankers.plan import Plan
from nasbench_ws.training.batch_norm import BatchNorm
from nasbench_ws.training.scoring import Scorer
from nasbench_ws.training.supernet import SuperNet


class Points:
    """Scores of one super-net on the first `plan.last_images` validation images, under the plan's modes."""

    def __init__(self, images: Images, plan: Plan, steps: int) -> None:
        self._at = Counter(max(1, round(part * steps)) for part in plan.points)  # several points in one step, of few
        self._count = len(plan.points)
        self._found: dict[str, list[list[float]]] = {mode: [] for mode in plan.batch_norm}
        some = images.first_valid(min(plan.last_images, len(images.valid.labels)))
        modes = plan.batch_norm if self._count else ()
        self._scorers = {mode: Scorer(some, "valid", BatchNorm.parse(mode)) for mode in modes}

    def take(self, step: int, net: SuperNet) -> int:
        """How many points these scores are for."""
        times = self._at.get(step, 0)
        for mode, scorer in self._scorers.items() if times else ():
            self._found[mode] += [scorer.score(net).accuracy.tolist()] * times
        return times

    def whole(self, children: int) -> dict[str, list[list[float]]]:
        """All points, by mode."""
        return {
            mode: [*found, *([[math.nan] * children] * (self._count - len(found)))]
            for mode, found in self._found.items()
        }
