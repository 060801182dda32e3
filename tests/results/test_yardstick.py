"""What is kept of a table is what is computed of it, and is computed anew where what it depends on differs."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from nasbench_ws import load
from nasbench_ws.json_files import read_record, write_record
from nasbench_ws.results import kept as module
from nasbench_ws.results import yardstick
from nasbench_ws.results.assessment import Figure
from nasbench_ws.results.effort import Effort, drawing
from nasbench_ws.results.kept import FORMAT, as_json, kept, place
from nasbench_ws.results.truth import Among, Without, once
from nasbench_ws.results.yardstick import identity, measure_table
from nasbench_ws.tables.table import shipped

FIGURE = Figure(0.1 + 0.2, math.nan, (math.nan, 0.5), 3, 0.95, "a method", None)


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """A cache of its own: ask(what) gives what is kept, and ask.calls how often it was computed."""
    monkeypatch.setenv("NASBENCH_WS_CACHE", str(tmp_path))

    def call(name: str = "0" * 64, made: Any = FIGURE) -> Any:
        def make():
            call.calls += 1
            return made

        return kept(name, make, Figure)

    call.calls = 0
    return call


def test_it_is_computed_once_and_read_to_the_last_bit(ask):
    first, second = ask(), ask()
    assert ask.calls == 1
    assert repr(first) == repr(second) == repr(FIGURE)  # NaN is not equal to itself
    assert second.mean == 0.1 + 0.2


def test_another_identity_or_other_code_is_computed_anew(ask, monkeypatch):
    ask()
    ask("1" * 64)
    monkeypatch.setattr(module, "code", lambda: "another version")
    ask()
    assert ask.calls == 3


def broken(path):
    path.write_text("")


def of_another_type(path):
    write_record(path, FORMAT, {"0" * 64: {"mean": "high"}})


def of_another_identity(path):
    write_record(path, FORMAT, {"1" * 64: as_json(FIGURE)})


def altered(path):
    path.write_text(path.read_text().replace("0.30", "0.31"))


def a_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [broken, of_another_type, of_another_identity, altered])
def test_what_is_broken_is_computed_again_and_mended(ask, damage):
    ask()
    damage(place("0" * 64))
    assert repr(ask()) == repr(ask()) == repr(FIGURE)
    assert ask.calls == 2


def test_a_cache_that_cannot_be_written_is_no_error(ask, monkeypatch, tmp_path):
    ask()
    a_folder(place("0" * 64))
    ask()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NASBENCH_WS_CACHE", str(tmp_path / "file"))
    ask()
    assert ask.calls == 3


def test_what_json_cannot_hold_is_not_kept(ask):
    """An infinity would be read as NaN."""
    endless = replace(FIGURE, mean=math.inf)
    assert ask(made=endless).mean == ask(made=endless).mean == math.inf
    assert ask.calls == 2


def test_the_code_counts(tmp_path, monkeypatch):
    """A file that computes, changed by a byte."""
    package = tmp_path / "nasbench_ws"
    (package / "results").mkdir(parents=True)
    (package / "metrics").mkdir()
    (package / "seeds.py").write_text("")
    (package / "metrics" / "rank.py").write_text("one = 1\n")
    monkeypatch.setattr(module, "__file__", str(package / "results" / "kept.py"))
    before = module.code.__wrapped__()
    (package / "metrics" / "rank.py").write_text("one = 2\n")
    assert module.code.__wrapped__() != before


def test_identities_tell_parts_of_a_table_and_numbers_of_draws_apart(tiny):
    """As many children under one name are not the same children."""
    table = tiny.table
    some = [
        table, Among(table, range(8)), Among(table, range(1, 9)), Among(table, range(9)), Without(table, [0]),
        Without(table, [1]), tiny.remade(tiny.recipe, seed=1),
    ]  # fmt: skip
    names = [identity(one) for one in some]
    assert len(set(names)) == len(names)
    assert identity(tiny.remade(tiny.recipe)) == names[0]
    with drawing(Effort(rankings=20)):
        assert identity(table) not in names
    assert identity(table) == names[0]


def test_parts_of_as_many_children_have_baselines_of_their_own(quick, tiny):
    first, second = (yardstick.yardstick(Among(tiny.table, range(i, i + 8))).baselines["params"] for i in (0, 9))
    assert first["kendall_tau"].mean != second["kendall_tau"].mean


THOUSANDS = [name for name in sorted(shipped()) if name.startswith("nasbench201-")]  # half a minute each


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in THOUSANDS)) for name in sorted(shipped())]
)
def test_what_ships_is_what_is_computed(name):
    """To rounding: it was computed on another machine. `benchmarks/keep_yardsticks.py --write` makes it again."""
    table, there = once(load(name)), read_record(module.shipped(), FORMAT)
    computed = json.loads(json.dumps(as_json(measure_table(table))))
    assert {*there} == {identity(once(load(one))) for one in shipped()}
    assert flat(there[identity(table)]) == pytest.approx(flat(computed), abs=1e-9, nan_ok=True)


def flat(data: Any, name: str = "") -> dict[str, Any]:
    """Every value by its path."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else None
    if items is None:
        return {name: math.nan if data is None else data}
    return {path: value for key, one in items for path, value in flat(one, f"{name}.{key}").items()}


def test_shipped_tables_are_not_computed(monkeypatch, tmp_path):
    monkeypatch.setenv("NASBENCH_WS_CACHE", str(tmp_path))
    monkeypatch.setattr(yardstick, "measure_table", None)  # not to be called
    monkeypatch.setattr(yardstick, "_known", type(yardstick._known)())
    assert yardstick.yardstick(load("fashion14")).baselines["params"]["kendall_tau"].mean > 0.7
    assert not list(tmp_path.iterdir())
