"""A result's JSON object: written from its two halves, and read with every value checked, for it may be a stranger's.

    data = to_json(outcome, assessment)
    outcome, assessment = from_json(data)       # ResultError names the key and the value met

Not here: the keys and their limits (form.py), what they mean (outcome.py, assessment.py, and README), and files
(result.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from nasbench_ws.cost import Cost
from nasbench_ws.errors import ResultError
from nasbench_ws.json_files import without_nan
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.results.assessment import Assessment, Derived, ReadoutTaus, WindowTaus
from nasbench_ws.results.checked import LONGEST, checked
from nasbench_ws.results.form import AccuraciesForm, FileForm, OtherWindowForm, ReadOutForm, WindowForm, problems
from nasbench_ws.results.outcome import Changes, Code, Outcome, Readouts, Window

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
        "code": outcome.code,
        "images_digest": outcome.images_digest,
    }
    later = {one.name for kind in (Derived, FileForm) for one in fields(kind) if one.default is None}
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
    file = checked(data, FileForm)
    problem = next(problems(file), None)
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
        code=Code(**{one.name: getattr(file.code, one.name) for one in fields(Code)}) if file.code else None,
        images_digest=file.images_digest,
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


def _window_taus(window: OtherWindowForm) -> WindowTaus:
    others = window.other_batch_norm if isinstance(window, WindowForm) else {}
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


def _each(readouts: Mapping[str, ReadOutForm] | Mapping[str, AccuraciesForm], name: str) -> dict[str, Array]:
    return {key: _array(getattr(one, name)) for key, one in readouts.items()}
