"""Whatever ranks children under one protocol: by name, object, class or file; what it may see, and what is refused."""

from __future__ import annotations

import builtins
import io
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from nasbench_ws.cost import NOTHING
from nasbench_ws.errors import StrategyError, UsageError
from nasbench_ws.evaluation import evaluate as evaluation
from nasbench_ws.evaluation.evaluate import evaluate, prepare
from nasbench_ws.evaluation.sources import sources
from nasbench_ws.rankers.base import Piece, merged
from nasbench_ws.rankers.plan import Part, Plan
from nasbench_ws.rankers.weight_sharing import Net, WeightSharing
from nasbench_ws.recipe import Recipe
from nasbench_ws.results.assess import assess
from nasbench_ws.results.result import Result
from nasbench_ws.results.schema import derived_json
from nasbench_ws.results.truth import Without
from nasbench_ws.sharing.elsewhere import check_elsewhere
from nasbench_ws.sharing.strategies import PLUGINS, resolve
from nasbench_ws.space.blocks import Slot
from nasbench_ws.space.cell import Architecture
from nasbench_ws.space.macro import SMALL
from nasbench_ws.space.problem import Problem
from nasbench_ws.space.registry import DEEPER64

pytestmark = pytest.mark.usefixtures("quick")
N = 64


@pytest.fixture
def run(tiny: Any) -> Callable[..., Result]:
    def run(ranker: Any, **options: Any) -> Result:
        plan = Plan("full", tiny.recipe, steps=64)
        return evaluate(ranker, tiny.table, load=tiny.load, **({"plan": plan} | options))

    return run


class Last:
    """A sharing strategy."""

    def key(self, arch: Architecture, slot: Slot) -> object:
        return arch.operation((1, 2)) if slot.kind == "linear" else None


class Brightness:
    """A ranker of one method, which looks at images."""

    name = "brightness"

    def score(self, problem: Any, images: Any, seed: int) -> list[float]:
        mean = float(images.train.pixels.mean())
        return [mean * child.index + seed for child in problem.children]


# -- by name -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["params", "macs"])
def test_counting_is_the_tables_column(run: Callable[..., Result], tiny: Any, name: str) -> None:
    result = run(name)
    assert result.outcome.strategy == name
    assert result.outcome.seeds == (0,)  # no seed would change it
    assert result.scores.tolist() == [tiny.table.column(name).tolist()]
    assert result.outcome.cost == NOTHING
    found = derived_json(assess(tiny.table.column(name), tiny.table))
    assert {key: result[key] for key in found} == found
    assert str(result).startswith(f"{name} on tiny: 1 instance\n")
    assert str(result).endswith("cost of one instance: nothing is trained, 0 s")


def test_more_instances_of_what_has_one(run: Callable[..., Result]) -> None:
    with pytest.raises(UsageError) as caught:
        run("params", instances=2)
    assert str(caught.value) == (
        "params has 1 ranking, the same with every seed, and 2 from seed 0 on were asked for; ask for fewer"
    )


def test_random_orders_are_permutations_by_seed(run: Callable[..., Result]) -> None:
    result = run("random", instances=2, first_seed=3)
    assert [sorted(row) for row in result.scores.tolist()] == [list(range(N))] * 2
    assert result.scores[0].tolist() == run("random", instances=1, first_seed=3).scores[0].tolist()
    assert result.scores[0].tolist() != result.scores[1].tolist()


def test_early_stopping_is_measured_against_the_other_seeds(run: Callable[..., Result], tiny: Any) -> None:
    result = run("alone:0.5", instances=2)
    assert np.array_equal(result.scores, tiny.table.by_seed("valid_accuracy", 0.5).T[:2])
    others = tiny.table.by_seed("test_accuracy")[:, 2]
    whole = derived_json(assess(result.scores, Without(tiny.table, [0, 1])))
    assert result["metrics"] == whole["metrics"]
    assert Without(tiny.table, [0, 1]).truth.tolist() == others.tolist()
    assert result["table"] == {"name": "tiny without seeds 0, 1", "digest": tiny.table.digest}
    recipe, macs = tiny.recipe, int(tiny.table.column("macs").sum())
    cost = result.outcome.cost
    assert (cost.steps, cost.macs) == (64 * 2, 2 * recipe.batch_size * 3 * macs)  # half an epoch of 256 images
    with pytest.raises(UsageError) as caught:
        run("alone:0.5", instances=3)
    assert str(caught.value) == (
        "the ranking was made with all 3 seeds of tiny, which leaves none to measure it against; ask for fewer "
        "instances"
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("alone:7", "standalone training has no epoch 7; recorded are 0.5, 1"),
        ("alone", "alone: has no number of epochs; write alone:EPOCH, with one of 0.5, 1"),
        ("params:2", "params takes no arguments, and got '2'; write params"),
        ("random:2", "random takes no arguments, and got '2'; its seeds are those of the instances"),
        ("scores", "scores: names no file; write scores:FILE.csv"),
    ],
)
def test_a_name_that_is_not_written_so(run: Callable[..., Result], name: str, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        run(name)
    assert str(caught.value) == text


def test_a_file_of_scores(run: Callable[..., Result], tiny: Any, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    scores = np.random.default_rng(0).random((2, N)).round(6)
    lines = [f"{c.name},{a},{b}" for c, a, b in zip(tiny.table.space, *scores.tolist(), strict=True)]
    path.write_text("\n".join(reversed(lines)))
    result = run(f"scores:{path}")
    assert result.scores.tolist() == scores.tolist()
    assert result.outcome.strategy == f"scores:{path}"
    found = derived_json(assess(scores, tiny.table))
    assert {key: result[key] for key in found} == found


# -- objects and classes -------------------------------------------------------------------------------


def test_an_object_a_class_and_a_name_are_the_same(run: Callable[..., Result], tmp_path: Path) -> None:
    path = tmp_path / "last.py"
    path.write_text(
        "class Last:\n    def key(self, arch, slot):\n"
        "        return arch.operation((1, 2)) if slot.kind == 'linear' else None\n"
    )
    results = [run(given, instances=1) for given in (Last(), Last, Last().key, f"{path}:Last")]
    assert [result.outcome.strategy for result in results] == ["Last", "Last", "Last.key", f"{path}:Last"]
    assert len({result.scores.tobytes() for result in results}) == 1
    assert results[0].outcome.plan["strategy"] == "Last"


def test_a_ranker_of_one_method(run: Callable[..., Result], tiny: Any) -> None:
    result = run(Brightness, instances=2)
    mean = float(tiny.images.train.pixels.mean())
    assert result.outcome.strategy == "brightness"
    assert result.scores.tolist() == [[mean * i + seed for i in range(N)] for seed in (0, 1)]
    assert result.outcome.cost.seconds > 0


def test_a_ranker_of_a_file_in_workers_and_kept(run: Callable[..., Result], tmp_path: Path) -> None:
    path = tmp_path / "proxy.py"
    path.write_text(
        "class Order:\n    splits = ()\n    deterministic = True\n"
        "    def score(self, problem, images, seed):\n        assert images is None\n"
        "        return [child.index for child in problem.children]\n"
    )
    result = run(f"{path}:Order", workers=2, folder=tmp_path / "work")
    assert result.outcome.strategy == f"{path}:Order"
    assert result.scores.tolist() == [list(range(N))]
    assert pickle.loads(pickle.dumps(prepare(f"{path}:Order").ranker)).name == f"{path}:Order"


@pytest.mark.parametrize(
    ("scores", "text"),
    [
        ([1.0, 2.0], "bad gave scores of shape (2,); a ranking of this space has shape (64,)"),
        ("none", "bad gave 'none'; a ranking is a list of 64 numbers"),
        ([[1.0] * N], "bad gave scores of shape (1, 64); a ranking of this space has shape (64,)"),
    ],
)
def test_scores_that_are_not_one_for_each_child(run: Callable[..., Result], scores: Any, text: str) -> None:
    class Bad:
        name = "bad"

        def score(self, problem: Any, images: Any, seed: int) -> Any:
            return scores

    with pytest.raises(StrategyError) as caught:
        run(Bad)
    assert str(caught.value) == text


def test_what_ranks_nothing(run: Callable[..., Result]) -> None:
    with pytest.raises(StrategyError) as caught:
        run(3)
    assert str(caught.value) == (
        "3 is of type int, which ranks nothing; give a name, or an object or class with key(arch, slot), with "
        "score(problem, images, seed), or with a trainer's methods (training/hooks.py)"
    )


def test_a_ranker_may_not_look_at_test_images(run: Callable[..., Result]) -> None:
    class Peeking(Brightness):
        splits = ("train", "test")

    with pytest.raises(UsageError) as caught:
        run(Peeking)
    assert str(caught.value) == (
        "brightness asks for the images train, test; a ranker may look at train and valid only"
    )


# -- worker processes ----------------------------------------------------------------------------------


def test_an_object_that_cannot_be_sent_says_so_and_how(run: Callable[..., Result]) -> None:
    class Local(Last):
        pass

    with pytest.raises(UsageError) as caught:
        run(Local(), workers=2)
    text = str(caught.value)
    assert text.startswith("Local cannot be sent to worker processes: AttributeError: Can't pickle local object ")
    assert text.endswith(
        "; write it in a file and give its name, as 'my.py:Local', or leave workers out to run it in this process"
    )


def test_a_class_of_an_interactive_session(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It can be pickled, and no other process has it."""
    session = ModuleType("__main__")  # as of a notebook or Python's prompt: of no file
    exec("class Mine:\n    def key(self, arch, slot): return None", vars(session))
    monkeypatch.setitem(sys.modules, "__main__", session)
    for given in (session.Mine, session.Mine()):
        assert pickle.loads(pickle.dumps(given)) is not None
        with pytest.raises(UsageError) as caught:
            evaluate(given, tiny.table, load=tiny.load, workers=2)
        assert str(caught.value) == (
            "Mine cannot be sent to worker processes: Mine exists in this session only; write it in a file and give "
            "its name, as 'my.py:Mine', or leave workers out to run it in this process"
        )


@pytest.mark.slow  # two seconds of processes; CI runs it
def test_a_key_that_differs_between_processes_is_refused_and_names_a_child(tmp_path: Path) -> None:
    """hash() of a text is another in each process: children would never be trained, and ranked last."""
    path = tmp_path / "hashed.py"
    path.write_text("class ByHash:\n    def key(self, arch, slot):\n        return hash(arch.name) % 4\n")
    with pytest.raises(StrategyError) as caught:
        evaluate(f"{path}:ByHash", "fashion14", plan=_short("full"), instances=1, workers=1)
    text = str(caught.value)
    assert text.startswith(f"strategy '{path}:ByHash' gives child ")
    assert text.endswith(
        " other weights to share in this process than in the one that started the evaluation; its key must not depend "
        "on hash() of a text, the order of a set, id() or state, which differ from process to process: compute it from "
        "arch and slot alone"
    )


def test_a_key_that_differs_between_processes_is_refused_where_there_is_one_process_too(tmp_path: Path) -> None:
    """Of a file's strategy, which another process can make. Two processes whose texts hash alike share alike."""
    path = tmp_path / "hashed.py"
    path.write_text(
        "class ByHash:\n    later = [(0.5, lambda arch, slot: hash(arch.spec) % 9)]\n\n"
        "    def key(self, arch, slot):\n        return None\n"
        "class ByName:\n    def key(self, arch, slot):\n        return arch.name[0]\n"
    )
    with pytest.raises(StrategyError) as caught:
        evaluate(f"{path}:ByHash", "fashion14", plan=_short("full"), instances=1)
    text = str(caught.value)
    assert text.startswith(f"strategy '{path}:ByHash' gives child ")
    assert text.endswith(
        " other weights to share in another process than in this one; its key must not depend on hash() of a text, the "
        "order of a set, id() or state, which differ from process to process: compute it from arch and slot alone"
    )
    check_elsewhere(resolve(f"{path}:ByName", DEEPER64, SMALL), DEEPER64, SMALL)


def test_instances_and_seeds_are_whole_numbers() -> None:
    for name in ("instances", "first_seed"):
        with pytest.raises(UsageError) as caught:
            prepare("full", "fashion14", **{name: 1.0})  # type: ignore[arg-type]
        assert str(caught.value) == f"{name} is 1.0; it must be a whole number"


def _short(name: str) -> Plan:
    from nasbench_ws.tables.table import load

    return Plan(name, load("fashion14").recipe, steps=64)


# -- gathering -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pieces", "times", "child", "wrong"),
    [([([0, 1], [1, 2])], 0, 2, 2), ([([0, 1, 2], [1, 2, 3]), ([3, 1], [4, 5])], 2, 1, 1)],
)
def test_every_child_has_exactly_one_score(pieces: Any, times: int, child: int, wrong: int) -> None:
    with pytest.raises(StrategyError) as caught:
        merged("mine", 4, pieces)
    assert str(caught.value) == (
        f"mine gave child {child} {times} scores, and {wrong} of 4 children have none or several; every child needs "
        "exactly one: delete the folder of kept parts, and check the strategy with nasbench_ws.testing"
    )


def test_pieces_come_together_in_their_places() -> None:
    whole = merged("mine", 4, [([2, 0], [1.0, None]), ([1, 3], [3, 4])])
    assert np.array_equal(whole, [np.nan, 3, 1, 4], equal_nan=True)
    assert merged("mine", 2, [([1], [[1], [2]]), ([0], [[3], [4]])]).tolist() == [[3, 1], [4, 2]]


# -- what is kept --------------------------------------------------------------------------------------

CHANGES: dict[str, Any] = {
    "strategy": "none", "recipe": Recipe(lr=0.2), "steps": 640, "match": "steps", "schedule": "cycle",
    "batch_norm": ("batch",), "last": 3, "last_images": 7, "average": 0.9, "fine_tune": (1, 2), "interference": 1,
    "extra_lr": 0.1, "end_lr": 0.5, "valid_images": 9, "quick": True, "score_every": 8,
}  # fmt: skip


def identity(tiny: Any, plan: Plan, work: Any = None, images: Any = None) -> str:
    pieces = [Piece(0, 0, work or Net(Part((0, 1), 3), ("a", "b")))]
    problem = Problem.of(tiny.recipe, DEEPER64)
    return evaluation._identity(WeightSharing(plan), problem, images or tiny.images, pieces)


def test_the_identity_is_stable_and_changes_with_every_field(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan("full", tiny.recipe)
    first = identity(tiny, plan)
    assert first == identity(tiny, Plan("full", replace(tiny.recipe)))
    assert len(first) == 16
    assert int(first, 16) >= 0
    assert {field.name for field in fields(Plan)} == set(CHANGES)
    others = [identity(tiny, replace(plan, **{name: value})) for name, value in CHANGES.items()]
    others += [
        identity(tiny, plan, Net(Part((0, 1), 4), ("a", "b"))),
        identity(tiny, plan, Net(Part((0, 2), 3), ("a", "b"))),
        identity(tiny, plan, Net(Part((0, 1), 3), ("a", "c"))),
        identity(tiny, plan, images=replace(tiny.images, digest="8" * 64)),
    ]
    monkeypatch.setattr(evaluation, "versions", lambda: {"nasbench-ws": "9.9"})
    others.append(identity(tiny, plan))
    assert len({first, *others}) == len(others) + 1


@pytest.mark.parametrize("field", [field.name for field in fields(Recipe)])
def test_the_identity_changes_with_every_field_of_the_recipe(tiny: Any, field: str) -> None:
    recipe = tiny.recipe
    value = getattr(recipe, field)
    others = {"macro": "paper", "output": "sum", "inactive": "drift", "space": "quad", "dilated_kernel": 3}
    other = "2" if field == "cycles" else others.get(field)
    if other is None:
        other = not value if isinstance(value, bool) else value + ("x" if isinstance(value, str) else 1)
        other = value / 2 if isinstance(value, float) and value else other
    changed = identity(tiny, Plan("full", replace(recipe, **{field: other})))
    assert changed != identity(tiny, Plan("full", recipe))


def test_code_is_that_of_the_file_and_of_what_it_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules beside it, and theirs; neither numpy nor this package, which have versions."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "ws_helper.py").write_text("import json\nimport ws_deeper\n")
    (tmp_path / "ws_deeper.py").write_text("KINDS = ['bn']\n")
    (tmp_path / "other.py").write_text("")
    mine = tmp_path / "mine.py"
    mine.write_text(
        "import numpy\nfrom nasbench_ws.sharing import full\nfrom ws_helper import ws_deeper\n"
        "class S:\n    def key(self, arch, slot): return None\n"
    )
    PLUGINS.find(f"{mine}:S")
    found = sources([f"{mine}:S"])
    assert set(found) == {str(mine), str(tmp_path / "ws_helper.py"), str(tmp_path / "ws_deeper.py")}
    (tmp_path / "ws_deeper.py").write_text("KINDS = ['linear']\n")
    assert sources([f"{mine}:S"]) != found
    assert sources(["full", "groups:similar:4"]) == {}
    assert set(sources([Last()])) == {__file__}


def test_code_is_also_what_a_file_reads_while_it_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data file, a module by a name that is made up, and what a library reads for it; not what it writes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "ws_dynamic.py").write_text("N = 2\n")
    (tmp_path / "data.json").write_text("2")
    np.save("data.npy", np.arange(3))
    (tmp_path / "mine.py").write_text(
        "import importlib, json, numpy\nfrom pathlib import Path\nn = json.loads(Path('data.json').read_text())\n"
        "Path('log').write_text('x')\nPath('/proc/self/stat').read_text()\nimportlib.import_module('ws_' + 'dynamic')\n"
        "class S:\n    def __init__(self): self.x = numpy.load('data.npy')\n\n"
        "    def key(self, arch, slot): return None\n"
    )
    PLUGINS.make("S", PLUGINS.find("mine.py:S"))
    found = sources(["mine.py:S"])
    assert {Path(name).name for name in found} == {"mine.py", "ws_dynamic.py", "data.json", "data.npy"}
    (tmp_path / "data.json").write_text("3")
    assert {name for name, digest in sources(["mine.py:S"]).items() if digest != found[name]} == {
        str(tmp_path / "data.json")
    }
    assert open is builtins.open is io.open


def test_an_object_without_a_file_is_not_kept() -> None:
    space: dict[str, Any] = {"__name__": "nowhere"}
    exec("class Mine:\n    def key(self, arch, slot): return None\n", space)
    with pytest.raises(UsageError) as caught:
        sources([space["Mine"]])
    assert str(caught.value) == (
        "Mine is in no file, so that an edited one could not be distinguished from what is kept; write it in a file, "
        "or leave folder out"
    )


def test_one_evaluation_does_not_delete_what_another_keeps(tiny: Any, tmp_path: Path) -> None:
    """Of the same strategy with other steps, and of the very same with other seeds."""
    short, long = (Plan("full", tiny.recipe, steps=steps) for steps in (64, 128))
    kept = [
        prepare("full", tiny.table, plan=plan, instances=1, first_seed=seed, folder=tmp_path, load=tiny.load)
        for plan, seed in ((short, 0), (short, 1), (long, 0))
    ]
    for one in kept:
        one.run()
    paths = [one.place(one.pieces[0]) for one in kept]
    assert len({path.parent for path in paths if path}) == 2
    kept[0].forget()
    assert [path is not None and path.exists() for path in paths] == [False, True, True]
    kept[2].forget()
    kept[1].forget()
    assert not tmp_path.exists()


def test_the_very_same_evaluation_at_work_beside_it_keeps_its_pieces(tiny: Any, tmp_path: Path) -> None:
    """Two of the same seeds at once: what the second is told is kept must not go with the first one's end."""
    one = prepare("params", tiny.table, plan=Plan("full", tiny.recipe), folder=tmp_path / "w", load=tiny.load)
    one = replace(one, pieces=[replace(piece, size=1) for piece in one.pieces])  # as if it were worth keeping
    one.run()
    assert one.kept is not None
    (path,) = map(one.place, one.pieces)
    assert path is not None
    assert path.exists()
    code = (
        "import sys\nfrom pathlib import Path\nfrom nasbench_ws.evaluation.at_work import in_use\n"
        "with in_use(Path(sys.argv[1])):\n print('at work', flush=True)\n sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(one.kept)], stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "at work\n"
        one.forget()
        assert path.exists()
        other.kill()  # however it ends
    one.forget()
    assert not (tmp_path / "w").exists()
