"""Strategies by name: built-in ones, a user's file or module, an installed package; every refusal in full."""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from nasbench_ws import sharing
from nasbench_ws.errors import StrategyError, UsageError
from nasbench_ws.json_files import write_record
from nasbench_ws.rankers.plan import Plan
from nasbench_ws.recipe import Recipe
from nasbench_ws.sharing.schedules import fair
from nasbench_ws.sharing.strategies import BUILT_IN, DEFAULT_SCHEDULE, PLUGINS, Strategy, adopt, resolve
from nasbench_ws.space.blocks import Slot
from nasbench_ws.space.child import child_network
from nasbench_ws.space.macro import PAPER, SMALL
from nasbench_ws.space.registry import DEEPER64, get_space

CHILDREN = list(DEEPER64)
SLOTS = [slot for slot, _ in child_network(SMALL, CHILDREN[27]).layers()]
GROUPS = "groups:similar:M | groups:random:M[:SEED] | groups:file:PATH"
USAGES = (
    f"full, none, {GROUPS}, prefix:K, edge:I-J, opsplit:I-J:GROUPS, private:KIND[+KIND], shared:KIND[+KIND], "
    "split:I-J[:PART], curriculum, dependent"
)


GROUPS_FORM = '{{"111": 0, ...}} or [["111", ...], ...], or what `nasbench-ws group` writes'


def found(name: str) -> Strategy:
    return resolve(name, DEEPER64, SMALL)


def refused(name: str) -> str:
    with pytest.raises(StrategyError) as caught:
        found(name)
    return str(caught.value)


def same(a: Any, b: Any) -> bool:
    """Whether two keys share alike among the children that have a slot."""
    slots = {slot for arch in CHILDREN for slot, _ in child_network(SMALL, arch).layers()}
    for slot in slots:
        users = [arch for arch in CHILDREN if slot in [s for s, _ in child_network(SMALL, arch).layers()]]
        pairs = {(a(arch, slot), b(arch, slot)) for arch in users}
        if not len(pairs) == len({x for x, _ in pairs}) == len({y for _, y in pairs}):
            return False
    return True


# -- built in -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("full", sharing.full),
        ("none", sharing.none),
        ("groups:similar:8", sharing.groups("similar", 8, DEEPER64)),
        ("groups:random:8", sharing.groups("random", 8, DEEPER64, 0)),
        ("groups:random:8:5", sharing.groups("random", 8, DEEPER64, 5)),
        ("prefix:0", sharing.prefix(0, 3)),
        ("prefix:3", sharing.prefix(3, 3)),
        ("edge:1->2", sharing.edge((1, 2), DEEPER64)),
        ("opsplit:1-2:1+2+3+4", sharing.edge((1, 2), DEEPER64)),
        ("opsplit:1->2:14|23", lambda arch, slot: arch.choices[2] in (0, 3)),
        ("private:bn", sharing.private(["bn"])),
        ("private:bn+linear", sharing.private(["bn", "linear"])),
        ("shared:depthwise", sharing.shared(["depthwise"])),
        ("dependent", sharing.dependent),
        ("split:0->1", sharing.full),
        ("curriculum", sharing.full),
    ],
)
def test_built_in_names(name: str, key: Any) -> None:
    strategy = found(name)
    assert strategy.name == name
    assert strategy.schedule == DEFAULT_SCHEDULE == "shuffle"
    assert same(strategy.key, key)
    assert bool(strategy.later) == (name in ("split:0->1", "curriculum"))


def test_every_built_in_name_is_resolved_above() -> None:
    assert set(BUILT_IN) == {
        "full", "none", "groups", "prefix", "edge", "opsplit", "private", "shared", "dependent", "split",
        "curriculum",
    }  # fmt: skip
    assert ", ".join(built_in.usage for built_in in BUILT_IN.values()) == USAGES
    assert all(built_in.help for built_in in BUILT_IN.values())


def test_sharing_that_becomes_less() -> None:
    ((half, key),) = found("split:0->1").later
    assert half == 0.5
    assert same(key, sharing.edge((0, 1), DEEPER64))
    ((part, key),) = found("split:1->2:0.25").later
    assert part == 0.25
    assert same(key, sharing.edge((1, 2), DEEPER64))
    parts, keys = zip(*found("curriculum").later, strict=True)
    assert parts == (0.25, 0.5, 0.75)
    for m, key in zip((4, 16, 64), keys, strict=True):
        assert same(key, sharing.groups("similar", m, DEEPER64))


@pytest.mark.parametrize(
    ("name", "usage"),
    [
        ("full:1", "full"),
        ("none:1", "none"),
        ("groups", GROUPS),
        ("groups:similar", GROUPS),
        ("groups:random:4:1:2", GROUPS),
        ("prefix", "prefix:K"),
        ("prefix:1:2", "prefix:K"),
        ("edge", "edge:I-J"),
        ("opsplit:0-1", "opsplit:I-J:GROUPS"),
        ("private", "private:KIND[+KIND]"),
        ("shared:bn:linear", "shared:KIND[+KIND]"),
        ("split", "split:I-J[:PART]"),
        ("split:0->1:0.5:1", "split:I-J[:PART]"),
        ("curriculum:3", "curriculum"),
        ("dependent:bn", "dependent"),
    ],
)
def test_wrong_counts_of_arguments(name: str, usage: str) -> None:
    assert refused(name) == f"strategy {name!r} is not written like {usage}"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("groups:similar:x", "the number of groups is 'x'; it must be a whole number"),
        ("groups:similar:5", "64 children do not divide into 5 groups; allowed are 1, 2, 4, 8, 16, 32, 64"),
        ("groups:like:4", "unknown kind of groups 'like'; known are 'similar' and 'random'"),
        ("groups:random:4:x", "the seed of the groups is 'x'; it must be a whole number"),
        ("prefix:one", "the number of cells is 'one'; it must be a whole number"),
        ("prefix:4", "a prefix of 4 cells; this network has 3, so k is between 0 and 3"),
        ("edge:01", "edge '01'; write source-target, for example 0-1"),
        (
            "edge:0-", "edge '0-' has no target; write source-target, for example 0-1: of 0->1, a shell takes > and "
            "what follows for the name of a file to write",
        ),
        ("edge:a->1", "the edge's source is 'a'; it must be a whole number"),
        ("edge:0->b", "the edge's target is 'b'; it must be a whole number"),
        ("opsplit:2-0:12+34", "no edge 2->0 in deeper64; its edges are 0->1, 0->2, 1->2"),
        *(
            (
                f"opsplit:0-1:{groups}",
                f"groups of operations {groups!r}; write the number of each operation once, in two groups or more, as "
                "12+34: 1 max_pool_3x3, 2 sep_conv_3x3, 3 sep_conv_5x5, 4 dil_conv_5x5",
            )
            for groups in ("1234", "12+3", "12+345", "11+234", "", "a+b", "1,2,3+4,4")
        ),
        ("edge:2->0", "no edge 2->0 in deeper64; its edges are 0->1, 0->2, 1->2"),
        (
            "private:depthwize",
            "unknown kind of layer 'depthwize' (did you mean depthwise or pointwise?); "
            "known are conv, depthwise, pointwise, bn, linear",
        ),
        ("shared:bn+", "unknown kind of layer ''; known are conv, depthwise, pointwise, bn, linear"),
        ("split:0->1:x", "the part of the steps before the split is 'x'; write a number such as 0.5"),
        ("split:0->1:1.5", "the strategy's later keys take over at [1.5]; these must ascend between 0 and 1"),
        ("split:0->1:nan", "the strategy's later keys take over at [nan]; these must ascend between 0 and 1"),
        ("split:3->1", "no edge 3->1 in deeper64; its edges are 0->1, 0->2, 1->2"),
    ],
)
def test_arguments_that_cannot_be(name: str, text: str) -> None:
    assert refused(name) == text


def test_arguments_are_those_of_the_network() -> None:
    assert resolve("prefix:4", DEEPER64, PAPER).name == "prefix:4"  # four cells there, three in SMALL


# -- groups in a file ---------------------------------------------------------------------------------


def test_groups_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a:b.json"  # a colon belongs to the path
    labels = {arch.hash: f"group {arch.index % 3}" for arch in CHILDREN}
    write_record(path, "nasbench-ws groups", {"groups": labels})
    assert same(found(f"groups:file:{path}").key, lambda arch, slot: arch.index % 3)
    sizes = [len(part.children) for part in Plan("", Recipe()).parts(CHILDREN, SMALL, found(f"groups:file:{path}"))]
    assert sizes == [22, 21, 21]


@pytest.mark.parametrize(
    ("groups", "text"),
    [
        (None, "{path} does not say which child is in which group; write " + GROUPS_FORM),
        ([1, 2], "{path} does not say which child is in which group; write " + GROUPS_FORM),
        ({"111": [1]}, "{path} does not say which child is in which group; write " + GROUPS_FORM),
        ({"111": True}, "{path} does not say which child is in which group; write " + GROUPS_FORM),
        ({"111": 0, CHILDREN[0].hash: 1}, "{path} puts child 111 into a group twice; name it once"),
        ({"111": 0, "112": 1}, "{path} puts child 113 and 61 more into no group; every child needs one"),
        ({arch.name: 0 for arch in CHILDREN[:-1]}, "{path} puts child 444 into no group; every child needs one"),
    ],
)
def test_a_file_of_groups_that_cannot_be(tmp_path: Path, groups: Any, text: str) -> None:
    path = tmp_path / "groups.json"
    write_record(path, "nasbench-ws groups", {} if groups is None else {"groups": groups})
    assert refused(f"groups:file:{path}") == text.format(path=path)


def test_no_file_of_groups(tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    assert refused(f"groups:file:{path}") == (
        f"{path} cannot be read: No such file or directory; give JSON as {GROUPS_FORM.format(path)}"
    )


def test_groups_in_plain_json(tmp_path: Path) -> None:
    path = tmp_path / "plain.json"
    for plain in (
        {arch.name: arch.index % 3 for arch in CHILDREN},
        {arch.hash: "abc"[arch.index % 3] for arch in CHILDREN},
        [[arch.name for arch in CHILDREN if arch.index % 3 == group] for group in range(3)],
    ):
        path.write_text(json.dumps(plain))
        assert same(found(f"groups:file:{path}").key, lambda arch, slot: arch.index % 3)
    path.write_text('{"111": 0, "111": 1}')
    assert refused(f"groups:file:{path}") == (
        f"{path} is no JSON of groups (the key '111' stands in it twice; give it once); write "
        f"{GROUPS_FORM.format(path)}"
    )


# -- unknown names ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "guess"),
    [("ful", " (did you mean full?)"), ("curiculum", " (did you mean curriculum?)"), ("qqq", ""), ("", "")],
)
def test_an_unknown_name(name: str, guess: str) -> None:
    assert refused(name) == (
        f"unknown strategy {name!r}{guess}; built in are {USAGES}; your own is FILE.py:NAME or MODULE:NAME"
    )


@pytest.mark.parametrize(("name", "guess"), [("group:similar:4", " (did you mean groups?)"), ("zz.top:Beard", "")])
def test_an_unknown_name_with_arguments_may_be_a_module(name: str, guess: str) -> None:
    module = name.partition(":")[0]
    assert refused(name) == (
        f"unknown strategy {name!r}{guess}: it is neither built in, nor is there a module {module!r}; "
        "see `nasbench-ws strategies`"
    )


# -- a user's file ------------------------------------------------------------------------------------

FILE = '''
from dataclasses import dataclass

class MyStrategy:
    schedule = "fair"
    later = [(0.5, lambda arch, slot: arch.operation((0, 1)))]

    def key(self, arch, slot):
        return None

@dataclass(frozen=True)  # which looks its own module up
class Private:
    kind: str

    def key(self, arch, slot):
        return arch.hash if slot.kind == self.kind else None

    def schedule(self, children, rng):
        while True:
            yield [0]

instance = Private("bn")

def by_name(arch, slot):
    return arch.name

class Broken:
    def __init__(self):
        raise RuntimeError("no such luck")

class NeedsArguments:
    def __init__(self, kind):
        self.kind = kind

class Unfinished:
    pass

class Scheduled(MyStrategy):
    schedule = 5

class Later(MyStrategy):
    later = [0.5]

class Early(MyStrategy):
    later = [(0.7, None), (0.2, None)]

a_number = 5
'''


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my.py"
    path.write_text(FILE)
    return path


def test_a_class_in_a_file(file: Path) -> None:
    strategy = found(f"{file}:MyStrategy")
    assert strategy.name == f"{file}:MyStrategy"
    assert strategy.key(CHILDREN[0], SLOTS[0]) is None
    assert strategy.schedule == "fair"
    ((part, key),) = strategy.later
    assert part == 0.5
    assert same(key, sharing.edge((0, 1), DEEPER64))


def test_an_instance_in_a_file(file: Path) -> None:
    strategy = found(f"{file}:instance")
    assert same(strategy.key, sharing.private(["bn"]))
    assert callable(strategy.schedule)
    assert next(strategy.schedule(CHILDREN, None)) == [0]  # type: ignore[arg-type]
    assert strategy.later == ()


def test_a_function_in_a_file(file: Path) -> None:
    strategy = found(f"{file}:by_name")
    assert same(strategy.key, sharing.none)
    assert strategy.schedule == DEFAULT_SCHEDULE


def test_a_relative_path(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    assert found("my.py:by_name").name == "my.py:by_name"


def test_a_schedule_of_its_own_and_of_a_plan(file: Path) -> None:
    strategy = found(f"{file}:MyStrategy")
    plan = Plan(strategy.name, Recipe(), steps=640)
    assert plan.width(CHILDREN, strategy) == 4  # fair: as many children a step as there are operations
    assert Plan(strategy.name, Recipe(), steps=640, schedule="cycle").width(CHILDREN, strategy) == 1
    assert plan.width(CHILDREN, Strategy("mine", sharing.full, fair)) == 4  # the function itself


def test_a_file_finds_its_neighbours_and_hides_nothing_that_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "ws_neighbour.py").write_text("KINDS = {'linear'}\n")
    (tmp_path / "scipy.py").write_text("1 / 0\n")
    code = "import scipy.stats\nfrom ws_neighbour import KINDS\ndef key(arch, slot): return slot.kind in KINDS\n"
    (tmp_path / "my.py").write_text(code)
    assert [found(f"{tmp_path / 'my.py'}:key").key(CHILDREN[0], slot) for slot in SLOTS] == [
        slot.kind == "linear" for slot in SLOTS
    ]


def test_a_file_that_does_not_exist(tmp_path: Path) -> None:
    path = tmp_path / "your.py"
    assert refused(f"{path}:S") == (
        f"no strategy file {str(path)!r}; write FILE.py:NAME with the path of an existing file"
    )


def test_a_file_without_a_name(file: Path) -> None:
    assert refused(str(file)) == (
        f"unknown strategy {str(file)!r}; built in are {USAGES}; your own is FILE.py:NAME or MODULE:NAME"
    )


def test_a_name_that_the_file_lacks(file: Path) -> None:
    assert refused(f"{file}:MyStrategi") == (
        f"{file} has no 'MyStrategi' (did you mean MyStrategy?); it has dataclass, MyStrategy, Private, by_name, "
        "Broken, NeedsArguments, Unfinished, Scheduled, Later, Early"
    )
    empty = file.with_name("empty.py")
    empty.write_text("")
    assert refused(f"{empty}:S") == f"{empty} has no 'S'; it has nothing public"


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        ("1 / 0", ZeroDivisionError, "ZeroDivisionError: division by zero"),
        ("import no_such_module", ModuleNotFoundError, "ModuleNotFoundError: No module named 'no_such_module'"),
        ("def key(:", SyntaxError, "SyntaxError: "),
        (
            "import argparse; p = argparse.ArgumentParser(); p.add_argument('--lr', required=True); p.parse_args([])",
            SystemExit,
            "SystemExit: 2 (put what parses arguments, or ends the program, under `if __name__ == '__main__':`)",
        ),
        ("raise BaseException('away')", BaseException, "BaseException: away"),
    ],
)
def test_a_file_that_raises_keeps_the_cause(tmp_path: Path, code: str, kind: type[BaseException], text: str) -> None:
    path = tmp_path / "bad.py"
    path.write_text(code)
    with pytest.raises(StrategyError) as caught:
        found(f"{path}:S")
    assert isinstance(caught.value.__cause__, kind)
    whole = f"the strategy file {str(path)!r} raised {text}"
    assert str(caught.value) == (whole if kind is not SyntaxError else whole + str(caught.value.__cause__))
    if kind is ZeroDivisionError:  # the traceback of the user's own line
        trace = caught.value.__cause__.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        assert trace is not None
        assert trace.tb_frame.f_code.co_filename == str(path)


def test_a_class_that_cannot_be_made(file: Path) -> None:
    with pytest.raises(StrategyError) as caught:
        found(f"{file}:Broken")
    assert str(caught.value) == f"making the strategy '{file}:Broken' raised RuntimeError: no such luck"
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert refused(f"{file}:NeedsArguments") == (
        f"making the strategy '{file}:NeedsArguments' raised TypeError: "
        "NeedsArguments.__init__() missing 1 required positional argument: 'kind'"
    )


@pytest.mark.parametrize(("name", "kind"), [("Unfinished", "Unfinished"), ("a_number", "int")])
def test_a_thing_that_is_no_strategy(file: Path, name: str, kind: str) -> None:
    assert refused(f"{file}:{name}") == (
        f"strategy '{file}:{name}' is of type {kind}, without a method key(arch, slot); "
        "give it one, or name a function of those two arguments"
    )


def test_attributes_that_cannot_be_meant(file: Path) -> None:
    assert refused(f"{file}:Scheduled") == (
        f"strategy '{file}:Scheduled' has schedule 5; "
        "give the name of one, or a function of the children and a random generator"
    )
    assert refused(f"{file}:Later") == "the strategy's later is [0.5]; it must be a list of (part of the steps, key)"
    assert refused(f"{file}:Early") == (
        "the strategy's later keys take over at [0.7, 0.2]; these must ascend between 0 and 1"
    )


def test_a_key_that_raises_when_it_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "late.py"
    path.write_text("def raises(arch, slot):\n  return slot.place\n\ndef unhashable(arch, slot):\n  return [arch]\n")
    slot = Slot(0, "stem", None, None, 0, "conv")
    raises = found(f"{path}:raises")
    with pytest.raises(StrategyError) as caught:
        Plan(raises.name, Recipe()).parts(CHILDREN, SMALL, raises)
    assert str(caught.value) == (
        f"the strategy's key raised AttributeError: 'Slot' object has no attribute 'place', for child 111 at {slot}; "
        "it must return a value for every child and slot"
    )
    assert isinstance(caught.value.__cause__, AttributeError)
    unhashable = found(f"{path}:unhashable")
    with pytest.raises(StrategyError) as caught:
        Plan(unhashable.name, Recipe()).parts(CHILDREN, SMALL, unhashable)
    assert str(caught.value) == (
        f"the strategy's key for child 111 at {slot} is {[CHILDREN[0]]!r}, which is not hashable; "
        "return a string, a number, None or a tuple of those"
    )


# -- modules and packages -----------------------------------------------------------------------------


def test_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "ws_pack"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "mine.py").write_text(FILE)
    (package / "bad.py").write_text("1 / 0")
    (package / "lacks.py").write_text("import no_such_module")
    monkeypatch.syspath_prepend(tmp_path)
    assert found("ws_pack.mine:MyStrategy").schedule == "fair"
    assert refused("ws_pack.mine:by_nam").startswith("ws_pack.mine has no 'by_nam' (did you mean by_name?); it has ")
    assert refused("ws_pack.bad:S") == "the module 'ws_pack.bad' raised ZeroDivisionError: division by zero"
    with pytest.raises(StrategyError) as caught:
        found("ws_pack.lacks:S")
    assert str(caught.value) == (
        "the module 'ws_pack.lacks' raised ModuleNotFoundError: No module named 'no_such_module'"
    )
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    assert refused("ws_pack.gone:S") == (
        "unknown strategy 'ws_pack.gone:S': it is neither built in, nor is there a module 'ws_pack.gone'; "
        "see `nasbench-ws strategies`"
    )


class Point:
    """An entry point, as `importlib.metadata` gives it."""

    def __init__(self, name: str, thing: Any) -> None:
        self.name, self.thing = name, thing

    def load(self) -> Any:
        if isinstance(self.thing, Exception):
            raise self.thing
        return self.thing


class Installed:
    schedule = "cycle"

    def key(self, arch: Any, slot: Any) -> None:
        return None


def test_an_installed_strategy(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [Point("theirs", Installed), Point("broken:1", ImportError("no libfoo")), Point("full", Installed)]
    asked = []

    def entry_points(*, group: str) -> list[Point]:
        asked.append(group)
        return points

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    assert found("theirs").schedule == "cycle"
    assert asked == ["nasbench_ws.strategies"]
    assert found("full").schedule == "shuffle"  # what is built in keeps its name
    with pytest.raises(StrategyError) as caught:
        found("broken:1")
    assert str(caught.value) == "the installed strategy 'broken:1' raised ImportError: no libfoo"
    assert caught.value.__cause__ is points[1].thing


def test_what_a_strategy_does_besides_neither_ends_the_program_nor_writes_into_its_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "loud.py"
    path.write_text(
        "import sys\nprint('imported')\n"
        "class Loud:\n  def __init__(self): print('made')\n  def key(self, arch, slot): return None\n"
        "class Exits:\n  def __init__(self): sys.exit(0)\n"
        "class Property:\n  def key(self, arch, slot): return None\n  @property\n  def later(self): sys.exit('no')\n"
        "class Text:\n  later = [('0.5', print)]\n  def key(self, arch, slot): return None\n"
        "class NoKey:\n  later = [(0.5, 3)]\n  def key(self, arch, slot): return None\n"
    )
    found(f"{path}:Loud")
    assert capsys.readouterr() == ("", "imported\nmade\n")
    hint = "(put what parses arguments, or ends the program, under `if __name__ == '__main__':`)"
    assert refused(f"{path}:Exits") == f"making the strategy '{path}:Exits' raised SystemExit: 0 {hint}"
    text = f"the later of the strategy '{path}:Property' raised SystemExit: no {hint}"
    assert refused(f"{path}:Property") == text
    for name, later in (("Text", [("0.5", print)]), ("NoKey", [(0.5, 3)])):
        text = f"the strategy's later is {later!r}; it must be a list of (part of the steps, key)"
        assert refused(f"{path}:{name}") == text


def test_later_keys_that_are_given_once_alone_are_refused() -> None:
    """A generator is empty when it is asked again, and nothing would be said of keys that are not there."""

    class Once:
        later = ((part, sharing.none) for part in [0.5])

        def key(self, arch: Any, slot: Any) -> None:
            return None

    with pytest.raises(StrategyError) as caught:
        adopt("Once", Once, DEEPER64, SMALL)
    assert str(caught.value) == (
        f"the strategy's later is {Once.later!r}; it must be a list of (part of the steps, key)"
    )


def test_a_split_that_never_comes_is_refused_before_anything_is_trained() -> None:
    strategy = found("split:0->1:0.999")
    with pytest.raises(StrategyError, match=r"after \[0\.999\] of the steps, which of 64 steps is after \[64\]"):
        Plan(strategy.name, Recipe(), steps=64).parts(CHILDREN, SMALL, strategy)


@pytest.mark.parametrize("name", ["edge", "split"])
def test_an_edge_may_be_written_without_a_redirection_of_the_shell(name):
    """`nasbench-ws evaluate edge:0->1` unquoted leaves a file `1`."""
    macro, children = SMALL, list(DEEPER64)
    for plain, arrow in (("0-1", "0->1"), ("1-2", "1->2")):
        ours, theirs = (resolve(f"{name}:{edge}", DEEPER64, macro) for edge in (plain, arrow))
        keys = [[one.key, *(key for _, key in one.later)] for one in (ours, theirs)]
        for mine, other in zip(*keys, strict=True):
            assert sharing.components(macro, children, mine) == sharing.components(macro, children, other)


@pytest.mark.parametrize("name", ["huge.py", "huge.py:Mine"])
def test_a_file_that_is_too_large_for_python_is_not_read(tmp_path: Path, name: str) -> None:
    with (tmp_path / "huge.py").open("wb") as file:
        file.truncate(2**24 + 1)
    path = f"{tmp_path}/huge.py"
    with pytest.raises(StrategyError) as caught:
        PLUGINS.find(PLUGINS.whole_name(f"{tmp_path}/{name}"))
    assert str(caught.value) == f"{path} has more than the 16,777,216 bytes that are read; name the file of a strategy"


def test_what_is_no_file_is_neither_waited_for_nor_followed(tmp_path: Path) -> None:
    pipe, ring = tmp_path / "pipe.py", tmp_path / "ring.py"
    os.mkfifo(pipe)
    ring.symlink_to(ring)
    for path, said in (
        (pipe, "is a device or a pipe, not a file; name the file of a strategy"),
        (ring, "cannot be read: Too many levels of symbolic links; name the file of a strategy"),
    ):
        with pytest.raises(StrategyError) as caught:
            PLUGINS.whole_name(str(path))
        assert str(caught.value) == f"{path} {said}"
        with pytest.raises(UsageError, match=f"no space file '{path}'; write FILE.py:NAME with the path of an"):
            get_space(f"{path}:SPACE")
