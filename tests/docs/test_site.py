"""The documentation as a site: it builds strictly, and its pages load nothing from elsewhere. Slow: mkdocs, 15 s."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pages import ROOT

LOADS = re.compile(
    r"<(?:script|img|iframe|source|video)\b[^>]*\bsrc=[\"']?(?:https?:)?//"
    r"|<link\b(?![^>]*rel=[\"']?canonical)[^>]*\bhref=[\"']?(?:https?:)?//"
    r"|url\([\"']?(?:https?:)?//|@import\s+[\"'](?:https?:)?//"
)


@pytest.mark.slow
def test_the_site_builds_strictly_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    if importlib.util.find_spec("mkdocs") is None:
        pytest.skip("no mkdocs here: pip install '.[docs]'")
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(tmp_path / "site")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = [path for path in (tmp_path / "site").rglob("*") if path.suffix in (".html", ".css")]
    assert len(pages) > 25
    for path in pages:
        assert LOADS.search(path.read_text()) is None, (path, LOADS.search(path.read_text()))
    commands = (tmp_path / "site" / "commands" / "index.html").read_text()
    assert "nasbench-ws evaluate" in commands
    assert "--end-lr" in commands
    assert "UNSET" not in commands  # click's word for no default
    assert "<pre><code>nasbench-ws build runs --seeds 0-2 --recipe epochs=8\n" in commands
    assert (tmp_path / "site" / "notebooks" / "strategy" / "index.html").is_file()
    assert (tmp_path / "site" / "notebooks" / "strategy.ipynb").is_file()


def test_what_counts_as_loading() -> None:
    for loading in ('<script src="https://x/y.js">', '<link rel="stylesheet" href="//x/y.css">', "url(https://x/y)"):
        assert LOADS.search(loading)
    for quiet in ('<a href="https://x">', '<link rel="canonical" href="https://x">', 'src="../y.js"', "url(#a)"):
        assert LOADS.search(quiet) is None
