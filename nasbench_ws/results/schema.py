"""What a result's JSON object must be before anything reads it: a file may come from a stranger.

    list(problems(data))       # [] where all is sound

Not here: what the keys mean (results/result.py, and README).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

LONGEST = 40  # characters shown of a value


class Maybe(NamedTuple):
    """None, or the shape."""

    shape: Any


def misfit(value: Any, shape: Any, where: str = "") -> str | None:
    """Where the value first differs from the shape, in words; None where it fits."""
    if isinstance(shape, Maybe):
        return None if value is None else misfit(value, shape.shape, where)
    if isinstance(shape, Mapping):
        if not isinstance(value, Mapping):
            return _said(where, value, "an object")
        if str in shape:
            return _first(misfit(item, shape[str], f"{where}.{key}") for key, item in value.items())
        absent = [key for key in shape if key not in value]
        if absent:
            return f"{where.lstrip('.') or 'it'} has no {absent[0]!r}"
        return _first(misfit(value[key], part, f"{where}.{key}") for key, part in shape.items())
    if isinstance(shape, list):
        if not isinstance(value, list):
            return _said(where, value, "a list")
        return _first(misfit(item, shape[0], f"{where}[{i}]") for i, item in enumerate(value))
    kinds = (float, int) if shape is float else shape
    if not isinstance(value, kinds) or (isinstance(value, bool) and shape not in (bool, object)):
        return _said(where, value, {int: "an int", float: "a number", str: "a text"}.get(shape, shape.__name__))
    return None


def _first(found: Any) -> str | None:
    return next((one for one in found if one is not None), None)


def _said(where: str, value: Any, wanted: str) -> str:
    shown = repr(value)
    shown = shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}..."
    return f"{where.lstrip('.') or 'it'} is {shown}, not {wanted}"


NUMBER = Maybe(float)  # null where there is none
SCORES = [[NUMBER]]  # (instances, children)
SPREAD = {"mean": NUMBER, "std": NUMBER, "min": NUMBER, "max": NUMBER, "n": int}
CEILING = {
    "children": int, "seeds": int, "held_out": SPREAD, "split_half": SPREAD, "single_seeds": SPREAD, "perfect": SPREAD,
}  # fmt: skip
METRIC = {"mean": NUMBER, "std": NUMBER, "interval": [NUMBER], "n": int, "method": str, "reason": Maybe(str)}
METRICS = {str: {**METRIC, "values": [NUMBER]}}
SHAPE = {
    "strategy": str,
    "table": {"name": str, "digest": str},
    "children": [str],
    "instances": int,
    "seeds": [int],
    "batch_norm": str,
    "scores": SCORES,
    "metrics": METRICS,
    "s_tau": Maybe({"mean": NUMBER}),
    "ceiling": {"all": CEILING, "top_quarter": CEILING, "top_tenth": CEILING},
    "baselines": {"params": {str: METRIC}, "macs": {str: METRIC}, "random": {str: METRIC}},
    "verdict": str,
    "other_batch_norm": {str: {"scores": SCORES, "metrics": METRICS}},
    "window": Maybe({
        "scores": [SCORES], "trained": [[[[int]]]],  # by instance, super-net and step
        "gt_tau": {"mean": NUMBER, "std": NUMBER}, "readouts": {str: [NUMBER]},
    }),
    "readouts": dict,
    "budget": {
        "match": str, "steps": int, "child_updates": int, "images": int, "macs": int, "weight_bytes": int,
        "seconds": float, "super_nets": int,
    },
    "diverged": [{"seed": int, "step": int}],
    "plan": {"steps": int, "schedule": str, "last": int},
    "recipe": dict,
    "versions": {str: str},
}  # fmt: skip
READ_OUT = {"scores": SCORES, "kendall_tau": [NUMBER]}
READOUTS: dict[str, Any] = {
    "average": {str: READ_OUT},
    "fine_tune": {str: {str: READ_OUT}},
    "interference": [[{"children": [int], "interference": SCORES, "gradient_cosine": SCORES}]],
}


def problems(data: Mapping[str, Any]) -> Iterator[str]:
    """Everything in the object that cannot be; of shapes the first alone."""
    problem = misfit(data, SHAPE)
    if problem is None:
        there = {name: shape for name, shape in READOUTS.items() if name in data["readouts"]}
        problem = misfit(data["readouts"], there, "readouts")
    if problem is not None:
        yield problem
    else:
        yield from _contradictions(data)


def _contradictions(data: Mapping[str, Any]) -> Iterator[str]:
    """What fits the shape and yet cannot be."""
    instances, children = data["instances"], len(data["children"])
    if len(data["seeds"]) != instances or not instances:
        yield f"it has {len(data['seeds'])} seeds and {instances} instances"
    for name, scores in _all_scores(data):
        if len(scores) != instances or {len(row) for row in scores} != {children}:
            yield f"{name} are not of {instances} instances and {children} children"
    for i, snapshots in enumerate(data["window"]["scores"] if data["window"] else ()):
        if {len(row) for row in snapshots} - {children}:
            yield f"window.scores[{i}] are not of {instances} instances and {children} children"
    for i, parts in enumerate(data["window"]["trained"] if data["window"] else ()):
        if i >= instances or any(
            len(part) != data["plan"]["last"] or not all(0 <= n < children for step in part for n in step)
            for part in parts
        ):
            yield f"window.trained[{i}] is not of {data['plan']['last']} steps and {children} children"
    others = [(f"other_batch_norm.{mode}", one["metrics"]) for mode, one in data["other_batch_norm"].items()]
    for name, metrics in [("metrics", data["metrics"]), *others]:
        absent = [metric for metric in metrics if not all(metric in data["baselines"][b] for b in data["baselines"])]
        if absent:
            yield f"{name} have {absent[0]!r}, and a baseline has not"
        for metric, one in metrics.items():
            if len(one["interval"]) != 2:
                yield f"{name}.{metric}.interval has {len(one['interval'])} ends"
    for part in (part for instance in data["readouts"].get("interference", ()) for part in instance):
        size = len(part["children"])
        if not all(0 <= child < children for child in part["children"]) or any(
            len(part[name]) != size or {len(row) for row in part[name]} != {size}
            for name in ("interference", "gradient_cosine")
        ):
            yield "readouts.interference is not of its children"


def _all_scores(data: Mapping[str, Any]) -> Iterator[tuple[str, list[list[float]]]]:
    yield "scores", data["scores"]
    for mode, other in data["other_batch_norm"].items():
        yield f"other_batch_norm.{mode}.scores", other["scores"]
    for mode, by_count in data["readouts"].get("fine_tune", {}).items():
        for count, one in by_count.items():
            yield f"readouts.fine_tune.{mode}.{count}.scores", one["scores"]
    for mode, one in data["readouts"].get("average", {}).items():
        yield f"readouts.average.{mode}.scores", one["scores"]
