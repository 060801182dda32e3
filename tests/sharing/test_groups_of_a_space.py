"""Files of groups that say of which space they are: names of children alone fit many."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nasbench_ws.errors import StrategyError
from nasbench_ws.sharing.groups import groups_from_file, write_groups
from nasbench_ws.space.cell import Space
from nasbench_ws.space.child import child_network
from nasbench_ws.space.macro import SMALL
from nasbench_ws.space.registry import space_to_dict

OPERATIONS = ("max_pool_3x3", "sep_conv_3x3")
OWN, SWAPPED = Space("own8", 2, OPERATIONS), Space("own8", 2, OPERATIONS[::-1])
BY_NAME = {child.name: child.index % 2 for child in OWN}


def parted(path: Path) -> list[object]:
    key = groups_from_file(str(path), OWN)
    slot, _ = next(iter(child_network(SMALL, OWN[0]).layers()))
    return [key(child, slot) for child in OWN]


@pytest.mark.parametrize("space", [None, "own8", space_to_dict(OWN)], ids=["none", "name", "whole"])
@pytest.mark.parametrize("groups", [BY_NAME, [list(BY_NAME)[::2], list(BY_NAME)[1::2]]], ids=["by name", "lists"])
def test_groups_of_this_space(tmp_path: Path, space: object, groups: object) -> None:
    data = {"groups": groups} if space is None else {"space": space, "groups": groups}
    (tmp_path / "g.json").write_text(json.dumps(data))
    assert parted(tmp_path / "g.json") == [0, 1] * 4


@pytest.mark.parametrize(
    ("space", "shown"),
    [
        ("other", "'other'"), (space_to_dict(SWAPPED), repr(SWAPPED)), ({"name": "own8"}, "{'name': 'own8'}"),
        (8, "8"),
    ],
    ids=["renamed", "swapped", "half", "number"],
)  # fmt: skip
def test_groups_of_another_space_are_refused(tmp_path: Path, space: object, shown: str) -> None:
    path = tmp_path / "g.json"
    path.write_text(json.dumps({"space": space, "groups": BY_NAME}))
    with pytest.raises(StrategyError) as caught:
        parted(path)
    assert str(caught.value) == f"{path} is of the space {shown}, and this is {OWN!r}; give groups of this one"


def test_what_is_written_names_its_space(tmp_path: Path) -> None:
    path = tmp_path / "g.json"
    write_groups([0, 1] * 4, list(OWN), path)
    assert parted(path) == [0, 1] * 4
    write_groups([0, 1] * 4, list(SWAPPED), path)
    with pytest.raises(StrategyError) as caught:
        parted(path)
    assert str(caught.value) == f"{path} is of the space {SWAPPED!r}, and this is {OWN!r}; give groups of this one"
    path.write_text(json.dumps({"seed": 1, "groups": BY_NAME}))
    with pytest.raises(StrategyError) as caught:
        parted(path)
    assert str(caught.value) == f"{path} has 'seed' beside its groups; only 'space' may stand there"
