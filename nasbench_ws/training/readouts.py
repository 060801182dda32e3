"""Other ways to read a ranking off a trained super-net than to score it once at the end.

    fine_tuned(net, stream, [0, 5, 10], scorers, lr=0.01)    # after f steps of each child alone (paper, figure 4)
    average = Average(net, decay=0.99)                       # exponential moving average of the weights
    interference(net, stream, 1, scorer, lr=0.01)            # what training child A does to child B

Each leaves the super-net bit-identical. Which snapshots of the last steps count is `evaluate`'s window.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.training.batches import Batches
from nasbench_ws.training.scoring import Scorer
from nasbench_ws.training.supernet import SuperNet
from nasbench_ws.training.weights import Snapshot

Stream = Callable[[int], Batches]  # a new stream of batches for a child, by its number


def fine_tuned(
    net: SuperNet, stream: Stream, counts: Sequence[int], scorers: Mapping[str, Scorer], lr: float,
    on_child: Callable[[], object] = lambda: None,
) -> dict[str, dict[int, Array]]:
    """Accuracy of every child after f steps alone from the inherited weights, under each scorer.

    Returns {scorer: {f: (children,)}}. Comparing scorers with and without recalibrated batch norm separates
    what the steps do to the weights from what they do to the statistics. Momentum starts at zero. `on_child()` follows
    each child.
    """
    wanted = sorted(set(counts))
    found = {name: {f: np.full(len(net.children), np.nan) for f in wanted} for name in scorers}
    for child in range(len(net.children)):
        with _restored(net):
            net.weights.momentum.zero_()
            batches, done = stream(child), 0
            for f in wanted:
                while done < f:
                    net.step([child], *next(batches), lr)
                    done += 1
                for name, scorer in scorers.items():
                    found[name][f][child] = scorer.score(net, [child]).accuracy[0]
        on_child()
    return found


def interference(
    net: SuperNet, stream: Stream, steps: int, scorer: Scorer, lr: float, on_child: Callable[[], object] = lambda: None
) -> Array:
    """Change of every child's accuracy by training one child for some steps: (trained, scored).

    `on_child()` follows each child.
    """
    before = scorer.score(net).accuracy
    changes = np.full((len(net.children),) * 2, np.nan)
    for child in range(len(net.children)):
        with _restored(net):
            batches = stream(child)
            for _ in range(steps):
                net.step([child], *next(batches), lr)
            changes[child] = scorer.score(net).accuracy - before
        on_child()
    return changes


def gradient_similarity(net: SuperNet, images: torch.Tensor, labels: torch.Tensor) -> Array:
    """Cosine of the gradients of every two children on one batch, on the weights they share: (n, n).

    NaN where two children share nothing. images (B, H, W, C) normalised, labels (B,).
    """
    count = len(net.children)
    gradients = torch.zeros((count, net.weights.values.numel()), dtype=net.weights.dtype)
    used = torch.zeros((count, net.weights.values.numel()), dtype=net.weights.dtype)
    with _restored(net):
        for child in range(count):
            net.accumulate(child, images, labels, gradients[child])
            used[child, net.weights.active(child)] = 1
    squares = (gradients**2) @ used.T  # of a child's gradient, on what it shares with another
    cosine = (gradients @ gradients.T) / torch.sqrt(squares * squares.T)
    return np.where((used @ used.T).numpy() > 0, cosine.numpy(), np.nan).astype(np.float64)


class Average:
    """An exponential moving average of weights and running statistics; `net` is scored with it in place."""

    def __init__(self, net: SuperNet, decay: float) -> None:
        self.net, self.decay = net, decay
        self._kept: Snapshot | None = None

    def take(self) -> None:
        """After a step. A division of the super-net starts it anew."""
        now = self.net.weights.snapshot()
        if self._kept is None or self._kept.values.shape != now.values.shape:
            self._kept = now
            return
        for kept, new in zip(self._kept, now, strict=True):
            kept.lerp_(new, 1 - self.decay)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """The super-net with averaged weights, as it was afterwards."""
        with _restored(self.net):
            if self._kept is not None:
                self.net.weights.restore(self._kept)
            yield


@contextlib.contextmanager
def _restored(net: SuperNet) -> Iterator[Any]:
    before = net.weights.snapshot()
    try:
        yield
    finally:
        net.weights.restore(before)
