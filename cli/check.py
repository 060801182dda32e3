"""check: does a strategy, or a trainer, keep the protocol? The suite of nasbench_ws.testing, from the shell."""

from __future__ import annotations

import click

from nasbench_ws.cli.options import complete_strategies, own_space_option, table_option


@click.command()
@click.argument("strategy", shell_complete=complete_strategies)
@table_option
@own_space_option
def check(strategy: str, table: str) -> None:
    """Check a strategy before it is evaluated: keys, schedule, steps, workers.

    STRATEGY, or a trainer, is named as for `nasbench-ws evaluate`; the table
    says of which children and networks. Nothing is measured.

    \b
    Example:
      nasbench-ws check full
      nasbench-ws check my.py:MyStrategy
    """
    from nasbench_ws.sharing.strategies import BUILT_IN, PLUGINS, resolve
    from nasbench_ws.tables.table import load
    from nasbench_ws.training.hooks import is_trainer

    opened = load(table)
    if strategy.partition(":")[0] not in BUILT_IN and is_trainer(PLUGINS.found(strategy)[0]):
        from nasbench_ws.testing import check_trainer

        check_trainer(strategy, opened)
        click.echo("passed: Its methods are a trainer's, and scores are the same again, here and in a worker process.")
        return
    resolve(strategy, opened.space, opened.macro)

    from nasbench_ws.testing import CHECKS

    for one in CHECKS:
        one(strategy, opened.space, opened.macro)
        click.echo(f"passed: {(one.__doc__ or '').splitlines()[0]}")
