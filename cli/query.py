"""tables, query, top: ask a table."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import click

from nasbench_ws.cli.completion import complete_columns
from nasbench_ws.cli.options import table_option
from nasbench_ws.cli.outputs import csv_option, json_option, print_csv, print_json, summary
from nasbench_ws.markup import number

if TYPE_CHECKING:
    from nasbench_ws.tables.table import Entry, Table

TOP = 10  # children, where nothing is said


@click.command()
@csv_option
@json_option
def tables(as_csv: bool, as_json: bool) -> None:
    """List the tables that ship.

    \b
    Example:
      nasbench-ws tables
    """
    from nasbench_ws.tables.table import load, shipped

    found = {name: load(name) for name in shipped()}
    if as_json:
        print_json({name: summary(table) for name, table in found.items()})
        return
    if as_csv:
        print_csv({"table": name, **summary(table)} for name, table in found.items())
        return
    width = max(map(len, found)) + 2
    for name, table in found.items():
        s = summary(table)
        size = f"{s['children']} children x {s['seeds_each']} seeds x {s['epochs']} epochs"
        click.echo(f"{name:{width}}{size}, {s['space']}")
        others = f", truth {s['truth']}, made by others" if table.foreign else ""
        click.echo(f"{'':{width}}images {s['images']}, digest {s['digest'][:16]}{others}")


@click.command()
@click.argument("architecture")
@table_option
@csv_option
@json_option
def query(architecture: str, table: str, as_csv: bool, as_json: bool) -> None:
    """What a table knows of one child.

    ARCHITECTURE is a digit for each edge, an index, a hash or a unique prefix
    of it, or the canonical string, as NAS-Bench-201 writes it too.

    \b
    Example:
      nasbench-ws query 434
      nasbench-ws query 124 --json
      nasbench-ws query 444243 --table nasbench201-cifar10
    """
    from nasbench_ws.tables.table import load

    opened = load(table)
    entry = opened.query(architecture)
    if as_json:
        print_json(entry.to_dict())
        return
    if as_csv:
        columns = {name: opened.statistic(name, entry.index).values for name in _accuracies(opened)}
        print_csv({"seed": seed, **{n: c[i] for n, c in columns.items()}} for i, seed in enumerate(entry.seeds))
        return
    truth = opened.column("truth")
    own, truth = truth[entry.index], truth[opened.firsts]
    rank, of = 1 + int((truth > own).sum()), int((truth == truth).sum())
    click.echo(f"{entry.name} of {opened.space.name} in {opened.name} (index {entry.index}, hash {entry.hash})")
    for edge in opened.space.edges:
        click.echo(f"  {edge[0]} -> {edge[1]}  {entry.architecture.operation(edge)}")
    if opened.has("params") or opened.has("macs"):
        click.echo(size(entry))
    for name in _accuracies(opened):
        mean, std, values = opened.statistic(name, entry.index)
        values = tuple(value for value in values if value == value or not opened.foreign)
        seeds = f"{len(values)} seed{'' if len(values) == 1 else 's'}"
        click.echo(f"{label(name):20}{number(mean, 4)} +- {number(std, 4)} over {seeds}:")
        listed = textwrap.fill(" ".join(number(value, 4) for value in values), 59)
        click.echo(textwrap.indent(listed, " " * 20))
    if own == own:
        click.echo(f"{'rank by ' + label(opened.truth_name).removesuffix(' accuracy'):20}{rank} of {of}")
    if opened.has("isomorph") and (first := opened.column("isomorph").item(entry.index)) != entry.index:
        click.echo(f"{'the same as':20}{opened.space[first].name}")
    if entry.sees_image is False:
        click.echo(f"{'the image':20}does not reach its output: it answers alike to every image")


def _accuracies(table: Table) -> list[str]:
    """Columns that it has of a child's seeds: accuracies, and what its truth is."""
    shown = [name for name in ("valid_accuracy", "test_accuracy") if table.has(name)]
    return shown if table.truth_name in shown else [*shown, table.truth_name]


def label(name: str) -> str:
    """A column's name to read."""
    return name.replace("valid_", "validation ").replace("_", " ")


def size(entry: Entry) -> str:
    """What is known of it."""
    parts = [(entry.params, "parameters"), (entry.macs, "multiply-adds an image")]
    return ", ".join(f"{number:,} {what}" for number, what in parts if number is not None)


@click.command()
@click.option(
    "-n", "count", type=click.IntRange(1),
    help=f"How many children.  [default: {TOP}, or as many as there are]",
)
@click.option(
    "--by", metavar="COLUMN", shell_complete=complete_columns,
    help="A column of accuracies or losses.  [default: the table's ground truth]",
)  # fmt: skip
@table_option
@csv_option
@json_option
def top(count: int | None, by: str | None, table: str, as_csv: bool, as_json: bool) -> None:
    """The best children of a table.

    \b
    Example:
      nasbench-ws top -n 5 --by valid_accuracy
    """
    from nasbench_ws.tables.table import load

    opened = load(table)
    by = by or opened.truth_name
    if count is None:
        known = opened.column(by)[opened.firsts] if opened.has(by) else ()
        count = max(1, min(TOP, sum(value == value for value in known)))
    best = opened.best(by, count, clip=True)
    if as_json:
        print_json({"by": by, "children": [entry.to_dict() for entry in best]})
        return
    if as_csv:
        print_csv(_record(rank, entry) for rank, entry in enumerate(best, start=1))
        return
    width = max(8, len(best[0].name) + 2)
    room = max(8, *(len(f"{entry.params or 0:,}") + 1 for entry in best))
    click.echo(f"{'':4}{'child':{width}}{'hash':18}{'params':>{room}}{'valid':>9}{'test':>9}{'+-':>8}")
    for rank, entry in enumerate(best, start=1):
        params = "-" if entry.params is None else f"{entry.params:,}"
        numbers = (entry.valid_accuracy.mean, 9), (entry.test_accuracy.mean, 9), (entry.truth.std, 8)
        shown = "".join(f"{'-' if x != x else format(x, '.4f'):>{wide}}" for x, wide in numbers)
        click.echo(f"{rank:<4}{entry.name:{width}}{entry.hash:18}{params:>{room}}{shown}")


def _record(rank: int, entry: Entry) -> dict[str, Any]:
    valid, test = entry.valid_accuracy, entry.test_accuracy
    return {
        "rank": rank, "child": entry.name, "hash": entry.hash, "params": entry.params, "macs": entry.macs,
        "valid_accuracy": valid.mean, "test_accuracy": test.mean, "truth_std": entry.truth.std,
    }  # fmt: skip
