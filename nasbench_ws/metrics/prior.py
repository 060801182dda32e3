"""How much each metric varies between instances of a super-net: learnt from the results that ship.

    usual = shipped_prior()
    usual.by_metric("recalibrate:1024")["kendall_tau"]          # Prior(df=..., std=...)

The file data/prior.json holds a prior for each metric and way of batch norm, of all strategies that ship, with what it
was learnt from. It says something of super-nets on the table that they were measured against, and of no other ranker:
`applies` says whether a table has the same children and images. `benchmarks/learn_prior.py` makes it again. Not here:
how a prior is fitted (estimates.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from nasbench_ws.errors import ResultError
from nasbench_ws.metrics.estimates import Prior

ANY = "any"  # ways of batch norm that were not run: what all of those together show
FILE = "prior.json"


@dataclass(frozen=True)
class Usual:
    """Priors by way of batch norm and metric, and what they were learnt from.

    Attributes:
        priors: of super-nets whose children are trained by a schedule, whatever they share.
        ways: of those that are trained in a way of their own (gates, controllers, samplers): they vary more.
        learnt_from: results, table and problem.
    """

    priors: Mapping[str, Mapping[str, Prior]]
    ways: Mapping[str, Mapping[str, Prior]]
    learnt_from: Mapping[str, Any]

    def by_metric(self, batch_norm: str, *, own_way: bool = False) -> Mapping[str, Prior]:
        """Of a mode such as "running" or "recalibrate:1024": how many images recalibrate makes no difference here."""
        some = self.ways if own_way else self.priors
        return some.get(batch_norm.partition(":")[0], some[ANY])

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
        priors, ways = (
            {
                mode: {metric: Prior(float(one["df"]), float(one["std"])) for metric, one in by_metric.items()}
                for mode, by_metric in data[kind].items()
            }
            for kind in ("priors", "ways")
        )
        if ANY not in priors or ANY not in ways or not isinstance(data["learnt_from"]["problem"], dict):
            raise ValueError(f"it has no priors {ANY!r}, or not the problem that they were learnt on")
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ResultError(f"{path} cannot be read as priors: {error!r}; make it again by learn_prior.py") from error
    return Usual(priors, ways, data["learnt_from"])
