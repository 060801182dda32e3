"""A result's JSON object: written from its two halves, and read with every value checked, for it may be a stranger's.

    data = to_json(outcome, assessment)
    outcome, assessment = from_json(data)       # ResultError names the key and the value met

Not here: what the keys mean (outcome.py, assessment.py, and README), and files (result.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np

from nasbench_ws.cost import Cost
from nasbench_ws.errors import ResultError
from nasbench_ws.json_files import without_nan
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.results.assessment import (
    Assessment,
    Derived,
    MeanStd,
    Metric,
    Number,
    ReadoutTaus,
    WindowTaus,
)
from nasbench_ws.results.checked import LONGEST, checked
from nasbench_ws.results.outcome import Changes, Divergence, Outcome, Readouts, Trained, Window

Scores = list[list[Number]]  # (instances, children)


# -- the file, key by key: msgspec checks these types ---------------------------------------------------


@dataclass(frozen=True)
class _Mode:
    scores: Scores
    metrics: dict[str, Metric]


@dataclass(frozen=True)
class _ReadOut:
    scores: Scores
    kendall_tau: list[Number]


@dataclass(frozen=True)
class _OtherWindow:
    scores: list[Scores]
    gt_tau: MeanStd
    readouts: dict[str, list[Number]]


@dataclass(frozen=True)
class _Window(_OtherWindow):
    trained: Trained
    other_batch_norm: dict[str, _OtherWindow] = field(default_factory=dict)


@dataclass(frozen=True)
class _Changes:
    children: tuple[int, ...]
    interference: Scores
    gradient_cosine: Scores


@dataclass(frozen=True)
class _Readouts:
    average: dict[str, _ReadOut] = field(default_factory=dict)
    fine_tune: dict[str, dict[str, _ReadOut]] = field(default_factory=dict)
    interference: list[list[_Changes]] = field(default_factory=list)
    other: dict[str, _ReadOut] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Budget(Cost):
    match: str


@dataclass(frozen=True)
class _Plan:
    steps: int
    schedule: str
    last: int
    end_lr: float | None = None
    valid_images: int = 0
    quick: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class _File(Derived):
    strategy: str
    children: tuple[str, ...]
    instances: int
    seeds: tuple[int, ...]
    batch_norm: str
    scores: Scores
    other_batch_norm: dict[str, _Mode]
    window: _Window | None
    readouts: _Readouts
    budget: _Budget
    diverged: tuple[Divergence, ...]
    trained: tuple[dict[str, int], ...] = ()
    plan: _Plan
    recipe: dict[str, Any]
    versions: dict[str, str]
    device: str | None = None
    trace: dict[str, list[Any]] | None = None


# -- writing ---------------------------------------------------------------------------------------------


def to_json(outcome: Outcome, found: Assessment) -> dict[str, Any]:
    """The object that a file holds; NaN is None."""
    window, readouts = outcome.window, outcome.readouts
    shown: dict[str, Any] = {}
    if readouts.average:
        shown["average"] = _beside(readouts.average, found.readouts.average)
    if readouts.fine_tune:
        shown["fine_tune"] = {
            mode: _beside(by_steps, found.readouts.fine_tune[mode]) for mode, by_steps in readouts.fine_tune.items()
        }
    if readouts.interference:
        shown["interference"] = readouts.interference
    if readouts.other:
        shown["other"] = _beside(readouts.other, found.readouts.other)
    data = {
        "strategy": outcome.strategy,
        "instances": outcome.instances,
        "seeds": outcome.seeds,
        **{one.name: getattr(found, one.name) for one in fields(Derived)},
        "children": outcome.children,
        "batch_norm": outcome.batch_norm,
        "scores": outcome.own,
        "other_batch_norm": {
            mode: {"scores": scores, "metrics": found.other_batch_norm[mode]} for mode, scores in outcome.others.items()
        },
        "window": _window_json(window, found.window) if window and found.window else None,
        "readouts": shown,
        "budget": {"per": "instance", "match": outcome.match, **outcome.cost.to_dict()},
        "diverged": outcome.diverged,
        "trained": outcome.trained,
        "plan": outcome.plan,
        "recipe": outcome.recipe,
        "versions": outcome.versions,
        "device": outcome.device,
        "trace": outcome.trace or None,
    }
    later = {one.name for kind in (Derived, _File) for one in fields(kind) if one.default is None}
    plain: dict[str, Any] = _plain({key: x for key, x in data.items() if not (x is None and key in later)})
    return plain


def derived_json(found: Assessment) -> dict[str, Any]:
    """What `assess` found of bare scores, for JSON."""
    plain: dict[str, Any] = _plain({one.name: getattr(found, one.name) for one in fields(Derived)})
    return {key: value for key, value in plain.items() if value is not None or key == "s_tau"}


def _window_json(window: Window, found: WindowTaus) -> dict[str, Any]:
    """`other_batch_norm` came later than the first files, and is left out where there is nothing in it."""
    others = {
        mode: {"scores": scores, "gt_tau": found.others[mode].gt_tau, "readouts": found.others[mode].readouts}
        for mode, scores in window.others.items()
    }
    own = {"scores": window.scores, "trained": window.trained, "gt_tau": found.gt_tau, "readouts": found.readouts}
    return {**own, "other_batch_norm": others} if others else own


def _beside(scores: Mapping[str, Array], taus: Mapping[str, Array]) -> dict[str, Any]:
    return {name: {"scores": one, "kendall_tau": taus[name]} for name, one in scores.items()}


def _plain(value: Any) -> Any:
    """Of what JSON has: dataclasses as objects without what came later and is not there; NaN is None."""
    if is_dataclass(value) and not isinstance(value, type):
        there = ((one, getattr(value, one.name)) for one in fields(value))
        return {one.name: _plain(x) for one, x in there if not (x is None and one.default is None)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return without_nan(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return without_nan(value)


# -- reading ---------------------------------------------------------------------------------------------


def from_json(data: Mapping[str, Any]) -> tuple[Outcome, Assessment]:
    """ResultError for the first key that is missing or has another type, and for values that contradict each other."""
    file = checked(data, _File)
    problem = next(_contradictions(file), None)
    if problem is not None:
        raise ResultError(problem)
    own, others = _array(file.scores), file.other_batch_norm
    plan = {**data["plan"], "match": _match(data["plan"]["match"])} if "match" in data["plan"] else data["plan"]
    readouts, window = file.readouts, file.window
    outcome = Outcome(
        strategy=file.strategy,
        children=file.children,
        seeds=file.seeds,
        scores={file.batch_norm: own, **{mode: _array(one.scores) for mode, one in others.items()}},
        cost=Cost(**{one.name: getattr(file.budget, one.name) for one in fields(Cost)}),
        match=_match(file.budget.match),
        plan=plan,
        recipe=file.recipe,
        window=Window(
            _array(window.scores),
            window.trained,
            {mode: _array(one.scores) for mode, one in window.other_batch_norm.items()},
        )
        if window
        else None,
        readouts=Readouts(
            _each(readouts.average, "scores"),
            {mode: _each(by_steps, "scores") for mode, by_steps in readouts.fine_tune.items()},
            tuple(
                tuple(Changes(one.children, _array(one.interference), _array(one.gradient_cosine)) for one in instance)
                for instance in readouts.interference
            ),
            _each(readouts.other, "scores"),
        ),
        diverged=file.diverged,
        trained=file.trained,
        versions=file.versions,
        device=file.device,
        trace={name: _traced(name, one) for name, one in (file.trace or {}).items()},
    )
    found = Assessment(
        **{one.name: getattr(file, one.name) for one in fields(Derived)},
        diverged=outcome.usable.count(False),
        other_batch_norm={mode: one.metrics for mode, one in others.items()},
        window=_window_taus(window) if window else None,
        readouts=ReadoutTaus(
            _each(readouts.average, "kendall_tau"),
            {mode: _each(by_steps, "kendall_tau") for mode, by_steps in readouts.fine_tune.items()},
            _each(readouts.other, "kendall_tau"),
        ),
    )
    return outcome, found


def _window_taus(window: _OtherWindow) -> WindowTaus:
    others = window.other_batch_norm if isinstance(window, _Window) else {}
    return WindowTaus(
        window.gt_tau,
        {name: _array(taus) for name, taus in window.readouts.items()},
        {mode: _window_taus(one) for mode, one in others.items()},
    )


def _traced(name: str, values: list[Any]) -> Array:
    try:
        return _array(values)
    except (TypeError, ValueError):
        raise ResultError(f"trace.{name} is {str(values)[:LONGEST]}..., not a table of numbers") from None


def _match(name: str) -> str:
    """Files of older versions say "compute" where the multiply-adds of each group are equal."""
    return "group-compute" if name == "compute" else name


def _array(values: Any) -> Array:
    return np.array(values, dtype=np.float64)  # null becomes NaN


def _each(readouts: Mapping[str, _ReadOut], name: str) -> dict[str, Array]:
    return {key: _array(getattr(one, name)) for key, one in readouts.items()}


# -- what fits the types and yet contradicts itself -----------------------------------------------------------------


def _contradictions(file: _File) -> Iterator[str]:
    instances, children = file.instances, len(file.children)
    if len(file.seeds) != instances or not instances:
        yield f"it has {len(file.seeds)} seeds and {instances} instances"
    for name, scores in _all_scores(file):
        if len(scores) != instances or {len(row) for row in scores} != {children}:
            yield f"{name} are not of {instances} instances and {children} children"
    for name, window in _windows(file):
        for i, snapshots in enumerate(window.scores):
            if {len(row) for row in snapshots} - {children}:
                yield f"{name}.scores[{i}] are not of {instances} instances and {children} children"
        if [len(one) for one in window.scores] != [file.plan.last] * instances:
            yield f"{name}.scores are not of {instances} instances and {file.plan.last} steps"
    for name, points in (file.trace or {}).items():
        if len(points) != instances or any(not isinstance(one, list) for one in points):
            yield f"trace.{name} is not of {instances} instances"
    for i, parts in enumerate(file.window.trained if file.window else ()):
        if i >= instances or any(
            len(part) != file.plan.last or not all(0 <= n < children for step in part for n in step) for part in parts
        ):
            yield f"window.trained[{i}] is not of {file.plan.last} steps and {children} children"
    others = [(f"other_batch_norm.{mode}", one.metrics) for mode, one in file.other_batch_norm.items()]
    for name, metrics in [("metrics", file.metrics), *others]:
        absent = [metric for metric in metrics if not all(metric in one for one in file.baselines.values())]
        if absent:
            yield f"{name} have {absent[0]!r}, and a baseline has not"
    for name in ("kendall_tau", "partial_tau"):
        if file.standing is not None and name not in file.standing.reach:
            yield f"standing.reach has no {name!r}"
    for name in ("params", "macs", "random"):
        if name not in file.baselines:
            yield f"baselines has no {name!r}"
    for part in (part for instance in file.readouts.interference for part in instance):
        size = len(part.children)
        if not all(0 <= child < children for child in part.children) or any(
            len(matrix) != size or {len(row) for row in matrix} != {size}
            for matrix in (part.interference, part.gradient_cosine)
        ):
            yield "readouts.interference is not of its children"


def _windows(file: _File) -> Iterator[tuple[str, _OtherWindow]]:
    if file.window is not None:
        yield "window", file.window
        for mode, other in file.window.other_batch_norm.items():
            yield f"window.other_batch_norm.{mode}", other


def _all_scores(file: _File) -> Iterator[tuple[str, Scores]]:
    yield "scores", file.scores
    for mode, other in file.other_batch_norm.items():
        yield f"other_batch_norm.{mode}.scores", other.scores
    for mode, by_steps in file.readouts.fine_tune.items():
        for steps, one in by_steps.items():
            yield f"readouts.fine_tune.{mode}.{steps}.scores", one.scores
    for kind, named in (("average", file.readouts.average), ("other", file.readouts.other)):
        for name, one in named.items():
            yield f"readouts.{kind}.{name}.scores", one.scores


KEYS = tuple(one.name for one in fields(_File) if one.default is MISSING)  # that every file has
