"""tables, query, top: ask a table."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import click

from nasbench_ws.cli.options import json_option, print_json, table_option

if TYPE_CHECKING:
    from nasbench_ws.tables.table import Entry, Table


@click.command()
@json_option
def tables(as_json: bool) -> None:
    """List the tables that ship.

    \b
    Example:
      nasbench-ws tables
    """
    from nasbench_ws.tables.table import load, shipped

    found = {name: load(name) for name in shipped()}
    if as_json:
        print_json({name: _summary(table) for name, table in found.items()})
        return
    for name, table in found.items():
        s = _summary(table)
        click.echo(f"{name:12}{s['children']} children x {s['seeds']} seeds x {s['epochs']} epochs, {s['space']}")
        click.echo(f"{'':12}images {s['images']}, digest {s['digest'][:16]}")


def _summary(table: Table) -> dict[str, Any]:
    children, seeds, epochs = table.content.shape
    return {
        "space": table.space.name, "children": children, "seeds": seeds, "epochs": epochs,
        "images": table.recipe.images, "digest": table.digest,
    }  # fmt: skip


@click.command()
@click.argument("architecture")
@table_option
@json_option
def query(architecture: str, table: str, as_json: bool) -> None:
    """What a table knows of one child.

    ARCHITECTURE is three digits, an index, a hash or a unique prefix of it, or
    the canonical string.

    \b
    Example:
      nasbench-ws query 434
      nasbench-ws query 124 --json
    """
    from nasbench_ws.tables.table import load

    opened = load(table)
    entry = opened.query(architecture)
    if as_json:
        print_json(entry.to_dict())
        return
    truth = opened.column("test_accuracy")
    own = truth[entry.index]
    rank = 1 + int((truth > own).sum())
    click.echo(f"{entry.name} of {opened.space.name} in {opened.name} (index {entry.index}, hash {entry.hash})")
    for edge in opened.space.edges:
        click.echo(f"  {edge[0]} -> {edge[1]}  {entry.architecture.operation(edge)}")
    click.echo(f"{entry.params:,} parameters, {entry.macs:,} multiply-adds an image")
    for label, statistic in (("validation", entry.valid_accuracy), ("test", entry.test_accuracy)):
        mean, std, values = statistic
        click.echo(f"{label + ' accuracy':20}{mean:.4f} +- {std:.4f} over {len(values)} seeds:")
        listed = textwrap.fill(" ".join(f"{value:.4f}" for value in values), 59)
        click.echo(textwrap.indent(listed, " " * 20))
    if own == own:
        click.echo(f"{'rank by test':20}{rank} of {len(opened)}")


@click.command()
@click.option("-n", "count", default=10, show_default=True, type=click.IntRange(1), help="How many.")
@click.option("--by", default="test_accuracy", show_default=True, help="A column of accuracies or losses.")
@table_option
@json_option
def top(count: int, by: str, table: str, as_json: bool) -> None:
    """The best children of a table.

    \b
    Example:
      nasbench-ws top -n 5 --by valid_accuracy
    """
    from nasbench_ws.tables.table import load

    opened = load(table)
    best = opened.best(by, count)
    if as_json:
        print_json({"by": by, "children": [entry.to_dict() for entry in best]})
        return
    click.echo(f"{'':4}{'child':8}{'hash':18}{'params':>8}{'valid':>9}{'test':>9}{'+-':>8}")
    for rank, entry in enumerate(best, start=1):
        click.echo(f"{rank:<4}{_row(entry)}")


def _row(entry: Entry) -> str:
    valid, test = entry.valid_accuracy, entry.test_accuracy
    return f"{entry.name:8}{entry.hash:18}{entry.params:>8,}{valid.mean:>9.4f}{test.mean:>9.4f}{test.std:>8.4f}"
