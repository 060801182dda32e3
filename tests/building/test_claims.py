"""Several builders in one folder: no run twice, none left out, and the dead hold up nobody."""

from __future__ import annotations

import multiprocessing
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_builder import FEW, RECIPE, note, quick, tiny

from nasbench_ws.building.builder import build
from nasbench_ws.building.claims import STALE_SECONDS, Claims
from nasbench_ws.errors import OutputError
from nasbench_ws.images.dataset import Images
from nasbench_ws.space.cell import Architecture
from nasbench_ws.tables.run import RunRecord, read_runs


def counted(recipe: object, arch: Architecture, seed: int, images: Images) -> RunRecord:
    note(f"{arch.name}-{seed}")
    time.sleep(0.15)
    return quick(recipe, arch, seed, images)  # type: ignore[arg-type]


def builder(folder: Path) -> None:
    build(RECIPE, [0, 1], folder, train=counted, load=tiny, architectures=FEW, workers=1)


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


def test_the_dead_hold_up_nobody(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from nasbench_ws.building.claims import Claims\n"
    code += "assert Claims(Path(sys.argv[1])).take('abc', 0)"
    subprocess.run([sys.executable, "-P", "-c", code, str(tmp_path)], check=True)
    assert (tmp_path / ".claims" / "abc-0").exists()
    assert Claims(tmp_path).take("abc", 0)
    # of another machine nothing is known but when it was renewed
    path = tmp_path / ".claims" / "abc-1"
    path.write_text("elsewhere 1 ffff")
    assert not Claims(tmp_path).take("abc", 1)
    old = time.time() - STALE_SECONDS - 5
    os.utime(path, (old, old))
    assert Claims(tmp_path).take("abc", 1)
    # after a restart another process has the number of one that is dead
    path = tmp_path / ".claims" / "abc-3"
    path.write_text(f"{socket.gethostname()} {os.getpid()} ffff")
    assert not Claims(tmp_path).take("abc", 3)
    os.utime(path, (old, old))
    assert Claims(tmp_path).take("abc", 3)
    path = tmp_path / ".claims" / "abc-2"
    path.write_text("")  # of nobody knows whom
    assert not Claims(tmp_path).take("abc", 2)
    os.utime(path, (old, old))
    assert Claims(tmp_path).take("abc", 2)


def test_a_heartbeat_renews(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nasbench_ws.building.claims.BEAT_SECONDS", 0.05)
    with Claims(tmp_path) as claims:
        assert claims.take("abc", 0)
        path, old = tmp_path / ".claims" / "abc-0", time.time() - STALE_SECONDS - 5
        os.utime(path, (old, old))
        until = time.monotonic() + 10
        while path.stat().st_mtime < old + 1:
            assert time.monotonic() < until
            time.sleep(0.02)
        assert path.stat().st_mtime == pytest.approx(time.time(), abs=5)


def test_a_folder_that_takes_no_claims(tmp_path: Path) -> None:
    (tmp_path / ".claims").write_text("a file")
    with pytest.raises(OutputError) as caught:
        Claims(tmp_path).take("abc", 0)
    assert str(caught.value).startswith(f"{tmp_path}/.claims/abc-0 cannot be written: ")
