"""A line of progress where somebody looks on, and none in a script."""

from __future__ import annotations

import builtins
import sys

import pytest

from nasbench_ws.workers.interactive import line
from nasbench_ws.workers.progress import Progress


def test_a_line_in_a_notebook_and_none_in_a_script(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delattr(builtins, "__IPYTHON__", raising=False)
    monkeypatch.delattr(sys, "ps1", raising=False)
    assert line("evaluate mine") is None
    monkeypatch.setattr(builtins, "__IPYTHON__", True, raising=False)
    show = line("evaluate mine")
    assert show is not None
    show(Progress(0, 0, 3, 0.25, 31.4))
    show(Progress(0, 0, 3, 0.26, 31.0))  # too soon
    show(Progress(3, 0, 3, 1.0, 0.0))
    shown = capsys.readouterr()
    assert [part.rstrip() for part in shown.err.split("\r")] == [
        "", "evaluate mine: 25%, 0 of 3, 31 s left", "evaluate mine: 100%, 3 of 3",
    ]  # fmt: skip
    assert (shown.out, shown.err[-1]) == ("", "\n")
