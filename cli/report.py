"""report: pages and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nasbench_ws.cli.choices import FIGURES
from nasbench_ws.cli.options import TABLE_HELP, missing_option, results_argument, say_missing
from nasbench_ws.cli.outputs import check_output, force_option, json_option, output_option, say_written
from nasbench_ws.errors import UsageError

if TYPE_CHECKING:
    from nasbench_ws.results.result import Result
    from nasbench_ws.results.truth import GroundTruth


@click.command()
@results_argument(required=False)
@click.option("--table", metavar="TABLE", help=TABLE_HELP + " Without results: the page is about it.")
@output_option(help="The page to write.", default="report.html", show_default=True)
@force_option
@click.option("--figure", type=click.Choice(FIGURES), help="Only this figure of one result, as an SVG file.")
@missing_option
@json_option
def report(
    results: tuple[str, ...], table: str | None, output: str, force: bool, figure: str | None, allow_missing: bool,
    as_json: bool,
) -> None:  # fmt: skip
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

        space = None if table is None else load(table).space.name
        opened = [one.result for one in read_results(results, space)]
        truth = _truth(opened, table, allow_missing)
        text = results_page(opened, truth) if figure is None else _alone(DRAWN[figure], figure, opened, truth)
    data = text.encode()
    write_atomic(Path(output), data)
    say_written(output, len(data), as_json)


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
