"""assess: what a ranking of your own is worth, whatever made it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nasbench_ws.cli.options import missing_option, quiet_option, table_option
from nasbench_ws.cli.outputs import csv_option, json_option, print_csv, print_json
from nasbench_ws.cli.progress import Bar
from nasbench_ws.errors import ResultError, UsageError

if TYPE_CHECKING:
    from nasbench_ws.results.truth import GroundTruth
    from nasbench_ws.tables.table import Table


@click.command()
@click.argument("scores", metavar="SCORES")
@click.option(
    "--column", "columns", multiple=True, metavar="NAME",
    help="A column of scores. Repeatable, one for each instance.",
)
@click.option("--lower-is-better", is_flag=True, help="Scores are losses or ranks: lower is better.")
@click.option("--top", type=float, metavar="PART", help="Measure among this part of the children, the best, e.g. 0.25.")
@click.option(
    "--children", metavar="NAMES|FILE",
    help="Measure among these children: names with commas, or a file with one a line.",
)
@missing_option
@click.option("--unique", is_flag=True, help="Count only the first of children that compute the same.")
@table_option
@quiet_option
@csv_option
@json_option
def assess(
    scores: str, columns: tuple[str, ...], lower_is_better: bool, top: float | None, children: str | None,
    allow_missing: bool, unique: bool, table: str, as_csv: bool, as_json: bool,
) -> None:  # fmt: skip
    """Measure any scores of the children as a super-net's are measured.

    SCORES is a CSV, JSON or .npy file, or - for standard input. A line is a
    child: one of its names, and its score (one for each instance; higher is
    better), as 434,0.83 or 434,0.83,0.81. With a heading, columns are read by
    name; one that diverged has nan. Among some children, the bounds are theirs.

    \b
    Example:
      nasbench-ws assess proxy.csv
      nasbench-ws assess proxy.csv --column synflow --column synflow_2
      nasbench-ws assess losses.csv --lower-is-better --json
      nasbench-ws assess proxy.csv --top 0.25
    """
    from nasbench_ws.json_files import without_nan
    from nasbench_ws.rankers.scores_file import read_columns, sounds_turned, turned, without_score
    from nasbench_ws.results.assess import assess as assess_scores
    from nasbench_ws.results.schema import derived_json
    from nasbench_ws.results.text import metric_rows, render_scores
    from nasbench_ws.tables.table import load

    whole = load(table)
    truth = _among(whole, top, children, allow_missing, unique)
    some = getattr(truth, "places", range(len(whole)))
    read = read_columns(scores, whole.space, columns, lower_is_better=lower_is_better, partial=len(some) < len(whole))
    absent = sorted(set(some) - set(read.present))
    if absent:
        names = ", ".join(whole.space[i].name for i in absent[:5])
        raise ResultError(f"{scores} has no score for {len(absent)} of these {len(some)} children ({names}); add them")
    found = replace(read, values=read.values[:, list(some)])
    name = "standard input" if scores == "-" else scores
    if found.left_out:
        names = ", ".join(column for column in found.columns if column)
        click.echo(f"read: {names}; left out: {', '.join(found.left_out)}", err=True)
    lacking = [whole.space[some[i]].name for i in without_score(found.values)]
    if lacking:
        names = ", ".join(lacking[:5]) + ", ..." * (len(lacking) > 5)
        click.echo(f"no score for {len(lacking)} of {len(some)} children ({names}): ranked last", err=True)
    with Bar.patient("assess") as bar:
        bar.show(None, "measuring", None)
        report = assess_scores(found.values, truth)
    if as_json:
        print_json({
            "scores": scores, "columns": without_nan(found.columns), **derived_json(report), "table": truth.digest,
            "diverged": report.diverged, "without_score": lacking,
        })  # fmt: skip
    elif as_csv:
        print_csv(metric_rows(report))
    else:
        click.echo(render_scores(name, report, len(found.values)))
    warning = turned(found.values, truth.truth, lower_is_better=lower_is_better)
    if warning is None and not lower_is_better:
        warning = sounds_turned(found.columns)
    if warning:
        click.echo(f"Warning: {name}: {warning}", err=True)


def _among(
    whole: Table, top: float | None, children: str | None, allow_missing: bool, unique: bool
) -> GroundTruth:
    """The table, or some of its children. Of a table that has a part of its space's, these."""
    from nasbench_ws.limits import bytes_of
    from nasbench_ws.results.truth import Among, once

    if top is not None and children is not None:
        raise UsageError("--top and --children both say which children; give one of them")
    if top is not None and unique:
        raise UsageError("--top and --unique both say which children; give one of them")
    if top is not None:
        return Among.top(whole, top)
    counted = once(whole)
    places = list(getattr(counted, "places", range(len(whole))))
    if children is not None:
        text = children
        if Path(children).exists():
            text = bytes_of(children, ResultError, "give a file of children's names").decode(errors="replace")
        names = [name for name in re.split(r"[\s,;]+", text) if name]
        places = [whole.space.architecture(name).index for name in names]
    if unique:
        first = set(Among.unique(whole).places)
        places = [i for i in places if i in first]
    if whole.part is not None:
        has = set(whole.part.tolist())
        strange = [whole.space[i].name for i in places if i not in has] if children is not None else []
        if strange:
            raise UsageError(
                f"{whole.name} has {len(has)} of the {len(whole)} children of {whole.space.name}, and not "
                f"{', '.join(strange[:5])}; leave these out"
            )
        places = [i for i in places if i in has]
    if allow_missing:
        known = set(Among.known(whole).places)
        lacking = [whole.space[i].name for i in places if i not in known]
        places = [i for i in places if i in known]
        if lacking:
            click.echo(f"left out, for the table lacks runs: {', '.join(lacking)}", err=True)
    return Among(whole, places) if children is not None or len(places) < len(counted) else counted
