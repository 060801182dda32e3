"""What the shell completes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

MAIN = [sys.executable, "-P", "-c", "from nasbench_ws.cli import main; import sys; sys.argv[0] = 'nasbench-ws'; main()"]


def completed(words: str) -> list[str]:
    """What bash would offer for the last of the words."""
    environment = {
        **os.environ, "_NASBENCH_WS_COMPLETE": "bash_complete", "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }  # fmt: skip
    found = subprocess.run(MAIN, env=environment, capture_output=True, text=True, check=True)
    return [line.partition(",")[2] for line in found.stdout.splitlines()]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("nasbench-ws le", ["leaderboard"]),
        ("nasbench-ws strategies gr", ["groups:file:", "groups:random:", "groups:similar:"]),
        ("nasbench-ws query 434 --table fash", ["fashion14-topology", "fashion14"]),
        ("nasbench-ws evaluate full --match g", ["group-compute"]),
    ],
)
def test_the_shell_completes(words: str, offered: list[str]) -> None:
    assert completed(words) == offered
