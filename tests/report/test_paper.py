"""What a paper takes: PDF with fonts that conferences accept, LaTeX that is escaped, BibTeX; the same bytes again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import scored

from nasbench_ws.cli import group
from nasbench_ws.cli.outputs import check_output
from nasbench_ws.errors import ResultError, UsageError
from nasbench_ws.evaluation.leaderboard import leaderboard
from nasbench_ws.evaluation.named import read_result
from nasbench_ws.report.paper import forest, latex, paper
from nasbench_ws.report.results import results_page
from nasbench_ws.tables.table import Table, load


def test_files_of_a_paper(make: Any, tiny: Any) -> None:
    odd = make(strategy="my_own {50 %}", scores={"recalibrate:64": scored(3, 1)})
    makers = paper([make(), odd], tiny.table)
    assert list(makers) == [
        "scatter-full.pdf", "ranks-full.pdf", "scatter-my-own-50-recalibrate-64.pdf", "forest.pdf", "table.tex",
        "nasbench-ws.bib",
    ]  # fmt: skip
    files = {name: maker() for name, maker in makers.items() if not name.startswith(("ranks", "scatter-f"))}
    for name, data in files.items():
        if name.endswith(".pdf"):
            assert data.startswith(b"%PDF-")
            assert b"/Creator (nasbench-ws 0.1.0)" in data
            assert b"/Type3" not in data
            assert b"/CreationDate" not in data
    assert files["forest.pdf"] == makers["forest.pdf"]()
    rows = [line for line in latex([make(), odd]).splitlines() if " & " in line]
    assert len({row.count(" & ") for row in rows}) == 1
    assert all(row.endswith(" \\\\") for row in rows)
    assert rows[2].startswith(r"  my\_own \{50 \%\} & recalibrate:64 & 1 & $")
    assert rows[3].startswith("  parameter count & ")
    assert b"arXiv:2001.01431" in files["nasbench-ws.bib"]
    assert tiny.table.digest[:16].encode() in files["nasbench-ws.bib"]


def test_what_has_no_figures_is_refused(make: Any, tiny: Any) -> None:
    with pytest.raises(UsageError) as caught:
        paper([], tiny.table)
    assert str(caught.value) == "no result for a paper; give at least one file of `nasbench-ws evaluate -o FILE`"
    with pytest.raises(ResultError) as lost:
        paper([make(scores={"running": np.full((2, 64), np.nan)})], tiny.table)
    assert str(lost.value) == "full has no Kendall tau: every instance diverged"


def test_the_command_overwrites_its_own_files_alone(tmp_path: Path) -> None:
    command = ["report", "none", "--paper", str(tmp_path / "paper")]
    made = json.loads(CliRunner().invoke(group, [*command, "--json"], catch_exceptions=False).stdout)["files"]
    assert {Path(path).name for path in made} >= {"scatter-none.pdf", "forest.pdf", "table.tex", "nasbench-ws.bib"}
    assert all(Path(path).stat().st_size == size for path, size in made.items())
    again = CliRunner().invoke(group, command)
    assert str(again.exception).endswith("exists; write over it with --force, or name another file")
    check_output(str(tmp_path / "paper" / "forest.pdf"), force=True)  # whose end says what made it
    (tmp_path / "paper" / "table.tex").write_text("mine")
    foreign = CliRunner().invoke(group, [*command, "--force"])
    assert "exists, and is no file of nasbench-ws" in str(foreign.exception)
    alone = CliRunner().invoke(group, ["report", "--table", "fashion14", "--paper", str(tmp_path / "none")])
    assert isinstance(alone.exception, UsageError)
    assert not (tmp_path / "none").exists()


ODD = "a$\\frac$ $^{$ \x1b[31m\n\n\\input{x} \u202e"
ON_ONE_LINE = (
    r"a\$\textbackslash{}frac\$ \$\textasciicircum{}\{\$ \textbackslash{}x1b[31m \textbackslash{}input\{x\} "
    r"\textbackslash{}u202e"
)


@pytest.mark.slow  # it draws everything; CI runs it
def test_names_of_strangers_are_drawn_and_begin_no_command_of_latex(make: Any, tiny: Any) -> None:
    """matplotlib took dollars for mathematics, and a line's end in a table's name ended the comment that names it."""
    table = Table(tiny.table.content, ODD)
    result = make(strategy=ODD, table=table, scores={"recalibrate:64": scored(3, 1)})
    assert paper([result], table)["forest.pdf"]().startswith(b"%PDF-")
    board = leaderboard([result], table).plot
    for axes in (result.plot.scatter(table), board.forest(), board.frontier()):
        texts = [text for text in (axes.title, *axes.get_yticklabels(), *axes.texts) if "frac" in text.get_text()]
        assert not any(text.get_parse_math() or "\n" in text.get_text() for text in texts)
    comment, row = (line for line in latex([result]).splitlines() if "input" in line)
    assert comment == f"% nasbench-ws 0.1.0, table {ON_ONE_LINE}, digest {table.digest}"
    assert row.startswith(f"  {ON_ONE_LINE} & recalibrate:64 & 1 & $")


def test_results_of_several_numbers_of_steps_are_told_apart() -> None:
    some = [read_result(name).result for name in ("full-12800", "full-39200", "az_nas")]
    rows = [line.split(" & ")[0].strip() for line in latex(some).splitlines() if " & " in line][1:]
    assert rows[:3] == ["full 12,800 steps", "full 39,200 steps", r"az\_nas"]
    table = load("fashion14")
    assert [name for name in paper(some, table) if name.startswith("scatter-full")] == [
        "scatter-full-12800-steps-recalibrate-1024.pdf", "scatter-full-39200-steps-recalibrate-1024.pdf",
    ]  # fmt: skip
    assert [label.get_text().replace("\n", " ") for label in forest(some).get_yticklabels()] == [
        "full 12,800 steps recalibrate:1024", "full 39,200 steps recalibrate:1024", "az_nas",
    ]  # fmt: skip
    page = results_page(some, table)
    assert page.count("full 12,800 steps recalibrate:1024") > 2
    assert "1. full 12,800 steps recalibrate:1024" in page
    assert "steps" not in latex(some[:1]).split("tabular")[1]
