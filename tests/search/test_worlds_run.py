"""The loop: budgets, seeds, incumbents, faults, resuming, workers."""

from __future__ import annotations

import json
import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from small import oracle

from nasbench_ws.errors import ResultError, SearcherError, UsageError
from nasbench_ws.search import BUILT_IN, Ask, Oracle, Rules, SearchResult, World, repetition, search
from nasbench_ws.tables.table import load


class Fixed:
    """Asks for what it is given, then is done."""

    asks: tuple = ()

    def __init__(self, setting, rng):
        self._next = iter(self.asks)

    def ask(self):
        return next(self._next, None)

    def tell(self, trial, ask, seen):
        pass


def fixed(*asks):
    return type("Fixed", (Fixed,), {"asks": asks, "name": "fixed"})


def test_all_searchers_meet_the_same_worlds():
    one, other = (search(name, oracle(), repetitions=3) for name in ("random-without", "enumerate"))
    for r in range(3):
        first = dict(zip(one.child[r].tolist(), one.signal[r].tolist(), strict=True))
        assert first == dict(zip(other.child[r].tolist(), other.signal[r].tolist(), strict=True))


@pytest.mark.parametrize("unit", ["evaluations", "epochs", "macs", "seconds"])
@pytest.mark.parametrize("name", ["random", "re", "asha"])
def test_a_budget_is_never_exceeded(unit, name):
    world = oracle(unit=unit)
    result = search(name, world, repetitions=4)
    costs = np.where(result.child >= 0, result.cost, 0.0)
    assert (costs.max(axis=1) <= result.budget * (1 + 1e-9)).all()
    assert (costs.max(axis=1) >= result.budget - world.cost.max()).all()
    assert all((np.diff(row[row < np.inf]) > 0).all() for row in result.cost)


def test_the_same_seed_gives_the_same_bits_and_another_another():
    one, again = (search("re", oracle(), repetitions=4) for _ in range(2))
    assert one.same(again)
    assert not one.same(search("re", oracle(), repetitions=4, first_seed=1))
    assert one.only([2, 3]).same(search("re", oracle(), repetitions=2, first_seed=2))


def test_the_incumbent_is_the_best_observation_or_the_best_mean():
    world = oracle()
    signal = lambda c, w: w(c).signal  # noqa: E731
    result = search(fixed(3, 5, 3, 5, 7), world, repetitions=6)
    for r in range(6):
        w = World(world, r)
        shown = [signal(c, w) for c in (3, 5, 3, 5, 7)]
        assert result.signal[r].tolist() == shown
        best = [(3, 5, 3, 5, 7)[int(np.argmax(shown[: k + 1]))] for k in range(5)]
        assert result.incumbent[r].tolist() == best
    by_mean = search(fixed(3, 5, 3, 5, 7), oracle(incumbent="mean"), repetitions=6)
    shown = by_mean.signal
    prior = shown.mean(axis=1)
    means = {
        3: (shown[:, 0] + shown[:, 2] + prior) / 3,
        5: (shown[:, 1] + shown[:, 3] + prior) / 3,
        7: (shown[:, 4] + prior) / 2,
    }
    chosen = [max(means, key=lambda c, r=r: means[c][r]) for r in range(6)]
    assert by_mean.incumbent[:, -1].tolist() == chosen


def test_regret_is_judged_on_what_was_not_shown():
    world = oracle(runs=3)
    result = search(fixed(3, 3), world, repetitions=5)
    for r in range(5):
        w = World(world, r)
        for k in range(2):
            w(3)
            assert result.regret[r, k] == np.nanmax(world.truth) - w.truth(3)
    assert (result.regret[:, 0] != result.regret[:, 1]).all()


def test_a_searcher_of_ones_own_may_name_children_in_any_way():
    space = oracle().space
    result = search(fixed("434", 59, space.architecture("434"), Ask(59)), oracle(), repetitions=1)
    assert result.child.tolist() == [[59, 59, 59, 59]]


def test_its_own_choice_is_respected():
    class Own(fixed(1, 2, 3)):
        def incumbent(self):
            return 60

    assert search(Own, oracle(), repetitions=2).incumbent.tolist() == [[60] * 3] * 2


def test_cached_answers_are_free_and_a_searcher_that_goes_in_circles_ends():
    result = search("random", oracle(repeats="cached"), repetitions=2)
    assert (result.trials == 64).all()  # each child paid once
    assert (result.free > 100).all()

    class Circles(Fixed):
        def ask(self):
            return 5

    assert search(Circles, oracle(repeats="cached"), repetitions=1).trials.tolist() == [1]


def test_a_searcher_that_never_asks_trains_nothing():
    with pytest.raises(SearcherError) as caught:
        search(fixed(), oracle(), repetitions=1)
    assert str(caught.value) == "searcher 'fixed' trains nothing; ask() must return a child while there is budget"


def test_what_a_searcher_raises_is_the_cause():
    class Broken(Fixed):
        def tell(self, trial, ask, seen):
            raise KeyError("gone")

        asks = (1,)

    with pytest.raises(SearcherError) as caught:
        search(Broken, oracle(), repetitions=1)
    name = Broken.__qualname__
    assert str(caught.value) == f"searcher {name!r} raised when it was told in repetition 0: KeyError: 'gone'"
    assert isinstance(caught.value.__cause__, KeyError)
    with pytest.raises(SearcherError) as caught:
        search(fixed("999"), oracle(), repetitions=1)
    assert str(caught.value).startswith("searcher 'fixed' asked for what is no child: deeper64 has no child '999'")
    with pytest.raises(UsageError) as caught:
        search("re", oracle(), repetitions=0)
    assert str(caught.value) == "repetitions=0: at least 1 is needed, and 500 to tell searchers apart"
    with pytest.raises(UsageError) as caught:
        search("re", oracle(), unit="macs")
    assert str(caught.value) == "an Oracle has its rules; give unit to Oracle.of instead"


@pytest.mark.parametrize("place", ["ask", "tell", "incumbent", "__init__"])
def test_a_call_that_does_not_come_back_is_ended(place, monkeypatch):
    def loop(self, *arguments):
        while True:
            pass

    monkeypatch.setattr(repetition, "PATIENCE", 0.05)
    stuck = type("Stuck", (Fixed,), {"asks": (1,), "name": "stuck", place: loop})
    with pytest.raises(SearcherError) as caught:
        search(stuck, oracle(), repetitions=1)
    assert str(caught.value) == (
        "searcher 'stuck' has not come back for 0.05 s from one call; look for a loop that never ends in its ask, tell "
        "or incumbent"
    )
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL
    assert len(search("random", oracle(), repetitions=3)) == 3  # which take longer than one call may


def test_workers_give_the_same_bits_and_what_cannot_be_sent_says_so():
    here = search("re", oracle(), repetitions=60)
    assert here.same(search("re", oracle(), repetitions=60, workers=2))
    with ThreadPoolExecutor(2) as executor:
        assert here.same(search("re", oracle(), repetitions=60, executor=executor))

    class Local(Fixed):
        pass

    with pytest.raises(SearcherError, match=r"cannot be sent to worker processes .*; put it into a file and give its "):
        search(Local, oracle(), repetitions=2, workers=2)


def test_a_search_goes_on_where_it_was_interrupted(tmp_path, monkeypatch):
    from nasbench_ws.search import run

    path = tmp_path / "re.npz"
    whole = search("re", oracle(), repetitions=120)
    real, ran = run._run, []

    def interrupted(make, oracles, numbers, shared, on_step):
        if len(ran) == 1:
            raise KeyboardInterrupt
        ran.append(numbers)
        return real(make, oracles, numbers, shared, on_step)

    monkeypatch.setattr(run, "_run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        search("re", oracle(), repetitions=120, out=path)
    assert SearchResult.load(path).repetitions.tolist() == list(range(50))

    def counted(make, oracles, numbers, shared, on_step):
        ran.append(numbers)
        return real(make, oracles, numbers, shared, on_step)

    ran.clear()
    monkeypatch.setattr(run, "_run", counted)
    assert search("re", oracle(), repetitions=120, out=path).same(whole)
    assert [n for numbers in ran for n in numbers] == list(range(50, 120))
    assert SearchResult.load(path).same(whole)
    ran.clear()
    assert len(search("re", oracle(), repetitions=7, out=path)) == 7
    assert not ran
    with pytest.raises(ResultError) as caught:
        search("re", oracle(budget=10.0), repetitions=7, out=path)
    assert str(caught.value) == (
        f"what {path} holds and what is asked for are not of one search: budget 64.0, not 10.0, rules.budget None, "
        "not 10.0; name another file, or delete this one"
    )


def test_what_is_kept_of_other_code_is_not_gone_on_with(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = "class Mine:\n    def __init__(self, setting, rng):\n        pass\n    def ask(self):\n        return {}\n" \
        "    def tell(self, trial, ask, seen):\n        pass\n"  # fmt: skip
    for child in (3, 4):
        (tmp_path / "my.py").write_text(own.format(child))
        if child == 3:
            before = search("my.py:Mine", oracle(), repetitions=2, out="mine.npz")
            assert search("my.py:Mine", oracle(), repetitions=2, out="mine.npz").same(before)
            continue
        with pytest.raises(ResultError, match=r"^what mine.npz holds and what is asked for are not .*: code "):
            search("my.py:Mine", oracle(), repetitions=2, out="mine.npz")
    assert "code" not in search("re", oracle(), repetitions=1).header
    assert "code" not in search("then:params:3", oracle(), repetitions=1).header
    assert len(search("then:shuffle:3", load("fashion14"), unit="macs", repetitions=1).header["code"]) == 64


def test_a_file_is_whole_or_says_what_is_wrong(tmp_path):
    result, path = search("random", oracle(holes=0.2), repetitions=3), tmp_path / "a.npz"
    result.save(path)
    assert SearchResult.load(path).same(result)
    bytes_ = bytearray(path.read_bytes())
    path.write_bytes(bytes_[:-40])
    with pytest.raises(ResultError, match="is not a whole file of a search"):
        SearchResult.load(path)
    other = tmp_path / "b.npz"
    np.savez(other, header=np.frombuffer(json.dumps({"format": "x"}).encode(), np.uint8))
    with pytest.raises(ResultError) as caught:
        SearchResult.load(other)
    assert str(caught.value) == f"{other} is not the file of a search; name another file"
    header = {"format": "nasbench-ws search", "schema_version": 1, "digest": "0"}
    np.savez(other, header=np.frombuffer(json.dumps(header).encode(), np.uint8))
    with pytest.raises(ResultError, match="is damaged: its arrays are not those it states"):
        SearchResult.load(other)


def test_500_repetitions_of_64_trials_are_small_on_disk(tmp_path):
    path = tmp_path / "r.npz"
    search("random", oracle(), repetitions=500).save(path)
    assert path.stat().st_size < 700_000


OTHERS = {"then", "multitask", "optuna", "nevergrad", "smac", "pymoo"}  # need a name, or a library


@pytest.mark.parametrize("name", [name for name in BUILT_IN if name not in OTHERS])
def test_every_searcher_survives_holes_and_other_spaces(name):
    from small import NINE

    for world in (oracle(holes=0.4, budget=40.0), oracle(NINE, points=1, budget=30.0), oracle(unit="macs")):
        result = search(name, world, repetitions=2)
        assert (result.trials >= 10).all()
        assert result.same(search(name, world, repetitions=2))
        assert np.isfinite(result.regret[result.incumbent >= 0]).all()


def test_a_table_makes_an_oracle():
    table = load("fashion14")
    world = Oracle.of(table, Rules(unit="macs"))
    assert world.budget == pytest.approx(64 * 10 * 50_000 * 3 * table.column("macs").mean())
    assert world.evaluation == pytest.approx(world.evaluation_macs)
