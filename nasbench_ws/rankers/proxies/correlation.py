"""Proxies by how differently a child treats the images of a batch: jacov, epe_nas and naswot.

Mellor, Turner, Storkey, Crowley: Neural Architecture Search without Training (2020 for jacov, ICML 2021 for naswot);
Lopes, Alirezazadeh, Alexandre: EPE-NAS (2021).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.rankers.proxies.observed import Untrained

SMALL = 1e-5


def jacov(child: Untrained, images: Tensor, labels: Tensor) -> float:
    """-sum(log(v + k) + 1 / (v + k)) of the eigenvalues v of the images' Jacobians' correlations."""
    values = np.linalg.eigvalsh(_correlations(_jacobians(child, images)))
    return float(-(np.log(values + SMALL) + 1 / (values + SMALL)).sum())


def epe_nas(child: Untrained, images: Tensor, labels: Tensor) -> float:
    """Sum over classes of |sum log(|correlations of its images' Jacobians| + k)|; a class of one image has none."""
    rows, classes = _jacobians(child, images), labels.numpy()
    parts = [rows[classes == one] for one in np.unique(classes)]
    return float(sum(abs(np.log(np.abs(_correlations(part)) + SMALL).sum()) for part in parts if len(part) > 1))


@torch.no_grad()
def naswot(child: Untrained, images: Tensor, labels: Tensor) -> float:
    """log |det K|, K counting for two images the ReLU inputs that are positive, or not, for both."""
    kernel = np.zeros((len(images), len(images)))
    for given in child.forward(images).relus:
        code = (given > 0).flatten(1).float()  # counts of less than 2^24 are exact
        both, ones = (code @ code.T).numpy(), code.sum(dim=1).numpy()
        kernel += 2 * both - ones[:, None] - ones + code.shape[1]  # c c' + (1 - c)(1 - c)'
    return float(np.linalg.slogdet(kernel)[1])


def _correlations(rows: Array) -> Array:
    """Of rows; of one that is constant, 0 with the others."""
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Array = np.nan_to_num(np.atleast_2d(np.corrcoef(rows)))
    return found


def _jacobians(child: Untrained, images: Tensor) -> Array:
    """(B, pixels): of the sum of logits, by each image."""
    given = images.clone().requires_grad_()
    (found,) = torch.autograd.grad(child.forward(given).logits.sum(), given)
    rows: Array = found.flatten(1).double().numpy()
    return rows
