"""What a ranking costs: adding, averaging, and the keys of a result's budget."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nasbench_ws.cost import NOTHING, Cost
from nasbench_ws.errors import UsageError

ONE = Cost(
    steps=3, images=192, child_updates=3, macs=10**12 + 1, weight_bytes=8, seconds=1.5, parameters=2, super_nets=1
)


def test_costs_add_up():
    assert ONE + NOTHING == ONE
    assert (ONE + ONE).to_dict() == {
        "steps": 6, "images": 384, "child_updates": 6, "macs": 2 * 10**12 + 2, "weight_bytes": 16, "seconds": 3.0,
        "parameters": 4, "super_nets": 2,
    }  # fmt: skip


def test_a_mean_counts_each_as_often_as_it_is_told_and_rounds_down():
    assert Cost.mean([ONE, ONE, ONE]) == ONE  # to the last multiply-add
    assert Cost.mean([ONE, NOTHING], weights=[2, 1]).to_dict() == {
        "steps": 2, "images": 128, "child_updates": 2, "macs": 666_666_666_667, "weight_bytes": 5, "seconds": 1.0,
        "parameters": 1, "super_nets": 0,
    }  # fmt: skip


def test_seconds_of_the_processor_are_known_where_all_are():
    measured = replace(ONE, cpu_seconds=1.25)
    assert (measured + measured + NOTHING).cpu_seconds == 2.5
    assert Cost.mean([measured, replace(ONE, cpu_seconds=2.25)]).cpu_seconds == 1.75
    assert (measured + ONE).cpu_seconds is None
    assert Cost.mean([measured, ONE]).cpu_seconds is None
    assert measured.to_dict() == ONE.to_dict() | {"cpu_seconds": 1.25}


def test_no_costs_have_no_mean():
    with pytest.raises(UsageError) as caught:
        Cost.mean([])
    assert str(caught.value) == "there are no costs to take the mean of; give at least one"
