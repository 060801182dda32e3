"""What an evaluation is compared with at once, and what a difference would need: instances and minutes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nasbench_ws import Result, load
from nasbench_ws.errors import UsageError
from nasbench_ws.evaluation.experiment import longer_results, shipped_results
from nasbench_ws.evaluation.named import read_result
from nasbench_ws.evaluation.reference import Need, beside_full, needed, shipped_full, shipped_reference
from nasbench_ws.metrics.estimates import estimate
from nasbench_ws.metrics.power import instances_needed
from nasbench_ws.metrics.prior import Regime, shipped_prior
from nasbench_ws.results.compare import gap_between


@pytest.fixture(scope="module")
def similar() -> Result:
    return Result.load(shipped_results() / "similar-2-child-updates.json")


def changed(result: Result, **changes: Any) -> Result:
    return Result(replace(result.outcome, **changes), result.assessment)


def test_a_result_stands_beside_the_shipped_full_of_its_plan(similar: Result) -> None:
    full = shipped_full(load("fashion14"))
    assert full is not None
    assert (full.outcome.strategy, full.outcome.schedule, full.outcome.inactive) == ("full", "shuffle", "frozen")
    reference = shipped_reference(similar)
    assert reference is not None
    assert reference.data == full.data
    line = beside_full(similar)
    assert line is not None
    assert max(map(len, line.splitlines())) <= 79
    mode = similar.outcome.batch_norm
    ours, theirs = (one.under(mode)["kendall_tau"] for one in (similar, full))
    words = " ".join(line.split())
    assert words.startswith(f"full ({theirs.n} instances that ship): {theirs.mean:.2f}; difference ")
    assert f"{ours.mean - theirs.mean:+.3f} [" in words
    assert "could have told " in words


def test_rows_that_rank_by_gates_stand_beside_it_by_what_both_have() -> None:
    """And by the shipped `full` of as many steps."""
    darts, full = (Result.load(shipped_results() / f"{name}.json") for name in ("darts", "shuffle"))
    mode = "recalibrate:1024"
    ours, theirs = (one.under(mode)["kendall_tau"].mean for one in (darts, full))
    words = " ".join((beside_full(darts) or "").split())
    assert words.startswith(
        f"full (50 instances that ship, batch norm {mode}, where this has {ours:.2f}): {theirs:.2f}; difference "
        f"{ours - theirs:+.3f} ["
    )
    none = Result.load(longer_results() / "none-39200.json")
    reference = shipped_reference(none)
    assert reference is not None
    assert (reference.outcome.strategy, reference.outcome.steps) == ("full", 39_200)


def test_it_stands_beside_nothing_of_another_plan(similar: Result) -> None:
    outcome = similar.outcome
    assert shipped_reference(changed(similar, plan={**outcome.plan, "steps": 640})) is None
    assert shipped_reference(changed(similar, plan={**outcome.plan, "end_lr": 0.04})) is None  # trained otherwise
    for changes in ({"channels": 3}, {"train_images": 640}, {"output": "sum"}):
        assert shipped_reference(changed(similar, recipe={**outcome.recipe, **changes})) is None
    as_usual = {name: value for name, value in outcome.recipe.items() if value}  # a key that is left out is its default
    assert len(as_usual) < len(outcome.recipe)
    assert shipped_reference(changed(similar, recipe=as_usual)) is not None
    assert shipped_reference(changed(similar, recipe={})) is None  # of what no recipe trained
    full = shipped_full(load("fashion14"))
    assert full is not None
    assert shipped_reference(full) is None
    assert beside_full(full) is None


def test_what_a_difference_needs(similar: Result) -> None:
    table = load("fashion14")
    prior = shipped_prior().by_metric("recalibrate:1024")["kendall_tau"]
    found = needed(0.1, table, "full")
    assert found.each == instances_needed(0.1, prior.std, prior_df=prior.df)
    full = shipped_full(table)
    assert full is not None
    assert found.minutes == pytest.approx(full.outcome.cost.seconds / 60, rel=1)
    text = found.text()
    assert f"{found.each} instances of each of two strategies: {found.each * 2 * found.minutes:.0f} minutes" in text
    assert f" the {found.against_instances} of full that ship" in text
    assert needed(0.05, table).each > found.each
    assert "that ship" not in needed(0.05, table).text()


def test_what_a_difference_needs_beside_rows_and_longer_training() -> None:
    table, usual = load("fashion14"), shipped_prior()
    for name, regime, count in (
        ("enas", Regime(own_way=True), 10),
        ("full-39200", Regime(steps=39_200), 10),
        ("darts-39200", Regime(own_way=True, steps=39_200), None),
    ):
        prior = usual.by_metric("recalibrate:1024", regime)["kendall_tau"]
        found = needed(0.3, table, name)
        assert (found.std, found.steps) == (prior.std, regime.steps)
        assert count in (None, found.against_instances)
        values = read_result(name).result.under("recalibrate:1024")["kendall_tau"].values
        theirs = estimate(values, prior)
        assert found.against_std == pytest.approx(math.sqrt(theirs.variance * len(values)))
        assert found.beside == instances_needed(
            0.3, prior.std, prior_df=prior.df, other=len(values), other_std=found.against_std
        )
    assert "minutes of one processor at 39,200 steps" in found.text()
    assert needed(0.3, table, "enas").each > needed(0.3, table, "full").each


def test_what_is_promised_beside_a_strategy_is_what_a_comparison_could_tell() -> None:
    """`enas` differs more than rows usually do: beside its instances no number of others is enough for .3."""
    table, mode = load("fashion14"), "recalibrate:1024"
    enas, full = (read_result(name).result for name in ("enas", "full"))
    assert gap_between(full, enas, "kendall_tau", mode).detectable > 0.3
    assert needed(0.3, table, "enas").beside is None
    assert needed(0.4, table, "enas").beside <= full.outcome.instances


def test_of_a_readout_that_is_no_accuracy_its_own_instances_are_all_that_is_known() -> None:
    table = load("fashion14")
    found = needed(0.3, table, "enas", "logp")
    std = np.std(read_result("enas").result.under("logp")["kendall_tau"].values, ddof=1)
    assert (found.std, found.against_std) == pytest.approx((std, std))
    assert found.each == instances_needed(0.3, std)
    assert found.text().startswith("A difference of 0.3 in Kendall tau, readout logp, ")
    short, whole = (needed(0.1, table, "full", mode) for mode in ("recalibrate", "recalibrate:1024"))
    assert short == whole


def test_a_need_is_known_under_ways_of_batch_norm_that_do_not_ship() -> None:
    prior = shipped_prior().by_metric("recalibrate:512")["kendall_tau"]
    found = needed(0.1, load("fashion14"), batch_norm="recalibrate:512")
    assert (found.std, found.each) == (prior.std, instances_needed(0.1, prior.std, prior_df=prior.df))


def test_what_is_not_known_of_a_need(tiny: Any) -> None:
    with pytest.raises(UsageError) as caught:
        needed(0.1, load("fashion14"), "mine")
    assert str(caught.value) == "nothing of 'mine' ships; `nasbench-ws leaderboard` lists what does"
    with pytest.raises(UsageError) as caught:
        needed(0.1, tiny.table)
    assert str(caught.value) == (
        "how much instances differ is known for fashion14, space deeper64, macro small only, and tiny is of something "
        "else: evaluate a strategy with five instances, and take the standard deviation that it prints"
    )


def test_a_need_that_nothing_meets_says_so() -> None:
    need = Need(0.1, "running", 0.08, 11, "full", 5, 0.075, None, 2.0)
    assert need.text().splitlines()[-1] == (
        "  more than the 5 of full that ship and differ by 0.075: beside these few, no number of new ones is enough"
    )
    assert replace(need, beside=7).text().splitlines()[-1] == (
        "  7 instances beside the 5 of full that ship and differ by 0.075: 14 minutes of one processor at "
        "the default plan"
    )
