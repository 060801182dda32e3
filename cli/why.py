"""why: where a ranking lost its tau."""

from __future__ import annotations

from dataclasses import asdict

import click
from click.core import ParameterSource

from nasbench_ws.cli.completion import complete_results
from nasbench_ws.cli.options import missing_option, mode_option, quiet_option, say_missing, table_option
from nasbench_ws.cli.outputs import csv_option, json_option, print_csv, print_json
from nasbench_ws.cli.progress import Bar


@click.command()
@click.argument("result", metavar="RESULT", shell_complete=complete_results)
@table_option
@mode_option("By scores of this mode.  [default: the result's own]")
@missing_option
@quiet_option
@csv_option
@json_option
def why(result: str, table: str, batch_norm: str | None, allow_missing: bool, as_csv: bool, as_json: bool) -> None:
    """Where a ranking lost its tau: chance, bias, the table; and which operations it over-rates.

    RESULT is a file of `nasbench-ws evaluate -o FILE`, or the name of one that
    ships, as full.

    \b
    Example:
      nasbench-ws why full
      nasbench-ws why full --batch-norm recalibrate
      nasbench-ws why topology729/fair
      nasbench-ws why mine.json --json
    """
    from nasbench_ws.evaluation.named import read_result
    from nasbench_ws.results.truth import judged
    from nasbench_ws.results.why import why as explain
    from nasbench_ws.tables.table import load, shipped

    said = click.get_current_context().get_parameter_source("table") is not ParameterSource.DEFAULT
    read = read_result(result, load(table).space.name if said else None).result
    measured = read.assessment.table.name
    truth = load(table if said or measured not in shipped() else measured)
    say_missing(truth, allow_missing)
    judge = judged(truth, allow_missing)
    with Bar.patient("why") as bar:
        bar.show(None, "measuring", None)
        found = explain(read, judge, batch_norm)
    if as_json:
        print_json(found.to_dict())
    elif as_csv:  # the table that is printed: operations on edges
        print_csv(asdict(one) for one in found.over_rated)
    else:
        click.echo(str(found))
