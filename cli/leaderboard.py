"""leaderboard: where strategies stand, and where yours would."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click
from nasbench_ws.cli.options import (
    fetch,
    json_option,
    print_json,
    root_option,
    table_option,
    where_to_run,
    workers_option,
)
from nasbench_ws.cli.progress import Bar

from nasbench_ws.board import entries
from nasbench_ws.board import leaderboard as order
from nasbench_ws.experiment import hours, kept, run
from nasbench_ws.plan import Match
from nasbench_ws.pool import Progress
from nasbench_ws.records import without_nan
from nasbench_ws.result import Result
from nasbench_ws.runs import check_writable
from nasbench_ws.table import load


@click.command()
@click.argument("results", nargs=-1, metavar="[RESULT.json]...")
@table_option
@click.option("--match", type=click.Choice(get_args(Match)), default="compute", show_default=True, help="Equal what.")
@click.option("--metric", default="kendall_tau", show_default=True, help="What orders the rows.")
@click.option("--batch-norm", metavar="MODE", help="Only rows of this mode.")
@click.option("--run", "folder", metavar="DIR", help="Train what is missing into this folder, and show what is there.")
@click.option("--only", metavar="NAME,...", help="Of --run: only these.")
@root_option
@workers_option
@click.option("--markdown", is_flag=True, help="Print a Markdown table.")
@json_option
def leaderboard(
    results: tuple[str, ...], table: str, match: Any, metric: str, batch_norm: str | None, folder: str | None,
    only: str | None, data_root: str | None, download: bool, workers: int | None, markdown: bool, as_json: bool,
) -> None:  # fmt: skip
    """Strategies in order, at equal compute, with your results among them.

    RESULT.json are files of `nasbench-ws evaluate --steps 6400 --match compute
    --out`. The others ship, with the scores of every child.

    \b
    Example:
      nasbench-ws leaderboard
      nasbench-ws leaderboard mine.json --batch-norm running
    """
    truth = load(table)
    if folder is not None:
        _run(truth, Path(folder), only, data_root, download, workers)
    board = order(
        [Result.load(path) for path in results], truth, match=match, metric=metric, batch_norm=batch_norm, folder=folder
    )
    if as_json:
        print_json(without_nan(board.to_dict()))
    else:
        click.echo(board.markdown() if markdown else str(board))


def _run(truth: Any, folder: Path, only: str | None, root: str | None, download: bool, workers: int | None) -> None:
    wanted = entries(truth)
    if only is not None:
        names = only.split(",")
        unknown = [name for name in names if name not in {one.name for one in wanted}]
        if unknown:
            known = ", ".join(one.name for one in wanted)
            raise click.BadParameter(f"{unknown[0]!r} is not an entry; known are {known}")
        wanted = [one for one in wanted if one.name in names]
    check_writable(folder)
    fetch(truth.recipe.images, root, download)
    absent = [one for one in wanted if kept(truth, one, folder, shipped=False) is None]
    with Bar("leaderboard") as bar, where_to_run(None, workers) as (_, count):
        if absent:
            bar.once(f"{len(absent)} entries to run, some {hours(truth, absent, count):.1f} h of training")

        def on_progress(name: str, place: int, of: int, p: Progress) -> None:
            bar.show((place - 1 + p.fraction) / of, f"{name}, {place} of {of}", None)

        try:
            run(truth, absent, folder, shipped=False, workers=count, root=root, on_progress=on_progress)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"what is finished is kept in {folder}; the same command goes on") from None
