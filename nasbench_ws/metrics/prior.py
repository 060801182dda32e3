"""How much each metric varies between instances of a super-net: learnt from the results that ship.

    usual = shipped_prior()
    usual.by_metric("recalibrate:1024", Regime(steps=39_200))["kendall_tau"]          # Prior(df=..., std=...)

The file data/prior.json holds a prior for each metric and way of batch norm, of all strategies that ship, by how they
were trained and for how long (Regime), with what it was learnt from. It says something of super-nets on the table that
they were measured against, and of no other ranker: `applies` says whether a table has the same children and images.
`benchmarks/learn_prior.py` makes it again. Not here: how a prior is fitted (estimates.py).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from numbers import Integral
from pathlib import Path
from typing import Any

from nasbench_ws.errors import MetricError, ResultError
from nasbench_ws.metrics.estimates import Prior

ANY = "any"  # ways of batch norm that were not run: what all of those together show
FILE = "prior.json"
TAU = "kendall_tau"

ByMode = Mapping[str, Mapping[str, Prior]]  # by way of batch norm and metric


@dataclass(frozen=True, kw_only=True)
class Regime:
    """What decides how much super-nets differ from seed to seed, whatever they share.

    MetricError where `own_way` is neither True nor False, or `steps` no whole number.

    Attributes:
        own_way: are they trained in a way of their own (gates, controllers, samplers)? Such vary more.
        steps: that a super-net is trained for, as planned for one that shares everything.
    """

    own_way: bool = False
    steps: int = 6400

    def __post_init__(self) -> None:
        if not isinstance(self.own_way, bool):
            raise MetricError(f"own_way={self.own_way!r}: it must be True or False")
        if isinstance(self.steps, bool) or not isinstance(self.steps, Integral) or self.steps < 0:
            raise MetricError(f"steps={self.steps!r}: it must be a whole number, such as 39_200")

    def nearest(self, budgets: Iterable[int]) -> int:
        """Of some numbers of steps the one that differs by the least factor; of two the smaller."""
        return min(sorted(budgets), key=lambda budget: abs(math.log(max(self.steps, 1)) - math.log(budget)))


DEFAULT = Regime()


@dataclass(frozen=True)
class Usual:
    """Priors by number of steps, way of batch norm and metric, and what they were learnt from.

    Attributes:
        priors: of super-nets whose children are trained by a schedule, whatever they share.
        ways: of those that are trained in a way of their own.
        learnt_from: results, table and problem.
    """

    priors: Mapping[int, ByMode]
    ways: Mapping[int, ByMode]
    learnt_from: Mapping[str, Any]

    def by_metric(self, batch_norm: str, regime: Regime = DEFAULT) -> Mapping[str, Prior]:
        """Of a mode such as "running" or "recalibrate:1024", by the budget that is nearest.

        How many images recalibrate makes no difference here.
        """
        some = self.ways if regime.own_way else self.priors
        by_mode = some[regime.nearest(some)]
        return by_mode.get(batch_norm.partition(":")[0], by_mode[ANY])

    def applies(self, problem: Mapping[str, Any]) -> bool:
        """Whether results on that problem (space, images, macro ...) vary as these do."""
        return all(problem.get(key) == value for key, value in self.learnt_from["problem"].items())


@cache
def shipped_prior() -> Usual:
    """The priors that ship. ResultError where their file is absent or broken."""
    import importlib

    folders = importlib.import_module("nasbench_ws.data").__path__
    path = next((Path(folder) / FILE for folder in folders if (Path(folder) / FILE).is_file()), None)
    if path is None:
        raise ResultError(f"no {FILE} in {', '.join(folders)}: install the package again")
    return read_prior(path)


def read_prior(path: Path) -> Usual:
    """Priors from a file that `benchmarks/learn_prior.py` wrote. ResultError where it is broken."""
    try:
        data = json.loads(path.read_text())
        priors, ways = ({int(steps): _by_mode(one) for steps, one in data[kind].items()} for kind in ("priors", "ways"))
        modes = [*priors.values(), *ways.values()]
        whole = priors and ways and min(*priors, *ways) > 0 and all(ANY in by_mode for by_mode in modes)
        whole = whole and all(TAU in by_metric for by_mode in modes for by_metric in by_mode.values())
        problem = data["learnt_from"]["problem"]
        if not whole or not isinstance(problem, dict) or not problem:
            raise ValueError(f"it has no priors {ANY!r}, none of {TAU}, or not the problem that they were learnt on")
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ResultError(f"{path} cannot be read as priors: {error!r}; make it again by learn_prior.py") from error
    return Usual(priors, ways, data["learnt_from"])


def _by_mode(data: Mapping[str, Any]) -> ByMode:
    return {
        mode: {metric: Prior(float(one["df"]), float(one["std"])) for metric, one in by_metric.items()}
        for mode, by_metric in data.items()
    }
