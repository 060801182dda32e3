"""An evaluation's result: what was trained and scored, and what a table makes of it.

    result = Result.load("full.json")
    result.metrics["kendall_tau"].mean, result.scores                # scores: (instances, children)
    result.outcome.cost.macs, result.assessment.ceiling.all.held_out.mean
    print(result)                                                    # the verdict in a sentence and a table
    result.save("copy.json")

The JSON keys are stable; `result[key]` reads one. Everything in `assessment` can be computed again from `outcome` and
a table. Not here: what the two halves hold (outcome.py, assessment.py), and the JSON (schema.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbench_ws.errors import ResultError, extra
from nasbench_ws.json_files import read_record, write_record
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.results.assess import assess_outcome
from nasbench_ws.results.assessment import Assessment, Metric
from nasbench_ws.results.html import summary
from nasbench_ws.results.misfit import misfit
from nasbench_ws.results.outcome import Outcome
from nasbench_ws.results.plot import ResultPlot
from nasbench_ws.results.text import render
from nasbench_ws.results.truth import GroundTruth, children_of, once, places_of, whole_of
from nasbench_ws.tables.table import Table

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from nasbench_ws.space.cell import Space

FORMAT = "nasbench-ws result"


def check_children(outcome: Outcome, space: Space, name: str) -> None:
    """ResultError where an outcome is not of a space's children, in its order, as `name`'s are.

    Spaces of one name may differ: by operations in another order, a score would go to another child.
    """
    if outcome.children != tuple(child.hash for child in space):
        raise ResultError(
            f"the scores of {outcome.strategy} are of {len(outcome.children)} children, and those of {name} "
            "are others; measure it against a table of the same space"
        )


@dataclass(frozen=True, eq=False)
class Result:
    """One evaluation: its outcome, and the assessment of it. Two results are equal where their JSON is."""

    outcome: Outcome
    assessment: Assessment

    @classmethod
    def of(cls, outcome: Outcome, table: GroundTruth) -> Result:
        """The outcome, measured against a table, or against some children of it (truth.Among): of these alone.

        ResultError where the table's children are others.
        """
        check_children(outcome, table.space, table.name)
        judge = once(table)
        return cls(outcome, assess_outcome(outcome.among(places_of(judge)), judge))

    def against(self, table: GroundTruth) -> Result:
        """The same scores, measured against another table of the same children, such as one with more seeds.

        ResultError where the children, the networks or the images are others. Tables that others made may be of any.
        """
        check_children(self.outcome, table.space, table.name)
        whole = whole_of(table)
        if isinstance(whole, Table) and not whole.foreign:
            other = misfit(self.outcome.recipe, whole, self.outcome.images_digest)
            if other is not None:
                raise ResultError(
                    f"the scores of {self.outcome.strategy} are of other {other} than {table.name}; measure it against "
                    "a table of the same networks and images"
                )
        return Result.of(self.outcome, table)

    def measured_by(self, table: GroundTruth) -> Result:
        """As it is where it was measured against this very table, by this version's measures, else `against` it."""
        found = self.assessment
        known = found.standing is not None or not found.metrics
        return self if known and found.table.digest == table.digest else self.against(table)

    def among(self, table: GroundTruth) -> Result:
        """With the scores of the table's children alone, for what shows them; measured as it is.

        Itself where it has no others. ResultError where it is of other children.
        """
        table = once(table)
        places, own = places_of(table), self.outcome.children
        if places is not None and own == tuple(table.space[place].hash for place in places):
            return self
        check_children(self.outcome, table.space, table.name)
        if places is None:
            return self
        return Result(self.outcome.among(places), self.assessment)

    @property
    def scores(self) -> Array:
        """(instances, children) validation accuracies; NaN where a child's super-net diverged."""
        return self.outcome.own

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """Each with its mean over instances, interval and values; {} where every instance diverged."""
        return self.assessment.metrics

    @property
    def tau(self) -> Metric:
        """Kendall tau, the first of the metrics. ResultError where every instance diverged, so that there is none."""
        if "kendall_tau" not in self.metrics:
            raise ResultError(f"{self.outcome.strategy} has no Kendall tau: every instance diverged")
        return self.metrics["kendall_tau"]

    def under(self, mode: str) -> Mapping[str, Metric]:
        """The metrics of the scores under a mode of batch norm."""
        own = mode == self.outcome.batch_norm
        return self.assessment.metrics if own else self.assessment.other_batch_norm[mode]

    @property
    def verdict(self) -> str:
        """One sentence."""
        return self.assessment.verdict

    @cached_property
    def data(self) -> Mapping[str, Any]:
        """The JSON object of a file; NaN is None."""
        from nasbench_ws.results.schema import to_json  # .06 s, which whoever reads no file is spared

        return to_json(self.outcome, self.assessment)

    def __getitem__(self, key: str) -> Any:
        return self.data[key]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Result) and self.data == other.data

    __hash__ = None  # type: ignore[assignment]

    def to_dict(self) -> dict[str, Any]:
        """For JSON; NaN is None."""
        return dict(self.data)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Result:
        """The result that `to_dict` gave. ResultError names the key that is wrong and its value."""
        from nasbench_ws.results.schema import from_json

        return cls(*from_json(data))

    def save(self, path: str | Path) -> None:
        """Write the JSON file, whole or not at all. OutputError where it cannot be written."""
        write_record(Path(path), FORMAT, self.data)

    @classmethod
    def load(cls, path: str | Path) -> Result:
        """ResultError where the file is broken, altered, or of another kind."""
        data = read_record(Path(path), FORMAT)
        try:
            return cls.from_dict(data)
        except ResultError as error:
            raise ResultError(f"{path}: {error}; it is not a whole result: evaluate again with -o FILE") from None

    @property
    def plot(self) -> ResultPlot:
        """Figures as matplotlib Axes: `scatter(table)`, `ranks(table)`, `window(table)`, `progress(table)`."""
        return ResultPlot(self)

    def to_frame(self, table: GroundTruth | None = None) -> pd.DataFrame:
        """A pandas frame with a row for each batch norm mode, instance (its seed, as in `to_xarray`) and child.

        Args:
            table: adds columns of each child's name, truth and params; None: the scores alone.
        """
        with extra("pandas", "to_frame needs pandas"):
            import pandas as pd
        one = self.outcome
        modes, seeds, children = list(one.scores), one.seeds, one.children
        frame = pd.DataFrame({
            "strategy": one.strategy,
            "batch_norm": np.repeat(modes, len(seeds) * len(children)),
            "instance": np.tile(np.repeat(seeds, len(children)), len(modes)),
            "hash": np.tile(children, len(modes) * len(seeds)),
            "score": np.stack(list(one.scores.values())).ravel(),
        })  # fmt: skip
        if table is not None:
            known = children_of(table)
            about = pd.DataFrame({
                "hash": [child.hash for child in known], "name": [child.name for child in known],
                "truth": table.column("truth"), "params": table.column("params"),
            })  # fmt: skip
            frame = frame.merge(about, on="hash", how="left", validate="many_to_one")
        return frame

    def to_xarray(self) -> xr.Dataset:
        """An xarray data set: `score` by batch_norm, instance (its seed) and architecture (the child's hash).

        `architecture` is the table's too; its `seed` is another thing, that of standalone trainings.
        """
        with extra("xarray", "to_xarray needs xarray"):
            import xarray as xr
        one = self.outcome
        coordinates = {"batch_norm": list(one.scores), "instance": list(one.seeds), "architecture": list(one.children)}
        units = {"long_name": f"score: {one.batch_norm or one.strategy}"}
        if one.accuracies:
            units = {"units": "fraction", "long_name": "validation accuracy with inherited weights"}
        attributes = {"strategy": one.strategy, "table": self.assessment.table.digest, "verdict": self.verdict}
        scores = np.stack(list(one.scores.values()))
        return xr.Dataset({"score": (tuple(coordinates), scores, units)}, coordinates, attributes)

    def _repr_html_(self) -> str:
        return summary(self.outcome, self.assessment)

    def __repr__(self) -> str:
        tau = self.metrics.get("kendall_tau")
        shown = "none" if tau is None or tau.mean != tau.mean else f"{tau.mean:.3f}"
        return f"Result({self.outcome.strategy!r}, {self.outcome.instances} instances, GT-Tau {shown})"

    def __str__(self) -> str:
        return render(self.outcome, self.assessment)
