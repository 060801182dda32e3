"""Pictures in README and docs/ say what the results that ship say: their words, whatever draws them."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner
from first_screen import first_screen
from pages import ROOT

from nasbench_ws.cli import group
from nasbench_ws.evaluation.board_figure import forest
from nasbench_ws.evaluation.leaderboard import leaderboard
from nasbench_ws.report.results import results_page
from nasbench_ws.tables.table import load

PICTURES = ROOT / "docs" / "pictures"


def words(svg: str) -> list[str]:
    """What can be read in it, and what hovering shows: the numbers of both are those of what is drawn."""
    return [text for text in re.findall(r"<(?:text|title|tspan)\b[^>]*>([^<]+)<", svg) if text.strip()]


def script(name: str) -> ModuleType:
    found = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_controls_are_of_what_ships() -> None:
    made = script("controls").written()
    assert {path.name for path in made} == {path.name for path in (ROOT / "docs" / "controls").iterdir()}
    for path, text in made.items():
        there = path.read_text(encoding="utf-8")
        drawn = path.suffix == ".svg"
        assert (words(there) if drawn else there) == (words(text) if drawn else text), "run benchmarks/controls.py"
        assert not drawn or len(words(there)) > 20


def test_the_leaderboards_picture_is_of_what_ships() -> None:
    there = words((PICTURES / "leaderboard.svg").read_text(encoding="utf-8"))
    assert there == words(forest(leaderboard())), "run benchmarks/keep_leaderboard.py --write"
    assert len(there) > 50


def test_the_scatter_is_of_the_evaluation_that_readme_shows() -> None:
    page = results_page([first_screen()], load("fashion14"))
    there = re.findall(r"<title>([^<]+)<", (PICTURES / "full.svg").read_text(encoding="utf-8"))
    assert len(there) == 64
    assert set(there) <= set(re.findall(r"<title>([^<]+)<", page))


def test_the_cell_is_what_its_command_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(group, ["show", "434", "-o", "434.svg"])
    assert shown.exit_code == 0, shown.output
    assert Path("434.svg").read_text() == (PICTURES / "434.svg").read_text()


@pytest.mark.parametrize("path", sorted((ROOT / "docs").rglob("*.svg")), ids=lambda path: path.name)
def test_a_picture_is_light_or_dark_as_the_page_around_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "prefers-color-scheme: dark" in text
    assert 'fill="var(--paper, #ffffff)"' in text
