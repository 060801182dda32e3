"""Names of strangers on terminals, pages and figures; paths that no file can have."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import click
import pytest

from nasbench_ws.cli import group
from nasbench_ws.cli.failures import guarded
from nasbench_ws.cli.outputs import check_output
from nasbench_ws.errors import OutputError, TableError
from nasbench_ws.markup import escaped, printable
from nasbench_ws.plugins import users_code

NAME = "\x1b[2J\x9bm\u202e\udcff$\\frac$ \u2028<b>\u00e9\u4e2d"
SHOWN = "\\x1b[2J\\x9bm\\u202e\\udcff$\\frac$ \\u2028<b>\u00e9\u4e2d"


def test_what_commands_a_terminal_is_written_out() -> None:
    assert printable(NAME) == SHOWN
    assert printable("two\nlines\tand a \u00e9") == "two\nlines\tand a \u00e9"
    assert escaped(NAME) == SHOWN.replace("<b>", "&lt;b&gt;")


def test_answers_and_errors_pass_no_escape_sequence_on(capfd: pytest.CaptureFixture[str]) -> None:
    @click.command()
    @click.option("--fail", is_flag=True)
    def show(fail: bool) -> None:
        click.echo(NAME, color=True)  # as to a terminal: else click takes some sequences out
        if fail:
            raise TableError(NAME)

    for arguments, code in (([], 0), (["--fail"], 4)):
        with pytest.raises(SystemExit) as ended:
            guarded(lambda standalone_mode, given=arguments: show(given, standalone_mode=False))
        assert ended.value.code == code
    out, err = capfd.readouterr()
    assert out == f"{SHOWN}\n{SHOWN}\n"
    assert err == f"Error: {SHOWN}\n"


def test_results_with_such_names_are_compared_and_drawn(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        make(strategy=f"{name}{NAME}").save(tmp_path / f"{name}.json")
    page = tmp_path / "page.html"
    for words in (["compare", "a.json", "b.json"], ["report", "a.json", "b.json", "-o", str(page)]):
        with pytest.raises(SystemExit) as ended:
            guarded(group, words)
        out, err = capfd.readouterr()
        assert ended.value.code == 0, err
        assert "\x1b" not in out + err
    text = page.read_text()
    assert "\x1b" not in text
    assert "$\\frac$" in text


@pytest.mark.parametrize("length", [242, 243, 250, 255, 300])
def test_names_that_no_file_can_have_while_it_is_written_are_refused_before(tmp_path: Path, length: int) -> None:
    path = str(tmp_path / ("a" * (length - 5) + ".json"))
    with pytest.raises(OutputError) as caught:
        check_output(path)
    assert str(caught.value) == f"{path} cannot be written: File name too long; choose a place that can be written"
    check_output(str(tmp_path / ("a" * 236 + ".json")))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", ["", "1 / 0"])
def test_what_a_users_code_starts_writes_nothing_into_the_answer(tmp_path: Path, ending: str) -> None:
    code = (
        "import os, subprocess, sys\nos.write(1, b'below\\n')\nsubprocess.run(['echo', 'beside'])\n"
        f"sys.__stdout__.write('around\\n')\ndef key(arch, slot): return None\n{ending}\n"
    )
    (tmp_path / "my.py").write_text(code)
    command = [sys.executable, "-P", "-c", "from nasbench_ws.cli import main; main()", "strategies", "my.py:key"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == (6 if ending else 0)
    assert done.stdout == "" if ending else done.stdout.startswith("my.py:key on fashion14: one super-net")
    assert {"below", "beside", "around"} <= set(done.stderr.splitlines())
    assert not {"below", "beside", "around"} & set(done.stdout.splitlines())


def test_a_users_threads_write_nothing_into_the_answer_and_nobody_closes_its_streams(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A thread's print met the answer in the midst of JSON, and a key that closed stdout ended `evaluate` silently."""

    def command(standalone_mode: bool) -> None:
        thread = threading.Thread(target=print, args=("of a thread",))
        thread.start()
        thread.join()
        with users_code():
            sys.stdout.close()
        sys.stdout.close()
        sys.stderr.close()
        click.echo("the answer")
        raise TableError("the end")

    before = sys.stdout, sys.stderr
    with pytest.raises(SystemExit) as ended:
        guarded(command)
    assert ended.value.code == 4
    assert (sys.stdout, sys.stderr) == before
    assert tuple(capfd.readouterr()) == ("the answer\n", "of a thread\nError: the end\n")
