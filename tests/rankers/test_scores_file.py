"""Scores from anywhere, by the same yardstick; every refusal in full."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

from nasbench_ws.cli import group
from nasbench_ws.errors import ArchitectureError, ResultError
from nasbench_ws.rankers.scores_file import read_scores
from nasbench_ws.tables.table import load

TABLE = load("fashion14")


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)

    def write(rows, head=""):
        text = "\n".join([head, *(",".join(map(str, row)) for row in rows)])
        Path("mine.csv").write_text(text + "\n")
        return "mine.csv"

    return write


def test_any_order_and_any_name_give_the_tables_order(write):
    rng = np.random.default_rng(0)
    expected = rng.random((2, 64))
    names = [rng.choice([e.name, e.hash, e.architecture.spec, e.hash[:12]]) for e in TABLE]
    rows = [(name, *expected[:, i]) for i, name in enumerate(names)]
    shuffled = [rows[i] for i in rng.permutation(64)]
    for head in ("", "child,first,second"):
        assert np.array_equal(read_scores(write(shuffled, head), TABLE), expected)


def test_the_command_measures_it(write, quick):
    path = write([(e.name, e.params + i / 100, "nan" if i == 3 else i) for i, e in enumerate(TABLE)])
    result = CliRunner().invoke(group, ["assess", path, "--json"], catch_exceptions=False)
    found = json.loads(result.stdout)
    params = TABLE.column("params") + np.arange(64) / 100
    tau = stats.kendalltau(params, TABLE.truth).statistic
    assert found["metrics"]["kendall_tau"]["values"][0] == pytest.approx(tau, abs=1e-12)
    last = np.where(np.arange(64) == 3, -1, np.arange(64))
    assert found["metrics"]["kendall_tau"]["values"][1] == pytest.approx(stats.kendalltau(last, TABLE.truth).statistic)
    text = CliRunner().invoke(group, ["assess", path], catch_exceptions=False).stdout
    assert text.startswith("mine.csv on fashion14: 2 instances\n\nGT-Tau ")
    assert max(map(len, text.splitlines())) <= 80


WHOLE = [(e.name, 0.5) for e in TABLE]


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (
            WHOLE[:-6],
            "mine.csv has no score for 6 of 64 children (433, 434, 441, 442, 443, ...); a ranking needs all of them: "
            "write nan for one that diverged",
        ),
        ([*WHOLE, WHOLE[0]], "mine.csv, line 66: child 111 is there twice; give each one line"),
        (
            [*WHOLE[:2], ("113", "high"), *WHOLE[3:]],
            "mine.csv, line 4: 'high' is no score; write a child and a number for each instance, as 434,0.83",
        ),
        (
            [*WHOLE[:2], ("113", "inf"), *WHOLE[3:]],
            "mine.csv, line 4: 'inf' is no score; write a child and a number for each instance, as 434,0.83",
        ),
        ([("111", 0.1, 0.2), *WHOLE[1:]], "mine.csv has children with 1 and with 2 scores; give each as many"),
    ],
    ids=["absent", "twice", "word", "infinite", "ragged"],
)
def test_what_is_no_ranking(write, rows, text):
    with pytest.raises(ResultError) as caught:
        read_scores(write(rows), TABLE)
    assert str(caught.value) == text


def test_files_that_cannot_be_read(write, tmp_path):
    with pytest.raises(ResultError) as caught:
        read_scores("gone.csv", TABLE)
    text = "gone.csv cannot be read: No such file or directory; give a CSV file with a line for each child"
    assert str(caught.value) == text
    Path("bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ResultError, match=r"bytes\.csv cannot be read: 'utf-8' codec can't decode"):
        read_scores("bytes.csv", TABLE)
    with pytest.raises(ArchitectureError):
        read_scores(write([("999", 0.5)]), TABLE)
    Path("empty.csv").write_text("")
    with pytest.raises(ResultError, match=r"empty\.csv has no score for 64 of 64 children"):
        read_scores("empty.csv", TABLE)
