"""build, train, merge, verify: make a table and check it."""

from __future__ import annotations

from functools import partial

import click

from nasbench_ws.cli.completion import complete_tables
from nasbench_ws.cli.failures import require
from nasbench_ws.cli.options import (
    NO_WORKERS,
    dask_option,
    fetch,
    locate,
    own_space_option,
    quiet_option,
    recipe_option,
    root_option,
    seeds,
    shard,
    space_option,
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
    say_table,
)
from nasbench_ws.cli.progress import Bar, paced
from nasbench_ws.errors import RunError, TableError, UsageError
from nasbench_ws.markup import number


@click.command()
@click.argument("folder")
@click.option("--seeds", "seed_text", default="0-9", show_default=True, metavar="LIST", help="Seed indices, e.g. 0-9.")
@click.option("--archs", metavar="LIST", help="Only these children, e.g. 111,434.")
@space_option
@click.option("--unique", is_flag=True, help="Train only the first of children that are the same network.")
@recipe_option
@root_option
@workers_option
@dask_option
@quiet_option
@click.option("--shard", "shard_text", default="0/1", metavar="I/N", help="Part I (from 0) of N, for an array of jobs.")
@click.option("--resume-from", metavar="SOURCE", help="A table or folder whose finished runs are taken over.")
@click.option("--retries", default=1, show_default=True, type=click.IntRange(0), help="Further tries of a failing run.")
@click.option(
    "--lockstep", type=click.IntRange(1), metavar="N",
    help="Train N runs in one program instead of workers, for GPUs.",
)
@click.option(
    "--device", default="cuda", show_default=True, metavar="DEVICE",
    help="Device of --lockstep, as torch names it.",
)
@json_option
def build(
    folder: str, seed_text: str, archs: str | None, space_name: str, unique: bool, changes: str,
    data_root: str | None, download: bool,
    workers: int | None, dask: str | None, shard_text: str, resume_from: str | None, retries: int,
    lockstep: int | None, device: str, as_json: bool,
) -> None:  # fmt: skip
    """Train every child standalone; each finished run is a file in FOLDER.

    --space begins with that space's own recipe, which --recipe changes. The
    same command goes on where it stopped. Make a table of the runs with
    `nasbench-ws merge`.

    \b
    Example:
      nasbench-ws build runs --seeds 0-2 --recipe epochs=8
      nasbench-ws build runs --space topology729 --unique --seeds 0-2
      nasbench-ws build runs --shard $SLURM_ARRAY_TASK_ID/16
      nasbench-ws build runs --lockstep 64 --device cuda
    """
    from nasbench_ws.recipe import recipe_of
    from nasbench_ws.space.registry import get_space

    for many, value in (("--workers", workers), ("--dask", dask)):
        if lockstep is not None and value is not None:
            raise UsageError(f"--lockstep {lockstep} is one program, and {many} {value} are many; give one of them")

    recipe, indices, part = recipe_of(get_space(space_name).name).override(changes), seeds(seed_text), shard(shard_text)
    require("torch")

    from nasbench_ws.training.building.builder import Progress, build_together
    from nasbench_ws.training.building.builder import build as run
    from nasbench_ws.workers.progress import disk_mib

    fetch(recipe.images, data_root, download)
    with Bar("build") as bar, where_to_run(dask, workers) as (executor, count):

        def on_progress(p: Progress) -> None:
            bar.once(f"{p.total - p.done} runs to make; each is a file, {disk_mib(p.total - p.done):.1f} MiB in all")
            failed = f", {p.failed} failed" if p.failed else ""
            others = f", {p.elsewhere} with other builders in {folder}, for which this one waits" if p.elsewhere else ""
            text = f"{p.done} of {p.total} runs{failed}{others}{NO_WORKERS if p.idle else ''}"
            bar.show((p.done + p.failed) / p.total, text, p.seconds_left, at_once=bool(p.idle or p.elsewhere))

        if lockstep is None:
            make = partial(run, workers=count, executor=executor, retries=retries)
        else:
            make = partial(build_together, together=lockstep, device=device)
        found = make(
            recipe, indices, folder,
            resume_from=resume_from, shard=part, progress=on_progress, root=data_root,
            architectures=[part.strip() for part in archs.split(",")] if archs else None, unique=unique,
        )  # fmt: skip
    if as_json:
        counts = {name: getattr(found, name) for name in ("done", "diverged", "failed", "total")}
        print_json({"folder": folder, **counts})
    else:
        diverged = f", {found.diverged} of them diverged" if found.diverged else ""
        click.echo(f"{found.done} of {found.total} runs are finished in {folder}{diverged}; make a table of them with")
        click.echo(f"  nasbench-ws merge {folder} -o TABLE.h5")
    if found.failed:
        raise RunError(
            f"{found.failed} runs failed and are recorded as such; the same command tries them again, and "
            f"their errors are in their files in {folder}"
        )


@click.command()
@click.argument("architecture")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Seed index.")
@table_option
@own_space_option
@root_option
@quiet_option
@csv_option
@json_option
def train(
    architecture: str, seed: int, table: str, data_root: str | None, download: bool, as_csv: bool, as_json: bool
) -> None:
    """Train one child again by a table's recipe, and compare with what it stores.

    \b
    Example:
      nasbench-ws train 434 --seed 0
    """
    import numpy as np

    from nasbench_ws.images.dataset import SPLITS
    from nasbench_ws.images.loaders import load_images
    from nasbench_ws.space.registry import known_space
    from nasbench_ws.tables.table import load

    opened = load(table)
    known_space(opened.space)  # refuses a --space that is another
    arch = opened.space.architecture(architecture)
    if not opened.firsts[arch.index]:
        first = opened.space[opened.column("isomorph").item(arch.index)]
        click.echo(f"{arch.name} is the network of {first.name}, whose runs the table has", err=True)
        arch = first
    entry = opened.query(arch)
    if seed not in entry.seeds:
        whose, own = (f" of {arch.name}", entry.seeds) if seed in opened.seeds else ("", opened.seeds.tolist())
        raise TableError(f"{opened.name} has no seed {seed}{whose}; it has {', '.join(map(str, own))}")
    place = entry.seeds.index(seed)
    status = entry.status[place]
    if status not in ("ok", "diverged"):
        raise TableError(
            f"{opened.name} has no run of {arch.name} seed {seed} to compare with: it is {status}; name another, or "
            "build it"
        )

    from nasbench_ws.json_files import without_nan
    from nasbench_ws.training.building.standalone import train_run

    fetch(opened.recipe.images, data_root, download)
    images = load_images(opened.recipe.images, SPLITS, data_root)
    with Bar.patient(f"train {arch.name}") as bar:
        on_step = paced(bar, opened.recipe.steps, "steps")
        record = train_run(opened.recipe, arch, seed, images, on_step=on_step)
    stored = {name: entry.curve(name)[place] for name in record.curves if name != "seconds"}
    now, then = record.curves["test_accuracy"], stored["test_accuracy"].tolist()
    rows = [
        {"epoch": epoch, "test": test, "stored": kept}
        for epoch, test, kept in zip(record.epochs, now, then, strict=True)
    ]
    equal = all(np.array_equal(values, record.curves[name], equal_nan=True) for name, values in stored.items())
    gap, spread = abs(now[-1] - then[-1]), entry.test_accuracy.std
    if as_json:
        named = {"architecture": arch.name, "hash": arch.hash, "seed": seed, "table": opened.digest}
        print_json(without_nan({**named, "test_accuracy": rows, "equal": equal, "gap": gap, "seeds_std": spread}))
    elif as_csv:
        print_csv(rows)
    else:
        click.echo(f"{arch.name} seed {seed}: {'epoch':>8}{'test':>9}{'stored':>9}")
        for row in rows:
            shown = "".join(f"{number(row[name], 4):>9}" for name in ("test", "stored"))
            click.echo(f"{'':12}{row['epoch']:>8.2f}{shown}")
        if equal:
            click.echo("equal in every number")
        else:
            click.echo(
                f"not equal: another machine, or other libraries. The last test accuracies differ by "
                f"{number(gap, 4)};\n"
                f"the table's seeds have a standard deviation of {number(spread, 4)}"
            )
    if record.status != status:
        raise RunError(
            f"{arch.name} seed {seed} is {status} in {opened.name}, and {record.status} here; compare `nasbench-ws "
            "doctor` with the table's environments"
        )
    if equal or spread != spread:  # of one seed: nothing says how far another machine's may be
        return
    if not gap <= 4 * spread:
        raise RunError(
            f"{arch.name} seed {seed} differs from {opened.name} by more than 4 standard deviations of its seeds; "
            "compare `nasbench-ws doctor` with the table's environments"
        )


@click.command()
@click.argument("sources", nargs=-1, required=True)
@output_option(help="The table to write.", metavar="TABLE.h5", required=True, old=())
@click.option("--uneven", is_flag=True, help="Children have different numbers of seeds on purpose.")
@force_option
@space_option
@quiet_option
@json_option
def merge(
    sources: tuple[str, ...], output: str, uneven: bool, force: bool, space_name: str, as_json: bool
) -> None:
    """Make a table of finished runs: SOURCES are folders of `build`, and tables.

    A run that no source has is missing, and its child without ground truth;
    with --uneven it is one that nobody wanted, where its child has others. What
    a table among SOURCES knows as not wanted stays so until a run of it comes.

    \b
    Example:
      nasbench-ws merge runs -o mine.h5
      nasbench-ws merge fashion14 more -o mine.h5 --uneven
    """
    from nasbench_ws.space.registry import get_space
    from nasbench_ws.tables.merge import merge as run

    get_space(space_name)  # which makes one of a file known
    check_output(output, force)
    with Bar.patient("merge") as bar:
        bar.show(None, "reading runs", None)
        table = run(sources, output, uneven=uneven)
    say_table(output, table, as_json)


@click.command()
@click.argument("table", shell_complete=complete_tables)
@space_option
@quiet_option
@json_option
def verify(table: str, space_name: str, as_json: bool) -> None:
    """Check a table: digest, shapes, hashes, counts, ranges and statuses.

    \b
    Example:
      nasbench-ws verify fashion14
    """
    from nasbench_ws.space.registry import get_space
    from nasbench_ws.tables.table import load
    from nasbench_ws.tables.table import verify as check

    get_space(space_name)  # which makes one of a file known
    path = locate(table)
    with Bar.patient("verify") as bar:
        bar.show(None, f"reading {path.name}", None)
        problems = check(path)
    if as_json:
        print_json({"table": str(path), "problems": problems})
    elif not problems:
        click.echo(f"{path}: no problems; {load(path)}")
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise TableError(f"{path}: {problems[0]}{more}; merge the runs again")
