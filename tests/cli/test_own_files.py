"""What a user's own strategy file is met with: a name that is plain, an edge that is none, sharing that grows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from nasbench_ws.cli import group
from nasbench_ws.errors import NasbenchError, StrategyError
from nasbench_ws.sharing.keys import components, partners
from nasbench_ws.sharing.strategies import PLUGINS
from nasbench_ws.space import registry
from nasbench_ws.space.cell import Space
from nasbench_ws.space.macro import SMALL
from nasbench_ws.space.registry import DEEPER64

FILES = {
    "one.py": "class A:\n    def key(self, arch, slot):\n        return arch.operation(slot.edge)\n",
    "two.py": "class A:\n    pass\n\nclass B(A):\n    pass\n\nclass _Hidden:\n    pass\n",
    "grows.py": "class Grows:\n    later = [(0.5, lambda arch, slot: None)]\n\n    def key(self, arch, slot):\n"
    "        return arch.operation((0, 1))\n",
    "four.py": "import numpy\n\nclass Four:\n    def key(self, arch, slot):\n        return None\n\n"
    "    @staticmethod\n    def schedule(children, rng):\n        while True:\n"
    "            yield rng.choice(len(children), 4, replace=False)\n",
    "function.py": "def key(arch, slot):\n    return None\n",
    "empty.py": "x = 1\n",
    "wrong.py": "class A(:\n",
    "goes.py": "import os\n\ndef key(arch, slot):\n    os.chdir('/')\n",
}  # fmt: skip


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)


def refused(*words: str) -> str:
    found = CliRunner().invoke(group, list(words))
    assert isinstance(found.exception, NasbenchError), found.output
    return str(found.exception)


def test_a_file_with_one_strategy_needs_no_name() -> None:
    assert PLUGINS.whole_name("one.py") == "one.py:A"
    assert PLUGINS.whole_name("function.py") == "function.py:key"
    for name in ("one.py:A", "full", "groups:similar:4", "absent.py:A", "wrong.py:A"):
        assert PLUGINS.whole_name(name) == name
    for name, said in (
        ("two.py", "two.py has A, B; say which strategy is meant, as two.py:A"),
        ("empty.py", "empty.py has no public class or function; say which strategy is meant, as empty.py:NAME"),
        ("absent.py", "absent.py cannot be read: No such file or directory; name the file of a strategy"),
        ("wrong.py", "wrong.py is no Python: invalid syntax in line 1; mend it, or name another file"),
    ):
        with pytest.raises(StrategyError) as caught:
            PLUGINS.whole_name(name)
        assert str(caught.value) == said
        assert refused("evaluate", name) == refused("strategies", name) == refused("check", name) == said
    assert refused("evaluate", "one").startswith("unknown strategy 'one' (did you mean none or one.py?)")
    shown = CliRunner().invoke(group, ["strategies", "function.py"], catch_exceptions=False).output
    assert shown.startswith("function.py:key on fashion14: one super-net, of 64 children; schedule shuffle")


def test_a_key_that_asks_for_no_edge_hears_which_slot_has_none() -> None:
    said = refused("strategies", "one.py")
    assert said == (
        "the strategy's key asked child 111 for the operation of an edge at Slot(cell=0, part='stem', edge=None, "
        "operation=None, layer=0, kind='conv'), which is on none (slot.edge is None: deeper64 has no edge None; "
        "(source, target) is one of (0, 1), (0, 2), (1, 2)); where a slot is on no edge, as in the stem, reductions "
        "and the classifier, return a key of its own, such as None"
    )


def test_sharing_that_grows_is_refused_before_it_is_evaluated() -> None:
    assert refused("strategies", "grows.py") == (
        "a later key shares Slot(cell=0, part='stem', edge=None, operation=None, layer=0, kind='conv') between "
        "children that did not share it before, such as 111 and 211; sharing may only become less with time"
    )


def test_what_becomes_of_steps_where_one_trains_several() -> None:
    shown = CliRunner().invoke(group, ["strategies", "four.py"], catch_exceptions=False).output
    assert shown.splitlines()[-1] == (
        "4 children a step: matched in child-updates, --steps 6400 are 1600 of these, so that every child is trained "
        "as often as by one a step"
    )


def test_a_file_of_somebody_elses_is_nobodys_to_delete() -> None:
    said = refused("report", "one.py", "-o", "page.html")
    assert said.startswith("one.py is no nasbench-ws result (")
    assert said.endswith("; name a file that nasbench-ws wrote")


def test_top_takes_what_there_is() -> None:
    assert len(CliRunner().invoke(group, ["top", "-n", "100", "--csv"]).stdout.splitlines()) == 1 + 64


def test_a_space_that_is_not_the_tables_is_refused_where_it_is_given(tmp_path: Path, monkeypatch: Any) -> None:
    """Also where nothing but its name would have been asked for."""
    monkeypatch.setattr(registry, "SPACES", {})
    monkeypatch.setattr(registry, "_files", {})
    operations = tuple(DEEPER64.operations[::-1])
    Path("swapped.py").write_text(f"from nasbench_ws import Space\nSPACE = Space('deeper64', 2, {operations})\n")
    for words in (["train", "111"], ["check", "full"], ["strategies", "full"], ["evaluate", "full"]):
        said = refused(*words, "--space", "swapped.py:SPACE")
        assert said == (
            f"the table's space is {DEEPER64!r}, and here {Space('deeper64', 2, operations)!r} is registered; their "
            "children are not the same: register the table's, or give yours a name of its own"
        )


def test_a_key_that_goes_to_another_folder_takes_nothing_with_it() -> None:
    here = Path.cwd()
    key = PLUGINS.find("goes.py:key")
    components(SMALL, list(DEEPER64)[:2], key)
    assert len(partners(SMALL, list(DEEPER64)[:2], [key])) == 2
    assert Path.cwd() == here


def test_an_answer_that_nobody_reads_says_where_the_result_is(tmp_path: Path, monkeypatch: Any) -> None:
    def gone(*_: Any) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setenv("NASBENCH_WS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("nasbench_ws.cli.evaluate._show", gone)
    found = CliRunner().invoke(group, ["evaluate", "params", "--quiet"])
    (kept,) = (tmp_path / "cache" / "results").iterdir()
    assert found.exit_code == 1
    assert found.stderr == f"The result is kept in {kept}; `nasbench-ws show {kept}` prints it\n"
