"""Headings: whether a first line is one, and what its words say of the columns.

    is_heading(grid.lines, space)                  # "arch,score" is one; "111,0.785" is not, whatever follows
    are_instances(["seed_0", "seed_1"])            # True: columns of one kind; "score" and "params" are not

Not here: reading numbers by them (space/by_child.py).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Decimal

from nasbench_ws.space.cell import Space
from nasbench_ws.space.grids import Line

CHILD = ("child", "children", "arch", "architecture", "hash", "spec", "digits", "genotype", "cell", "model", "name")
COUNTER = (  # row numbers, or children's indices
    "", "index", "idx", "id", "unnamed: 0", "unnamed: 0.1", "level_0", "row", "row_id", "rowid", "row_number", "line",
    "n", "no", "no.", "nr", "nr.",
)  # fmt: skip
REPETITION = ("seed", "instance", "run", "trial", "rep", "repeat", "replica", "fold", "variable")  # pandas' melt's last
INSTANCE = (*REPETITION, "score", "scores", "init", "s", "i")
NOT_SCORES = (
    "params", "parameters", "param", "macs", "madds", "flops", "gflops", "mflops", "seconds", "time", "latency",
    "memory", "size", "bytes", "epoch", "epochs", "step", "steps", "rank", "index", "id", "date", "status",
    *REPETITION,
)  # fmt: skip
LOWER = ("loss", "losses", "nll", "error", "err", "perplexity", "ppl", "regret", "rank", "ranks")  # is better
MISSING = ("", "nan", "na", "n/a", "null", "none", "<na>")  # as pandas reads and writes them


def is_heading(lines: Sequence[Line], space: Space) -> bool:
    """A first line is a heading only where it names no child, and is no line of numbers either."""
    first = lines[0].cells
    if first == tuple(map(str, range(len(first)))):  # pandas writes so columns without names; or child 0 has score 1
        later = {line.cells[0] for line in lines[1:] if line.cells}
        return "0" in later or not all(text in space and is_index(text, space) for text in later)
    if first[0] in space or any(text in space and not is_index(text, space) for text in first):
        return False
    if any(_is_float(text) and not text.isdecimal() for text in first[1:]):
        return False
    return not _is_float(first[0])


def goes_on(cells: Sequence[str], heading: Sequence[str], space: Space) -> bool:
    """Whether a line under a `heading` belongs to it, as in what pandas writes of columns with two levels.

    It names no child, and has a word where a score would be, or stands under one word twice ("seed,3,4").
    """
    if any(text in space and not is_index(text, space) for text in cells) or as_number(cells[0] or "word") is not None:
        return False
    words = [text for text in cells[1:] if as_number(text) is None]
    return bool(words) or len(set(heading[1:])) < len(heading[1:])


def unrounded(text: str, space: Space) -> str:
    """A child's digits where they were written as a float with all of them: 213.0, or numpy's 2.130e+02. Else the text.

    Not an index: small numbers of any meaning look the same.
    """
    if text in space or re.fullmatch(r"\d+\.\d*([eE][+-]?\d+)?", text) is None:
        return text
    number = Decimal(text)
    exponent = number.as_tuple().exponent
    if number >= 10**15 or not isinstance(exponent, int) or exponent > 0 or number != int(number):
        return text
    digits = str(int(number))
    return digits if digits in space and not is_index(digits, space) else text


def is_index(text: str, space: Space) -> bool:
    """Whether a text that names a child does so by its index: small numbers of any meaning look the same."""
    return text.isdecimal() and text == str(space.architecture(text).index)


def transposed(lines: Sequence[Line], space: Space) -> list[Line] | None:
    """The lines with children down instead of across; None where they do not go across."""
    if len(lines) < 2 or len({len(line.cells) for line in lines}) > 1:
        return None
    first = lines[0].cells
    for start in (0, 1):
        names = first[start:]
        across = len(names) > 1 and all(text in space for text in names) and len(set(names)) == len(names)
        whole = across and (len(names) == len(space) or not all(is_index(text, space) for text in names))
        below = [line.cells[0] for line in lines[1:]]
        numbered = start == 1 and len(below) < len(space) and below == [str(i) for i in range(len(below))]
        down = all(text in space for text in below) and not numbered
        if whole and not down and (start == 0 or first[0] not in space):
            labels = [line.cells[0] if start else str(i) for i, line in enumerate(lines[1:])]
            columns = zip(*(line.cells[start:] for line in lines), strict=True)
            turned = [Line(f"column {i}", cells) for i, cells in enumerate(columns, start=start + 1)]
            numbers = names == tuple(map(str, range(len(names))))  # of children, or of rows that name theirs below
            return [Line("the heading", ("" if numbers else "child", *labels)), *turned]
    return None


def trimmed(lines: Sequence[Line]) -> list[Line]:
    """The lines without columns at their ends that are empty in all: "434,0.83," of some spreadsheets."""
    kept = list(lines)
    while (width := max((len(line.cells) for line in kept), default=0)) > 2:
        if any(line.cells[-1] for line in kept if len(line.cells) == width):
            break
        kept = [Line(line.where, line.cells[: width - 1]) for line in kept]
    return kept


def has_row_names(heading: Sequence[str], rows: Sequence[Line], space: Space) -> bool:
    """Whether each row has a cell more than the heading, and the first is its name: R's write.table writes so."""
    if not rows or any(len(row.cells) != len(heading) + 1 for row in rows):
        return False
    first = {row.cells[0] for row in rows}
    if any(first == set(map(str, range(start, start + len(rows)))) for start in (0, 1)):
        return True
    named = any(is_child_word(name, word) for name in heading for word in CHILD)
    return not named and len(first) == len(rows) and all(text in space for text in first)


def has_thousands(cells: Sequence[str]) -> bool:
    """Whether 1.394 or 1,394 in a column may be thousands: so are all that have a mark, and others are below 1000."""
    marked = [cell for cell in cells if re.search("[.,]", cell)]
    groups = all(re.fullmatch(r"[+-]?[1-9]\d{0,2}[.,]\d{3}", cell) for cell in marked)
    return bool(marked) and groups and any(re.fullmatch(r"[+-]?\d{1,3}", cell) for cell in cells)


def is_child_word(name: str, word: str) -> bool:
    """Whether a heading's `name` is a word for children, or ends in one ("arch_hash"), or starts so ("arch_str")."""
    words = re.split(r"[ _.\-]", name.lower())
    return name.lower() == word or words[-1] == word or (words[0] == word and word in ("child", "arch", "architecture"))


def words_of(name: str) -> set[str]:
    return {word for word in re.split(r"[^a-z0-9]+", name.lower()) if word}


def are_instances(names: Sequence[str]) -> bool:
    """Whether the names are those of instances: nothing but numbers, or one word for a repetition and numbers.

    "top1" and "top5" are not, nor are "epoch_1" and "epoch_2".
    """
    stems = set()
    for name in names:
        match = re.fullmatch(r"(.*?)[ _.\-\[(#]*(\d+)[\])]*", name.lower())
        if match is None:
            return False
        stems.add(match[1])
    last = re.split(r"[^a-z]+", stems.pop())[-1] if len(stems) == 1 else None
    return last is not None and (last == "" or last in INSTANCE)


def as_number(text: str, decimal_comma: bool = False) -> float | None:
    """The number, of 87.5% too; NaN for a word of what is missing; None where it is neither, or infinite."""
    if text.lower() in MISSING:
        return math.nan
    if text.endswith("%"):
        percent = as_number(text[:-1].rstrip(), decimal_comma)
        return None if percent is None or math.isnan(percent) else percent / 100
    if decimal_comma and re.fullmatch(r"[+-]?\d+,\d+([eE][+-]?\d+)?", text):
        text = text.replace(",", ".")
    try:
        value = float(text) if "_" not in text else math.inf
    except ValueError:
        return None
    return None if math.isinf(value) else value


def _is_float(text: str) -> bool:
    return text.lower() not in MISSING and as_number(text) is not None
