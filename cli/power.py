"""power: how many instances a difference needs."""

from __future__ import annotations

from dataclasses import asdict

import click

from nasbench_ws.cli.options import table_option
from nasbench_ws.cli.outputs import json_option, print_json


@click.command()
@click.option(
    "--detect", required=True, type=click.FloatRange(0, 2, min_open=True), metavar="D",
    help="The difference in Kendall tau to detect.",
)  # fmt: skip
@click.option(
    "--against", metavar="STRATEGY",
    help="A strategy that ships, such as full: its instances are counted in.",
)
@click.option(
    "--batch-norm", default="recalibrate:1024", show_default=True, metavar="MODE",
    help="Batch norm statistics while scoring.",
)
@table_option
@json_option
def power(detect: float, against: str | None, batch_norm: str, table: str, as_json: bool) -> None:
    """How many instances, and minutes, it takes to detect a difference.

    With a chance of 80 %, at .05, from how much the instances of strategies
    that ship differ.

    \b
    Example:
      nasbench-ws power --detect 0.1
      nasbench-ws power --detect 0.05 --against full
    """
    from nasbench_ws.evaluation.reference import needed
    from nasbench_ws.json_files import without_nan
    from nasbench_ws.tables.table import load

    found = needed(detect, load(table), against, batch_norm)
    if as_json:
        print_json(without_nan(asdict(found)))
    else:
        click.echo(found.text())
