"""Results by name: files, what ships, and what ships of another space, by its name or by the results beside it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from nasbench_ws.cli import group
from nasbench_ws.errors import ResultError
from nasbench_ws.evaluation.experiment import shipped_results
from nasbench_ws.evaluation.named import read_result, read_results, shipped_names

TOPOLOGY = shipped_results("topology729")


def spaces_of(*names: str, space: str | None = None) -> list[str]:
    return [one.result.outcome.recipe["space"] for one in read_results(names, space)]


def test_a_name_alone_means_the_space_of_what_stands_beside_it(tmp_path: Path) -> None:
    shutil.copy(TOPOLOGY / "fair.json", tmp_path / "mine.json")
    mine = str(tmp_path / "mine.json")
    assert spaces_of("full", "none") == ["deeper64", "deeper64"]
    assert spaces_of(mine, "full") == spaces_of("topology729/full", "none") == ["topology729", "topology729"]
    assert spaces_of("full", space="topology729") == ["topology729"]
    assert spaces_of("prefix-1", space="topology729") == spaces_of("deeper64/full") == ["deeper64"]
    assert [one.label for one in read_results([mine, "full"])] == ["mine", "full"]
    assert read_result("topology729/shuffle").label == read_result("topology729/full").label == "full"


def test_names_that_no_result_has() -> None:
    assert {"topology729/fair", "shuffle", "drift"} <= set(shipped_names())
    for name, perhaps in (
        ("fair", "topology729/fair"),
        ("topology729/unifrm", "topology729/uniform or topology729/fair"),
        ("topology729/../drift", "topology729/fair or "),
    ):
        with pytest.raises(ResultError) as caught:
            read_result(name)
        assert str(caught.value).startswith(
            f"there is no file {name}, and no result of that name ships (did you mean {perhaps}"
        )
        assert str(caught.value).endswith(
            "; shipped ones are named as `nasbench-ws leaderboard` lists them, such as full, or by file, such as "
            "autodeeplab"
        )
    assert read_result("topology729/full").ships
    with pytest.raises(ResultError):
        read_result("434")  # a child


@pytest.mark.parametrize("command", [["why", "topology729/fair"], ["why", "fair", "--table", "fashion14-topology"]])
def test_why_takes_the_table_of_a_shipped_result(quick: None, command: list[str]) -> None:
    said = CliRunner().invoke(group, command, catch_exceptions=False)
    assert said.exit_code == 0
    assert "wrong in 2 of 2" in said.output
