"""What a user sees of an error: their own frames, wherever their file lies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-P", "-c", "from nasbench_ws.cli import main; main()"]


@pytest.mark.parametrize("folder", ["plain", "nasbench_ws", "importlib", "nasbench_ws/importlib"])
def test_the_traceback_of_a_users_file_is_shown_from_their_first_frame(folder: str, tmp_path: Path) -> None:
    (tmp_path / folder).mkdir(parents=True)
    file = tmp_path / folder / "mine.py"
    file.write_text("def f():\n    return 1 / 0\n\nf()\n\nclass Mine:\n    pass\n")
    found = subprocess.run([*COMMAND, "strategies", f"{file}:Mine"], capture_output=True, text=True)
    assert found.returncode == 6
    first, second, *_ = found.stderr.splitlines()
    assert first == "Traceback (most recent call last):"
    assert second == f'  File "{file}", line 4, in <module>'
    assert "ZeroDivisionError: division by zero\nError: " in found.stderr
    assert "cli/strategies.py" not in found.stderr
