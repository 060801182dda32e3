"""Proxies by the weights' gradients on one batch: grad_norm, snip, grasp, fisher, plain; l2_norm and synflow without.

Abdelfattah, Mehrotra, Dudziak, Lane: Zero-Cost Proxies for Lightweight NAS (ICLR 2021), and their code.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from nasbench_ws.rankers.proxies.observed import Untrained, total


def grad_norm(child: Untrained, images: Tensor, labels: Tensor) -> float:
    """Sum over layers of ||dL/dW||."""
    return float(sum(float(g.detach().norm()) for g in _gradients(child, images, labels)))


def snip(child: Untrained, images: Tensor, labels: Tensor) -> float:
    """Sum of |W dL/dW| (Lee et al., 2019)."""
    gradients = _gradients(child, images, labels)
    return total([(w * g).abs() for w, g in zip(child.weights, gradients, strict=True)])


def plain(child: Untrained, images: Tensor, labels: Tensor) -> float:
    """Sum of W dL/dW."""
    gradients = _gradients(child, images, labels)
    return total([w * g for w, g in zip(child.weights, gradients, strict=True)])


def grasp(child: Untrained, images: Tensor, labels: Tensor) -> float:
    """Sum of -W Hg, with g the gradient and H the Hessian (Wang, Zhang, Grosse, 2020)."""
    loss = F.cross_entropy(child.forward(images).logits, labels)
    gradients = child.gradients(loss, graph=True)
    product = torch.stack([(g * g.detach()).sum() for g in gradients]).sum()
    return -total([w * h for w, h in zip(child.weights, child.gradients(product), strict=True)])


def fisher(child: Untrained, images: Tensor, labels: Tensor) -> float:
    """Sum over channels of .5 mean_n (sum_hw a dL/da)^2, at the outputs of convolutions (Turner et al., 2020)."""
    seen = child.forward(images)
    gradients = torch.autograd.grad(F.cross_entropy(seen.logits, labels), seen.layers)
    each = [(a * g).sum(dim=(2, 3)) for a, g in zip(seen.layers, gradients, strict=True)]
    return total([0.5 * (one**2).mean(dim=0) for one in each])


def l2_norm(child: Untrained, images: Tensor, labels: Tensor) -> float:
    """Sum over layers of ||W||."""
    return float(sum(float(w.detach().norm()) for w in child.weights))


def synflow(child: Untrained, images: Tensor, labels: Tensor) -> float:
    """log sum of |W| dR/d|W|, with R the sum of logits of an image of ones without batch norms (Tanaka et al., 2020).

    In float64: without batch norms the numbers grow with every layer.
    """
    child.change(torch.abs)
    ones = torch.ones((1, *images.shape[1:]), dtype=child.weights[0].dtype)
    gradients = child.gradients(child.forward(ones, norm=False).logits.sum())
    return math.log(max(total([w * g for w, g in zip(child.weights, gradients, strict=True)]), 1e-300))


def _gradients(child: Untrained, images: Tensor, labels: Tensor) -> list[Tensor]:
    return child.gradients(F.cross_entropy(child.forward(images).logits, labels))
