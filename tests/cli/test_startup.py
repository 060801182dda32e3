"""What a command imports, which is what its reader waits for: checked by modules, since time depends on the machine.

benchmarks/bench_cli.py measures the processor time.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pytest

from nasbench_ws import data
from nasbench_ws.cli import WHERE, choices
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.tables.table import load

LOOP = """
import contextlib, io, json, sys

asked = []

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            asked.append(name)
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocked())
from nasbench_ws.cli import main, progress

progress.PATIENCE = 3600.0  # seconds, on a machine with other load too
for words in {commands!r}:
    sys.argv = ["nasbench-ws", *words]
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            main()
        except SystemExit as end:
            code = end.code
    print(json.dumps([code, out.getvalue(), err.getvalue(), sorted(set(asked))]))
    asked.clear()
"""
HEAVY = ("h5py", "matplotlib", "numpy", "pandas", "scipy", "torch")
MISTYPED = {
    "option": ["--instnces", "3"],
    "number": ["--workers", "many"],
    "choice": ["--match", "compte"],
}


@dataclass(frozen=True)
class Ran:
    """What a command did where libraries are not installed."""

    words: list[str]
    code: int
    stdout: str
    stderr: str
    asked: list[str]  # of these libraries' modules: what it tried to import


def without(*blocked: str, commands: Sequence[list[str]], cwd: Path) -> list[Ran]:
    """Commands one after another, in one process that has just started and has none of these libraries."""
    code = LOOP.format(blocked=set(blocked), commands=list(commands))
    found = subprocess.run([sys.executable, "-P", "-c", code], cwd=cwd, capture_output=True, text=True, timeout=300)
    assert (found.returncode, found.stderr) == (0, "")
    lines = found.stdout.splitlines()
    return [Ran(words, *json.loads(line)) for words, line in zip(commands, lines, strict=True)]


def test_help_imports_nothing(tmp_path):
    commands = [[*words, "--help"] for words in ([], *([name] for name in WHERE), ["data", "card"])]
    for one in without(*HEAVY, commands=commands, cwd=tmp_path):
        assert (one.code, one.asked) == (0, []), one
        assert one.stdout.startswith("Usage: nasbench-ws"), one


def test_a_mistyped_word_imports_nothing(tmp_path):
    commands = [["evaluate", "full", *words] for words in MISTYPED.values()]
    for one in without(*HEAVY, commands=commands, cwd=tmp_path):
        assert (one.code, one.asked) == (2, []), one
        assert one.words[2] in one.stderr


REFUSED = [
    (["evaluate", "ful"], 6),
    (["evaluate", "absent.py:Mine"], 6),
    (["check", "ful"], 6),
    (["evaluate", "darts:lr=x"], 2),
    (["evaluate", "wann:half"], 2),
    (["evaluate", "full", "--batch-norm", "runing"], 2),
    (["evaluate", "full", "--recipe", "epoch=3"], 2),
    (["evaluate", "full", "--table", "fashion15"], 4),
    (["build", "runs", "--recipe", "epoch=3"], 2),
    (["build", "runs", "--seeds", "a"], 2),
]
BEYOND = sorted({*HEAVY, "torchvision", "xarray"} - {"numpy", "h5py"})  # of what no look-up needs


def test_a_refusal_comes_before_torch_and_scipy(tmp_path):
    ran = without(*BEYOND, commands=[words for words, _ in REFUSED], cwd=tmp_path)
    for one, (_, code) in zip(ran, REFUSED, strict=True):
        assert (one.code, one.asked) == (code, []), one


QUESTIONS = [
    ["query", "434"], ["top"], ["tables"], ["verify", "fashion14"], ["strategies"], ["strategies", "prefix:2"],
    ["show", "434"], ["show", "434", "-o", "434.svg"], ["data", "list"], ["data", "check", "--quiet"],
]  # fmt: skip


def test_a_question_imports_neither_torch_nor_scipy(tmp_path):
    for one in without(*BEYOND, commands=QUESTIONS, cwd=tmp_path):
        assert (one.code, one.stderr, one.asked) == (0, "", []), one
        assert one.stdout, one


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


RESULT = str(Path(data.__file__).parent / "results" / "shuffle.json")
VERDICTS = [
    ["leaderboard"], ["assess", "scores.csv"], ["compare", RESULT, RESULT], ["data", "card"], ["report", RESULT],
    ["reproduce", "1", "--scale", "standard"],
]  # fmt: skip
DRAWN = pytest.param([["report", "--table", "fashion14"]], marks=pytest.mark.slow, id="a table's page")  # CI runs it


@pytest.mark.parametrize("commands", [pytest.param(VERDICTS, id="verdicts"), DRAWN])
def test_verdicts_without_torch(commands, tmp_path):
    table = load("fashion14")
    (tmp_path / "scores.csv").write_text("".join(f"{entry.name},{entry.params}\n" for entry in table))
    for ran in without("torch", "torchvision", commands=commands, cwd=tmp_path):
        assert (ran.code, ran.stderr, ran.asked) == (0, "", []), ran
        assert ran.stdout, ran


TRAINING = [
    ["evaluate", "full"], ["check", "full"], ["build", "runs"], ["train", "434"], ["group", "-o", "groups.json"],
    ["leaderboard", "--run", "runs", "--only", "shuffle"],
]  # fmt: skip


def test_what_trains_says_what_to_install(tmp_path):
    (doctor, *training) = without("torch", "torchvision", commands=[["doctor"], *TRAINING], cwd=tmp_path)
    assert doctor.code == 0
    assert "training        this needs torch, which is not installed here; get it with: pip install torch\n" in (
        doctor.stdout
    )
    for one in training:
        assert one.code == 2, one
        error = "Error: this needs torch, which is not installed here; get it with: pip install torch"
        assert one.stderr.splitlines()[-1] == error, one
        assert "Traceback" not in one.stderr


def test_what_measures_says_what_to_install(tmp_path):
    (tmp_path / "scores.csv").write_text("".join(f"{child.name},{child.index}\n" for child in DEEPER64))
    commands = [["assess", "scores.csv"], ["doctor", "--quiet"]]
    measured, doctor = without("scipy", "torch", "torchvision", commands=commands, cwd=tmp_path)
    assert measured.code == 2
    assert measured.stderr == "Error: this needs scipy, which is not installed here; get it with: pip install scipy\n"
    assert (doctor.code, doctor.stderr) == (0, "")
    assert doctor.stdout
