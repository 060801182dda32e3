"""Choices within a number of multiply-adds, fronts of accuracy and multiply-adds, and networks of several names."""

from __future__ import annotations

import numpy as np
import pytest
from small import oracle

from nasbench_ws.errors import UsageError
from nasbench_ws.report.search import children_of
from nasbench_ws.search import Oracle, Rules, search
from nasbench_ws.search.compare import compare, steps
from nasbench_ws.search.exact import exhaustive, possible, regret
from nasbench_ws.search.front import front, hypervolume, reached
from nasbench_ws.search.text import render
from nasbench_ws.tables.table import load


def refused(call):
    with pytest.raises(UsageError) as caught:
        call()
    return str(caught.value)


@pytest.fixture(scope="module")
def limited():
    cheap = float(np.quantile(oracle().macs, 0.3))
    return oracle(limit=cheap)


def test_a_choice_is_within_the_limit_and_regret_against_the_best_that_is(limited):
    result = search("random-without", limited, repetitions=20)
    chosen = result.incumbent[result.incumbent >= 0]
    assert (limited.macs[chosen] <= limited.rules.limit).all()
    assert result.header["best"] == limited.truth[limited.allowed].max() < limited.truth.max()
    free = search("random-without", oracle(), repetitions=20)
    assert (result.child == free.child).all()  # dearer ones are trained as ever, and paid for
    for row in range(20):
        for k in range(1, 65):
            seen = [
                (s, c) for s, c in zip(result.signal[row, :k], result.child[row, :k], strict=True) if limited.allowed[c]
            ]
            assert result.incumbent[row, k - 1] == (max(seen)[1] if seen else -1)
    start = result.header["best"] - limited.truth[limited.allowed].mean()
    np.testing.assert_allclose(steps(result)[1][:, 0], start)
    assert (result.header["rules"]["limit"], "limit" in free.header["rules"]) == (limited.rules.limit, False)


def test_a_searchers_own_choice_beyond_the_limit_is_nobodys(limited):
    dear = int(np.argmax(limited.macs))

    class Dear:
        name = "dear"

        def __init__(self, setting, rng):
            assert setting.limit == limited.rules.limit
            self.child = -1

        def ask(self):
            self.child += 1
            return self.child % 64

        def tell(self, trial, ask, seen):
            pass

        def incumbent(self):
            return dear

    chosen = [search(make, limited, repetitions=2).incumbent.tolist() for make in (Dear, "enumerate")]
    assert chosen[0] == chosen[1]


def test_figures_are_of_what_may_be_chosen(limited):
    baseline, re = (search(name, limited, repetitions=20) for name in ("random-without", "re"))
    comparison = compare([re], baseline)
    (row,) = comparison.rows
    assert 1 <= row.rank <= limited.allowed.sum()
    assert row.best_child == np.mean(re.incumbent[:, -1] == np.argmax(np.where(limited.allowed, limited.truth, 0)))
    lines = exhaustive(limited)
    assert lines["exhaustive, one seed each"] == pytest.approx(regret(limited, 64))
    ends = search("random-without", limited, repetitions=100).regret[:, -1]
    assert lines["exhaustive, one seed each"] == pytest.approx(ends.mean(), abs=4 * ends.std() / 10)
    assert not possible(limited, 10)  # nothing may have been chosen by then
    count = int(limited.allowed.sum())
    text = render(comparison, [re], lines)
    assert children_of(re) == f"64; {count} within the limit"
    assert f"choices of at most {limited.rules.limit:.4g} multiply-adds ({count} networks)" in text


def test_limits_that_are_none():
    table = load("fashion14")
    assert refused(lambda: Oracle.of(table, Rules(limit=5))) == (
        "no child of fashion14 has at most 5 multiply-adds; they have 76,992 to 1,008,384"
    )
    assert refused(lambda: Rules(limit=0)) == (
        "a limit of 0 multiply-adds leaves no child; give a positive number, or none"
    )
    assert refused(lambda: Oracle.of(load("nasbench201-cifar10"), Rules(limit=1e6))) == (
        "nasbench201-cifar10 does not know its multiply-adds, so that they have no limit; leave it out"
    )
    assert refused(lambda: search("re", table, budget=0.05)) == (
        "a budget of 0.05 evaluations buys nothing on fashion14, where the cheapest training takes 0.1; give more"
    )


def test_the_hypervolume_is_the_area_that_is_dominated():
    assert hypervolume([0.9], [1.0], (0.8, 3.0)) == pytest.approx(0.1 * 2)
    assert hypervolume([0.9, 0.95, 0.94, 0.7, 0.99], [1, 2, 2.5, 0.5, 4], (0.8, 3.0)) == pytest.approx(0.1 + 0.15)
    assert hypervolume([], [], (0.8, 3.0)) == 0
    rng = np.random.default_rng(0)
    value, cost = rng.random(12), rng.random(12)
    points = rng.random((200_000, 2))  # by chance
    hit = ((points[:, None, 0] < value) & (points[:, None, 1] > cost)).any(axis=1)
    assert hypervolume(value, cost, (0, 1)) == pytest.approx(hit.mean(), abs=0.005)
    beaten = [
        any(
            (v >= value[i] and c <= cost[i]) and (v > value[i] or c < cost[i]) for v, c in zip(value, cost, strict=True)
        )
        for i in range(12)
    ]
    assert sorted(front(value, cost)) == [i for i in range(12) if not beaten[i]]
    assert hypervolume(value[front(value, cost)], cost[front(value, cost)], (0, 1)) == hypervolume(value, cost, (0, 1))
    assert front(np.array([1.0, 1.0, 2.0]), np.array([1.0, 1.0, 1.0])).tolist() == [2]


def test_a_search_that_sees_everything_reaches_all_and_one_child_what_it_dominates():
    world = oracle(noise="mean")
    world.shown["signal"][:, :, -1] = world.truth[:, None]  # what is seen is what is true
    assert reached(search("random-without", world, repetitions=2)).tolist() == pytest.approx([1, 1])
    one = search("random-without", oracle(noise="mean", budget=1.0), repetitions=3)
    reference = float(world.truth.min()), float(world.macs.max())
    whole = hypervolume(world.truth, world.macs, reference)
    expected = [(world.truth[c] - reference[0]) * (reference[1] - world.macs[c]) / whole for c in one.child[:, 0]]
    assert reached(one).tolist() == pytest.approx(expected)
    assert (reached(search("asha", oracle(budget=0.75), repetitions=2)) == 0).all()  # nothing was trained in full


def test_a_price_in_the_reward_reaches_more_of_the_front_than_being_cheap_alone():
    world = oracle()
    many = {name: search(name, world, repetitions=40) for name in ("random-without", "re", "enumerate")}
    rows = {row.name: row for row in compare(list(many.values()), many["random-without"]).rows}
    assert rows["random-without"].front_verdict == "not distinguishable"
    assert rows["random-without"].front_p == 1
    for name, result in many.items():
        assert rows[name].front.mean == pytest.approx(reached(result).mean())
        assert rows[name].front_difference == pytest.approx((reached(result) - reached(many["random-without"])).mean())
    assert rows["re"].front_verdict in ("worse", "not distinguishable")  # it sees half of the children


@pytest.fixture(scope="module")
def topology():
    return Oracle.of(load("fashion14-topology"), Rules(budget=30.0))


def test_networks_of_several_names_are_met_counted_and_ranked_once(topology):
    firsts = np.array(topology.first)
    baseline, re = (search(name, topology, repetitions=20) for name in ("random-without", "re"))
    assert re.networks.tolist() == firsts.tolist()
    assert re.candidates.sum() == 99
    assert (firsts[re.incumbent[re.incumbent >= 0]] == re.incumbent[re.incumbent >= 0]).all()
    (row,) = compare([re], baseline).rows
    assert row.distinct == np.mean([len({firsts[c] for c in children}) for children in re.child.tolist()])
    order = sorted(set(firsts.tolist()), key=lambda child: -topology.truth[child])
    assert row.rank == np.mean([1 + order.index(child) for child in re.incumbent[:, -1].tolist()])
    assert steps(re)[1][0, 0] == pytest.approx(topology.best - topology.truth.mean())  # names are what is drawn
    assert children_of(re) == "729 names of 99 networks, each of which is met, counted and ranked once"


def test_exhaustive_search_visits_each_network_once(topology):
    lines = exhaustive(topology)
    assert not possible(topology, 30)  # random search meets networks in proportion to their names
    firsts = [child for child in range(729) if topology.first[child] == child]
    rng, ends = np.random.default_rng(0), []
    for _ in range(3000):
        runs = rng.integers(7, size=99)
        shown = topology.shown["signal"][firsts, runs, -1]
        best = int(np.argmax(shown))
        others = [run for run in range(7) if run != runs[best]]
        ends.append(topology.best - topology.test[firsts[best], others].mean())
    error = np.std(ends) / np.sqrt(len(ends))
    assert lines["exhaustive, one seed each"] == pytest.approx(np.mean(ends), abs=4 * error)
    assert lines["exhaustive, one seed each, median"] == pytest.approx(np.median(ends), abs=0.002)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("re:0", "re[:P[:S]]: 0 must be at least 1"),
        ("re:1000000", "re[:P[:S]]: 1000000 must be at most 10,000"),
        ("large-scale:1", "large-scale[:P]: 1 must be at least 2"),
        ("asha:1", "asha[:ETA]: 1 must be above 1, such as 3: one of so many is promoted"),
        ("hyperband:inf", "hyperband[:ETA]: inf must be a finite number"),
        ("pbt:4:7", "pbt[:P[:PART]]: 7 must be above 0 and at most 1: it is a part"),
        ("reinforce:rms", "reinforce[:adam|sgd[:RATE]]: 'rms' must be one of adam, sgd"),
        ("reinforce:adam:0", "reinforce[:adam|sgd[:RATE]]: 0 must be above 0"),
        ("metaqnn:x", "metaqnn[:authors]: 'x' must be one of authors, mean"),
        ("mnas:-3", "mnas[:TARGET[:soft|hard|abs[:W]]]: -3 must be at least 0"),
        ("then:params:0", "then:RANKER:K: 0 must be at least 1"),
    ],
)
def test_arguments_that_have_no_meaning_are_refused_before_anything_is_run(name, text):
    from nasbench_ws.errors import SearcherError
    from nasbench_ws.search.names import resolve_searcher

    with pytest.raises(SearcherError) as caught:
        resolve_searcher(name)
    assert str(caught.value) == f"searcher {name!r} is not written like {text}"
