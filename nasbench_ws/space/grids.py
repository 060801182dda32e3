"""Any file of rows as rows of text: CSV and its relatives, JSON, numpy's files, a frame, standard input.

    grid = read_grid("scores.csv")
    grid.lines[0].where, grid.lines[0].cells       # "line 1", ("arch", "score")

What a file is, its first bytes say, and not its name. Parsing is csv's, json's and numpy's. Not here: which line is a
heading and what the columns mean (space/by_child.py).
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from nasbench_ws.errors import NasbenchError, ResultError
from nasbench_ws.limits import bytes_of
from nasbench_ws.space.cell import Architecture

Source: TypeAlias = "str | Path | Any"  # a path, "-", a frame, a mapping, an array, or a grid
MAX_BYTES = 2**28
KINDS = "give a CSV, JSON or .npy file with a line for each child"
CODES = {  # by the mark that a file begins with; a spreadsheet's "Unicode text" is UTF-16. UTF-8's own is utf-8-sig's
    b"\xff\xfe\x00\x00": "utf-32", b"\x00\x00\xfe\xff": "utf-32", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16",
}  # fmt: skip
OTHERS = {  # files that people have scores in and that are no rows of text, by their first bytes
    b"\x1f\x8b": "compressed by gzip: unpack it first",
    b"BZh": "compressed by bzip2: unpack it first",
    b"\xfd7zXZ": "compressed by xz: unpack it first",
    b"\x28\xb5\x2f\xfd": "compressed by Zstandard: unpack it first",
    b"PAR1": "a Parquet file: save it as CSV, as pandas.read_parquet(FILE).to_csv(OTHER) does",
    b"ARROW1": "an Arrow file: save it as CSV, as pandas.read_feather(FILE).to_csv(OTHER) does",
    b"\x89HDF": "an HDF5 file: save its scores as CSV",
    b"SQLite format 3": "an SQLite database: save its scores as CSV",
    b"\xd0\xcf\x11\xe0": "a spreadsheet: save it as CSV",
    b"\x80": "perhaps a pickle, which would run as code: save it as CSV",
    b"%PDF": "a PDF: save the scores as CSV",
    b"<": "HTML or XML: save its scores as CSV",
    b"| ": "a table of Markdown: save it as CSV",
}


class Line(NamedTuple):
    where: str  # for messages: "line 3", "entry 2"
    cells: tuple[str, ...]


class Grid(NamedTuple):
    """Rows of text. `headed`: whether the first is known to be a heading; None where its words must tell."""

    name: str  # for messages
    lines: tuple[Line, ...]
    headed: bool | None = None
    remark: Line | None = None  # the last comment before the first row: numpy writes headings so
    mark: str = ""  # what stands between the cells of a text; "" of data
    in_order: bool = False  # rows name no child: a column a child, in the space's order

    @property
    def decimal_comma(self) -> bool:
        """Whether a comma in a cell may be a decimal one."""
        return self.mark not in ("", ",")


def read_grid(source: Source, error_type: type[NasbenchError] = ResultError) -> Grid:
    """The rows of a file ("-": standard input), a pandas frame or series, a mapping, or an array; a grid is its own.

    Raises:
        error_type: what can be read as none of these.
    """
    if isinstance(source, Grid):
        return source
    name = f"the {type(source).__name__}"
    labelled = _labelled(source)
    if hasattr(labelled, "to_csv") and hasattr(labelled, "index"):  # of pandas, which knows best how to write itself
        return _guarded(name, error_type, lambda: _from_text(name, _plain(labelled).to_csv(), headed=True))
    rows = getattr(source, "to_dicts", None) or getattr(source, "to_pylist", None)  # of polars; of pyarrow
    if rows is not None:
        return _guarded(name, error_type, lambda: _from_data(name, rows()))
    if not isinstance(source, Mapping | list | tuple | str | bytes | np.ndarray) and hasattr(source, "__array__"):
        source = np.asarray(source)  # a tensor, or another library's array
    if isinstance(source, Mapping | list | tuple | np.ndarray):
        return _guarded(name, error_type, lambda: _from_data(name, source))
    if not isinstance(source, str | Path):
        raise error_type(f"{name} holds no scores by child; give a path, a frame, a mapping or an array")
    name = "standard input" if str(source) == "-" else str(source)
    if str(source) == "-":
        if sys.stdin is None:  # as `<&-` leaves it
            raise error_type(f"{name} is closed; {KINDS}")
        data = sys.stdin.buffer.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise error_type(f"{name} has more than the {MAX_BYTES:,} bytes that are read; {KINDS}")
    else:
        data = bytes_of(source, error_type, KINDS, MAX_BYTES)
    return _guarded(name, error_type, lambda: _from_bytes(name, data))


def _labelled(source: Any) -> Any:
    """An array of xarray, or a data set, as pandas' series or frame: its coordinates say which child is where."""
    if hasattr(source, "to_series") and any(dim in source.coords for dim in getattr(source, "dims", ())):
        return source.to_series()
    return source.to_dataframe() if hasattr(source, "data_vars") else source


def _plain(frame: Any) -> Any:
    """A frame or series with one line of heading, and with children by their canonical strings."""
    columns = getattr(frame, "columns", None)
    if columns is not None and getattr(columns, "nlevels", 1) > 1:
        frame = frame.set_axis(["_".join(text for text in map(str, levels) if text) for levels in columns], axis=1)
    if frame.index.dtype.kind == "O" and frame.index.nlevels == 1:
        frame = frame.set_axis(frame.index.map(_child), axis=0)
    if columns is None:
        return frame.map(_child) if frame.dtype.kind == "O" else frame
    frame = frame.copy(deep=False)
    for place, dtype in enumerate(frame.dtypes):
        if dtype.kind == "O":
            frame.isetitem(place, frame.iloc[:, place].map(_child))
    return frame


def _child(value: Any) -> Any:
    """The canonical string of a child, or of a table's entry; digits would be read as those of any other space."""
    child = getattr(value, "architecture", value)
    return child.spec if isinstance(child, Architecture) else value


def _guarded(name: str, error_type: type[NasbenchError], read: Any) -> Grid:
    try:
        grid: Grid = read()
    except NasbenchError:
        raise
    except (ValueError, TypeError, ArithmeticError, csv.Error, RuntimeError, EOFError, OSError) as error:
        raise error_type(f"{name} cannot be read: {' '.join(str(error).split())}; {KINDS}") from error
    return grid


def _from_bytes(name: str, data: bytes) -> Grid:
    if data.startswith(b"\x93NUMPY"):
        return _from_data(name, np.load(io.BytesIO(data), allow_pickle=False))
    if data.startswith(b"PK"):
        return _from_archive(name, data)
    for first, what in OTHERS.items():
        if data.startswith(first):
            raise ValueError(f"it is {what}")
    code = next((code for mark, code in CODES.items() if data.startswith(mark)), "utf-8-sig")
    try:
        text = data.decode(code)
    except UnicodeDecodeError as error:
        byte = f"byte {data[error.start]:#04x} at {error.start}"
        raise ValueError(f"it is no text in {code.removesuffix('-sig').upper()} ({byte}): save it so") from error
    if "\0" in text:
        raise ValueError("it has zero bytes, as UTF-16 without a mark at its beginning has: save it as UTF-8")
    if text.lstrip()[:1] in ("{", "["):
        try:
            return _from_data(name, json.loads(text, object_pairs_hook=once))
        except json.JSONDecodeError:
            rows = [line for line in text.splitlines() if line.strip()]
            if len(rows) < 2 or not all(row.lstrip()[:1] in ("{", "[") for row in rows):
                raise
            return _from_data(name, [json.loads(row, object_pairs_hook=once) for row in rows])  # JSON lines
    return _from_text(name, text)


def _from_archive(name: str, data: bytes) -> Grid:
    import zipfile

    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            names = list(archive)
            if not names or len(names) > 1:
                raise ValueError(f"it holds the arrays {', '.join(names) or 'none'}, and one is wanted")
            found: Any = archive[names[0]]
            if isinstance(found, np.ndarray):  # of what is no array of numpy's, the bytes
                return _from_data(name, found)
    except (zipfile.BadZipFile, AttributeError, KeyError):
        pass
    raise ValueError("it is an archive (zipped, or a spreadsheet), not a file of rows: unpack it, or save it as CSV")


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; ValueError where a key stands in it twice, of which json keeps the last."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} stands in it twice; give it once")
        found[key] = value
    return found


def _from_text(name: str, text: str, headed: bool | None = None) -> Grid:
    named = re.match(r"""["']?sep=(.)["']?[ \t]*(\r\n|\r|\n)""", text)  # a spreadsheet's first line
    if named:
        text = named[2] + text[named.end() :]  # an empty line, so that the others keep their numbers
    kept: list[tuple[int, str]] = []
    remark: tuple[int, str] | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if line.lstrip().startswith("#"):
            remark = (number, line.lstrip().lstrip("#").strip()) if not kept else remark
        elif line.strip():
            kept.append((number, line))
    if not kept:
        return Grid(name, ())
    mark = named[1] if named else delimiter(kept[-1][1])
    lines = _split(kept, mark)
    head = _split([remark], mark)[0] if remark else None
    return Grid(name, lines, headed, head, mark)


def delimiter(line: str) -> str:
    """The mark between a line's cells. csv.Sniffer takes the decimal comma of 434;0,83 for it, and this does not."""
    return next((mark for mark in "\t;," if mark in line), " ")


def _split(numbered: Sequence[tuple[int, str]], mark: str) -> tuple[Line, ...]:
    found = []
    reader = csv.reader((line for _, line in numbered), delimiter=mark, skipinitialspace=True, strict=True)
    for cells in reader:
        where = f"line {numbered[min(reader.line_num, len(numbered)) - 1][0]}"
        kept = cells if mark != " " else [cell for cell in cells if cell]  # numpy pads with blanks
        found.append(Line(where, tuple(cell.strip() for cell in kept)))
    return tuple(found)


def _from_data(name: str, data: Any) -> Grid:
    if isinstance(data, np.ndarray):
        return _from_array(name, data) if data.dtype.kind != "O" else _from_data(name, data.tolist())
    if isinstance(data, Mapping):
        return _from_mapping(name, data)
    if data and all(isinstance(row, Mapping) for row in data):
        heading = list(dict.fromkeys(str(key) for row in data for key in row))
        rows = [[{str(k): v for k, v in row.items()}.get(key) for key in heading] for row in data]
        return _headed(name, heading, rows)
    if any(isinstance(row, str | Mapping) for row in data):
        raise ValueError(f"a list of {', '.join(sorted({type(row).__name__ for row in data}))} has no scores by child")
    nested = bool(data) and all(isinstance(row, list | tuple | np.ndarray) for row in data)
    if nested and any(isinstance(row[0], str) for row in data if len(row)):
        return Grid(name, _lines(data))  # rows, each with its child
    numbers = [[_missing(x) for x in row] for row in data] if nested else [_missing(x) for x in data]
    return _from_array(name, np.array(numbers))


def _missing(value: Any) -> Any:
    return math.nan if value is None else value


def _from_mapping(name: str, data: Mapping[Any, Any]) -> Grid:
    if isinstance(data.get("children"), list) and isinstance(data.get("scores"), list):  # as results have them
        scores = data["scores"] if data["scores"] and isinstance(data["scores"][0], list) else [data["scores"]]
        if {len(row) for row in scores} != {len(data["children"])}:
            raise ValueError(f"'scores' are not one for each of its {len(data['children'])} 'children'")
        columns = [data["children"], *scores]
        return _headed(name, ["child", *map(str, range(len(scores)))], list(zip(*columns, strict=True)))
    if isinstance(data.get("schema"), Mapping) and isinstance(data.get("data"), list):  # pandas' orient="table"
        return _from_data(name, data["data"])
    if set(data) == {"name", "index", "data"} and isinstance(data["data"], list):  # a series, orient="split"
        return _headed(name, ["", str(data["name"] or 0)], list(zip(data["index"], data["data"], strict=True)))
    if isinstance(data.get("columns"), list) and isinstance(data.get("data"), list):  # pandas' orient="split"
        index = data.get("index") or [""] * len(data["data"])
        rows = [[where, *row] for where, row in zip(index, data["data"], strict=True)]
        return _headed(name, ["", *map(str, data["columns"])], rows)
    values = list(data.values())
    if len(values) == 1 and isinstance(values[0], list) and values[0] and isinstance(values[0][0], Mapping):
        return _from_data(name, values[0])  # records under a word of their own
    if values and all(isinstance(value, Mapping) for value in values):  # pandas' orient="columns"
        index = list(dict.fromkeys(str(key) for value in values for key in value))
        by_text = [{str(k): v for k, v in value.items()} for value in values]
        return _headed(name, ["", *map(str, data)], [[key, *(value.get(key) for value in by_text)] for key in index])
    if values and all(isinstance(value, list | tuple | np.ndarray) for value in values):
        lengths = {len(value) for value in values}
        if any(isinstance(x, str) for value in values for x in value) and len(lengths) == 1:
            return _headed(name, list(map(str, data)), list(zip(*values, strict=True)))
        return Grid(name, _lines([[key, *value] for key, value in data.items()]), headed=False)
    return Grid(name, _lines([[key, value] for key, value in data.items()]), headed=False)


def _headed(name: str, heading: Sequence[str], rows: Sequence[Iterable[Any]]) -> Grid:
    return Grid(name, (Line("the heading", tuple(heading)), *_lines(rows)), headed=True)


def _lines(rows: Iterable[Iterable[Any]]) -> tuple[Line, ...]:
    return tuple(Line(f"entry {i}", tuple(map(_text, row))) for i, row in enumerate(rows, start=1))


def _text(value: Any) -> str:
    if value is None or value is np.ma.masked:
        return "nan"
    if hasattr(value, "item") and math.prod(getattr(value, "shape", ())) == 1:
        value = value.item()  # numpy's own numbers, and tensors of one
    value = _child(value)
    return repr(value) if isinstance(value, float) else str(value)


def _from_array(name: str, array: np.ndarray[Any, Any]) -> Grid:
    if array.dtype.names:
        records = [[text.decode() if isinstance(text, bytes) else text for text in row] for row in array.tolist()]
        return _headed(name, array.dtype.names, records)
    if array.dtype.kind not in "fiuO" or array.ndim not in (1, 2):  # of objects: numbers of more than 64 bits
        raise ValueError(f"an array {array.shape} of {array.dtype} has no scores by instance and child")
    rows: Any = np.ma.atleast_2d(array) if np.ma.isMaskedArray(array) else np.atleast_2d(array)
    return Grid(name, _lines(rows), headed=False, in_order=True)
