"""join: instances of one evaluation that were run apart, as one result."""

from __future__ import annotations

import click

from nasbench_ws.cli.options import check_output, missing_option, say_missing, table_option


@click.command()
@click.argument("results", nargs=-1, required=True, metavar="RESULT.json...")
@click.option("--out", required=True, metavar="FILE", help="Write the joined result here.")
@table_option
@missing_option
def join(results: tuple[str, ...], out: str, table: str, allow_missing: bool) -> None:
    """Instances of one evaluation that were run apart, as one result.

    Each job of an array evaluates instances of its own: --seed says of which
    seed the first is.

    \b
    Example:
      nasbench-ws evaluate full --instances 1 --seed 4 --out full-4.json
      nasbench-ws join full-*.json --out full.json
    """
    from nasbench_ws.results.join import join as run
    from nasbench_ws.results.result import Result
    from nasbench_ws.results.truth import judged
    from nasbench_ws.tables.table import load

    check_output(out)
    truth = load(table)
    say_missing(truth, allow_missing)
    joined = run([Result.load(path) for path in results], judged(truth, allow_missing))
    joined.save(out)
    click.echo(f"{joined}\n\n{len(joined.outcome.seeds)} instances of {len(results)} results in {out}")
