"""data, doctor: what is installed here, and whether it is whole."""

from __future__ import annotations

from pathlib import Path

import click

from nasbench_ws.cli.options import locate, missing_option, say_missing, table_option
from nasbench_ws.cli.outputs import check_output, force_option, output_option

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
      nasbench-ws data prepare /usr/share/datasets/fashion-mnist mine.h5
    """


@data.command(name="list")
def list_() -> None:
    """The data sets that recipes can name."""
    for name, text in SETS.items():
        click.echo(f"{name:16}{text}")


@data.command()
def check() -> None:
    """Check the digests of the images and tables that ship."""
    from nasbench_ws.images.dataset import SPLITS
    from nasbench_ws.images.loaders import load_images
    from nasbench_ws.tables.table import load, shipped, verify

    images = load_images("fashion14", SPLITS)
    counts = ", ".join(f"{len(images.splits[split]):,} {split}" for split in SPLITS)
    click.echo(f"images fashion14: {counts}, digest {images.digest}")
    for name in shipped():
        problems = verify(locate(name))
        click.echo(f"table {name}: {'; '.join(problems) or 'no problems'}, digest {load(name).digest}")


@data.command()
@click.argument("name")
@click.option("--data-root", required=True, metavar="DIR", help="Where the data set is, or shall be put.")
def download(name: str, data_root: str) -> None:
    """Fetch a data set through torchvision: cifar10, cifar100 or fashion-mnist."""
    from nasbench_ws.images.dataset import SPLITS
    from nasbench_ws.images.loaders import load_images

    images = load_images(name, SPLITS, data_root, download=True)
    click.echo(f"{name}: {', '.join(f'{len(images.splits[s]):,} {s}' for s in SPLITS)}, digest {images.digest}")


@data.command()
@click.argument("originals", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path), default=Path("fashion14-images.h5"))
@click.option("--download", "fetch", is_flag=True, help="Let torchvision fetch the originals first.")
@force_option
def prepare(originals: Path, output: Path, fetch: bool, force: bool) -> None:
    """Make the shipped images from Fashion-MNIST's original files.

    The same content, byte for byte, every time.
    """
    from nasbench_ws.images.prepare import prepare as run

    check_output(str(output), force, (HDF5,))
    images = run(originals, output, fetch)
    counts = ", ".join(f"{len(split):,} {name}" for name, split in images.splits.items())
    click.echo(f"{output}: {counts}, digest {images.digest}")


@data.command()
@table_option
@click.option("--against", multiple=True, metavar="TABLE", help="Another table, to say how far they agree.")
@missing_option
def card(table: str, against: tuple[str, ...], allow_missing: bool) -> None:
    """A table's card: what it is and its first numbers, as Markdown."""
    from nasbench_ws.evaluation.reference import shipped_full
    from nasbench_ws.report.card import card as write
    from nasbench_ws.tables.table import load

    opened = load(table)
    say_missing(opened, allow_missing)
    others = [load(other) for other in against]
    click.echo(write(opened, others, shipped_full(opened), allow_missing=allow_missing), nl=False)


@data.command()
@click.argument("mean", type=click.Path(path_type=Path))
@click.argument("std", type=click.Path(path_type=Path))
@output_option(help="The table to write.", metavar="TABLE.h5", default="paper.h5", show_default=True, old=())
@force_option
def published(mean: Path, std: Path, output: str, force: bool) -> None:
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
    click.echo(f"{load(output)}, digest {load(output).digest}")


@click.command()
def doctor() -> None:
    """Versions, processor, and which path computes.

    \b
    Example:
      nasbench-ws doctor
    """
    from nasbench_ws.cli.failures import needs
    from nasbench_ws.provenance import versions
    from nasbench_ws.tables.table import load, shipped
    from nasbench_ws.workers.processes import available_cpus

    lines = {**versions(), "processors": str(available_cpus())}
    try:
        from nasbench_ws.training.diagnosis import diagnosis
    except ModuleNotFoundError as error:
        lines["training"] = needs(error)
    else:
        lines |= diagnosis()
    for name, text in lines.items():
        click.echo(f"{name:16}{text}")
    for name in shipped():
        click.echo(f"{'table':16}{load(name)}")
