"""Numbers by child, from a file of any kind: which column names the children, which hold numbers, and for whom.

    found = numbers_by_child("scores.csv", space)
    found.values, found.columns, found.left_out     # (instances, n) in the space's order, their names, what is not read

A column is read by its name where there is a heading, and by its place only in a file of children and numbers. What
can be meant in two ways is refused with the columns listed. Not here: files (space/grids.py), what the numbers are
(rankers/scores_file.py).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from nasbench_ws.errors import ArchitectureError, NasbenchError, ResultError, near_misses
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.space.cell import Architecture, Space
from nasbench_ws.space.grids import Grid, Line, Source, read_grid
from nasbench_ws.space.headings import (
    CHILD,
    COUNTER,
    MISSING,
    NOT_SCORES,
    REPETITION,
    are_instances,
    as_number,
    goes_on,
    has_row_names,
    has_thousands,
    is_child_word,
    is_heading,
    is_index,
    transposed,
    trimmed,
    unrounded,
    words_of,
)

EXAMPLE = "434,0.83"


@dataclass(frozen=True)
class ByChild:
    """Values (instances, n) in the space's order; NaN where the file says so, or (with `partial`) says nothing."""

    values: Array
    columns: tuple[str, ...]  # names of the instances; "" without a heading
    left_out: tuple[str, ...]  # columns with numbers or texts that were not read
    present: tuple[int, ...]  # children that the file names


def numbers_by_child(
    source: Source,
    space: Space,
    columns: Sequence[str] = (),
    *,
    partial: bool = False,
    error_type: type[NasbenchError] = ResultError,
) -> ByChild:
    """Read a file, a frame, a mapping or an array (see `read_grid`) as numbers of the space's children.

    Args:
        columns: names of the columns to read; by default the one that can be meant, or numbered ones of one name.
        partial: whether children may be absent.

    Raises:
        error_type: it is broken or ambiguous, or a child is absent or stands there twice.
        ArchitectureError: a name is no child of the space.
    """
    grid = read_grid(source, error_type)
    if grid.in_order:
        return _in_order(grid, space, columns, error_type)
    sheet = _Sheet(grid, space, error_type)
    chosen = sheet.choose(tuple(columns))
    values, names, present = sheet.values(chosen)
    absent = [child for child in space if child.index not in present]
    if absent and not (partial and present):
        listed = ", ".join(child.name for child in absent[:5]) + ", ..." * (len(absent) > 5)
        raise error_type(
            f"{grid.name} has no score for {len(absent)} of {len(space)} children ({listed}); "
            "a ranking needs all of them: write nan for one that diverged"
        )
    left = tuple(name for name in sheet.others if name not in chosen)
    return ByChild(values, names, left, tuple(sorted(present)))


def _in_order(grid: Grid, space: Space, columns: Sequence[str], error_type: type[NasbenchError]) -> ByChild:
    widths = {len(line.cells) for line in grid.lines}
    if widths != {len(space)}:
        shape = f"{len(grid.lines)} x {'/'.join(map(str, sorted(widths))) or 0}"
        raise error_type(
            f"{grid.name} is an array of {shape} numbers without names; give (instances, {len(space)}), a column for "
            f"each child of {space.name} in its order, or a file that names the children"
        )
    if columns:
        raise error_type(f"{grid.name} is an array without names of columns; leave out --column {columns[0]}")
    values = [[_number(grid, line, cell, error_type) for cell in line.cells] for line in grid.lines]
    return ByChild(np.array(values), ("",) * len(values), (), tuple(range(len(space))))


class _Sheet:
    """Rows with a heading ("" where there is none), and the child of each row."""

    def __init__(self, grid: Grid, space: Space, error_type: type[NasbenchError]) -> None:
        self.grid, self.space, self.error = grid, space, error_type
        lines = trimmed(grid.lines)
        lines = transposed(lines, space) or lines
        headed = grid.headed if grid.headed is not None else bool(lines) and is_heading(lines, space)
        self.heading = tuple(lines.pop(0).cells) if headed and lines else None
        if self.heading is not None and lines and goes_on(lines[0].cells, self.heading, space):
            met = f"{lines[0].where} ({', '.join(lines[0].cells)}) names no child and has words"
            then = "write one line, with a name for each column"
            raise error_type(f"{grid.name} has a heading of more than one line: {met}; {then}")
        if self.heading is not None and has_row_names(self.heading, lines, space):
            self.heading = ("", *self.heading)
        if self.heading is None and not headed and grid.remark is not None and lines:
            words = grid.remark.cells
            if len(words) == len(lines[0].cells) > 2:
                self.heading = words
        self.rows = lines
        self._check_widths()
        width = len(self.heading or (lines[0].cells if lines else ()))
        self.names = [*(self.heading or [""] * width)]
        self._agreeing: list[int] = []  # further columns that name the children, the same ones
        self.child_column, self.children = self._find_children() if lines else (0, [])
        skip = {self.child_column, *self._agreeing}
        self.numeric = [i for i in range(width) if i not in skip and self._is_numeric(i)]
        self.others = tuple(
            self.names[i] for i in range(width)
            if i not in skip and self.names[i] and self.names[i].lower() not in COUNTER
        )  # fmt: skip

    def _find_children(self) -> tuple[int, list[Architecture]]:
        if self.heading is None:
            if self._counts(0) and any(self._all_children(i) for i in range(1, len(self.names))):
                raise self.error(
                    f"{self.grid.name} numbers its lines in its first column, and a further column names children "
                    "too; write a heading whose word for the children is 'child'"
                )
            return 0, self._named_in(0)
        known = [i for word in CHILD for i, name in enumerate(self.names) if is_child_word(name, word)]
        able = [i for i in dict.fromkeys(known) if any(self._child(row.cells[i]) for row in self.rows)]
        if able:
            first, *more = able
            children = self._named_in(first)
            for i in more:
                for row, child, other in zip(self.rows, children, self._named_in(i), strict=True):
                    if child != other:
                        raise self.error(
                            f"{self.grid.name}, {row.where}: {self.names[first]} {row.cells[first]} and "
                            f"{self.names[i]} {row.cells[i]} are two children; leave out the wrong column"
                        )
            self._agreeing = more
            return first, children
        if known:
            return known[0], self._named_in(known[0])
        plain = [i for i, name in enumerate(self.names) if name.lower() not in COUNTER]
        named = [i for i in plain if self._all_children(i) and not self._within_indices(i)]
        if len(named) == 1:
            return named[0], self._named_in(named[0])
        counters = [i for i, name in enumerate(self.names) if name.lower() in COUNTER and self._all_children(i)]
        if not named and counters and all(self._is_numeric(i) for i in plain):
            return counters[0], self._named_in(counters[0])
        listed = ", ".join(repr(name) for name in self.names)
        raise self.error(
            f"{self.grid.name} has the columns {listed}, and none is known to name the children; call that one 'child'"
        )

    def _named_in(self, column: int) -> list[Architecture]:
        return [self._architecture(row, row.cells[column]) for row in self.rows]

    def _architecture(self, row: Line, text: str) -> Architecture:
        try:
            return self.space.architecture(unrounded(text, self.space))
        except ArchitectureError as error:
            raise ArchitectureError(f"{self.grid.name}, {row.where}: {error}") from None

    def _child(self, text: str) -> Architecture | None:
        text = unrounded(text, self.space)
        return self.space.architecture(text) if text in self.space else None

    def _all_children(self, column: int) -> bool:
        """Whether every row names one, and no row the same as another."""
        found = {row.cells[column] for row in self.rows}
        return len(found) == len(self.rows) and all(unrounded(text, self.space) in self.space for text in found)

    def _counts(self, column: int) -> bool:
        return [row.cells[column] for row in self.rows] == [str(i) for i in range(len(self.rows))]

    def _within_indices(self, column: int) -> bool:
        """Whether all are read as indices: so may ranks be, or any small numbers."""
        return all(is_index(row.cells[column], self.space) for row in self.rows)

    def _check_widths(self) -> None:
        widths = {len(row.cells) for row in self.rows}
        if self.heading is not None and widths - {len(self.heading)}:
            row = next(row for row in self.rows if len(row.cells) != len(self.heading))
            raise self.error(
                f"{self.grid.name}, {row.where} has {len(row.cells)} cells, and the heading {len(self.heading)} "
                f"({', '.join(self.heading)}); give each line as many"
            )
        narrow = next((row for row in self.rows if len(row.cells) < 2), None)
        if narrow is not None:
            raise self.error(
                f"{self.grid.name}, {narrow.where}: {narrow.cells[0][:60]!r} is one cell; write a child and a number "
                f"for each instance, with commas, semicolons, tabs or blanks between them, as {EXAMPLE}"
            )
        if len(widths) > 1:
            raise self.error(
                f"{self.grid.name} has children with {min(widths) - 1} and with {max(widths) - 1} scores; "
                "give each as many"
            )

    def _is_numeric(self, column: int) -> bool:
        """Whether some cell is a number, or all are missing; of a file without a heading every column is."""
        cells = [row.cells[column] for row in self.rows]
        return (
            self.heading is None
            or any(
                as_number(cell, self.grid.decimal_comma) is not None and cell.lower() not in MISSING for cell in cells
            )
            or all(cell.lower() in MISSING for cell in cells)
        )

    def choose(self, wanted: tuple[str, ...]) -> list[str]:
        """The columns to read: those wanted, or those that alone can be meant."""
        names = [self.names[i] for i in self.numeric]
        listed = ", ".join(dict.fromkeys(name or "''" for name in names)) or "none"
        if self.heading is None:
            if wanted:
                raise self.error(f"{self.grid.name} has no heading to find a column {wanted[0]!r} in; write one")
            self._check_commas()
            return names
        twice = next((name for name in names if names.count(name) > 1 and (not wanted or name in wanted)), None)
        if twice is not None:
            raise self.error(f"{self.grid.name} has two columns {twice!r}; give each a name of its own")
        for name in wanted:
            if wanted.count(name) > 1:
                raise self.error(f"{self.grid.name}: the column {name!r} is asked for twice; it is one instance")
            if name not in names:
                raise self.error(
                    f"{self.grid.name} has no column {name!r} of numbers{near_misses(name, names)}; it has {listed}"
                )
        if wanted:
            return list(wanted)
        names = [name for name in names if name.lower() not in COUNTER] or names
        able = [name for name in names if not words_of(name) & set(NOT_SCORES) or are_instances([name])]
        if self._long() is not None:
            able = [name for name in able if name != self._long()]
        found = names if len(names) == 1 else able
        if len(found) == 1 or (found and are_instances(found)):
            return found
        if not names:
            met = "".join(f" ({row.where} has {row.cells[-1][:60]!r})" for row in self.rows[:1])
            raise self.error(
                f"{self.grid.name} has the columns {', '.join(self.names)}, and no score in any{met}; write a child "
                f"and a number for each instance, as {EXAMPLE}"
            )
        raise self.error(
            f"{self.grid.name} has the columns {listed}, and more than one could be the score; name those to read, "
            f"one for each instance: --column {(able or names)[0]}"
        )

    def _check_commas(self) -> None:
        """Refuse 434,0,83 without a heading: two instances, or one of 0.83."""
        whole = all(re.fullmatch(r"[+-]?\d+", cell) for row in self.rows for cell in row.cells[1:])
        if self.grid.mark == "," and whole and self.rows and len(self.rows[0].cells) % 2:
            raise self.error(
                f"{self.grid.name} has whole numbers alone, and no heading: {','.join(self.rows[0].cells[1:3])} may be "
                "two scores, or one with a decimal comma; write a heading, as child,0,1, or decimal points"
            )

    def _long(self) -> str | None:
        """The column that says of which instance a row is, where a child has a row for each."""
        repeated = len(set(self.children)) < len(self.children)
        able = [name for name in self.names if name.lower() in REPETITION]
        words = [name for name in able if name in [self.names[i] for i in self.numeric]] or able
        return words[0] if repeated and len(words) == 1 and self.heading is not None else None

    def values(self, chosen: list[str]) -> tuple[Array, tuple[str, ...], set[int]]:
        """(instances, n), the instances' names, and the children there are."""
        places = self.numeric if self.heading is None else [self.names.index(name) for name in chosen]
        by = self._long()
        seeds = [row.cells[self.names.index(by)] for row in self.rows] if by else [""] * len(self.rows)
        order = list(dict.fromkeys(seeds))
        for place in places:
            self._check_thousands(place)
            self._check_percent(place)
        instances = [f"{name} ({by} {seed})" if by else name for seed in order for name in chosen]
        found = np.full((len(order), len(places), len(self.space)), math.nan)
        there: set[tuple[int, str]] = set()
        for row, child, seed in zip(self.rows, self.children, seeds, strict=True):
            if (child.index, seed) in there:
                with_seed = f" with {by} {seed}" if by else ""
                raise self.error(
                    f"{self.grid.name}, {row.where}: child {child.name}{with_seed} is there twice; give each one line"
                )
            there.add((child.index, seed))
            found[order.index(seed), :, child.index] = [
                _number(self.grid, row, row.cells[place], self.error) for place in places
            ]
        present = {index for index, _ in there}
        if len(there) < len(present) * len(order):
            index, seed = next((i, s) for s in order for i in sorted(present) if (i, s) not in there)
            raise self.error(f"{self.grid.name} has no line for child {self.space[index].name} with {by} {seed}")
        return found.reshape(len(instances), len(self.space)), tuple(instances), present

    def _check_percent(self, place: int) -> None:
        cells = [row.cells[place] for row in self.rows if row.cells[place].lower() not in MISSING]
        plain = next((cell for cell in cells if not cell.endswith("%")), None)
        signed = next((cell for cell in cells if cell.endswith("%")), None)
        if plain is not None and signed is not None:
            where = f" ({self.names[place]})" * bool(self.heading)
            raise self.error(
                f"{self.grid.name} has {signed} and {plain} in one column{where}; write all with the sign, or none"
            )

    def _check_thousands(self, place: int) -> None:
        cells = [row.cells[place] for row in self.rows]
        if self.grid.mark and has_thousands(cells):
            marked = next(cell for cell in cells if re.search("[.,]", cell))
            whole = next(cell for cell in cells if not re.search("[.,]", cell))
            where = f" ({self.names[place]})" * bool(self.heading)
            raise self.error(
                f"{self.grid.name} has {marked} and {whole} in one column{where}, which may be thousands or decimals; "
                "write no marks between thousands, and as many decimals in each"
            )


def _number(grid: Grid, line: Line, text: str, error_type: type[NasbenchError]) -> float:
    value = as_number(text, grid.decimal_comma)
    if value is None:
        raise error_type(
            f"{grid.name}, {line.where}: {text!r} is no score; write a child and a number for each instance, as "
            f"{EXAMPLE}"
        )
    if re.fullmatch(r"[+-]?\d{16,}(\.\d*)?", text) and Decimal(text) != Decimal(value):
        raise error_type(
            f"{grid.name}, {line.where}: {text} has more digits than a 64-bit float keeps, and scores that differ "
            "would tie; divide them, or give ranks"
        )
    return value
