"""Groups found from training, not from the alphabet: children that want the same of shared weights together.

A short fully shared run gives a similarity of every two children; recursive spectral bisection makes groups of
equal size of it. Only training and validation images are used. The result is a file for `groups:file:PATH`.

    similarity = gradient_similarities(recipe, space, images, steps=640, seed=0)      # or curve_correlations(...)
    write_groups(balanced_groups(similarity, 8), list(space), "groups.json")
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nasbench_ws.images.dataset import Images
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.recipe import Recipe
from nasbench_ws.sharing.keys import full
from nasbench_ws.sharing.schedules import SCHEDULES, realise
from nasbench_ws.space.cell import Space
from nasbench_ws.space.macro import macro_for
from nasbench_ws.training.batch_norm import BatchNorm
from nasbench_ws.training.loop import children_seed, make_batches, train
from nasbench_ws.training.readouts import gradient_similarity
from nasbench_ws.training.scoring import Scorer
from nasbench_ws.training.supernet import StepOutcome, SuperNet


def gradient_similarities(
    recipe: Recipe, space: Space, images: Images, steps: int, seed: int, batches: int = 8,
    on_step: Callable[[int], None] | None = None,
) -> Array:  # fmt: skip
    """Cosine of the children's gradients on shared weights, mean over batches, after a short shared run: (n, n).

    The idea of splits by gradient matching (Hu et al. 2022, "Generalizing Few-Shot NAS with Gradient Matching").
    `on_step(steps done)` is called after each step.
    """
    net = _train(recipe, space, images, steps, seed, on_step=on_step)
    stream = make_batches(recipe, images, net, seed, extra="grouping")
    mean: Array = np.mean([gradient_similarity(net, *next(stream)) for _ in range(batches)], axis=0)
    return mean


def curve_correlations(
    recipe: Recipe, space: Space, images: Images, steps: int, seed: int, last: int = 64, scored_images: int = 1000,
    on_step: Callable[[int], None] | None = None,
) -> Array:  # fmt: skip
    """Correlation of the children's accuracies after each of the last steps of a short shared run: (n, n).

    Children that gain and lose together do not disturb one another (paper, section 4.2). `on_step` as above.
    """
    some = images.first_valid(scored_images)
    scorer = Scorer(some, "valid", BatchNorm())
    scores: list[Array] = []

    def snapshot(step: int, net: SuperNet) -> None:
        scores.append(scorer.score(net).accuracy)

    _train(recipe, space, images, steps, seed, snapshot, last, on_step)
    matrix = np.array(scores).T
    matrix = matrix - matrix.mean(axis=0)  # what all gain alike says nothing of who goes with whom
    deviation = matrix.std(axis=1, keepdims=True)
    unit = (matrix - matrix.mean(axis=1, keepdims=True)) / np.where(deviation > 0, deviation, 1)
    correlation: Array = unit @ unit.T / matrix.shape[1]
    return correlation


def _train(
    recipe: Recipe,
    space: Space,
    images: Images,
    steps: int,
    seed: int,
    snapshot: Callable[[int, SuperNet], None] | None = None,
    last: int = 0,
    on_step: Callable[[int], None] | None = None,
) -> SuperNet:
    """A fully shared super-net; `snapshot(step, net)` after each of the last steps."""
    children = list(space)
    macro = macro_for(recipe, images)
    net = SuperNet(recipe, macro, children, full, seed)
    sequence = realise(SCHEDULES["shuffle"], children, steps, children_seed("schedule", children, seed))

    def after(step: int, outcome: StepOutcome) -> None:
        if on_step is not None:
            on_step(step)
        if snapshot is not None and step > steps - last:
            snapshot(step, net)

    train(net, make_batches(recipe, images, net, seed), sequence, after)
    return net
