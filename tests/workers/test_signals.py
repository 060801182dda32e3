"""Interruptions: none prints a traceback of ours or of Python's server of forks, and none ends what must be whole."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from nasbench_ws.__main__ import main
from nasbench_ws.cli.failures import guarded, interrupted_says
from nasbench_ws.workers import signals


@pytest.fixture
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in signals.SIGNALS}
    signals._came.clear()
    yield
    signals._came.clear()
    for number, handler in before.items():
        signal.signal(number, handler)


SCRIPT = """
import os, signal, sys, threading
from nasbench_ws.workers.pool import Task, execute

def interrupt():
    sys.stdin.readline()  # the server of forks is at its imports
    os.killpg(0, signal.{number})

if __name__ == "__main__":
    threading.Thread(target=interrupt, daemon=True).start()
    try:
        execute(print, {{0: Task((0,))}}, print, workers=2, preload=("slow",))
    except KeyboardInterrupt:
        print("interrupted")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="there the server of forks is used")
@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_an_interruption_while_workers_start_prints_no_traceback_and_leaves_no_process(
    number: str, tmp_path: Path
) -> None:
    (tmp_path / "slow.py").write_text("import os, time\nos.write(1, b'begun\\n')\ntime.sleep(60)\n")
    (tmp_path / "script.py").write_text(SCRIPT.format(number=number))
    child = subprocess.Popen(
        [sys.executable, "script.py"], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True, env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "begun\n"
    out, err = child.communicate("now\n", timeout=30)  # ends when nobody has its stderr any more
    assert (out, err, child.returncode) == ("interrupted\n", "", 0)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_an_interrupted_command_says_so_in_one_line_and_exits_as_shells_count(
    number: signal.Signals, status: int, capsys: pytest.CaptureFixture[str], handlers: None
) -> None:
    def command(**_: object) -> None:
        os.kill(os.getpid(), number)
        signal.sigtimedwait([], 1)  # Python handles it here

    for said, text in ((None, "run the same command again"), ("all is kept in x", "all is kept in x")):

        def interrupted(said: str | None = said, **_: object) -> None:
            if said is None:
                command()
            else:
                with interrupted_says(said):
                    command()

        with pytest.raises(SystemExit) as caught:
            guarded(interrupted)
        assert caught.value.code == status
        assert capsys.readouterr().err == f"Interrupted: {text}\n"


def test_under_nohup_a_terminal_that_closes_interrupts_nothing(handlers: None) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with signals.stops_as_interrupts(), signals.uninterrupted():
        os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def test_a_stderr_that_went_with_its_terminal_changes_no_exit_code(
    monkeypatch: pytest.MonkeyPatch, handlers: None
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    def command(**_: object) -> None:
        monkeypatch.setattr("click.echo", gone)
        os.kill(os.getpid(), signal.SIGHUP)
        signal.sigtimedwait([], 1)

    with pytest.raises(SystemExit) as caught:
        guarded(command)
    assert caught.value.code == 129


def test_an_interruption_before_the_first_command_is_imported_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], handlers: None
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    early = types.ModuleType("nasbench_ws.cli")
    early.main = interrupted  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "nasbench_ws.cli", early)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 130
    assert capsys.readouterr().err == "Interrupted: run the same command again\n"
    assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL  # nothing is left to be said


def test_what_comes_while_a_process_is_started_is_heard_afterwards() -> None:
    met: list[bool] = []

    def start() -> None:
        with signals.unheard():
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)  # of other threads any might take it
            met.append(signal.SIGINT in signal.sigpending())

    with pytest.raises(KeyboardInterrupt):
        start()
    assert met == [True]
