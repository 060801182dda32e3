"""A table as arrays, made of random numbers, with holes where a test asks for them."""

from __future__ import annotations

import numpy as np

from nasbench_ws.search.oracle import Oracle, Rules
from nasbench_ws.space.cell import Space
from nasbench_ws.space.registry import DEEPER64

NINE = Space("nine", 2, ("a", "b"))  # eight children


def oracle(space: Space = DEEPER64, runs: int = 3, holes: float = 0.0, seed: int = 0, points: int = 4, **rules):
    rng = np.random.default_rng(seed)
    n = len(space)
    quality = rng.normal(0.8, 0.02, n)
    curves = quality[:, None, None] + rng.normal(0, 0.004, (n, runs, points)) - 0.05 * np.arange(points)[::-1]
    test = quality[:, None] + rng.normal(0, 0.004, (n, runs))
    exists = np.ones((n, runs), dtype=bool)
    missing, diverged = rng.random((n, runs)) < holes, rng.random((n, runs)) < holes
    exists[missing] = False
    for values in (curves, test):
        values[missing | diverged] = np.nan
    macs = rng.integers(100_000, 200_000, n)
    epochs = np.arange(1.0, points + 1)
    rules = Rules(**rules)
    cost = {
        "evaluations": np.tile(epochs / points, (n, 1)),
        "epochs": np.tile(epochs, (n, 1)),
        "macs": epochs * macs[:, None] * 3000.0,
        "seconds": epochs * macs[:, None] / 1e4,
    }[rules.unit]
    shown = {"signal": curves, "valid_accuracy": curves, "valid_loss": 1 - curves, "train_loss": 1 - curves}
    whole = points * 3000.0 * macs.mean()
    return Oracle(
        space, "small", f"digest {seed}", rules, epochs, shown, exists, test, cost, float(cost[:, -1].mean()), whole,
        macs // 10, macs,
    )  # fmt: skip
