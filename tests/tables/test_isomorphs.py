"""A table of a space in which children are the same network: their runs are made once, and stand in all their rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nasbench_ws.space.cell import Space
from nasbench_ws.space.registry import register_space
from nasbench_ws.tables.isomorphs import copied
from nasbench_ws.tables.merge import extract_runs, merge
from nasbench_ws.tables.run import read_runs, write_run
from nasbench_ws.tables.table import Table, load, verify
from nasbench_ws.training.building.builder import build

SPACE = Space("isomorphs27", 2, ("none", "skip_connect", "conv_1x1"))
CLASSES = 9  # as tests/space/test_same_network.py writes them out


@pytest.fixture
def runs(tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("nasbench_ws.space.registry.SPACES", {SPACE.name: SPACE})
    register_space(SPACE)
    recipe = replace(tiny.recipe, space=SPACE.name, output="last")
    build(recipe, range(2), tmp_path / "runs", unique=True, executor=Here(), load=tiny.load)
    return tmp_path / "runs"


class Here:
    """An executor that runs at once, in this process."""

    def submit(self, call, *arguments):
        from concurrent.futures import Future

        future: Future = Future()
        future.set_result(call(*arguments))
        return future


def test_a_unique_build_is_a_whole_table(runs: Path, tmp_path: Path) -> None:
    table = merge([runs], tmp_path / "table.h5")
    assert verify(tmp_path / "table.h5") == []
    assert len(list(read_runs(runs))) == 2 * CLASSES
    isomorph = table.content.columns["isomorph"]
    assert (len(table), len(np.unique(isomorph)), table.content.version) == (27, CLASSES, 2)
    assert np.bincount(isomorph)[0] == 5  # children that do not see the image
    for child, first in zip(SPACE, isomorph.tolist(), strict=True):
        assert table.query(child).truth == table.query(first).truth
        assert table.query(child).status == ("ok", "ok")
    assert copied(table.content).sum() == 27 - CLASSES


def test_runs_of_such_a_table_are_those_that_were_made(runs: Path, tmp_path: Path) -> None:
    first = merge([runs], tmp_path / "table.h5")
    assert len(extract_runs(first)) == 2 * CLASSES
    assert merge([tmp_path / "table.h5"], tmp_path / "again.h5").digest == first.digest


def test_own_runs_of_an_isomorph_stay(runs: Path, tmp_path: Path) -> None:
    """Who trained it all the same keeps what came out; the column says that it need not differ but by its seeds."""
    other = next(child for child in SPACE if child.name == "232")
    run = next(record for _, record in read_runs(runs) if SPACE.architecture(record.spec).name == "223")
    write_run(runs, replace(run, spec=other.spec, hash=other.hash, curves={**run.curves, "seconds": (9.0, 9.5)}))
    table: Table = merge([runs], tmp_path / "table.h5")
    assert load(tmp_path / "table.h5").query("232").curve("seconds")[run.seed].tolist() == [9.0, 9.5]
    assert not copied(table.content)[other.index]
    assert len(extract_runs(table)) == 2 * CLASSES + 1
