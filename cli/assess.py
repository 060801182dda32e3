"""assess: what a ranking of your own is worth, whatever made it."""

from __future__ import annotations

import click

from nasbench_ws.cli.options import json_option, print_json, table_option


@click.command()
@click.argument("scores", metavar="SCORES")
@click.option("--column", "columns", multiple=True, metavar="NAME", help="A column of scores; once for each instance.")
@click.option("--lower-is-better", is_flag=True, help="Scores are losses or ranks: turn their sign.")
@table_option
@json_option
def assess(scores: str, columns: tuple[str, ...], lower_is_better: bool, table: str, as_json: bool) -> None:
    """Measure any scores of the children as a super-net's are measured.

    SCORES is a CSV, JSON or .npy file, or - for standard input. A line is a
    child: one of its names, and its score (one for each instance; higher is
    better), as 434,0.83 or 434,0.83,0.81. With a heading, columns are read by
    name; one that diverged has nan.

    \b
    Example:
      nasbench-ws assess proxy.csv
      nasbench-ws assess proxy.csv --column synflow --column synflow_2
      nasbench-ws assess losses.csv --lower-is-better --json
    """
    from nasbench_ws.json_files import without_nan
    from nasbench_ws.rankers.scores_file import read_columns, turned
    from nasbench_ws.results.assess import assess as assess_scores
    from nasbench_ws.results.schema import derived_json
    from nasbench_ws.results.text import render_scores
    from nasbench_ws.tables.table import load

    truth = load(table)
    found = read_columns(scores, truth.space, columns, lower_is_better=lower_is_better)
    name = "standard input" if scores == "-" else scores
    if found.left_out:
        read = ", ".join(column for column in found.columns if column)
        click.echo(f"read: {read}; left out: {', '.join(found.left_out)}", err=True)
    report = assess_scores(found.values, truth)
    if as_json:
        print_json({
            "scores": scores, "columns": without_nan(found.columns), **derived_json(report), "table": truth.digest,
            "diverged": report.diverged,
        })  # fmt: skip
    else:
        click.echo(render_scores(name, report, len(found.values)))
    warning = turned(found.values, truth.truth)
    if warning:
        click.echo(f"Warning: {name}: {warning}", err=True)
