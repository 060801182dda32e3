"""Strategies of a file take arguments from their name, and see the network around the cells."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nasbench_ws.errors import StrategyError
from nasbench_ws.sharing.strategies import adopt, resolve
from nasbench_ws.space.blocks import Slot
from nasbench_ws.space.macro import SMALL
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.testing import check_deterministic

FIVE = replace(SMALL, cells=5)
TEXT = """
class Clusters:
    def __init__(self, count, how="first"):
        self.count, self.how = count, how

    def key(self, arch, slot):
        return self.how, arch.index % self.count

class LastCell:
    def __init__(self, macro):
        self.last = macro.cells

    def key(self, arch, slot):
        return arch if slot.cell == self.last else None

    later = [(0.5, lambda arch, slot, space: (arch, len(space)))]

def last(arch, slot, macro):
    return arch if slot.cell == macro.cells else None

SETTING = 3
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "mine.py"
    path.write_text(TEXT)
    return str(path)


def in_cell(cell: int) -> Slot:
    return Slot(cell, "preprocess", None, None, 0, "pointwise")


def test_arguments_are_numbers_where_they_can_be(file: str) -> None:
    child = DEEPER64.architecture(7)
    assert resolve(f"{file}:Clusters:5", DEEPER64, SMALL).key(child, in_cell(1)) == ("first", 2)
    assert resolve(f"{file}:Clusters:2.5:near", DEEPER64, SMALL).key(child, in_cell(1)) == ("near", 2.0)
    check_deterministic(f"{file}:Clusters:5")


@pytest.mark.parametrize("name", ["LastCell", "last"])
def test_the_last_cell_is_the_last_however_many_there_are(file: str, name: str) -> None:
    child = DEEPER64.architecture(7)
    for macro in (SMALL, FIVE):
        strategy = resolve(f"{file}:{name}", DEEPER64, macro)
        assert strategy.key(child, in_cell(macro.cells)) == child
        assert strategy.key(child, in_cell(macro.cells - 1)) is None
        for _, key in strategy.later:
            assert key(child, in_cell(1)) == (child, 64)


def test_an_object_with_a_colon_in_its_name_gets_no_arguments(file: str) -> None:
    class Mine:
        name = "mine:5"

        def key(self, arch: Any, slot: Any) -> None:
            return None

    assert adopt("mine:5", Mine(), DEEPER64, SMALL).key(DEEPER64.architecture(7), in_cell(1)) is None


def test_what_takes_no_such_arguments_says_so(file: str) -> None:
    said = {
        f"{file}:Clusters": f"making the strategy '{file}:Clusters' raised TypeError: Clusters.__init__() missing 1 "
        "required positional argument: 'count'",
        f"{file}:SETTING:4": f"the strategy '{file}:SETTING:4' is of type int, which takes no arguments; name a class, "
        "or leave out 4",
        f"{file}:Cluster:4": f"{file} has no 'Cluster' (did you mean Clusters or last?); it has Clusters, LastCell, "
        "last",
    }
    for name, text in said.items():
        with pytest.raises(StrategyError) as caught:
            resolve(name, DEEPER64, SMALL)
        assert str(caught.value) == text


@pytest.mark.parametrize("where", ["", "        "], ids=["when imported", "when made"])
def test_a_file_that_goes_to_another_folder_takes_nothing_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """What is written is written where the command was given, relative names and all."""
    monkeypatch.chdir(tmp_path)
    move = f"{where}__import__('os').chdir('/')\n"
    made = f"    def __init__(self):\n{move}" if where else ""
    (tmp_path / "my.py").write_text(
        f"{'' if where else move}class S:\n{made}    def key(self, arch, slot):\n        return 0\n"
    )
    for _ in range(2):
        resolve("my.py:S", DEEPER64, FIVE)
        assert Path.cwd() == tmp_path
