"""Ctrl-C, SIGTERM and SIGHUP: each interrupts, none in the middle of what must be whole, nor a process that is started.

    with stops_as_interrupts():
        with uninterrupted():
            write(result)                 # whole, and KeyboardInterrupt afterwards
        with unheard():
            process.start()               # which Ctrl-C on the terminal, sent to it too, leaves alone
    stopped_by()                          # SIGINT, or SIGTERM or SIGHUP where that came

Not here: what is said (cli/failures.py), and what workers do about signals (processes.py).
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

# That become KeyboardInterrupt. Batch systems send SIGTERM at the end of the time, terminals that close SIGHUP.
SIGNALS = tuple(signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if name in signal.Signals.__members__)

_came: list[int] = []  # all but SIGINT, of which Python's own handler notes nothing


def stopped_by() -> signal.Signals:
    """What the latest KeyboardInterrupt was: the latest SIGTERM or SIGHUP of this process, else SIGINT."""
    return signal.Signals(_came[-1]) if _came else signal.SIGINT


@contextlib.contextmanager
def stops_as_interrupts() -> Iterator[None]:
    """SIGTERM and SIGHUP become KeyboardInterrupt; where SIGHUP is ignored, as under `nohup`, it stays so."""
    others = [number for number in SIGNALS if number != signal.SIGINT]
    with _handling({number: _interrupt for number in others if signal.getsignal(number) != signal.SIG_IGN}):
        yield


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Put them off until the block has ended: what is finished is written. A second one ends it at once.

    Only what would become KeyboardInterrupt is put off; other handlers, and ignored signals, stay as they are.
    """
    pending: list[int] = []

    def note(number: int, frame: object) -> None:
        if number != signal.SIGINT:
            _came.append(number)
        if pending:
            raise KeyboardInterrupt
        pending.append(number)

    ours = (signal.default_int_handler, _interrupt)
    with _handling({number: note for number in SIGNALS if signal.getsignal(number) in ours}):
        yield
    if pending:
        raise KeyboardInterrupt


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """A process that is started inside hears of none; this one does, at the end of the block.

    A terminal sends Ctrl-C to every process of a command, and one that has just begun would print the traceback of
    whatever it is importing. The mask of signals is the one thing that a process has from its first instruction on.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def hear() -> None:
    """In a process that was started `unheard`, once it has handlers of its own."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def _interrupt(number: int, frame: object) -> None:
    _came.append(number)
    raise KeyboardInterrupt


@contextlib.contextmanager
def _handling(handlers: dict[signal.Signals, Callable[[int, Any], Any]]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # where Python forbids handlers, and none runs
        yield
        return
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
