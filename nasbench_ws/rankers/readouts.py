"""From a trained thing to a score of every child: log-probabilities, gates, what removing an operation costs.

    log_probability(probabilities, run.choices)         # (n,): sum over edges of log pi[e, o_e]
    perturbation(run, draw)                             # (edges, operations): accuracy lost without the operation
    expected_best(accuracies, weights, 6)               # (n,): chance to be the best of 6 draws

Scores that add up over edges are additive: `metrics/additive.py` says how well any such score can rank a table.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.rankers.run import SMALLEST, Run
from nasbench_ws.training.batches import normalised
from nasbench_ws.training.mixed import Draw

PERTURBATION_IMAGES = 2500  # of the validation images, for the mixture and for it without each operation


def additive(parts: Array, choices: NDArray[np.int64]) -> Array:
    """(n,) sums over edges of (edges, operations) parts, at the operations (n, edges) that each child has."""
    value: Array = parts[np.arange(choices.shape[1]), choices].sum(axis=1)
    return value


def log_probability(probabilities: Array, choices: NDArray[np.int64]) -> Array:
    """(n,) log-probabilities of children whose edges are drawn apart from one another.

    >>> log_probability(np.array([[0.5, 0.5], [0.1, 0.9]]), np.array([[0, 1], [1, 0]])).round(3).tolist()
    [-0.799, -2.996]
    """
    return additive(np.log(np.maximum(probabilities, SMALLEST)), choices)


def entropy(log_probabilities: Array) -> float:
    """Of a distribution over children (n,), as a part of the most, log n: 1 has not decided at all.

    >>> round(entropy(np.log([0.25, 0.25, 0.25, 0.25])), 6)
    1.0
    """
    p = np.exp(log_probabilities - np.logaddexp.reduce(log_probabilities))
    return float(-(p * np.log(np.maximum(p, SMALLEST))).sum() / np.log(len(p)))


def perturbation(run: Run, draw: Draw) -> Array:
    """Accuracy of the mixture minus that without an operation, the edge's other gates made up to the same sum.

    (edges, operations), on validation images with the statistics of each 500. Source: Wang et al., Rethinking
    Architecture Selection in Differentiable NAS (ICLR 2021): what hurts most when it goes is what matters most.
    """
    images = run.images.first_valid(min(PERTURBATION_IMAGES, len(run.images.valid.labels)))
    import torch

    pixels = normalised(images.valid.pixels, images.mean, images.std, run.net.weights.dtype).contiguous()
    labels = torch.from_numpy(images.valid.labels)
    whole = run.net.score(pixels, labels, draw)[1]
    found = np.zeros(run.net.shape)
    for e, o in np.argwhere(draw.active).tolist():
        gates, active = draw.gates.clone(), draw.active.copy()
        gates[e, o], active[e, o] = 0.0, False
        if gates[e].sum() > 0:
            gates[e] *= draw.gates[e].sum() / gates[e].sum()
        found[e, o] = whole - run.net.score(pixels, labels, Draw.of(gates, active))[1]
    return found


def expected_best(accuracies: Array, log_probabilities: Array, draws: int) -> Array:
    """(n,) chance of each child to be the most accurate of `draws` children drawn with those probabilities.

    F(k)^draws - F(k - 1)^draws, with F the probability of the children that are no better. Children of one accuracy
    share theirs in proportion to their probabilities; NaN counts as worst.

    >>> expected_best(np.array([0.1, 0.3, 0.2]), np.log(np.full(3, 1 / 3)), 2).round(3).tolist()
    [0.111, 0.556, 0.333]
    """
    p = np.exp(log_probabilities - np.logaddexp.reduce(log_probabilities))
    _, place = np.unique(np.where(np.isfinite(accuracies), accuracies, -np.inf), return_inverse=True)
    by_level = np.bincount(place, weights=p)
    upto = np.minimum(by_level.cumsum(), 1.0)
    chance = np.diff(upto**draws, prepend=0.0)
    value: Array = chance[place] * p / np.maximum(by_level[place], SMALLEST)
    return value
