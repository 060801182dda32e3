"""What searches did: every trial of every repetition, in one file that is whole or absent.

    result = SearchResult.load("re.npz")
    result.child, result.cost, result.regret           # (repetitions, trials), padded with -1, infinity and NaN
    result.save("re.npz")

All figures (compare.py) are computed from these, so that any later figure can be. A file holds arrays of numbers and a
JSON header, nothing that is run when it is read.
"""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench_ws.errors import ResultError
from nasbench_ws.json_files import differences, write_atomic

Array = NDArray[np.float64]
FORMAT = "nasbench-ws search"
SCHEMA_VERSION = 1
PADDING: dict[str, tuple[str, float]] = {  # dtype as stored, and what follows a repetition's last trial
    "child": ("<i4", -1),
    "point": ("<i2", -1),
    "run": ("<i2", -1),
    "cost": ("<f8", np.inf),
    "signal": ("<f8", np.nan),
    "incumbent": ("<i4", -1),
    "regret": ("<f8", np.nan),
}
OF_REPETITION = ("repetitions", "free", "seconds", "instance")
OF_CHILD = ("truth", "valid", "macs")


@dataclass(frozen=True)
class SearchResult:
    """R repetitions of one searcher on one table, T trials in the longest.

    Args:
        header: searcher, table (name, digest), space, rules, budget, evaluation (mean cost of a full training),
            epochs, best (truth of the best child that may be chosen), versions; networks, where some children are the
            same; sizes, where `macs` are not multiply-adds; tasks, where one search was on several tables; code, a
            digest of a user's own file, or of a ranking.
        repetitions: (R,) their numbers; two searchers' repetition r met the same world.
        child: (R, T) what was trained; or, where run is -1, what a ranker said before anything was.
        point: (R, T) up to which of the table's epochs.
        run: (R, T) which of the child's runs was shown.
        cost: (R, T) spent up to the end of the trial.
        signal: (R, T) what was shown, NaN where it diverged.
        incumbent: (R, T) the best child as far as known after the trial; -1: none.
        regret: (R, T) truth of the best child less the incumbent's, by the rules.
        free: (R,) questions answered for nothing, from memory.
        seconds: (R,) the searcher's own thinking.
        instance: (R,) which of a few super-nets it had, that other repetitions had too; -1: none.
        truth: (n,) mean test accuracy of every child.
        valid: (n,) mean signal of every child's full trainings.
        macs: (n,) multiply-adds of one image.
    """

    header: Mapping[str, Any]
    repetitions: NDArray[np.int64]
    child: NDArray[np.int32]
    point: NDArray[np.int16]
    run: NDArray[np.int16]
    cost: Array
    signal: Array
    incumbent: NDArray[np.int32]
    regret: Array
    free: NDArray[np.int64]
    seconds: Array
    instance: NDArray[np.int64]
    truth: Array
    valid: Array
    macs: NDArray[np.int64]

    @property
    def name(self) -> str:
        return str(self.header["searcher"])

    @property
    def budget(self) -> float:
        return float(self.header["budget"])

    @property
    def networks(self) -> NDArray[np.int64]:
        """(n,) the first child that is the same network."""
        return np.array(self.header.get("networks", range(len(self.truth))), dtype=np.int64)

    @property
    def candidates(self) -> NDArray[np.bool_]:
        """(n,) children that may be chosen, a network once."""
        limit = self.header["rules"].get("limit")
        once = self.networks == np.arange(len(self.truth))
        candidates: NDArray[np.bool_] = once if limit is None else once & (self.macs <= limit)
        return candidates

    @property
    def random_child(self) -> float:
        """Mean regret of a child drawn among all names that may be chosen."""
        limit = self.header["rules"].get("limit")
        truth = self.truth if limit is None else self.truth[self.macs <= limit]
        return float(self.header["best"] - np.nanmean(truth))

    @property
    def trials(self) -> NDArray[np.int64]:
        """(R,) trials of each repetition."""
        counts: NDArray[np.int64] = (self.child >= 0).sum(axis=1)
        return counts

    def __len__(self) -> int:
        return len(self.repetitions)

    def __repr__(self) -> str:
        return f"SearchResult({self.name!r} on {self.header['table']['name']!r}, {len(self)} repetitions)"

    def same(self, other: SearchResult) -> bool:
        """Equal to the bit, but for the time it took."""
        names = [f.name for f in dataclasses.fields(self) if f.name not in ("header", "seconds")]
        return identity(self.header) == identity(other.header) and all(
            np.array_equal(getattr(self, n), getattr(other, n), equal_nan=getattr(self, n).dtype.kind == "f")
            for n in names
        )

    def only(self, repetitions: Iterable[int]) -> SearchResult:
        """Those repetitions, in that order. ResultError where one is not there."""
        place = {number: i for i, number in enumerate(self.repetitions.tolist())}
        wanted = list(repetitions)
        missing = [number for number in wanted if number not in place]
        if missing:
            raise ResultError(f"{self!r} has no repetition {missing[0]}; run the search again with it")
        rows = [place[number] for number in wanted]
        kept = {n: getattr(self, n)[rows] for n in (*PADDING, *OF_REPETITION)}
        return dataclasses.replace(self, **kept)

    def join(self, other: SearchResult) -> SearchResult:
        """The repetitions of both, in order. ResultError where they are of different searches."""
        check_same(self.header, other.header, "the two")
        width = max(self.child.shape[1], other.child.shape[1])
        joined: dict[str, Any] = {
            name: np.concatenate([_padded(getattr(one, name), width, fill) for one in (self, other)])
            for name, (_, fill) in PADDING.items()
        }
        joined |= {name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in OF_REPETITION}
        order = np.argsort(joined["repetitions"], kind="stable")
        return dataclasses.replace(self, **{name: values[order] for name, values in joined.items()})

    def save(self, path: str | Path) -> None:
        """OutputError where it cannot be written."""
        arrays = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "header"}
        if (self.instance < 0).all():
            del arrays["instance"]  # as it was before there was such a thing
        whole = {"format": FORMAT, "schema_version": SCHEMA_VERSION, "digest": _digest(arrays), **self.header}
        buffer = io.BytesIO()
        header = np.frombuffer(json.dumps(whole, allow_nan=False).encode(), dtype=np.uint8)
        np.savez_compressed(buffer, header=header, **arrays)
        write_atomic(Path(path), buffer.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> SearchResult:
        """ResultError says what is wrong with the file."""
        remedy = "delete it, and run the search that wrote it again"
        try:
            with np.load(io.BytesIO(Path(path).read_bytes()), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            header = json.loads(arrays.pop("header").tobytes())
        except OSError as error:
            raise ResultError(f"{path} cannot be read: {error.strerror or error}; name the file of a search") from error
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ResultError(f"{path} is not a whole file of a search ({error}); {remedy}") from error
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise ResultError(f"{path} is not the file of a search; name another file")
        if header.get("schema_version") != SCHEMA_VERSION:
            version = header.get("schema_version")
            raise ResultError(f"{path} has schema {version}, this package reads {SCHEMA_VERSION}; {remedy}")
        stated = header.pop("digest", None)
        names = {f.name for f in dataclasses.fields(cls)} - {"header"}
        if not names - {"instance"} <= arrays.keys() <= names or _digest(arrays) != stated:
            raise ResultError(f"{path} is damaged: its arrays are not those it states; {remedy}")
        arrays.setdefault("instance", np.full(len(arrays["repetitions"]), -1))
        return cls({k: v for k, v in header.items() if k not in ("format", "schema_version")}, **arrays)


def identity(header: Mapping[str, Any]) -> dict[str, Any]:
    """What two searches must have in common to be one: all but the versions they ran with."""
    flat: dict[str, Any] = {}
    for key, value in header.items():
        if key != "versions":
            flat |= {f"{key}.{k}": v for k, v in value.items()} if isinstance(value, Mapping) else {key: value}
    return flat


def check_same(there: Mapping[str, Any], here: Mapping[str, Any], what: str) -> None:
    differing = differences(identity(there), identity(here))
    if differing:
        raise ResultError(f"{what} are not of one search: {differing}; name another file, or delete this one")


def stack(rows: Iterable[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
    """Repetitions as padded arrays: each row has lists by PADDING, numbers by OF_REPETITION."""
    listed = list(rows)
    width = max((len(row["child"]) for row in listed), default=1) or 1  # a budget may buy nothing of a super-net
    stacked: dict[str, NDArray[Any]] = {}
    for name, (dtype, fill) in PADDING.items():
        stacked[name] = np.full((len(listed), width), fill, dtype)
        for i, row in enumerate(listed):
            stacked[name][i, : len(row[name])] = row[name]
    for name, dtype in zip(OF_REPETITION, ("<i8", "<i8", "<f8", "<i8"), strict=True):
        stacked[name] = np.array([row[name] for row in listed], dtype)
    return stacked


def _padded(values: NDArray[Any], width: int, fill: float) -> NDArray[Any]:
    return np.pad(values, ((0, 0), (0, width - values.shape[1])), constant_values=fill)


def _digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 over name, dtype, shape and bytes of each array, in the order of their names."""
    whole = sha256()
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        whole.update(f"{name} {values.dtype.str} {values.shape}\n".encode())
        whole.update(values.tobytes())
    return whole.hexdigest()
