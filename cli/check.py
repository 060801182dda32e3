"""check: does a strategy, or a trainer, keep the protocol? The suite of nasbench_ws.testing, from the shell."""

from __future__ import annotations

from functools import partial

import click

from nasbench_ws.cli.completion import complete_strategies
from nasbench_ws.cli.options import own_space_option, quiet_option, table_option
from nasbench_ws.cli.outputs import json_option, print_json
from nasbench_ws.cli.progress import Bar

TRAINER = "Its methods are a trainer's, and scores are the same again, here and in a worker process."


@click.command()
@click.argument("strategy", shell_complete=complete_strategies)
@table_option
@own_space_option
@quiet_option
@json_option
def check(strategy: str, table: str, as_json: bool) -> None:
    """Check a strategy before it is evaluated: keys, schedule, steps, workers.

    STRATEGY, or a trainer, is named as for `nasbench-ws evaluate`; the table
    says of which children and networks. Nothing is measured.

    \b
    Example:
      nasbench-ws check full
      nasbench-ws check my.py:MyStrategy
    """
    from nasbench_ws.sharing.strategies import BUILT_IN, PLUGINS, resolve
    from nasbench_ws.space.registry import known_space
    from nasbench_ws.tables.table import load
    from nasbench_ws.training.hooks import is_trainer

    opened, strategy = load(table), PLUGINS.whole_name(strategy)
    known_space(opened.space)  # refuses a --space that is another
    if strategy.partition(":")[0] not in BUILT_IN and is_trainer(PLUGINS.found(strategy)[0]):
        from nasbench_ws.testing import check_trainer

        steps = {TRAINER: partial(check_trainer, strategy, opened)}
    else:
        resolve(strategy, opened.space, opened.macro)

        from nasbench_ws.testing import CHECKS

        said = {(one.__doc__ or "").splitlines()[0]: one for one in CHECKS}
        steps = {text: partial(one, strategy, opened.space, opened.macro) for text, one in said.items()}
    with Bar.patient(f"check {strategy}") as bar:
        for place, (text, step) in enumerate(steps.items()):
            bar.show(place / len(steps), text, None)
            step()
            if not as_json:
                click.echo(f"passed: {text}")
    if as_json:
        print_json({"strategy": strategy, "table": opened.digest, "passed": list(steps)})
