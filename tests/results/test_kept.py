"""What is kept of a table is what was computed, and is computed again where anything that it depends on differs."""

from __future__ import annotations

import math

import pytest

from nasbench_ws.results import kept as module
from nasbench_ws.results.assessment import Figure
from nasbench_ws.results.kept import kept, place
from nasbench_ws.results.truth import Without

FIGURE = Figure(0.1 + 0.2, math.nan, (math.nan, 0.5), 3, 0.95, "a method", None)


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """A cache of its own, and how often something was computed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return []


def ask(calls, table, what="figures"):
    def make():
        calls.append(what)
        return {"params": {"kendall_tau": FIGURE}}

    return kept(what, table, make, dict[str, dict[str, Figure]])


def test_it_is_computed_once_and_read_to_the_last_bit(calls, tiny):
    first, second = ask(calls, tiny.table), ask(calls, tiny.table)
    assert len(calls) == 1
    for found in (first, second):
        assert repr(found) == repr({"params": {"kendall_tau": FIGURE}})  # NaN is not equal to itself
        assert found["params"]["kendall_tau"].mean == 0.1 + 0.2


def test_another_name_table_seeds_or_code_is_computed_anew(calls, tiny, monkeypatch):
    ask(calls, tiny.table)
    ask(calls, tiny.table, "others")
    ask(calls, tiny.remade(tiny.recipe, seed=1))
    ask(calls, Without(tiny.table, [0]))
    monkeypatch.setattr(module, "code", lambda: "another version")
    ask(calls, tiny.table)
    assert len(calls) == 5


@pytest.mark.parametrize("damage", [b"", b"\x00", b"no msgpack", b"\x80\x81\x82"])
def test_what_is_broken_is_computed_again(calls, tiny, damage):
    ask(calls, tiny.table)
    place("figures", tiny.table).write_bytes(damage)
    ask(calls, tiny.table)
    ask(calls, tiny.table)
    assert len(calls) == 2


def test_a_cache_that_cannot_be_written_is_no_error(calls, tiny, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert ask(calls, tiny.table)
    assert ask(calls, tiny.table)
    assert len(calls) == 2


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
