"""show: a child of a table, or a result, with the code that it measured."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nasbench_ws.cli.completion import complete_results
from nasbench_ws.cli.options import table_option
from nasbench_ws.cli.outputs import (
    check_output,
    csv_option,
    force_option,
    json_option,
    output_option,
    print_csv,
    print_json,
)
from nasbench_ws.errors import ArchitectureError, ResultError, UsageError, near_misses
from nasbench_ws.markup import number

if TYPE_CHECKING:
    from nasbench_ws.results.result import Result
    from nasbench_ws.tables.table import Entry, Table


@click.command()
@click.argument("what", metavar="ARCHITECTURE|RESULT", shell_complete=complete_results)
@table_option
@output_option(help="Draw the child's cell, as SVG.", old=("--svg",))
@force_option
@csv_option
@json_option
def show(what: str, table: str, output: str | None, force: bool, as_csv: bool, as_json: bool) -> None:
    """A child: its cell, its curve, and its neighbours one operation away. Or a result.

    RESULT is a file of `nasbench-ws evaluate -o FILE`, or the name of one that
    ships; the source of a strategy of your own is in it, and is shown too.

    \b
    Example:
      nasbench-ws show 434
      nasbench-ws show 434 -o 434.svg
      nasbench-ws show full
      nasbench-ws show mine.json --json
    """
    from nasbench_ws.json_files import without_nan, write_atomic
    from nasbench_ws.report.canvas import standalone
    from nasbench_ws.report.child import draw_child
    from nasbench_ws.tables.table import Entry, load

    opened = load(table)
    found = _found(what, opened)
    if not isinstance(found, Entry):
        if output is not None:
            raise UsageError(f"--output draws the cell of a child, and {what} is a result; leave it out")
        if as_json:
            print_json(found.to_dict())
        elif as_csv:
            from nasbench_ws.results.text import metric_rows

            print_csv(metric_rows(found.assessment))
        else:
            click.echo(_result_text(found))
        return
    check_output(output, force)
    entry = found
    near = [opened.query(child) for child in entry.architecture.neighbours()]
    near.sort(key=lambda other: (math.isnan(other.test_accuracy.mean), -other.test_accuracy.mean))
    if output is not None:
        write_atomic(Path(output), standalone(draw_child(entry.architecture)).encode())
    if as_json:
        curve = _curve(entry)
        print_json(without_nan({
            **entry.to_dict(),
            "curve": {f"{epoch:g}": value for epoch, value in zip(opened.epochs, curve, strict=True)},
            "neighbours": {other.name: other.test_accuracy.mean for other in near},
        }))  # fmt: skip
        return
    if as_csv:
        curve = _curve(entry)
        print_csv({"epoch": epoch, "valid_accuracy": at} for epoch, at in zip(opened.epochs, curve, strict=True))
        return
    click.echo(_text(entry, opened, near))
    if output is not None:
        click.echo(f"its cell is drawn in {output}")


def _found(what: str, table: Table) -> Entry | Result:
    """The child of that name, else the result: what asks for a child imports no more than that takes."""
    try:
        if not what.endswith(".json"):
            return table.query(what)
    except ArchitectureError as error:
        absent = str(error)
    from nasbench_ws.evaluation.named import known_names, read_result

    try:
        return read_result(what, table.space.name).result
    except ResultError:
        if what.endswith(".json") or Path(what).is_file():
            raise
    close = near_misses(what, known_names())
    raise ArchitectureError(f"{absent}; nor does a result of that name ship{close}")


def _result_text(result: Result) -> str:
    from nasbench_ws.results.paths import path_note

    code, note = result.outcome.code, path_note([result])
    text = f"{result}\n\n{note}" if note else str(result)
    if code is None:
        return text
    cut = "" if code.whole else f", of which the first {len(code.text):,} characters are kept"
    head = f"source: {code.name}, {code.characters:,} characters{cut}, sha256 {code.sha256}"
    helpers = [f"imports {name}, sha256 {digest}" for name, digest in code.helpers.items()]
    return "\n".join([text, "", head, *helpers, "", code.text.rstrip("\n")])


def _curve(entry: Entry) -> list[float]:
    """Mean validation accuracy at each epoch, added up as `Entry` does: the last is `valid_accuracy`."""
    return [float(seeds.mean()) for seeds in entry.curve("valid_accuracy").T.copy()]


def _text(entry: Entry, table: Table, near: list[Entry]) -> str:
    lines = [f"{entry.name} of {table.space.name} in {table.name}, hash {entry.hash}", ""]
    for target in range(1, table.space.nodes + 1):
        terms = [f"{entry.architecture.operation((source, target))}({_node(source)})" for source in range(target)]
        lines.append(f"  {_node(target)} = {' + '.join(terms)}")
    outputs = [_node(node) for node in range(1, table.space.nodes + 1)]
    lines += [
        f"  output = {(' + ' if table.macro.output == 'sum' else ', ').join(outputs)}",
        "",
        f"{entry.params:,} parameters, {entry.macs:,} multiply-adds an image",
        f"test accuracy {number(entry.test_accuracy.mean, 4)} +- {number(entry.test_accuracy.std, 4)} over "
        f"{len(entry.seeds)} seed{'' if len(entry.seeds) == 1 else 's'}",
        "",
        "validation accuracy by epoch",
    ]
    curve = _curve(entry)
    known = [value for value in curve if not math.isnan(value)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    for epoch, value in zip(table.epochs, curve, strict=True):
        bar = "#" * (1 + round(39 * (value - low) / (high - low))) if high > low and not math.isnan(value) else ""
        lines.append(f"{epoch:8g}  {number(value, 4):>6}  {bar}".rstrip())
    lines += ["", "one operation away, best first"]
    for other in near:
        edge = next(e for e in table.space.edges if entry.architecture.operation(e) != other.architecture.operation(e))
        gain = other.test_accuracy.mean - entry.test_accuracy.mean
        change = f"{edge[0]} -> {edge[1]}  {other.architecture.operation(edge)}"
        accuracy = number(other.test_accuracy.mean, 4)
        lines.append(f"  {other.name:6}{accuracy:>6}  {number(gain, 4, sign=True):>7}  {change}")
    return "\n".join(lines)


def _node(number: int) -> str:
    return f"x{number}"
