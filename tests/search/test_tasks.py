"""One search of several tables: what is shared, whose turn it is, what is kept; and everyone on all tables at once."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from small import NINE, oracle

from nasbench_ws.errors import ResultError, SearcherError, UsageError
from nasbench_ws.search import Ask, SearchResult, search, search_tables
from nasbench_ws.search.moves import moves_of
from nasbench_ws.search.multitask import Champion, Coevolution, Modules
from nasbench_ws.search.repetition import setting_of, together
from nasbench_ws.seeds import derive

BOTH = ["multitask:coevolution", "multitask:ctr"]


def two():
    return [oracle(budget=20.0), dataclasses.replace(oracle(seed=1, budget=20.0), name="other", digest="other")]


def test_all_searchers_on_all_tables_are_what_each_is_alone():
    tables = two()
    found = search_tables(["re", "ctr", *BOTH], tables, 3)
    assert [sorted(of_table) for of_table in found] == [["ctr", "multitask:coevolution", "multitask:ctr", "re"]] * 2
    for table, of_table in zip(tables, found, strict=True):
        assert of_table["re"].same(search("re", table, repetitions=3))
        assert (of_table["multitask:ctr"].cost.max(axis=1) == 20).all()  # each table has the whole of its budget
        assert of_table["multitask:ctr"].header["tasks"] == [["small", "digest 0"], ["other", "other"]]
    sent = search_tables(["re", *BOTH], tables, 3, workers=2)
    assert all(of_table[name].same(found[i][name]) for i, of_table in enumerate(sent) for name in of_table)


def test_on_one_table_the_two_are_what_they_are_without_tasks():
    setting = setting_of(oracle())
    for kind in (Coevolution, Champion):
        (task,) = kind.for_tasks([setting], np.random.default_rng(0))
        plain, world = kind(setting, np.random.default_rng(0)), oracle(noise="mean")
        for _ in range(30):
            asked = plain.ask()
            assert task.ask() == asked
            seen = type("S", (), {"signal": float(world.valid[asked.child])})
            plain.tell(0, asked, seen)
            task.tell(0, asked, seen)


def test_a_module_that_is_good_on_one_table_is_tried_on_the_other():
    """On the first table only the first edge's operation counts; on the second nothing does."""
    tables = two()
    first = moves_of(tables[0].space).choices[:, 0]
    tables[0].shown["signal"][:] = (np.arange(64) // 16 == 2)[:, None, None] * 0.1 + 0.8
    tables[1].shown["signal"][:] = 0.8
    drawn = {name: search_tables([name], tables, 8)[1][name].child for name in ("coevolution", "ctr", *BOTH)}
    good = {name: first[child[:, 6:]] == 2 for name, child in drawn.items()}
    assert good["multitask:coevolution"].mean() > 0.6 > 0.45 > good["coevolution"].mean()
    for name, least, most in (("multitask:ctr", 0.7, 1.0), ("ctr", 0.15, 0.55)):
        champion = first[drawn[name][:, :1]]  # is never beaten
        mutated = (first[drawn[name][:, 6:]] != champion) & (champion != 2)
        assert least <= good[name][mutated].mean() <= most, name


def test_a_task_where_all_is_easy_does_not_make_its_modules_look_good():
    moves = moves_of(NINE)
    modules = Modules(moves, 2)
    for child in range(4):  # the first operation of the first edge was seen on the easy table, and hardly on the other
        modules.hear(0, child, 0.9)
        modules.hear(1, child + 4, 0.5)
    np.testing.assert_allclose(modules.fitness(), 0, atol=1e-12)
    modules.hear(1, 0, 0.7)
    fitness = modules.fitness()
    assert (fitness[:, 0] > fitness[:, 1]).all()


class Ours:
    """A user's own: every table begins with what the others found."""

    def __init__(self, setting, rng, found):
        self.rng, self.size, self.found, self.turn = rng, len(setting.space), found, 0

    @classmethod
    def for_tasks(cls, settings, rng):
        found: list = []
        return [cls(setting, rng, found) for setting in settings]

    def ask(self):
        return int(self.rng.integers(self.size))

    def tell(self, trial, ask, seen):
        self.found.append(ask.child)


def test_a_users_own_has_a_turn_on_each_table_while_there_is_budget(tmp_path, monkeypatch):
    tables = [oracle(budget=3.0), oracle(seed=1, budget=5.0)]
    rows = together(Ours.for_tasks, "mine", tables, 0)
    assert [len(row["child"]) for row in rows] == [3, 5]
    drawn = np.random.default_rng(derive("search", "mine", 0)).integers(64, size=9).tolist()
    assert rows[0]["child"] == drawn[:6:2]  # one generator serves both: they draw in turn, the seventh in vain
    assert rows[1]["child"] == [*drawn[1:6:2], *drawn[7:]]
    (tmp_path / "ours.py").write_text(
        "class Mine:\n"
        "    def __init__(self, setting, rng):\n"
        "        self.n, self.rng = len(setting.space), rng\n"
        "    @classmethod\n"
        "    def for_tasks(cls, settings, rng):\n"
        "        return [cls(s, rng) for s in settings]\n"
        "    def ask(self):\n"
        "        return int(self.rng.integers(self.n))\n"
        "    def tell(self, trial, ask, seen):\n"
        "        pass\n"
        "class One(Mine):\n"
        "    @classmethod\n"
        "    def for_tasks(cls, settings, rng):\n"
        "        return [cls(settings[0], rng)]\n"
    )
    monkeypatch.chdir(tmp_path)
    found = search_tables(["multitask:ours.py:Mine"], tables, 2)
    assert [of_table["multitask:ours.py:Mine"].trials.tolist() for of_table in found] == [[3, 3], [5, 5]]
    with pytest.raises(SearcherError) as caught:
        search_tables(["multitask:ours.py:One"], tables, 2)
    assert str(caught.value) == (
        "searcher 'multitask:ours.py:One' made 1 searchers for 2 tables; return a list of one a table"
    )


def test_what_is_no_search_of_several_tables():
    tables = [oracle(), oracle(NINE)]
    with pytest.raises(UsageError) as caught:
        search_tables(["multitask:ctr"], tables, 1)
    assert str(caught.value) == (
        "multitask:ctr searches all tables at once, and small is of deeper64, small of nine; give tables of one space"
    )
    with pytest.raises(SearcherError) as caught:
        search_tables(["multitask:re"], tables[:1], 1)
    assert str(caught.value) == (
        "re searches one table at a time: it has no for_tasks(settings, rng), which makes a searcher a table; "
        "multitask:coevolution and multitask:ctr search all at once"
    )
    for name in ("multitask", "multitask:", "multitask:multitask:ctr"):
        with pytest.raises(SearcherError, match=r"is not written like multitask:NAME$"):
            search(name, oracle(), repetitions=1)


def test_what_is_kept_of_all_tables_is_gone_on_with(tmp_path):
    tables, name = two(), "multitask:coevolution"
    files = {(name, place): tmp_path / f"{place}.npz" for place in range(2)}
    whole = search_tables([name], tables, 6)
    search_tables([name], tables, 4, files=files)
    half = SearchResult.load(files[name, 1]).only([0, 1])
    half.save(files[name, 1])  # it was interrupted between the two files
    again = search_tables([name], tables, 6, files=files)
    for place in range(2):
        assert again[place][name].same(whole[place][name])
        assert SearchResult.load(files[name, place]).same(whole[place][name])
    with pytest.raises(ResultError, match="are not of one search: tasks"):
        search_tables([name], [*tables, oracle(seed=2, budget=20.0)], 6, files=files)


def test_an_ask_may_name_its_child_in_any_way():
    class Named:
        def __init__(self, setting, rng):
            pass

        def ask(self):
            return Ask("434")

        def tell(self, trial, ask, seen):
            assert ask.child == 59

        def incumbent(self):
            return "434"

    result = search(Named, oracle(budget=2.0), repetitions=1)
    assert (result.child.tolist(), result.incumbent.tolist()) == ([[59, 59]], [[59, 59]])
