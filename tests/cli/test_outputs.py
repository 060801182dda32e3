"""Files are never overwritten silently; rows as CSV; names as they are printed; the user's rows on the leaderboard."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from nasbench_ws.cli import group
from nasbench_ws.cli.options import ALLOWED_EMPTY, where_to_run
from nasbench_ws.cli.outputs import check_output
from nasbench_ws.errors import OutputError, ResultError, UsageError
from nasbench_ws.evaluation.evaluate import prepare
from nasbench_ws.evaluation.experiment import shipped_results
from nasbench_ws.evaluation.named import read_result
from nasbench_ws.recipe import Recipe
from nasbench_ws.results.text import LABELS, metric_name
from nasbench_ws.training.building.builder import build


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


def texts() -> Iterator[tuple[list[str], click.Command, click.Parameter]]:
    """Every option and argument of every command that takes a text, and is not empty by default."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = getattr(command, "commands", None)
        for words, one in [([name], command)] if inner is None else [([name, sub], inner[sub]) for sub in inner]:
            for parameter in one.params:
                a_text = isinstance(parameter.type, click.types.StringParamType | click.Path)
                if a_text and parameter.default != "" and parameter.name not in ALLOWED_EMPTY:
                    yield words, one, parameter


def test_no_text_that_was_given_may_be_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unset variable of a shell is no wish for the default, nor for the folder one stands in."""
    monkeypatch.chdir(tmp_path)
    seen = set()
    for words, command, parameter in texts():
        label = parameter.opts[-1]
        given = []
        for other in command.params:
            value = "" if other is parameter else "1"
            if isinstance(other, click.Argument) and (other.required or other is parameter):
                given += [value] * max(1, other.nargs)
            elif other is parameter or other.required:
                given += [other.opts[-1], value]
        done = CliRunner().invoke(group, [*words, *given], standalone_mode=False)
        shown = parameter.human_readable_name if isinstance(parameter, click.Argument) else label
        text = f"{shown} is empty, as an unset variable of a shell leaves it; give it a value"
        assert str(done.exception) == text, (words, label)
        seen.add((words[0], label))
    assert {("evaluate", "--work"), ("build", "folder"), ("data", "originals"), ("search", "--out")} <= seen
    assert len(seen) > 70
    assert list(tmp_path.iterdir()) == []
    given = ["--quick", "--recipe", "", "--fine-tune", "", "--table", "x.h5"]  # which say: no changes, nowhere
    assert "x.h5" in str(CliRunner().invoke(group, ["evaluate", "full", *given], standalone_mode=False).exception)


def test_a_folder_without_a_name() -> None:
    for call in (lambda: build(Recipe(), [0], ""), lambda: prepare("params", folder="")):
        with pytest.raises(UsageError) as caught:
            call()
        assert str(caught.value) == "the name of the folder is empty; give one"


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
    assert [row["child"] for row in rows] == ["233", "334", "234"]
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
