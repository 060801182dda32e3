"""Files are never overwritten silently; rows as CSV; names as they are printed; the user's rows on the leaderboard."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nasbench_ws.cli import group
from nasbench_ws.cli.options import where_to_run
from nasbench_ws.cli.outputs import check_output
from nasbench_ws.errors import OutputError, ResultError, UsageError
from nasbench_ws.evaluation.experiment import shipped_results
from nasbench_ws.evaluation.named import read_result
from nasbench_ws.results.text import LABELS, metric_name


def run(*words: str) -> Result:
    return CliRunner().invoke(group, list(words), catch_exceptions=False)


def refused(path: Path, force: bool) -> str:
    with pytest.raises(OutputError) as caught:
        check_output(str(path), force)
    return str(caught.value)


def test_a_file_without_a_name() -> None:
    with pytest.raises(OutputError) as caught:
        check_output("")
    assert str(caught.value) == "the name of the file to write is empty; give one"


def test_a_folder_without_a_name() -> None:
    done = CliRunner().invoke(group, ["build", "", "--seeds", "0"], standalone_mode=False)
    assert str(done.exception) == "the name of the folder is empty; give one"


def test_a_scheduler_without_an_address() -> None:
    with pytest.raises(UsageError) as caught, where_to_run("", None):
        pass
    assert str(caught.value) == "--dask is empty; give a scheduler's address, or its file"


def test_a_file_of_ours_needs_force_and_a_foreign_one_is_never_overwritten(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "434.svg", tmp_path / "notes.txt"
    assert run("show", "434", "-o", str(ours)).exit_code == 0
    theirs.write_text("mine alone")
    assert refused(ours, False) == f"{ours} exists; write over it with --force, or name another file"
    check_output(str(ours), True)
    foreign = f"{theirs} exists, and is no file of nasbench-ws; name another, or delete it yourself"
    assert refused(theirs, False) == refused(theirs, True) == foreign
    assert theirs.read_text() == "mine alone"
    assert refused(Path("/dev/null"), True).startswith("/dev/null exists, and is no file of nasbench-ws")


@pytest.mark.parametrize("words", [("export",), ("export", "--to", "configspace"), ("export", "--to", "syne-tune")])
def test_every_export_is_known_again(words: tuple[str, ...], tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    command = [*words, "-o", path]
    assert run(*command).exit_code == 0
    with pytest.raises(OutputError, match="exists; write over it with --force"):
        run(*command)
    assert run(*command, "--force").exit_code == 0


def test_rows_as_csv() -> None:
    rows = list(csv.DictReader(io.StringIO(run("top", "-n", "3", "--csv").output)))
    assert [row["child"] for row in rows] == ["333", "233", "334"]
    board = list(csv.DictReader(io.StringIO(run("leaderboard", "--csv").output)))
    assert board[0]["name"] == "parameter count"
    assert board[0]["s_tau"] == ""
    compared = list(csv.DictReader(io.StringIO(run("compare", "full", "none", "--csv").output)))
    assert [row["name"] for row in compared] == ["full", "none"]


def test_metrics_go_by_the_names_that_are_printed() -> None:
    assert [metric_name(label) for label in LABELS.values()] == list(LABELS)
    assert metric_name("t1r") == "top_rank@1"
    assert metric_name("GT-Tau") == "kendall_tau"
    assert metric_name("of no such name") == "of no such name"
    assert run("leaderboard", "--metric", "P@top5").output.startswith("P@top5 on fashion14")


def test_results_that_ship_have_names(tmp_path: Path) -> None:
    assert read_result("full").result == read_result("shuffle").result
    assert read_result("edge:0->2").label == read_result("edge:0-2").label == "edge:0-2"
    assert read_result("edge:0-2").result.outcome.match == "child-updates"
    with pytest.raises(ResultError) as caught:
        read_result("fulll")
    assert str(caught.value).startswith("there is no file fulll, and no result of that name ships")


def test_the_callers_row_is_marked_and_named_by_its_file(tmp_path: Path) -> None:
    own = tmp_path / "mine.json"
    own.write_bytes((shipped_results() / "private-bn.json").read_bytes())
    lines = run("leaderboard", str(own), "--top", "2").output.splitlines()
    marked = [line for line in lines if line.strip().startswith(">")]
    assert marked
    assert all(" mine" in line for line in marked)
    assert len([line for line in lines if line[:4].strip().lstrip(">").isdigit()]) == 2 + len(marked)
    few = run("leaderboard", "--strategy", "groups:similar", "--kind", "super-net").output
    assert "groups:similar:2" in few
    assert "prefix" not in few
