"""check: does a strategy keep the protocol? The conformance suite of nasbench_ws.testing, from the shell."""

from __future__ import annotations

import click

from nasbench_ws.cli.options import complete_strategies, own_space_option, table_option


@click.command()
@click.argument("strategy", shell_complete=complete_strategies)
@table_option
@own_space_option
def check(strategy: str, table: str) -> None:
    """Check a strategy before it is evaluated: keys, schedule, steps, workers.

    STRATEGY is named as for `nasbench-ws evaluate`; the table says of which
    children and networks. Nothing is measured.

    \b
    Example:
      nasbench-ws check full
      nasbench-ws check my.py:MyStrategy
    """
    from nasbench_ws.sharing.strategies import resolve
    from nasbench_ws.tables.table import load

    opened = load(table)
    resolve(strategy, opened.space, opened.macro)

    from nasbench_ws.testing import CHECKS

    for one in CHECKS:
        one(strategy, opened.space, opened.macro)
        click.echo(f"passed: {(one.__doc__ or '').splitlines()[0]}")
