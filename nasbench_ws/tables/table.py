"""Ground truth by architecture: open a table and ask it.

    table = load("fashion14")                       # a shipped table, or the path of a file
    table.query("434").test_accuracy.mean           # by digits, index, hash, its prefix, or canonical string
    table.column("test_accuracy")                   # (children,), mean over seeds at the last epoch
    table.truth, table.best("valid_accuracy", 3)

The split is part of every name: there is no default split. A mean is over every seed of the child
(tables/over_seeds.py): NaN where a run is missing or diverged, unless `skip_missing` says to leave it out. In a table
that others made, where nothing can be added, means are over the runs that there are, and what it does not know is NaN
(docs/tables.md). Every array is read-only. Not here: files (tables/file.py), runs into tables (tables/merge.py), what
scores reach (metrics/).
"""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbench_ws.errors import TableError, UsageError, near_misses
from nasbench_ws.space.cell import Architecture, ArchitectureLike
from nasbench_ws.tables.columns import BY_CHILD, CURVES, MISSING, NAMES, UNPLANNED, Content, refuse_column
from nasbench_ws.tables.entry import Entry, Statistic
from nasbench_ws.tables.file import read_table, verify, write_table
from nasbench_ws.tables.over_seeds import absent, deviations, means, seeds_each

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from numpy.typing import NDArray

    from nasbench_ws.recipe import Recipe
    from nasbench_ws.space.macro import Macro
    from nasbench_ws.tables.plot import TablePlot

__all__ = ["Entry", "Statistic", "Table", "load", "shipped", "verify", "write_table"]


class Table:
    """A table in memory; `content` has it as it is stored."""

    def __init__(self, content: Content, name: str = "in memory") -> None:
        self.content, self.name, self.space, self.digest = content, name, content.space, content.digest
        self.seeds: NDArray[np.int64] = content.columns["seeds"]
        self.epochs: NDArray[np.float64] = content.columns["epochs"]  # passes over the training images
        self._entries: dict[int, Entry] = {}
        self._curves: dict[str, NDArray[np.float64]] = {}
        self._known_statistics: dict[str, tuple[NDArray[np.float64], ...]] = {}

    @property
    def foreign(self) -> bool:
        """Did others make it, so that nothing can be trained to be compared with it?"""
        return self.content.foreign

    @property
    def truth_name(self) -> str:
        """The column that is ground truth: test_accuracy, if not others had another."""
        return self.content.truth

    @property
    def recipe(self) -> Recipe:
        """How every child was trained. UsageError where others made the table."""
        return self.content.recipe

    @property
    def macro(self) -> Macro:
        """What every child's cells are put into. UsageError where others made the table."""
        return self.content.macro

    def has(self, name: str) -> bool:
        """Does the table know that column? What it does not is NaN by run, and refused by child.

        >>> load("fashion14").has("macs"), load("fashion14").has("isomorph")
        (True, False)
        """
        return name in NAMES or name in self.content.columns

    @cached_property
    def part(self) -> NDArray[np.int64] | None:
        """The children that the table has rows of, by index; None where it has all of the space's."""
        rows = self.content.rows
        return None if len(rows) == len(self.space) else rows

    @cached_property
    def status(self) -> NDArray[np.int8]:
        """(children, seeds) how each run ended, as a place in STATUSES."""
        return self.whole(self.content.columns["status"], MISSING)

    @cached_property
    def planned(self) -> NDArray[np.bool_]:
        """(children, seeds) false where a seed is of other children, and nobody wanted it of this one."""
        planned: NDArray[np.bool_] = self.status != UNPLANNED
        return planned

    @cached_property
    def firsts(self) -> NDArray[np.bool_]:
        """(children,) false where a child is the network of an earlier one and was not trained beside it."""
        rows = np.arange(len(self))
        known = self.has("isomorph") and not self.foreign
        return np.equal(rows, self.column("isomorph") if known else rows)

    def whole(self, values: NDArray[Any], fill: Any) -> NDArray[Any]:
        """A stored column, over all children of the space; `fill` where the table has no row."""
        if self.part is None:
            return values
        whole = np.full((len(self.space), *values.shape[1:]), fill, values.dtype)
        whole[self.part] = values
        whole.flags.writeable = False
        return whole

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
            params, macs = (self.column(name).item(i) if self.has(name) else None for name in ("params", "macs"))
            valid, test = (self.statistic(name, i) for name in ("valid_accuracy", "test_accuracy"))
            entry = Entry(self, child, params, macs, valid, test)
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
        children, _, epochs = self.content.shape
        lacking = len(self.absent())
        without = f", without {lacking} of {int(self.planned.sum())} runs" if lacking else ""
        of = "" if self.part is None else f" of {len(self.space)}"
        size = f"{children}{of} children x {seeds_each(self)} seeds x {epochs} epochs"
        return f"Table({self.name!r}: {size}, {self.space.name}{without})"

    def curves(self, name: str) -> NDArray[np.float64]:
        """A column by child, seed and epoch; `truth` is the one that is ground truth, a loss with its sign changed.

        >>> table = load("fashion14")
        >>> table.curves("test_accuracy").shape == (len(table), len(table.seeds), len(table.epochs))
        True
        """
        if name == "truth":
            return self.curves(self.truth_name) * (-1.0 if self.truth_name.endswith("_loss") else 1.0)
        if name not in CURVES:
            refuse_column(name, CURVES)
        curves = self._curves.get(name)
        if curves is None:
            curves = self._curves[name] = self.whole(self.content.curve(name), np.nan)
        return curves

    def by_seed(self, name: str, epoch: float | None = None) -> NDArray[np.float64]:
        """A column by child and seed, at the last epoch or the one given.

        Args:
            name: of a column that runs make.
            epoch: one of `epochs`; None: the last.
        """
        return self.curves(name)[:, :, self._epoch(epoch)]

    def column(
        self, name: str, *, epoch: float | None = None, seed: int | None = None, skip_missing: bool | None = None
    ) -> NDArray[Any]:
        """A column by child; one that runs make is the mean over seeds, or of one `seed`, at the last epoch or `epoch`.

        `skip_missing` takes the mean over the seeds that have a number: children then differ in how many. It is so
        without being asked for where others made the table. UsageError for a column by child that it does not have.

        Args:
            name: of a column.
            epoch: one of `epochs`; None: the last.
            seed: one of `seeds`; None: their mean.
            skip_missing: means over the seeds that are there; None: as the table's maker has it.
        """
        if name in BY_CHILD:
            if epoch is not None or seed is not None:
                raise UsageError(f"{name} is a child's own, at any epoch and of any seed; ask for it without them")
            if name in NAMES and (self.part is not None or name not in self.content.columns):
                return np.array([getattr(child, name) for child in self.space])
            if name not in self.content.columns:
                raise UsageError(f"{self.name} does not know {name}; it has {', '.join(self._known())}")
            values = self.whole(self.content.columns[name], -1)
            return values.astype("U") if name in NAMES else values
        if name not in (*CURVES, "truth"):
            refuse_column(name, tuple(self._known()))
        runs = self.by_seed(name, epoch)  # (children, seeds)
        if seed is not None:
            place = np.flatnonzero(self.seeds == seed)
            if not len(place):
                raise UsageError(f"{self.name} has no seed {seed}; it has {', '.join(map(str, self.seeds.tolist()))}")
            return runs[:, place[0]]
        return means(self, runs, self.foreign if skip_missing is None else skip_missing)

    def mean_curves(self, name: str) -> NDArray[np.float64]:
        """(children, epochs) of a column by epoch, as `column` has the mean at each."""
        return means(self, self.curves(name), self.foreign)

    @property
    def truth(self) -> NDArray[np.float64]:
        """What scores are measured against: mean over seeds of the column `truth_name`, test accuracy if not others
        made the table; higher is better. TableError where a run is missing.
        """
        truth: NDArray[np.float64] = self.column("truth")
        if np.isnan(truth).any():
            lacking = self.absent()
            if not lacking:
                raise TableError(
                    f"{self.name} has {self.content.shape[0]} of the {len(self.space)} children of {self.space.name}; "
                    "measure among those, as `assess` does"
                )
            listed = ", ".join(f"{child} seed {seed} ({status})" for child, seed, status in lacking[:4])
            more = f" and {len(lacking) - 4} more" if len(lacking) > 4 else ""
            raise TableError(
                f"{self.name} gives no ground truth: it lacks {listed}{more}; build what is missing, leave these "
                "children out (--allow-missing), or take column('test_accuracy', skip_missing=True) and say so"
            )
        return truth

    def absent(self) -> list[tuple[Architecture, int, str]]:
        """Every run that was wanted and did not end well, of the children that have a row: child, seed and status.

        A child of a table that others made has the runs that it has: of those, where there are any, none is absent.
        """
        return absent(self)

    def best(self, by: str, n: int = 1, *, clip: bool = False) -> list[Entry]:
        """The n best by an accuracy (highest) or a loss (lowest), each network once; ties in order of index.

        Args:
            by: an accuracy or a loss.
            n: how many.
            clip: fewer, where there are not so many.
        """
        if not by.endswith(("_accuracy", "_loss")) or by not in CURVES:
            refuse_column(by, tuple(name for name in CURVES if name != "seconds"))
        if not self.has(by):
            raise UsageError(f"{self.name} does not know {by}; it has {', '.join(self._known())}")
        values = np.where(self.firsts, self.column(by), np.nan)
        known = int((~np.isnan(values)).sum())
        n = min(n, known) if clip else n
        if not 1 <= n <= known:
            raise UsageError(f"the {n} best of {known} children with a {by}: n must be 1 to {known}")
        order = np.argsort(-values if by.endswith("_accuracy") else values, kind="stable")  # NaN comes last
        return [self.query(i) for i in order[:n]]

    def to_frame(self, level: str = "architecture") -> pd.DataFrame:
        """A pandas frame with a row for each architecture (means over seeds at the last epoch), seed, or epoch.

        Args:
            level: "architecture", "seed" or "epoch".
        """
        from nasbench_ws.tables.frames import to_frame

        return to_frame(self, level)

    @cached_property
    def plot(self) -> TablePlot:
        """Figures as matplotlib Axes: `curves()`."""
        from nasbench_ws.tables.plot import TablePlot

        return TablePlot(self)

    def to_xarray(self) -> xr.Dataset:
        """An xarray data set: every column over architecture (hash), seed and epoch, with its units."""
        from nasbench_ws.tables.frames import to_xarray

        return to_xarray(self)

    def _repr_html_(self) -> str:
        from nasbench_ws.tables.frames import to_html

        return to_html(self)

    def statistic(self, name: str, index: int) -> Statistic:
        """A column of one child at the last epoch, by its own seeds."""
        if not self.has(name):
            return Statistic(math.nan, math.nan, (math.nan,) * int(self.planned[index].sum()))
        mean, std, runs = self._statistics(name)
        return Statistic(mean.item(index), std.item(index), tuple(runs[index, self.planned[index]].tolist()))

    def _statistics(self, name: str) -> tuple[NDArray[np.float64], ...]:
        """(children,) mean, (children,) deviation and (children, seeds) of a column at the last epoch."""
        known = self._known_statistics.get(name)
        if known is None:
            runs, mean = self.by_seed(name), self.column(name)
            std = deviations(self, runs, mean)
            known = self._known_statistics[name] = mean, std, runs
        return known

    def _known(self) -> list[str]:
        return [name for name in (*BY_CHILD, *CURVES) if self.has(name)]

    def _epoch(self, epoch: float | None) -> int:
        if epoch is None:
            return -1
        place = np.flatnonzero(np.isclose(self.epochs, epoch, rtol=1e-9, atol=0))
        if not len(place):
            recorded = ", ".join(f"{x:g}" for x in self.epochs)
            raise UsageError(f"{self.name} has no epoch {epoch:g}; recorded are {recorded}")
        return int(place[0])


def shipped() -> dict[str, Path]:
    """The tables that come with the package, by name."""
    folders = importlib.import_module("nasbench_ws.data").__path__  # importlib.resources takes 6 ms to import
    files = sorted(Path(folder, name) for folder in folders for name in os.listdir(folder))
    return {file.stem: file for file in files if file.suffix == ".h5" and not file.stem.endswith("-images")}


def load(name_or_path: str | os.PathLike[str]) -> Table:
    """A shipped table by its name, or the one in a file. TableError says what is wrong.

    A file's table is named as its file is, without the folders: others read the name, in results, pages and exports.
    """
    tables = shipped()
    if isinstance(name_or_path, str) and name_or_path in tables:
        content = read_table(tables[name_or_path])
        content.source = name_or_path  # what errors name
        return Table(content, name_or_path)
    path = Path(name_or_path)
    if not os.path.exists(path):  # Path's own raises for a name that is too long
        raise TableError(
            f"there is no table {str(name_or_path)!r}{near_misses(str(name_or_path), tables)}: neither a file nor "
            f"shipped; shipped are {', '.join(tables) or 'none'}; give one of these, or the path of a file"
        )
    return Table(read_table(path), path.name)
