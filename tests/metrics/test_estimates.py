"""Moderated means and differences, the prior they use, power, and corrections, against scipy and simulation."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
from scipy import stats

from nasbench_ws import load, metrics
from nasbench_ws.errors import MetricError, ResultError
from nasbench_ws.metrics.corrections import best_of, holm
from nasbench_ws.metrics.estimates import Prior, difference, estimate, exact, fit_prior
from nasbench_ws.metrics.intervals import intervals, table_deviations
from nasbench_ws.metrics.power import detectable, instances_needed
from nasbench_ws.metrics.prior import Regime, read_prior, shipped_prior
from nasbench_ws.rankers.plan import Plan

inf = math.inf


def rng(seed=0):
    return np.random.default_rng(seed)


# ----------------------------------------------------------------------------------------------- estimates


def test_without_a_prior_an_estimate_is_the_t_interval():
    values = rng().normal(size=6)
    one = estimate(values)
    expected = stats.t.interval(0.9, 5, values.mean(), stats.sem(values))
    assert one.interval(0.9) == pytest.approx(expected)
    assert (one.n, one.df, one.std) == (6, 5, pytest.approx(values.std(ddof=1)))


def test_a_prior_counts_as_that_many_instances():
    values = rng().normal(size=3)
    one = estimate(values, Prior(df=4, std=2))
    variance = (4 * 4 + 2 * values.var(ddof=1)) / 6
    assert (one.df, one.variance) == (6, pytest.approx(variance / 3))
    assert one.interval() == pytest.approx(stats.t.interval(0.95, 6, values.mean(), math.sqrt(variance / 3)))
    known = estimate(values, Prior(df=inf, std=2))
    assert known.interval() == pytest.approx(stats.norm.interval(0.95, values.mean(), 2 / math.sqrt(3)))
    alone = estimate([0.4], Prior(df=4, std=2))
    assert alone.interval() == pytest.approx(stats.t.interval(0.95, 4, 0.4, 2))
    assert math.isnan(alone.std)


def test_equal_values_have_no_interval_without_a_prior_and_one_with_it():
    for values in ([0.4, 0.4], [0.1] * 3, [1e6 / 3] * 2):
        assert math.isnan(estimate(values).variance)
        assert estimate(values).reason == f"all {len(values)} values are equal: how much they vary is not known"
        assert estimate(values, Prior(5, 0.1)).variance > 0
    assert estimate([0.4]).reason == "one value: how much it varies is not known"
    assert exact(0.7).interval() == (0.7, 0.7)


@pytest.mark.parametrize("n", [1, 2, 3, 10])
def test_moderated_intervals_cover_where_variances_come_from_the_prior(n):
    noise, prior, held = rng(n), Prior(df=8, std=0.07), []
    for _ in range(1500):
        std = 0.07 * math.sqrt(8 / noise.chisquare(8))
        low, high = estimate(noise.normal(size=n) * std, prior).interval()
        held.append(low <= 0 <= high)
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)


# ----------------------------------------------------------------------------------------------- differences


def test_without_a_prior_a_difference_is_welchs_test():
    for shift in (0, 2):
        a, b = rng(1).normal(size=4) + shift, rng(2).normal(size=7) * 0.5
        told = difference(estimate(a), estimate(b))
        reference = stats.ttest_ind(a, b, equal_var=False)
        interval = reference.confidence_interval()
        assert told.p_value == pytest.approx(reference.pvalue)
        assert (told.low, told.high) == pytest.approx((interval.low, interval.high))
        assert told.df == pytest.approx(reference.df)
        assert (told.verdict == "distinguishable") == (reference.pvalue < 0.05) == bool(shift)


def test_what_does_not_vary_is_compared_as_with_one_sample():
    values = rng().normal(size=5) + 1
    told = difference(estimate(values), exact(0.5))
    assert told.p_value == pytest.approx(stats.ttest_1samp(values, 0.5).pvalue)
    assert told.n == (5, 1)


def test_samples_without_a_spread_decide_nothing():
    for a, b in (([0.4, 0.4], [0.2, 0.2]), ([0.4], [0.2]), ([0.4, 0.4], [0.2, 0.3])):
        told = difference(estimate(a), estimate(b))
        assert told.verdict == "not distinguishable"
        assert math.isnan(told.p_value)
        assert math.isnan(told.low)
        assert told.reason == estimate(a).reason
    told = difference(exact(0.7), exact(0.6))
    assert told.reason == "neither varies, between instances or over tables: there is nothing to test"
    assert difference(exact(0.7), exact(0.6), table_std=0.04).verdict == "distinguishable"
    assert difference(exact(0.7), exact(0.6), table_std=0.06).verdict == "not distinguishable"


def test_type_one_error_is_what_it_says_with_few_instances_and_a_prior():
    noise, prior, wrong = rng(5), Prior(df=8, std=0.07), []
    for _ in range(1500):
        std = 0.07 * math.sqrt(8 / noise.chisquare(8))
        a, b = (estimate(noise.normal(size=n) * std, prior) for n in (3, 1))
        wrong.append(difference(a, b).verdict == "distinguishable")
    assert np.mean(wrong) == pytest.approx(0.05, abs=0.02)


def test_the_tables_noise_of_a_difference_cancels_where_two_rank_alike():
    table = load("fashion14")
    seeds, params = table.by_seed("test_accuracy"), table.column("params").astype(float)
    names = ["kendall_tau"]
    alone = table_deviations(params[None], seeds, [1.0], names, rng=rng())["kendall_tau"]
    both = table_deviations(np.stack([params, params]), seeds, [1.0, -1.0], names, rng=rng())["kendall_tau"]
    assert both.std() == pytest.approx(0, abs=1e-12)
    other = table_deviations(np.stack([params, rng().permutation(64)]), seeds, [1.0, -1.0], names, rng=rng())
    assert 0.01 < alone.std() < other["kendall_tau"].std() < 0.03
    assert abs(alone.mean()) < 1e-12
    nothing = table_deviations(params[None], table.truth, [1.0], names, rng=rng(), resamples=5)
    assert nothing["kendall_tau"].tolist() == [0.0] * 5


# --------------------------------------------------------------------------------------------------- the prior


@pytest.mark.parametrize("d0", [3, 12])
def test_a_prior_is_found_again_from_samples_drawn_from_it(d0):
    noise = rng(d0)
    std = 0.07 * np.sqrt(d0 / noise.chisquare(d0, 3000))
    variances = np.array([noise.normal(size=5) * s for s in std]).var(axis=1, ddof=1)
    found = fit_prior(variances, np.full(3000, 4))
    assert found.df == pytest.approx(d0, rel=0.25)
    assert found.std == pytest.approx(0.07, rel=0.05)


def test_equal_samples_of_a_discrete_metric_do_not_pull_the_prior_to_nothing():
    noise = rng(7)
    values = np.round(noise.normal(size=(400, 3)) * 0.15, 1)  # steps of .1: many samples of three are equal
    variances = values.var(axis=1, ddof=1)
    assert (variances < 1e-12).mean() > 0.05
    found = fit_prior(variances, np.full(400, 2), least=0.99 * variances[variances > 1e-12].min())
    assert found.std == pytest.approx(0.15, rel=0.1)


def test_the_shipped_prior_is_of_super_nets_on_the_shipped_table():
    usual = shipped_prior()
    for steps, mode in itertools.product((6400, 39_200), ("running", "recalibrate:1024", "recalibrate", "private")):
        by_metric = usual.by_metric(mode, Regime(steps=steps))
        assert {*metrics.EVALUATION, "partial_tau"} <= by_metric.keys()
        assert 0.04 < by_metric["partial_tau"].std < 0.1
        wider = usual.by_metric(mode, Regime(own_way=True, steps=steps))  # of gates, controllers and samplers
        assert by_metric.keys() == wider.keys()
        assert 0.04 < by_metric["kendall_tau"].std < wider["kendall_tau"].std < 0.3
    assert usual.by_metric("recalibrate:7") is usual.by_metric("recalibrate")
    recipe = load("fashion14").recipe
    problem = {key: getattr(recipe, key) for key in usual.learnt_from["problem"]}
    assert usual.applies(problem)
    assert not usual.applies({**problem, "images": "cifar10"})


def test_the_budget_of_a_prior_is_the_nearest_by_factor():
    usual, both = shipped_prior(), (6400, 39_200)
    assert sorted(usual.priors) == sorted(usual.ways) == [*both]
    assert Regime().steps == Plan("full", load("fashion14").recipe).steps == 6400
    for steps, nearest in ((0, 6400), (1, 6400), (6400, 6400), (12_800, 6400), (25_600, 39_200), (10**6, 39_200)):
        for own_way, some in ((False, usual.priors), (True, usual.ways)):
            regime = Regime(own_way=own_way, steps=steps)
            assert regime.nearest(both) == regime.nearest(both[::-1]) == nearest
            assert usual.by_metric("running", regime) is some[nearest]["running"]
    assert Regime(steps=200).nearest((400, 100)) == 100  # of two that are as near


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"own_way": 39_200}, "own_way=39200: it must be True or False"),
        ({"own_way": "no"}, "own_way='no': it must be True or False"),
        *(
            ({"steps": steps}, f"steps={steps!r}: it must be a whole number, such as 39_200")
            for steps in ("39200", None, 39_200.0, math.inf, math.nan, -5, True)
        ),
    ],
)
def test_a_regime_takes_no_other_values(given, text):
    with pytest.raises(MetricError) as caught:
        Regime(**given)
    assert str(caught.value) == text


def test_a_regime_of_any_size_has_a_nearest_budget():
    assert Regime(steps=10**400).nearest((6400, 39_200)) == 39_200
    assert Regime(steps=np.int64(25_600)).nearest((6400, 39_200)) == 39_200  # of a frame's column
    with pytest.raises(TypeError):
        Regime(39_200)  # which would be own_way


def test_a_broken_prior_says_so(tmp_path):
    path = tmp_path / "prior.json"
    tau, problem = {"kendall_tau": {"df": 3, "std": 0.1}}, {"problem": {"space": "deeper64"}}
    whole = {"priors": {"6400": {"any": tau}}, "ways": {"6400": {"any": tau, "running": tau}}, "learnt_from": problem}
    path.write_text(json.dumps(whole))
    assert read_prior(path).by_metric("running")["kendall_tau"] == Prior(3, 0.1)
    ways = ({}, *({steps: {"any": tau}} for steps in ("many", "0")),
            *({"6400": some} for some in ({}, {"running": tau}, {"any": {}}, {"any": tau, "running": {}})))  # fmt: skip
    everything = {**whole, "learnt_from": {"problem": {}}}  # it would be of any table
    broken = ({"priors": {}, "learnt_from": {}}, *({**whole, "ways": one} for one in ways), everything, [])
    for text in ("{", *map(json.dumps, broken)):
        path.write_text(text)
        with pytest.raises(ResultError, match=r"cannot be read as priors: .*; make it again by learn_prior.py"):
            read_prior(path)


# ------------------------------------------------------------------------------------- intervals with a prior


def test_intervals_with_a_prior_are_the_moderated_t_and_the_tables_noise():
    table = load("fashion14")
    truth, seeds = table.truth, table.by_seed("test_accuracy")
    scores = truth + rng().normal(size=(2, 64)) * 0.02
    prior = {"kendall_tau": Prior(10, 0.07)}
    (plain,) = intervals(scores, truth, ["kendall_tau"], rng=rng(), prior=prior).values()
    expected = estimate(metrics.kendall_taus(scores, truth), prior["kendall_tau"]).interval()
    assert (plain.low, plain.high) == pytest.approx(expected, abs=2e-3)
    assert plain.method == "moderated t over 2 instances"
    (both,) = intervals(scores, seeds, ["kendall_tau"], rng=rng(), prior=prior).values()
    assert both.high - both.low > plain.high - plain.low
    assert both.method == "moderated t over 2 instances, table seeds resampled"


def test_a_ranking_that_does_not_vary_has_the_tables_noise_alone_however_often_it_is_given():
    table = load("fashion14")
    params, seeds = table.column("params").astype(float), table.by_seed("test_accuracy")
    once = intervals(params[None], seeds, ["kendall_tau"], rng=rng(), varies=False)["kendall_tau"]
    twice = intervals(np.stack([params] * 2), seeds, ["kendall_tau"], rng=rng(), varies=False)["kendall_tau"]
    assert (once.low, once.high) == (twice.low, twice.high)
    assert 0.72 < once.low < once.mean < once.high < 0.83
    assert once.method == "does not vary, table seeds resampled"
    void = intervals(params[None], table.truth, ["kendall_tau"], rng=rng(), varies=False)["kendall_tau"]
    assert void.reason == "the ranking does not vary, and the table has one seed a child: nothing that varies is known"


def test_no_interval_is_given_that_leaves_most_of_the_range_open():
    table = load("fashion14")
    scores = table.truth[None] + rng().normal(size=(1, 64)) * 0.02
    prior = {"top_rank@1": Prior(10, 12.0), "kendall_tau": Prior(10, 0.08)}
    found = intervals(scores, table.by_seed("test_accuracy"), list(prior), rng=rng(), prior=prior)
    assert found["kendall_tau"].reason is None
    assert found["top_rank@1"].reason == (
        "1 instance leaves more than half of 1 to 64 open: top_rank@1 has an interval from 3 instances on"
    )
    assert math.isnan(found["top_rank@1"].low)


def test_a_partial_tau_that_is_undefined_says_why():
    table = load("fashion14")
    params = table.column("params").astype(float)
    (one,) = intervals(
        params[None], table.truth, ["partial_tau"], rng=rng(), control=params, varies=False
    ).values()  # fmt: skip
    assert one.reason == "scores or truth order the children as the control does: nothing is left to explain"


# --------------------------------------------------------------------------------------------------- power


@pytest.mark.parametrize(("df", "n"), [(4, 3), (8, 5), (18, 10)])
def test_a_detectable_difference_is_found_four_times_in_five(df, n):
    gap = detectable(math.sqrt(2 / n), df)
    noise = rng(n)
    a, b = noise.normal(size=(2, 20_000, n)) + np.array([gap, 0.0])[:, None, None]
    assert np.mean(stats.ttest_ind(a, b, axis=1).pvalue < 0.05) == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize("df", [1, 2.5, 4, 20.3, 146])
@pytest.mark.parametrize("power", [0.5, 0.8, 0.95])
def test_a_detectable_difference_is_where_the_power_is_that(df, power):
    shift, critical = detectable(1, df, power=power), stats.t.ppf(0.975, df)
    assert stats.nct.sf(critical, df, shift) == pytest.approx(power, abs=1e-5)


def test_less_than_one_degree_of_freedom_detects_nothing():
    assert detectable(0.1, 0.3) == math.inf
    assert 8 < instances_needed(0.1, 0.08, prior_df=0.3) <= 12  # looked for from one instance on


def test_instances_needed_are_the_fewest_that_detect_it():
    for gap, prior_df in ((0.05, 0), (0.1, 0), (0.1, 11), (0.2, 30)):
        n = instances_needed(gap, 0.08, prior_df=prior_df)
        df = 2 * (prior_df + n - 1)
        assert detectable(0.08 * math.sqrt(2 / n), df) <= gap
        assert n == 1 or df <= 2 or detectable(0.08 * math.sqrt(2 / (n - 1)), df - 2) > gap
    assert instances_needed(0.05, 0.08, prior_df=30, other=50) < instances_needed(0.05, 0.08, prior_df=30)
    assert instances_needed(0.05, 0.08, other=3) is None  # the other's three instances are too few for any number
    assert instances_needed(0.5, 0.08, prior_df=30, other=50) == 1


# --------------------------------------------------------------------------------------------------- corrections


def test_holm_keeps_the_chance_of_any_false_rejection():
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, math.nan, 0.9])[[0, 2]].tolist() == [1.0, 1.0]
    assert math.isnan(holm([math.nan])[0])
    nulls = rng().random((4000, 12))
    assert np.mean([(holm(row) < 0.05).any() for row in nulls]) == pytest.approx(0.05, abs=0.012)


def test_the_best_of_many_is_expected_above_its_truth_by_what_is_said():
    noise, over, said, held = rng(3), [], [], []
    for _ in range(300):
        true = noise.normal(size=40) * 0.05
        values = true + noise.normal(size=(3, 40)) * 0.08
        estimates = [estimate(column, Prior(inf, 0.08)) for column in values.T]
        best = best_of(estimates, rng=noise, draws=100)
        over.append(best.mean - true[best.index])
        said.append(best.overestimate)
        held.append(best.low <= true[best.index] <= best.high)
    assert np.mean(said) == pytest.approx(np.mean(over), abs=0.01)
    assert np.mean(held) >= 0.95
    one = best_of([estimate([0.1, 0.2, 0.3]), estimate([0.9, 0.9])], rng=rng())
    assert (one.index, one.among) == (0, 1)
    assert one.overestimate == pytest.approx(0, abs=0.01)


ERRORS = [
    (lambda: Prior(0, 1), "a prior has df and std above 0, such as Prior(8.6, 0.07); these are 0, 1"),
    (
        lambda: estimate([0.5, math.nan]),
        "1 of 2 values are not finite, shape (2,): one finite value for each instance, (n,), is needed; leave out "
        "instances without one",
    ),
    (lambda: estimate([1, 2]).interval(95), "level=95: it must be a fraction between 0 and 1, such as 0.95"),
    (lambda: fit_prior([0.0, 0.1], [1, 1]), "1 of 2 samples vary: a prior needs at least 2 that do"),
    (lambda: detectable(1, 3, power=80), "power=80: it must be a fraction between 0 and 1, such as 0.8"),
    (lambda: instances_needed(0, 1), "a difference of 0 is to be detected: it must be above 0, such as 0.1"),
    (
        lambda: best_of([estimate([0.5])], rng=rng()),
        "none of 1 means has a variance: the best of them has no interval",
    ),
]


@pytest.mark.parametrize(("call", "message"), ERRORS, ids=[message[:40] for _, message in ERRORS])
def test_errors_say_what_was_met_and_what_is_allowed(call, message):
    with pytest.raises(MetricError) as error:
        call()
    assert str(error.value) == message
