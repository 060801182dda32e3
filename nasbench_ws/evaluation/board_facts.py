"""What the leaderboard needs of a result: of those that ship it is kept, so that none of them is read for it.

    known = facts(shipped_results(), table, judge)                 # by name of file
    known["shuffle"].readings["running"].figures["kendall_tau"]

What is kept (data/leaderboard.json) names the table and, for each file, the digest of its bytes: a file that differs
by one byte is read and measured anew, and so is every file beside another table. benchmarks/keep_leaderboard.py
writes it, and a test computes it again. Not here: rows and their order (leaderboard.py).
"""

from __future__ import annotations

import hashlib
import importlib
import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nasbench_ws.errors import NasbenchError
from nasbench_ws.evaluation.fit import belongs
from nasbench_ws.json_files import read_record
from nasbench_ws.limits import bytes_of
from nasbench_ws.metrics.power import told_apart
from nasbench_ws.metrics.rank import kendall_tau, stability_tau
from nasbench_ws.metrics.values import rankable
from nasbench_ws.results.compare import matches, unusual
from nasbench_ws.results.result import Result
from nasbench_ws.results.standing import usual_of
from nasbench_ws.results.truth import GroundTruth
from nasbench_ws.tables.table import Table

FORMAT = "nasbench-ws leaderboard"
KEPT = "leaderboard.json"  # in data/: by digest of a table, then by name of a file

Shown = tuple[float | None, float | None, float | None, float | None, int]  # mean, std, low, high, n; None is NaN


@dataclass(frozen=True)
class Reading:
    """The scores under one way of batch norm, or another readout, measured."""

    figures: Mapping[str, Shown]  # by metric; {} where every instance diverged
    s_tau: float | None
    ensemble: float | None  # Kendall tau of the mean score; None for one instance and for what trains no super-net
    apart: Mapping[str, float]  # by metric: the difference to another of as many instances that would be told

    def figure(self, metric: str) -> tuple[float, float, float, float, int]:
        """Mean, standard deviation, both ends of the interval, and of how many."""
        mean, std, low, high, n = self.figures[metric]
        return number_of(mean), number_of(std), number_of(low), number_of(high), n


@dataclass(frozen=True)
class Facts:
    """A result as the leaderboard sees it."""

    sha256: str  # of the file's bytes; "" of a result that is of no file
    title: str
    match: str  # "" for what trains no super-net
    matches: tuple[str, ...]
    steps: int
    macs: int
    scores: str  # a digest of all scores: equal ones are one experiment
    belongs: bool  # of the table's images and networks, on all validation images
    readings: Mapping[str, Reading]


class Results(Mapping[str, Result]):
    """Results by name: those at hand, and files, which are read when they are asked for."""

    def __init__(self, known: Mapping[str, Result | Path], judge: GroundTruth) -> None:
        self._known, self._judge = dict(known), judge

    def __getitem__(self, name: str) -> Result:
        one = self._known[name]
        if isinstance(one, Path):
            one = self._known[name] = Result.load(one).measured_by(self._judge)
        return one

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def __repr__(self) -> str:
        return f"Results({len(self)}: {', '.join(self)})"


def facts_of(result: Result, judge: GroundTruth | None, *, sha256: str = "", fits: bool = True) -> Facts:
    """Of one result, measured by `judge`; without one, or of a result that does not fit it, no readings."""
    outcome, digest = result.outcome, hashlib.sha256()
    for mode, scores in sorted(outcome.scores.items()):
        digest.update(mode.encode() + scores.tobytes())
    readings = dict(_readings(result.measured_by(judge), judge)) if fits and judge is not None else {}
    return Facts(
        sha256, unusual(result), outcome.match, tuple(sorted(matches(result))), outcome.steps, outcome.cost.macs,
        digest.hexdigest(), fits, readings,
    )  # fmt: skip


def _readings(result: Result, judge: GroundTruth) -> Iterator[tuple[str, Reading]]:
    for mode, scores in result.among(judge).outcome.scores.items():
        usable, several = rankable(scores), result.outcome.match != ""  # others may have looked at seeds of the table
        figures: dict[str, Shown] = {
            name: (_known(one.mean), _known(one.std), _known(one.interval[0]), _known(one.interval[1]), one.n)
            for name, one in result.under(mode).items()
        }
        priors = usual_of(result.outcome, mode) if several and figures else {}
        apart = {
            name: told_apart(figures[name][-1], one.std, one.df) for name, one in priors.items() if name in figures
        }
        if len(usable) < 2:
            yield mode, Reading(figures, None, None, apart)
            continue
        ensemble = _known(kendall_tau(usable.mean(axis=0), judge.truth)) if several else None
        yield mode, Reading(figures, _known(stability_tau(usable).mean), ensemble, apart)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def number_of(value: float | None) -> float:
    """NaN where it is not known."""
    return math.nan if value is None else value


def facts(folder: Path, table: Table, judge: GroundTruth, kept: Path | None = None) -> dict[str, Facts]:
    """Of every result in a folder, by name; ResultError for one that is broken.

    Args:
        folder: with result files.
        table: what they are held against.
        judge: the table, or some of its children.
        kept: the file of what is kept; None: that which ships.
    """
    known = _kept(kept or _shipped(), table.digest) if judge.digest == table.digest else {}
    found = {}
    for path in sorted(folder.glob("*.json")):
        digest = digest_of(path)
        one = known.get(digest)
        if one is None:
            result = Result.load(path)
            one = facts_of(result, judge, sha256=digest, fits=belongs(result, table))
        found[path.stem] = one
    return found


def file_of(title: str, folder: Path, match: str) -> Path | None:
    """The first file in a folder of the result that has that title, and may stand at that match; None without one."""
    known = _kept(_shipped())
    for path in sorted(folder.glob("*.json")):
        one = known.get(digest_of(path)) or facts_of(Result.load(path), None)
        if one.title == title and match in one.matches:
            return path
    return None


def digest_of(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    return hashlib.sha256(bytes_of(path)).hexdigest()


def _shipped() -> Path:
    return Path(next(iter(importlib.import_module("nasbench_ws.data").__path__)), KEPT)


def _kept(path: Path, table: str | None = None) -> dict[str, Facts]:
    """By digest of a file's bytes: of the table of a digest, or of all. {} where nothing whole is kept: all is read."""
    import msgspec

    with suppress(NasbenchError, msgspec.ValidationError):
        data = read_record(path, FORMAT)
        known = msgspec.convert(data if table is None else {table: data.get(table, {})}, dict[str, dict[str, Facts]])
        return {one.sha256: one for by_name in known.values() for one in by_name.values()}
    return {}
