"""Weight-agnostic networks: how well a child classifies with weights that nobody trained.

Gaier and Ha: Weight Agnostic Neural Networks (NeurIPS 2019). Published is one value for all weights. Here that tells
nothing (`wann:shared`): all channels of a node are equal, and batch norms divide the value out, but for its sign. So
the row `wann` draws weights at random, and fits a linear classifier to the pooled features in closed form: it is the
zero of the scale on which training of shared weights adds something.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nasbench_ws.images.dataset import Images, Split
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.seeds import derive
from nasbench_ws.sharing.keys import none
from nasbench_ws.space.child import child_network, mac_count, parameter_count
from nasbench_ws.space.macro import Macro
from nasbench_ws.space.problem import Problem
from nasbench_ws.training.batches import normalised
from nasbench_ws.training.loop import one_thread
from nasbench_ws.training.probe import features, ridge_accuracy
from nasbench_ws.training.supernet import SuperNet

FIT, SCORED, TOGETHER = 2000, 1000, 250  # training and validation images; batches of so many, by their own statistics
MERGED = 8  # children that are computed together: they share no weights, but their batches take memory
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
        seen = sum(min(count, len(of)) for of, count in zip(parts(problem, images), (FIT, SCORED), strict=True))
        return times * seen * sum(mac_count(child_network(macro, child)) for child in problem.children)

    @one_thread()
    def score(self, problem: Problem, images: Images, seed: int) -> Array:
        """(n,) accuracies on validation images; children that are equal there go by fewer parameters."""
        macro, children, split = problem.network(images), problem.children, parts(problem, images)
        rng = np.random.Generator(np.random.PCG64(derive("wann", seed)))
        drawn = [rng.permutation(len(of.labels))[:count] for of, count in zip(split, (FIT, SCORED), strict=True)]
        labels = [of.labels[some] for of, some in zip(split, drawn, strict=True)]
        pixels = [
            normalised(of.pixels[some], images.mean, images.std).contiguous()
            for of, some in zip(split, drawn, strict=True)
        ]
        values = VALUES if self.shared else (None,) * self.draws
        total = np.zeros(len(children))
        for draw, value in enumerate(values):
            net = untrained(problem, macro, derive("wann", seed, draw), value)
            for known in net.by_backend(range(len(children))):
                for some in (known[at : at + MERGED] for at in range(0, len(known), MERGED)):
                    of_all = zip(*(features(net, some, part, TOGETHER) for part in pixels), strict=True)
                    total[some] += [ridge_accuracy(own, labels, macro.classes) for own in of_all]
        sizes = np.array([parameter_count(child_network(macro, child)) for child in children])
        scores: Array = total / len(values) - 1e-9 * sizes / sizes.max()
        return scores


def parts(problem: Problem, images: Images) -> tuple[Split, Split]:
    """The training images that the problem has, and all validation images."""
    return images.subset(min(problem.train_images, len(images.train))).train, images.valid


def untrained(problem: Problem, macro: Macro, seed: int, value: float | None) -> SuperNet:
    """Every child with weights of its own, those it is trained from alone with that seed, or all of them `value`."""
    net = SuperNet(problem.untrained, macro, problem.children, none, seed)
    if value is not None:
        for number in range(len(net.weights.storages)):
            for view in net.weights.views(net.weights.values, number):
                if view.dim() > 1:  # neither a bias nor of a batch norm
                    view.fill_(value)
    return net
