"""Ground truth by architecture: open a table and ask it.

    table = load("fashion14")                       # a shipped table, or the path of a file
    table.query("434").test_accuracy.mean           # by digits, index, hash, its prefix, or canonical string
    table.column("test_accuracy")                   # (children,), mean over seeds at the last epoch
    table.truth, table.best("valid_accuracy", 3)

The split is part of every name: there is no default split. A mean is over every seed of the table: NaN where a
run is missing or diverged, unless `skip_missing` says to leave it out. Every array is read-only. Not here: files
(tables/file.py), runs into tables (tables/merge.py), what scores reach (metrics/rank.py, metrics/intervals.py).
"""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nasbench_ws.errors import TableError, UsageError, extra, near_misses
from nasbench_ws.space.cell import Architecture, ArchitectureLike
from nasbench_ws.tables.columns import COLUMNS, CURVES, GOOD, STATUSES, Content
from nasbench_ws.tables.file import read_table, verify, write_table

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from numpy.typing import NDArray

    from nasbench_ws.recipe import Recipe
    from nasbench_ws.space.macro import Macro

__all__ = ["Entry", "Statistic", "Table", "load", "shipped", "verify", "write_table"]
BY_CHILD = ("hash", "spec", "name", "params", "macs")


class Statistic(NamedTuple):
    """One number by seed: NaN where there is none, and then the mean and the deviation are NaN too."""

    mean: float
    std: float  # of the sample (ddof 1); NaN with one seed
    values: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON: NaN is None."""
        return {"mean": _number(self.mean), "std": _number(self.std), "values": [_number(x) for x in self.values]}


class Entry:
    """What a table knows of one child. Accuracies are those of the last epoch, in [0, 1]."""

    def __init__(
        self, table: Table, architecture: Architecture, params: int, macs: int, valid: Statistic, test: Statistic
    ) -> None:
        self._table, self.architecture = table, architecture
        self.hash, self.name, self.spec = architecture.hash, architecture.name, architecture.spec
        self.index = architecture.index
        self.params, self.macs = params, macs  # of one image's forward pass
        self.valid_accuracy, self.test_accuracy = valid, test

    def __repr__(self) -> str:
        return f"Entry({self.name!r} of {self._table.name!r}, test accuracy {self.test_accuracy.mean:.4f})"

    @property
    def status(self) -> tuple[str, ...]:
        """How the run of each seed ended: ok, diverged, failed or missing."""
        return tuple(STATUSES[code] for code in self._table.content.columns["status"][self.index])

    def curve(self, name: str) -> NDArray[np.float64]:
        """A column by seed and epoch, (seeds, epochs)."""
        curve: NDArray[np.float64] = self._table.curves(name)[self.index]
        return curve

    def to_dict(self) -> dict[str, Any]:
        """For JSON: NaN is None. `seeds` and `status` go with the values, in order; both accuracies are of `epoch`."""
        data = {key: getattr(self, key) for key in ("hash", "name", "spec", "index", "params", "macs")}
        return {
            **data,
            "valid_accuracy": self.valid_accuracy.to_dict(),
            "test_accuracy": self.test_accuracy.to_dict(),
            "seeds": self._table.seeds.tolist(),
            "epoch": float(self._table.epochs[-1]),
            "status": list(self.status),
        }


class Table:
    """A table in memory; `content` has it as it is stored."""

    def __init__(self, content: Content, name: str = "in memory") -> None:
        self.content, self.name, self.space, self.digest = content, name, content.space, content.digest
        self.seeds: NDArray[np.int64] = content.columns["seeds"]
        self.epochs: NDArray[np.float64] = content.columns["epochs"]  # passes over the training images
        self._entries: dict[int, Entry] = {}

    @property
    def recipe(self) -> Recipe:
        """How every child was trained."""
        return self.content.recipe

    @property
    def macro(self) -> Macro:
        """What every child's cells are put into."""
        return self.content.macro

    def query(self, arch: ArchitectureLike) -> Entry:
        """The entry of a child, by any of its names. ArchitectureError where it names none, or several.

        >>> load("fashion14").query("434").hash
        '889c9c1e36d3f058'
        >>> load("fashion14").query("889c9").name
        '434'
        """
        child = self.space.architecture(arch)
        entry = self._entries.get(child.index)
        if entry is None:
            i = child.index
            params, macs, accuracies = self._numbers
            valid, test = (Statistic(mean[i], std[i], tuple(values[i])) for mean, std, values in accuracies)
            entry = Entry(self, child, params[i], macs[i], valid, test)
            self._entries[i] = entry
        return entry

    __getitem__ = query

    def __len__(self) -> int:
        return len(self.space)

    def __iter__(self) -> Iterator[Entry]:
        return map(self.query, range(len(self)))

    def __contains__(self, arch: object) -> bool:
        return arch in self.space

    def __repr__(self) -> str:
        children, seeds, epochs = self.content.shape
        absent = len(self.absent())
        without = f", without {absent} of {children * seeds} runs" if absent else ""
        size = f"{children} children x {seeds} seeds x {epochs} epochs"
        return f"Table({self.name!r}: {size}, {self.space.name}{without})"

    def curves(self, name: str) -> NDArray[np.float64]:
        """A column by child, seed and epoch.

        >>> table = load("fashion14")
        >>> table.curves("test_accuracy").shape == (len(table), len(table.seeds), len(table.epochs))
        True
        """
        if name not in CURVES:
            self._refuse(name, CURVES)
        curves: NDArray[np.float64] = self.content.columns[name]
        return curves

    def by_seed(self, name: str, epoch: float | None = None) -> NDArray[np.float64]:
        """A column by child and seed, at the last epoch or the one given."""
        return self.curves(name)[:, :, self._epoch(epoch)]

    def column(
        self, name: str, *, epoch: float | None = None, seed: int | None = None, skip_missing: bool = False
    ) -> NDArray[Any]:
        """A column by child; one that runs make is the mean over seeds, or of one `seed`, at the last epoch or `epoch`.

        `skip_missing` takes the mean over the seeds that have a number: children then differ in how many.
        """
        if name in BY_CHILD:
            if epoch is not None or seed is not None:
                raise UsageError(f"{name} is a child's own, at any epoch and of any seed; ask for it without them")
            values: NDArray[Any] = self.content.columns[name]
            return values.astype("U") if COLUMNS[name].dtype == "S" else values
        if name not in CURVES:
            self._refuse(name, (*BY_CHILD, *CURVES))
        runs = self.by_seed(name, epoch)  # (children, seeds)
        if seed is not None:
            place = np.flatnonzero(self.seeds == seed)
            if not len(place):
                raise UsageError(f"{self.name} has no seed {seed}; it has {', '.join(map(str, self.seeds.tolist()))}")
            return runs[:, place[0]]
        if skip_missing:
            count = (~np.isnan(runs)).sum(axis=1)
            return np.where(count > 0, np.nansum(runs, axis=1) / np.maximum(count, 1), np.nan)
        means: NDArray[np.float64] = runs.mean(axis=1)
        return means

    @property
    def truth(self) -> NDArray[np.float64]:
        """What scores are measured against: mean test accuracy over seeds. TableError where a run is missing."""
        truth: NDArray[np.float64] = self.column("test_accuracy")
        if np.isnan(truth).any():
            absent = self.absent()
            listed = ", ".join(f"{child} seed {seed} ({status})" for child, seed, status in absent[:4])
            more = f" and {len(absent) - 4} more" if len(absent) > 4 else ""
            raise TableError(
                f"{self.name} gives no ground truth: it lacks {listed}{more}; build what is missing, or take "
                "column('test_accuracy', skip_missing=True) and say so"
            )
        return truth

    def absent(self) -> list[tuple[Architecture, int, str]]:
        """Every run that did not end well: its child, its seed and its status."""
        status = self.content.columns["status"]
        places = np.argwhere(~np.isin(status, GOOD)).tolist()
        return [(self.space[i], int(self.seeds[j]), STATUSES[status[i, j]]) for i, j in places]

    def best(self, by: str, n: int = 1) -> list[Entry]:
        """The n best children by an accuracy (highest) or a loss (lowest), best first; ties in order of index."""
        if not by.endswith(("_accuracy", "_loss")) or by not in CURVES:
            self._refuse(by, tuple(name for name in CURVES if name != "seconds"))
        values = self.column(by)
        known = int((~np.isnan(values)).sum())
        if not 1 <= n <= known:
            raise UsageError(f"the {n} best of {known} children with a {by}: n must be 1 to {known}")
        order = np.argsort(-values if by.endswith("_accuracy") else values, kind="stable")  # NaN comes last
        return [self.query(i) for i in order[:n]]

    def to_frame(self, level: str = "architecture") -> pd.DataFrame:
        """A pandas frame with a row for each architecture (means over seeds at the last epoch), seed, or epoch."""
        with extra("pandas", "to_frame needs pandas"):
            import pandas as pd
        if level not in ("architecture", "seed", "epoch"):
            raise UsageError(f"there is no level {level!r}; a row is of an architecture, a seed or an epoch")
        if level == "architecture":
            return pd.DataFrame({name: self.column(name) for name in (*BY_CHILD, *CURVES)}).set_index("hash")
        children, seeds, epochs = self.content.shape
        runs = epochs if level == "epoch" else 1
        data = {"hash": np.repeat(self.column("hash"), seeds * runs)}
        data["seed"] = np.tile(np.repeat(self.seeds, runs), children)
        data["epoch"] = np.tile(self.epochs if level == "epoch" else self.epochs[-1:], children * seeds)
        data["status"] = np.repeat(np.array(STATUSES)[self.content.columns["status"].ravel()], runs)
        data |= {name: (self.curves(name) if level == "epoch" else self.by_seed(name)).ravel() for name in CURVES}
        return pd.DataFrame(data)

    def to_xarray(self) -> xr.Dataset:
        """An xarray data set: every column over architecture (hash), seed and epoch, with its units."""
        with extra("xarray", "to_xarray needs xarray"):
            import xarray as xr
        variables = {}
        for name, column in COLUMNS.items():
            if name in ("seeds", "epochs", "hash"):
                continue
            values = self.content.columns[name]
            values = values.astype("U") if column.dtype == "S" else values
            values = np.array(STATUSES)[values] if name == "status" else values
            variables[name] = (column.axes, values, {"units": column.units, "long_name": column.meaning})
        coordinates = {"architecture": self.column("hash"), "seed": self.seeds, "epoch": self.epochs}
        return xr.Dataset(variables, coordinates, {"table": self.name, "digest": self.digest})

    def _repr_html_(self) -> str:
        from nasbench_ws.markup import number, paragraph, table

        rows = [
            (entry.name, number(entry.test_accuracy.mean, 4), number(entry.test_accuracy.std, 4), f"{entry.params:,}")
            for entry in sorted(self, key=lambda entry: -np.nan_to_num(entry.test_accuracy.mean))[:5]
        ]
        return paragraph(repr(self)) + table(["best children", "test accuracy", "std of seeds", "parameters"], rows)

    @cached_property
    def _numbers(self) -> tuple[Any, ...]:
        """As lists, which are far quicker to look into: params, macs, and (mean, std, by seed) of both accuracies."""
        accuracies = []
        for name in ("valid_accuracy", "test_accuracy"):
            runs = self.by_seed(name)
            std = runs.std(axis=1, ddof=1) if runs.shape[1] > 1 else np.full(len(self), np.nan)
            accuracies.append((self.column(name).tolist(), std.tolist(), runs.tolist()))
        return self.column("params").tolist(), self.column("macs").tolist(), accuracies

    def _epoch(self, epoch: float | None) -> int:
        if epoch is None:
            return -1
        place = np.flatnonzero(np.isclose(self.epochs, epoch, rtol=1e-9, atol=0))
        if not len(place):
            recorded = ", ".join(f"{x:g}" for x in self.epochs)
            raise UsageError(f"{self.name} has no epoch {epoch:g}; recorded are {recorded}")
        return int(place[0])

    def _refuse(self, name: str, known: tuple[str, ...]) -> None:
        if name in ("accuracy", "loss"):
            splits = " or ".join(column for column in CURVES if column.endswith(name))
            raise UsageError(f"there is no column {name!r}: the split is part of the name; ask for {splits}")
        raise UsageError(f"there is no column {name!r} here{near_misses(name, known)}; there are {', '.join(known)}")


def shipped() -> dict[str, Path]:
    """The tables that come with the package, by name."""
    folders = importlib.import_module("nasbench_ws.data").__path__  # importlib.resources takes 6 ms to import
    files = sorted(Path(folder, name) for folder in folders for name in os.listdir(folder))
    return {file.stem: file for file in files if file.suffix == ".h5" and not file.stem.endswith("-images")}


def load(name_or_path: str | os.PathLike[str]) -> Table:
    """A shipped table by its name, or the one in a file. TableError says what is wrong."""
    tables = shipped()
    if isinstance(name_or_path, str) and name_or_path in tables:
        return Table(read_table(tables[name_or_path]), name_or_path)
    path = Path(name_or_path)
    if not os.path.exists(path):  # Path's own raises for a name that is too long
        listed = ", ".join(tables) or "none"
        raise TableError(
            f"there is no table {str(name_or_path)!r}{near_misses(str(name_or_path), tables)}: neither a file nor "
            f"shipped; shipped are {listed}; give one of these, or the path of a file"
        )
    return Table(read_table(path), str(path))


def _number(x: float) -> float | None:
    return None if math.isnan(x) else x
