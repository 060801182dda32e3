"""A predictor with n standalone runs: an additive model of the choices, fitted to validation accuracies of n children.

    predicted(curves, space_choices, n=24)         # a `Known`, a ranking for each seed of the table

Ridge regression on indicators of (edge, operation), penalty .05, on one single-seed validation accuracy of each of n
children drawn at random; the drawn keep half of their own observation. Charged are n standalone runs. As `alone`, it is
measured against the seeds that it has not looked at. Baker et al., Accelerating Neural Architecture Search using
Performance Prediction (2017), is an early one; White et al., How Powerful are Performance Predictors in NAS? (NeurIPS
2021), compares many.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nasbench_ws.cost import Cost
from nasbench_ws.errors import UsageError
from nasbench_ws.metrics.additive import indicators
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.rankers.alone import Curves, check_places, cost
from nasbench_ws.rankers.scored import Known
from nasbench_ws.seeds import derive

PENALTY, OWN = 0.05, 0.5  # of the ridge; weight of a trained child's own observation


def predicted(curves: Curves, choices: NDArray[np.int64], n: int) -> Known:
    """Rankings (seeds, children). UsageError for an n that cannot be, or runs that are missing."""
    children = len(choices)
    if not 2 <= n <= children:
        raise UsageError(f"predictor:additive:{n}: it fits 2 to {children} children, the space has {children}")
    check_places(curves)
    last = curves.valid_accuracy[:, :, -1]
    if np.isnan(last).any():
        raise UsageError(f"{int(np.isnan(last).sum())} runs have no validation accuracy; a predictor may draw any")
    scores = np.stack([scores_of(last[:, seed], choices, drawn(children, n, seed)) for seed in range(last.shape[1])])
    whole = cost(curves, float(curves.epochs[-1]))
    names = ("steps", "images", "child_updates", "macs", "weight_bytes", "parameters", "super_nets")
    part = Cost(seconds=0.0, **{name: getattr(whole, name) * n // children for name in names})
    name = f"predictor:additive:{n}"
    return Known(name, scores, part, {"runs": n}, looked_at=curves.places)


def drawn(children: int, n: int, seed: int) -> NDArray[np.int64]:
    """Which children are trained, by the instance's seed."""
    rng = np.random.Generator(np.random.PCG64(derive("predictor", seed)))
    found: NDArray[np.int64] = rng.permutation(children)[:n]
    return found


def scores_of(observed: Array, choices: NDArray[np.int64], trained: NDArray[np.int64]) -> Array:
    """(n,) predictions from the observations of those trained alone."""
    design = indicators(choices) - indicators(choices).mean(axis=0)
    own, mean = design[trained], observed[trained].mean()
    parts = np.linalg.solve(own.T @ own + PENALTY * np.eye(design.shape[1]), own.T @ (observed[trained] - mean))
    scores: Array = mean + design @ parts
    scores[trained] = OWN * observed[trained] + (1 - OWN) * scores[trained]
    return scores
