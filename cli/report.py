"""report, show: pages and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nasbench_ws.cli.choices import FIGURES
from nasbench_ws.cli.options import TABLE_HELP, missing_option, results_argument, say_missing, table_option
from nasbench_ws.cli.outputs import check_output, force_option, json_option, output_option, print_json
from nasbench_ws.errors import UsageError

if TYPE_CHECKING:
    from nasbench_ws.results.result import Result
    from nasbench_ws.results.truth import GroundTruth
    from nasbench_ws.tables.table import Entry, Table


@click.command()
@results_argument(required=False)
@click.option("--table", metavar="TABLE", help=TABLE_HELP + " Without results: the page is about it.")
@output_option(help="The page to write.", default="report.html", show_default=True)
@force_option
@click.option("--figure", type=click.Choice(FIGURES), help="Only this figure of one result, as an SVG file.")
@missing_option
def report(
    results: tuple[str, ...], table: str | None, output: str, force: bool, figure: str | None, allow_missing: bool
) -> None:
    """One self-contained HTML page about results, or about a table.

    RESULT is a file of `nasbench-ws evaluate -o FILE`, or the name of one that
    ships, as full.

    \b
    Example:
      nasbench-ws report full mine.json -o report.html
      nasbench-ws report --table fashion14 -o table.html
      nasbench-ws report full --figure scatter -o scatter.svg
    """
    from nasbench_ws.evaluation.named import read_results
    from nasbench_ws.json_files import write_atomic
    from nasbench_ws.tables.table import load

    check_output(output, force)
    if not results:
        if table is None or figure is not None:
            raise UsageError("there is nothing to report; give a result's file, or --table for the page of a table")
        from nasbench_ws.evaluation.reference import shipped_full, shipped_on
        from nasbench_ws.report.table import table_page

        opened_table = load(table)
        say_missing(opened_table, allow_missing)
        net, others = shipped_full(opened_table), shipped_on(opened_table)
        text = table_page(opened_table, net, results=others, allow_missing=allow_missing)
    else:
        from nasbench_ws.report.results import FIGURES as DRAWN
        from nasbench_ws.report.results import results_page

        opened = [one.result for one in read_results(results)]
        truth = _truth(opened, table, allow_missing)
        text = results_page(opened, truth) if figure is None else _alone(DRAWN[figure], figure, opened, truth)
    write_atomic(Path(output), text.encode())
    click.echo(f"{output}: {len(text) / 1024:.0f} KiB")


def _truth(results: list[Result], table: str | None, allow_missing: bool) -> GroundTruth | None:
    """The table that is named, or the shipped one that the results name."""
    from nasbench_ws.results.truth import judged
    from nasbench_ws.tables.table import load, shipped

    names = {result.assessment.table.name for result in results}
    if table is None and len(names) == 1 and names <= shipped().keys():
        (table,) = names
    if table is not None:
        whole = load(table)
        say_missing(whole, allow_missing)
        return judged(whole, allow_missing)
    click.echo(
        f"these results are of {', '.join(sorted(names))}, which does not ship: what needs the table is left out; name "
        "its file with --table",
        err=True,
    )
    return None


def _alone(draw: Any, name: str, results: list[Result], truth: GroundTruth | None) -> str:
    if len(results) != 1 or truth is None:
        raise UsageError("--figure takes one result, and the table that it was measured against")
    drawn: str | None = draw(results[0].among(truth), truth)
    if drawn is None:
        raise UsageError(f"that result has nothing for the figure {name}; see `nasbench-ws report` for why")
    from nasbench_ws.report.canvas import standalone

    return standalone(drawn)


@click.command()
@click.argument("architecture")
@table_option
@click.option("--svg", metavar="FILE", help="Draw its cell into a file.")
@force_option
@json_option
def show(architecture: str, table: str, svg: str | None, force: bool, as_json: bool) -> None:
    """A child: its cell, its curve, and its neighbours one operation away.

    \b
    Example:
      nasbench-ws show 434
      nasbench-ws show 434 --svg 434.svg
    """
    from nasbench_ws.json_files import without_nan, write_atomic
    from nasbench_ws.report.canvas import standalone
    from nasbench_ws.report.child import draw_child
    from nasbench_ws.tables.table import load

    check_output(svg, force)
    opened = load(table)
    entry = opened.query(architecture)
    near = [opened.query(child) for child in entry.architecture.neighbours()]
    near.sort(key=lambda other: -other.test_accuracy.mean)
    if svg is not None:
        write_atomic(Path(svg), standalone(draw_child(entry.architecture)).encode())
    if as_json:
        curve = _curve(entry)
        print_json(without_nan({
            **entry.to_dict(),
            "curve": {f"{epoch:g}": value for epoch, value in zip(opened.epochs, curve, strict=True)},
            "neighbours": {other.name: other.test_accuracy.mean for other in near},
        }))  # fmt: skip
        return
    click.echo(_text(entry, opened, near))
    if svg is not None:
        click.echo(f"its cell is drawn in {svg}")


def _curve(entry: Entry) -> list[float]:
    """Mean validation accuracy at each epoch, added up as `Entry` does: the last is `valid_accuracy`."""
    return [float(seeds.mean()) for seeds in entry.curve("valid_accuracy").T.copy()]


def _text(entry: Entry, table: Table, near: list[Entry]) -> str:
    lines = [f"{entry.name} of {table.space.name} in {table.name}, hash {entry.hash}", ""]
    for target in range(1, table.space.nodes + 1):
        terms = [f"{entry.architecture.operation((source, target))}({_node(source)})" for source in range(target)]
        lines.append(f"  {_node(target)} = {' + '.join(terms)}")
    outputs = [_node(number) for number in range(1, table.space.nodes + 1)]
    lines += [
        f"  output = {(' + ' if table.macro.output == 'sum' else ', ').join(outputs)}",
        "",
        f"{entry.params:,} parameters, {entry.macs:,} multiply-adds an image",
        f"test accuracy {entry.test_accuracy.mean:.4f} +- {entry.test_accuracy.std:.4f} over {len(table.seeds)} seeds",
        "",
        "validation accuracy by epoch",
    ]
    curve = _curve(entry)
    low, high = min(curve), max(curve)
    for epoch, value in zip(table.epochs, curve, strict=True):
        bar = "#" * (1 + round(39 * (value - low) / (high - low))) if high > low else ""
        lines.append(f"{epoch:8g}  {value:.4f}  {bar}".rstrip())
    lines += ["", "one operation away, best first"]
    for other in near:
        edge = next(e for e in table.space.edges if entry.architecture.operation(e) != other.architecture.operation(e))
        gain = other.test_accuracy.mean - entry.test_accuracy.mean
        change = f"{edge[0]} -> {edge[1]}  {other.architecture.operation(edge)}"
        lines.append(f"  {other.name:6}{other.test_accuracy.mean:.4f}  {gain:+.4f}  {change}")
    return "\n".join(lines)


def _node(number: int) -> str:
    return f"x{number}"
