"""Any score of every child, measured as a super-net's is: a zero-cost proxy, a predictor, a search's last word.

    scores = read_scores("mine.csv", table)       # (instances, n): a line a child, a column an instance
    print(render_scores("mine.csv", scores, table))
"""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np

from nasbench_ws.errors import ResultError
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.tables.table import Table


def read_scores(path: str | Path, table: Table) -> Array:
    """Scores (instances, n) of a CSV file, in the order of the table's children.

    A line is a child, by any of its names, and its score in each instance; higher is better; a child that diverged has
    "nan". The first line may be a heading. ResultError for a file that is not so, ArchitectureError for an unknown
    child.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            lines = [(number, line) for number, line in enumerate(csv.reader(file), start=1) if any(line)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        raise ResultError(f"{path} cannot be read: {reason}; give a CSV file with a line for each child") from error
    if lines and _number(lines[0][1][-1]) is None:
        lines = lines[1:]
    found: dict[int, list[float]] = {}
    for number, (name, *cells) in lines:
        values = [_number(cell) for cell in cells]
        wrong = next((cell for cell, value in zip(cells, values, strict=True) if value is None), None)
        if wrong is not None or not values:
            raise ResultError(
                f"{path}, line {number}: {wrong or 'nothing'!r} is no score; write a child and a number for each "
                "instance, as 434,0.83"
            )
        child = table.query(name.strip())
        if child.index in found:
            raise ResultError(f"{path}, line {number}: child {child.name} is there twice; give each one line")
        found[child.index] = [value for value in values if value is not None]
    absent = [entry.name for entry in table if entry.index not in found]
    if absent:
        more = ", ..." if len(absent) > 5 else ""
        raise ResultError(
            f"{path} has no score for {len(absent)} of {len(table)} children ({', '.join(absent[:5])}{more}); "
            "a ranking needs all of them: write nan for one that diverged"
        )
    widths = {len(values) for values in found.values()}
    if len(widths) > 1:
        raise ResultError(f"{path} has children with {min(widths)} and with {max(widths)} scores; give each as many")
    return np.array([found[entry.index] for entry in table]).T


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return None if math.isinf(value) else value
