"""Several builders in one folder: no run twice, none left out, and the dead hold up nobody."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from small_builds import FEW, Here, builder, made

from nasbench_ws.errors import OutputError
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.tables.run import read_runs, run_path
from nasbench_ws.training.building.builder import Progress
from nasbench_ws.training.building.claims import Claims
from nasbench_ws.workers import pool


def test_two_builders_share_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "notes").mkdir()
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=builder, args=(tmp_path / "runs",)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    trained = sorted(path.name for path in (tmp_path / "notes").iterdir())
    assert trained == sorted(f"{name}-{seed}.0" for name in FEW for seed in (0, 1))  # each once
    assert len(list(read_runs(tmp_path / "runs"))) == 8
    assert list((tmp_path / "runs" / ".claims").iterdir()) == []


def test_a_claim_holds_while_its_builder_lives(tmp_path: Path) -> None:
    ours = Claims(tmp_path)
    assert ours.take("abc", 0)
    assert ours.take("abc", 0)
    with Claims(tmp_path) as theirs:
        assert not theirs.take("abc", 0)
        assert theirs.take("abc", 1)
        theirs.release("abc", 0)  # not theirs to release
        assert not theirs.take("abc", 0)
        ours.release("abc", 0)
        assert theirs.take("abc", 0)
    assert list((tmp_path / ".claims").iterdir()) == []


CLAIMANT = """
import sys, time
from pathlib import Path
from nasbench_ws.training.building.claims import Claims
claims = Claims(Path(sys.argv[1]))
assert claims.take("abc", 0)
print("taken", flush=True)
time.sleep(60)
"""


def test_the_dead_hold_up_nobody(tmp_path: Path) -> None:
    """Not for a moment, and whatever clocks, host names and process numbers say; one that stands still does."""
    command = [sys.executable, "-P", "-c", CLAIMANT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "taken\n"
        claim = tmp_path / ".claims" / "abc-0"
        for when in (0, time.time() + 3600, 2**31):  # of a builder whose clock is wrong
            os.utime(claim, (when, when))
            assert not Claims(tmp_path).take("abc", 0)
        process.send_signal(signal.SIGSTOP)
        assert not Claims(tmp_path).take("abc", 0)
        process.kill()
    assert claim.exists()
    assert Claims(tmp_path).take("abc", 0)


@pytest.mark.parametrize("content", ["", "elsewhere 1 ffff"])
def test_a_file_that_nobody_has_locked_is_no_claim(tmp_path: Path, content: str) -> None:
    """Left by one that was killed, or by a version whose claims were such files; from the future, for all we know."""
    path = tmp_path / ".claims" / "abc-0"
    path.parent.mkdir()
    path.write_text(content)
    os.utime(path, (2**31, 2**31))
    claims = Claims(tmp_path)
    assert claims.take("abc", 0)
    claims.release("abc", 0)
    assert not path.exists()


def test_one_that_waits_for_a_claim_that_is_dropped_gets_a_new_one(tmp_path: Path) -> None:
    """The file is removed when its claim ends: who has it open by then must not take it for the next one's."""
    ours, path = Claims(tmp_path), tmp_path / ".claims" / "abc-0"
    assert ours.take("abc", 0)
    waiting = FileLock(path, timeout=5, poll_interval=0.01, thread_local=False)
    thread = threading.Thread(target=waiting.acquire)
    thread.start()
    ours.release("abc", 0)
    thread.join()
    assert path.exists()
    assert not Claims(tmp_path).take("abc", 0)
    waiting.release()
    assert Claims(tmp_path).take("abc", 0)


def test_a_folder_that_takes_no_claims(tmp_path: Path) -> None:
    (tmp_path / ".claims").write_text("a file")
    with pytest.raises(OutputError) as caught:
        Claims(tmp_path).take("abc", 0)
    assert str(caught.value) == (
        f"{tmp_path}/.claims/abc-0 cannot be written: File exists; choose a place that can be written"
    )


def test_a_folder_in_the_place_of_a_claim(tmp_path: Path) -> None:
    (tmp_path / ".claims" / "abc-0").mkdir(parents=True)
    with pytest.raises(OutputError) as caught:
        Claims(tmp_path).take("abc", 0)
    assert str(caught.value) == (
        f"{tmp_path}/.claims/abc-0 cannot be written: Is a directory; choose a place that can be written"
    )


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are made, perhaps by several, and that is said."""
    import fcntl

    def flock(*_: Any) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.warns(UserWarning, match="takes no locks") as caught:
        assert made(tmp_path, executor=Here(), architectures=("111",)).done == 1
    assert {str(warning.message) for warning in caught} == {
        f"{tmp_path}/.claims takes no locks (No locks available): other builders in this folder may make the same "
        "runs, with the same numbers; divide the work with shards"
    }
    assert list((tmp_path / ".claims").iterdir()) == []


def test_one_that_waits_for_others_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "ELSEWHERE_SECONDS", 0.05)
    theirs, reports = Claims(tmp_path), []
    for name in ("222", "444"):
        assert theirs.take(DEEPER64.architecture(name).hash, 0)

    def note(report: Progress) -> None:
        reports.append((report.done, report.elsewhere))
        if report.elsewhere:
            theirs.__exit__()

    assert made(tmp_path, executor=Here(), progress=note).done == 4
    assert reports == [(0, 0), (1, 0), (2, 0), (2, 2), (2, 0), (3, 0), (4, 0)]


def test_what_killed_builders_left_is_cleared_by_the_next(tmp_path: Path) -> None:
    path = run_path(tmp_path, DEEPER64.architecture("111").hash, 0)
    path.parent.mkdir()
    (path.parent / f".{path.name}.0123abcd.tmp").write_text("half a ru")
    path.touch()  # empty, as a machine that went down may leave it
    assert made(tmp_path, executor=Here(), architectures=("111",)) == Progress(1, 0, 1, 0.0)
    assert list(path.parent.iterdir()) == [path]
