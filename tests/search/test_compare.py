"""Figures of searches: step functions, areas, ERT, paired tests; the text and the page."""

from __future__ import annotations

import dataclasses
import math
import re

import numpy as np
import pytest
from small import oracle

from nasbench_ws.errors import ResultError
from nasbench_ws.report.search import regrets, search_page
from nasbench_ws.search import Ask, search
from nasbench_ws.search.compare import anytime, area, at, compare, curve, ert, final
from nasbench_ws.search.exact import exhaustive
from nasbench_ws.search.random_search import RandomWithout
from nasbench_ws.search.text import render


@pytest.fixture(scope="module")
def world():
    return oracle()


@pytest.fixture(scope="module")
def results(world):
    return {name: search(name, world, repetitions=60) for name in ("random-without", "re", "asha", "then:params:4")}


def test_before_the_first_trial_regret_is_a_random_childs_and_then_a_step(results, world):
    result = results["random-without"]
    start = np.nanmax(world.truth) - world.truth.mean()
    values = at(result, np.array([0.0, 0.5, 1.0, 1.99, 2.0, 64.0, 100.0]))
    np.testing.assert_allclose(values[:, :2], start)
    np.testing.assert_array_equal(values[:, 2:], result.regret[:, [0, 0, 1, 63, 63]])


def test_a_ratio_to_nothing_is_no_number(results, monkeypatch):
    """On a table so small that the baseline finds its best at once; without a warning."""
    monkeypatch.setattr("nasbench_ws.search.compare.area", lambda result: np.zeros(len(result)))
    found = anytime(results["re"], results["random-without"])
    assert all(map(math.isnan, (found.mean, found.low, found.high)))


def test_the_area_is_the_integral_of_the_step_function(results):
    for result in results.values():
        costs = np.geomspace(1, 64, 20_001)
        numeric = (at(result, costs)[:, :-1] + at(result, costs)[:, 1:]).mean(axis=1) / 2
        np.testing.assert_allclose(area(result), numeric, atol=2e-5)


def test_a_search_of_one_evaluation_has_an_area():
    result = search("random", oracle(budget=1.0), repetitions=5)
    np.testing.assert_array_equal(area(result), result.regret[:, 0])


def test_anytime_of_random_against_itself_is_one(results):
    estimate = anytime(results["random-without"], results["random-without"])
    assert (estimate.mean, estimate.low, estimate.high) == (1, 1, 1)


def test_the_curve_has_an_interval_and_quantiles(results):
    one = curve(results["re"], points=20)
    values = at(results["re"], one.cost)
    assert (one.low <= one.mean).all()
    assert (one.mean <= one.high).all()
    error = values.std(axis=0, ddof=1) / np.sqrt(60)
    np.testing.assert_allclose(one.high - one.low, 2 * 1.96 * error, rtol=0.25)
    np.testing.assert_allclose(one.quantiles[2], np.median(values, axis=0))


def test_ert_adds_what_failed_searches_spent(world):
    best = int(np.nanargmax(world.truth))
    worse = [child for child in range(64) if world.truth[best] - world.truth[child] > 0.03][:3]

    class Some:
        name = "some"

        def __init__(self, setting, rng):
            self._next = iter([worse[0], worse[1], best] if rng.random() < 0.5 else worse)
            self._last = worse[0]

        def ask(self):
            child = next(self._next, None)
            return None if child is None else Ask(child)

        def tell(self, trial, ask, seen):
            self._last = ask.child

        def incumbent(self):
            return self._last

    result = search(Some, world, repetitions=40)
    hit = (result.incumbent[:, 2] == best).sum()
    assert 0 < hit < 40
    assert ert(result, 0.001) == pytest.approx((3 * hit + 64 * (40 - hit)) / hit)
    assert ert(result.only([r for r in range(40) if result.incumbent[r, 2] != best]), 0.001) == math.inf


def test_equal_searchers_are_not_distinguishable_and_better_ones_are(results, world):
    twin = search("random-without", world, repetitions=60, first_seed=0)
    twin = dataclasses.replace(twin, header={**twin.header, "searcher": "twin"})

    class Worst(RandomWithout):
        name = "worst"

        def ask(self):
            return Ask(int(np.nanargmin(world.truth)))

    poor = search(Worst, world, repetitions=60)
    comparison = compare([twin, poor, *results.values()], results["random-without"])
    rows = {row.name: row for row in comparison.rows}
    assert rows["twin"].anytime_verdict == rows["twin"].final_verdict == "not distinguishable"
    assert rows["twin"].anytime_p == rows["twin"].final_p == 1
    assert rows["twin"].wins.mean == 0.5
    assert rows["worst"].final_verdict == rows["worst"].anytime_verdict == "worse"
    assert [row.anytime.mean for row in comparison.rows] == sorted(row.anytime.mean for row in comparison.rows)
    assert comparison.pairs == 15
    row = rows["then:params:4"]
    assert row.distinct == 4
    assert row.trials == 64
    assert row.rank >= 1
    assert row.to_dict()["ert"].keys() == {"0.005", "0.002", "0.001"}


def test_null_searchers_are_rarely_called_different(world):
    """Eight random searches in worlds of their own: after Holm's correction none differs, but one time in twenty."""
    named = [search("random", world, repetitions=50, first_seed=1000 * k) for k in range(8)]
    renamed = [
        dataclasses.replace(r, header={**r.header, "searcher": f"r{k}"}, repetitions=np.arange(50))
        for k, r in enumerate(named)
    ]
    comparison = compare(renamed[1:], renamed[0])
    assert {row.final_verdict for row in comparison.rows} == {"not distinguishable"}
    assert comparison.apart == 0


def test_other_budgets_are_not_compared(results):
    other = search("re", oracle(budget=10.0), repetitions=3)
    with pytest.raises(ResultError) as caught:
        compare([other], results["random-without"])
    assert str(caught.value) == (
        "re and random-without cannot be compared: budget is 10.0 for one and 64.0 for the other; search again with "
        "the same"
    )


def test_the_text_says_what_may_be_said(results, world):
    comparison = compare([results["re"], results["asha"]], results["random-without"])
    text = render(comparison, [results["re"], results["asha"]], exhaustive(world))
    assert "60 repetitions, budget 64 full trainings (64 of a mean child's)" in text
    assert "exhaustive, one seed each: regret" in text
    assert text.endswith(comparison.text)
    assert "Of 3 pairs" in comparison.text
    gain = min(row.final_difference for row in comparison.rows)
    assert ("hardly differ" in comparison.text) == (-0.5 * comparison.seed_std < gain < 0)


def test_the_page_holds_every_searcher_and_needs_nothing_else(results, world):
    chosen = [results[name] for name in ("re", "asha", "then:params:4")]
    page = search_page(chosen, results["random-without"], compare(chosen, results["random-without"]), exhaustive(world))
    assert page.count("<svg") == 3
    for name in results:
        assert name in page
    assert page.count("<script") == 1  # ours, for sorting
    assert "src=" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert page == search_page(
        chosen, results["random-without"], compare(chosen, results["random-without"]), exhaustive(world)
    )


def test_costs_of_many_digits_are_written_as_numbers(world):
    """Matplotlib writes powers of ten as formulas, whose source a browser would show."""
    svg = regrets("r", {"random": curve(search("random", oracle(unit="macs"), repetitions=3))}, {}, "multiply-adds")
    assert "mathdefault" not in svg
    assert re.search(r">[125]e\d\d<", svg)


def test_a_super_net_first_is_charged_before_anything_is_trained(world):
    result = search("then:params:4", world, repetitions=5)
    assert result.cost[:, 0].tolist() == [1.0] * 5  # counting parameters costs nothing
    assert (final(result) < 1).all()
