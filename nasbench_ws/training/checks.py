"""What a batch must be for a network: checked before any pointer is handed on.

    check_batch(weights.macro, weights.dtype, images, labels)

Not here: the data set's own checks (images/dataset.py).
"""

from __future__ import annotations

import torch

from nasbench_ws.errors import DataError, UsageError
from nasbench_ws.space.blocks import Network
from nasbench_ws.space.macro import Macro


def check_batch(macro: Macro, dtype: torch.dtype, images: torch.Tensor, labels: torch.Tensor) -> None:
    """UsageError unless images are (B, H, W, C) of that type and labels (B,) int64, both in main memory, B > 0."""
    shape = macro.height, macro.width, macro.image_channels
    fine = images.ndim == 4 and tuple(images.shape[1:]) == shape and images.dtype == dtype and len(images) > 0
    if not (fine and images.device.type == "cpu"):
        height, width, channels = shape
        raise UsageError(
            f"images {tuple(images.shape)} of {images.dtype} on {images.device}: this network takes "
            f"(B, {height}, {width}, {channels}) of {dtype} on cpu, with B of at least 1"
        )
    if labels.shape != images.shape[:1] or labels.dtype != torch.int64 or labels.device.type != "cpu":
        raise UsageError(
            f"labels {tuple(labels.shape)} of {labels.dtype} on {labels.device} for {len(images)} images: "
            f"give ({len(images)},) of torch.int64 on cpu"
        )


def check_labels(network: Network[int], labels: torch.Tensor) -> None:
    """DataError for a label that is not a class of the network."""
    classes = min(head.classes for head in network.heads)
    bad = torch.nonzero((labels < 0) | (labels >= classes)).flatten()
    if len(bad):
        first = int(bad[0])
        raise DataError(
            f"label {int(labels[first])} of image {first} of a batch: the network has {classes} classes, so labels are "
            f"0 to {classes - 1}; check how the labels were read"
        )


def check_gradient(gradient: torch.Tensor, values: torch.Tensor) -> None:
    """UsageError unless a gradient is laid out like the weights' flat vector."""
    if gradient.shape != values.shape or gradient.dtype != values.dtype or not gradient.is_contiguous():
        raise UsageError(
            f"a gradient {tuple(gradient.shape)} of {gradient.dtype} for weights {tuple(values.shape)} of "
            f"{values.dtype}: give a contiguous one of the same shape and type"
        )


def check_count(count: int) -> int:
    """The numbers a channel has in a batch, height and width counted; UsageError for one, which has no variance."""
    if count == 1:
        raise UsageError("batch statistics over 1 number a channel: a variance takes at least 2; give more images")
    return count
