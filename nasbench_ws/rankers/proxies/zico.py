"""ZiCo: gradients that are large and alike from batch to batch.

Li, Yang, Bhardwaj, Marculescu: ZiCo: Zero-shot NAS via Inverse Coefficient of Variation on Gradients (ICLR 2023).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from nasbench_ws.rankers.proxies.observed import Untrained


def zico(child: Untrained, images: Tensor, labels: Tensor) -> float:
    """Sum over layers of log sum_w mean|g| / std g, over the two halves of the images; where std is 0 left out."""
    batches = zip(images.chunk(2), labels.chunk(2), strict=True)
    found = [child.gradients(F.cross_entropy(child.forward(some).logits, right)) for some, right in batches]
    score = 0.0
    for pair in zip(*found, strict=True):
        both = torch.stack(pair).double()
        std, mean = both.std(dim=0, unbiased=False), both.abs().mean(dim=0)
        layer = float((mean[std > 0] / std[std > 0]).sum())
        score += math.log(layer) if layer > 0 else 0.0
    return score
