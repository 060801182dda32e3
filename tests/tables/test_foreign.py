"""Schema 2: tables that others made, whole or in part, and what is refused of them by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from foreign_tables import NAN, TOPOLOGY, small

from nasbench_ws.cli import group
from nasbench_ws.errors import ArchitectureError, NasbenchError, TableError, UsageError
from nasbench_ws.evaluation.evaluate import evaluate
from nasbench_ws.space.cell import Space
from nasbench_ws.space.names import indices_of
from nasbench_ws.tables.columns import COLUMNS, Content
from nasbench_ws.tables.merge import merge
from nasbench_ws.tables.outside.foreign import foreign
from nasbench_ws.tables.table import Table, load, verify, write_table


def refused(kind: type[NasbenchError], call: Any) -> str:
    with pytest.raises(kind) as caught:
        call()
    return str(caught.value)


@pytest.fixture
def theirs(tmp_path: Path) -> Table:
    write_table(tmp_path / "theirs.h5", small().content)
    assert verify(tmp_path / "theirs.h5") == []
    return load(tmp_path / "theirs.h5")


def test_what_was_written_is_read(theirs: Table) -> None:
    made = small()
    assert theirs.digest == made.digest
    assert (theirs.foreign, theirs.truth_name, len(theirs), theirs.part) == (True, "valid_accuracy", 27, None)
    np.testing.assert_array_equal(theirs.curves("valid_accuracy"), made.curves("valid_accuracy"))
    assert theirs.content.columns["valid_accuracy"].dtype == "<i4"  # counts
    assert [theirs.has(name) for name in ("params", "macs", "spec")] == [True, False, True]
    assert theirs.column("spec")[5] == theirs.space[5].spec
    assert repr(theirs).endswith("theirs.h5': 27 children x 3 seeds x 1 epochs, small201)")


def test_plain_h5py_reads_it(theirs: Table, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "theirs.h5") as file:
        counts, of = file["valid_accuracy"][()], 1000
        assert file.attrs["counted"] == b'{"valid_accuracy":1000}'
        assert file["name"][4] == theirs.space[4].name.encode()
    np.testing.assert_array_equal(np.where(counts < 0, NAN, counts / of), theirs.curves("valid_accuracy"))


def test_means_are_over_the_runs_that_there_are(theirs: Table) -> None:
    runs = theirs.by_seed("valid_accuracy")
    assert np.isnan(runs[-1]).tolist() == [False, False, True]
    np.testing.assert_allclose(theirs.truth, np.nanmean(runs, axis=1), atol=1e-15)
    np.testing.assert_array_equal(theirs.by_seed("truth"), runs)
    last = theirs.query(26)
    assert last.valid_accuracy.mean == theirs.truth[26]
    assert last.valid_accuracy.std == pytest.approx(np.nanstd(runs[26], ddof=1), abs=1e-15)
    assert last.truth == last.valid_accuracy
    assert last.status == ("ok", "ok", "missing")
    assert (last.macs, last.to_dict()["macs"], last.to_dict()["test_accuracy"]["mean"]) == (None, None, None)
    assert theirs.absent() == []  # nobody can build what others did not run
    assert [e.index for e in theirs.best("valid_accuracy", 3)] == np.argsort(-theirs.truth, kind="stable")[:3].tolist()


def test_what_it_does_not_know(theirs: Table) -> None:
    assert np.isnan(theirs.curves("test_accuracy")).all()
    known = "hash, spec, name, params, valid_accuracy"
    for ask in (lambda: theirs.best("test_accuracy"), lambda: theirs.column("macs")):
        text = refused(UsageError, ask)
        assert text in {f"{theirs.name} does not know {name}; it has {known}" for name in ("test_accuracy", "macs")}


NO_RECIPE = (
    "others made {}, and it has no recipe to train by (a test); measure scores with `assess` and searchers with "
    "`search`, or train against a table that has a recipe, such as fashion14"
)


def test_nothing_is_trained_against_it(theirs: Table, tmp_path: Path) -> None:
    text = NO_RECIPE.format(tmp_path / "theirs.h5")
    assert refused(UsageError, lambda: theirs.recipe) == refused(UsageError, lambda: theirs.macro) == text
    assert refused(UsageError, lambda: evaluate("full", theirs)) == text
    assert refused(UsageError, lambda: evaluate("params", tmp_path / "theirs.h5")) == text
    assert refused(UsageError, lambda: merge([theirs], tmp_path / "new.h5")) == text
    pytest.importorskip("torch")  # which some commands load before they open a table
    for words in (
        ["train", "111", "--table", str(tmp_path / "theirs.h5")],
        ["evaluate", "full", "--table", str(tmp_path / "theirs.h5")],
        ["build", str(tmp_path / "runs"), "--resume-from", str(tmp_path / "theirs.h5")],
    ):
        result = CliRunner().invoke(group, words)
        assert str(result.exception) == text, words


def test_a_part_of_a_space(tmp_path: Path) -> None:
    made = small(part=7)
    write_table(tmp_path / "part.h5", made.content)
    table = load(tmp_path / "part.h5")
    assert verify(tmp_path / "part.h5") == []
    assert (len(table), table.part.tolist(), table.content.shape) == (27, list(range(7)), (7, 3, 1))
    assert np.isfinite(table.column("valid_accuracy")).sum() == 7
    assert table.query(20).status == ("missing",) * 3
    assert np.isnan(table.query(20).truth.mean)
    assert repr(table).endswith("7 of 27 children x 3 seeds x 1 epochs, small201)")
    assert refused(TableError, lambda: table.truth) == (
        f"{table.name} has 7 of the 27 children of small201; measure among those, as `assess` does"
    )
    assert refused(UsageError, lambda: table.best("valid_accuracy", 8)) == (
        "the 8 best of 7 children with a valid_accuracy: n must be 1 to 7"
    )


def test_rows_come_in_any_order() -> None:
    order = np.random.default_rng(1).permutation(7)
    one = small(part=7)
    other = foreign(
        TOPOLOGY, order, {"valid_accuracy": one.by_seed("valid_accuracy")[order]}, truth="valid_accuracy",
        source="a test", images="cifar10", licence="MIT", citation="cite them", epochs=[200.0],
        params=one.column("params")[order], counted={"valid_accuracy": 1000},
    )  # fmt: skip
    assert other.digest == one.digest


def changed(**columns: Any) -> Content:
    made = small().content
    return Content(made.attributes, {k: v for k, v in {**made.columns, **columns}.items() if v is not None})


def said(**attributes: Any) -> Content:
    made = small().content
    return Content({**made.attributes, **attributes}, made.columns)


NAMES = small().content.columns["name"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (changed(name=NAMES[[0, 0, *range(2, 27)]]), "its row 1 is of 111, behind 111; each child has one row, in "
         "order of index"),
        (changed(name=NAMES[::-1].copy()), "its row 1 is of 332, behind 333; each child has one row, in order of "
         "index"),
        (changed(name=np.where(NAMES == b"121", b"191", NAMES)), "its names are not of children: row 3 is '191', which "
         "is no child's digits; 111 is the first"),
        (changed(valid_accuracy=None), "it has no valid_accuracy"),
        (changed(surprise=NAMES), "it has an unknown surprise; a table of schema 2 has "
         f"{', '.join(COLUMNS)}, isomorph"),
        (changed(isomorph=np.arange(27)[::-1].astype("<i8")), "its isomorph of 111 is 26, and must be the index of the "
         "first row that computes the same"),
        (changed(params=np.full(27, -1, "<i8")), "its params of 111 is -1, and must be 0 or more"),
        (said(truth="quality"), "its truth is 'quality'; it must be one of train_loss, train_accuracy, valid_loss, "
         "valid_accuracy, test_accuracy"),
        (said(source=" "), "it has neither a recipe nor a source, which says where its numbers come from"),
        (said(counted="{}"), "its valid_accuracy is of counts, and its attribute counted does not say of how many "
         "images"),
        (said(counted='{"valid_accuracy": 500}'), "its valid_accuracy of 111 with seed 0 at epoch 200 is "),
    ],
    ids=range(11),
)  # fmt: skip
def test_what_cannot_be(content: Content, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.h5"
    text = refused(TableError, lambda: write_table(path, content))
    assert text.startswith(f"{path} was not written, for the table is wrong: {problem}")


def test_numbers_that_are_no_accuracies() -> None:
    percent = {"valid_accuracy": np.array([[91.2], [0.5]])}
    given: dict[str, Any] = {"truth": "valid_accuracy", "source": "a test"}
    assert refused(TableError, lambda: foreign(TOPOLOGY, [3, 4], percent, **given)) == (
        "the valid_accuracy of 121 is 91.2; it must be a fraction from 0 to 1; it looks like percent: divide by 100"
    )
    odd = {"valid_accuracy": np.array([[0.5005], [0.5]])}
    assert refused(TableError, lambda: foreign(TOPOLOGY, [3, 4], odd, counted={"valid_accuracy": 1000}, **given)) == (
        "the valid_accuracy 0.5005 is no count of 1000 images (500.5000); give the number of images that it is of, or "
        "none"
    )


def test_children_by_their_digits_at_once() -> None:
    for space in (TOPOLOGY, Space("wide", 2, tuple(f"op{i}" for i in range(12)))):
        names = np.array([child.name for child in space]).astype("S")
        np.testing.assert_array_equal(indices_of(space, names), np.arange(len(space)))
        with pytest.raises(ArchitectureError):
            indices_of(space, np.array([b"1", names[3]]))


def test_question_and_list_on_the_command_line(theirs: Table, tmp_path: Path) -> None:
    result = CliRunner().invoke(group, ["query", "133", "--table", str(tmp_path / "theirs.h5")], catch_exceptions=False)
    entry = theirs.query("133")
    values = [v for v in entry.valid_accuracy.values if v == v]
    assert result.output.splitlines()[4:] == [
        f"{entry.params:,} parameters",
        f"validation accuracy {entry.truth.mean:.4f} +- {entry.truth.std:.4f} over {len(values)} seeds:",
        " " * 20 + " ".join(f"{v:.4f}" for v in values),
        f"rank by validation  {1 + (theirs.truth > entry.truth.mean).sum()} of 27",
    ]
    words = ["top", "-n", "1", "--table", str(tmp_path / "theirs.h5")]
    result = CliRunner().invoke(group, words, catch_exceptions=False)
    best = theirs.best("valid_accuracy")[0]
    assert result.output.splitlines()[1].split() == [
        "1",
        best.name,
        best.hash,
        f"{best.params:,}",
        f"{best.truth.mean:.4f}",
        "-",
        f"{best.truth.std:.4f}",
    ]
