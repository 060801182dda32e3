"""Schedules: who trains when, counted; and the refusal of one that starves a child."""

from __future__ import annotations

import itertools
import random
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from nasbench_ws.errors import StrategyError, UsageError
from nasbench_ws.sharing.keys import full
from nasbench_ws.sharing.schedules import SCHEDULES, audit, get_schedule, realise, takes_over
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
        *[
            (_forever([step]), f"the schedule yields {step!r}; it must yield sequences of child numbers (ints)")
            for step in (("a",), (3.0,), (3.9,), "3", ("3",), [True], [None], np.array([1.5]), {0.5: 1}, 0, None)
        ],
        (_forever([(2**40,)]), f"the schedule names child {2**40}; children are numbered 0 to 63"),
        (_forever([(-1,)]), "the schedule names child -1; children are numbered 0 to 63"),
        (_forever([itertools.count()]), "the schedule yields more than 65,536 children for one step; give fewer"),
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


def ends_the_program(children, rng):
    yield (0,)
    sys.exit(0)


def raises_base(children, rng):
    yield (0,)
    raise BaseException("away")


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        (moody, "the schedule moody raised KeyError: 'no such mood'"),
        (ends_the_program, "the schedule ends_the_program raised SystemExit: 0 (put what parses arguments, or ends "),
        (raises_base, "the schedule raises_base raised BaseException: away"),
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
        "unknown schedule 'shufle' (did you mean shuffle?); known are cycle, order, shuffle, uniform, similar, fair, "
        "mixed:params, mixed:macs, mixed:FILE.json, and your own is FILE.py:FUNCTION"
    )


def test_one_of_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("my.py").write_text(
        "def backwards(children, rng):\n    while True:\n        yield from [[i] for i in range(len(children))[::-1]]\n"
        "class Every:\n"
        "    def __init__(self, n):\n        self.n = n\n"
        "    def __call__(self, children, rng):\n"
        "        while True:\n            yield from [[i] for i in range(0, len(children), self.n)]\n"
        "five = 5\n"
    )
    assert realise(get_schedule("my.py:backwards"), CHILDREN, 64, 0)[:3, 0].tolist() == [63, 62, 61]
    assert list(itertools.islice(get_schedule("my.py:Every:3")(CHILDREN, None), 3)) == [[0], [3], [6]]
    for name, text in (
        ("my.py:forwards", "my.py has no 'forwards' (did you mean backwards?); it has backwards, Every"),
        ("your.py:f", "no schedule file 'your.py'; write FILE.py:NAME with the path of an existing file"),
        (
            "my.py:five",
            "the schedule 'my.py:five' is of type int; name a function of the children and a random generator that "
            "yields the numbers of the children of each step",
        ),
    ):
        with pytest.raises(UsageError) as caught:
            get_schedule(name)
        assert str(caught.value) == text


def test_numpys_ints_are_ints():
    def schedule(children, rng):
        while True:
            for i in range(64):
                yield from (np.array([i]), [np.int8(i)], (i,))

    assert realise(schedule, CHILDREN, 192, 0)[:6, 0].tolist() == [0, 0, 0, 1, 1, 1]


def test_a_schedule_that_draws_from_elsewhere_is_refused():
    draws = random.Random(0)

    def mine(children, rng):
        while True:
            yield (draws.randrange(64),)

    with pytest.raises(StrategyError) as caught:
        realise(mine, CHILDREN, 640, 0)
    assert str(caught.value) == (
        "the schedule mine yields (49,) at step 1, and (17,) when asked again with the same generator; it must draw "
        "from that generator alone"
    )


def test_what_a_schedule_prints_is_no_answer(capsys):
    def schedule(children, rng):
        print("hello")
        yield from SCHEDULES["shuffle"](children, rng)

    realise(schedule, CHILDREN, 64, 0)
    out, err = capsys.readouterr()
    assert (out, err) == ("", "hello\nhello\n")


@pytest.mark.parametrize(
    ("later", "steps", "after"),
    [([0.999], 128, [128]), ([0.001], 128, [0]), ([0.5, 0.501], 128, [64, 64]), ([0.5], 1, [0])],
)
def test_a_key_that_would_never_take_over(later, steps, after):
    with pytest.raises(StrategyError) as caught:
        takes_over([(part, full) for part in later], steps)
    assert str(caught.value) == (
        f"the strategy's later keys take over after {later} of the steps, which of {steps} steps is after {after}; "
        "each must train for a step at least: give more steps, or other parts"
    )
