"""stdout as a terminal may be given it: names in tables, results and folders come from strangers.

    with harmless_output():
        click.echo("\\x1b[2J of a name")        # is written out, and clears no screen
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from nasbench_ws.markup import printable


class _Printable:
    """A text stream that writes `printable` texts, and else is the one it was given."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(printable(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def harmless_output() -> Iterator[None]:
    """Inside, stdout passes no escape sequence on."""
    own, sys.stdout = sys.stdout, _Printable(sys.stdout)
    try:
        yield
    finally:
        sys.stdout = own
