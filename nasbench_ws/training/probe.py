"""The probe: how well a linear classifier of its own does on the features that a child inherits.

Razavian et al., CNN Features off-the-shelf (2014), ask it of networks that were trained for something else. Of a
super-net it says what its features are worth without the classifier that all children have to share. Features are what
a child's classifier reads (pooled channels of its last cell), by the statistics of each batch; the classifier
is ridge regression on one-hot labels, in closed form.

    features(net, [0, 5], pixels)                       # (2, images, channels)
    ridge_accuracy([fitted, scored], [labels, others], classes)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.training.supernet import SuperNet

TOGETHER = 500  # images, normalised by their own statistics
PENALTY = 1e-3  # of the ridge, times the images


def features(net: SuperNet, numbers: Sequence[int], pixels: torch.Tensor, together: int = TOGETHER) -> Array:
    """(children, images, channels) of normalised images (N, H, W, C), in batches of `together` of them.

    The super-net stays as it is.

    Read through the classifiers: with rows of the identity for weights, logits are features, as many as classes.
    """
    weights, bound = net.weights, net.merged(numbers)
    used = {head.linear for head in bound.network.heads}
    kept, parts = weights.values.clone(), []
    classes, channels = weights.views(weights.values, next(iter(used)))[0].shape
    try:
        for first in range(0, channels, classes):
            rows = torch.eye(channels, dtype=weights.dtype)[first : first + classes]
            for number in used:
                weight, bias = weights.views(weights.values, number)
                weight.zero_()
                weight[: len(rows)] = rows
                bias.zero_()
            found = [bound.logits(some.contiguous()) for some in torch.split(pixels, together)]
            parts.append(torch.cat(found, dim=1)[:, :, : len(rows)])
    finally:
        weights.values.copy_(kept)
    value: Array = torch.cat(parts, dim=2).double().numpy()
    return value


def ridge(fitted: Array, labels: npt.NDArray[np.int64], scored: Array, classes: int) -> Array:
    """(images, classes) predictions of one-hot labels for `scored` features, fitted to others."""
    mean = fitted.mean(axis=0)
    own, other = (np.hstack([one - mean, np.ones((len(one), 1))]) for one in (fitted, scored))
    penalty = PENALTY * len(own) * np.eye(own.shape[1])
    weights = np.linalg.solve(own.T @ own + penalty, own.T @ np.eye(classes)[labels])
    predicted: Array = other @ weights
    return predicted


def ridge_accuracy(parts: Sequence[Array], labels: Sequence[npt.NDArray[np.int64]], classes: int) -> float:
    """Of the classifier that the first features and labels fit, on the second."""
    predicted = ridge(parts[0], labels[0], parts[1], classes)
    return float((predicted.argmax(axis=1) == labels[1]).mean())
