"""data, doctor: what is installed here, and whether it is whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nasbench_ws.cli.options import FilePath, locate, missing_option, quiet_option, say_missing, table_option
from nasbench_ws.cli.outputs import (
    check_output,
    csv_option,
    force_option,
    json_option,
    output_option,
    print_csv,
    print_json,
    say_table,
    summary,
)
from nasbench_ws.cli.progress import Bar
from nasbench_ws.errors import DataError

if TYPE_CHECKING:
    from nasbench_ws.images.dataset import Images

HDF5 = b"\x89HDF"  # of a file of images, which has no seal
SETS = {
    "fashion14": "Fashion-MNIST at 14x14; ships with the package",
    "fashion-mnist": "Fashion-MNIST, 28x28; --data-root or --download",
    "cifar10": "CIFAR-10, 32x32 colour; --data-root or --download",
    "cifar100": "CIFAR-100, 32x32 colour; --data-root or --download",
    "folder:PATH": "your own: PATH/train, PATH/valid and PATH/test, a folder a class in each",
}


@click.group()
def data() -> None:
    """The images: list, check, prepare; and a table's card.

    \b
    Example:
      nasbench-ws data list
      nasbench-ws data prepare /usr/share/datasets/fashion-mnist -o mine.h5
    """


@data.command(name="list")
@csv_option
@json_option
def list_(as_csv: bool, as_json: bool) -> None:
    """The data sets that recipes can name."""
    rows = [{"name": name, "what": text} for name, text in SETS.items()]
    if as_json:
        print_json({"data_sets": rows})
        return
    if as_csv:
        print_csv(rows)
        return
    for name, text in SETS.items():
        click.echo(f"{name:16}{text}")


@data.command()
@quiet_option
@json_option
def check(as_json: bool) -> None:
    """Check the digests of the images and tables that ship."""
    from nasbench_ws.images.dataset import SPLITS
    from nasbench_ws.images.loaders import load_images
    from nasbench_ws.tables.table import load, shipped, verify

    images = load_images("fashion14", SPLITS)
    found = {}
    if not as_json:
        _say_images("images fashion14", images, False)
    with Bar.patient("data check") as bar:
        for place, name in enumerate(tables := list(shipped())):
            bar.show(place / len(tables), f"{place} of {len(tables)} tables", None)
            problems = verify(locate(name))
            found[name] = {"problems": problems, "digest": load(name).digest}
            if not as_json:
                click.echo(f"table {name}: {'; '.join(problems) or 'no problems'}, digest {found[name]['digest']}")
    if as_json:
        print_json({"images": {"fashion14": _images(images)}, "tables": found})


def _images(images: Images) -> dict[str, Any]:
    return {**{name: len(split) for name, split in images.splits.items()}, "digest": images.digest}


def _say_images(what: str, images: Images, as_json: bool) -> None:
    """How many images of each split there are, and their digest."""
    if as_json:
        print_json({"images": what, **_images(images)})
        return
    counts = ", ".join(f"{len(split):,} {name}" for name, split in images.splits.items())
    click.echo(f"{what}: {counts}, digest {images.digest}")


@data.command()
@click.argument("name")
@click.option("--data-root", required=True, metavar="DIR", help="Where the data set is, or will be put.")
@quiet_option
@json_option
def download(name: str, data_root: str, as_json: bool) -> None:
    """Fetch a data set through torchvision: cifar10, cifar100 or fashion-mnist."""
    from nasbench_ws.images.dataset import SPLITS
    from nasbench_ws.images.loaders import load_images

    with Bar.patient("data download") as bar:
        bar.show(None, f"fetching {name}", None)
        images = load_images(name, SPLITS, data_root, download=True)
    _say_images(name, images, as_json)


@data.command()
@click.argument("originals", type=FilePath())
@output_option(help="The images to write.", metavar="IMAGES.h5", default="fashion14-images.h5", show_default=True)
@click.option("--download", "fetch", is_flag=True, help="Let torchvision fetch the originals first.")
@force_option
@quiet_option
@json_option
def prepare(originals: Path, output: str, fetch: bool, force: bool, as_json: bool) -> None:
    """Make the shipped images from Fashion-MNIST's original files.

    The same content, byte for byte, every time.
    """
    check_output(output, force, (HDF5,))
    if not fetch and not originals.is_dir():
        raise DataError(
            f"{originals} is no folder; give the one with Fashion-MNIST's idx files (on Debian, `apt install "
            "dataset-fashion-mnist` puts them in /usr/share/datasets/fashion-mnist), or fetch them with --download"
        )
    from nasbench_ws.images.prepare import prepare as run

    with Bar.patient("data prepare") as bar:
        bar.show(None, "pooling images", None)
        images = run(originals, Path(output), fetch)
    _say_images(output, images, as_json)


@data.command()
@table_option
@click.option("--against", multiple=True, metavar="TABLE", help="Another table, to state how far the two agree.")
@missing_option
@quiet_option
@json_option
def card(table: str, against: tuple[str, ...], allow_missing: bool, as_json: bool) -> None:
    """A table's card: what it is and its first numbers, as Markdown."""
    from nasbench_ws.evaluation.reference import shipped_full
    from nasbench_ws.report.card import card as write
    from nasbench_ws.tables.table import load

    opened = load(table)
    say_missing(opened, allow_missing)
    others = [load(other) for other in against]
    with Bar.patient("data card") as bar:
        bar.show(None, "measuring", None)
        text = write(opened, others, shipped_full(opened), allow_missing=allow_missing)
    if as_json:
        print_json({"table": opened.digest, "markdown": text})
    else:
        click.echo(text, nl=False)


@data.command()
@click.argument("mean", type=FilePath())
@click.argument("std", type=FilePath())
@output_option(help="The table to write.", metavar="TABLE.h5", default="paper.h5", show_default=True, old=())
@force_option
@json_option
def published(mean: Path, std: Path, output: str, force: bool, as_json: bool) -> None:
    """Make a table of the paper's own CIFAR-10 accuracies.

    MEAN and STD are its authors' two text files, with a number for each of the
    64 children; get them with the authors' code.

    \b
    Example:
      nasbench-ws data published mean.txt std.txt -o paper.h5
      nasbench-ws data card --against paper.h5
    """
    from nasbench_ws.tables.outside.paper import published as run
    from nasbench_ws.tables.outside.paper import read_numbers
    from nasbench_ws.tables.table import load, write_table

    check_output(output, force)
    write_table(Path(output), run(read_numbers(mean), read_numbers(std)))
    say_table(output, load(output), as_json)


@click.command()
@quiet_option
@json_option
def doctor(as_json: bool) -> None:
    """Versions, processor, and which path computes.

    \b
    Example:
      nasbench-ws doctor
    """
    from nasbench_ws.cli.failures import needs
    from nasbench_ws.provenance import versions
    from nasbench_ws.tables.table import load, shipped
    from nasbench_ws.workers.processes import available_cpus

    with Bar.patient("doctor") as bar:
        bar.show(None, "loading torch", None)
        lines = {**versions(), "processors": str(available_cpus())}
        try:
            from nasbench_ws.training.diagnosis import diagnosis
        except ModuleNotFoundError as error:
            lines["training"] = needs(error)
        else:
            lines |= diagnosis()
        tables = {}
        for place, name in enumerate(names := list(shipped())):
            bar.show(place / len(names), f"{place} of {len(names)} tables", None)
            tables[name] = load(name)
    if as_json:
        print_json({**lines, "tables": {name: summary(table) for name, table in tables.items()}})
        return
    for name, text in lines.items():
        click.echo(f"{name:16}{text}")
    for table in tables.values():
        click.echo(f"{'table':16}{table}")
