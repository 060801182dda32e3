"""What a command imports, which is what its reader waits for: checked by modules, since time depends on the machine.

benchmarks/bench_cli.py measures the processor time.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from nasbench_ws import data
from nasbench_ws.cli import WHERE, choices
from nasbench_ws.results.result import Result
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.tables.table import load

CODE = """
import json, sys
sys.argv = ["nasbench-ws", *{words!r}]
from nasbench_ws.cli import main
try:
    main()
except SystemExit as end:
    code = end.code
print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""
HEAVY = ("h5py", "matplotlib", "numpy", "pandas", "scipy", "torch")
MISTYPED = {
    "option": ["--instnces", "3"],
    "number": ["--workers", "many"],
    "choice": ["--match", "compte"],
}


def imported(*words: str, cwd: Path) -> tuple[int, str, set[str]]:
    """Exit code, stderr, and which heavy libraries a command of its own process imports."""
    found = subprocess.run(
        [sys.executable, "-P", "-c", CODE.format(words=words)], cwd=cwd, capture_output=True, text=True
    )
    *messages, last = found.stderr.splitlines()
    code, modules = json.loads(last)
    return code, "\n".join(messages), {name for name in modules if name in HEAVY}


@pytest.mark.parametrize("words", [[], *([name] for name in WHERE), ["data", "card"]], ids=" ".join)
def test_help_imports_nothing(words, tmp_path):
    code, _, heavy = imported(*words, "--help", cwd=tmp_path)
    assert (code, heavy) == (0, set())


@pytest.mark.parametrize("kind", MISTYPED)
def test_a_mistyped_word_imports_nothing(kind, tmp_path):
    code, message, heavy = imported("evaluate", "full", *MISTYPED[kind], cwd=tmp_path)
    assert (code, heavy) == (2, set())
    assert MISTYPED[kind][0] in message


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["evaluate", "ful"], 6),
        (["evaluate", "absent.py:Mine"], 6),
        (["check", "ful"], 6),
        (["evaluate", "full", "--batch-norm", "runing"], 2),
        (["evaluate", "full", "--recipe", "epoch=3"], 2),
        (["evaluate", "full", "--table", "fashion15"], 4),
        (["build", "runs", "--recipe", "epoch=3"], 2),
        (["build", "runs", "--seeds", "a"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_refusal_comes_before_torch_and_scipy(words, code, tmp_path):
    found, message, heavy = imported(*words, cwd=tmp_path)
    assert found == code, message
    assert heavy <= {"numpy", "h5py"}


QUESTIONS = [
    ["query", "434"], ["top"], ["tables"], ["verify", "fashion14"], ["strategies"], ["strategies", "prefix:2"],
    ["show", "434"], ["show", "434", "-o", "434.svg"], ["data", "list"], ["data", "check", "--quiet"],
]  # fmt: skip


@pytest.mark.parametrize("words", QUESTIONS, ids=" ".join)
def test_a_question_imports_neither_torch_nor_scipy(words, tmp_path):
    code, message, heavy = imported(*words, cwd=tmp_path)
    assert code == 0, message
    assert heavy <= {"numpy", "h5py"}


def test_choices_are_those_of_the_package():
    from nasbench_ws.evaluation.catalogue import SCALES
    from nasbench_ws.evaluation.reproduction.claims import CLAIMS
    from nasbench_ws.rankers.plan import MATCHES
    from nasbench_ws.report.results import FIGURES
    from nasbench_ws.search.costs import Unit
    from nasbench_ws.search.oracle import Signal
    from nasbench_ws.sharing.schedules import SCHEDULES, USAGES

    assert get_args(Unit) == choices.UNITS
    assert get_args(Signal) == choices.SIGNALS
    assert choices.MATCHES == MATCHES
    assert (tuple(SCHEDULES), USAGES) == (choices.SCHEDULES, choices.MIXED)
    assert tuple(FIGURES) == choices.FIGURES
    assert tuple(SCALES) == choices.SCALES
    assert list(range(1, choices.CLAIMS + 1)) == list(CLAIMS)


BLOCKED = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocked())
sys.argv = ["nasbench-ws", *{words!r}]
from nasbench_ws.cli import main
main()
"""


def without(*blocked: str, words: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """A command where libraries are not installed."""
    code = BLOCKED.format(blocked=set(blocked), words=words)
    return subprocess.run([sys.executable, "-P", "-c", code], cwd=cwd, capture_output=True, text=True, timeout=300)


RESULT = str(Path(data.__file__).parent / "results" / "shuffle.json")


@pytest.mark.parametrize("words", [*QUESTIONS, ["doctor"]], ids=" ".join)
def test_look_ups_without_torch_and_scipy(words, tmp_path):
    found = without("torch", "torchvision", "scipy", words=words, cwd=tmp_path)
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["leaderboard"], ["assess", "scores.csv"], ["compare", RESULT, RESULT], ["data", "card"],
        ["report", RESULT], ["reproduce", "1", "--scale", "standard"],
        pytest.param(["report", "--table", "fashion14"], marks=pytest.mark.slow),  # CI runs it
    ],
    ids=lambda words: "-".join(words[:2]) if words[0] == "report" else words[0],
)  # fmt: skip
def test_verdicts_without_torch(words, tmp_path):
    table = load("fashion14")
    (tmp_path / "scores.csv").write_text("".join(f"{entry.name},{entry.params}\n" for entry in table))
    one = Result.load(RESULT).data
    (tmp_path / "reproduction-standard").mkdir()  # a window, which claim 1 asks for, and which need not ship
    window = Result.from_dict({**one, "plan": {**one["plan"], "end_lr": 0.04}})
    window.save(tmp_path / "reproduction-standard" / "window.json")
    found = without("torch", "torchvision", words=words, cwd=tmp_path)
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["evaluate", "full"], ["check", "full"], ["build", "runs"], ["train", "434"], ["group", "-o", "groups.json"],
        ["leaderboard", "--run", "runs", "--only", "shuffle"],
    ],
    ids=lambda words: words[0],
)  # fmt: skip
def test_what_trains_says_what_to_install(words, tmp_path):
    found = without("torch", "torchvision", words=words, cwd=tmp_path)
    assert found.returncode == 2
    error = "Error: this needs torch, which is not installed here; get it with: pip install torch"
    assert found.stderr.splitlines()[-1] == error
    assert "Traceback" not in found.stderr


def test_what_measures_says_what_to_install(tmp_path):
    (tmp_path / "scores.csv").write_text("".join(f"{child.name},{child.index}\n" for child in DEEPER64))
    found = without("scipy", words=["assess", "scores.csv"], cwd=tmp_path)
    assert found.returncode == 2
    assert found.stderr == "Error: this needs scipy, which is not installed here; get it with: pip install scipy\n"


def test_doctor_without_torch_says_what_to_install(tmp_path):
    found = without("torch", words=["doctor"], cwd=tmp_path)
    assert found.returncode == 0
    assert "training        this needs torch, which is not installed here; get it with: pip install torch\n" in (
        found.stdout
    )
