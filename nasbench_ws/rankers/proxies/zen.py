"""Zen-score: how much a Gaussian network's features change with its input, with what batch norms divide out put back.

Lin et al.: Zen-NAS: A Zero-Shot NAS for High-Performance Image Recognition (ICCV 2021).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from nasbench_ws.rankers.proxies.observed import Untrained
from nasbench_ws.seeds import derive

REPEATS, CHANGE = 32, 0.01


@torch.no_grad()
def zen(child: Untrained, images: Tensor, labels: Tensor) -> float:
    """Mean over repeats of log E sum |f(x) - f(x + .01 e)| + sum over batch norms of log sqrt(mean variance).

    f are the features before pooling; weights, x and e are normal. Of `images` the shape and a seed are taken.
    """
    seed = derive("zen", float(images.double().sum()).hex())
    generator = torch.Generator().manual_seed(seed)

    def normal(like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=generator, dtype=like.dtype)

    scores = []
    for _ in range(REPEATS):
        child.change(normal)
        given = normal(images)
        first, second = child.forward(given), child.forward(given + CHANGE * normal(images))
        change = (first.cells[-1] - second.cells[-1]).abs().sum(dim=(1, 2, 3)).mean()
        scales = sum(0.5 * math.log(float(var.mean()) + 1e-12) for var in first.norms)
        scores.append(math.log(float(change) + 1e-12) + scales)
    return float(np.mean(scores))
