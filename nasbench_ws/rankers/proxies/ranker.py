"""Zero-cost proxies as rankers: every child untrained, on a batch or two, a seed an instance.

    evaluate("synflow", table), evaluate("zico", table, instances=5)

Instances differ in weights and images: their S-Tau says how much that matters, and partial tau whether there is
anything beyond size. No table here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from nasbench_ws.images.dataset import Images
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.rankers.proxies import az_nas, correlation, saliency, zen, zico
from nasbench_ws.rankers.proxies.observed import Untrained
from nasbench_ws.seeds import derive
from nasbench_ws.space.child import child_network, mac_count
from nasbench_ws.space.problem import Problem
from nasbench_ws.training.batches import normalised
from nasbench_ws.training.loop import one_thread

WAYS = {
    "grad_norm": saliency.grad_norm, "snip": saliency.snip, "grasp": saliency.grasp, "fisher": saliency.fisher,
    "plain": saliency.plain, "l2_norm": saliency.l2_norm, "synflow": saliency.synflow, "jacov": correlation.jacov,
    "epe_nas": correlation.epe_nas, "naswot": correlation.naswot, "zen": zen.zen, "zico": zico.zico,
}  # fmt: skip
# Images, and forward passes that their computation is worth: a backward pass is two, a second derivative four more.
COSTS = {
    "grad_norm": (64, 3), "snip": (64, 3), "grasp": (64, 9), "fisher": (64, 3), "plain": (64, 3), "l2_norm": (0, 0),
    "synflow": (1, 3), "jacov": (64, 3), "epe_nas": (64, 3), "naswot": (128, 1), "zen": (16, 2 * zen.REPEATS),
    "zico": (128, 3), "az_nas": (64, 3),
}  # fmt: skip


@dataclass(frozen=True)
class Proxy:
    """A thing with `score`, as rankers/base.py has it."""

    name: str
    splits = ("train",)

    def macs(self, problem: Problem, images: Images) -> int:
        """Multiply-adds of an instance."""
        count, passes = COSTS[self.name]
        macro = problem.network(images)
        seen = min(count, problem.train_images, len(images.train))
        return seen * passes * sum(mac_count(child_network(macro, child)) for child in problem.children)

    @one_thread()
    def score(self, problem: Problem, images: Images, seed: int) -> Array:
        """(n,) in the order of the children; NaN where it is not finite."""
        macro = problem.network(images)
        dtype = torch.float64 if self.name == "synflow" else torch.float32
        train = images.subset(min(problem.train_images, len(images.train.labels))).train
        rng = np.random.Generator(np.random.PCG64(derive("proxy", seed)))
        drawn = rng.permutation(len(train.labels))[: max(COSTS[self.name][0], 2)]
        pixels = normalised(train.pixels[drawn], images.mean, images.std, dtype).permute(0, 3, 1, 2)
        labels = torch.from_numpy(train.labels[drawn])
        found = []
        for child in problem.children:
            untrained = Untrained(macro, child, seed, dtype)
            if self.name == "az_nas":
                found.append([*az_nas.parts(untrained, pixels, labels), mac_count(child_network(macro, child))])
            else:
                found.append([WAYS[self.name](untrained, pixels, labels)])
        values = np.array(found, dtype=np.float64)
        scores = az_nas.together(values) if self.name == "az_nas" else values[:, 0]
        finite: Array = np.where(np.isfinite(scores), scores, np.nan)
        return finite
