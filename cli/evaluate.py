"""evaluate, compare: a strategy's verdict, and strategies side by side."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nasbench_ws.cli.choices import MATCHES, SCHEDULES
from nasbench_ws.cli.options import (
    NO_WORKERS,
    check_output,
    dask_option,
    fetch,
    json_option,
    print_json,
    recipe_option,
    root_option,
    table_option,
    where_to_run,
    workers_option,
)
from nasbench_ws.cli.progress import Bar

if TYPE_CHECKING:
    from nasbench_ws.workers.pool import Progress


@click.command()
@click.argument("strategy")
@table_option
@click.option("--instances", default=3, show_default=True, type=click.IntRange(1), help="Super-nets, each of its seed.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Seed index of the first instance.")
@click.option("--steps", type=click.IntRange(1), help="Of a super-net that shares everything.  [default: 6400]")
@click.option("--match", type=click.Choice(MATCHES), default=MATCHES[0], show_default=True, help="What is equal.")
@click.option("--schedule", type=click.Choice(SCHEDULES), help="Which child trains when.  [the strategy's own]")
@click.option(
    "--batch-norm", multiple=True, default=("running",), show_default=True, metavar="MODE",
    help="Statistics while scoring: running, batch[:n], recalibrate[:n], private. Repeatable.",
)  # fmt: skip
@click.option("--last", default=0, type=click.IntRange(0), metavar="K", help="Score after each of the last K steps.")
@click.option("--average", default=0.0, metavar="DECAY", help="Score a moving average of the weights too.")
@click.option("--fine-tune", default="", metavar="F,F,...", help="Score after F steps of each child alone too.")
@click.option("--interference", default=0, type=click.IntRange(0), metavar="N", help="What N steps of a child do.")
@recipe_option
@root_option
@workers_option
@dask_option
@click.option("--work", metavar="DIR", help="Where finished parts are kept until the end.  [FILE.parts, or the cache]")
@click.option("--out", metavar="FILE", help="Save the result as JSON.")
@json_option
def evaluate(
    strategy: str, table: str, instances: int, seed: int, steps: int | None, match: Any, schedule: str | None,
    batch_norm: tuple[str, ...], last: int, average: float, fine_tune: str, interference: int, changes: str,
    data_root: str | None, download: bool, workers: int | None, dask: str | None, work: str | None, out: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Train a strategy's super-nets and measure how they rank the children.

    STRATEGY is a built-in one with its arguments (see `nasbench-ws strategies`),
    FILE.py:NAME, MODULE:NAME, or the name of an installed one.

    \b
    Example:
      nasbench-ws evaluate full
      nasbench-ws evaluate groups:similar:4 --batch-norm recalibrate --out g4.json
      nasbench-ws evaluate my.py:MyStrategy --instances 5
    """
    from nasbench_ws.rankers.plan import Plan
    from nasbench_ws.sharing.strategies import resolve
    from nasbench_ws.tables.table import load
    from nasbench_ws.training.batch_norm import BatchNorm

    check_output(out)
    truth = load(table)
    plan = Plan(
        strategy, truth.recipe.override(changes), match=match, schedule=schedule, batch_norm=batch_norm, last=last,
        average=average, fine_tune=_counts(fine_tune), interference=interference,
    )  # fmt: skip
    if steps is not None:
        plan = replace(plan, steps=steps)
    for mode in batch_norm:
        BatchNorm.parse(mode)
    resolve(strategy, truth.space, truth.macro)

    from nasbench_ws.evaluation.evaluate import evaluate as run  # torch: what is mistyped was refused without it

    fetch(plan.recipe.images, data_root, download)
    folder = Path(work) if work else _work_folder(out, strategy)
    with Bar(f"evaluate {strategy}") as bar, where_to_run(dask, workers) as (executor, count):

        def on_progress(p: Progress) -> None:
            text = f"{p.done} of {p.total} super-nets{NO_WORKERS if p.idle else ''}"
            bar.show(p.fraction, text, p.seconds_left, at_once=p.idle)

        try:
            result = run(
                strategy, truth, instances=instances, first_seed=seed, plan=plan, root=data_root, workers=count,
                executor=executor, folder=folder, on_progress=on_progress,
            )  # fmt: skip
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"super-nets that were finished are kept in {folder}; run the same command again to go on"
            ) from None
    if out is not None:
        result.save(out)
    if not work:
        shutil.rmtree(folder, ignore_errors=True)
    if as_json:
        print_json(result.to_dict())
    else:
        click.echo(str(result))


def _counts(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a list of whole numbers such as 0,5,10") from None


def _work_folder(out: str | None, strategy: str) -> Path:
    if out is not None:
        return Path(f"{out}.parts")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "nasbench-ws" / "evaluate" / hashlib.sha256(strategy.encode()).hexdigest()[:12]


@click.command()
@click.argument("results", nargs=-1, required=True, metavar="RESULT.json...")
@click.option("--metric", default="kendall_tau", show_default=True, help="A metric of the results.")
@json_option
def compare(results: tuple[str, ...], metric: str, as_json: bool) -> None:
    """Results side by side, best first, with paired differences.

    \b
    Example:
      nasbench-ws compare full.json mine.json
    """
    from nasbench_ws.results.compare import compare as run
    from nasbench_ws.results.result import Result

    comparison = run([Result.load(path) for path in results], metric)
    if as_json:
        print_json(comparison.to_dict())
    else:
        click.echo(str(comparison))
