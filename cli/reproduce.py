"""reproduce: the paper's experiments and claims, on any table."""

from __future__ import annotations

from pathlib import Path

import click
from nasbench_ws.cli.options import (
    dask_option,
    fetch,
    json_option,
    print_json,
    root_option,
    table_option,
    where_to_run,
    workers_option,
)
from nasbench_ws.cli.progress import Bar

from nasbench_ws.experiment import hours, kept
from nasbench_ws.pool import Progress
from nasbench_ws.reproduction import CLAIMS, SCALES, experiments, findings, render, run
from nasbench_ws.runs import check_writable
from nasbench_ws.table import load


@click.command()
@click.argument("claims", nargs=-1, metavar="[CLAIM]...", type=click.IntRange(1, len(CLAIMS)))
@click.option("--scale", "scale_name", type=click.Choice(list(SCALES)), default="smoke", show_default=True)
@click.option("--out", metavar="DIR", help="Where results are kept, and taken from.  [default: reproduction-SCALE]")
@table_option
@root_option
@workers_option
@dask_option
@click.option("--rerun", is_flag=True, help="Train again what results that ship would answer.")
@json_option
def reproduce(
    claims: tuple[int, ...], scale_name: str, out: str | None, table: str, data_root: str | None, download: bool,
    workers: int | None, dask: str | None, rerun: bool, as_json: bool,
) -> None:  # fmt: skip
    """The paper's experiments: its figures beside ours, each with a verdict.

    CLAIM is 1 (instability), 2 (information), 3 (interference) or 4 (sharing
    less); all of them without one. The same command goes on where it stopped,
    and what was run at scale standard for fashion14 ships.

    \b
    Example:
      nasbench-ws reproduce --scale smoke
      nasbench-ws reproduce 3 --scale standard --json
    """
    scale, truth = SCALES[scale_name], load(table)
    folder = Path(out or f"reproduction-{scale_name}")
    check_writable(folder)
    fetch(truth.recipe.images, data_root, download)
    chosen = claims or tuple(CLAIMS)
    wanted = experiments(truth, scale, chosen)
    absent = [one for one in wanted if kept(truth, one, folder, shipped=not rerun) is None]
    with Bar("reproduce") as bar, where_to_run(dask, workers) as (executor, count):
        if absent:
            bar.once(f"{len(absent)} experiments to run, some {hours(truth, absent, count):.1f} h of training")

        def on_progress(name: str, place: int, of: int, p: Progress) -> None:
            bar.show((place - 1 + p.fraction) / of, f"{name}, {place} of {of}", None)

        try:
            results = run(
                truth, wanted, folder, shipped=not rerun, workers=count, executor=executor, root=data_root,
                on_progress=on_progress,
            )  # fmt: skip
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"what is finished is kept in {folder}; the same command goes on") from None
    found = findings(results, truth)
    data = {"scale": scale_name, "table": truth.digest, "findings": [finding.to_dict() for finding in found]}
    if as_json:
        print_json(data)
    else:
        click.echo(f"{scale.note}\n\n{render(found)}")
