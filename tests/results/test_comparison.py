"""Results side by side: super-nets, one instance of one, and rankings that train nothing, each as what it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from conftest import scored
from scipy import stats

from nasbench_ws.cost import NOTHING
from nasbench_ws.errors import UsageError
from nasbench_ws.evaluation.experiment import shipped_results
from nasbench_ws.evaluation.named import NamedResult, distinct
from nasbench_ws.metrics.power import detectable
from nasbench_ws.report.results import results_page
from nasbench_ws.results.compare import Comparison, compare
from nasbench_ws.results.result import Result

Make = Callable[..., Result]


@pytest.fixture
def counts(make: Make, tiny: Any) -> Make:
    """A ranking that trains nothing, as `evaluate params` gives it."""

    def made(strategy: str, scores: Any) -> Result:
        plan = {"steps": 0, "schedule": "", "last": 0}
        return make(
            strategy=strategy, scores={"": np.atleast_2d(scores)}, match="", plan=plan, recipe={}, cost=NOTHING,
            trained=(),
        )  # fmt: skip

    return made


def told(found: Comparison) -> str:
    return " ".join(str(found).split())


def test_a_super_net_stands_beside_what_trains_nothing(make: Make, counts: Make, tiny: Any) -> None:
    """Which has no match and no steps; and one ranking is taken as it is: only the super-nets' spread counts."""
    net, params = make(scores={"running": scored(0, 4)}), counts("params", tiny.table.truth)
    found = compare([net, params])
    assert (found.match, [row.name for row in found.rows]) == ("child-updates", ["params", "full"])
    assert [row.fixed for row in found.rows] == [True, False]
    (pair,) = found.pairs
    taus = np.array(net.metrics["kendall_tau"].values)
    error = taus.std(ddof=1) / 2
    assert pair.difference.mean == pytest.approx(1 - taus.mean())
    assert pair.difference.p_value == pytest.approx(stats.ttest_1samp(taus, 1.0).pvalue)
    assert pair.difference.detectable == pytest.approx(detectable(error, 3))
    text = told(found)
    assert "One ranking, taken as it is, without a spread between instances: params." in text
    assert f"could have told {pair.difference.detectable:.3f} (80 % power)" in text
    assert max(map(len, str(found).splitlines())) <= 80
    assert found.to_dict()["rows"][0]["fixed"] is True


def test_chance_varies_and_two_counts_do_not(make: Make, counts: Make, tiny: Any) -> None:
    chance = counts("random", scored(1, 3))
    found = compare([counts("params", tiny.table.truth), chance, make(scores={"running": scored(2, 3)})])
    assert [row.fixed for row in found.rows].count(True) == 1
    assert all(pair.difference.reason is None for pair in found.pairs)
    alone = compare([counts("params", tiny.table.truth), counts("macs", -tiny.table.truth)])
    assert alone.match == ""
    assert str(alone).startswith("kendall_tau; bound ")
    assert "+2.000, not tested: neither varies" in told(alone)


def test_one_instance_is_compared_by_what_is_usual_and_else_not() -> None:
    """Of super-nets on the shipped table, much is known of their variance; of others, nothing."""
    whole = Result.load(shipped_results() / "similar-2-child-updates.json")
    full = Result.load(shipped_results() / "shuffle.json")
    data = whole.data
    one = Result.of(
        type(whole.outcome)(**{**vars(whole.outcome), "seeds": (0,), "trained": whole.outcome.trained[:1],
                               "scores": {mode: rows[:1] for mode, rows in whole.outcome.scores.items()}}),
        _table(),
    )  # fmt: skip
    gap = compare([one, full]).pairs[0].difference
    assert sorted(gap.n) == [1, 50]
    assert gap.interval[0] < gap.mean < gap.interval[1]
    wide = compare([Result.from_dict(data), full]).pairs[0].difference
    assert gap.detectable > wide.detectable > 0


def test_one_instance_of_a_problem_without_a_prior_is_not_tested(make: Make) -> None:
    one = make(strategy="mine", scores={"running": scored(3, 1)})
    found = compare([one, make(scores={"running": scored(4, 3)})])
    assert math.isnan(found.pairs[0].difference.p_value)
    assert "not tested: one instance: how much the metric varies over instances is not known" in told(found)


def test_steps_are_compared_among_what_trains(make: Make, counts: Make, tiny: Any) -> None:
    net = make(scores={"running": scored(0)})
    other = make(strategy="other", plan={**net.outcome.plan, "steps": 1})
    with pytest.raises(UsageError) as caught:
        compare([counts("params", tiny.table.truth), net, other])
    assert str(caught.value) == (
        "full has number of steps 6400, and other 1; results are compared at one number of steps: evaluate them alike"
    )


def _table() -> Any:
    from nasbench_ws import load

    return load("fashion14")


def test_results_stand_by_the_scores_that_all_have(make: Make, counts: Make, tiny: Any) -> None:
    """Whichever their own are: else a strategy differs from itself by its way of batch norm."""
    running, recalibrated = scored(0, 3), np.array([tiny.table.truth] * 3) + scored(1, 3) / 100
    first = make(scores={"running": running, "recalibrate:64": recalibrated})
    second = make(scores={"recalibrate:64": recalibrated, "running": running})
    for some in ([first, second], [second, first]):
        found = compare(some, names=["one", "two"])
        assert found.batch_norm == "recalibrate:64"
        assert {row.mean for row in found.rows} == {second.tau.mean}
        assert found.pairs[0].difference.mean == 0
    assert [row.name for row in found.rows] == ["one", "two"]
    text = str(found)
    assert " ".join(text.split()).startswith("kendall_tau, matched in child-updates, batch norm recalibrate:64; bound")
    assert max(map(len, text.splitlines())) <= 80
    asked = compare([first, second], batch_norm="running")
    assert {(row.mean, row.batch_norm) for row in asked.rows} == {(first.tau.mean, "running")}
    assert compare([first, first]).batch_norm == "running"  # their own
    assert compare([first, counts("params", tiny.table.truth)]).batch_norm == "running"
    with pytest.raises(UsageError) as caught:
        compare([first, second], batch_norm="private")
    assert str(caught.value) == "full has no scores under batch norm 'private'; it has running, recalibrate:64"
    apart = compare([make(scores={"running": running}), make(scores={"recalibrate:64": recalibrated})])
    assert (apart.batch_norm, apart.to_dict()["batch_norm"]) == ("", None)
    assert apart.note == "They are scored in different ways: batch norm running, batch norm recalibrate:64."
    assert [row.name for row in apart.rows] == ["full recalibrate:64", "full"]


def test_a_page_of_several_stands_by_the_same(make: Make, tiny: Any) -> None:
    pytest.importorskip("matplotlib")
    running, recalibrated = scored(0, 3), np.array([tiny.table.truth] * 3) + scored(1, 3) / 100
    first = make(scores={"running": running, "recalibrate:64": recalibrated})
    second = make(scores={"recalibrate:64": recalibrated, "running": running})
    html = results_page([first, second], tiny.table)
    assert html.count(f"full recalibrate:64: {second.tau.mean:.3f}") >= 2


def test_a_file_stands_by_its_own_name(make: Make) -> None:
    one = make()
    given = [NamedResult("full", one), NamedResult("full", one, ships=True), NamedResult("full", one)]
    assert distinct(given) == ["full (yours)", "full", "full (yours) (2)"]
    assert distinct(given[::2]) == ["full", "full (2)"]
