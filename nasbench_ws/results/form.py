"""A result's file, key by key: the types that msgspec checks, and what fits them and yet no evaluation gives.

    file = checked(data, FileForm)               # ResultError: budget.steps is -1; it must be at least 0
    next(problems(file), None)                   # "scores[0][3] is 7.0; it must be at most 1"

Not here: reading and writing (schema.py), and what the keys mean (outcome.py, assessment.py, and README).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Annotated, Any

from msgspec import Meta

from nasbench_ws.cost import Cost
from nasbench_ws.results.assessment import Count, Derived, Figure, Fraction, MeanStd, Metric, Number, Tau
from nasbench_ws.results.outcome import LONGEST_CODE, MOST_HELPERS, Code, Divergence, Trained
from nasbench_ws.training.batch_norm import is_mode

Scores = list[list[Number]]  # (instances, children)
Change = Annotated[float, Meta(ge=-1.001, le=1.001)] | None  # of a fraction, or a cosine; rounded
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
CORRELATIONS = ("kendall_tau", "partial_tau", "weighted_tau", "sparse_tau", "spearman", "pearson")
SHARES = ("precision_at_top", "precision_at_bottom", "ndcg")
ROUNDING = 1e-9  # by which a metric may pass its limits


@dataclass(frozen=True)
class ModeForm:
    scores: Scores
    metrics: dict[str, Metric]


@dataclass(frozen=True)
class ReadOutForm:
    scores: Scores
    kendall_tau: list[Tau]


@dataclass(frozen=True)
class AccuraciesForm:
    scores: list[list[Fraction]]
    kendall_tau: list[Tau]


@dataclass(frozen=True)
class OtherWindowForm:
    scores: list[list[list[Fraction]]]
    gt_tau: MeanStd
    readouts: dict[str, list[Tau]]


@dataclass(frozen=True)
class WindowForm(OtherWindowForm):
    trained: Trained
    other_batch_norm: dict[str, OtherWindowForm] = field(default_factory=dict)


@dataclass(frozen=True)
class ChangesForm:
    children: tuple[Count, ...]
    interference: list[list[Change]]
    gradient_cosine: list[list[Change]]


@dataclass(frozen=True)
class ReadoutsForm:
    average: dict[str, AccuraciesForm] = field(default_factory=dict)
    fine_tune: dict[str, dict[str, AccuraciesForm]] = field(default_factory=dict)
    interference: list[list[ChangesForm]] = field(default_factory=list)
    other: dict[str, ReadOutForm] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class BudgetForm(Cost):
    """A cost, whose amounts are at least 0."""

    match: str
    steps: Count
    images: Count
    child_updates: Count
    macs: Count
    weight_bytes: Count
    seconds: Annotated[float, Meta(ge=0)]
    parameters: Count
    super_nets: Count
    cpu_seconds: Annotated[float, Meta(ge=0)] | None = None


@dataclass(frozen=True)
class PlanForm:
    steps: Count
    schedule: str
    last: Count
    end_lr: Annotated[float, Meta(ge=0, le=1)] | None = None
    valid_images: Count = 0
    quick: bool = False


@dataclass(frozen=True)
class CodeForm(Code):
    """A source, of bounded size."""

    name: Annotated[str, Meta(max_length=255)]
    text: Annotated[str, Meta(max_length=LONGEST_CODE)]
    sha256: Sha256
    characters: Count
    helpers: Annotated[dict[str, Sha256], Meta(max_length=MOST_HELPERS)] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class FileForm(Derived):
    strategy: str
    children: tuple[str, ...]
    instances: Count
    seeds: tuple[Count, ...]
    batch_norm: str
    scores: Scores
    other_batch_norm: dict[str, ModeForm]
    window: WindowForm | None
    readouts: ReadoutsForm
    budget: BudgetForm
    diverged: tuple[Divergence, ...]
    trained: tuple[dict[str, Count], ...] = ()
    plan: PlanForm
    recipe: dict[str, Any]
    versions: dict[str, str]
    device: str | None = None
    trace: dict[str, list[Any]] | None = None
    code: CodeForm | None = None
    images_digest: Sha256 | None = None


# -- what fits the types and yet contradicts itself -----------------------------------------------------------------


def problems(file: FileForm) -> Iterator[str]:
    """Each names a key, and the value met."""
    yield from _contradictions(file)
    yield from _impossible(file)


def _contradictions(file: FileForm) -> Iterator[str]:
    instances, children = file.instances, len(file.children)
    if len(file.seeds) != instances or not instances:
        yield f"it has {len(file.seeds)} seeds and {instances} instances"
    for what, names in (("seed", file.seeds), ("child", file.children)):
        twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
        if twice is not None:
            yield f"it has the {what} {twice} twice"
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


def _impossible(file: FileForm) -> Iterator[str]:
    """What no training and no measure gives, where a value's limits depend on what it is called."""
    modes = [("scores", file.batch_norm, file.scores)]
    modes += [(f"other_batch_norm.{mode}.scores", mode, one.scores) for mode, one in file.other_batch_norm.items()]
    for name, mode, scores in modes:
        if is_mode(mode):  # accuracies; what other rankers and readouts give may be any number
            for i, j, score in _places(scores):
                if not 0 <= score <= 1:
                    yield f"{name}[{i}][{j}] is {score}; it must be {'at least 0' if score < 0 else 'at most 1'}"
    others = [(f"other_batch_norm.{mode}.metrics", one.metrics) for mode, one in file.other_batch_norm.items()]
    baselines = [(f"baselines.{which}", one) for which, one in file.baselines.items()]
    groups: list[tuple[str, Mapping[str, Figure]]] = [("metrics", file.metrics), *others, *baselines]
    for where, found in groups:
        for metric, figure in found.items():
            kind = metric.partition("@")[0]
            low, high = (-1, 1) if kind in CORRELATIONS else (0, 1) if kind in SHARES else (0, math.inf)
            values = [(f"values[{i}]", x) for i, x in enumerate(getattr(figure, "values", ()))]
            for key, value in [("mean", figure.mean), *values]:
                if value < low - ROUNDING or value > high + ROUNDING:
                    limit = f"at least {low}" if value < low else f"at most {high}"
                    yield f"{where}.{metric}.{key} is {value}; it must be {limit}"
    for i, one in enumerate(file.diverged):
        if one.seed not in file.seeds:
            yield f"diverged[{i}].seed is {one.seed}, and the instances' seeds are {', '.join(map(str, file.seeds))}"
        if one.step < 0 or not all(0 <= child < len(file.children) for child in one.children):
            yield f"diverged[{i}] is not of {len(file.children)} children and a step of at least 0"


def _places(scores: Scores) -> Iterator[tuple[int, int, float]]:
    """Instance, child and score, where there is one."""
    return ((i, j, x) for i, row in enumerate(scores) for j, x in enumerate(row) if x is not None)


def _windows(file: FileForm) -> Iterator[tuple[str, OtherWindowForm]]:
    if file.window is not None:
        yield "window", file.window
        for mode, other in file.window.other_batch_norm.items():
            yield f"window.other_batch_norm.{mode}", other


def _all_scores(file: FileForm) -> Iterator[tuple[str, Scores]]:
    yield "scores", file.scores
    for mode, other in file.other_batch_norm.items():
        yield f"other_batch_norm.{mode}.scores", other.scores
    for mode, by_steps in file.readouts.fine_tune.items():
        for steps, one in by_steps.items():
            yield f"readouts.fine_tune.{mode}.{steps}.scores", one.scores
    for name, averaged in file.readouts.average.items():
        yield f"readouts.average.{name}.scores", averaged.scores
    for name, another in file.readouts.other.items():
        yield f"readouts.other.{name}.scores", another.scores


KEYS = tuple(one.name for one in fields(FileForm) if one.default is MISSING)  # that every file has
