"""`nasbench-ws check`: the conformance suite from the shell."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nasbench_ws.cli import group
from nasbench_ws.cli.failures import guarded
from nasbench_ws.testing import CHECKS

COMMAND = [sys.executable, "-P", "-c", "from nasbench_ws.cli import main; main()", "check"]

SOUND = """
class Mine:
    def key(self, arch, slot):
        return arch.operation((0, 1))
"""
UNSOUND = """
import itertools

counter = itertools.count()

class Mine:
    def key(self, arch, slot):
        return next(counter) % 7
"""


def check(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "mine.py").write_text(text)
    return subprocess.run([*COMMAND, "--quiet", "mine.py:Mine"], cwd=folder, capture_output=True, text=True)


@pytest.mark.slow  # the unsound ones are quick; CI runs it
def test_a_sound_strategy_passes_each_check(tmp_path: Path) -> None:
    found = check(SOUND, tmp_path)
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.splitlines() == [f"passed: {(one.__doc__ or '').splitlines()[0]}" for one in CHECKS]


def test_an_unsound_one_is_refused_with_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(UNSOUND)
    with pytest.raises(SystemExit) as ended:
        guarded(group, ["check", "mine.py:Mine"])
    assert ended.value.code == 6
    out, err = capfd.readouterr()
    assert out == ""
    assert err == (
        "Error: strategy 'mine.py:Mine' shares otherwise when asked again; key(arch, slot) must depend on its "
        "arguments alone\n"
    )
