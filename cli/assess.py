"""assess: what a ranking of your own is worth, whatever made it."""

from __future__ import annotations

import click

from nasbench_ws.cli.options import json_option, print_json, table_option
from nasbench_ws.json_files import without_nan
from nasbench_ws.rankers.scores_file import read_scores
from nasbench_ws.results.assess import assess as assess_scores
from nasbench_ws.results.text import render_scores
from nasbench_ws.tables.table import load


@click.command()
@click.argument("scores", metavar="SCORES.csv")
@table_option
@json_option
def assess(scores: str, table: str, as_json: bool) -> None:
    """Measure any scores of the children as a super-net's are measured.

    SCORES.csv has a line for each child: one of its names, and its score (one
    for each instance; higher is better), as 434,0.83 or 434,0.83,0.81.

    \b
    Example:
      nasbench-ws assess proxy.csv
      nasbench-ws assess proxy.csv --json
    """
    truth = load(table)
    matrix = read_scores(scores, truth)
    if as_json:
        print_json(without_nan({"scores": scores, "table": truth.digest, **assess_scores(matrix, truth)}))
    else:
        click.echo(render_scores(scores, matrix, truth))
