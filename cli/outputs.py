"""Where an answer goes: files, of which none is overwritten silently; JSON and CSV on stdout.

    @output_option(help="The page to write.", default="report.html", show_default=True)
    @force_option
    def report(output, force):
        check_output(output, force)          # before the work that would fill the file

Not here: options that say what is done (options.py), and writing (nasbench_ws/json_files.py).
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from nasbench_ws.errors import OutputError

if TYPE_CHECKING:
    from nasbench_ws.tables.table import Table

Command = TypeVar("Command", bound=Callable[..., Any])
MARK = b"nasbench-ws"  # near the beginning, or the end, of every file that this package writes and has room for it
HEAD_BYTES = 4096


class Spelt(click.Option):
    """An option some of whose spellings are accepted and not shown."""

    def __init__(self, *arguments: Any, old: tuple[str, ...] = (), **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._shown = [name for name in self.opts if name not in old]

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        whole, self.opts = self.opts, self._shown
        try:
            return super().get_help_record(ctx)
        finally:
            self.opts = whole


def output_option(
    *, help: str, metavar: str = "FILE", old: tuple[str, ...] = ("--out",), **more: Any
) -> Callable[[Command], Command]:
    """`-o/--output`, in the parameter `output`."""
    return click.option("-o", "--output", *old, "output", cls=Spelt, old=old, metavar=metavar, help=help, **more)


def keep_option(help: str) -> Callable[[Command], Command]:
    """`--keep`: a folder that is worked in, and gone on from."""
    return click.option("--keep", "--out", "keep", cls=Spelt, old=("--out",), metavar="DIR", help=help)


def force_option(command: Command) -> Command:
    return click.option("--force", is_flag=True, help="Write over a file that this package wrote.")(command)


def json_option(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)


def csv_option(command: Command) -> Command:
    return click.option("--csv", "as_csv", is_flag=True, help="Print the rows as CSV.")(command)


def print_json(data: Mapping[str, Any]) -> None:
    click.echo(json.dumps(data, indent=1, allow_nan=False))


def print_csv(rows: Iterable[Mapping[str, Any]]) -> None:
    """Rows of one shape, the first one's keys as heading; None and NaN are empty."""
    listed = [dict(row) for row in rows]
    if not listed:
        return
    write = csv.writer(sys.stdout, lineterminator="\n").writerow
    write(listed[0])
    for row in listed:
        write(["" if value is None or value != value else value for value in row.values()])


def check_output(path: str | None, force: bool = False, marks: tuple[bytes, ...] = ()) -> None:
    """Refuse a file that cannot be written, or that may not be overwritten, before the work that would fill it.

    Args:
        path: of the file; None of no file.
        force: whether a file of this package may be overwritten.
        marks: what is near the beginning of a file of this kind, where it has no room for this package's name.
    """
    if path is None:
        return
    if not path:
        raise OutputError("the name of the file to write is empty; give one")
    target = Path(path)
    if os.path.isdir(path):  # Path's own raises for a name that is too long
        raise OutputError(f"{path} is a folder; name a file in it")
    if os.path.exists(path) and not _may_be_overwritten(target, marks):
        raise OutputError(f"{path} exists, and is no file of nasbench-ws; name another, or delete it yourself")
    if os.path.exists(path) and not force:
        raise OutputError(f"{path} exists; write over it with --force, or name another file")
    probe = target.with_name(f".{target.name}.{'0' * 8}.tmp")  # as long a name as the file has while it is written
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}; choose a place that can be written"
        ) from error


def say_written(path: str, size: int, as_json: bool, **more: Any) -> None:
    """The answer of a command that writes a file: which, and of how many bytes."""
    if as_json:
        print_json({"output": path, "bytes": size, **more})
    else:
        click.echo(f"{path}: {size / 1024:.0f} KiB")


def summary(table: Table) -> dict[str, Any]:
    """A table in one object, as `tables --json` lists it."""
    from nasbench_ws.tables.over_seeds import seeds_each

    children, seeds, epochs = table.content.shape
    return {
        "space": table.space.name, "children": children, "seeds": seeds, "seeds_each": seeds_each(table),
        "epochs": epochs,
        "images": table.content.attributes["images"], "digest": table.digest, "truth": table.truth_name,
    }  # fmt: skip


def say_table(path: str, table: Table, as_json: bool) -> None:
    """The answer of a command that makes a table."""
    if as_json:
        print_json({"output": path, **summary(table)})
    else:
        truth = f", truth {table.truth_name}" if table.foreign else ""
        click.echo(f"{table}{truth}, digest {table.digest}")


def write_page(path: str, text: str) -> None:
    """Write a page, and say so on stderr."""
    from nasbench_ws.json_files import write_atomic

    write_atomic(Path(path), text.encode())
    click.echo(f"{path}: {len(text) / 1024:.0f} KiB", err=True)


def _may_be_overwritten(path: Path, marks: tuple[bytes, ...]) -> bool:
    """Whether a file that exists is one of this package, or empty."""
    if not path.is_file():
        return False  # a device, a pipe
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            file.seek(max(0, path.stat().st_size - HEAD_BYTES))
            tail = file.read(HEAD_BYTES)  # where a PDF says what made it
    except OSError:
        return False
    return not head or MARK in tail or any(mark in head for mark in (MARK, *marks))
