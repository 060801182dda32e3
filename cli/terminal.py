"""stdout as a terminal, or whoever reads the answer, may be given it.

Names in tables, results and folders come from strangers, and what a user's code starts or calls may write, too.

    with harmless_output():
        click.echo("\\x1b[2J of a name")        # is written out, and clears no screen
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

from nasbench_ws.markup import printable


class _Kept:
    """A stream of the process that a user's code may close: it stays open, for what this program has yet to say."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def close(self) -> None:
        self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Printable(_Kept):
    """A text stream that writes `printable` texts, of the thread that runs the command alone.

    A thread that a user's code has started prints at any time, and its words are no part of the answer.
    """

    def write(self, text: str) -> int:
        if threading.current_thread() is threading.main_thread():
            self._stream.write(printable(text))
        elif sys.stderr is not None:
            sys.stderr.write(text)
        return len(text)


@contextlib.contextmanager
def harmless_output() -> Iterator[None]:
    """Inside, stdout passes no escape sequence on, and is written by this program alone; nobody closes it or stderr."""
    own, errors = sys.stdout, sys.stderr
    with _apart(own) as stream:
        sys.stdout = _Printable(stream)
        if errors is not None:
            sys.stderr = _Kept(errors)
        try:
            yield
        finally:
            sys.stdout, sys.stderr = own, errors


@contextlib.contextmanager
def _apart(own: Any) -> Iterator[Any]:
    """The process's standard output by another descriptor; the first is stderr's meanwhile.

    What programs that a user's code starts, and libraries that are not Python's, write to it is no part of the answer.
    """
    try:
        os.fstat(2)
        ours = own.fileno() == 1
    except (OSError, ValueError, AttributeError):  # stderr is closed, or this is no stream of the system
        ours = False
    if not ours:
        yield own
        return
    own.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    stream = os.fdopen(kept, "w", encoding=own.encoding, errors=own.errors, newline="\n")
    try:
        yield stream
        stream.flush()
    finally:
        with contextlib.suppress(OSError):
            own.flush()  # of who kept the stream: to stderr too
        os.dup2(kept, 1)
        with contextlib.suppress(OSError):  # which the flush has met already
            stream.close()
