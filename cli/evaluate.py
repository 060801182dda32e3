"""evaluate, compare: a strategy's verdict, and strategies side by side."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nasbench_ws.cli.choices import MATCHES, MIXED, SCHEDULES
from nasbench_ws.cli.completion import complete_rankers, complete_schedules
from nasbench_ws.cli.failures import interrupted_says
from nasbench_ws.cli.options import (
    NO_WORKERS,
    dask_option,
    fetch,
    metric_option,
    missing_option,
    mode_option,
    own_space_option,
    quiet_option,
    recipe_option,
    results_argument,
    root_option,
    say_missing,
    table_option,
    where_to_run,
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
)
from nasbench_ws.cli.progress import Bar
from nasbench_ws.json_files import cache_folder

if TYPE_CHECKING:
    from nasbench_ws.evaluation.evaluate import Evaluation
    from nasbench_ws.results.result import Result
    from nasbench_ws.workers.pool import Progress


@click.command()
@click.argument("ranker", shell_complete=complete_rankers)
@table_option
@own_space_option
@click.option(
    "--instances", type=click.IntRange(1),
    help="How many rankings, each with a seed of its own.  [default: 3]",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Seed index of the first instance.")
@click.option(
    "--steps", type=click.IntRange(1),
    help="Training steps of a super-net that shares everything.  [default: 6400]",
)
@click.option(
    "--match", type=click.Choice(MATCHES), default=MATCHES[0], show_default=True,
    help="What is held equal between strategies.",
)
@click.option(
    "--schedule", metavar="NAME", shell_complete=complete_schedules,
    help=f"Which child trains when: {', '.join((*SCHEDULES, *MIXED))}, or FILE.py:FUNCTION.  [the strategy's own]",
)  # fmt: skip
@mode_option(
    "Statistics while scoring: running, batch[:n], recalibrate[:n], private; or probe[:n]. Repeatable, the first is "
    "the result's.  [default: recalibrate, running]", multiple=True,
)  # fmt: skip
@click.option(
    "--last", default=0, type=click.IntRange(0), metavar="K",
    help="Score all children after each of the last K steps.",
)
@click.option(
    "--score-every", default=0, type=click.IntRange(0), metavar="N",
    help="Also score all children after every N steps.",
)
@click.option(
    "--end-lr", type=click.FloatRange(0, 1), metavar="SHARE",
    help="Learning rate of the last step, as a share of the highest.  [the recipe's; 0.04 with --last]",
)  # fmt: skip
@click.option("--average", default=0.0, metavar="DECAY", help="Also score a moving average of the weights.")
@click.option("--fine-tune", default="", metavar="F,F,...", help="Also score each child after F more steps of its own.")
@click.option(
    "--interference", default=0, type=click.IntRange(0), metavar="N",
    help="Measure how N more steps of one child change every child's score.",
)
@click.option("--valid-images", type=click.IntRange(1), metavar="N", help="Score on the first N validation images.")
@click.option(
    "--quick", is_flag=True,
    help="A look within seconds: 1 instance, few steps, 1,000 images. It proves little.",
)
@recipe_option
@root_option
@workers_option
@dask_option
@click.option("--work", metavar="DIR", help="Where finished parts are kept until the end.  [FILE.parts, or the cache]")
@output_option(help="Save the result as JSON.")
@force_option
@quiet_option
@missing_option
@csv_option
@json_option
def evaluate(
    ranker: str, table: str, instances: int | None, seed: int, steps: int | None, match: Any, schedule: str | None,
    batch_norm: tuple[str, ...], last: int, score_every: int, end_lr: float | None, average: float, fine_tune: str,
    interference: int, valid_images: int | None, quick: bool, changes: str, data_root: str | None, download: bool,
    workers: int | None, dask: str | None, work: str | None, output: str | None, force: bool, allow_missing: bool,
    as_csv: bool, as_json: bool,
) -> None:  # fmt: skip
    """Measure how a way of ranking orders the children: it trains super-nets.

    RANKER is a built-in sharing strategy with its arguments or another built-in
    ranking (see `nasbench-ws strategies`), FILE.py:NAME (FILE.py, where it has
    one), MODULE:NAME, or the name of an installed one.

    \b
    Example:
      nasbench-ws evaluate full
      nasbench-ws evaluate full --quick
      nasbench-ws evaluate groups:similar:4 --batch-norm recalibrate -o g4.json
      nasbench-ws evaluate my.py:MyStrategy --instances 5
      nasbench-ws evaluate params
    """
    from nasbench_ws.images.loaders import load_images
    from nasbench_ws.json_files import kept_if_used
    from nasbench_ws.rankers.named import check_name
    from nasbench_ws.rankers.plan import Plan, quick_look
    from nasbench_ws.sharing.schedules import get_schedule
    from nasbench_ws.sharing.strategies import PLUGINS
    from nasbench_ws.tables.table import load
    from nasbench_ws.training.batch_norm import BatchNorm
    from nasbench_ws.workers.threads import threads_here

    check_output(output, force)
    truth = load(table)
    plan = Plan(
        "full", truth.recipe.override(changes), match=match, schedule=schedule, batch_norm=batch_norm, last=last,
        end_lr=end_lr, average=average, fine_tune=_counts(fine_tune), interference=interference,
    )  # fmt: skip
    if quick:
        plan, instances = quick_look(plan, len(truth)), instances or 1
        plan = replace(plan, batch_norm=batch_norm or plan.batch_norm)
    plan = replace(plan, steps=steps or plan.steps, valid_images=valid_images or plan.valid_images)
    plan = replace(plan, score_every=score_every)
    for mode in batch_norm:
        BatchNorm.parse(mode)
    if schedule is not None:
        get_schedule(schedule)
    ranker = PLUGINS.whole_name(ranker)
    check_name(ranker, truth.space, truth.macro)

    from nasbench_ws.evaluation.evaluate import prepare  # torch: what is mistyped was refused without it

    fetch(plan.recipe.images, data_root, download)
    if quick and valid_images is None:  # nobody chose their number: as many as there are
        there = len(load_images(plan.recipe.images, ("valid",), data_root).valid)
        plan = replace(plan, valid_images=min(plan.valid_images, there))
    folder = Path(work) if work else Path(f"{output}.parts") if output else cache_folder() / "evaluate"
    with kept_if_used(folder):
        ready = prepare(
            ranker, truth, instances=instances, first_seed=seed, plan=plan, root=data_root, folder=folder,
            allow_missing=allow_missing,
        )  # fmt: skip
    say_missing(truth, allow_missing)
    noun = "super-nets" if ready.ranker.match else "rankings"
    again = f"super-nets that were finished are kept in {ready.kept}; run the same command again to go on"
    with interrupted_says(again), Bar(f"evaluate {ranker}") as bar, where_to_run(dask, workers) as (executor, count):

        def on_progress(p: Progress) -> None:
            text = f"{p.done} of {p.total} {noun}{NO_WORKERS if p.idle else ''}"
            bar.show(p.fraction, text, p.seconds_left, at_once=p.idle)

        here = quick and executor is None  # a worker would take longer to start than to work
        with threads_here(count if here else 1):
            result = ready.run(workers=None if here else count, executor=executor, on_progress=on_progress)
    copy = Path(output) if output else cache_folder() / "results" / f"{_label(ready)}.json"
    with interrupted_says(again):
        result.save(copy)
    with interrupted_says(f"the result is saved, and `nasbench-ws show {copy}` prints it"):
        try:
            _show(result, as_json, as_csv)
            sys.stdout.flush()  # a full disk or a closed pipe is met here, and the parts are still there
        except OSError:
            click.echo(f"The result is kept in {copy}; `nasbench-ws show {copy}` prints it", err=True)
            raise
        if output is None:
            click.echo(f"The result is kept in {copy}", err=True)
        if not work:
            ready.forget()


def _show(result: Result, as_json: bool, as_csv: bool) -> None:
    if as_json:
        print_json(result.to_dict())
    elif as_csv:
        from nasbench_ws.results.text import metric_rows

        print_csv(metric_rows(result.assessment))
    else:
        click.echo(str(result))
        from nasbench_ws.evaluation.reference import beside_full
        from nasbench_ws.results.paths import path_note

        note = path_note([result])  # parts that were kept may be of another path
        if note:
            click.echo(f"\n{note}")
        line = beside_full(result)
        if line is not None:
            click.echo(f"\n{line}")


def _counts(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a list of whole numbers such as 0,5,10") from None


def _label(ready: Evaluation) -> str:
    """A file's name for a result: what was evaluated, its identity, and its seeds."""
    words = re.sub(r"[^A-Za-z0-9.]+", "-", ready.ranker.name).strip("-.")[-40:]
    identity = ready.kept.name if ready.kept is not None else "any"
    return f"{words}-{identity}-seeds-{ready.seeds[0]}-{ready.seeds[-1]}"


@click.command()
@results_argument()
@metric_option("A metric of the results.")
@mode_option("By scores of this mode.  [default: one that all have, their own first]")
@quiet_option
@csv_option
@json_option
def compare(results: tuple[str, ...], metric: str, batch_norm: str | None, as_csv: bool, as_json: bool) -> None:
    """Results side by side, best first, with differences and what they could have told.

    RESULT is a file of `nasbench-ws evaluate -o FILE`, by whose name it stands,
    or the name of one that ships, as full or edge:0-2.

    \b
    Example:
      nasbench-ws compare mine.json full
      nasbench-ws compare full none --metric P@top5
    """
    from nasbench_ws.evaluation.named import distinct, read_results
    from nasbench_ws.results.compare import compare as run

    named = read_results(results)
    with Bar.patient("compare") as bar:
        bar.show(None, "measuring", None)
        comparison = run([one.result for one in named], metric, batch_norm, distinct(named))
    if as_json:
        print_json(comparison.to_dict())
    elif as_csv:
        print_csv(comparison.records())
    else:
        click.echo(str(comparison))
