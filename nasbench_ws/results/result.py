"""An evaluation's result: scores, what they were made with, and what they mean against the table.

    result = Result.load("full.json")
    result["metrics"]["kendall_tau"]["mean"], result.scores          # scores: (instances, children)
    print(result)                                                    # the verdict in a sentence and a table
    result.save("copy.json")

The JSON keys are stable; everything derived (metrics, ceiling, baselines, verdict) can be made again from
`scores` and the table by `assess`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nasbench_ws.errors import ResultError, extra
from nasbench_ws.json_files import read_record, without_nan, write_record
from nasbench_ws.results.assess import assess, measured, rankable_taus, window_taus
from nasbench_ws.results.interference import after_own_step
from nasbench_ws.results.schema import problems
from nasbench_ws.tables.table import Table

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
from nasbench_ws.results.text import render

FORMAT = "nasbench-ws result"


@dataclass(frozen=True)
class Result:
    """One strategy's evaluation. `data` is the JSON object; `result[key]` reads it."""

    data: Mapping[str, Any]

    @classmethod
    def make(
        cls,
        *,
        strategy: str,
        table: Table,
        plan: Mapping[str, Any],
        seeds: Sequence[int],
        scores: Mapping[str, npt.NDArray[np.float64]],
        window: npt.NDArray[np.float64] | None,
        window_trained: Sequence[Any],
        readouts: Mapping[str, Any],
        budget: Mapping[str, Any],
        diverged: Sequence[Mapping[str, Any]],
        trained: Sequence[Mapping[str, int]],
        versions: Mapping[str, str],
    ) -> Result:
        """Assess scores (mode: (instances, children)) against the table; the first mode is the result's own."""
        data = {
            "strategy": strategy,
            "instances": len(seeds),
            "seeds": list(seeds),
            **_assessed(table, scores, window, window_trained, readouts),
            "budget": dict(budget),
            "diverged": [dict(one) for one in diverged],
            "trained": [dict(one) for one in trained],
            "plan": {key: value for key, value in plan.items() if key != "recipe"},
            "recipe": plan["recipe"],
            "versions": dict(versions),
        }
        return cls(json.loads(json.dumps(without_nan(data))))

    def __getitem__(self, key: str) -> Any:
        return self.data[key]

    @property
    def scores(self) -> npt.NDArray[np.float64]:
        """(instances, children) validation accuracies; NaN where a child's super-net diverged."""
        return _array(self.data["scores"])

    @property
    def verdict(self) -> str:
        """One sentence."""
        return str(self.data["verdict"])

    def against(self, table: Table) -> Result:
        """The same scores, measured against another table of the same children, such as one with more seeds.

        ResultError where the children are others.
        """
        hashes = [entry.hash for entry in table]
        if self.data["children"] != hashes:
            raise ResultError(
                f"{self!r} has scores of {len(self.data['children'])} children, and those of {table.name} are others; "
                "measure it against a table of the same space"
            )
        found = _assessed(table, **self.unmeasured())
        return Result(json.loads(json.dumps(without_nan({**self.data, **found}))))

    def unmeasured(self) -> dict[str, Any]:
        """`scores` by mode, `window`, `window_trained` and `readouts` as `make` was given them: no table has a part."""
        scores = {self.data["batch_norm"]: self.scores}
        scores |= {mode: _array(other["scores"]) for mode, other in self.data["other_batch_norm"].items()}
        window = self.data["window"]
        return {
            "scores": scores, "window": _array(window["scores"]) if window else None,
            "window_trained": window["trained"] if window else [], "readouts": _unmeasured(self.data["readouts"]),
        }  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """For JSON; NaN is None."""
        return dict(self.data)

    def save(self, path: str | Path) -> None:
        """Write the JSON file, whole or not at all. OutputError where it cannot be written."""
        write_record(Path(path), FORMAT, self.data)

    @classmethod
    def load(cls, path: str | Path) -> Result:
        """ResultError where the file is broken, altered, or of another kind."""
        data = read_record(Path(path), FORMAT)
        problem = next(problems(data), None)
        if problem is not None:
            raise ResultError(f"{path}: {problem}; it is not a whole result: evaluate again with --out")
        return cls(data)

    def to_frame(self) -> pd.DataFrame:
        """A pandas frame with a row for each batch norm mode, instance and child."""
        with extra("pandas", "to_frame needs pandas"):
            import pandas as pd
        modes, scores = self._by_mode()
        seeds, children = self.data["seeds"], self.data["children"]
        return pd.DataFrame({
            "strategy": self.data["strategy"],
            "batch_norm": np.repeat(modes, len(seeds) * len(children)),
            "seed": np.tile(np.repeat(seeds, len(children)), len(modes)),
            "hash": np.tile(children, len(modes) * len(seeds)),
            "score": scores.ravel(),
        })  # fmt: skip

    def to_xarray(self) -> xr.Dataset:
        """An xarray data set: `score` by batch norm mode, seed of the instance, and hash of the child."""
        with extra("xarray", "to_xarray needs xarray"):
            import xarray as xr
        modes, scores = self._by_mode()
        coordinates = {"batch_norm": modes, "seed": self.data["seeds"], "hash": self.data["children"]}
        units = {"units": "fraction", "long_name": "validation accuracy with inherited weights"}
        attributes = {"strategy": self.data["strategy"], "table": self.data["table"]["digest"], "verdict": self.verdict}
        return xr.Dataset({"score": (tuple(coordinates), scores, units)}, coordinates, attributes)

    def _by_mode(self) -> tuple[list[str], npt.NDArray[np.float64]]:
        """Batch norm modes, and (modes, instances, children) scores."""
        others = self.data["other_batch_norm"]
        scores = [self.scores, *(_array(other["scores"]) for other in others.values())]
        return [self.data["batch_norm"], *others], np.stack(scores)

    def _repr_html_(self) -> str:
        from nasbench_ws.results.html import summary  # which imports this module

        return summary(self)

    def __repr__(self) -> str:
        tau = self.data["metrics"].get("kendall_tau", {}).get("mean")
        shown = "none" if tau is None else f"{tau:.3f}"
        return f"Result({self.data['strategy']!r}, {self.data['instances']} instances, GT-Tau {shown})"

    def __str__(self) -> str:
        return render(self.data)


def _assessed(
    table: Table, scores: Mapping[str, npt.NDArray[np.float64]], window: npt.NDArray[np.float64] | None,
    window_trained: Sequence[Any], readouts: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """Everything in a result that a table has a part in."""
    first, *others = scores
    found = assess(scores[first], table)
    return {
        "table": {"name": table.name, "digest": table.digest},
        "children": [entry.hash for entry in table],
        "batch_norm": first,
        "scores": scores[first].tolist(),
        **{key: found[key] for key in ("metrics", "s_tau", "ceiling", "baselines", "verdict")},
        "other_batch_norm": {
            mode: {"scores": scores[mode].tolist(), "metrics": measured(scores[mode], table)} for mode in others
        },
        "window": None if window is None else _window(window, window_trained, table),
        "readouts": _measured(readouts, table),
    }


def _array(values: Any) -> npt.NDArray[np.float64]:
    return np.array(values, dtype=np.float64)  # null becomes NaN


def _window(window: npt.NDArray[np.float64], trained: Sequence[Any], table: Table) -> dict[str, Any]:
    """Scores after each of the last steps, GT-Tau-Mean-k, and tau of what may be read off the window.

    That is its mean, its maximum, and each child's score right after its own last step, where all had one.
    """
    found = {"mean": window.mean(axis=1), "max": window.max(axis=1)}
    own = after_own_step(window, trained)
    if np.isfinite(own).all():
        found["own step"] = own
    return {
        "scores": window.tolist(),
        "trained": trained,
        "gt_tau": window_taus(window, table),
        "readouts": {name: rankable_taus(scores, table.truth).tolist() for name, scores in found.items()},
    }


def _measured(readouts: Mapping[str, Any], table: Table) -> Any:
    """Every array of (instances, children) scores with its tau; anything else as it is."""
    if isinstance(readouts, np.ndarray):
        return {"scores": readouts.tolist(), "kendall_tau": rankable_taus(readouts, table.truth).tolist()}
    if isinstance(readouts, Mapping):
        return {key: _measured(value, table) for key, value in readouts.items()}
    return readouts


def _unmeasured(readouts: Any) -> Any:
    """What `_measured` was given."""
    if isinstance(readouts, Mapping) and readouts.keys() == {"scores", "kendall_tau"}:
        return _array(readouts["scores"])
    if isinstance(readouts, Mapping):
        return {key: _unmeasured(value) for key, value in readouts.items()}
    return readouts
