"""The page on search runs, block after block; what needs a library that is not here is left out."""

from __future__ import annotations

import importlib
import re
import shlex
import warnings
from pathlib import Path

import pytest
from click.testing import CliRunner

from nasbench_ws.cli import group

TEXT = (Path(__file__).parent.parent.parent / "docs" / "search.md").read_text()
BLOCKS = re.findall(r"^```(\w+)([^\n]*)\n(.*?)^```", TEXT, flags=re.M | re.S)
HEAVY = ("nevergrad", "smac", "pymoo", "syne_tune")


def _run(heavy: bool, folder: Path) -> list[str]:
    names: dict[str, object] = {}
    ran = []
    for kind, info, body in BLOCKS:
        info = info.strip()
        if kind == "sh":
            for command in body.strip().splitlines():
                words = shlex.split(command)[1:]
                small = ["--repetitions", "5", "--budget", "8" if "macs" not in words else "1e12", "--workers", "1"]
                extra = small if words[0] == "search" and "--list" not in words else []
                done = CliRunner().invoke(group, [*words, *extra], catch_exceptions=False)
                assert done.exit_code == 0, done.output
        elif info.startswith("file="):
            (folder / info.removeprefix("file=")).write_text(body)
        elif not info or importlib.util.find_spec(info):
            if info in HEAVY and not heavy:
                continue
            exec(compile(body, f"docs/search.md {info}", "exec"), names)
            ran.append(info)
    return ran


def test_the_page_runs(tmp_path, monkeypatch):
    pytest.importorskip("optuna")
    monkeypatch.chdir(tmp_path)
    assert len(_run(False, tmp_path)) == 5
    assert (tmp_path / "page.html").exists()


@pytest.mark.slow
def test_the_page_runs_with_heavy_libraries(tmp_path, monkeypatch):
    present = [name for name in HEAVY if importlib.util.find_spec(name)]
    if not present:
        pytest.skip(f"none of {', '.join(HEAVY)} is installed")
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert set(present) <= set(_run(True, tmp_path))
