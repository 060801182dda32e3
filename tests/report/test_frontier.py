"""Tau against cost: what stands on the front, and what the page says without curves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ten_seeds import ten_seeds

from nasbench_ws.rankers.named import curves
from nasbench_ws.report.frontier import Point, frontier, on_front, standalone
from nasbench_ws.results.result import Result
from nasbench_ws.tables.columns import Content
from nasbench_ws.tables.table import Table, load


def test_the_front_is_what_nothing_cheaper_beats() -> None:
    names = "abcdefg"
    costs = (1.0, 1.04, 2.0, 3.0, 3.0, 4.0, 0.5)
    taus = (0.2, 0.3, 0.25, 0.5, 0.5, 0.6, np.nan)
    points = [Point(*one) for one in zip(names, costs, taus, strict=True)]
    assert [point.name for point in on_front(points)] == ["b", "d", "f"]  # d and e are equal


@pytest.mark.parametrize("seed", range(20))
def test_off_the_front_is_who_is_beaten(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = [Point(str(i), *rng.integers(1, 8, 2) / 4) for i in range(12)]
    front = on_front(points)
    assert len({point.tau for point in front}) == len(front)
    for point in points:
        better = any(other.cost <= 1.05 * point.cost and other.tau > point.tau for other in points)
        equal = any(other.cost <= 1.05 * point.cost and other.tau == point.tau for other in front)
        assert (point not in front) if better else equal


def test_what_standalone_training_reaches_on_the_shipped_table() -> None:
    """Golden (systems.md 9): by training loss .51 at epoch 4 where accuracy has .10; the whole training .68."""
    table = ten_seeds()
    known = curves(table)
    lines = standalone(known, table, 1.0)
    by_accuracy, by_loss, predictor = lines.values()
    assert [round(by_loss[3].tau, 2), round(by_accuracy[3].tau, 2)] == [0.5, 0.09]
    assert round(by_accuracy[-1].tau, 2) == 0.68
    assert by_accuracy[-1].cost == by_loss[-1].cost == predictor[-1].cost == 10 * by_loss[0].cost
    assert [point.name for point in predictor] == [f"predictor:additive:{n}" for n in (8, 16, 24, 32, 48, 64)]


def test_the_section_of_a_table(make: Callable[..., Result], tiny: Any, quick: None) -> None:
    section = frontier(tiny.table, tiny.table, [make(strategy="<mine>")])
    assert section is not None
    assert section.title == "Tau against cost"
    assert "&lt;mine&gt;: " in section.body
    assert "<mine>" not in section.body
    holed = tiny.remade(tiny.recipe, status=1)
    assert frontier(holed, holed, []) is None
    assert frontier(load("nasbench201-cifar10"), load("nasbench201-cifar10"), []) is None
    free = Content(tiny.table.content.attributes, {**tiny.table.content.columns, "macs": np.zeros(64, "<i8")})
    assert frontier(Table(free, "free"), Table(free, "free"), []) is None
