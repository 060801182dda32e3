"""Which code an operation is: what it depends on changes its digest, and nothing else; runs of two versions part."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from small_builds import Here

from nasbench_ws.errors import NasbenchError, TableError, UsageError
from nasbench_ws.evaluation.evaluate import evaluate, prepare
from nasbench_ws.rankers.plan import Plan
from nasbench_ws.space import operations, registry
from nasbench_ws.space.code import operation_codes, other_code
from nasbench_ws.space.operations import OPERATIONS
from nasbench_ws.space.registry import SPACES, get_space
from nasbench_ws.tables.merge import merge
from nasbench_ws.training.building.builder import build
from nasbench_ws.training.building.standalone import train_run

MINE = """
from nasbench_ws.space import Space
from nasbench_ws.space.operations import Layer, register_operation
import help_of_mine

WIDTH = 3

def kernel(macro):
    return WIDTH

@register_operation("own_conv")
def own_conv(macro):
    return (Layer(conv=kernel(macro)),) * help_of_mine.TIMES

register_operation("one")(lambda macro: (Layer(conv=1), Layer(conv=1)))

class Strategy:
    def key(self, arch, slot):
        return 1

SPACE = Space("mine", 1, ("own_conv", "one"))
"""


class Own:
    """A file with a space, run anew after each change."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.patch = folder, patch
        self.path, self.text, self.help = folder / "mine.py", MINE, "TIMES = 1\n"
        self.load()

    def load(self, *change: str, help: str | None = None):
        self.patch.setattr(registry, "SPACES", {name: one for name, one in SPACES.items() if name != "mine"})
        self.patch.setattr(operations, "OPERATIONS", dict(OPERATIONS))
        self.patch.setattr(registry, "_files", {})
        self.patch.setattr("nasbench_ws.space.code.OPERATIONS", operations.OPERATIONS)
        self.path.write_text(self.text.replace(*change) if change else self.text)
        (self.folder / "help_of_mine.py").write_text(help or self.help)
        self.patch.syspath_prepend(str(self.folder))
        sys.modules.pop("help_of_mine", None)
        return get_space(f"{self.path}:SPACE")


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Own:
    return Own(tmp_path, monkeypatch)


CHANGES = {
    "a comment": (("WIDTH = 3", "WIDTH = 3  # pixels"), set()),
    "layout": (("def kernel(macro):\n    ", "def kernel(macro): "), set()),
    "a strategy": (("return 1", "return 2"), set()),
    "a constant": (("WIDTH = 3", "WIDTH = 1"), {"operation own_conv"}),
    "a function": (("return WIDTH", "return WIDTH + 0"), {"operation own_conv"}),
    "itself": (("macro) -> None", ""), set()),
    "a lambda": (("Layer(conv=1), Layer(conv=1)", "Layer(conv=1), Layer(conv=3)"), {"operation one"}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_an_operation_depends_on_is_its_code(own: Own, change: str) -> None:
    replaced, expected = CHANGES[change]
    before = operation_codes(get_space("mine")) if "mine" in registry.SPACES else {}
    after = operation_codes(own.load(*replaced))
    assert before.keys() == {"operation own_conv", "operation one"}
    assert {name for name in before if before[name] != after[name]} == expected


def test_a_file_that_it_imports_is_its_code(own: Own) -> None:
    before = operation_codes(get_space("mine"))
    after = operation_codes(own.load(help="TIMES = 2\n"))
    assert before["operation own_conv"] != after["operation own_conv"]
    assert before["operation one"] == after["operation one"]


def test_built_in_operations_have_none() -> None:
    assert operation_codes(get_space("topology729")) == {}
    assert other_code({"python": "3.11"}, {"python": "3.12"}) is None
    assert other_code({"operation a": "1", "operation b": "2"}, {"operation b": "3"}) == (
        "the operation b was 2, and is 3"
    )


def refused(error: type[NasbenchError], call: Callable[[], object]) -> str:
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


def test_runs_of_two_versions_are_told_apart(tiny, quick, own: Own, tmp_path: Path) -> None:
    """In a folder, in a merge, in a table that an evaluation asks, and in the pieces it keeps."""
    recipe = replace(tiny.recipe, space="mine")

    def made(folder: str, **more: object) -> None:
        build(recipe, [0, 1], tmp_path / folder, load=tiny.load, train=train_run, executor=Here(), **more)  # type: ignore[arg-type]

    made("runs")
    table = merge([tmp_path / "runs"], tmp_path / "own.h5")
    plan = Plan("full", recipe, steps=4)
    ready = prepare("full", table, plan=plan, instances=1, load=tiny.load, folder=tmp_path / "work")
    result = evaluate("full", table, plan=plan, instances=1, load=tiny.load)
    there = operation_codes(table.space)
    assert {name: result.outcome.versions[name] for name in there} == there
    assert table.content.environments[0]["versions"].items() >= there.items()

    here = operation_codes(own.load("WIDTH = 3", "WIDTH = 1"))["operation own_conv"]
    changed = f"the operation own_conv was {there['operation own_conv']}, and is {here}"
    said = refused(UsageError, lambda: made("runs"))
    assert said.endswith(f" was made by other code: {changed}; build into another folder, or with the code as it was")
    assert refused(UsageError, lambda: made("more", resume_from=tmp_path / "own.h5")) == (
        f"{tmp_path / 'own.h5'} cannot be resumed from: {changed}; build with the code as it was, or from nothing"
    )
    made("others")
    assert refused(TableError, lambda: merge([tmp_path / "runs", tmp_path / "others"], tmp_path / "both.h5")) == (
        f"{tmp_path / 'others'} and {tmp_path / 'runs'} were made by different code: {changed}; a table holds runs of "
        "one kind, so merge them apart"
    )
    assert refused(UsageError, lambda: evaluate("full", table, plan=plan, instances=1, load=tiny.load)) == (
        f"own.h5 was made by other code than is here: {changed}; a super-net is compared with children of the same "
        "operations: take the code as it was, or build the table again"
    )
    other = merge([tmp_path / "others"], tmp_path / "other.h5")
    again = prepare("full", other, plan=plan, instances=1, load=tiny.load, folder=tmp_path / "work")
    assert again.kept != ready.kept
