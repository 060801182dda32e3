"""Running a list of experiments into a folder, with a bar: what `reproduce` and `leaderboard --run` share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nasbench_ws.cli.failures import interrupted_says
from nasbench_ws.cli.options import fetch, where_to_run
from nasbench_ws.cli.progress import Bar
from nasbench_ws.evaluation.experiment import Experiment, hours, lacking, run
from nasbench_ws.json_files import check_writable, kept_if_used
from nasbench_ws.results.result import Result
from nasbench_ws.tables.table import Table
from nasbench_ws.workers.pool import Progress


def run_into(
    folder: Path, title: str, table: Table, wanted: Sequence[Experiment], *, shipped: bool, root: str | None,
    download: bool, workers: int | None, dask: str | None, allow_missing: bool = False,
) -> dict[str, Result]:  # fmt: skip
    """Results by name. What the folder or, with `shipped`, the package has is taken from there."""
    with kept_if_used(folder):
        check_writable(folder)
        return _run(
            folder, title, table, wanted, shipped=shipped, root=root, download=download, workers=workers, dask=dask,
            allow_missing=allow_missing,
        )  # fmt: skip


def _run(
    folder: Path, title: str, table: Table, wanted: Sequence[Experiment], *, shipped: bool, root: str | None,
    download: bool, workers: int | None, dask: str | None, allow_missing: bool,
) -> dict[str, Result]:  # fmt: skip
    fetch(table.recipe.images, root, download)
    absent = lacking(wanted, folder, shipped)
    with Bar(title) as bar, where_to_run(dask, workers) as (executor, count):
        if absent:
            bar.once(f"{len(absent)} experiments to run, some {hours(table, absent, count):.1f} h")

        def on_progress(name: str, place: int, of: int, p: Progress) -> None:
            bar.show((place - 1 + p.fraction) / of, f"{name}, {place} of {of}", None)

        with interrupted_says(f"what is finished is kept in {folder}; the same command goes on"):
            return run(
                table, wanted, folder, shipped=shipped, workers=count, executor=executor, root=root,
                on_progress=on_progress, allow_missing=allow_missing,
            )  # fmt: skip
