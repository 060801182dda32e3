"""Progress where somebody looks on: a notebook, or Python's own prompt.

    evaluate(MyStrategy, on_progress=None)          # there: one line on stderr, written over; in a script: nothing

Not here: the command line's bar (cli/progress.py), and what is reported (progress.py).
"""

from __future__ import annotations

import builtins
import sys
import time

from nasbench_ws.workers.progress import OnProgress, Progress

WIDTH = 78  # of the line
SECONDS = 0.5  # between two of them


def watched() -> bool:
    """Whether a person types here: in IPython or Jupyter, or at Python's prompt."""
    return hasattr(builtins, "__IPYTHON__") or hasattr(sys, "ps1") or bool(sys.flags.interactive)


def line(title: str) -> OnProgress | None:
    """A callback that writes over one line of stderr; None where nobody looks on."""
    if not watched():
        return None
    last = 0.0

    def show(p: Progress) -> None:
        nonlocal last
        now, ended = time.monotonic(), p.fraction >= 1
        if now - last < SECONDS and not ended:
            return
        last = now
        left = "" if p.seconds_left is None or ended else f", {p.seconds_left:.0f} s left"
        text = f"{title}: {p.fraction:.0%}, {p.done} of {p.total}{left}"
        sys.stderr.write(f"\r{text[:WIDTH]:{WIDTH}}{chr(10) if ended else ''}")
        sys.stderr.flush()

    return show
