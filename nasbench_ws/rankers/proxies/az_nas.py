"""AZ-NAS: four proxies at once, of each cell's output, put together by their ranks.

Lee and Ham: AZ-NAS: Assembling Zero-Cost Proxies for Network Architecture Search (CVPR 2024).
"""

from __future__ import annotations

import itertools

import numpy as np
import torch
from torch import Tensor

from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.rankers.proxies.observed import Untrained
from nasbench_ws.seeds import derive


def parts(child: Untrained, images: Tensor, labels: Tensor) -> tuple[float, float, float]:
    """Expressivity, progressivity and trainability; the fourth part is the multiply-adds.

    Expressivity: entropy of the eigenvalues of a cell's feature covariance, summed over cells. Progressivity: its
    least increase from cell to cell. Trainability: mean of 2 - s - 1 / s, with s the largest singular value of a cell's
    Jacobian, as a random vector of signs shows it.
    """
    cells = child.forward(images).cells
    entropies = [_entropy(features) for features in cells]
    generator = torch.Generator().manual_seed(derive("az-nas", child.arch.hash))
    scores = []
    for before, after in itertools.pairwise(cells):
        signs = torch.randint(0, 2, after.shape, generator=generator).to(after.dtype) * 2 - 1
        (back,) = torch.autograd.grad(after, before, signs, retain_graph=True)
        flat = [one.transpose(0, 1).flatten(1).double() for one in (back, signs)]  # (C, B * H * W)
        largest = float(torch.linalg.matrix_norm(flat[0] @ flat[1].T / flat[0].shape[1], 2))
        scores.append(2 - largest - 1 / (largest + 1e-6))
    steps = np.diff(entropies) if len(entropies) > 1 else np.zeros(1)
    return float(sum(entropies)), float(steps.min()), float(np.mean(scores)) if scores else 0.0


def together(found: Array) -> Array:
    """(n, parts) -> (n,): the sum of log(rank / n), the best of a part having rank n; equal values share a rank."""
    from scipy.stats import rankdata

    value: Array = np.log(rankdata(found, axis=0) / len(found)).sum(axis=1)
    return value


def _entropy(features: Tensor) -> float:
    flat = features.detach().transpose(0, 1).flatten(1).double()
    values = torch.linalg.eigvalsh(torch.cov(flat)).clamp(min=0)
    shares = values / values.sum()
    return float(-(shares * torch.log(shares + 1e-8)).sum())
