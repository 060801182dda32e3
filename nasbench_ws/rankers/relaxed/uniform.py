"""Uniform single-path training, and what RS-WS and SPOS read off it.

Li and Talwalkar: Random Search and Reproducibility for NAS (UAI 2019): children are drawn evenly and trained; then
1,000 drawn ones are scored on ten mini-batches of 64 validation images each, the best ten on all.
Guo et al.: Single Path One-Shot NAS with Uniform Sampling (ECCV 2020): the same training; children are scored after
recalibrating batch norm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.rankers.run import Run
from nasbench_ws.training.batches import normalised


@dataclass
class RsWs:
    """`noisy:640`: each child on 640 validation images drawn for it, by their own statistics."""

    readouts: ClassVar[tuple[str, ...]] = ("onehot", "noisy:640", "sampled:1000")

    def start(self, run: Run) -> None:
        pass

    def iterate(self, run: Run) -> None:
        run.child_step(run.weight_batch(), run.draw_child(purpose="paths"))

    def read(self, run: Run, name: str) -> Array:
        valid, count = run.images.valid, int(name.partition(":")[2])
        scores = []
        for number, child in enumerate(run.problem.children):
            rng = np.random.Generator(np.random.PCG64(run.derived(f"noisy {child.hash}")))
            drawn = rng.permutation(len(valid.labels))[:count]
            pixels = normalised(valid.pixels[drawn], run.images.mean, run.images.std, run.net.weights.dtype)
            labels = torch.from_numpy(valid.labels[drawn])
            _, correct = run.net.supernet.merged([number]).score(pixels.contiguous(), labels, None, 64)
            scores.append(float(correct[0]) / len(drawn))
        return np.array(scores)


@dataclass
class Spos(RsWs):
    """Scored under the plan's modes of batch norm alone."""

    readouts: ClassVar[tuple[str, ...]] = ("onehot",)
