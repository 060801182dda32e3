"""Every error a user can meet, and the exit code the command line gives it.

    NasbenchError                         1  base of all below
    ├── UsageError (ValueError)           2  an argument, recipe or option that is invalid
    │   └── MetricError                   2  e.g. K larger than the number of children
    ├── ArchitectureError (LookupError)   3  no such child, or more than one
    ├── TableError                        4  a table that is missing, broken, or of another schema
    ├── DataError                         5  images that are absent or not what their digest says
    ├── StrategyError                     6  a strategy that cannot be loaded or breaks the protocol
    │   └── SearcherError                 6  the same of a searcher
    ├── OutputError (OSError)             7  a path that cannot be written
    ├── RunError                          8  a run that failed for good, or workers that died
    └── ResultError                       9  a result file that is broken or of another schema

An interrupted command exits with 130 (Ctrl-C), 143 (SIGTERM) or 129 (SIGHUP). Every message says what was wrong,
the value met, what is allowed, and the next step.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator


class NasbenchError(Exception):
    """Base of all errors this package raises for a user's mistake or a broken input."""

    exit_code = 1


class UsageError(NasbenchError, ValueError):
    """An argument, recipe or option that is invalid."""

    exit_code = 2


class MetricError(UsageError):
    """Input on which a metric has no meaning, such as K larger than N."""


class ArchitectureError(NasbenchError, LookupError):
    """An architecture that does not exist in the space, or a text that fits more than one."""

    exit_code = 3


class TableError(NasbenchError):
    """A table that is missing, broken, or written under another schema."""

    exit_code = 4


class DataError(NasbenchError):
    """Images that are absent, or not what their digest says."""

    exit_code = 5


class StrategyError(NasbenchError):
    """A strategy that cannot be loaded, or that breaks the protocol."""

    exit_code = 6


class SearcherError(StrategyError):
    """A searcher that cannot be loaded, or that breaks the protocol."""


class OutputError(NasbenchError, OSError):
    """A path that cannot be written."""

    exit_code = 7


class RunError(NasbenchError):
    """A run that failed for good, or workers that died."""

    exit_code = 8


class ResultError(NasbenchError):
    """A result file that is broken or written under another schema."""

    exit_code = 9



def near_misses(word: str, known: Iterable[str], n: int = 3) -> str:
    """A clause naming the known words nearest to `word`, or nothing: `` (did you mean a or b?)``."""
    import difflib  # takes a millisecond, which only a mistake has to wait for

    close = difflib.get_close_matches(word, list(known), n=n, cutoff=0.5)
    return f" (did you mean {' or '.join(close)}?)" if close else ""


@contextlib.contextmanager
def extra(name: str, needed: str) -> Iterator[None]:
    """Around the import of a library that an extra of this package brings: UsageError says how to get it."""
    try:
        yield
    except ImportError as error:
        raise UsageError(f"{needed}; get it with: pip install 'nasbench-ws[{name}]'") from error
