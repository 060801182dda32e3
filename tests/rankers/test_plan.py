"""Plans: what is equal at a match, in laws over all strategies; identity; refusals in full."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from nasbench_ws.errors import StrategyError, UsageError
from nasbench_ws.rankers.cost import readout_modes
from nasbench_ws.rankers.plan import MATCHES, Part, Plan
from nasbench_ws.recipe import Recipe
from nasbench_ws.sharing.strategies import resolve
from nasbench_ws.space.child import child_network, mac_count
from nasbench_ws.space.macro import PAPER, SMALL
from nasbench_ws.space.registry import DEEPER64

CHILDREN = list(DEEPER64)
RECIPE = Recipe()
STRATEGIES = (
    "full", "none", *(f"groups:{kind}:{m}" for kind in ("similar", "random") for m in (1, 2, 4, 8, 16, 32, 64)),
    "prefix:0", "prefix:3", "edge:0->1", "edge:0->2", "edge:1->2", "private:bn", "shared:linear", "shared:depthwise",
    "dependent", "split:0->1", "curriculum", "opsplit:0-1:13+24",
)  # fmt: skip


def parts(name: str, macro: Any = SMALL, **changes: Any) -> list[Part]:
    plan = Plan(name, RECIPE, **changes)
    return plan.parts(CHILDREN, macro, resolve(name, DEEPER64, macro))


def macs(part: Part) -> Fraction:
    """Mean multiply-adds of a child of the part, forward, an image."""
    counts = [mac_count(child_network(SMALL, CHILDREN[i])) for i in part.children]
    return Fraction(sum(counts), len(counts))


WHOLE = Part(tuple(range(64)), 0)


# -- matches ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("match", MATCHES)
@pytest.mark.parametrize("name", STRATEGIES)
def test_parts_are_the_children_divided(name: str, match: str) -> None:
    found = parts(name, match=match)
    assert sorted(i for part in found for i in part.children) == list(range(64))
    assert all(part.steps >= 1 for part in found)


@pytest.mark.parametrize("name", STRATEGIES)
def test_at_child_updates_every_child_is_trained_equally_often(name: str) -> None:
    """100 times each where 64 x 100 steps are planned: of a part's schedule, a child expects steps / children."""
    assert {Fraction(part.steps, len(part.children)) for part in parts(name, steps=6400)} == {Fraction(100)}


@pytest.mark.parametrize("name", STRATEGIES)
def test_at_child_updates_rounding_is_half_a_step_at_most(name: str) -> None:
    for part in parts(name, steps=1000):
        assert abs(part.steps - Fraction(1000 * len(part.children), 64)) <= Fraction(1, 2)


@pytest.mark.parametrize("name", STRATEGIES)
def test_at_compute_all_parts_together_do_the_multiply_adds_of_one_super_net(name: str) -> None:
    found = parts(name, match="group-compute", steps=6400)
    spent = sum((part.steps * macs(part) for part in found), Fraction(0))
    rounding = sum((macs(part) / 2 for part in found), Fraction(0))
    assert abs(spent - 6400 * macs(WHOLE)) <= rounding
    for part in found:  # and each part has its children's share
        assert abs(part.steps * macs(part) - 6400 * macs(WHOLE) * len(part.children) / 64) <= macs(part) / 2


@pytest.mark.parametrize("name", STRATEGIES)
def test_at_steps_every_part_takes_all_of_them(name: str) -> None:
    assert {part.steps for part in parts(name, match="steps", steps=640)} == {640}


def test_steps_of_cheap_and_dear_children_at_compute() -> None:
    """Similar groups of the max pool and of the larger separable convolution, by hand."""
    found = parts("groups:similar:4", match="group-compute", steps=6400)
    pool, large = found[0], found[2]
    assert pool.steps > 1600 > large.steps
    assert pool.steps == round(1600 * macs(WHOLE) / macs(pool))
    assert large.steps == round(1600 * macs(WHOLE) / macs(large))
    assert [part.steps for part in parts("groups:similar:4", steps=6400)] == [1600] * 4


def test_a_schedule_that_trains_several_children_a_step() -> None:
    """`fair` trains four a step: a quarter of the steps is as many child updates, and as much compute."""
    assert parts("full", schedule="fair", steps=6400)[0].steps == 1600
    assert parts("full", schedule="fair", steps=6400, match="group-compute")[0].steps == 1600
    assert parts("full", schedule="fair", steps=6400, match="steps")[0].steps == 6400


def test_parts_of_another_macro() -> None:
    assert parts("prefix:4", PAPER, steps=640) == [Part(tuple(range(64)), 640)]


def test_scores_are_read_recalibrated_first_unless_asked_otherwise() -> None:
    assert Plan("full", Recipe()).batch_norm == ("recalibrate:1024", "running")
    assert Plan("full", Recipe(train_images=640)).batch_norm == ("recalibrate:640", "running")
    assert Plan("full", Recipe(), batch_norm=("running",)).batch_norm == ("running",)


# -- refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"match": "epochs"}, "unknown match 'epochs'; known are child-updates, group-compute, steps"),
        ({"steps": 0}, "steps is 0; it must be at least 1"),
        ({"batch_norm": None}, "batch_norm is None; give a tuple of at least one mode, as ('running',)"),
        ({"batch_norm": "batch"}, "batch_norm is 'batch'; give a tuple of at least one mode, as ('running',)"),
        ({"last": -1}, "last is -1 steps on 1000 images; give at least 0 steps and 1 image"),
        ({"last": 1, "last_images": 0}, "last is 1 steps on 0 images; give at least 0 steps and 1 image"),
        ({"average": 1.0}, "average is 1.0; the decay of a moving average is at least 0 and less than 1"),
        ({"average": -0.1}, "average is -0.1; the decay of a moving average is at least 0 and less than 1"),
        ({"fine_tune": (1, -1)}, "fine_tune is (1, -1) and interference 0 steps; they must be at least 0"),
        ({"interference": -2}, "fine_tune is () and interference -2 steps; they must be at least 0"),
    ],
)
def test_a_plan_that_cannot_be(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Plan("full", RECIPE, **changes)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("name", "changes", "text"),
    [
        ("none", {"steps": 10}, "10 steps leave 0.16 for a super-net of 1 of 64 children; give at least 64 steps"),
        (
            "groups:similar:32",
            {"steps": 10},
            "10 steps leave 0.31 for a super-net of 2 of 64 children; give at least 32 steps",
        ),
        (
            "full",
            {"steps": 1, "schedule": "fair"},
            "1 steps leave 0.25 for a super-net of 64 of 64 children; give at least 4 steps",
        ),
    ],
)
def test_too_few_steps(name: str, changes: dict[str, Any], text: str) -> None:
    with pytest.raises(StrategyError) as caught:
        parts(name, **changes)
    assert str(caught.value) == text


def test_too_few_steps_at_compute_are_counted_at_compute() -> None:
    exact = [float(20 * macs(WHOLE) / macs(Part((i,), 0))) / 64 for i in range(64)]
    first = next(steps for steps in exact if round(steps) < 1)
    assert exact[0] > 2  # the max pools alone are cheap enough
    assert f"{first:.2f}" != f"{20 / 64:.2f}"
    with pytest.raises(StrategyError) as caught:
        parts("none", steps=20, match="group-compute")
    assert str(caught.value) == (
        f"20 steps leave {first:.2f} for a super-net of 1 of 64 children; give at least 64 steps"
    )
    assert len(parts("none", steps=64, match="group-compute")) == 64


def test_more_last_steps_than_a_part_takes() -> None:
    with pytest.raises(UsageError) as caught:
        parts("groups:similar:4", steps=64, last=17)
    assert str(caught.value) == "the last 17 steps of a super-net that takes 16; ask for fewer"
    assert parts("groups:similar:4", steps=64, last=16)[0].steps == 16


def test_the_last_learning_rate() -> None:
    """Windows end at 4 % of the peak, as in the paper; what has none ends as its recipe says."""
    recipe = Recipe(lr=0.2, lr_final=0.01)
    assert Plan("full", recipe).end_lr is None
    assert Plan("full", recipe).trained_by is recipe
    assert Plan("full", recipe, last=64).end_lr == 0.04
    assert Plan("full", recipe, last=64).trained_by == replace(recipe, lr_final=0.04 * 0.2)
    assert Plan("full", recipe, last=64, end_lr=0).trained_by == replace(recipe, lr_final=0)
    assert Plan("full", recipe, end_lr=np.float32(0.5)).to_dict()["end_lr"] == 0.5
    for wrong in (-0.1, 1.5, math.nan, "0.04", True):
        with pytest.raises(UsageError) as caught:
            Plan("full", recipe, end_lr=wrong)
        assert str(caught.value) == (
            f"end_lr is {wrong!r}; it is the last learning rate as a share of the highest, from 0 to 1"
        )


def test_an_unknown_schedule() -> None:
    with pytest.raises(UsageError) as caught:
        parts("full", schedule="suffle")
    assert str(caught.value) == (
        "unknown schedule 'suffle' (did you mean shuffle?); known are cycle, order, shuffle, uniform, similar, fair, "
        "mixed:params, mixed:macs, mixed:FILE.json, and your own is FILE.py:FUNCTION"
    )


def test_strict_fairness_needs_all_children() -> None:
    with pytest.raises(StrategyError) as caught:
        parts("groups:similar:4", schedule="fair")
    assert str(caught.value) == (
        "the schedule 'fair' needs all 64 children in one super-net, and this strategy makes one of 16; "
        "use 'shuffle', which is fair to children, instead"
    )


def test_numpys_ints_are_ints_and_nothing_else_is():
    plan = Plan("full", Recipe(), steps=np.int64(64), last=np.int32(2), fine_tune=[np.int64(5)])
    assert json.loads(json.dumps(plan.to_dict()))["steps"] == 64
    assert plan == Plan("full", Recipe(), steps=64, last=2, fine_tune=(5,))
    for wrong in (64.0, "64", True, None):
        with pytest.raises(UsageError) as caught:
            Plan("full", Recipe(), steps=wrong)
        assert str(caught.value) == f"steps is {wrong!r}; it must be a whole number"


def test_numpys_numbers_are_numbers_in_every_field_of_a_plan():
    given = {
        "average": np.float32(0.5), "extra_lr": np.float64(0.25), "end_lr": np.array(0.5), "quick": np.bool_(True),
        "valid_images": np.uint8(30), "interference": np.int16(1), "batch_norm": np.array(["running"]),
    }  # fmt: skip
    plain = {
        "average": 0.5, "extra_lr": 0.25, "end_lr": 0.5, "quick": True, "valid_images": 30, "interference": 1,
        "batch_norm": ("running",),
    }  # fmt: skip
    plan = Plan("full", Recipe(), **given)
    assert plan == Plan("full", Recipe(), **plain)
    assert json.loads(json.dumps(plan.to_dict())) == json.loads(json.dumps(Plan("full", Recipe(), **plain).to_dict()))


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("average", "x", "average is 'x'; the decay of a moving average is at least 0 and less than 1"),
        ("average", None, "average is None; the decay of a moving average is at least 0 and less than 1"),
        ("extra_lr", 0, "extra_lr is 0; a learning rate is finite and more than 0"),
        ("quick", "yes", "quick is 'yes'; it must be True or False"),
        ("fine_tune", 2, "fine_tune is 2; give a tuple of whole numbers, as (10, 100)"),
        ("batch_norm", {"running"}, "batch_norm is {'running'}; give a tuple of at least one mode, as ('running',)"),
        ("batch_norm", (1,), "batch_norm is (1,); give a tuple of at least one mode, as ('running',)"),
        ("end_lr", [0.1], "end_lr is [0.1]; it is the last learning rate as a share of the highest, from 0 to 1"),
        ("recipe", None, "recipe is None; give a Recipe, as a table's or Recipe.from_dict(...)"),
    ],
)
def test_what_is_no_value_of_a_field_is_named(field, value, text):
    with pytest.raises(UsageError) as caught:
        Plan(**{"strategy": "full", "recipe": Recipe(), field: value})
    assert str(caught.value) == text


def test_a_function_is_no_name_of_a_schedule():
    with pytest.raises(UsageError) as caught:
        Plan("full", Recipe(), schedule=len)
    assert str(caught.value) == (
        "schedule is <built-in function len>; a plan takes the name of one (cycle, order, shuffle, uniform, similar, "
        "fair), or FILE.py:FUNCTION: give a function itself to your strategy, as its attribute `schedule`"
    )


def test_fine_tuned_children_are_recalibrated_on_the_images_there_are() -> None:
    def modes(images: int, *chosen: str) -> tuple[str, ...]:
        return readout_modes(Plan("full", Recipe(train_images=images), batch_norm=chosen, fine_tune=(0, 5)))

    assert modes(50_000, "running") == ("running", "recalibrate")
    assert modes(300, "running") == ("running", "recalibrate:300")  # nobody asked for the usual 1,024
    assert modes(300, "recalibrate:512") == ("recalibrate:512",)  # but here somebody did, and is refused
