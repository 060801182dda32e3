"""Options and arguments that several commands share, and how they are read."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from nasbench_ws.cli.completion import complete_metrics, complete_modes, complete_results, complete_tables
from nasbench_ws.errors import UsageError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from nasbench_ws.tables.table import Table

Command = TypeVar("Command", bound=Callable[..., Any])

NO_WORKERS = ", and no dask worker to do it: start some with `dask worker`"
TABLE_HELP = "A shipped table's name, or the path of a table."


ALLOWED_EMPTY = ("output", "dask")  # which say more where they are read


def without_empty(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command that refuses each text that was given, and is empty: as `--work "$SCRATCH"` is where nobody set that.

    It is no wish for the default, nor for the folder one stands in. What is empty by default may be.
    """

    @functools.wraps(command)
    def careful(*arguments: Any, **options: Any) -> Any:
        context = click.get_current_context()
        for parameter in context.command.params:
            name = parameter.name or ""
            value = context.params.get(name)
            given = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
            empty = "" in (value if isinstance(value, tuple) else (value,))
            if given and empty and parameter.default != "" and name not in ALLOWED_EMPTY:
                raise _empty(parameter)
        return command(*arguments, **options)

    return careful


class FilePath(click.Path):
    """A `Path`, which would make "." of an empty text."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "" and param is not None:
            raise _empty(param)
        return super().convert(value, param, ctx)


def _empty(parameter: click.Parameter) -> UsageError:
    label = parameter.opts[-1] if isinstance(parameter, click.Option) else parameter.human_readable_name
    return UsageError(f"{label} is empty, as an unset variable of a shell leaves it; give it a value")


def results_argument(required: bool = True) -> Callable[[Command], Command]:
    """RESULT...: files, or names of results that ship."""
    return click.argument(
        "results", nargs=-1, required=required, metavar="RESULT..." if required else "[RESULT]...",
        shell_complete=complete_results,
    )  # fmt: skip


def metric_option(help: str) -> Callable[[Command], Command]:
    """--metric, by the name that is printed or by its own."""
    return click.option(
        "--metric", default="kendall_tau", show_default=True, metavar="METRIC", shell_complete=complete_metrics,
        help=f"{help} As printed (T1R, P@top5), or by its own name.",
    )  # fmt: skip


def mode_option(help: str, **more: Any) -> Callable[[Command], Command]:
    """--batch-norm, completed."""
    return click.option("--batch-norm", metavar="MODE", shell_complete=complete_modes, help=help, **more)


def table_option(command: Command) -> Command:
    return click.option(
        "--table", default="fashion14", show_default=True, metavar="TABLE", help=TABLE_HELP,
        shell_complete=complete_tables,
    )(command)  # fmt: skip


def missing_option(command: Command) -> Command:
    return click.option("--allow-missing", is_flag=True, help="Leave out children whose runs the table lacks.")(command)


def say_missing(table: Table, allow_missing: bool) -> None:
    """On stderr, which children are left out."""
    if allow_missing and table.absent():
        from nasbench_ws.results.truth import Among

        known = set(Among.known(table).places)
        lacking = [child.name for child in table.space if child.index not in known]
        more = f" and {len(lacking) - 20} more" if len(lacking) > 20 else ""
        click.echo(f"left out, for {table.name} lacks runs: {', '.join(lacking[:20])}{more}", err=True)


def root_option(command: Command) -> Command:
    command = click.option("--download", is_flag=True, help="Let torchvision fetch it into that folder.")(command)
    return click.option("--data-root", metavar="DIR", help="Where data sets that do not ship are.")(command)


def fetch(images: str, data_root: str | None, download: bool) -> None:
    """With --download: have the data set in its folder before anything reads it."""
    if download:
        from nasbench_ws.images.dataset import SPLITS
        from nasbench_ws.images.loaders import load_images

        load_images(images, SPLITS, data_root, download=True)


def quiet_option(command: Command) -> Command:
    """--quiet, which progress.py asks the context for."""

    def keep(context: click.Context, parameter: click.Parameter, value: bool) -> None:
        context.meta["nasbench_ws.quiet"] = value

    return click.option(
        "-q", "--quiet", is_flag=True, expose_value=False, callback=keep, help="No progress on stderr."
    )(command)


def workers_option(command: Command) -> Command:
    return click.option(
        "--workers", type=click.IntRange(1),
        help="Worker processes, or tasks sent to --dask at a time.  [default: processors]",
    )(command)


def dask_option(command: Command) -> Command:
    return click.option(
        "--dask", metavar="ADDRESS|FILE",
        help="Run on the workers of a dask scheduler. It runs whatever is sent to it: keep it private.",
    )(command)


@contextlib.contextmanager
def where_to_run(dask: str | None, workers: int | None) -> Iterator[tuple[Executor | None, int]]:
    """The executor, None for processes here, and how many tasks it shall have at a time."""
    if dask is None:
        from nasbench_ws.workers.processes import available_cpus

        yield None, workers or available_cpus()
        return
    if not dask:  # an unset variable of a shell: not a wish to work here
        raise UsageError("--dask is empty; give a scheduler's address, or its file")
    from nasbench_ws.workers.dask import dask_executor, threads

    with dask_executor(dask) as executor:
        yield executor, workers or 2 * threads(executor)  # one at work, one on the way


def recipe_option(command: Command) -> Command:
    return click.option(
        "--recipe", "changes", default="", metavar="KEY=VALUE,...", help="Changes to the recipe, e.g. epochs=4,lr=0.2"
    )(command)


def space_option(command: Command) -> Command:
    return click.option(
        "--space", "space_name", default="deeper64", show_default=True, metavar="SPACE",
        help="A name, or FILE.py:NAME for your own and its operations.",
    )(command)  # fmt: skip


def own_space_option(command: Command) -> Command:
    """Of commands that take a table, which says the rest of its space."""

    def known(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
        if value == "":
            raise _empty(parameter)
        if value is not None:
            from nasbench_ws.space.registry import get_space

            get_space(value)

    return click.option(
        "--space", metavar="FILE.py:NAME", callback=known, expose_value=False,
        help="The file of the table's space, where it and its operations are your own.",
    )(command)  # fmt: skip


def locate(table: str) -> Path:
    """The file of a shipped table's name, or the path given."""
    from nasbench_ws.tables.table import shipped

    return shipped().get(table, Path(table))


def seeds(text: str) -> list[int]:
    """`0-2,5` is [0, 1, 2, 5]."""
    from nasbench_ws.limits import MOST_SEEDS, check_most, shown, whole

    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        low, high = whole(first), whole(last if dash else first)
        if low is None or high is None:
            raise UsageError(f"seeds {shown(text)} cannot be read at {shown(part)}; write 0-9 or 0,1,5")
        more = range(low, high + 1)
        check_most(f"the number of seeds in {shown(text)}", len(found) + more.stop - more.start, MOST_SEEDS)
        found += more
    if not found:
        raise UsageError(f"seeds {text!r} are none; the last of a range is at least its first, as in 0-9")
    return found


def shard(text: str) -> tuple[int, int]:
    """`2/8` is (2, 8)."""
    from nasbench_ws.limits import shown, whole

    first, slash, second = text.partition("/")
    i, n = whole(first), whole(second)
    if not slash or i is None or n is None:
        raise UsageError(f"shard {shown(text)} cannot be read; write i/n, counted from 0, such as 0/8")
    return i, n
