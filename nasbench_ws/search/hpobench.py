"""A table behind HPOBench's call signature, for optimisers that are written for it.

    benchmark = HpoBenchmark(load("fashion14"), rng=0)
    benchmark.objective_function({"0->1": ...}, fidelity={"epoch": 3})["function_value"]    # validation error
    benchmark.objective_function_test({"0->1": ...})                                        # test error, full training

Eggensperger et al., HPOBench (NeurIPS Datasets and Benchmarks 2021). Not here: containers, and its other benchmarks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nasbench_ws.errors import UsageError
from nasbench_ws.search.oracle import World
from nasbench_ws.space.exchange import config_space
from nasbench_ws.tables.table import Table


class HpoBenchmark:
    """
    Args:
        table: any.
        rng: the world: which run of a child is shown first.
        unit: of costs.
    """

    def __init__(self, table: Table, rng: int = 0, unit: str = "seconds") -> None:
        self._world = World(table, rng, unit=unit)
        self._space = table.space

    def get_configuration_space(self, seed: int | None = None) -> Any:
        """A ConfigSpace (extra [configspace])."""
        return config_space(self._space, seed=seed)

    def objective_function(
        self, configuration: Mapping[str, str], fidelity: Mapping[str, float] | None = None, rng: Any = None
    ) -> dict[str, Any]:
        """A training of a run of its own; `rng` is not used, since the next run is the world's."""
        epoch = self._epoch(fidelity)
        seen = self._world(self._space.from_dict(dict(configuration)), epoch)
        info = {"valid_loss": seen.valid_loss, "train_loss": seen.train_loss, "fidelity": {"epoch": epoch}}
        return {"function_value": 1 - seen.valid_accuracy, "cost": seen.cost, "info": info}

    def objective_function_test(
        self, configuration: Mapping[str, str], fidelity: Mapping[str, float] | None = None, rng: Any = None
    ) -> dict[str, Any]:
        """Mean test error over all seeds after a full training; an optimiser never sees it."""
        last = float(self._world.oracle.epochs[-1])
        if self._epoch(fidelity) != last:
            raise UsageError(f"test errors are of full trainings; leave the fidelity out, or give epoch {last:g}")
        child = self._space.from_dict(dict(configuration)).index
        cost = self._world.oracle.prices[child][-1]
        return {"function_value": 1 - self._world.oracle.truth.item(child), "cost": cost, "info": {}}

    def _epoch(self, fidelity: Mapping[str, float] | None) -> float:
        given = dict(fidelity or {})
        epoch = given.pop("epoch", float(self._world.oracle.epochs[-1]))
        if given:
            raise UsageError(f"there is no fidelity {next(iter(given))!r}; the one there is is epoch")
        return float(epoch)
