"""Evaluations: what strategies see, exact repetition however the work is done, and what a result says of it.

Scores are compared to the last bit. Statistics are quick ones (conftest.py): what they mean is tested in test_assess.
"""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from nasbench_ws.errors import DataError, OutputError, ResultError, StrategyError, TableError, UsageError
from nasbench_ws.evaluation import evaluate as module
from nasbench_ws.evaluation.evaluate import evaluate
from nasbench_ws.evaluation.fit import problem_of
from nasbench_ws.evaluation.work import Source, run_piece
from nasbench_ws.images.dataset import Images, Split
from nasbench_ws.images.loaders import load_images
from nasbench_ws.rankers import part
from nasbench_ws.rankers.base import Piece
from nasbench_ws.rankers.cost import work_of
from nasbench_ws.rankers.plan import Part, Plan
from nasbench_ws.rankers.weight_sharing import WeightSharing
from nasbench_ws.recipe import Recipe
from nasbench_ws.results.result import Result
from nasbench_ws.sharing.strategies import of_instance
from nasbench_ws.space.blocks import Slot
from nasbench_ws.space.cell import Architecture
from nasbench_ws.space.child import child_network, mac_count
from nasbench_ws.space.macro import build_macro
from nasbench_ws.space.problem import Problem
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.tables import file as table_file
from nasbench_ws.tables import table as table_module
from nasbench_ws.tables.columns import Content
from nasbench_ws.tables.table import Table
from nasbench_ws.training.batch_norm import BatchNorm
from nasbench_ws.training.building.standalone import train_run
from nasbench_ws.training.scoring import Scorer
from nasbench_ws.training.supernet import SuperNet

CHILDREN = list(DEEPER64)
pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def run(tiny: Any) -> Callable[..., Result]:
    """Evaluate on the tiny images: 64 steps, one for each child, unless told otherwise."""

    def run(strategy: str, instances: int = 1, table: Any = None, **options: Any) -> Result:
        names = {"load", "workers", "folder", "executor", "on_progress", "first_seed"}
        given = {name: options.pop(name) for name in names & set(options)}
        plan = Plan(strategy, **({"recipe": tiny.recipe, "steps": 64, "batch_norm": ("running",)} | options))
        return evaluate(strategy, table or tiny.table, plan=plan, instances=instances, **({"load": tiny.load} | given))

    return run


@pytest.fixture
def parts_run(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """(seed, number) of each part that is trained in this process."""
    done: list[tuple[int, int]] = []
    real = module.run_piece

    def counting(ranker: Any, problem: Problem, root: Any, piece: Piece, on_step: Any) -> Mapping[str, Any]:
        done.append((piece.seed, piece.number))
        return real(ranker, problem, root, piece, on_step)

    monkeypatch.setattr(module, "run_piece", counting)
    return done


def timeless(result: Result) -> dict[str, Any]:
    """Everything but the seconds, which no machine repeats."""
    data = json.loads(json.dumps(result.to_dict()))
    for name in ("seconds", "cpu_seconds"):  # the second is not there where none was measured
        data["budget"].pop(name, None)
    return data  # type: ignore[no-any-return]


# -- laws of sharing ----------------------------------------------------------------------------------


def test_none_is_standalone_training(run: Callable[..., Result], tiny: Any) -> None:
    """The paper's ground truth is its m = 64 grouping: each part ends where the child's own run ends."""
    assert tiny.recipe.steps == 4
    result = run("none", steps=4 * 64, first_seed=2)
    for arch in CHILDREN:
        alone = train_run(tiny.recipe, arch, 2, tiny.images)
        assert result.scores[0, arch.index] == alone.curves["valid_accuracy"][-1]
    assert len(set(result.scores[0])) > 8  # and they differ


def test_a_schedule_of_a_file(run: Callable[..., Result], tmp_path: Path, parts_run: list[tuple[int, int]]) -> None:
    """It trains as the built-in one that it repeats; what is kept is for that very file."""
    file, folder = tmp_path / "mine.py", tmp_path / "parts"
    body = (
        "import itertools\n\n\ndef mine(children, rng):\n"
        "    return itertools.cycle([(i,) for i in sorted(range(len(children)), key=lambda i: children[i].index)])\n"
    )
    file.write_text(body + f"with open({str(tmp_path / 'ran')!r}, 'a') as file:\n    file.write('.')\n")
    result = run("full", schedule=f"{file}:mine", folder=folder)
    assert (tmp_path / "ran").read_text() == "."  # the file is run once, whoever asks
    assert result.scores.tobytes() == run("full", schedule="cycle").scores.tobytes()
    assert result.outcome.schedule == f"{file}:mine"
    assert len(parts_run) == 2
    run("full", schedule=f"{file}:mine", folder=folder)
    assert len(parts_run) == 2  # kept
    file.write_text(body + "\n# edited\n")
    run("full", schedule=f"{file}:mine", folder=folder)
    assert len(parts_run) == 3


def test_64_groups_are_none_and_one_group_is_full(run: Callable[..., Result]) -> None:
    first = []
    for same, name in (("groups:similar:64", "none"), ("groups:random:1", "full")):
        one, other = run(same), run(name)
        assert one.scores.tobytes() == other.scores.tobytes()
        assert one["trained"] == other["trained"]
        assert timeless(one)["budget"] == timeless(other)["budget"]
        first.append(one.scores.tobytes())
    assert first[0] != first[1]


def test_random_groups_differ_from_instance_to_instance(run: Callable[..., Result], tiny: Any) -> None:
    """One division for all instances would say something of that division, and nothing of random groups."""

    def divisions(name: str) -> list[frozenset[tuple[int, ...]]]:
        ranker = WeightSharing(Plan(name, tiny.recipe, steps=64))
        problem = Problem.of(tiny.recipe, DEEPER64)
        pieces = ranker.tasks(problem, tiny.images, range(5))
        return [frozenset(p.work.part.children for p in pieces if p.seed == seed) for seed in range(5)]

    drawn = divisions("groups:random:4")
    assert len(set(drawn)) == 5
    assert all(len(division) == 4 for division in drawn)
    assert len(set(divisions("groups:random:4:7"))) == 1
    assert len(set(divisions("groups:similar:4"))) == 1
    both = run("groups:random:4", instances=2)
    for seed in (0, 1):  # each instance is what its own division gives by name, and the other division is not
        named = run(of_instance("groups:random:4", seed), first_seed=seed)
        assert both.scores[seed].tobytes() == named.scores[0].tobytes()
        assert both.scores[seed].tobytes() != run("groups:random:4:0", first_seed=seed).scores[0].tobytes()


def test_an_edge_is_four_groups(run: Callable[..., Result]) -> None:
    assert run("edge:0->1").scores.tobytes() == run("groups:similar:4").scores.tobytes()


def test_a_part_does_not_depend_on_what_stands_beside_it(run: Callable[..., Result], tmp_path: Path) -> None:
    """The first group of four is trained alike where the other children share in another way."""
    mixed = tmp_path / "mixed.py"
    mixed.write_text("def key(arch, slot):\n    return 'first' if arch.index < 16 else arch.name\n")
    scores = run(f"{mixed}:key").scores
    assert np.array_equal(scores[:, :16], run("groups:similar:4").scores[:, :16])
    assert np.array_equal(scores[:, 16:], run("none").scores[:, 16:])


# -- what strategies see ------------------------------------------------------------------------------

SPY = """
seen = []

class Spy:
    def key(self, arch, slot):
        seen.append(("key", type(arch), type(slot)))
        return None

    def schedule(self, children, rng):
        seen.append(("schedule", {type(child) for child in children}, type(rng)))
        while True:
            yield [int(rng.integers(len(children)))]
"""


def test_strategies_are_given_children_and_slots_and_nothing_else(run: Callable[..., Result], tmp_path: Path) -> None:
    path = tmp_path / "spy.py"
    path.write_text(SPY)
    run(f"{path}:Spy")
    seen = sys.modules["_nasbench_ws_strategy_spy"].seen
    keys = {what[1:] for what in seen if what[0] == "key"}
    schedules = [what[1:] for what in seen if what[0] == "schedule"]
    assert keys == {(Architecture, Slot)}
    assert schedules
    assert all(what == ({Architecture}, np.random.Generator) for what in schedules)


def test_test_images_are_not_even_loaded(
    run: Callable[..., Result], tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, given = [], []

    def load(name: str, splits: Sequence[str] = ("train", "valid", "test"), **options: Any) -> Images:
        asked.append((name, tuple(splits)))
        images = tiny.load(name, splits)
        given.append(images)
        return images

    run("groups:similar:4", load=load, batch_norm=("running", "batch:32", "recalibrate:64"), last=2, average=0.5)
    assert set(asked) == {("tiny", ("train", "valid"))}
    for images in given:
        assert set(images.splits) == {"train", "valid"}
        with pytest.raises(DataError, match="test images are for the table's ground truth only"):
            _ = images.test


def test_parts_run_without_a_table(
    run: Callable[..., Result], tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training and scoring work where no table can be opened, and give what an evaluation has."""
    expected = run("groups:similar:4").scores

    def closed(*_: Any, **__: Any) -> Any:
        raise AssertionError("a table was opened")

    for place, name in ((module, "load_table"), (table_module, "load"), (table_file, "read_table"), (h5py, "File")):
        monkeypatch.setattr(place, name, closed)
    ranker = WeightSharing(Plan("groups:similar:4", tiny.recipe, steps=64))
    problem = Problem.of(tiny.recipe, DEEPER64)
    for piece in ranker.tasks(problem, tiny.images, [0]):
        outcome = run_piece(ranker, problem, Source(load=tiny.load), piece, lambda step: None)
        assert outcome["scores"]["running"]["accuracy"] == expected[0, outcome["children"]].tolist()
        assert b"table" not in pickle.dumps((ranker, problem, piece)).lower()  # nor is there one in what travels


def test_progress_counts_readouts_and_ends_at_the_whole(run: Callable[..., Result], tiny: Any) -> None:
    plan = Plan(
        "groups:similar:16", tiny.recipe, steps=64, batch_norm=("running", "recalibrate:32"), last=1,
        average=0.5, fine_tune=(0, 2), interference=1,
    )  # fmt: skip
    told: list[float] = []
    ranker, problem = WeightSharing(plan), Problem.of(tiny.recipe, DEEPER64)
    piece = ranker.tasks(problem, tiny.images, [0])[3]
    outcome = ranker.run(piece, problem, tiny.images, told.append)
    work = work_of(plan, Part(tuple(outcome["children"]), outcome["steps"]), 1, 64, readout_modes=2)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(work.total) == pytest.approx(piece.size)
    assert outcome["child_updates"] == outcome["steps"] * work.step
    assert len(told) == outcome["steps"] + 2 * 2 + 2 * len(outcome["children"])
    trained = outcome["child_updates"] + 4 * (2 + 1)  # fine-tuning and interference
    scored = 2 * 2 * 4 * 64 + (2 + 4) * 4 * 64 + 4 * 2 * 2 * 64  # images: modes, snapshots and interference, tuning
    assert work.total == pytest.approx(trained + scored / tiny.recipe.batch_size / 3)


def test_scores_know_nothing_of_the_ground_truth(
    run: Callable[..., Result], tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other test labels and another table change the metrics, and not one score."""
    before = run("full", instances=2, batch_norm=("running", "batch:32"))
    labels = tiny.images.test.labels[::-1].copy()
    splits = {**tiny.images.splits, "test": Split(tiny.images.test.pixels, labels)}
    shuffled = replace(tiny, images=replace(tiny.images, splits=splits))
    remade = tiny.remade(tiny.recipe, seed=9)
    after = run("full", load=shuffled.load, instances=2, table=remade, batch_norm=("running", "batch:32"))
    assert after.scores.tobytes() == before.scores.tobytes()
    assert after["other_batch_norm"]["batch:32"]["scores"] == before["other_batch_norm"]["batch:32"]["scores"]
    assert after["metrics"]["kendall_tau"]["mean"] != before["metrics"]["kendall_tau"]["mean"]


# -- repetition ---------------------------------------------------------------------------------------


class Reversed(Executor):
    """Takes everything, then does it in this process, last first."""

    def __init__(self, count: int) -> None:
        self.count, self.taken = count, []  # type: ignore[var-annotated]

    def submit(self, function: Any, /, *arguments: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.taken.append((future, function, arguments, options))
        if len(self.taken) == self.count:
            for taken, work, given, named in reversed(self.taken):
                taken.set_result(work(*given, **named))
        return future


@pytest.mark.parametrize("strategy", ["groups:similar:4", "split:0->1"])
def test_the_same_evaluation_twice(run: Callable[..., Result], strategy: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {"instances": 2, "batch_norm": ("running", "recalibrate:64"), "last": 2, "average": 0.9}
    first = timeless(run(strategy, **options))
    count = 2 * first["budget"]["super_nets"]
    assert timeless(run(strategy, **options)) == first
    assert timeless(run(strategy, folder=tmp_path, executor=Reversed(count), **options)) == first  # in another order
    assert timeless(run(strategy, folder=tmp_path, **options)) == first  # read from the files that left behind
    with ThreadPoolExecutor(1) as threads:
        assert timeless(run(strategy, executor=threads, **options)) == first


def test_instances_are_their_seeds(run: Callable[..., Result]) -> None:
    both = run("full", instances=2, first_seed=5)
    assert both["seeds"] == [5, 6]
    assert run("full", first_seed=6).scores[0].tobytes() == both.scores[1].tobytes()
    assert both.scores[0].tobytes() != both.scores[1].tobytes()


def test_two_worker_processes(tiny: Any, tmp_path: Path) -> None:
    """On the shipped images, which workers load for themselves."""
    recipe = Recipe(train_images=256, batch_size=64, channels=4, cells=1, epochs=1)
    plan = Plan("groups:similar:2", recipe, steps=64)
    made = tiny.remade(recipe).content
    table = Table(Content({**made.attributes, "images_digest": load_images("fashion14").digest}, made.columns))
    fractions: list[float] = []
    with_workers = evaluate(
        "groups:similar:2", table, plan=plan, instances=1, workers=2, folder=tmp_path,
        on_progress=lambda progress: fractions.append(progress.fraction),
    )  # fmt: skip
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    here = evaluate("groups:similar:2", table, plan=plan, instances=1)
    assert timeless(with_workers) == timeless(here)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_change_no_number(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    seen = []
    train = part.train

    def noting(*arguments: Any) -> Any:
        seen.append(torch.get_num_threads())
        return train(*arguments)

    monkeypatch.setattr(part, "train", noting)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        run("full")
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert seen == [1]


# -- interruption -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [0, 1, 5])
def test_an_interrupted_evaluation_goes_on(
    run: Callable[..., Result], parts_run: list[tuple[int, int]], tmp_path: Path, kept: int
) -> None:
    expected = timeless(run("groups:similar:4", instances=2))
    everything = [(seed, number) for seed in (0, 1) for number in range(4)]
    assert parts_run == everything
    parts_run.clear()

    def interrupt(progress: Any) -> None:
        if progress.done == kept:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("groups:similar:4", instances=2, folder=tmp_path, on_progress=interrupt)
    assert parts_run[:kept] == everything[:kept]
    parts_run.clear()
    reports = []
    result = run("groups:similar:4", instances=2, folder=tmp_path, on_progress=reports.append)
    assert parts_run == everything[kept:]  # what was finished is not trained again
    assert timeless(result) == expected
    assert reports[-1].total == len(everything) - kept
    parts_run.clear()
    reports.clear()
    assert timeless(run("groups:similar:4", instances=2, folder=tmp_path, on_progress=reports.append)) == expected
    assert parts_run == []
    assert [report.fraction for report in reports] == [1.0]


def test_more_instances_go_on_from_fewer(
    run: Callable[..., Result], parts_run: list[tuple[int, int]], tmp_path: Path
) -> None:
    run("full", instances=1, folder=tmp_path)
    parts_run.clear()
    more = run("full", instances=3, folder=tmp_path)
    assert parts_run == [(1, 0), (2, 0)]
    assert timeless(more) == timeless(run("full", instances=3))


@pytest.mark.parametrize(
    "changes",
    [{"steps": 128}, {"schedule": "cycle"}, {"match": "group-compute"}, {"batch_norm": ("batch:32",)}, {"last": 1}],
)
def test_another_plan_does_not_take_the_parts_of_this_one(
    run: Callable[..., Result], parts_run: list[tuple[int, int]], tmp_path: Path, changes: dict[str, Any]
) -> None:
    run("groups:similar:2", folder=tmp_path)
    parts_run.clear()
    other = run("groups:similar:2", folder=tmp_path, **changes)
    assert parts_run == [(0, 0), (0, 1)]
    assert timeless(other) == timeless(run("groups:similar:2", **changes))


def test_an_edited_strategy_is_not_taken_for_the_old(
    run: Callable[..., Result], parts_run: list[tuple[int, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the sharing is the same, the code is not: the schedule may be another. Of a file and of a module."""
    text = "class S:\n    schedule = '{}'\n    def key(self, arch, slot): return None\n"
    file = tmp_path / "ws_edited.py"
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for name in (f"{file}:S", "ws_edited:S"):
        file.write_text(text.format("cycle"))
        first = run(name, folder=tmp_path / "work")
        parts_run.clear()
        run(name, folder=tmp_path / "work")
        assert parts_run == []
        file.write_text(text.format("shuffle"))
        sys.modules.pop("ws_edited", None)
        second = run(name, folder=tmp_path / "work")
        assert parts_run == [(0, 0)]
        assert second["plan"]["schedule"] == "shuffle"
        assert first.scores.tobytes() != second.scores.tobytes()
        sys.modules.pop("ws_edited", None)


def test_a_damaged_part_is_named(run: Callable[..., Result], tmp_path: Path) -> None:
    run("full", folder=tmp_path)
    (part,) = tmp_path.glob("*/0-0.json")
    part.write_text(part.read_text()[:100])
    with pytest.raises(ResultError) as caught:
        run("full", folder=tmp_path)
    assert str(caught.value).startswith(f"{part} is not a whole file of a nasbench-ws part (")
    part.unlink()
    assert timeless(run("full", folder=tmp_path)) == timeless(run("full"))


# -- budget -------------------------------------------------------------------------------------------


def sizes(tiny: Any) -> tuple[list[int], list[int]]:
    """Multiply-adds and parameters of each child."""
    macro = build_macro(tiny.recipe, 6, 6, 1, 4)
    networks = [child_network(macro, arch) for arch in CHILDREN]
    params = [sum(int(np.prod(s)) for _, shapes in n.layers() for s in shapes) for n in networks]
    return [mac_count(network) for network in networks], params


@pytest.mark.parametrize(("strategy", "nets"), [("full", 1), ("groups:similar:4", 4), ("none", 64)])
def test_the_budget_is_exact(run: Callable[..., Result], tiny: Any, strategy: str, nets: int) -> None:
    """Each child is trained once on 64 images, at three forward passes' multiply-adds an update."""
    macs, params = sizes(tiny)
    budget = run(strategy, instances=2)["budget"]
    assert budget["seconds"] > 0
    inexact = ("seconds", "cpu_seconds", "parameters", "weight_bytes")
    assert {name: value for name, value in budget.items() if name not in inexact} == {
        "per": "instance", "match": "child-updates", "steps": 64, "child_updates": 64, "images": 64 * 64,
        "macs": sum(macs) * 64 * 3, "super_nets": nets,
    }  # fmt: skip
    assert budget["weight_bytes"] == 4 * budget["parameters"]
    if strategy == "none":
        assert budget["parameters"] == sum(params)


def test_the_papers_match_gives_groups_more(run: Callable[..., Result]) -> None:
    budget = run("groups:similar:4", match="steps", steps=64)["budget"]
    assert (budget["steps"], budget["child_updates"], budget["images"]) == (4 * 64, 4 * 64, 4 * 64 * 64)
    assert budget["match"] == "steps"


def test_several_children_a_step(run: Callable[..., Result], tiny: Any) -> None:
    """`fair` sums four children's gradients in a step: a quarter of the steps, and as many updates."""
    result = run("full", schedule="fair")
    assert result["plan"]["schedule"] == "fair"
    assert (result["budget"]["steps"], result["budget"]["child_updates"]) == (16, 64)
    assert sum(result["trained"][0].values()) == 64


def test_the_realised_schedule_is_logged(run: Callable[..., Result]) -> None:
    trained = run("groups:similar:4", instances=2, steps=128)["trained"]
    assert trained == [{arch.name: 2 for arch in CHILDREN}] * 2  # `shuffle`: two cycles
    uniform = run("full", schedule="uniform", steps=640)["trained"][0]
    assert sum(uniform.values()) == 640
    assert len(set(uniform.values())) > 3


# -- what a result holds ------------------------------------------------------------------------------


def test_a_result_says_what_it_was_made_of(run: Callable[..., Result], tiny: Any, tmp_path: Path) -> None:
    result = run("prefix:1", instances=2, batch_norm=("batch:32", "running"))
    assert result["strategy"] == "prefix:1"
    assert result["table"] == {"name": "tiny", "digest": tiny.table.digest}
    assert result.scores.shape == (2, 64)
    assert result["batch_norm"] == "batch:32"
    assert list(result["other_batch_norm"]) == ["running"]
    assert result["recipe"] == tiny.recipe.to_dict()
    assert result["plan"]["schedule"] == "shuffle"
    assert result["diverged"] == []
    assert result["window"] is None
    result.save(tmp_path / "result.json")
    assert Result.load(tmp_path / "result.json") == result
    assert result.verdict in " ".join(str(result).split())


def test_a_schedule_of_ones_own_has_a_name(run: Callable[..., Result], tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text(
        "import functools, itertools\n"
        "def backwards(children, rng, by): return itertools.cycle([[i] for i in range(len(children))][::by])\n"
        "class S:\n    schedule = staticmethod(functools.partial(backwards, by=-1))\n"
        "    def key(self, arch, slot): return None\n"
        "class T(S):\n    schedule = staticmethod(lambda children, rng: backwards(children, rng, -1))\n"
        "class U(S):\n    def schedule(self, children, rng): return backwards(children, rng, -1)\n"
    )
    results = [run(f"{path}:{name}") for name in "STU"]
    assert [result["plan"]["schedule"] for result in results] == ["partial", "<lambda>", "schedule"]
    assert len({result.scores.tobytes() for result in results}) == 1


def test_a_table_by_path(tiny: Any, tmp_path: Path) -> None:
    path = tmp_path / "my.h5"
    table_file.write_table(path, tiny.table.content)
    plan = Plan("none", tiny.recipe, steps=64)
    result = evaluate("full", path, plan=plan, instances=1, load=tiny.load)
    assert result["strategy"] == result["plan"]["strategy"] == "full"  # the one asked for, whatever the plan says
    assert result["table"] == {"name": "my.h5", "digest": tiny.table.digest}


def test_snapshots_of_the_last_steps(run: Callable[..., Result], tiny: Any) -> None:
    """(instances, k, children); the last is the score itself, on as many images."""
    modes = ("running", "recalibrate:64")
    result = run("groups:similar:4", instances=2, last=3, batch_norm=modes)
    window = np.array(result["window"]["scores"])
    assert window.shape == (2, 3, 64)
    assert np.array_equal(window[:, -1], result.scores)
    assert not np.array_equal(window[:, 0], window[:, -1])
    trained = result["window"]["trained"]
    assert [[len(part) for part in instance] for instance in trained] == [[3] * 4] * 2
    recalibrated = np.array(result["window"]["other_batch_norm"]["recalibrate:64"]["scores"])
    assert np.array_equal(recalibrated[:, -1], result.outcome.scores["recalibrate:64"])
    assert not np.array_equal(recalibrated, window)


def test_a_window_is_read_at_a_live_learning_rate(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a last rate of 0 the weights would stand still in it; what is asked for without a window is unchanged."""
    rates: list[float] = []
    step = SuperNet.step

    def told(self: Any, numbers: Any, images: Any, labels: Any, lr: float) -> Any:
        rates.append(lr)
        return step(self, numbers, images, labels, lr)

    monkeypatch.setattr(SuperNet, "step", told)
    ends = {}
    for name, asked in {
        "plain": {}, "window": {"last": 2}, "still": {"last": 2, "end_lr": 0}, "alive": {"end_lr": 0.04},
    }.items():  # fmt: skip
        rates.clear()
        ends[name] = (run("full", **asked), rates[-1] / max(rates))
    peak = {name: end for name, (_, end) in ends.items()}
    assert peak["plain"] == peak["still"] == 0
    assert peak["window"] == pytest.approx(0.04, rel=1e-2)  # the highest of 64 rates is a little below the peak
    assert peak["alive"] == peak["window"]
    scores = {name: one.scores.tobytes() for name, (one, _) in ends.items()}
    assert scores["plain"] == scores["still"]
    assert scores["window"] == scores["alive"] != scores["plain"]
    plans = {name: one["plan"].get("end_lr") for name, (one, _) in ends.items()}
    assert plans == {"plain": None, "window": 0.04, "still": 0, "alive": 0.04}
    assert "end_lr" not in ends["plain"][0]["plan"]  # as in files of older versions, which are joined with it
    assert ends["window"][0].outcome.end_lr == 0.04
    assert ends["plain"][0].outcome.end_lr == 0


def test_snapshots_on_the_first_images(run: Callable[..., Result], tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    window = np.array(run("full", last=2, end_lr=0, last_images=16)["window"]["scores"])
    valid = Split(tiny.images.valid.pixels[:16], tiny.images.valid.labels[:16])
    few = replace(tiny, images=replace(tiny.images, splits={**tiny.images.splits, "valid": valid}))
    assert np.array_equal(window[0, -1], run("full", load=few.load).scores[0])


def test_snapshots_change_no_score(run: Callable[..., Result]) -> None:
    plain = run("full")
    extras: dict[str, Any] = {"last": 5, "average": 0.9, "fine_tune": (0, 1), "interference": 1, "extra_lr": 0.05}
    rich = run("full", end_lr=0, **extras)
    assert set(rich["readouts"]["fine_tune"]) == {"running", "recalibrate:256"}  # there are no 1,024 training images
    assert rich.scores.tobytes() == plain.scores.tobytes()
    assert np.shape(rich["readouts"]["average"]["running"]["scores"]) == (1, 64)
    (part,) = rich["readouts"]["interference"][0]
    assert np.shape(part["interference"]) == np.shape(part["gradient_cosine"]) == (64, 64)


# -- divergence ---------------------------------------------------------------------------------------


def test_a_recipe_that_diverges_is_recorded_and_not_hidden(
    run: Callable[..., Result], tiny: Any, parts_run: list[tuple[int, int]], tmp_path: Path
) -> None:
    options: dict[str, Any] = {"recipe": replace(tiny.recipe, lr=1e6), "batch_norm": ("running", "batch:32")}
    result = run("full", instances=2, folder=tmp_path, average=0.9, last=2, **options)
    assert np.isnan(result.scores).all()
    assert [one["seed"] for one in result["diverged"]] == [0, 1]
    assert all(one["children"] == list(range(64)) and 1 <= one["step"] <= 64 for one in result["diverged"])
    assert result["metrics"] == {}
    assert result["window"] is None
    assert result.verdict == "Every instance diverged: there is nothing to rank."
    assert "diverged: 2 super-nets, the first at step " in str(result)
    parts_run.clear()
    assert timeless(run("full", instances=2, folder=tmp_path, average=0.9, last=2, **options)) == timeless(result)
    assert parts_run == []


@pytest.mark.parametrize("noticed", [True, False])
def test_one_super_net_that_diverges_among_many(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, noticed: bool
) -> None:
    """Noticed by a loss in training, or only when it is scored: its children are NaN, and the others stand."""
    whole = run("groups:similar:16")
    train = part.train

    def break_one(net: Any, *rest: Any) -> int | None:
        end = train(net, *rest)
        if net.children[0].name == "121":
            net.weights.values.fill_(float("nan"))
            return 3 if noticed else end
        return end

    monkeypatch.setattr(part, "train", break_one)
    result = run("groups:similar:16")
    assert np.flatnonzero(np.isnan(result.scores[0])).tolist() == [4, 5, 6, 7]
    others = np.arange(64) // 4 != 1
    assert np.array_equal(result.scores[0, others], whole.scores[0, others])
    assert result["diverged"] == [{"seed": 0, "children": [4, 5, 6, 7], "step": 3 if noticed else 4}]
    assert result["metrics"]["kendall_tau"]["n"] == 1
    assert "diverged: 1 super-nets, the first at step " in str(result)


# -- refusals, before anything is trained -------------------------------------------------------------


@pytest.fixture
def untrained(run: Callable[..., Result], parts_run: list[tuple[int, int]]) -> Callable[..., str]:
    """What is said of an evaluation that trains nothing."""

    def refused(kind: type[Exception], strategy: str = "full", **options: Any) -> str:
        with pytest.raises(kind) as caught:
            run(strategy, **options)
        assert parts_run == []
        return str(caught.value)

    return refused


def test_images_are_told_by_their_digest(tiny: Any) -> None:
    """A folder elsewhere with the same images will do; one of the same name with others will not."""
    table = tiny.remade(replace(tiny.recipe, images="folder:there"))
    problem_of(replace(tiny.recipe, images="folder:here").to_dict(), table)
    module._check_images(tiny.images, table)
    others = replace(tiny.images, digest="8" * 64)
    with pytest.raises(UsageError) as caught:
        module._check_images(others, table)
    assert str(caught.value) == (
        f"the images tiny have digest {'8' * 64}, and the table's {'7' * 64}; a super-net is compared with children of "
        "the same images: find those, or build a table with these"
    )


@pytest.mark.parametrize(
    ("field", "value", "stored"),
    [
        ("images", "'fashion14'", "'tiny'"), ("macro", "'paper'", "'small'"), ("channels", "8", "4"),
        ("cells", "2", "1"), ("output", "'sum'", "''"), ("dilated_kernel", "3", "0"),
    ],
)  # fmt: skip
def test_a_recipe_of_another_kind_than_the_tables(
    untrained: Callable[..., str], tiny: Any, field: str, value: str, stored: str
) -> None:
    recipe = replace(tiny.recipe, **{field: json.loads(value.replace("'", '"'))})
    assert untrained(UsageError, recipe=recipe) == (
        f"recipe {field} is {value}, and the table's is {stored}; a super-net is compared with children of the same "
        f"kind: leave {field} as it is, or build a table with {value}"
    )


def test_how_it_is_trained_may_differ_from_the_table(run: Callable[..., Result], tiny: Any) -> None:
    recipe = replace(tiny.recipe, lr=0.05, batch_size=32, train_images=128, inactive="drift", flip=False)
    assert run("full", recipe=recipe)["recipe"] == recipe.to_dict()


def test_no_instances(untrained: Callable[..., str]) -> None:
    assert untrained(UsageError, instances=0) == "instances is 0; it must be at least 1"


def test_a_table_without_ground_truth(untrained: Callable[..., str], tiny: Any) -> None:
    assert untrained(TableError, table=tiny.remade(tiny.recipe, status=2)) == (
        "tiny gives no ground truth: it lacks 112 seed 1 (failed); build what is missing, leave these children "
        "out (--allow-missing), or take column('test_accuracy', skip_missing=True) and say so"
    )


@pytest.mark.parametrize(
    ("mode", "text"),
    [
        (
            "runing",
            "unknown batch norm mode 'runing' (did you mean running?); known are running, batch[:n], recalibrate[:n], "
            "private, probe[:n]",
        ),
        ("batch:1", "batch norm mode 'batch:1': n must be a whole number of at least 2 images"),
        ("recalibrate:257", "recalibrate:257 wants more than the 256 training images"),
        ("batch:65", "batch:65 wants more than the 64 validation images that are scored; give batch:64"),
    ],
)
def test_a_batch_norm_that_cannot_be(untrained: Callable[..., str], mode: str, text: str) -> None:
    assert untrained(UsageError, batch_norm=("running", mode)) == text


def test_a_folder_that_cannot_be_written(untrained: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "work"
    assert untrained(OutputError, folder=folder) == (
        f"{folder} cannot be written: Not a directory; choose a place that can be written"
    )


def test_a_later_key_that_shares_more(untrained: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "more.py"
    path.write_text(
        "class S:\n    later = [(0.5, lambda arch, slot: slot.kind)]\n"
        "    def key(self, arch, slot): return arch if slot.kind == 'bn' else None\n"
    )
    slot = Slot(0, "stem", None, None, 0, "bn")
    assert untrained(StrategyError, f"{path}:S") == (
        f"a later key shares {slot} between children that did not share it before, such as 111 and 112; "
        "sharing may only become less with time"
    )


def test_a_schedule_that_leaves_an_operation_out(untrained: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "lazy.py"
    path.write_text(
        "import itertools\nclass S:\n"
        "    def schedule(self, children, rng): return itertools.cycle([[i] for i in range(48)])\n"
        "    def key(self, arch, slot): return None\n"
    )
    assert untrained(StrategyError, f"{path}:S") == (
        "the schedule never trains 0->1 dil_conv_5x5 in 64 steps; give more steps, or a schedule that visits every "
        "operation"
    )


def test_more_last_steps_than_there_are(untrained: Callable[..., str]) -> None:
    assert untrained(UsageError, "groups:similar:4", last=17) == (
        "the last 17 steps of a super-net that takes 16; ask for fewer"
    )


def test_an_unknown_strategy(untrained: Callable[..., str]) -> None:
    assert untrained(StrategyError, "groups:similar:3") == (
        "64 children do not divide into 3 groups; allowed are 1, 2, 4, 8, 16, 32, 64"
    )


# -- scores -------------------------------------------------------------------------------------------


def test_batch_norm_modes_score_one_super_net(run: Callable[..., Result], tiny: Any) -> None:
    """Scoring leaves the super-net as it is: each mode gives what it gives alone."""
    modes = ("running", "batch:16", "recalibrate:64", "private")
    together = run("full", batch_norm=modes)
    assert str(BatchNorm.parse("batch:16")) == "batch:16"
    assert Scorer(tiny.images, "valid", BatchNorm.parse("running")).batch_norm.mode == "running"
    for mode in modes:
        alone = run("full", batch_norm=(mode,)).scores
        scores = together.scores if mode == "running" else np.array(together["other_batch_norm"][mode]["scores"])
        assert np.array_equal(scores, alone)
