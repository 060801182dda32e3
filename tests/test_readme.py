"""What README and the pages of docs/ state, against what ships. That their blocks run: tests/docs/test_pages.py."""

from __future__ import annotations

import re
import tomllib

import numpy as np
from click.testing import CliRunner
from first_screen import first_screen
from pages import PAGES, ROOT, Page

import nasbench_ws
from nasbench_ws.cli import SHORT, WHERE, group
from nasbench_ws.results.text import LABELS
from nasbench_ws.sharing.strategies import BUILT_IN

README = ROOT / "README.md"
TEXT = README.read_text()
WHOLE = "\n".join(path.read_text() for path in PAGES)


def test_the_first_screen_is_what_the_shipped_scores_say():
    """But for the time."""
    result = first_screen()
    (shown,) = [body for _, _, body in Page(README).blocks if body.startswith("full on fashion14")]
    assert re.sub(r"\d+ s$", "", shown.rstrip()) == re.sub(r"\d+ s$", "", str(result).rstrip())


def test_findings_in_words_are_those_of_the_claims_page():
    """Each "mean [low, high]" of the findings is of a row of a page of claims, rounded; a difference may be turned."""
    number = r"([-+]?\d+\.\d+)"
    triple = rf"{number}\s+\[{number},\s+{number}\]"
    pages = "".join((ROOT / "data" / f"CLAIMS{name}.md").read_text() for name in ("", "-PAPER"))
    rows = [tuple(map(float, found)) for found in re.findall(triple, pages)]
    rows += [(-mean, -high, -low) for mean, low, high in rows]
    text = (ROOT / "docs" / "findings.md").read_text()
    words = text[text.index("[All figures beside the paper's") : text.index("This is a small setting")]
    stated = re.findall(triple, words)
    assert len(stated) > 10
    for texts in stated:
        digits = len(texts[0].partition(".")[2])
        values = np.array(texts, float)
        assert any(np.abs(values - row).max() <= 0.5001 * 10**-digits + 0.0005 for row in rows), texts


def test_every_command_is_documented():
    assert set(SHORT) == set(WHERE)
    for name in WHERE:
        result = CliRunner().invoke(group, [name, "--help"])
        assert result.exit_code == 0
        assert "Example:" in result.output, name


def test_strategies_in_the_pages_are_the_built_in_ones():
    for built_in in BUILT_IN.values():
        for usage in built_in.usage.split(" | "):
            assert f"`{usage}`" in WHOLE, usage


def test_the_readme_is_short_and_its_figures_are_those_that_ship():
    assert len(TEXT.splitlines()) <= 200
    board = nasbench_ws.leaderboard()
    by_name = {(row.name, row.batch_norm): row for row in board.rows}
    for mode in ("running", "recalibrate:1024"):
        row = by_name["full", mode]
        assert f"{row.mean:.2f} [{row.interval[0]:.2f}, {row.interval[1]:.2f}]" in TEXT
    counted, again = by_name["parameter count", ""], by_name["alone, epoch 10 of 10", ""]
    said = f"**Counting parameters reaches {counted.mean:.2f}, and training each child once more {again.mean:.2f}.**"
    assert said in TEXT.replace("\n", " ")
    assert f"{board.bound:.2f} here, since ten to 27 seeds" in TEXT


def test_every_metric_that_is_printed_is_in_the_glossary():
    glossary = (ROOT / "docs" / "glossary.md").read_text()
    for name, label in LABELS.items():
        assert f"| {label} | `{name}` |" in glossary


def test_options_and_links_in_the_pages_exist():
    """Whatever looks like an option of ours is one of some command; so are extras and files that are named."""
    known = {option for name in WHERE for option in re.findall(r"--[a-z-]+", _help(name))}
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for path in PAGES:
        text = re.sub(r"^#SBATCH.*$", "", path.read_text(), flags=re.M)
        for foreign in ("--scheduler-file", "--nthreads", "--8<--"):
            text = text.replace(foreign, "")
        assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) <= known, path
        assert set(re.findall(r"'\.\[(\w+)\]'", text)) <= set(extras), path
        prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
        for target in re.findall(r"\]\((?!http|#)([^)#]+)", prose):
            assert (path.parent / target).exists(), (path, target)


def _help(name):
    command = group.get_command(None, name)
    text = CliRunner().invoke(group, [name, "--help"]).output
    for part in getattr(command, "commands", {}):
        text += CliRunner().invoke(group, [name, part, "--help"]).output
    return text


def test_the_version_is_stated_once_everywhere():
    root = ROOT
    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    assert nasbench_ws.__version__ == version
    assert f"\nversion: {version}\n" in (root / "CITATION.cff").read_text()
    assert f"\n## {version}" in (root / "CHANGELOG.md").read_text()
