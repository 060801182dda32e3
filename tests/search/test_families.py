"""What each searcher does, seen from outside: who is asked for after what was told."""

from __future__ import annotations

import math
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from small import NINE, oracle

from nasbench_ws.errors import ResultError, SearcherError, UsageError
from nasbench_ws.results.result import Result
from nasbench_ws.search import Oracle, Rules, SearchResult, search
from nasbench_ws.search.compare import area, compare
from nasbench_ws.search.halving import rungs
from nasbench_ws.search.lstm import Controller, log_softmax
from nasbench_ws.search.moves import moves_of
from nasbench_ws.search.names import resolve_searcher
from nasbench_ws.search.repetition import setting_of
from nasbench_ws.search.supernet import supernet_oracle
from nasbench_ws.search.text import render
from nasbench_ws.search.then import ranking_file
from nasbench_ws.space.cell import Space
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.tables.table import load


def test_moves_are_those_of_the_space():
    moves, rng = moves_of(DEEPER64), np.random.default_rng(0)
    for child in range(64):
        arch = DEEPER64[child]
        assert moves.neighbours(child) == [other.index for other in arch.neighbours()]
        assert moves.choices[child].tolist() == list(arch.choices)
        assert moves.index(list(arch.choices)) == child
        assert moves.indicators[child].reshape(3, 4).argmax(axis=1).tolist() == list(arch.choices)
    counts = np.bincount([moves.mutate(17, rng) for _ in range(9000)], minlength=64)
    assert set(np.flatnonzero(counts)) == set(moves.neighbours(17))
    assert (abs(counts[counts > 0] - 1000) < 150).all()


def test_the_oldest_dies():
    """After P further trials nothing of the first P can be a parent: every child is one step from a younger one."""
    result = search("re:5:5", oracle(), repetitions=5)
    moves = moves_of(DEEPER64)
    for row in result.child.tolist():
        for k in range(5, 64):
            assert any(row[k] in moves.neighbours(parent) for parent in row[k - 5 : k])


def test_local_search_moves_to_the_first_better_neighbour():
    result = search("local", oracle(noise="mean"), repetitions=5)
    moves = moves_of(DEEPER64)
    for children, signals in zip(result.child.tolist(), result.signal.tolist(), strict=True):
        left: set = set()
        value = -np.inf
        for child, signal in zip(children, signals, strict=True):
            if left:
                assert child in left
                left.discard(child)
                if signal <= value:
                    continue
            value, left = signal, set(moves.neighbours(child))  # moved, or began again


def test_rungs():
    assert rungs(tuple(range(1, 11)), 3) == [1, 3, 10]
    assert rungs(tuple(range(1, 11)), 4) == [1, 4, 10]
    assert rungs((4.0, 12.0, 200.0), 3) == [4.0, 12.0, 200.0]
    assert rungs((200.0,), 3) == [200.0]
    with pytest.raises(SearcherError) as caught:
        rungs((1.0, 2.0), 1.0)
    assert str(caught.value) == "eta is 1: one of so many is promoted, so that it must be above 1, such as 3"


@pytest.mark.parametrize("name", ["asha", "hyperband", "successive-halving", "pbt"])
def test_what_is_carried_on_pays_the_difference(name):
    result = search(name, oracle(points=10, unit="epochs", budget=200.0), repetitions=4)
    for row in range(4):
        count = result.trials[row]
        paid = np.diff(result.cost[row, :count], prepend=0.0)
        per_child: dict = {}
        for child, run, point, cost in zip(
            result.child[row, :count].tolist(), result.run[row, :count].tolist(),
            result.point[row, :count].tolist(), paid.tolist(), strict=True,
        ):  # fmt: skip
            before = per_child.get((child, run), 0)
            assert cost == pytest.approx(point + 1) or cost == pytest.approx(point + 1 - before)
            per_child[child, run] = point + 1


def test_halving_promotes_the_best_third():
    world = oracle(points=9, unit="epochs", budget=9 + 2 * 9.0, noise="mean")
    result = search("successive-halving", world, repetitions=3)
    for children, points, signals in zip(result.child, result.point, result.signal, strict=True):
        first = points[:9] == 0
        assert first.all()
        best = sorted(range(9), key=lambda i: -signals[i])[:3]
        assert sorted(children[9:12].tolist()) == sorted(children[best].tolist())
        assert (points[9:12] == 2).all()


@pytest.mark.parametrize("layers", [1, 2])
def test_the_controllers_gradient_is_the_difference_quotient(layers):
    rng = np.random.default_rng(0)
    net = Controller(3, 4, layers, 5, rng, 0.5)
    choices = rng.integers(4, size=(6, 3))
    weight = rng.normal(size=(6, 3, 4))
    gradients = net.backward(np.zeros((6, 3, 4)) * net.forward(choices) + weight)
    for w, g in zip(net.weights, gradients, strict=True):
        for place in rng.integers(w.size, size=8):
            numbers = []
            for sign in (1, -1):
                w.flat[place] += sign * 1e-6
                numbers.append((net.forward(choices) * weight).sum())
                w.flat[place] -= sign * 1e-6
            assert (numbers[0] - numbers[1]) / 2e-6 == pytest.approx(g.flat[place], abs=1e-6)


def test_a_controller_samples_from_its_own_softmax():
    net = Controller(2, 3, 1, 8, np.random.default_rng(1), 2.0)
    drawn = net.sample(20_000)
    first = np.exp(log_softmax(net.forward(drawn)[0, 0]))
    np.testing.assert_allclose(np.bincount(drawn[:, 0], minlength=3) / 20_000, first, atol=0.015)
    after = drawn[drawn[:, 0] == 1]
    second = np.exp(log_softmax(net.forward(after)[0, 1]))
    np.testing.assert_allclose(np.bincount(after[:, 1], minlength=3) / len(after), second, atol=0.03)


def test_controllers_learn_when_their_rate_allows_it():
    world = oracle(noise="mean", budget=1000.0)
    moves = moves_of(DEEPER64)
    good = int(np.argmax(world.valid))
    world.shown["signal"][:] = (moves.choices == moves.choices[good]).sum(axis=1)[:, None, None] / 3.0
    for name in ("nas-rl:0.02", "nasnet:0.02"):
        result = search(name, world, repetitions=2)
        early, late = result.signal[:, :100].mean(), result.signal[:, -100:].mean()
        assert late > early + 0.3, name


def test_mnas_keeps_to_its_target():
    world = oracle()
    cheap = float(np.quantile(world.macs, 0.1))
    hard = search(f"mnas:{cheap}:hard", world, repetitions=20)
    free = search("reinforce", world, repetitions=20)
    price = [world.macs[r.incumbent[:, -1]].mean() for r in (hard, free)]
    assert price[0] < price[1]


def test_pnas_begins_with_the_small_and_goes_up():
    result = search("pnas:4", oracle(), repetitions=3)
    size = (moves_of(DEEPER64).choices > 0).sum(axis=1)
    for row in result.child.tolist():
        assert sorted(row[:10]) == sorted(np.flatnonzero(size <= 1).tolist())
        assert size[row[10:14]].tolist() == [2] * 4
        assert size[row[14:18]].tolist() == [3] * 4
        assert sorted(row) == list(range(64))


def test_champions_are_challenged_by_their_mutants():
    result = search("ctr", oracle(noise="mean"), repetitions=3)
    moves = moves_of(DEEPER64)
    for children, incumbents in zip(result.child.tolist(), result.incumbent.tolist(), strict=True):
        assert all(child in moves.neighbours(before) for child, before in zip(children[1:], incumbents, strict=False))


def test_re_evaluation_spends_the_last_third_on_five_and_takes_the_best_mean():
    result = search("re-evaluate", oracle(), repetitions=5)
    for children, signals, incumbents in zip(result.child, result.signal, result.incumbent, strict=True):
        last = children[43:]
        assert len(set(last.tolist())) == 5
        means = {child: signals[children == child].mean() for child in last.tolist()}
        assert incumbents[-1] == max(means, key=means.get)


def test_then_trains_the_best_of_a_ranking():
    world = oracle()
    result = search("then:params:3", world, repetitions=4)
    top = set(np.argsort(-world.params)[:3].tolist())
    assert all(set(row) == top for row in result.child.tolist())


def shipped_result(name):
    return Result.load(Path(str(files("nasbench_ws.data"))) / "results" / f"{name}.json")


@pytest.fixture(scope="module")
def shipped():
    from nasbench_ws.search.then import rankings

    table = load("fashion14")
    rankings("shuffle", table.space)
    return table


def test_a_super_nets_training_comes_first(shipped):
    world = Oracle.of(shipped, Rules(unit="macs"))
    result = search("then:shuffle:8", world, repetitions=10)
    assert (result.run[:, 0] == -1).all()
    assert (result.point[:, 0] == -1).all()
    scoring = 10_000 * shipped.column("macs").sum()  # a look at every child, as a search on the super-net pays too
    np.testing.assert_allclose(result.cost[:, 0], 671_190_220_800 + scoring)
    assert (result.incumbent[:, 0] == result.child[:, 0]).all()
    assert (result.trials > 8).all()


def test_repetitions_that_share_super_nets_are_a_sample_of_these(shipped, tmp_path):
    world = Oracle.of(shipped, Rules(unit="macs", budget=4e12))
    then, plain = (search(name, world, repetitions=40) for name in ("then:private-bn:4", "random-without"))
    assert sorted(set(then.instance.tolist())) == list(range(10))
    assert (plain.instance == -1).all()
    rows = {row.name: row for row in compare([then, plain], plain).rows}
    assert (rows[then.name].instances, rows[plain.name].instances) == (10, 0)
    each = np.array([[one[then.instance == i].mean() for i in range(10)] for one in map(area, (then, plain))])
    ratios = each[0] / each[1]
    low, high = stats.t.interval(0.95, 9, ratios.mean(), stats.sem(ratios))
    assert (rows[then.name].anytime.low, rows[then.name].anytime.high) == (pytest.approx(low), pytest.approx(high))
    ps = [stats.ttest_1samp(each[0] - each[1], 0).pvalue, 1.0]
    assert rows[then.name].anytime_p == pytest.approx(min(1, 2 * ps[0]))  # of two
    text = render(compare([then], plain), [then], {})
    assert "then:private-bn:4: its repetitions share 10 super-nets, which its intervals and tests are over" in text
    alone = then.only(np.flatnonzero(then.instance == 2))
    (row,) = compare([alone], plain).rows
    assert (row.anytime_verdict, math.isnan(row.anytime.low)) == ("not distinguishable", True)
    for result in (then, plain):  # a file of searches that share nothing is as it was before there were instances
        result.save(tmp_path / "one.npz")
        assert ("instance" in np.load(tmp_path / "one.npz").files) is (result is then)
        assert SearchResult.load(tmp_path / "one.npz").same(result)


def test_a_ranking_looks_at_each_network_once():
    table = load("fashion14-topology")
    result = search("then:topology729/shuffle:4", table, unit="macs", repetitions=2)
    scoring = (10_000 + 1024) * table.column("macs")[table.firsts].sum()  # recalibrated on 1,024 images first
    np.testing.assert_allclose(result.cost[:, 0], 456_789_417_984 + scoring)
    first = table.column("isomorph")
    assert all(len({first[child] for child in children[1:5]}) == 4 for children in result.child.tolist())
    assert (first[result.child[:, 5]] == first[result.child[:, 1]]).all()


def test_search_on_a_super_net_pays_for_it_and_sees_one_instance(shipped):
    full = shipped_result("shuffle")
    world = supernet_oracle(full, shipped, Rules(unit="macs", budget=2e12))
    result = search("spos", world, repetitions=6)
    for r in range(6):
        count = result.trials[r]
        shown = result.signal[r, :count]
        np.testing.assert_array_equal(shown, full.scores[r % len(full.scores)][result.child[r, :count]])
        first = full.outcome.cost.macs + 10_000 * shipped.column("macs")[result.child[r, 0]]
        assert result.cost[r, 0] == pytest.approx(first)


def test_a_search_takes_no_super_net_of_other_children_or_networks(shipped, tmp_path):
    """A space may have the name, and the operations in another order: as many children, and others by position."""
    full = shipped_result("shuffle")
    turned_round = Space(DEEPER64.name, DEEPER64.nodes, DEEPER64.operations[::-1])
    text = (
        "the scores of full are of 64 children, and those of {} are others; measure it against a table of the same "
        "space"
    )
    for space in (turned_round, NINE):
        with pytest.raises(ResultError) as caught:
            supernet_oracle(full, type("T", (), {"name": "other", "space": space}))  # type: ignore[arg-type]
        assert str(caught.value) == text.format("other")
        with pytest.raises(ResultError) as caught:
            search("then:shuffle:3", oracle(space), repetitions=2)
        assert str(caught.value) == text.format(space.name)
    wider = replace(full, outcome=replace(full.outcome, recipe={**full.outcome.recipe, "channels": 16}))
    with pytest.raises(UsageError) as caught:
        supernet_oracle(wider, shipped)
    assert str(caught.value) == "full is of other channels than fashion14; give a result of this table"
    nothing = replace(full, outcome=replace(full.outcome, scores={
        mode: np.full_like(scores, np.nan) for mode, scores in full.outcome.scores.items()
    }))  # fmt: skip
    with pytest.raises(UsageError) as caught:
        supernet_oracle(nothing, shipped)
    assert str(caught.value) == "full ranks nothing: every instance diverged; take another result"


def test_names_say_how_they_are_written():
    for name, text in {
        "re:x": "searcher 're:x' is not written like re[:P[:S]]",
        "re:1:2:3": "searcher 're:1:2:3' is not written like re[:P[:S]]",
        "then:params": "searcher 'then:params' is not written like then:RANKER:K",
    }.items():
        with pytest.raises(SearcherError) as caught:
            resolve_searcher(name)
        assert str(caught.value) == text
    with pytest.raises(SearcherError, match=r"unknown searcher 'rnadom' \(did you mean random"):
        resolve_searcher("rnadom")
    with pytest.raises(SearcherError, match=r"there is no ranking 'shufle' \(did you mean shuffle"):
        search("then:shufle:3", oracle(), repetitions=1)
    assert ranking_file("full-39200") == Path(str(files("nasbench_ws.data"))) / "longer/full-39200.json"


def test_a_users_own_by_file_module_and_entry_point(tmp_path, monkeypatch):
    (tmp_path / "my_searchers.py").write_text(
        "class Mine:\n"
        "    def __init__(self, setting, rng):\n"
        "        self.children, self.rng = len(setting.space), rng\n"
        "    def ask(self):\n"
        "        return int(self.rng.integers(self.children))\n"
        "    def tell(self, trial, ask, seen):\n"
        "        pass\n"
        "NUMBER = 3\n"
    )
    info = tmp_path / "searchers-1.0.dist-info"  # as pip leaves it
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: searchers\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[nasbench_ws.searchers]\ninstalled-mine = my_searchers:Mine\n")
    monkeypatch.chdir(tmp_path)
    assert (search("my_searchers.py:Mine", oracle(), repetitions=60, workers=2).trials == 64).all()
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("my_searchers:Mine", "installed-mine"):
        assert (search(name, oracle(), repetitions=2).trials == 64).all()
    with pytest.raises(SearcherError) as caught:
        resolve_searcher("my_searchers.py:NUMBER")
    assert str(caught.value) == (
        "searcher 'my_searchers.py:NUMBER' is of type int; name a class, or a function, of (setting, rng)"
    )


def test_a_setting_tells_what_is_known_without_training():
    world = oracle(unit="macs")
    setting = setting_of(world)
    assert setting.evaluations == pytest.approx(64)
    assert setting.epochs == (1.0, 2.0, 3.0, 4.0)
    assert setting.macs is world.macs
