"""Weight-agnostic networks: how well a child classifies with weights that nobody trained.

Gaier and Ha: Weight Agnostic Neural Networks (NeurIPS 2019). Published is one value for all weights. Here that tells
nothing (`wann:shared`): all channels of a node are equal, and batch norms divide the value out, but for its sign. So
the row `wann` draws weights at random, and fits a linear classifier to the pooled features in closed form: it is the
zero of the scale on which training of shared weights adds something.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from nasbench_ws.images.dataset import Images
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.rankers.proxies.observed import Untrained
from nasbench_ws.seeds import derive
from nasbench_ws.space.child import child_network, mac_count
from nasbench_ws.space.problem import Problem
from nasbench_ws.training.batches import normalised
from nasbench_ws.training.loop import one_thread
from nasbench_ws.training.probe import ridge_accuracy

FIT, SCORED, TOGETHER = 2000, 1000, 250  # training and validation images; batches of so many, by their own statistics
VALUES = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)  # of all weights, of `wann:shared`


@dataclass(frozen=True)
class Wann:
    """A thing with `score`, as rankers/base.py has it: the mean over draws, or over shared values, of the accuracy."""

    shared: bool = False
    draws: int = 1  # of weights, an instance
    splits = ("train", "valid")

    @property
    def name(self) -> str:
        return "wann:shared" if self.shared else "wann"

    @property
    def plan(self) -> dict[str, int]:
        return {"draws": self.draws, "fit": FIT, "scored": SCORED}

    def macs(self, problem: Problem, images: Images) -> int:
        """Multiply-adds of an instance: forward passes alone."""
        macro, times = problem.network(images), len(VALUES) if self.shared else self.draws
        return times * (FIT + SCORED) * sum(mac_count(child_network(macro, child)) for child in problem.children)

    @one_thread()
    def score(self, problem: Problem, images: Images, seed: int) -> Array:
        """(n,) accuracies on validation images; children that are equal there go by fewer parameters."""
        macro, train, valid = problem.network(images), images.train, images.valid
        rng = np.random.Generator(np.random.PCG64(derive("wann", seed)))
        parts = []
        for split, count in ((train, FIT), (valid, SCORED)):
            drawn = rng.permutation(len(split.labels))[:count]
            pixels = normalised(split.pixels[drawn], images.mean, images.std).permute(0, 3, 1, 2)
            parts.append((pixels, split.labels[drawn]))
        found = np.zeros(len(problem.children))
        sizes = np.zeros(len(problem.children))
        for number, child in enumerate(problem.children):
            for draw in range(len(VALUES) if self.shared else self.draws):
                untrained = Untrained(macro, child, derive("wann", seed, draw))
                if self.shared:
                    untrained.change(lambda w, value=VALUES[draw]: torch.full_like(w, value))  # type: ignore[misc]
                features = [pooled(untrained, pixels) for pixels, _ in parts]
                found[number] += ridge_accuracy(features, [labels for _, labels in parts], macro.classes)
            sizes[number] = sum(weight.numel() for weight in untrained.weights)
        scores: Array = found / (len(VALUES) if self.shared else self.draws) - 1e-9 * sizes / sizes.max()
        return scores


@torch.no_grad()
def pooled(child: Untrained, images: torch.Tensor) -> Array:
    """(B, channels) features before the classifier."""
    parts = [
        child.forward(images[at : at + TOGETHER]).cells[-1].mean(dim=(2, 3)) for at in range(0, len(images), TOGETHER)
    ]
    found: Array = torch.cat(parts).double().numpy()
    return found
