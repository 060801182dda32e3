"""reproduce: the paper's experiments and claims, on any table."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from nasbench_ws.cli.choices import CLAIMS, SCALES
from nasbench_ws.cli.options import (
    dask_option,
    missing_option,
    quiet_option,
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
    keep_option,
    output_option,
    print_csv,
    print_json,
    write_page,
)
from nasbench_ws.cli.progress import Bar
from nasbench_ws.errors import ResultError, UsageError


@click.command()
@click.argument("claims", nargs=-1, metavar="[CLAIM]...", type=click.IntRange(1, CLAIMS))
@click.option("--scale", "scale_name", type=click.Choice(SCALES), default="smoke", show_default=True)
@keep_option("Where results are kept, and taken from.  [default: reproduction-SCALE]")
@output_option(help="Write a page that sorts and filters.", old=())
@force_option
@click.option(
    "--end-lr", type=click.FloatRange(0, 1), metavar="SHARE",
    help="Learning rate of the last step where the last steps are read, as a share of the highest.  [default: 0.04]",
)  # fmt: skip
@table_option
@root_option
@workers_option
@dask_option
@click.option("--rerun", is_flag=True, help="Train again what results that ship would answer.")
@click.option("--no-run", is_flag=True, help="Train nothing: show what is there, and say what is not.")
@missing_option
@quiet_option
@click.option("--markdown", is_flag=True, help="Print a Markdown page.")
@csv_option
@json_option
def reproduce(
    claims: tuple[int, ...], scale_name: str, keep: str | None, output: str | None, force: bool,
    end_lr: float | None, table: str, data_root: str | None, download: bool, workers: int | None, dask: str | None,
    rerun: bool, no_run: bool, allow_missing: bool, markdown: bool, as_csv: bool, as_json: bool,
) -> None:  # fmt: skip
    """The paper's experiments: its figures beside ours, each with a verdict.

    CLAIM is 1 (instability), 2 (information), 3 (interference) or 4 (sharing
    less); all of them without one. The same command goes on where it stopped.
    What was run at scale standard for fashion14 ships, and a part of paper.

    \b
    Example:
      nasbench-ws reproduce --scale smoke
      nasbench-ws reproduce 3 --scale standard --json
      nasbench-ws reproduce --scale paper --no-run
      nasbench-ws reproduce --scale standard -o claims.html
    """
    from nasbench_ws.cli.experiments import run_into
    from nasbench_ws.evaluation.reproduction import SCALES as DEFINED
    from nasbench_ws.evaluation.reproduction import (
        experiments,
        findings,
        page,
        present,
        render,
        shipped_smaller,
        wanting,
    )  # fmt: skip
    from nasbench_ws.evaluation.reproduction.text import WIDTH, tests_made
    from nasbench_ws.results.truth import judged
    from nasbench_ws.tables.table import load

    if no_run and rerun:
        raise UsageError("--no-run trains nothing, and --rerun all again; give one of them")
    check_output(output, force)
    scale, truth = DEFINED[scale_name], load(table)
    if end_lr is not None:
        scale = replace(scale, end_lr=end_lr)
    folder, asked = Path(keep or f"reproduction-{scale_name}"), claims or tuple(range(1, CLAIMS + 1))
    wanted, judge = experiments(truth, scale, asked), judged(truth, allow_missing)
    if no_run:
        results = present(wanted, folder, judge)
        if not results:
            raise ResultError(
                f"nothing of scale {scale_name} is there for {truth.name}, neither in {folder} nor among what ships; "
                "leave out --no-run to run it"
            )
    else:
        results = run_into(
            folder, "reproduce", truth, wanted, shipped=not rerun, root=data_root, download=download, workers=workers,
            dask=dask, allow_missing=allow_missing,
        )  # fmt: skip
    say_missing(truth, allow_missing)
    absent = wanting(wanted, results)
    with Bar.patient("reproduce") as bar:
        bar.show(None, "testing the claims", None)
        found = findings(results, judge, asked)
        smaller = shipped_smaller(truth, scale, judge, asked) if output is not None or not as_csv else None
    if output is not None:
        from nasbench_ws.evaluation.reproduction.claims_page import claims_page

        write_page(output, claims_page(found, scale, judge, absent, smaller))
    if as_json:
        each = [finding.to_dict() for finding in found]
        data: dict[str, Any] = {
            "scale": scale_name, "table": truth.digest, "findings": each, "absent": list(absent),
            "tests": tests_made(found),
        }  # fmt: skip
        if smaller:
            there = [finding.to_dict() for finding in smaller.found.values()]
            data["smaller"] = {"updates": smaller.updates, "findings": there}
        print_json(data)
    elif as_csv:
        print_csv(finding.to_dict() for finding in found)
    elif markdown:
        click.echo(page(found, scale, judge, absent, smaller), nl=False)
    else:
        click.echo(f"{textwrap.fill(scale.note, WIDTH)}\n\n{render(found, absent, smaller)}")
