"""The world: noise, repeats, prices, truth on seeds that were not shown."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from small import oracle

from nasbench_ws.errors import SearcherError, UsageError
from nasbench_ws.search import Oracle, Rules, World
from nasbench_ws.search.costs import modelled_seconds
from nasbench_ws.search.oracle import Seen
from nasbench_ws.tables.table import load


@pytest.fixture(scope="module")
def table():
    return load("fashion14")


def test_an_observation_is_one_run_and_the_next_another(table):
    world = World(table, seed=3)
    shown = [world("434").valid_accuracy for _ in range(54)]
    runs = table.query("434").valid_accuracy.values
    assert sorted(shown[:27]) == sorted(runs)
    assert shown[27:] == shown[:27]  # from the 28th on again from the start
    assert shown[:27] != sorted(shown[:27])
    few = [world("111").valid_accuracy for _ in range(20)]
    assert sorted(few[:10]) == sorted(table.query("111").valid_accuracy.values)
    assert few[10:] == few[:10]


def test_a_trial_that_stops_early_shows_the_curve_so_far(table):
    world = World(table, seed=0)
    early = world("434", epochs=3)
    whole = world("434", resume=0)
    assert len(early.curve) == 3
    assert len(whole.curve) == 10
    assert early.curve.tolist() == whole.curve[:3].tolist()
    assert early.signal == early.valid_accuracy == early.curve[-1]
    assert early.cost == pytest.approx(0.3)
    assert whole.cost == pytest.approx(0.7)


def test_worlds_differ_by_repetition_and_by_nothing_else(table):
    shown = [[World(table, seed=s)(child).signal for child in range(64)] for s in (0, 0, 1)]
    assert shown[0] == shown[1] != shown[2]


@pytest.mark.parametrize("unit", ["evaluations", "epochs", "macs", "seconds"])
def test_units(table, unit):
    world = World(table, unit=unit)
    entry = table.query("434")
    expected = {
        "evaluations": 1.0,
        "epochs": 10.0,
        "macs": 10 * 50_000 * 3 * entry.macs,
        "seconds": 18.5 + 5.57e-5 * entry.macs,
    }[unit]
    assert world("434").cost == pytest.approx(expected, rel=2e-3)
    assert world("434", epochs=5).cost == pytest.approx(expected / 2, rel=2e-3)


def test_the_model_of_seconds_is_the_specified_fit(table):
    seconds = modelled_seconds(table)
    slope, constant = np.polyfit(table.column("macs"), seconds, 1)
    assert constant == pytest.approx(18.5, abs=0.05)
    assert slope == pytest.approx(5.57e-5, rel=1e-3)


def test_without_noise_every_answer_is_the_mean(table):
    world = World(table, seed=5, noise="mean")
    assert world("434").valid_accuracy == pytest.approx(table.query("434").valid_accuracy.mean, abs=1e-12)
    assert world("434").signal == world("434").signal


def test_a_loss_is_better_when_it_is_lower(table):
    seen = World(table, signal="train_loss")("434")
    assert seen.signal == -seen.train_loss < 0


def test_cached_repeats_are_free_and_the_same(table):
    world = World(table, repeats="cached", unit="epochs")
    first, again = world("434", epochs=4), world("434", epochs=4)
    longer, shorter = world("434"), world("434", epochs=2)
    assert [s.cost for s in (first, again, longer, shorter)] == [4, 0, 6, 0]
    assert again.signal == first.signal == longer.curve[3]


def test_an_answer_holds_no_test_accuracy(table):
    """Every number of every answer, against every test accuracy of the child: equal only where validation is too."""
    assert not any("test" in name for name in Seen._fields)
    rng = np.random.default_rng(0)
    world = oracle()
    moved = Oracle(**{**vars(world), "test": rng.random(world.test.shape)})
    for child, epochs in itertools.product(range(64), (1.0, None)):
        here, there = World(world, 2)(child, epochs), World(moved, 2)(child, epochs)
        assert here.curve.tolist() == there.curve.tolist()
        assert here._replace(curve=None) == there._replace(curve=None)


def test_truth_is_of_seeds_that_were_not_shown(table):
    world = World(table, seed=1)
    child = table.space.architecture("434").index
    tests = table.by_seed("test_accuracy")[child]
    valid = table.by_seed("valid_accuracy")[child].tolist()
    assert world.truth(child) == pytest.approx(tests.mean())
    shown = []
    for count in range(1, 29):
        shown.append(valid.index(world(child).valid_accuracy))
        rest = [seed for seed in range(27) if seed not in shown] or range(27)
        assert world.truth(child) == pytest.approx(tests[list(rest)].mean()), count
    assert World(table, seed=1, truth="all").truth(child) == pytest.approx(tests.mean())


def test_missing_runs_are_never_shown_and_diverged_ones_are_nan():
    holes = oracle(holes=0.3)
    world = World(holes, 0)
    for child in range(64):
        there = int(holes.exists[child].sum())
        shown = [world(child) for _ in range(2 * max(there, 1))]
        runs = {run for c, run, _ in world.trials if c == child}
        assert all(holes.exists[child, run] for run in runs) or not there
        assert all(seen.cost == 1.0 for seen in shown)
        expected = holes.shown["signal"][child, sorted(runs), -1]
        assert sum(np.isnan(s.signal) for s in shown) == 2 * np.isnan(expected).sum()
        assert np.isfinite(world.truth(child)) or not np.isfinite(holes.test[child]).any()


def test_rules_name_what_is_allowed():
    with pytest.raises(UsageError) as caught:
        Rules(unit="mac")
    assert str(caught.value) == ("unit is 'mac' (did you mean macs?); it is one of evaluations, epochs, macs, seconds")
    with pytest.raises(UsageError) as caught:
        Rules(budget=-1.0)
    assert str(caught.value) == "a budget of -1.0 evaluations buys nothing; give a positive number"


def test_epochs_that_are_not_recorded_and_trials_that_cannot_be_carried_on(table):
    world = World(table)
    with pytest.raises(SearcherError) as caught:
        world("434", epochs=2.5)
    assert str(caught.value) == ("epochs=2.5 were asked of fashion14; recorded are 1, 2, 3, 4, 5, 6, 7, 8, 9, 10")
    world("434", epochs=5)
    for child, epochs, resume, what in (
        ("433", None, 0, "is of child 59 up to point 4"),
        ("434", 2, 0, "is of child 59 up to point 4"),
        ("434", None, 7, "does not exist"),
    ):
        index, point = table.space.architecture(child).index, world.oracle.point(epochs)
        with pytest.raises(SearcherError) as caught:
            world(child, epochs, resume)
        assert str(caught.value) == (
            f"trial {resume}, to be carried on for child {index} up to point {point} of its curve, {what}; "
            "carry on an earlier trial of the same child"
        )
