"""The paper's experiments: what is run is kept and not run again, and verdicts follow from numbers alone."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import LITTLE, scored
from scipy import stats

from nasbench_ws.errors import MetricError, ResultError, UsageError
from nasbench_ws.evaluation import evaluate as evaluation
from nasbench_ws.evaluation.catalogue import EQUAL
from nasbench_ws.evaluation.experiment import hours, lacking
from nasbench_ws.evaluation.reproduction import CLAIMS, SCALES, Scale, experiments, findings, page, paper, render, run
from nasbench_ws.evaluation.reproduction.claims import _by_distance
from nasbench_ws.evaluation.reproduction.finding import Finding, asked, decided, from_zero, jackknifed, overall
from nasbench_ws.evaluation.reproduction.sharing import _spreads
from nasbench_ws.markup import number
from nasbench_ws.metrics.corrections import holm
from nasbench_ws.metrics.estimates import difference, estimate, exact
from nasbench_ws.metrics.rank import stability_tau
from nasbench_ws.metrics.top import survival
from nasbench_ws.results.effort import drawing
from nasbench_ws.results.join import join
from nasbench_ws.results.outcome import Divergence
from nasbench_ws.results.result import Result
from nasbench_ws.tables.table import load

CLAIMS_PAGE = Path(__file__).parents[3] / "data" / "CLAIMS.md"
TINY = Scale("tiny", 2, 64, 2, 32, False, 16, (4,), (4,), (0, 1), (0, 2), 1, "For a test.")


@pytest.fixture(scope="module")
def reproduced(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path, Any]:
    folder, recipe = tmp_path_factory.mktemp("reproduced"), replace(tiny.recipe, channels=2, batch_size=16)
    smaller = replace(tiny, recipe=recipe, table=tiny.remade(recipe))
    with drawing(LITTLE):  # and not in the tests that do not ask for it
        made = run(smaller.table, experiments(smaller.table, TINY), folder, load=tiny.load)
    return smaller, folder, made


def test_everything_is_run_once_and_has_something_to_say(
    reproduced: tuple[Any, Path, Any], monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    tiny, folder, results = reproduced
    names = [one.name for one in experiments(tiny.table, TINY)]
    assert sorted(results) == sorted(names)
    assert set(names) == {
        "seeds", "orders", "shuffle", "window", "private-bn", "drift", "similar-4-steps", "random-4-steps",
        "prefix-0", "prefix-1",
        *(f"{kind}-{match}" for kind in ("similar-4", "random-4", "none") for match in EQUAL),
    }  # fmt: skip
    first = findings(results, tiny.table, (1,))
    assert {one.claim for one in first} == {1}  # whose experiments would say a little of others
    found = findings(results, tiny.table)
    for claim in CLAIMS:
        verdicts = [finding.verdict for finding in found if finding.claim == claim and finding.verdict]
        assert verdicts
        assert set(verdicts) <= {"holds", "does not hold", "undecided", "not testable at this scale"}
        assert overall(found, claim) in {"holds", "does not hold", "mixed", "undecided", "not testable at this scale"}
    json.dumps([finding.to_dict() for finding in found], allow_nan=False)
    tables = [line for line in page(found, TINY, tiny.table).splitlines() if line.startswith("| ")]
    assert len(tables) == len(found) + len(CLAIMS)
    assert {line.count("|") for line in tables} == {6}
    text = render(found)
    assert all(len(line) <= 100 for line in text.splitlines())
    assert f"{paper.STABILITY['seeds'].s_tau:.2f}" in text
    whats = [finding.what for finding in found]
    assert len(set(whats)) == len(whats)
    expected = np.mean(results["shuffle"]["metrics"]["kendall_tau"]["values"])
    (gt_tau,) = [finding for finding in found if finding.what == "GT-Tau: shuffle, running"]
    assert gt_tau.mean == pytest.approx(expected)
    assert gt_tau.n == TINY.instances

    monkeypatch.setattr(evaluation, "evaluate", None)  # nothing is evaluated again ...
    again = run(tiny.table, experiments(tiny.table, TINY), folder)
    assert {name: one.data for name, one in again.items()} == {name: one.data for name, one in results.items()}
    other = tiny.remade(tiny.recipe, seed=3)  # ... not even for another table: its scores are measured anew
    assert run(other, experiments(other, TINY), folder)["shuffle"]["table"]["digest"] == other.digest
    with pytest.raises(UsageError) as caught:
        run(tiny.table, experiments(tiny.table, replace(TINY, steps=128)), folder)
    assert str(caught.value).endswith(
        ".json was run with steps 64, and this scale has 128; give another folder, or delete it"
    )


def test_more_instances_join_those_there_are(
    reproduced: tuple[Any, Path, Any], tmp_path: Path, quick: None
) -> None:
    """One instance now and one later are to the last bit what two at once are; the time they took aside."""
    tiny, _, results = reproduced
    fewer, wanted = (experiments(tiny.table, replace(TINY, instances=n), [3]) for n in (1, 2))
    wanted = [replace(one, plan=replace(one.plan, batch_norm=one.plan.batch_norm[::-1])) for one in wanted]  # no matter
    folder = tmp_path / "later"
    first = run(tiny.table, fewer, folder, load=tiny.load)
    assert [one.instances for one in lacking(wanted, folder)] == [1] * len(wanted)
    later = run(tiny.table, wanted, folder, load=tiny.load)
    assert lacking(wanted, folder) == []
    for one in wanted:
        assert Result.load(folder / f"{one.name}.json").data == later[one.name].data
        assert first[one.name]["seeds"] == [0]
        both = (later[one.name], results[one.name])
        timeless = [{**r.data, "budget": {**r["budget"], "seconds": 0, "cpu_seconds": 0}} for r in both]
        assert timeless[0] == timeless[1]
    with pytest.raises(ResultError) as caught:
        join([later["seeds"], first["seeds"]], tiny.table)
    assert str(caught.value) == "seed 0 is in two of the results; join those of different seeds"
    with pytest.raises(ResultError) as caught:
        join([first["seeds"], first["shuffle"]], tiny.table)
    assert str(caught.value) == (
        f"{first['seeds']!r} and {first['shuffle']!r} differ in plan: fine_tune [], not [0, 2], interference 0, not 1, "
        "schedule shuffle, not cycle; only instances of one evaluation can be joined"
    )


def test_strategies_are_compared_unpaired_without_what_diverged(make: Callable[..., Result], tiny: Any) -> None:
    many, few = scored(0, 5), scored(1, 4)
    few[1] = np.nan
    diverged = (Divergence(1, tuple(range(64)), 3),)
    results = {
        "shuffle": make(scores={"running": many}),
        "similar-4-child-updates": make(
            strategy="groups:similar:4", scores={"running": few}, diverged=diverged, match="child-updates"
        ),
    }
    found = {one.what: one for one in findings(results, tiny.table)}
    one = found["GT-Tau of 4 similar groups minus full sharing, child-updates, running"]
    taus = [[stats.kendalltau(row, tiny.table.truth).statistic for row in scores] for scores in (few[[0, 2, 3]], many)]
    reference = stats.ttest_ind(*taus, equal_var=False)
    assert one.n == 3
    assert one.mean == pytest.approx(np.mean(taus[0]) - np.mean(taus[1]), abs=1e-12)
    assert one.p_value == pytest.approx(reference.pvalue)
    assert (one.verdict, one.why) == ("not testable at this scale", "every child alone was not run")
    spread = found[
        "log ratio of its standard deviation over instances: 4 similar groups and full sharing, child-updates, running"
    ]
    assert spread.mean == pytest.approx(math.log(np.std(taus[0], ddof=1) / np.std(taus[1], ddof=1)))


def test_a_control_that_ranks_makes_less_sharing_testable(make: Callable[..., Result], tiny: Any) -> None:
    truth, noise = tiny.table.truth, np.random.default_rng(0)

    def ranks(strength: float) -> Any:
        return strength * truth / truth.std() + noise.normal(size=(5, 64))

    def results(alone: float) -> dict[str, Result]:
        given = {"match": "child-updates"}
        return {
            "shuffle": make(scores={"running": ranks(0.1)}),
            "none-child-updates": make(strategy="none", scores={"running": ranks(alone)}, **given),
            "similar-4-child-updates": make(strategy="groups:similar:4", scores={"running": ranks(9.0)}, **given),
            "random-4-child-updates": make(strategy="groups:random:4:0", scores={"running": ranks(0.1)}, **given),
        }

    text = "GT-Tau of 4 similar groups minus full sharing, child-updates, running"
    for alone, verdict in ((9.0, "holds"), (-9.0, "not testable at this scale")):
        found = {one.what: one for one in findings(results(alone), tiny.table)}
        assert found[text].verdict == verdict
        random = found["GT-Tau of 4 similar groups minus one partition into 4 random ones, child-updates, running"]
        assert (random.verdict, random.why) == (
            "not testable at this scale",
            "one partition of random groups stands for no other",
        )


def test_full_sharing_with_as_many_steps_is_the_control_of_groups_with_all(
    make: Callable[..., Result], tiny: Any
) -> None:
    truth, noise = tiny.table.truth, np.random.default_rng(0)

    def ranks(strength: float) -> Any:
        return strength * truth / truth.std() + noise.normal(size=(5, 64))

    groups = make(strategy="groups:similar:4", scores={"running": ranks(0.7)}, match="steps")
    given = {"shuffle": make(scores={"running": ranks(0.1)}), "similar-4-steps": groups}
    found = {one.what: one for one in findings(given, tiny.table)}
    one = found["GT-Tau of 4 similar groups minus full sharing, 4 times the steps, running"]
    assert (one.verdict, one.why) == ("not testable at this scale", "full sharing with as many steps was not run")
    given["full-times-4"] = make(scores={"running": ranks(9.0)})
    found = {one.what: one for one in findings(given, tiny.table)}
    one = found["GT-Tau of 4 similar groups minus full sharing, both at 4 times the steps, running"]
    assert (one.verdict, one.why) == ("does not hold", "")  # more than full sharing, and less than as much of it
    more = found["GT-Tau of full sharing with 4 times the steps minus that with all once, running"]
    papers = found["GT-Tau of 4 similar groups with 4 times the steps minus full sharing with all once, running"]
    assert papers.paper == "+0.21, compute not separated"
    for figure in (more, papers):
        assert figure.low > 0
        assert figure.verdict == ""


def test_claims_ask_only_for_what_they_need(tiny: Any) -> None:
    assert [one.name for one in experiments(tiny.table, TINY, [3])] == ["seeds", "shuffle", "window"]
    assert {one.name for one in experiments(tiny.table, TINY, [1])} == {"seeds", "orders", "shuffle", "window"}
    (window,) = [one for one in experiments(tiny.table, replace(TINY, end_lr=0.5), [3]) if one.name == "window"]
    assert (window.plan.last, window.plan.end_lr) == (TINY.last, 0.5)
    table = load("fashion14")
    costs = [hours(table, experiments(table, scale), 2) for scale in SCALES.values()]
    assert costs == sorted(costs)
    assert costs[0] < 0.25


def test_what_some_instances_did_not_see_is_left_out() -> None:
    """A window of few steps need not hold children at every distance from those that were trained in it."""
    each = [{"distance": {"0": 0.01, "1": 0.02}, "edge": {"0->1": 0.0}}, {"distance": {"0": 0.03}, "edge": {}}]
    (found,) = _by_distance(each, "distance {}", "edge {}")
    assert (found.what, found.mean, found.n) == ("distance 0", 2.0, 2)


@pytest.mark.parametrize(
    ("values", "side", "verdict"),
    [
        ([0.1, 0.11, 0.12], 0.3, "holds"),
        ([0.1, 0.11, 0.12], -0.3, "does not hold"),
        ([-0.1, 0.0, 0.1], 1, "undecided"),
        ([0.5], 1, "undecided"),
        ([0.5, 0.5, 0.5], 1, "undecided"),
        ([math.nan, math.nan], 1, "undecided"),
    ],
)
def test_a_verdict_is_on_which_side_the_papers_figure_lies(values: list[float], side: float, verdict: str) -> None:
    (found,) = decided([asked(1, "what", "0.1", side, from_zero(values))])
    assert found.verdict == verdict
    if len(set(values)) > 2:
        low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
        assert (found.low, found.high) == pytest.approx((low, high))
        assert found.detectable == from_zero(values).detectable > 0
        assert f"; could have told {number(found.detectable, short=True)}" in render([found])
    (untestable,) = decided([asked(1, "what", "0.1", side, from_zero(values), "no control")])
    assert (untestable.verdict, untestable.why) == ("not testable at this scale", "no control")
    assert "could have told" not in render([untestable])


def test_p_values_are_corrected_over_all_that_can_be_tested() -> None:
    told = [from_zero(np.array([0.1, 0.11, 0.12]) * n) for n in (1, 2)]
    weak = difference(estimate([0.1, 0.2, 0.4]), exact(0))
    asked_all = [
        asked(1, "a", "", 1, told[0]), asked(2, "b", "", 1, told[1], "no control"), asked(3, "c", "", 1, weak),
        Finding(4, "d", "", 0.5, 0.4, 0.6, 3),
    ]  # fmt: skip
    found = decided(asked_all)
    assert [found[0].adjusted, found[2].adjusted] == pytest.approx(holm([told[0].p_value, weak.p_value]).tolist())
    assert math.isnan(found[1].adjusted)
    assert math.isnan(found[3].adjusted)
    assert found[3].verdict == ""


@pytest.mark.parametrize(
    ("verdicts", "verdict"),
    [
        (["holds", "undecided", "not testable at this scale"], "holds"),
        (["does not hold", "undecided"], "does not hold"),
        (["holds", "does not hold"], "mixed"),
        (["undecided", "not testable at this scale"], "undecided"),
        (["not testable at this scale", ""], "not testable at this scale"),
        (["holds", *["not testable at this scale"] * 2], "not testable at this scale"),
    ],
)
def test_a_claim_has_one_verdict(verdicts: list[str], verdict: str) -> None:
    found = [Finding(1, str(i), "", 0, 0, 0, 3, verdict=one) for i, one in enumerate(verdicts)]
    found.append(Finding(2, "other", "", 0, 0, 0, 3, verdict="does not hold"))
    assert overall(found, 1) == verdict


def test_the_page_tests_on_the_side_of_the_papers_figure() -> None:
    """Two verdicts of an earlier page contradicted its rule: the paper's own figure was on the other side."""
    lines = CLAIMS_PAGE.read_text().splitlines()
    (params,) = [line for line in lines if "minus parameter count's (0.79), running" in line]
    assert "| -0.16 | holds" in params
    assert not any("2 similar groups minus" in line and "| holds" in line for line in lines)


def test_the_jackknife_of_s_tau() -> None:
    scores = np.random.default_rng(0).random((5, 64))
    values = jackknifed(scores)
    assert values.shape == (5,)
    assert values.mean() == pytest.approx(stability_tau(scores).mean)  # unbiased already
    assert np.isnan(from_zero(jackknifed(scores[:2])).low)  # one pair has no spread


def test_a_ratio_of_spreads_is_the_f_test() -> None:
    noise = np.random.default_rng(0)
    nulls = [_spreads(noise.normal(size=5), noise.normal(size=5)) for _ in range(1000)]
    assert np.mean([one.p_value < 0.05 for one in nulls]) == pytest.approx(0.05, abs=0.02)
    assert np.mean([one.low <= 0 <= one.high for one in nulls]) == pytest.approx(0.95, abs=0.02)
    assert math.isnan(_spreads(np.ones(3), np.arange(3.0)).p_value)


def test_survival_is_the_expected_fraction_over_ties() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        scores, truth = rng.integers(0, 4, 12), rng.permutation(12)
        drop, k = rng.choice([0.25, 0.5, 0.75]), int(rng.integers(1, 12))
        fractions = []
        for _ in range(400):
            order = np.lexsort((rng.random(12), -scores))  # best first, ties at random
            kept = set(order[: 12 - int(drop * 12)])
            fractions.append(np.mean([child in kept for child in np.argsort(-truth)[:k]]))
        assert survival(scores, truth, drop=drop, k=k) == pytest.approx(np.mean(fractions), abs=0.1)
    assert survival([1, 2, 3, 4], [1, 2, 3, 4], drop=0.5, k=2) == 1
    assert survival([4, 3, 2, 1], [1, 2, 3, 4], drop=0.5, k=2) == 0
    with pytest.raises(MetricError) as caught:
        survival([1, 2], [1, 2], drop=1.0, k=1)
    assert str(caught.value) == "drop is 1.0; it is a part of the children, at least 0 and less than 1"
