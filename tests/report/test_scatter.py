"""The scatter that is drawn by hand: where marks are, what they say, and what is not there."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasbench_ws.report.scatter import MOST_KINDS, TICKS, Axis, Kinds, colour_and_shape, scatter

NAMES = ("a", "b <i>", "c", "d")
TRUTH, SPREAD = np.array([0.80, 0.82, 0.84, 0.90]), np.full(4, 0.01)
SCORES = np.array([[0.5, 0.6, 0.7, 0.9], [0.5, 0.7, 0.6, 0.9]])
NOBODY = np.zeros(4, dtype=bool)


def marks(svg: str) -> dict[str, dict[str, str]]:
    """What each mark says, and its attributes."""
    found = {}
    for one in ElementTree.fromstring(svg).iter():
        title = one.find("{http://www.w3.org/2000/svg}title")
        if title is not None:
            found[str(title.text)] = {"shape": one.tag.partition("}")[2], **one.attrib}
    return found


def test_marks_stand_where_their_numbers_are() -> None:
    svg = scatter(NAMES, TRUTH, SPREAD, SCORES, np.array([False, True, False, False]), tau=0.5)
    found = marks(svg)
    assert list(found) == [
        "a: score 50.00 +- 0.00, ground truth 80.00 +- 1.00", "b <i>: score 65.00 +- 7.07, ground truth 82.00 +- 1.00",
        "c: score 65.00 +- 7.07, ground truth 84.00 +- 1.00", "d: score 90.00 +- 0.00, ground truth 90.00 +- 1.00",
    ]  # fmt: skip
    x, y = ([float(one[name]) for one in found.values()] for name in ("cx", "cy"))
    assert np.corrcoef(x, TRUTH)[0, 1] == pytest.approx(1, abs=1e-5)  # to the tenth of a point
    assert np.corrcoef(y, SCORES.mean(axis=0))[0, 1] == pytest.approx(-1, abs=1e-5)
    assert [one.get("fill") for one in found.values()] == [None, "none", None, None]
    assert "Kendall tau 0.50" in svg
    assert "further off" not in svg
    assert svg == scatter(NAMES, TRUTH, SPREAD, SCORES, np.array([False, True, False, False]), tau=0.5)


def test_ticks_stand_where_their_numbers_are() -> None:
    svg = scatter(NAMES, TRUTH, SPREAD, SCORES, NOBODY)
    known = [(float(one["cx"]), 100 * true) for one, true in zip(marks(svg).values(), TRUTH, strict=True)]
    slope, start = np.polyfit(*zip(*known, strict=True), 1)
    ticks = re.findall(r'<text x="([\d.]+)" y="[\d.]+" [^>]*text-anchor="middle">([\d.]+)</text>', svg)
    assert len(ticks) >= 3
    assert [slope * float(x) + start for x, _ in ticks] == pytest.approx([float(label) for _, label in ticks], abs=0.05)


def test_what_has_no_score_has_no_mark() -> None:
    scores = SCORES.copy()
    scores[:, 3] = np.nan
    scores[1, 0] = np.nan
    found = list(marks(scatter(NAMES, TRUTH, SPREAD, scores, NOBODY)))
    assert [said.partition(":")[0] for said in found] == ["a", "b <i>", "c"]
    assert found[0] == "a: score 50.00 +- 0.00, ground truth 80.00 +- 1.00"  # of one instance


def test_what_is_far_off_is_a_triangle_at_the_edge() -> None:
    truth = np.concatenate([np.linspace(0.8, 0.9, 20), [0.1]])
    scores = np.linspace(0.5, 0.6, 21)[None]
    svg = scatter([str(i) for i in range(21)], truth, np.zeros(21), scores, np.zeros(21, dtype=bool))
    (last,) = [one for said, one in marks(svg).items() if said.startswith("20:")]
    assert last["shape"] == "polygon"
    assert "1 further off" in svg
    assert [one["shape"] for one in marks(svg).values()].count("circle") == 20


def test_kinds_have_colours_shapes_and_a_legend() -> None:
    names = [f"operation {i}" for i in range(9)]
    svg = scatter(NAMES, TRUTH, SPREAD, SCORES, NOBODY, Kinds(np.array([0, 8, 8, 1]), names, "operation on edge 0-1"))
    assert all(f">{name}</text>" in svg for name in [*names, "operation on edge 0-1"])
    shapes = {said[0]: one["shape"] for said, one in marks(svg).items()}
    assert shapes == {"a": "circle", "b": "polygon", "c": "polygon", "d": "circle"}
    assert len({colour_and_shape(i) for i in range(MOST_KINDS)}) == MOST_KINDS


def test_scores_that_are_no_accuracies_are_not_in_percent() -> None:
    svg = scatter(NAMES, TRUTH, SPREAD, SCORES * 70_000, NOBODY, what="l2_norm")
    assert next(iter(marks(svg))) == "a: score 3.5e+04 +- 0, ground truth 80.00 +- 1.00"
    assert ">score: l2_norm</text>" in svg
    assert "super-net" not in svg
    labels = re.findall(r'<text x="([\d.]+)" [^>]*text-anchor="end">([\d.]+)</text>', svg)
    assert "60000" in [label for _, label in labels]
    assert all(float(x) - 6.2 * len(label) > 17 for x, label in labels)  # the name beside the axis has its room


def test_equal_numbers_are_drawn() -> None:
    svg = scatter(NAMES, np.full(4, 0.8), np.zeros(4), np.full((1, 4), 0.5), NOBODY)
    assert len(marks(svg)) == 4
    assert "nan" not in svg


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_ticks_are_a_few_round_numbers_within(low: float, span: float) -> None:
    ticks = Axis(low, low + span, 0, 1).ticks()
    assert 2 <= len(ticks) <= TICKS
    assert min(ticks) >= low - span * 1e-6
    assert max(ticks) <= low + span * (1 + 1e-6)
    assert np.allclose(np.diff(ticks), ticks[1] - ticks[0])
