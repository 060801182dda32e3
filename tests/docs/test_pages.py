"""Every block of README (in a clone's root) and docs/ runs, page after page; only trainings are cut down."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path
from typing import Any

import pytest
from installed import clone
from pages import HEAVY, PAGES, ROOT, Page

WITH_BLOCKS = [
    pytest.param(page, id=page.path.relative_to(ROOT).as_posix(), marks=pytest.mark.slow)
    for page in (Page(path) for path in PAGES)
    if page.runs
]
LEAST = {"README.md": 4, "how-to.md": 9, "search.md": 8, "tables.md": 5}  # blocks that run, so that none goes unnoticed


@pytest.fixture
def small(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluations in this process, scored on 64 validation images; few resamples."""
    from nasbench_ws.evaluation import evaluate as evaluation
    from nasbench_ws.evaluation import work

    load, execute = work.load_images, evaluation.execute
    monkeypatch.setattr(work, "load_images", lambda *a, **k: load(*a, **k).first_valid(64))
    monkeypatch.setattr(evaluation, "execute", lambda *a, **k: execute(*a, **{**k, "workers": 0}))


@pytest.mark.parametrize("page", WITH_BLOCKS)
def test_blocks_run(page: Page, tmp_path: Path, small: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = clone(tmp_path / "nasbench-ws") if page.path.name == "README.md" else tmp_path
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("NASBENCH_WS_CACHE", str(folder / "cache"))
    assert page.run() >= LEAST.get(page.path.name, 1)


@pytest.mark.slow
def test_blocks_with_heavy_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not any(map(importlib.util.find_spec, HEAVY)):
        pytest.skip(f"none of {', '.join(sorted(HEAVY))} is installed")
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        page = Page(ROOT / "docs" / "search.md")
        assert page.run(heavy=True) > LEAST["search.md"]
