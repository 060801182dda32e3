"""What the shell completes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nasbench_ws.cli import group
from nasbench_ws.cli.completion import Bash

VARIABLE = "_NASBENCH_WS_COMPLETE"


def completed(line: str, word: str | None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What bash is given for the end of a line, of which `word` is the part that it completes."""
    monkeypatch.setenv("COMP_WORDS", line)
    if word is not None:
        monkeypatch.setenv("COMP_WORD", word)
    return Bash(group, {}, "nasbench-ws", VARIABLE).complete().splitlines()


@pytest.mark.parametrize(
    ("line", "word", "offered"),
    [
        ("le", "le", ["plain,leaderboard"]),
        ("check gr", "gr", ["plain,groups:file:", "plain,groups:random:", "plain,groups:similar:", "file,gr"]),
        ("query 434 --table fashion14-", "fashion14-", ["plain,fashion14-topology", "file,fashion14-"]),
        ("evaluate full --match g", "g", ["plain,group-compute"]),
        ("evaluate dar", "dar", ["plain,darts", "file,dar"]),  # a name, and what the shell makes a file of
        ("evaluate groups:s", "s", ["plain,similar:", "file,groups:s"]),  # bash breaks words at colons
        ("evaluate groups:", "", ["plain,file:", "plain,random:", "plain,similar:", "file,groups:"]),
        ("evaluate groups:s", None, ["plain,groups:similar:", "file,groups:s"]),  # click's own script asks so
        ("leaderboard --metric p@t", "p@t", ["plain,P@top5"]),
        ("leaderboard --metric ndcg", "ndcg", ["plain,NDCG@5"]),
        ("evaluate full --batch-norm r", "r", ["plain,running", "plain,recalibrate"]),
        ("evaluate full --schedule u", "u", ["plain,uniform", "file,u"]),
        ("search lar", "lar", ["plain,large-scale", "file,lar"]),
        ("compare full none-", "none-", ["plain,none-child-updates", "plain,none-group-compute", "file,none-"]),
        ("why ful", "ful", ["plain,full", "file,ful"]),
        ("verify nasbench201-i", "nasbench201-i", ["plain,nasbench201-imagenet16-120", "file,nasbench201-i"]),
        ("top --by test_", "test_", ["plain,test_accuracy"]),
    ],
)  # fmt: skip
def test_the_shell_completes(line: str, word: str | None, offered: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert completed(f"nasbench-ws {line}", word, monkeypatch) == offered


MAIN = "import sys; from nasbench_ws.cli import main; sys.argv[0] = 'nasbench-ws'; main()"
SCRIPT = """
eval "$(_NASBENCH_WS_COMPLETE=bash_source nasbench-ws)"
ask() { COMP_LINE="nasbench-ws $1" COMP_POINT=$((12 + ${#1})); _nasbench_ws_completion nasbench-ws "$2" "" 2>/dev/null
  echo "${COMPREPLY[@]}"; }
ask "evaluate groups:s" s
ask "compare fu" fu
ask "why mi" mi
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_understands_its_script(tmp_path: Path) -> None:
    """Without a terminal, so that only `compopt`, which asks for one, does nothing."""
    (tmp_path / "mine.json").touch()
    (tmp_path / "nasbench-ws").write_text(f'#!/bin/sh\nexec {sys.executable} -P -c "{MAIN}"\n')
    (tmp_path / "nasbench-ws").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    found = subprocess.run(
        ["bash", "--norc", "-c", SCRIPT], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert (found.stdout.splitlines(), found.stderr) == (["similar:", "full", "mine.json"], "")
