"""export: a table, or its space, for optimisers that know nothing of this package."""

from __future__ import annotations

import io
from pathlib import Path

import click

from nasbench_ws.cli.options import quiet_option, table_option
from nasbench_ws.cli.outputs import check_output, force_option, json_option, output_option, say_written
from nasbench_ws.cli.progress import Bar

MARKS = (b"name,O", b'"hyperparameters"', b"configurations.npy")  # of files that do not name this package
FORMATS = {"csv": "table.csv", "configspace": "space.json", "syne-tune": "blackbox.npz"}


@click.command()
@output_option(help="The file to write.", required=True)
@table_option
@click.option(
    "--to", "format_", type=click.Choice(list(FORMATS)), default="csv", show_default=True, help="Format of the file."
)
@force_option
@quiet_option
@json_option
def export(output: str, table: str, format_: str, force: bool, as_json: bool) -> None:
    """A table as a file for other people's optimisers.

    csv has a line for each child, seed and epoch; configspace is the space as
    ConfigSpace reads it; syne-tune are the arrays of a BlackboxTabular.

    \b
    Example:
      nasbench-ws export -o fashion14.csv
      nasbench-ws export --to configspace -o space.json
      nasbench-ws export --to syne-tune -o blackbox.npz
    """
    from nasbench_ws.json_files import write_atomic
    from nasbench_ws.search.export import export_arrays, export_csv
    from nasbench_ws.space.exchange import space_json
    from nasbench_ws.tables.table import load

    check_output(output, force, MARKS)
    opened = load(table)
    with Bar.patient("export") as bar:
        bar.show(None, f"writing out {len(opened):,} children", None)
        if format_ == "syne-tune":
            stream = io.BytesIO()
            export_arrays(opened, stream)
            data = stream.getvalue()
        else:
            data = (export_csv(opened) if format_ == "csv" else space_json(opened.space) + "\n").encode()
    write_atomic(Path(output), data)
    say_written(output, len(data), as_json, table=opened.digest)
