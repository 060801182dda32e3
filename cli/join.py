"""join: instances of one evaluation that were run apart, as one result."""

from __future__ import annotations

import click

from nasbench_ws.cli.options import missing_option, say_missing, table_option
from nasbench_ws.cli.outputs import check_output, force_option, json_option, output_option, print_json


@click.command()
@click.argument("results", nargs=-1, required=True, metavar="RESULT.json...")
@output_option(help="Write the joined result here.", required=True)
@force_option
@table_option
@missing_option
@json_option
def join(
    results: tuple[str, ...], output: str, force: bool, table: str, allow_missing: bool, as_json: bool
) -> None:
    """Instances of one evaluation that were run apart, as one result.

    Each job of an array evaluates instances of its own: --seed says of which
    seed the first is.

    \b
    Example:
      nasbench-ws evaluate full --instances 1 --seed 4 -o full-4.json
      nasbench-ws join full-*.json -o full.json
    """
    from nasbench_ws.results.join import join as run
    from nasbench_ws.results.paths import path_note
    from nasbench_ws.results.result import Result
    from nasbench_ws.results.truth import judged
    from nasbench_ws.tables.table import load

    check_output(output, force)
    truth = load(table)
    say_missing(truth, allow_missing)
    joined = run([Result.load(path) for path in results], judged(truth, allow_missing))
    joined.save(output)
    note = path_note([joined])
    if note:
        click.echo(f"Warning: {note}", err=True)
    if as_json:
        print_json(joined.to_dict())
        return
    click.echo(f"{joined}\n\n{len(joined.outcome.seeds)} instances of {len(results)} results in {output}")
