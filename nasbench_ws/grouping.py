"""Groups found from training, not from the alphabet: children that want the same of shared weights together.

A short fully shared run gives a similarity of every two children; recursive spectral bisection makes groups of
equal size of it. Only training and validation images are used. The result is a file for `groups:file:PATH`.

    similarity = gradient_similarities(recipe, images, steps=640, seed=0)      # or curve_correlations(...)
    write_groups(balanced_groups(similarity, 8), list(space), "groups.json")
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nasbench_ws.errors import UsageError
from nasbench_ws.images import Images
from nasbench_ws.readout import gradient_similarity
from nasbench_ws.recipe import Recipe
from nasbench_ws.records import write_record
from nasbench_ws.schedule import SCHEDULES, realise
from nasbench_ws.score import BatchNorm, Scorer
from nasbench_ws.sharing import GROUPS_FORMAT, full
from nasbench_ws.space import Architecture, get_space
from nasbench_ws.supernet import StepOutcome, SuperNet
from nasbench_ws.train import children_seed, make_batches, train

Array = npt.NDArray[np.float64]


def gradient_similarities(recipe: Recipe, images: Images, steps: int, seed: int, batches: int = 8) -> Array:
    """Cosine of the children's gradients on shared weights, mean over batches, after a short shared run: (n, n).

    The idea of splits by gradient matching (Hu et al. 2022, "Generalizing Few-Shot NAS with Gradient Matching").
    """
    net = _train(recipe, images, steps, seed)
    stream = make_batches(recipe, images, net, seed, extra="grouping")
    mean: Array = np.mean([gradient_similarity(net, *next(stream)) for _ in range(batches)], axis=0)
    return mean


def curve_correlations(
    recipe: Recipe, images: Images, steps: int, seed: int, last: int = 64, scored_images: int = 1000
) -> Array:
    """Correlation of the children's accuracies after each of the last steps of a short shared run: (n, n).

    Children that gain and lose together do not disturb one another (paper, section 4.2).
    """
    some = images.first_valid(scored_images)
    scorer = Scorer(some, "valid", BatchNorm())
    scores: list[Array] = []
    _train(recipe, images, steps, seed, lambda step, net: scores.append(scorer.score(net).accuracy), last)
    matrix = np.array(scores).T
    matrix = matrix - matrix.mean(axis=0)  # what all gain alike says nothing of who goes with whom
    deviation = matrix.std(axis=1, keepdims=True)
    unit = (matrix - matrix.mean(axis=1, keepdims=True)) / np.where(deviation > 0, deviation, 1)
    correlation: Array = unit @ unit.T / matrix.shape[1]
    return correlation


def _train(
    recipe: Recipe,
    images: Images,
    steps: int,
    seed: int,
    snapshot: Callable[[int, SuperNet], None] | None = None,
    last: int = 0,
) -> SuperNet:
    """A fully shared super-net; `snapshot(step, net)` after each of the last steps."""
    children = list(get_space(recipe.space))
    macro = recipe.macro_for(images)
    net = SuperNet(recipe, macro, children, full, seed)
    sequence = realise(SCHEDULES["shuffle"], children, steps, children_seed("schedule", children, seed))

    def on_step(step: int, outcome: StepOutcome) -> None:
        if snapshot is not None and step > steps - last:
            snapshot(step, net)

    train(net, make_batches(recipe, images, net, seed), sequence, on_step)
    return net


def balanced_groups(similarity: Array, count: int) -> list[int]:
    """The group (0 to count - 1) of each child: equal sizes, similar children together.

    Recursive spectral partition: the children are ordered by the second eigenvector of the graph's Laplacian and
    cut into as many equal slices as the smallest prime factor of `count`, and each slice again. Deterministic.
    """
    n = len(similarity)
    if count < 1 or n % count:
        allowed = ", ".join(str(m) for m in range(1, n + 1) if n % m == 0)
        raise UsageError(f"{n} children do not divide into {count} groups; allowed are {allowed}")
    finite = similarity[np.isfinite(similarity)]
    weights = np.where(np.isfinite(similarity), similarity, finite.min()) - finite.min()
    weights = (weights + weights.T) / 2
    np.fill_diagonal(weights, 0)
    group = [0] * n
    for number, members in enumerate(_divide(list(range(n)), weights, count)):
        for child in members:
            group[child] = number
    return group


def _divide(members: list[int], weights: Array, count: int) -> list[list[int]]:
    if count == 1:
        return [members]
    factor = next(p for p in range(2, count + 1) if count % p == 0)
    part = weights[np.ix_(members, members)]
    _, vectors = np.linalg.eigh(np.diag(part.sum(axis=1)) - part)
    second = vectors[:, 1]
    second = second * np.sign(second[np.argmax(np.abs(second))])  # an eigenvector's sign is arbitrary
    ordered = [members[i] for i in np.lexsort((np.arange(len(members)), np.round(second, 9)))]
    size = len(members) // factor
    slices = [ordered[i * size : (i + 1) * size] for i in range(factor)]
    return [group for one in slices for group in _divide(one, weights, count // factor)]


def write_groups(groups: Sequence[int], children: Sequence[Architecture], path: str | Path) -> None:
    """A file for `groups:file:PATH`: the group of each child by its hash. OutputError where it cannot be written."""
    if len(groups) != len(children):
        raise UsageError(f"{len(groups)} groups for {len(children)} children; give one for each")
    by_hash = {arch.hash: int(group) for arch, group in zip(children, groups, strict=True)}
    write_record(Path(path), GROUPS_FORMAT, {"groups": by_hash})
