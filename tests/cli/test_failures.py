"""What a user sees of an error: their own frames, wherever their file lies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nasbench_ws.cli.failures import guarded
from nasbench_ws.errors import StrategyError

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


def test_of_another_processs_error_what_the_user_can_mend_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """A worker's error comes with a whole traceback as text: shown where a file of theirs raised, and not else."""
    own = 'File "nasbench_ws/rankers/weight_sharing.py", line 185, in _check_sharing'
    theirs = 'Traceback (most recent call last):\n  File "my.py", line 3, in key\nZeroDivisionError: division by zero'
    chain = "\n\nThe above exception was the direct cause of the following exception:\n\n"
    for text, shown in ((f'\n"""\n{own}\n"""', ""), (f'\n"""\n{theirs}{chain}{own}\n"""', f"{theirs}\n")):
        cause = Exception()
        cause.tb = text  # type: ignore[attr-defined]

        def fail(cause: BaseException = cause, **_: object) -> None:
            raise StrategyError("my.py:S is none") from cause

        with pytest.raises(SystemExit) as caught:
            guarded(fail)
        assert caught.value.code == 6
        assert capsys.readouterr().err == f"{shown}Error: my.py:S is none\n"
