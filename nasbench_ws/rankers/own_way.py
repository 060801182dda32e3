"""Whether a way to train shared weights can give what it says it has: asked before training, not after hours of it.

    check_way("my.py:Mine", way)                # StrategyError names what is missing

Not here: what a way may have (trained.py).
"""

from __future__ import annotations

from typing import Any

from nasbench_ws.errors import StrategyError

IDLE = 1000  # iterations in a row that may spend nothing


def check_way(name: str, way: Any) -> None:
    """StrategyError for readouts that it cannot give, and for a part of the images that is none."""
    readouts, hold = getattr(way, "readouts", ("onehot",)), getattr(way, "hold", 0.0)
    if not isinstance(readouts, tuple | list) or not readouts or not all(isinstance(one, str) for one in readouts):
        raise StrategyError(f"{name} has readouts {readouts!r:.60}; give names, such as ('onehot', 'logp')")
    if not isinstance(hold, int | float) or not 0 <= hold < 1:
        raise StrategyError(
            f"{name} has hold {hold!r:.60}; it is the part of the training images that moves gates alone: give 0 or "
            "more, and less than 1"
        )
    for one in readouts:
        head, _, count = one.partition(":")
        if head == "sampled" and "onehot" in readouts:
            if not (count.isdecimal() and int(count)):
                raise StrategyError(f"{name} has the readout {one}; write sampled:N, with N children drawn")
            continue
        methods = {"onehot": (), "logp": ("probabilities", "log_probabilities", "read"), "perturbation": ("mixture",)}
        needed = methods.get(one, ("read",))
        if needed and not any(callable(getattr(way, method, None)) for method in needed):
            raise StrategyError(
                f"{name} has the readout {one}, and no method {' or '.join(needed)} to give it; write one, or leave "
                "the readout out"
            )


def check_spent(name: str, idle: int) -> None:
    """StrategyError after so many iterations in a row that spent nothing: training would never end."""
    if idle >= IDLE:
        raise StrategyError(
            f"{name}: {IDLE:,} iterations in a row spent nothing of the budget, and training would never end; take "
            "steps by the run's methods, such as run.weight_step, or pay for your own by run.pay(images, macs)"
        )
