"""leaderboard: where strategies stand, and where yours would."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nasbench_ws.cli.choices import MATCHES
from nasbench_ws.cli.options import (
    dask_option,
    json_option,
    missing_option,
    print_json,
    root_option,
    say_missing,
    table_option,
    workers_option,
)

if TYPE_CHECKING:
    from nasbench_ws.evaluation.experiment import Experiment


@click.command()
@click.argument("results", nargs=-1, metavar="[RESULT.json]...")
@table_option
@click.option("--match", type=click.Choice(MATCHES), default=MATCHES[0], show_default=True, help="Equal what.")
@click.option("--metric", default="kendall_tau", show_default=True, help="What orders the rows.")
@click.option("--batch-norm", metavar="MODE", help="Only rows of this mode.")
@click.option("--run", "folder", metavar="DIR", help="Train what is missing into this folder, and show what is there.")
@click.option("--only", metavar="NAME,...", help="Of --run: only these.")
@root_option
@workers_option
@dask_option
@click.option("--markdown", is_flag=True, help="Print a Markdown table.")
@missing_option
@json_option
def leaderboard(
    results: tuple[str, ...], table: str, match: Any, metric: str, batch_norm: str | None, folder: str | None,
    only: str | None, data_root: str | None, download: bool, workers: int | None, dask: str | None,
    markdown: bool, allow_missing: bool, as_json: bool,
) -> None:  # fmt: skip
    """Strategies in order at one match, with your results among them.

    RESULT.json are files of `nasbench-ws evaluate --steps 6400 --out`. The others ship, with the scores of every child.

    \b
    Example:
      nasbench-ws leaderboard
      nasbench-ws leaderboard mine.json --batch-norm running
    """
    from nasbench_ws.evaluation.leaderboard import entries
    from nasbench_ws.evaluation.leaderboard import leaderboard as order
    from nasbench_ws.results.result import Result
    from nasbench_ws.tables.table import load

    truth = load(table)
    if folder is not None:
        from nasbench_ws.cli.experiments import run_into

        run_into(
            Path(folder), "leaderboard", truth, _chosen(entries(truth), only), shipped=False, root=data_root,
            download=download, workers=workers, dask=dask, allow_missing=allow_missing,
        )  # fmt: skip
    say_missing(truth, allow_missing)
    board = order(
        [Result.load(path) for path in results], truth, match=match, metric=metric, batch_norm=batch_norm,
        folder=folder, allow_missing=allow_missing,
    )  # fmt: skip
    if as_json:
        print_json(board.to_dict())
    else:
        click.echo(board.markdown() if markdown else str(board))


def _chosen(wanted: list[Experiment], only: str | None) -> list[Experiment]:
    if only is None:
        return wanted
    by_name = {one.name: one for one in wanted}
    unknown = [name for name in only.split(",") if name not in by_name]
    if unknown:
        raise click.BadParameter(f"{unknown[0]!r} is not an entry; known are {', '.join(by_name)}")
    return [by_name[name] for name in only.split(",")]
