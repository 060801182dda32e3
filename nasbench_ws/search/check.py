"""Does a searcher keep the protocol? Worlds of random numbers, with holes, ask it.

    from nasbench_ws.testing import check_searcher

    def test_my_searcher():
        check_searcher("my.py:Mine")

Every check raises SearcherError.
"""

from __future__ import annotations

import numpy as np

from nasbench_ws.errors import SearcherError
from nasbench_ws.search.oracle import Oracle, Rules
from nasbench_ws.search.run import name_of, search
from nasbench_ws.search.searcher import Make
from nasbench_ws.space.cell import Space
from nasbench_ws.space.registry import DEEPER64

REPETITIONS = 3
POINTS, RUNS = 4, 3


def random_oracle(space: Space = DEEPER64, seed: int = 0, holes: float = 0.0, rules: Rules | None = None) -> Oracle:
    """Children of random quality.

    Args:
        holes: the part of runs that is missing, and again that has diverged.
    """
    rng, n = np.random.default_rng(seed), len(space)
    quality = rng.normal(0.8, 0.02, (n, 1))
    later = -0.05 * np.arange(POINTS)[::-1]
    curves = quality[:, :, None] + rng.normal(0, 0.004, (n, RUNS, POINTS)) + later
    test = quality + rng.normal(0, 0.004, (n, RUNS))
    missing, diverged = rng.random((n, RUNS)) < holes, rng.random((n, RUNS)) < holes
    curves[missing | diverged] = test[missing | diverged] = np.nan
    epochs, macs = np.arange(1.0, POINTS + 1), rng.integers(100_000, 200_000, n)
    shown = {"signal": curves, "valid_accuracy": curves, "valid_loss": 1 - curves, "train_loss": 1 - curves}
    cost = np.tile(epochs / POINTS, (n, 1))
    return Oracle(
        space, "random numbers", f"seed {seed}", rules or Rules(), epochs, shown, ~missing, test, cost, 1.0,
        float(macs.mean()) * POINTS * 3000, macs // 10, macs,
    )  # fmt: skip


def check_searcher(make: str | Make, space: Space = DEEPER64) -> None:
    """All checks of a searcher, by its name or as `search` takes it.

    It asks for children that exist, and carries on only its own trials; it survives runs that are missing or diverged;
    it draws from its own generator alone; and its budget buys something.

    Args:
        make: a name, or what makes a searcher from a space and a generator.
        space: that it searches.
    """
    name = name_of(make)
    before = _global_state()
    for holes in (0.0, 0.4):
        oracle = random_oracle(space, holes=holes)
        first, again = (search(make, oracle, repetitions=REPETITIONS) for _ in range(2))
        if not first.same(again):
            raise SearcherError(f"searcher {name!r} searches otherwise with the same seed; draw from `rng` alone")
        if not first.trials.all():
            raise SearcherError(f"searcher {name!r} trains nothing; ask() must return a child while there is budget")
    if _global_state() != before:
        raise SearcherError(f"searcher {name!r} draws from numpy's global generator; draw from `rng` alone")


def _global_state() -> bytes:
    state = np.random.get_state(legacy=False)
    assert isinstance(state, dict)
    return bytes(state["state"]["key"].tobytes()) + repr(state["state"]["pos"]).encode()
