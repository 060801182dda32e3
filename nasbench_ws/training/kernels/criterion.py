"""A loss of the user's own between the two passes of the kernels: logits out, their gradient in.

    asked = Asked(criterion, images, labels, classes)
    run(..., asked.logits, CALLBACK(asked), asked.pull)       # the kernels fill logits, call, and read pull
    asked.loss()                                              # or raises what the loss did

The kernels may be used in the meantime, by what the loss computes (kernels.cpp, memory.py).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import TypeAlias

import torch

from nasbench_ws.errors import UsageError

Criterion: TypeAlias = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # of logits and labels, a scalar
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int)


class Asked:
    """A loss, asked once.

    Attributes:
        logits: (B, classes), filled before the call.
        pull: (B, classes), the loss's gradient of each, filled by it.
    """

    def __init__(self, criterion: Criterion, images: torch.Tensor, labels: torch.Tensor, classes: int) -> None:
        self.logits = torch.empty((len(labels), classes), dtype=images.dtype)
        self.pull = torch.zeros_like(self.logits)
        self._criterion, self._images, self._labels = criterion, images, labels
        self._loss: float | None = None
        self._raised: BaseException | None = None

    def __call__(self) -> int:
        """As C calls it: 0, or 1 where the run is to stop."""
        try:
            before = self._images._version
            leaf = self.logits.detach().requires_grad_()
            loss = self._criterion(leaf.clone(), self._labels)  # a leaf would refuse to be changed in place
            if self._images._version != before:  # which the backward pass reads again
                raise UsageError("the loss changed the images of its batch in place; give it a copy of them")
            (pull,) = torch.autograd.grad(loss, leaf)
            self.pull.copy_(pull)
            self._loss = float(loss.detach())
        except BaseException as error:  # none may pass through C
            self._raised = error
            return 1
        return 0

    def loss(self) -> float:
        """What it was; raises what it raised."""
        if self._raised is not None:
            try:
                raise self._raised
            finally:
                self._raised = None  # whose traceback holds this frame
        if self._loss is None:  # nothing but an interrupt at the very edge of Python
            raise KeyboardInterrupt
        return self._loss
