"""What any ranker that trains by a `Plan` answers from that plan.

    class Mine(Asked):                  # asked: the plan; thing: who ranks, or None: as the plan's name says
        ...

Not here: how it ranks (weight_sharing.py, trained.py), and the protocol that it keeps (base.py).
"""

from __future__ import annotations

from typing import Any

from nasbench_ws.rankers.plan import Plan


class Asked:
    """The part of a `Ranker` that is the same whatever is trained."""

    splits = ("train", "valid")

    def __init__(self, asked: Plan, thing: Any = None) -> None:
        self.asked, self.thing, self.name = asked, thing, asked.strategy

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.asked, self.thing)

    @property
    def recipe(self) -> dict[str, Any]:
        return self.asked.recipe.to_dict()

    @property
    def valid_images(self) -> int:
        return self.asked.valid_images

    def instances(self) -> int | None:
        return None
