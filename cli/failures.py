"""Errors as a user should meet them: a message, an exit code, no bare traceback for a mistake of theirs."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

import nasbench_ws
from nasbench_ws.cli.terminal import harmless_output
from nasbench_ws.errors import NasbenchError, OutputError, StrategyError, UsageError
from nasbench_ws.markup import printable
from nasbench_ws.workers.signals import stopped_by, stops_as_interrupts

LIBRARIES = {  # of ours that a look-up does without, and who brings each
    "torch": "torch", "torchvision": "torchvision", "scipy": "scipy", "PIL": "torchvision",
}  # fmt: skip

AGAIN = "run the same command again"


def guarded(command: Callable[..., Any], *arguments: Any) -> None:
    """Run a click command and exit as the group's help documents. Click's own: 1 where the output's reader is gone."""
    try:
        if sys.stdout is None:  # as `>&-` leaves it; click would drop the answer
            raise OutputError("standard output is closed, and the answer goes there; redirect it, perhaps to /dev/null")
        with stops_as_interrupts(), harmless_output():
            status = command(*arguments, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort) as error:
        _interrupted(error)
        sys.exit(128 + stopped_by())  # as shells count them: 130, 143 for SIGTERM, 129 for SIGHUP
    except NasbenchError as error:
        _show(error)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        if _library(error) not in LIBRARIES:
            raise
        click.echo(f"Error: {needs(error)}", err=True)
        sys.exit(UsageError.exit_code)
    except OSError as error:
        if error.filename is not None:  # of a file, and a fault of ours: all others are NasbenchErrors by now
            raise
        _discard_output()
        if error.errno == errno.EPIPE:
            sys.exit(1)  # as click does: the reader has what it wanted
        said = error.strerror or str(error)
        _show(OutputError(f"standard output cannot be written: {said}; free some space there, or redirect it"))
        sys.exit(OutputError.exit_code)
    sys.exit(status if isinstance(status, int) else 0)


@contextlib.contextmanager
def interrupted_says(message: str) -> Iterator[None]:
    """An interruption inside says this: what is kept, and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(message) from None


def needs(error: ModuleNotFoundError) -> str:
    """What to install where one of LIBRARIES is missing."""
    library = _library(error)
    return f"this needs {library}, which is not installed here; get it with: pip install {LIBRARIES[library]}"


def require(library: str) -> None:
    """Refuse at once what workers of other processes would need; imports nothing."""
    if importlib.util.find_spec(library) is None:
        raise ModuleNotFoundError(name=library)


def _library(error: ModuleNotFoundError) -> str:
    return (error.name or "").partition(".")[0]


def _show(error: NasbenchError) -> None:
    if isinstance(error, StrategyError) and error.__cause__ is not None:
        click.echo("".join(_own_frames(error.__cause__)), err=True, nl=False)
    click.echo(f"Error: {printable(str(error))}", err=True)


def _own_frames(cause: BaseException) -> list[str]:
    """A user's traceback, from the first frame of their own file on. Of another process there is its text alone."""
    remote = getattr(cause, "tb", None)  # of concurrent.futures: the whole chain, the error of ours at its end
    if isinstance(remote, str):
        theirs, chained, _ = remote.strip('\n"').partition("\n\nThe above exception was the direct cause")
        return [theirs, "\n"] if chained else []
    frames = traceback.extract_tb(cause.__traceback__)
    first = next((i for i, frame in enumerate(frames) if not _ours(frame.filename)), len(frames))
    shown = traceback.format_list(frames[first:])
    head = ["Traceback (most recent call last):\n"] if shown else []
    return head + shown + traceback.format_exception_only(cause)


def _ours(filename: str) -> bool:
    """Whether a file is of this package, or of Python's import."""
    folders = (Path(module.__file__).parent for module in (nasbench_ws, importlib) if module.__file__)
    return filename.startswith("<frozen importlib") or any(Path(filename).is_relative_to(one) for one in folders)


def _discard_output() -> None:
    """Send what is left in the buffer nowhere: Python's own flush at the end would fail once more."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _interrupted(error: BaseException) -> None:
    if isinstance(error, click.Abort) and error.__cause__ is not None:  # click's own name for Ctrl-C
        error = error.__cause__
    message = str(error) if isinstance(error, KeyboardInterrupt) else ""
    with contextlib.suppress(OSError):  # stderr may have gone with its terminal
        click.echo(f"Interrupted: {message.removeprefix('interrupted: ') or AGAIN}", err=True)
