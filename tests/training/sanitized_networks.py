"""Random networks on the kernels given, beside torch: test_memory.py runs this on a build with sanitizers.

python sanitized_networks.py KERNELS.so COUNT [--images-too-few]
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

from nasbench_ws.sharing.keys import full
from nasbench_ws.space.cell import Space
from nasbench_ws.space.macro import OUTPUTS, Macro
from nasbench_ws.space.registry import DEEPER64, NASBENCH201, TOPOLOGY729
from nasbench_ws.training import compiled as engine
from nasbench_ws.training.kernels import library
from nasbench_ws.training.reference import TORCH
from nasbench_ws.training.weights import Weights
from nasbench_ws.workers.threads import threads_here

SPACES = (
    DEEPER64, Space("quad", 3, DEEPER64.operations), TOPOLOGY729, NASBENCH201,
    Space("plain", 2, ("none", "skip_connect", "dil_conv_3x3", "conv_3x3", "avg_pool_3x3", "max_pool_3x3")),
)  # fmt: skip
GROUPED = Space("grouped", 2, ("none", "group_conv", "conv_1x1"))  # of channels that four divides


def drawn(rng: random.Random) -> Macro:
    return Macro(
        "drawn",
        stem=tuple(rng.choice((1, 3, 8, 17)) for _ in range(rng.randint(1, 2))),
        channels=rng.choice((1, 2, 4, 5, 8, 9, 13, 16, 20)),
        cells=rng.randint(1, 2),
        height=rng.randint(1, 15),
        width=rng.randint(1, 15),
        image_channels=rng.randint(1, 5),
        classes=rng.randint(1, 11),
        output=rng.choice(OUTPUTS),
        dilated_kernel=rng.choice((3, 5)),
    )


def run(seed: int) -> None:
    rng = random.Random(seed)
    macro, dtype = drawn(rng), rng.choice((torch.float32, torch.float64))
    width = 4 if dtype == torch.float64 else rng.choice([w for w in (4, 8, 16) if w <= engine.lanes(16, dtype)])
    space = rng.choice(SPACES if macro.channels % 4 else (*SPACES, GROUPED))
    children = [space[rng.randrange(len(space))] for _ in range(rng.randint(1, 4))]
    weights = Weights(macro, children, full, seed, dtype)
    count = rng.randint(2, 6)
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn((count, macro.height, macro.width, macro.image_channels), generator=generator, dtype=dtype)
    labels = torch.randint(macro.classes, (count,), generator=generator)
    lanes, engine.lanes = engine.lanes, lambda channels, dtype: width
    try:
        learner = engine.Engine(weights.network([0]), weights, keep=True)
        merged = weights.network(range(len(children)))
        scorer = engine.Engine(merged, weights, keep=False)
    finally:
        engine.lanes = lanes
    gradient = torch.zeros_like(weights.values)

    def criterion(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        scorer.score(images, labels, batch=2)  # a run within a run
        return cross_entropy(logits, labels)

    by_loss, _ = learner.learn(images, labels, gradient, 0.0, criterion)
    by_own = gradient.clone()
    gradient.zero_()
    loss, _ = learner.learn(images, labels, gradient, 0.1)
    if dtype == torch.float64:
        assert abs(by_loss - loss) < 1e-9 * max(1.0, abs(loss)), (seed, by_loss, loss)
        assert (by_own - gradient).abs().max() < 1e-9 * max(1.0, float(gradient.abs().max())), seed
    engine.Updater(weights, weights.ranges([0])).update(gradient, 0.01, 0.9, 1e-4)
    assert gradient.eq(0).all()
    for statistics, batch in ((scorer.statistics(images), rng.randint(1, count)), (None, count)):
        found, _ = scorer.score(images, labels, statistics, batch)
        expected, _ = TORCH.bind(merged, weights, learns=False).score(images, labels, statistics, batch)
        if dtype == torch.float64 and macro.height * macro.width > 8:  # fewer numbers have too small a variance
            assert abs(found - expected).max() < 1e-6, (seed, found, expected)
    assert loss == loss


def too_few() -> None:
    """What the checks would refuse: the kernels read behind the images."""
    macro = Macro("few", stem=(3,), channels=4, cells=1, height=6, width=5, image_channels=1)
    weights = Weights(macro, [DEEPER64[0]], full, 0)
    engine.check_batch = lambda *arguments: None  # type: ignore[assignment]
    images, labels = torch.zeros(4, 6, 4, 1), torch.zeros(4, dtype=torch.int64)
    engine.Engine(weights.network([0]), weights, keep=False).run(images, labels, 4)


if __name__ == "__main__":
    kernels, count, *rest = sys.argv[1:]
    library.built = lambda: Path(kernels)
    assert engine.available()
    assert library.library()._name == kernels
    torch.set_num_threads(1)
    if rest:
        too_few()
    engine.LEAST_IMAGES = 1  # batches are small here
    for seed in range(int(count)):
        with threads_here(1 + seed % 3):
            run(seed)
    print(f"{count} networks")
