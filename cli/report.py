"""report: pages and pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nasbench_ws.cli.choices import FIGURES
from nasbench_ws.cli.options import TABLE_HELP, missing_option, quiet_option, results_argument, say_missing
from nasbench_ws.cli.outputs import check_output, force_option, json_option, output_option, print_json, say_written
from nasbench_ws.cli.progress import Bar, counted
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
@click.option("--paper", "folder", metavar="DIR", help="Instead of a page: PDF figures, a LaTeX table and BibTeX.")
@missing_option
@quiet_option
@json_option
def report(
    results: tuple[str, ...], table: str | None, output: str, force: bool, figure: str | None, folder: str | None,
    allow_missing: bool, as_json: bool,
) -> None:  # fmt: skip
    """One self-contained HTML page about results, or about a table.

    RESULT is a file of `nasbench-ws evaluate -o FILE`, or the name of one that
    ships, as full.

    \b
    Example:
      nasbench-ws report full mine.json -o report.html
      nasbench-ws report --table fashion14 -o table.html
      nasbench-ws report full --figure scatter -o scatter.svg
      nasbench-ws report full none --paper paper
    """
    from nasbench_ws.evaluation.named import read_results
    from nasbench_ws.json_files import write_atomic
    from nasbench_ws.tables.table import load

    if folder is None:
        check_output(output, force)
    if not results:
        if table is None or figure is not None or folder is not None:
            raise UsageError("there is nothing to report; give a result's file, or --table for the page of a table")
        from nasbench_ws.evaluation.reference import full_of, shipped_on
        from nasbench_ws.report.table import table_page

        opened_table = load(table)
        say_missing(opened_table, allow_missing)
        others = shipped_on(opened_table)
        with Bar.patient("report") as bar:
            text = table_page(
                opened_table, full_of(others), results=others, allow_missing=allow_missing,
                on_figure=counted(bar, "parts", alike=False),
            )  # fmt: skip
    else:
        from nasbench_ws.report.results import FIGURES as DRAWN
        from nasbench_ws.report.results import results_page

        space = None if table is None else load(table).space.name
        opened = [one.result for one in read_results(results, space)]
        truth = _truth(opened, table, allow_missing)
        if folder is not None:
            makers = _paper(opened, truth, folder, force)
            with Bar.patient("report") as bar:
                on_file = counted(bar, "files")
                for place, (path, make) in enumerate(makers.items()):
                    on_file(place, len(makers))
                    write_atomic(Path(path), make())
            _say_paper(list(makers), as_json)
            return
        with Bar.patient("report") as bar:
            if figure is None:
                text = results_page(opened, truth, on_figure=counted(bar, "figures"))
            else:
                text = _alone(DRAWN[figure], figure, opened, truth)
    data = text.encode()
    write_atomic(Path(output), data)
    say_written(output, len(data), as_json)


def _paper(
    results: list[Result], truth: GroundTruth | None, folder: str, force: bool
) -> dict[str, Callable[[], bytes]]:
    """By path; what may not be overwritten is refused before anything is drawn."""
    from nasbench_ws.json_files import check_writable
    from nasbench_ws.report.paper import paper

    if truth is None:
        raise UsageError("--paper takes the table that results were measured against; name its file with --table")
    makers = {str(Path(folder) / name): make for name, make in paper(results, truth).items()}
    check_writable(Path(folder))
    for path in makers:
        check_output(path, force)
    return makers


def _say_paper(paths: list[str], as_json: bool) -> None:
    sizes = {path: Path(path).stat().st_size for path in paths}
    if as_json:
        print_json({"files": sizes})
        return
    for path, size in sizes.items():
        click.echo(f"{path}: {size / 1024:.1f} KiB")


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
