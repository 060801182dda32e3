"""Own spaces and small tables: every question is answered with what there is, or says what is missing."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner, Result

from nasbench_ws.cli import group
from nasbench_ws.errors import TableError, UsageError
from nasbench_ws.evaluation.leaderboard import leaderboard
from nasbench_ws.rankers.scores_file import turned
from nasbench_ws.recipe import Recipe
from nasbench_ws.results.assess import assess
from nasbench_ws.results.text import render_scores
from nasbench_ws.space.cell import Space
from nasbench_ws.space.macro import build_macro
from nasbench_ws.tables.checks import blank_columns, problems, root_attributes
from nasbench_ws.tables.columns import CURVES, DIVERGED, MISSING, Content
from nasbench_ws.tables.file import write_table
from nasbench_ws.tables.table import Table
from nasbench_ws.testing import check_worker

OPERATIONS = ("max_pool_3x3", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_5x5")


def small(operations: int, nodes: int = 1, seeds: int = 2, equal: bool = False) -> Table:
    """A table of operations ** edges children with accuracies that differ, or do not."""
    space = Space(f"own{operations}{nodes}", nodes, OPERATIONS[:operations])
    recipe = Recipe(space=space.name, images="folder:own", channels=2, cells=1)
    macro = build_macro(recipe, 14, 14, 1, 3)
    columns = blank_columns(space, macro, range(seeds), [1.0])
    rng = np.random.default_rng(0)
    for name in CURVES:
        columns[name][:] = 0.5 if equal else rng.random((len(space), seeds, 1))
    columns["status"][:] = 0
    columns["environment"][:] = 0
    computed = {"versions": {}, "device": "a test"}
    content = Content(root_attributes(recipe, space, macro, "0" * 64, [computed], "", ""), columns)
    assert not problems(content)
    return Table(content, "own")


@pytest.mark.parametrize("children", [2, 3, 4, 8])
@pytest.mark.parametrize("seeds", [1, 2, 3])
@pytest.mark.parametrize("equal", [False, True])
@pytest.mark.usefixtures("quick")
def test_scores_of_a_small_table_are_assessed(children: int, seeds: int, equal: bool) -> None:
    table = small(2, 2, seeds, equal) if children == 8 else small(children, 1, seeds, equal)
    assert len(table) == children
    found = assess(np.arange(children, dtype=float), table)
    largest = max((int(name.partition("@")[2] or 0) for name in found.metrics), default=0)
    assert largest <= children
    assert ("top_rank@3" in found.metrics) == (children >= 3)
    text = " ".join(render_scores("mine", found, 1).split())
    assert found.verdict in text
    assert math.isnan(found.metrics["kendall_tau"].mean) == equal


@pytest.mark.usefixtures("quick")
def test_masked_scores_are_missing() -> None:
    table = small(2, 2)
    hidden = np.ma.array([[5.0, 4.0, 3.0, 2.0, 1.0, 0.0, 9.0, 8.0]], mask=np.arange(8) == 6)
    expected = np.array([[5.0, 4.0, 3.0, 2.0, 1.0, 0.0, np.nan, 8.0]])
    assert assess(hidden, table).metrics["kendall_tau"] == assess(expected, table).metrics["kendall_tau"]


@pytest.mark.parametrize(("status", "word"), [(MISSING, "missing"), (DIVERGED, "diverged")])
def test_a_table_that_lacks_a_run_answers_what_it_can(status: int, word: str) -> None:
    whole = small(2, 2)
    columns = {name: column.copy() for name, column in whole.content.columns.items()}
    columns["status"][3, 1] = status
    columns["environment"][3, 1] = -1 if status == MISSING else 0
    for name in CURVES:
        columns[name][3, 1] = np.nan
    table = Table(Content(whole.content.attributes, columns), "own")
    assert table.query(3).status == ("ok", word)
    assert table.query(3).to_dict()["test_accuracy"]["mean"] is None
    json.dumps(table.query(3).to_dict(), allow_nan=False)
    assert len(table.best("test_accuracy", 7)) == 7
    assert np.isfinite(table.column("test_accuracy", skip_missing=True)).all()
    with pytest.raises(TableError, match=f"it lacks 122 seed 1 \\({word}\\)"):
        _ = table.truth


@pytest.mark.parametrize("children", [2, 4, 8])
@pytest.mark.parametrize("seeds", [1, 2, 3])
@pytest.mark.parametrize("equal", [False, True])
@pytest.mark.usefixtures("quick")
def test_a_small_table_has_a_leaderboard(children: int, seeds: int, equal: bool) -> None:
    table = small(2, 2, seeds, equal) if children == 8 else small(children, 1, seeds, equal)
    board = leaderboard(table=table)
    assert {row.name for row in board.rows} >= {"parameter count", "multiply-adds", "random"}
    assert math.isnan(board.bound)  # of so few children and seeds none is known
    assert "parameter count" in str(board)
    if children == 2:
        with pytest.raises(UsageError, match=r"unknown metric 'top_rank@3' \(did you mean top_rank@1\?\)"):
            leaderboard(table=table, metric="top_rank@3")


def test_equal_scores_do_not_look_turned() -> None:
    assert turned(np.ones((1, 4)), np.arange(4.0)) is None


@pytest.mark.usefixtures("quick")
def test_commands_answer_of_a_table_of_two_children_and_one_seed(tmp_path: Path) -> None:
    path = tmp_path / "two.h5"
    write_table(path, small(2, seeds=1, equal=True).content)

    def run(*words: str) -> Result:
        return CliRunner().invoke(group, [*words, "--table", str(path)], standalone_mode=False)

    assert "validation accuracy 0.5000 +- - over 1 seed:\n" in run("query", "1").stdout
    assert "test accuracy 0.5000 +- - over 1 seed\n" in run("show", "2").stdout
    assert [line.split()[:2] for line in run("top").stdout.splitlines()[1:]] == [["1", "1"], ["2", "2"]]
    assert run("top", "-n", "3").stdout == run("top", "-n", "2").stdout
    result = str(tmp_path / "params.json")
    assert "No verdict: all 2 ground-truth values are equal" in run("evaluate", "params", "-o", result).stdout
    assert str(run("why", result).exception) == (
        "params has no Kendall tau on two.h5: all scores of an instance, or all 2 ground-truth values, are equal; "
        "there is no order to explain"
    )
    for words in (["leaderboard", result], ["power", "--detect", "0.1"], ["search", "random", "--repetitions", "2"]):
        assert "nan" not in run(*words).stdout.split(), words


@pytest.mark.slow  # starts a process
def test_a_space_that_only_its_table_knows_is_checked_in_a_worker_too() -> None:
    check_worker("edge:0-1", small(3).space)


@pytest.mark.parametrize(
    ("status", "now", "said"),
    [
        ("ok", 0.25, "not equal: another machine, or other libraries. The last test accuracies differ by 0.2500;\n"
         "the table's seeds have a standard deviation of -\n"),
        ("diverged", math.nan, "1 seed 0 is ok in own.h5, and diverged here; compare `nasbench-ws doctor` with the "
         "table's environments"),
    ],
    ids=["otherwise", "diverged"],
)  # fmt: skip
def test_a_run_trained_again_is_judged_by_what_the_table_has(
    status: str, now: float, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one seed there is no spread to judge by, and a loss that is not finite is no distance."""
    path = tmp_path / "own.h5"
    write_table(path, small(2, seeds=1, equal=True).content)
    record = SimpleNamespace(status=status, epochs=(1.0,), curves=dict.fromkeys(CURVES, (now,)))
    monkeypatch.setattr("nasbench_ws.training.building.standalone.train_run", lambda *_, **__: record)
    monkeypatch.setattr("nasbench_ws.images.loaders.load_images", lambda *_: None)
    done = CliRunner().invoke(group, ["train", "1", "--table", str(path)], standalone_mode=False)
    assert (str(done.exception) if status == "diverged" else done.stdout).endswith(said)
