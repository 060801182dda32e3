"""What the shell completes, and what a mistyped word is met with."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from nasbench_ws.cli import group
from nasbench_ws.cli.completion import Bash
from nasbench_ws.errors import NasbenchError

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
        ("compare full none-39", "none-39", ["plain,none-39200", "file,none-39"]),
        ("compare full private", "private", ["plain,private-bn", "file,private"]),
        ("why ful", "ful",
         [*(f"plain,full{end}" for end in ("", -12800, -156800, -25600, -39200, -78400)), "file,ful"]),
        ("verify nasbench201-i", "nasbench201-i", ["plain,nasbench201-imagenet16-120", "file,nasbench201-i"]),
        ("top --by test_", "test_", ["plain,test_accuracy"]),
    ],
)  # fmt: skip
def test_the_shell_completes(line: str, word: str | None, offered: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert completed(f"nasbench-ws {line}", word, monkeypatch) == offered


MAIN = "import sys; from nasbench_ws.cli import main; sys.argv[0] = 'nasbench-ws'; main()"
MISTYPED = {
    "evalute full": "there is no command 'evalute' (did you mean evaluate?); `nasbench-ws --help` lists them",
    "zzz": "there is no command 'zzz'; `nasbench-ws --help` lists them",
}


@pytest.mark.parametrize("words", MISTYPED)
def test_a_mistyped_command_is_told_which_is_near(words: str) -> None:
    found = CliRunner().invoke(group, words.split())
    assert found.exit_code == 2
    assert found.stderr.splitlines()[-1] == f"Error: {MISTYPED[words]}"


REFUSED = {
    "data prepare absent":
        "absent is no folder; give the one with Fashion-MNIST's idx files (on Debian, `apt install "
        "dataset-fashion-mnist` puts them in /usr/share/datasets/fashion-mnist), or fetch them with --download",
    "reproduce --no-run --keep no/folder":
        "nothing of scale smoke is there for fashion14, neither in no/folder nor among what ships; leave out --no-run "
        "to run it",
    "reproduce --no-run --rerun": "--no-run trains nothing, and --rerun all again; give one of them",
    "leaderboard --strategy zzz": "no row has 'zzz' in its name; leave that out to see what there is",
    "leaderboard --strategy darts --kind ranker":
        "no row of kind ranker has 'darts' in its name; leave that out to see what there is",
    "leaderboard --batch-norm runing": "no row has batch norm 'runing' (did you mean running?); there are ",
    "show ful": "; nor does a result of that name ship (did you mean full",
    "leaderboard full full-39200":
        "a leaderboard has one number of steps: full took 6,400 and full-39200 took 39,200; name fewer of them, or "
        "give --steps",
    "leaderboard --run here --steps 39200":
        "--run trains super-nets for 6,400 steps, and --steps asks for rows of 39,200; leave out one of them, or "
        "evaluate strategies with --steps 39200 -o FILE and give the files",
    "power --detect 0.1 --batch-norm Running": "unknown batch norm mode 'Running' (did you mean running?); known are ",
    "power --detect 0.1 --against enas --batch-norm lopg":
        "nothing of 'enas' ships under readout lopg (did you mean logp?); it has logp, recalibrate:1024, running, ",
    "power --detect 0.1 --against az_nas":
        "az_nas trains no super-net; `nasbench-ws show az_nas` says how much its instances differ",
}  # fmt: skip


@pytest.mark.parametrize("words", REFUSED)
def test_what_leaves_nothing_to_show_is_refused(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(group, words.split())
    assert isinstance(found.exception, NasbenchError)
    assert REFUSED[words] in str(found.exception)


def test_a_mode_may_leave_out_its_number_of_images() -> None:
    ask = ["leaderboard", "--strategy", "full drift", "--json", "--batch-norm"]
    short, whole = (CliRunner().invoke(group, [*ask, f"recalibrate{n}"], catch_exceptions=False) for n in ("", ":1024"))
    assert short.stdout == whole.stdout
    assert [row["batch_norm"] for row in json.loads(short.stdout)["rows"]] == ["recalibrate:1024"]


def test_the_leaderboard_has_one_number_of_steps() -> None:
    """That which is asked for, or that of results that are named."""
    asked, named = (
        json.loads(CliRunner().invoke(group, ["leaderboard", *words, "--json"], catch_exceptions=False).stdout)
        for words in (["--steps", "39200"], ["none-39200"])
    )
    assert asked == named
    assert asked["steps"] == 39_200


SCRIPT = """
eval "$(_NASBENCH_WS_COMPLETE=bash_source nasbench-ws)"
ask() { COMP_LINE="nasbench-ws $1" COMP_POINT=$((12 + ${#1})); _nasbench_ws_completion nasbench-ws "$2" "" 2>/dev/null
  echo "${COMPREPLY[@]}"; }
ask "evaluate groups:s" s
ask "compare priv" priv
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
    assert (found.stdout.splitlines(), found.stderr) == (["similar:", "private-bn", "mine.json"], "")
