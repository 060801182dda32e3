"""leaderboard: where strategies stand, and where yours would."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nasbench_ws.cli.choices import MATCHES
from nasbench_ws.cli.options import (
    dask_option,
    metric_option,
    missing_option,
    mode_option,
    quiet_option,
    results_argument,
    root_option,
    say_missing,
    table_option,
    workers_option,
)
from nasbench_ws.cli.outputs import (
    check_output,
    csv_option,
    force_option,
    json_option,
    output_option,
    print_csv,
    print_json,
    write_page,
)
from nasbench_ws.cli.progress import Bar, counted
from nasbench_ws.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nasbench_ws.evaluation.experiment import Experiment
    from nasbench_ws.evaluation.named import NamedResult


@click.command()
@results_argument(required=False)
@table_option
@click.option(
    "--match", type=click.Choice(MATCHES), default=MATCHES[0], show_default=True,
    help="What is held equal between strategies.",
)
@click.option(
    "--steps", type=click.IntRange(1), metavar="N",
    help="Only results of so many steps.  [default: as yours, or 6,400]",
)
@metric_option("What orders the rows.")
@mode_option("Only rows of this mode.")
@click.option("--run", "folder", metavar="DIR", help="Train what is missing into this folder, and show what is there.")
@click.option("--only", metavar="NAME,...", help="With --run: train only these.")
@root_option
@workers_option
@dask_option
@quiet_option
@click.option("--top", type=click.IntRange(1), metavar="N", help="Only the first N rows, and yours.")
@click.option("--kind", type=click.Choice(["super-net", "ranker"]), help="Only rows of this kind.")
@click.option("--strategy", metavar="TEXT", help="Only rows whose name has this in it, as groups:similar.")
@output_option(help="Write a page that sorts and filters.", old=("--page",))
@force_option
@click.option("--markdown", is_flag=True, help="Print a Markdown table.")
@missing_option
@csv_option
@json_option
def leaderboard(
    results: tuple[str, ...], table: str, match: Any, steps: int | None, metric: str, batch_norm: str | None,
    folder: str | None, only: str | None, data_root: str | None, download: bool, workers: int | None, dask: str | None,
    top: int | None, kind: str | None, strategy: str | None, output: str | None, force: bool, markdown: bool,
    allow_missing: bool, as_csv: bool, as_json: bool,
) -> None:  # fmt: skip
    """Strategies in order at one match, with your results among them.

    RESULT is a file of `nasbench-ws evaluate -o FILE`; its rows are marked with >
    and named by the file. The others ship, with the scores of every child.

    \b
    Example:
      nasbench-ws leaderboard
      nasbench-ws leaderboard mine.json --batch-norm running --top 10
      nasbench-ws leaderboard --steps 39200
      nasbench-ws leaderboard -o board.html
    """
    from nasbench_ws.evaluation.leaderboard import SCALE, entries
    from nasbench_ws.evaluation.leaderboard import leaderboard as order
    from nasbench_ws.evaluation.named import read_results
    from nasbench_ws.tables.table import load

    check_output(output, force)
    truth = load(table)
    if folder is not None:
        from nasbench_ws.cli.experiments import run_into

        if steps not in (None, SCALE.steps):
            raise UsageError(
                f"--run trains super-nets for {SCALE.steps:,} steps, and --steps asks for rows of {steps:,}; leave out "
                f"one of them, or evaluate strategies with --steps {steps} -o FILE and give the files"
            )
        run_into(
            Path(folder), "leaderboard", truth, _chosen(entries(truth), only), shipped=False, root=data_root,
            download=download, workers=workers, dask=dask, allow_missing=allow_missing,
        )  # fmt: skip
    say_missing(truth, allow_missing)
    read = read_results(results, truth.space.name)
    steps = steps or _steps_of(read)
    given = {one.label: one.result for one in read if not one.ships or folder is not None}
    asked: Any = {
        "metric": metric, "batch_norm": batch_norm, "folder": folder, "allow_missing": allow_missing, "steps": steps,
    }  # fmt: skip
    chosen: Any = {"top": top, "kind": kind, "strategy": strategy}
    with Bar.patient("leaderboard") as bar:
        bar.show(None, "measuring", None)
        board = order(given, truth, match=match, **asked).only(**chosen)
        if output is not None:
            from nasbench_ws.evaluation.board_page import board_page
            from nasbench_ws.results.truth import judged

            matches: Any = [one for one in MATCHES if one != match]
            others = []
            for one in matches:
                with suppress(UsageError):  # none of the rows that are asked for stands there
                    others.append(order({}, truth, match=one, **{**asked, "steps": board.steps}).only(**chosen))
            page = board_page(board, judged(truth, allow_missing), others, on_figure=counted(bar, "figures"))
    if output is not None:
        write_page(output, page)
    if as_json:
        print_json(board.to_dict())
    elif as_csv:
        print_csv(board.records())
    else:
        click.echo(board.markdown() if markdown else str(board))


def _steps_of(read: Sequence[NamedResult]) -> int | None:
    """Where all that are named ship, the steps that they took; None for the leaderboard to say."""
    of_super_nets = [one for one in read if one.result.outcome.match]
    if not all(one.ships for one in of_super_nets):
        return None
    by_steps = {one.result.outcome.steps: one.label for one in of_super_nets}
    if len(by_steps) > 1:
        took = " and ".join(f"{label} took {steps:,}" for steps, label in by_steps.items())
        raise UsageError(f"a leaderboard has one number of steps: {took}; name fewer of them, or give --steps")
    return next(iter(by_steps), None)


def _chosen(wanted: list[Experiment], only: str | None) -> list[Experiment]:
    if only is None:
        return wanted
    by_name = {one.name: one for one in wanted}
    unknown = [name for name in only.split(",") if name not in by_name]
    if unknown:
        raise click.BadParameter(f"{unknown[0]!r} is not an entry; known are {', '.join(by_name)}")
    return [by_name[name] for name in only.split(",")]
