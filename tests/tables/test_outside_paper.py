"""Published accuracies as a table: nothing made up, and usable where means are enough."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.stats import kendalltau

from nasbench_ws.cli import group
from nasbench_ws.errors import TableError
from nasbench_ws.report.card import agreement, card
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.tables.columns import CURVES
from nasbench_ws.tables.merge import extract_runs
from nasbench_ws.tables.outside.paper import published, read_numbers
from nasbench_ws.tables.table import Table, load, verify, write_table

FIGURES = Path(__file__).parents[3] / "shared" / "published" / "cifar10_ground_truth.csv"
MEAN = 0.7 + 0.2 * np.random.default_rng(0).random(64)
STD = np.full(64, 0.004)


@pytest.fixture
def paper() -> Table:
    return Table(published(MEAN, STD), "paper")


def test_what_is_not_known_is_missing(paper, tmp_path):
    write_table(tmp_path / "paper.h5", paper.content)
    assert verify(tmp_path / "paper.h5") == []
    read = load(tmp_path / "paper.h5")
    np.testing.assert_array_equal(read.truth, MEAN)
    for name in CURVES:
        assert np.isnan(read.curves(name)).all() == (name != "test_accuracy")
    assert read.query("111").status == ("published",)
    assert read.absent() == extract_runs(read) == []
    assert read.content.environments[0]["test_accuracy_std"] == STD.tolist()
    assert read.column("params").min() == 24_858  # the paper's network
    assert read.column("params").max() == 40_602


def test_percent_and_fractions_are_the_same():
    percent = Table(published(MEAN * 100, STD * 100))
    np.testing.assert_allclose(percent.truth, MEAN, atol=1e-15)
    np.testing.assert_allclose(percent.content.environments[0]["test_accuracy_std"], STD, atol=1e-15)


@pytest.mark.parametrize("text", ["{}\n" * 64, "[" + "{}, " * 63 + "{}]", ("{} " * 8 + "\n") * 8])
def test_files_of_several_forms(text, tmp_path):
    path = tmp_path / "mean.txt"
    path.write_text(text.format(*MEAN))
    np.testing.assert_array_equal(read_numbers(path), MEAN)


def test_what_cannot_be(tmp_path):
    path = tmp_path / "mean.txt"
    with pytest.raises(TableError) as caught:
        read_numbers(path)
    assert str(caught.value) == f"{path} cannot be read: No such file or directory; give a text file of 64 numbers"
    path.write_text("0.5 0.6")
    with pytest.raises(TableError) as caught:
        read_numbers(path)
    assert str(caught.value) == f"{path} has 2 numbers; give one for each of the 64 children"
    path.write_text("111: 0.5")
    with pytest.raises(TableError) as caught:
        read_numbers(path)
    text = "could not convert string to float: '111:'; give a text file of 64 numbers and no words"
    assert str(caught.value) == f"{path}: {text}"
    with pytest.raises(TableError) as caught:
        published(STD, MEAN)
    text = (
        "the standard deviation of 111 is 0.827392; it must be a fraction from 0 to 0.5, or in percent in both files; "
        "perhaps the two are swapped"
    )
    assert str(caught.value) == text


def test_agreement_is_scipys_tau(paper):
    own = load("fashion14")
    found = agreement(own, paper)
    without = np.array(["1" not in child.name for child in DEEPER64])
    assert without.sum() == 27
    assert found["all"] == pytest.approx(kendalltau(own.truth, MEAN)[0], abs=1e-12)
    assert found["without_pooling"] == pytest.approx(kendalltau(own.truth[without], MEAN[without])[0], abs=1e-12)
    assert f"| cifar10, macro paper | {found['all']:.3f} | {found['without_pooling']:.3f} |" in card(own, [paper])


def test_the_command(tmp_path):
    for name, values in (("mean", MEAN), ("std", STD)):
        (tmp_path / name).write_text("\n".join(map(str, values)))
    words = ["data", "published", str(tmp_path / "mean"), str(tmp_path / "std"), "-o", str(tmp_path / "paper.h5")]
    result = CliRunner().invoke(group, words, catch_exceptions=False, standalone_mode=False)
    size = "64 children x 1 seeds x 1 epochs, deeper64"
    table = load(tmp_path / "paper.h5")
    assert result.output == f"Table('paper.h5': {size}), digest {table.digest}\n"


def papers_table() -> Table:
    rows = list(csv.DictReader(FIGURES.read_text().splitlines()))
    assert [row["name"] for row in rows] == [child.name for child in DEEPER64]
    return Table(published(*([float(row[f"{name}_accuracy"]) for row in rows] for name in ("mean", "std"))), "paper")


@pytest.mark.skipif(not FIGURES.exists(), reason="the paper's figures are not at hand; they do not ship")
def test_the_papers_own_figures():
    table = papers_table()
    assert [entry.name for entry in table.best("test_accuracy", 3)] == ["434", "433", "443"]
    assert kendalltau(table.column("params"), table.truth)[0] == pytest.approx(0.673, abs=5e-4)
