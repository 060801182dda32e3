"""One finished standalone run as one small file, written whole or not at all.

A folder of such files is what a build leaves behind and what `merge` makes a table of. A file is JSON with a
digest of its contents (json_files.py); NaN is null. Files spread over 256 subfolders, as in
`FOLDER/24/242129d7f03546ee-0.json`, so that tens of thousands stay quick to list. Not here: training
(training/loop.py), the order of the work (training/building/builder.py).

    path = write_run(folder, record)       # temporary name, fsync, rename
    read_run(path) == record
    finished(folder, recipe)               # {(hash, seed): "ok", ...}
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from nasbench_ws.errors import TableError, UsageError
from nasbench_ws.json_files import check_keys, differences, read_record, write_record
from nasbench_ws.recipe import Recipe
from nasbench_ws.space.cell import Space
from nasbench_ws.space.code import operation_codes, other_code
from nasbench_ws.space.macro import Macro, macro_from_dict, macro_to_dict
from nasbench_ws.space.registry import space_from_dict, space_to_dict
from nasbench_ws.tables.columns import CURVES, METRICS

FORMAT = "nasbench-ws run"
RUN_STATUSES = ("ok", "diverged", "failed")
REMEDY = "delete it, and the next build makes that run again"


@dataclass(frozen=True)
class RunRecord:
    """One run: which child and seed, how it ended, its curves, and everything it was made with.

    `epochs` are passes over the training images at each recorded point; every curve has one number for each.
    From the point on at which a run diverged, its losses and accuracies are NaN. A failed run has no points,
    but `error`, the text of what was raised.
    """

    hash: str
    spec: str
    seed: int
    status: Literal["ok", "diverged", "failed"]
    error: str
    epochs: tuple[float, ...]
    curves: Mapping[str, tuple[float, ...]]
    recipe: Mapping[str, Any]
    images_digest: str
    versions: Mapping[str, str]
    device: str
    macro: Macro | None = None  # the network's frame; `build` fills it in, and `merge` asks for it
    cpu_seconds: float | None = None  # of the processors, in all; curves have the clock's. None where not measured
    space: Space | None = None  # which its name may not tell; None in files of older versions

    def __post_init__(self) -> None:
        curves = {name: tuple(map(float, self.curves.get(name, ()))) for name in CURVES}
        first = min((i for name in METRICS for i, x in enumerate(curves[name]) if not math.isfinite(x)), default=None)
        if self.status == "diverged" and first is not None:
            for name in METRICS:
                curves[name] = curves[name][:first] + (math.nan,) * (len(curves[name]) - first)
        object.__setattr__(self, "curves", curves)
        object.__setattr__(self, "epochs", tuple(map(float, self.epochs)))
        object.__setattr__(self, "recipe", Recipe.from_dict(self.recipe).to_dict())
        for wrong in _problems(self, first):
            raise UsageError(f"the run of {self.spec} with seed {self.seed} {wrong}")

    @property
    def points(self) -> int:
        return len(self.epochs)

    def to_dict(self) -> dict[str, Any]:
        """For JSON: NaN is None, tuples are lists."""
        data = {field.name: getattr(self, field.name) for field in fields(self)}
        data["epochs"] = list(self.epochs)
        data["curves"] = {
            name: [None if math.isnan(x) else x for x in values] for name, values in self.curves.items()
        }
        data["versions"] = dict(self.versions)
        if self.cpu_seconds is None:  # files of older versions are written back as they were
            del data["cpu_seconds"]
        data["space"] = None if self.space is None else space_to_dict(self.space)
        if self.space is None:
            del data["space"]
        data["macro"] = None if self.macro is None else macro_to_dict(self.macro)
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RunRecord:
        """UsageError for keys that are unknown or missing, or invalid values."""
        check_keys("run", data, cls)
        if not isinstance(data["curves"], Mapping):
            raise UsageError(f"the run's curves are {data['curves']!r:.80}; give an object with a list for each curve")
        curves = {name: _numbers(f"curve {name}", values) for name, values in data["curves"].items()}
        macro = data.get("macro") and macro_from_dict(data["macro"])
        space = data.get("space") and space_from_dict(data["space"])
        read = {"epochs": _numbers("epochs", data["epochs"]), "curves": curves, "macro": macro, "space": space}
        return cls(**{**data, **read})


def _numbers(what: str, values: object) -> tuple[float, ...]:
    """Of a JSON list. To tuple() and float(), texts, objects and truth values are numbers too."""
    if not isinstance(values, list | tuple) or not all(x is None or type(x) in (int, float) for x in values):
        raise UsageError(f"the run's {what} is {values!r:.80}; give a list of numbers, null for one that is missing")
    return tuple(math.nan if x is None else float(x) for x in values)


def _problems(record: RunRecord, first: int | None) -> Iterator[str]:
    """What is wrong with a record; `first` is its first point with a number that is not finite."""
    if record.status not in RUN_STATUSES:
        yield f"has status {record.status!r}; allowed are {', '.join(RUN_STATUSES)}"
    if isinstance(record.seed, bool) or not isinstance(record.seed, int) or record.seed < 0:
        yield "has no seed index: it must be an int of at least 0"
    if hashlib.sha256(record.spec.encode()).hexdigest()[:16] != record.hash:
        yield f"has hash {record.hash!r}, which is not that of its canonical string"
    if record.space is not None and record.space.name != record.recipe["space"]:
        yield f"is of the space {record.space.name}, and its recipe of {record.recipe['space']}"
    if record.space is not None and record.spec not in record.space:
        yield f"is of no child of {record.space!r}"
    lengths = {name: len(values) for name, values in record.curves.items() if len(values) != record.points}
    if lengths:
        yield f"has {record.points} epochs and curves of other lengths: {lengths}"
    if record.status == "failed" and record.points:
        yield f"failed, and yet has {record.points} epochs; a failed run has none"
    if record.status != "failed" and not record.points:
        yield f"has status {record.status} and no epochs; give at least one"
    if record.status == "ok" and first is not None:
        yield f"has status ok and a number that is not finite at epoch {record.epochs[first]:g}; it diverged"
    if record.status == "diverged" and first is None:
        yield "diverged, and yet all its numbers are finite; they are NaN from that point on"
    if not all(math.isfinite(x) and x >= 0 for x in record.curves["seconds"]):
        yield "has seconds that are not finite numbers of at least 0"
    spent = record.cpu_seconds
    if spent is not None and not (type(spent) in (int, float) and math.isfinite(spent) and spent >= 0):
        yield f"has cpu_seconds {spent!r}; give a finite number of at least 0, or None where it was not measured"
    for name in METRICS:
        outside = [x for x in record.curves[name] if name.endswith("_accuracy") and not (0 <= x <= 1 or math.isnan(x))]
        if outside:
            yield f"has a {name} of {outside[0]}; accuracies are fractions in [0, 1]"
        negative = [x for x in record.curves[name] if name.endswith("_loss") and x < 0]
        if negative:
            yield f"has a {name} of {negative[0]}; losses are cross-entropies of at least 0"


def run_path(folder: str | Path, hash: str, seed: int) -> Path:
    """Where a run lies in a folder of runs."""
    return Path(folder) / hash[:2] / f"{hash}-{seed}.json"


def write_run(folder: str | Path, record: RunRecord) -> Path:
    """Write a run to its place in the folder, in the stead of one that is there. OutputError names what hinders."""
    path = run_path(folder, record.hash, record.seed)
    write_record(path, FORMAT, record.to_dict())
    return path


def read_run(path: str | Path) -> RunRecord:
    """The run in a file, its digest checked. TableError says what is wrong with it."""
    data = read_record(path, FORMAT, TableError, REMEDY)
    try:
        return RunRecord.from_dict(data)
    except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError) as error:  # whole, but not as written
        raise TableError(f"{path} is not a valid run: {error}; {REMEDY}") from error


def run_paths(folder: str | Path) -> list[Path]:
    """The files of runs in a folder, sorted.

    Temporary ones that a killed process left are no such files, nor are empty ones, which a machine that went down may
    leave: there is nothing in them to lose, and the run is made again.
    """
    return sorted(filter(is_written, Path(folder).glob("[0-9a-f][0-9a-f]/[0-9a-f]*-*.json")))


def is_written(path: Path) -> bool:
    """Whether there is a run in that place."""
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def read_runs(folder: str | Path) -> Iterator[tuple[Path, RunRecord]]:
    """Every run in a folder, each checked to be where it belongs."""
    for path in run_paths(folder):
        record = read_run(path)
        if path != run_path(folder, record.hash, record.seed):
            place = run_path("", record.hash, record.seed)
            raise TableError(f"{path} holds the run that belongs into {place}; move it there, or delete it")
        yield path, record


def finished(
    folder: str | Path, recipe: Recipe, images_digest: str | None = None, space: Space | None = None
) -> dict[tuple[str, int], str]:
    """(hash, seed) of every run in the folder, and its status.

    UsageError where one was made by another recipe, or from images of another digest or in another space (None: any).
    """
    found: dict[tuple[str, int], str] = {}
    own = {} if space is None else operation_codes(space)
    for path, record in read_runs(folder):
        other = other_code(record.versions, own)
        if other is not None:
            raise UsageError(
                f"{path} was made by other code: {other}; build into another folder, or with the code as it was"
            )
        if record.recipe != recipe.to_dict():
            raise UsageError(
                f"{path} was made by another recipe: {differences(record.recipe, recipe.to_dict())}; "
                "build into another folder, or with that recipe"
            )
        if images_digest not in (None, record.images_digest):
            raise UsageError(
                f"{path} was made from images of digest {record.images_digest}, not {images_digest}; "
                "build into another folder, or from those images"
            )
        if space is not None and record.space not in (None, space):
            raise UsageError(
                f"{path} is of {record.space!r}, not of {space!r}; build into another folder, or give one of the "
                "spaces a name of its own"
            )
        found[record.hash, record.seed] = record.status
    return found
