"""The training loop and standalone runs: exact repetition, curves at the recorded steps, divergence on record."""

from __future__ import annotations

import contextlib
import gc
import itertools
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nasbench_ws.provenance import versions
from nasbench_ws.seeds import derive
from nasbench_ws.sharing.groups import groups
from nasbench_ws.sharing.keys import edge, full, none
from nasbench_ws.space.child import child_network
from nasbench_ws.space.macro import build_macro
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.tables.columns import CURVES, METRICS
from nasbench_ws.tables.run import RunRecord, read_run, write_run
from nasbench_ws.training.backend import TORCH, Backend, chosen, usable
from nasbench_ws.training.batch_norm import BatchNorm
from nasbench_ws.training.building.standalone import train_run
from nasbench_ws.training.loop import children_seed, make_batches, one_thread, train
from nasbench_ws.training.scoring import Scorer
from nasbench_ws.training.supernet import StepOutcome, SuperNet

pytestmark = pytest.mark.usefixtures("one_thread")

CHILD = DEEPER64.architecture("234")
CHILDREN = list(DEEPER64)


def macro_of(tiny: Any, recipe: Any = None) -> Any:
    return build_macro(recipe or tiny.recipe, 6, 6, 1, 4)


def super_net(tiny: Any, children: Any, key: Any = full, seed: int = 0, **options: Any) -> SuperNet:
    return SuperNet(tiny.recipe, macro_of(tiny), children, key, seed, **options)


def same_weights(a: SuperNet, b: SuperNet) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.weights.snapshot(), b.weights.snapshot(), strict=True))


def timeless(run: RunRecord) -> dict[str, Any]:
    data = run.to_dict()
    data["curves"].pop("seconds")
    data.pop("cpu_seconds", None)
    return data


# -- a standalone run ---------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", usable(), ids=lambda backend: backend.name)
def test_the_same_seed_twice_is_the_same_to_the_last_bit(tiny: Any, backend: Backend) -> None:
    recipe = replace(tiny.recipe, epochs=2.0)
    one, again, other = (train_run(recipe, CHILD, seed, tiny.images, backend=backend) for seed in (3, 3, 4))
    assert timeless(one) == timeless(again)
    for name in METRICS:
        assert [x.hex() for x in one.curves[name]] == [x.hex() for x in again.curves[name]]
    assert one.curves["train_loss"] != other.curves["train_loss"]


def test_the_plain_path_gives_the_same_numbers_to_rounding(tiny: Any) -> None:
    fast, plain = (train_run(tiny.recipe, CHILD, 0, tiny.images, backend=backend) for backend in (None, TORCH))
    assert fast.curves["train_loss"] == pytest.approx(plain.curves["train_loss"], rel=1e-4)
    assert fast.curves["valid_loss"] == pytest.approx(plain.curves["valid_loss"], rel=1e-3)


def test_what_a_run_records(tiny: Any) -> None:
    run = train_run(tiny.recipe, CHILD, 5, tiny.images)
    assert (run.hash, run.spec, run.seed, run.status, run.error) == (CHILD.hash, CHILD.spec, 5, "ok", "")
    assert run.recipe == tiny.recipe.to_dict()
    assert run.images_digest == tiny.images.digest
    assert run.versions == versions()
    assert run.macro == macro_of(tiny)
    assert run.device == chosen().description(4)
    assert all(0 < a < b for a, b in itertools.pairwise(run.curves["seconds"]))


@pytest.mark.parametrize(
    ("epochs", "points", "expected"),
    [
        (1.0, 2, (0.5, 1.0)),
        (2.0, 4, (0.5, 1.0, 1.5, 2.0)),
        (2.0, 3, (0.75, 1.25, 2.0)),  # of 8 steps the 3rd, 5th and 8th
        (0.25, 5, (0.25,)),  # one step has one point
        (1.5, 1, (1.5,)),
    ],
)
def test_recorded_epochs_and_lengths_of_curves(tiny: Any, epochs: float, points: int, expected: Any) -> None:
    recipe = replace(tiny.recipe, epochs=epochs, points=points)
    run = train_run(recipe, CHILD, 0, tiny.images)
    assert run.epochs == expected
    assert set(run.curves) == set(CURVES)
    assert {len(values) for values in run.curves.values()} == {len(expected)}
    assert all(math.isfinite(x) for values in run.curves.values() for x in values)


def test_curves_are_what_they_say(tiny: Any) -> None:
    """Training: means over the batches since the last point. Validation and test: running statistics, all images."""
    recipe = replace(tiny.recipe, epochs=1.5, points=2)  # 6 steps, points after 3 and 6
    run = train_run(recipe, CHILD, 2, tiny.images)
    net = SuperNet(recipe, macro_of(tiny), [CHILD], none, 2)
    batches = make_batches(recipe, tiny.images, net, 2)
    outcomes = []
    for step in range(6):
        outcomes.append(net.step([0], *next(batches), recipe.learning_rate(step, 6)))
        if step in (2, 5):
            point, since = step // 3, outcomes[step - 2 :]
            assert run.curves["train_loss"][point] == np.mean([o.loss for o in since])
            assert run.curves["train_accuracy"][point] == np.mean([o.accuracy for o in since])
            for split in ("valid", "test"):
                scores = Scorer(tiny.images, split, BatchNorm("running")).score(net)
                assert run.curves[f"{split}_accuracy"][point] == scores.accuracy[0]
                if split == "valid":
                    assert run.curves["valid_loss"][point] == scores.loss[0]


def test_a_run_uses_the_first_training_images_only(tiny: Any) -> None:
    recipe = replace(tiny.recipe, train_images=128)
    images = replace(tiny.images, splits={**tiny.images.splits, "train": tiny.images.subset(128).train})
    assert timeless(train_run(recipe, CHILD, 0, tiny.images)) == timeless(train_run(recipe, CHILD, 0, images))


def test_a_run_learns(tiny: Any) -> None:
    recipe = replace(tiny.recipe, epochs=20.0, points=20, channels=8)
    run = train_run(recipe, CHILD, 0, tiny.images)
    assert run.curves["train_loss"][-1] < 0.7 * run.curves["train_loss"][0]
    assert run.curves["valid_accuracy"][-1] > 0.4  # chance is 0.25


def test_a_run_is_written_and_read_back(tiny: Any, tmp_path: Path) -> None:
    run = train_run(tiny.recipe, CHILD, 7, tiny.images)
    assert read_run(write_run(tmp_path, run)) == run


# -- divergence ---------------------------------------------------------------------------------------


def test_a_run_that_diverges_is_recorded_as_such(tiny: Any, tmp_path: Path) -> None:
    recipe = replace(tiny.recipe, lr=1e20, epochs=2.0, points=8)
    run = train_run(recipe, CHILD, 0, tiny.images)
    assert run.status == "diverged"
    found = re.fullmatch(r"the loss was not finite at step (\d) of 8", run.error)
    assert found is not None
    assert run.points == 8
    for name in METRICS:  # a point a step: NaN from the one at which it was noticed, if not before
        assert all(math.isnan(x) for x in run.curves[name][int(found[1]) - 1 :])
    assert all(math.isfinite(x) for x in run.curves["seconds"])
    read = read_run(write_run(tmp_path, run))
    assert read.to_dict() == run.to_dict()  # NaN is null there, and equals itself


@pytest.mark.parametrize("backend", usable(), ids=lambda backend: backend.name)
def test_a_run_that_is_fine_until_it_is_scored_diverged(tiny: Any, backend: Backend) -> None:
    """The last step's loss is finite, and the weights after it are not: nothing but the scores can tell."""
    recipe = replace(tiny.recipe, lr=3e38, epochs=0.25, warmup=0.0)  # one step
    run = train_run(recipe, CHILD, 0, tiny.images, backend=backend)
    assert run.status == "diverged"
    assert run.error.endswith(" was not finite at one of its 1 points")
    assert math.isnan(run.curves["valid_accuracy"][0])


# -- the loop -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [False, True])
def test_the_collector_is_left_as_it_was(tiny: Any, before: bool) -> None:
    net = super_net(tiny, CHILDREN[:2])
    inside: list[int] = []
    if before:
        gc.freeze()
    try:
        for fails in (False, True):

            def on_step(step: int, outcome: StepOutcome, fails: bool = fails) -> None:
                inside.append(gc.get_freeze_count())
                if fails:
                    raise KeyboardInterrupt

            with pytest.raises(KeyboardInterrupt) if fails else contextlib.nullcontext():
                train(net, make_batches(tiny.recipe, tiny.images, net, 0), np.zeros((2, 1), np.int32), on_step)
            assert (gc.get_freeze_count() > 0) == before
    finally:
        gc.unfreeze()
    assert min(inside) > 1000


def test_one_update_a_step_at_the_recipes_rates(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    net = super_net(tiny, CHILDREN[:3])
    sequence = np.array([[0], [2], [1], [1], [0], [2]], dtype=np.int32)
    made, told = [], []
    step = SuperNet.step

    def noting(self: SuperNet, numbers: Any, images: Any, labels: Any, lr: float) -> StepOutcome:
        made.append((tuple(numbers), len(labels), lr))
        return step(self, numbers, images, labels, lr)

    monkeypatch.setattr(SuperNet, "step", noting)
    assert train(net, make_batches(tiny.recipe, tiny.images, net, 0), sequence, lambda n, _: told.append(n)) is None
    assert made == [((n,), 64, tiny.recipe.learning_rate(i, 6)) for i, n in enumerate((0, 2, 1, 1, 0, 2))]
    assert told == [1, 2, 3, 4, 5, 6]


def test_several_children_a_step_share_a_batch(tiny: Any) -> None:
    both, one = (super_net(tiny, CHILDREN[:2]) for _ in range(2))
    train(both, make_batches(tiny.recipe, tiny.images, both, 0), np.array([[0, 1]], dtype=np.int32))
    images, labels = next(make_batches(tiny.recipe, tiny.images, one, 0))
    gradient = torch.zeros_like(one.weights.values)
    for number in (0, 1):
        one.accumulate(number, images, labels, gradient)
    one.update([0, 1], gradient, tiny.recipe.learning_rate(0, 1))
    assert same_weights(both, one)


def test_training_stops_where_the_loss_is_not_finite(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    net = super_net(tiny, CHILDREN[:2])
    losses = iter([1.0, 2.0, math.inf, 1.0])
    monkeypatch.setattr(SuperNet, "step", lambda *_: StepOutcome(next(losses), 0.0))
    told: list[int] = []
    sequence = np.zeros((4, 1), dtype=np.int32)
    assert train(net, make_batches(tiny.recipe, tiny.images, net, 0), sequence, lambda n, _: told.append(n)) == 3
    assert told == [1, 2]
    assert next(losses) == 1.0


def test_sharing_becomes_less_at_its_time(tiny: Any) -> None:
    """Up to the division it is full sharing; from there on each copy goes its own way from where it was."""
    sequence = np.arange(8, dtype=np.int32)[:, None] * 8  # children 0, 8, ... 56, two of each operation on 0->1
    later = [(0.5, edge((0, 1), DEEPER64))]
    split, shared = (super_net(tiny, CHILDREN) for _ in range(2))
    counts: list[int] = []

    def note(step: int, outcome: StepOutcome) -> None:
        counts.append(len(split.weights.storages))
        if step == 4:
            assert same_weights(split, shared)

    batches = make_batches(tiny.recipe, tiny.images, shared, 0)
    for i in range(4):
        shared.step([i * 8], *next(batches), tiny.recipe.learning_rate(i, 8))
    assert train(split, make_batches(tiny.recipe, tiny.images, split, 0), sequence, note, later) is None
    before, after = (len(super_net(tiny, CHILDREN, key).weights.storages) for key in (full, edge((0, 1), DEEPER64)))
    assert counts == [before] * 4 + [after] * 4
    # Only children 32 and above were trained since: the others' copies are as they were at the division.
    kept, moved = Scorer(tiny.images, "valid", BatchNorm()), range(16)
    assert np.array_equal(kept.score(split, moved).loss, kept.score(shared, moved).loss)
    assert not np.array_equal(kept.score(split, range(32, 48)).loss, kept.score(shared, range(32, 48)).loss)


# -- seeds --------------------------------------------------------------------------------------------


def test_seeds_are_of_the_set_of_children_and_the_purpose() -> None:
    some = CHILDREN[3:7]
    seed = children_seed("order", some, 1)
    assert seed == derive("order", ",".join(sorted(arch.hash for arch in some)), 1)
    assert seed == children_seed("order", some[::-1], 1)
    others = [("augment", some, 1), ("order", some[1:], 1), ("order", some, 2)]
    assert len({seed, *(children_seed(*other) for other in others)}) == 4


def stream(tiny: Any, recipe: Any, children: Any, seed: int = 0, extra: str = "") -> list[Any]:
    net = super_net(tiny, children)
    return list(itertools.islice(make_batches(recipe, tiny.images, net, seed, extra), 5))


def test_order_and_augmentation_have_seeds_of_their_own(tiny: Any) -> None:
    plain = stream(tiny, tiny.recipe, [CHILD])
    still = stream(tiny, replace(tiny.recipe, flip=False, shift=0), [CHILD])
    for (pixels, labels), (other, same) in zip(plain, still, strict=True):
        assert torch.equal(labels, same)  # the same images in the same order, moved or not
        assert not torch.equal(pixels, other)
    again = stream(tiny, tiny.recipe, [CHILD])
    assert all(torch.equal(a, b) for (a, _), (b, _) in zip(plain, again, strict=True))
    for other in (stream(tiny, tiny.recipe, [CHILD], 1), stream(tiny, tiny.recipe, CHILDREN[:2])):
        assert not all(torch.equal(a, b) for (_, a), (_, b) in zip(plain, other, strict=True))
    extra = stream(tiny, tiny.recipe, [CHILD], extra="more")
    assert not all(torch.equal(a, b) for (_, a), (_, b) in zip(plain, extra, strict=True))


@pytest.mark.parametrize("key", [full, none, groups("random", 8, DEEPER64)])
def test_a_child_alone_is_trained_alike_under_every_key(tiny: Any, key: Any) -> None:
    """A standalone child is the super-net that has it as its only child."""
    sequence = np.zeros((4, 1), dtype=np.int32)
    run = train_run(tiny.recipe, CHILD, 1, tiny.images)
    net = super_net(tiny, [CHILD], key, seed=1)
    train(net, make_batches(tiny.recipe, tiny.images, net, 1), sequence)
    assert Scorer(tiny.images, "valid", BatchNorm()).score(net).accuracy[0] == run.curves["valid_accuracy"][-1]
    assert sum(s.size for s in net.weights.storages) == sum(
        math.prod(shape) for _, shapes in child_network(macro_of(tiny), CHILD).layers() for shape in shapes
    )


# -- threads ------------------------------------------------------------------------------------------


def test_one_thread_while_it_matters(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums over several threads are rounded otherwise: numbers must not depend on the machine's processors."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
        with pytest.raises(KeyError), one_thread():
            raise KeyError
        assert torch.get_num_threads() == 2
        seen = []
        step = SuperNet.step
        monkeypatch.setattr(SuperNet, "step", lambda *a: (seen.append(torch.get_num_threads()), step(*a))[1])
        train_run(tiny.recipe, CHILD, 0, tiny.images)
        assert seen == [1] * 4
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
