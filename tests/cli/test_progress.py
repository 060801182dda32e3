"""What is said on stderr while a command works."""

from __future__ import annotations

import re
import time

import pytest

from nasbench_ws.cli import progress
from nasbench_ws.cli.progress import Bar, counted


def test_a_step_without_parts_is_told_while_it_works(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.02)
    with Bar("assess", after=0.02) as bar:
        bar.show(None, "measuring", None)
        deadline = time.monotonic() + 10
        said = ""
        while said.count("\n") < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
            said += capsys.readouterr().err
    assert said.startswith("assess: measuring, 0 s\nassess: measuring, 0 s\n")
    time.sleep(0.05)
    assert capsys.readouterr().err == ""  # nothing when it is over


def test_what_is_quick_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar("assess", after=60.0) as bar:
        bar.show(None, "measuring", None)
        bar.show(0.5, "1 of 2 parts", None)
    assert capsys.readouterr().err == ""


def test_parts_have_the_time_left_at_their_pace(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    with Bar("report", after=0.0) as bar:
        on_figure = counted(bar, "figures")
        for done in range(4):
            on_figure(done, 4)
            now += 20
    assert capsys.readouterr().err.splitlines() == [
        "report: 0%, 0 of 4 figures",
        "report: 25%, 1 of 4 figures, 1 min 00 s left",
        "report: 50%, 2 of 4 figures, 40 s left",
        "report: 75%, 3 of 4 figures, 20 s left",
    ]


def test_a_command_that_takes_long_says_so_and_one_that_does_not_says_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for patience, said in ((60.0, False), (0.02, True)):
        monkeypatch.setattr(progress, "PATIENCE", patience)
        with Bar.patient("compare") as bar:
            bar.show(None, "measuring", None)
            time.sleep(0.05)
            found, deadline = capsys.readouterr().err, time.monotonic() + 30
            while said and not found and time.monotonic() < deadline:  # who else computes here
                time.sleep(0.02)
                found = capsys.readouterr().err
        assert bool(re.match(r"compare: measuring, \d+ s\n", found)) == said
