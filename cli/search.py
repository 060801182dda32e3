"""search: who finds a good child sooner?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nasbench_ws.cli.choices import SIGNALS, UNITS
from nasbench_ws.cli.completion import complete_searchers
from nasbench_ws.cli.failures import interrupted_says
from nasbench_ws.cli.options import dask_option, quiet_option, table_option, where_to_run, workers_option
from nasbench_ws.cli.outputs import (
    check_output,
    csv_option,
    force_option,
    json_option,
    keep_option,
    output_option,
    print_csv,
    print_json,
)
from nasbench_ws.cli.progress import Bar
from nasbench_ws.errors import UsageError

if TYPE_CHECKING:
    from nasbench_ws.search import Oracle, Rules, SearchResult
    from nasbench_ws.workers.progress import Progress

BASELINE = "random-without"

EXAMPLE = '''class Mine:
    """Random; what came out of a trial is ignored."""

    def __init__(self, setting, rng):
        self.children, self.rng = len(setting.space), rng

    def ask(self):
        return int(self.rng.integers(self.children))

    def tell(self, trial, ask, seen):
        pass
'''


@click.command()
@click.argument("searchers", nargs=-1, metavar="[SEARCHER]...", shell_complete=complete_searchers)
@table_option
@click.option("--list", "listed", is_flag=True, help="List the searchers there are.")
@click.option("--unit", type=click.Choice(UNITS), default="evaluations", show_default=True, help="Unit of costs.")
@click.option("--budget", type=float, help="Budget, in that unit.  [default: 64 mean evaluations]")
@click.option("--repetitions", type=click.IntRange(1), default=500, show_default=True, help="Worlds, the same for all.")
@click.option(
    "--noise",
    type=click.Choice(["seed", "mean"]),
    default="seed",
    show_default=True,
    help="An observation is one run's, or the mean of all.",
)
@click.option(
    "--repeats",
    type=click.Choice(["fresh", "cached"]),
    default="fresh",
    show_default=True,
    help="Asking for a child again costs and shows another seed, or is free and shows the same.",
)
@click.option(
    "--signal",
    type=click.Choice(SIGNALS),
    default="valid_accuracy",
    show_default=True,
    help="What a searcher observes of a child.",
)
@click.option(
    "--incumbent",
    type=click.Choice(["best", "mean"]),
    default="best",
    show_default=True,
    help="The child of the best observation, or of the best mean.",
)
@click.option(
    "--truth",
    type=click.Choice(["held-out", "all"]),
    default="held-out",
    show_default=True,
    help="Judge on the seeds that were not observed, or on all.",
)
@click.option(
    "--limit", type=float, help="Multiply-adds of one image that a choice may have at most.  [default: any]"
)
@click.option("--also", multiple=True, metavar="TABLE", help="Another table, with the same rules; once for each.")
@click.option("--source", metavar="RESULT.json", help="Observe a super-net's scores, its training charged first.")
@keep_option("Keep every trial there, and go on from what is there.")
@output_option(help="Write a page.", old=())
@force_option
@quiet_option
@workers_option
@dask_option
@csv_option
@json_option
def search(
    searchers: tuple[str, ...], table: str, also: tuple[str, ...], listed: bool, source: str | None, keep: str | None,
    output: str | None, force: bool,
    repetitions: int, workers: int | None, dask: str | None, as_csv: bool, as_json: bool, **rules: Any,
) -> None:  # fmt: skip
    """Who finds a good child sooner? Every query is charged.

    SEARCHER is a name of --list with its arguments, FILE.py:NAME or
    MODULE:NAME. Random search without replacement is always run, for
    comparison.

    \b
    Example:
      nasbench-ws search re random pnas -o page.html
      nasbench-ws search re:20:5 my.py:Mine --unit macs --json
      nasbench-ws search then:shuffle:8 then:params:8 re --unit macs
      nasbench-ws search re local --table nasbench201-cifar10
      nasbench-ws search mnas:5e5:hard re --limit 5e5
    """
    if listed:
        _list(as_csv, as_json)
        return
    if not searchers:
        raise UsageError("no searcher is named; give one or more, such as re bayes; `--list` has them all")
    from nasbench_ws.json_files import kept_if_used
    from nasbench_ws.search import Rules
    from nasbench_ws.search.names import PLUGINS
    from nasbench_ws.search.run import search_tables

    if also and source is not None:
        raise UsageError("--source is a super-net on one table; leave out --also")
    tables = list(dict.fromkeys([table, *also]))
    check_output(output, force)
    with kept_if_used(None if keep is None else Path(keep)):
        folders = _folders(keep, tables)
        oracles = [_oracle(one, Rules(**rules), source) for one in tables]
        names = list(dict.fromkeys(PLUGINS.whole_name(one) for one in searchers))
        everyone = list(dict.fromkeys([*names, BASELINE]))
        files = {(name, place): own / _file_name(name) for place, own in enumerate(folders) for name in everyone}
        again = "the same command " + ("begins anew; --keep goes on" if keep is None else f"goes on from {keep}")
        with interrupted_says(again), where_to_run(dask, workers) as (executor, count), Bar("search") as bar:

            def on_progress(p: Progress) -> None:
                of = f" on {len(tables)} tables" if len(tables) > 1 else ""
                bar.show(p.fraction, f"{len(everyone)} searchers{of}, {p.done} of {p.total} parts", p.seconds_left)

            found = search_tables(
                everyone, oracles, repetitions, files=files, workers=count, executor=executor, on_progress=on_progress
            )
    parts = [
        ([of_table[name] for name in names], of_table[BASELINE], oracle)
        for of_table, oracle in zip(found, oracles, strict=True)
    ]
    _show(parts, output, as_csv, as_json)


def _show(
    parts: list[tuple[list[SearchResult], SearchResult, Oracle]], output: str | None, as_csv: bool,
    as_json: bool,
) -> None:  # fmt: skip
    from nasbench_ws.json_files import without_nan, write_atomic
    from nasbench_ws.search.compare import compare
    from nasbench_ws.search.exact import exhaustive
    from nasbench_ws.search.text import render

    with Bar.patient("search") as bar:
        bar.show(None, "comparing", None)
        compared = [(results, baseline, compare(results, baseline), exhaustive(o)) for results, baseline, o in parts]
        if output is not None:
            from nasbench_ws.report.search import OnTable, search_page, tables_page

            bar.show(None, "drawing the page", None)
            page = search_page(*compared[0]) if len(parts) == 1 else tables_page([OnTable(*one) for one in compared])
            write_atomic(Path(output), page.encode())
    if as_json:
        answers = [
            without_nan({
                **{key: value for key, value in baseline.header.items() if key != "networks"},
                "searcher": None,
                "repetitions": len(baseline),
                "baseline": comparison.baseline,
                "searchers": [row.to_dict() for row in comparison.rows],
                "exhaustive": lines,
                "pairs": comparison.pairs,
                "pairs_apart": comparison.apart,
                "verdict": comparison.text,
            })
            for _, baseline, comparison, lines in compared
        ]  # fmt: skip
        print_json(answers[0] if len(answers) == 1 else {"tables": answers})
        return
    if as_csv:
        print_csv(
            {"table": baseline.header["table"]["name"], **row.record()}
            for _, baseline, comparison, _ in compared
            for row in comparison.rows
        )
        return
    click.echo("\n\n".join(render(comparison, results, lines) for results, _, comparison, lines in compared))
    if output is not None:
        click.echo(f"\n{output}: {len(page) / 1024:.0f} KiB")


def _oracle(table: str, rules: Rules, source: str | None) -> Oracle:
    from nasbench_ws.search import Oracle
    from nasbench_ws.tables.table import load

    opened = load(table)
    if source is None:
        return Oracle.of(opened, rules)
    from nasbench_ws.results.result import Result
    from nasbench_ws.search.supernet import supernet_oracle

    return supernet_oracle(Result.load(source), opened, rules)


def _folders(keep: str | None, tables: list[str]) -> list[Path]:
    """Where each table's trials are kept: the first's in the folder itself, the others' in folders of their own."""
    from nasbench_ws.json_files import check_writable

    if keep is None:
        return []
    folder = Path(keep)
    folders = [folder, *(folder / _file_name(table).removesuffix(".npz") for table in tables[1:])]
    for one in folders:
        check_writable(one)
    return folders


def _file_name(name: str) -> str:
    """A searcher's name as a file's: what a path must not hold is written as its number."""
    return "".join(c if c.isalnum() or c in "-_." else f"%{ord(c):02x}" for c in name) + ".npz"


def _list(as_csv: bool, as_json: bool) -> None:
    import importlib.metadata

    from nasbench_ws.search import BUILT_IN
    from nasbench_ws.search.names import ENTRY_POINTS

    listed = [{"usage": built_in.usage, "help": built_in.help} for built_in in BUILT_IN.values()]
    for point in importlib.metadata.entry_points(group=ENTRY_POINTS):
        listed.append({"usage": point.name, "help": f"installed: {point.value}"})
    if as_json:
        print_json({"searchers": listed})
        return
    if as_csv:
        print_csv(listed)
        return
    for one in listed:
        click.echo(f"{one['usage']:34} {one['help']}")
    click.echo("\nYour own, in a file my.py, as `nasbench-ws search my.py:Mine`:\n")
    click.echo("\n".join(f"    {line}" for line in EXAMPLE.splitlines()))
