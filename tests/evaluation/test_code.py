"""Results keep the source of the user's own strategy, with its digest: bounded, readable, and absent in old files."""

from __future__ import annotations

import hashlib
import linecache
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from nasbench_ws.cli import group
from nasbench_ws.errors import ResultError
from nasbench_ws.evaluation.code import code_of
from nasbench_ws.evaluation.evaluate import evaluate
from nasbench_ws.rankers.plan import Plan
from nasbench_ws.results.join import join
from nasbench_ws.results.outcome import LONGEST_CODE
from nasbench_ws.results.result import Result
from nasbench_ws.sharing.strategies import PLUGINS

SOURCE = '''import door_helper


class Mine:
    """Shares <everything> & more."""

    def key(self, arch, slot):
        return door_helper.NOTHING
'''
CELL = """import functools

@functools.total_ordering
class Typed:
    def __lt__(self, other):
        return True

    def key(self, arch, slot):
        return None
"""


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "door_helper.py").write_text("NOTHING = None\n")
    (tmp_path / "mine.py").write_text(SOURCE)
    return f"{tmp_path / 'mine.py'}:Mine"


def test_a_result_has_the_source_it_measured(mine: str, tiny: Any, quick: None, tmp_path: Path) -> None:
    plan = Plan("mine", tiny.recipe, steps=64, batch_norm=("batch",))
    result = evaluate(mine, tiny.table, plan=plan, instances=1, load=tiny.load)
    code = result.outcome.code
    assert code is not None
    assert (code.name, code.text, code.sha256) == ("mine.py", SOURCE, sha256(SOURCE.encode()))
    assert code.helpers == {"door_helper.py": sha256(b"NOTHING = None\n")}
    assert code.whole
    assert str(tmp_path) not in str(result["code"])  # nobody's folders travel with it
    path = tmp_path / "mine.json"
    result.save(path)
    assert Result.load(path).outcome.code == code
    shown = CliRunner().invoke(group, ["show", str(path)], catch_exceptions=False).output
    assert shown.endswith(SOURCE)
    assert f"source: mine.py, {len(SOURCE)} characters, sha256 {code.sha256}" in shown
    as_json = CliRunner().invoke(group, ["show", str(path), "--json"], catch_exceptions=False).output
    assert f'"sha256": "{code.sha256}"' in as_json
    page = CliRunner().invoke(group, ["report", str(path), "-o", str(tmp_path / "page.html")], catch_exceptions=False)
    assert page.exit_code == 0
    assert "Shares &lt;everything&gt; &amp; more." in (tmp_path / "page.html").read_text()
    edited = replace(result.outcome, code=replace(code, sha256="0" * 64), seeds=(1,))
    with pytest.raises(ResultError) as caught:
        join([result, Result(edited, result.assessment)], tiny.table)
    assert str(caught.value) == (
        f"the code of {result.outcome.strategy} is mine.py with digest {code.sha256[:16]} in one of the results, and "
        "mine.py with 0000000000000000 in another; only instances of one evaluation can be joined"
    )


def test_the_source_of_what_is_typed_in_and_of_what_is_built_in(monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(CELL, "<cell 7>", "exec"), names)
    monkeypatch.setitem(linecache.cache, "<cell 7>", (len(CELL), None, CELL.splitlines(True), "<cell 7>"))
    monkeypatch.setattr("__main__.__file__", None, raising=False)
    code = code_of([names["Typed"]()])
    assert code is not None
    assert (code.name, code.text) == ("Typed", CELL.partition("\n\n")[2])
    monkeypatch.delitem(linecache.cache, "<cell 7>")
    assert code_of([names["Typed"]]) is None
    assert code_of(["full", "groups:similar:4", len]) is None


def test_a_long_source_is_cut_and_a_false_one_refused(make: Callable[..., Result], tmp_path: Path) -> None:
    long = tmp_path / "long.py"
    long.write_text("# \N{GREEK SMALL LETTER TAU}" * LONGEST_CODE + "\ndef key(arch, slot):\n    return None\n")
    PLUGINS.find(f"{long}:key")
    code = code_of([f"{long}:key"])
    assert code is not None
    assert not code.whole
    assert len(code.text) == LONGEST_CODE
    assert code.sha256 == sha256(long.read_bytes())
    result = make(code=code)
    assert Result.from_dict(result.to_dict()) == result
    assert "code" not in make().to_dict()
    for key, value, said in (
        ("sha256", "no digest", "code.sha256 is 'no digest'; it must match ^[0-9a-f]{64}$"),
        ("text", "x" * 70_000, "code.text has a length of 70,000; it must be at most 65,536"),
        ("characters", -1, "code.characters is -1; it must be at least 0"),
        ("text", 7, "code.text is 7, not a text"),
    ):
        data = result.to_dict()
        with pytest.raises(ResultError) as caught:
            Result.from_dict({**data, "code": {**data["code"], key: value}})
        assert str(caught.value) == said
