"""Schedules: who trains when, counted; and the refusal of one that starves a child."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from nasbench_ws.errors import StrategyError, UsageError
from nasbench_ws.sharing.schedules import SCHEDULES, audit, get_schedule, realise
from nasbench_ws.space.registry import DEEPER64

CHILDREN = list(DEEPER64)
SLICE = CHILDREN[16:32]  # those that share the operation on 0->1


@pytest.mark.parametrize("name", ["cycle", "order", "shuffle", "similar"])
@pytest.mark.parametrize("children", [CHILDREN, SLICE], ids=["all", "slice"])
def test_every_cycle_trains_every_child_once(name, children):
    sequence = realise(SCHEDULES[name], children, 3 * len(children), seed=5)[:, 0]
    for cycle in sequence.reshape(3, -1):
        assert sorted(cycle) == list(range(len(children)))


def test_cycle_is_lexicographic_and_order_repeats_and_shuffle_does_not():
    assert realise(SCHEDULES["cycle"], CHILDREN, 64, 0)[:, 0].tolist() == list(range(64))
    order = realise(SCHEDULES["order"], CHILDREN, 128, 0)[:, 0]
    assert order[:64].tolist() == order[64:].tolist() != list(range(64))
    shuffled = realise(SCHEDULES["shuffle"], CHILDREN, 128, 0)[:, 0]
    assert shuffled[:64].tolist() != shuffled[64:].tolist()


def test_uniform_draws_independently():
    counts = np.bincount(realise(SCHEDULES["uniform"], CHILDREN, 64_000, 0)[:, 0], minlength=64)
    assert 25 < ((counts - 1000) ** 2 / 1000).sum() < 120  # chi-square of 63 degrees: beyond 3.4 deviations


@pytest.mark.parametrize("children", [CHILDREN, SLICE], ids=["all", "slice"])
def test_similar_changes_one_operation_from_step_to_step(children):
    sequence = realise(SCHEDULES["similar"], children, 2 * len(children), 0)[:, 0]  # round the wrap, too
    for a, b in itertools.pairwise(sequence):
        assert children[a].distance(children[b]) == 1


def test_fair_trains_every_operation_of_every_edge_once_a_step():
    for numbers in realise(SCHEDULES["fair"], CHILDREN, 50, 0):
        chosen = np.array([CHILDREN[i].choices for i in numbers])
        assert chosen.shape == (4, 3)
        assert (np.sort(chosen, axis=0) == np.arange(4)[:, None]).all()
    with pytest.raises(StrategyError) as caught:
        realise(SCHEDULES["fair"], SLICE, 4, 0)
    assert str(caught.value) == (
        "the schedule 'fair' needs all 64 children in one super-net, and this strategy makes one of 16; "
        "use 'shuffle', which is fair to children, instead"
    )


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_seed_decides(name):
    a, b, c = (realise(SCHEDULES[name], CHILDREN, 200, seed) for seed in (1, 1, 2))
    assert (a == b).all()
    assert (name in ("cycle", "similar")) == bool((a == c).all())


def test_the_audit_counts():
    found = audit(CHILDREN, realise(SCHEDULES["fair"], CHILDREN, 400, 0))
    assert sum(found["children"].values()) == 1600
    assert set(found["operations"].values()) == {400}
    assert Counter(found["children"]).keys() == {arch.name for arch in CHILDREN}


def _forever(numbers):
    def schedule(children, rng):
        while True:
            yield from numbers

    return schedule


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (lambda children, rng: iter([(0,)]), "the schedule ended after 1 of 64 steps; it must go on for ever"),
        (_forever([(64,)]), "the schedule names child 64; children are numbered 0 to 63"),
        (
            _forever([(0,), (1, 2)]),
            "the schedule trains [1, 2] children a step; it must be one number of at least 1 throughout",
        ),
        (_forever([("a",)]), "the schedule yields ('a',); it must yield sequences of child numbers"),
        (
            _forever([(0,)]),
            "the schedule never trains 1->2 sep_conv_3x3 and 8 more in 64 steps; give more steps, or a schedule that "
            "visits every operation",
        ),
    ],
)  # fmt: skip
def test_schedules_that_cannot_be(schedule, message):
    with pytest.raises(StrategyError) as caught:
        realise(schedule, CHILDREN, 64, 0)
    assert str(caught.value) == message


def moody(children, rng):
    yield (0,)
    raise KeyError("no such mood")


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        (moody, "the schedule moody raised KeyError: 'no such mood'"),
        (_forever([0]), "the schedule schedule raised TypeError: 'int' object is not iterable"),
        (lambda children: None, "the schedule <lambda> raised TypeError: "),
    ],
)
def test_a_schedule_that_raises_is_named(schedule, said):
    with pytest.raises(StrategyError) as caught:
        realise(schedule, CHILDREN, 64, 0)
    assert str(caught.value).startswith(said)
    assert str(caught.value).endswith(
        "; it must yield, for ever, sequences of the numbers of the children that a step trains"
    )
    assert caught.value.__cause__ is not None


def test_a_starved_child_is_named():
    with pytest.raises(StrategyError) as caught:
        realise(_forever([(i,) for i in range(63)]), CHILDREN, 64 * 20, 0)
    text = "the schedule never trains child 444 in 1280 steps; a schedule must visit every child"
    assert str(caught.value) == text


def test_an_unknown_name():
    with pytest.raises(UsageError) as caught:
        get_schedule("shufle")
    assert str(caught.value) == (
        "unknown schedule 'shufle' (did you mean shuffle?); known are cycle, order, shuffle, uniform, similar, fair"
    )
