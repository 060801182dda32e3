"""Runs of a user's own space, where nobody has registered it: the folder and the table say which it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from small_builds import RECIPE, Here, quick, tiny

from nasbench_ws.cli import group
from nasbench_ws.errors import NasbenchError, TableError, UsageError
from nasbench_ws.json_files import read_record, write_record
from nasbench_ws.space.cell import Space
from nasbench_ws.space.registry import SPACES
from nasbench_ws.tables.merge import merge
from nasbench_ws.tables.run import FORMAT, read_runs
from nasbench_ws.tables.table import load, verify
from nasbench_ws.training.building.builder import Progress, build

OPERATIONS = ("max_pool_3x3", "sep_conv_3x3")
OWN, SWAPPED = Space("own8", 2, OPERATIONS), Space("own8", 2, OPERATIONS[::-1])
OWN_RECIPE = replace(RECIPE, space="own8")


def made(folder: Path, seeds: int = 1, **options: object) -> Progress:
    return build(OWN_RECIPE, range(seeds), folder, load=tiny, train=quick, executor=Here(), **options)  # type: ignore[arg-type]


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of runs that another process has made, in which the space was registered."""
    monkeypatch.setitem(SPACES, OWN.name, OWN)
    assert made(tmp_path / "runs").done == 8
    monkeypatch.delitem(SPACES, OWN.name)
    return tmp_path / "runs"


def refused(error: type[NasbenchError], call: Callable[[], object]) -> str:
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


def test_a_folder_knows_its_space(runs: Path, tmp_path: Path) -> None:
    assert {record.space for _, record in read_runs(runs)} == {OWN}
    assert made(runs, seeds=2).done == 16
    table = merge([runs], tmp_path / "own.h5")
    assert (table.space, len(table.absent())) == (OWN, 0)
    assert verify(tmp_path / "own.h5") == []
    assert made(tmp_path / "more", seeds=2, resume_from=tmp_path / "own.h5") == Progress(16, 0, 16, 0.0)
    again = merge([tmp_path / "more", load(tmp_path / "own.h5")], tmp_path / "again.h5")
    assert again.digest == table.digest


def test_commands_take_it_from_there(runs: Path, tmp_path: Path) -> None:
    path = str(tmp_path / "own.h5")
    for command in (
        ["merge", str(runs), "-o", path], ["verify", path], ["query", "111", "--table", path],
        ["top", "--table", path, "-n", "3"],
        ["show", "212", "--table", path], ["strategies", "groups:similar:4", "--table", path],
    ):  # fmt: skip
        found = CliRunner().invoke(group, command, catch_exceptions=False)
        assert found.exit_code == 0, found.output


def test_another_space_of_that_name_is_refused(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    merge([runs], tmp_path / "own.h5")
    monkeypatch.setitem(SPACES, SWAPPED.name, SWAPPED)
    assert refused(UsageError, lambda: made(runs)).endswith(
        f" is of {OWN!r}, not of {SWAPPED!r}; build into another folder, or give one of the spaces a name of its own"
    )
    assert refused(UsageError, lambda: made(tmp_path / "other", resume_from=tmp_path / "own.h5")) == (
        f"{tmp_path / 'own.h5'} cannot be resumed from: it is of {OWN!r}, and this build of {SWAPPED!r}; give one of "
        "the spaces a name of its own"
    )
    made(tmp_path / "swapped")
    assert refused(TableError, lambda: merge([runs, tmp_path / "swapped"], tmp_path / "both.h5")) == (
        f"{tmp_path / 'swapped'} is of {SWAPPED!r}, and {runs} of {OWN!r}; a table holds runs of one space, so merge "
        "them apart"
    )


def test_runs_of_older_versions_need_the_space_registered(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path, _ in list(read_runs(runs)):
        data = read_record(path, FORMAT)
        del data["space"]
        write_record(path, FORMAT, data)
    text = refused(UsageError, lambda: merge([runs], tmp_path / "own.h5"))
    assert text.startswith("there is no space 'own8'; known: deeper64, ")
    monkeypatch.setitem(SPACES, OWN.name, OWN)
    assert merge([runs], tmp_path / "own.h5").space == OWN


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        (SWAPPED, None),
        (replace(OWN, nodes=1), f"is of no child of {replace(OWN, nodes=1)!r}"),
        (replace(OWN, name="other"), "is of the space other, and its recipe of own8"),
    ],
    ids=["swapped", "smaller", "renamed"],
)
def test_a_run_is_of_a_child_of_its_space(runs: Path, changed: Space, text: str | None) -> None:
    _, record = next(read_runs(runs))
    if text is None:
        assert replace(record, space=changed).space == changed
    else:
        assert refused(UsageError, lambda: replace(record, space=changed)).endswith(text)
