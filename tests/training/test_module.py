"""The torch.nn.Module of a super-net computes and learns what the suite's own does, and is an ordinary module."""

from __future__ import annotations

import copy
import io

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from written_out import WrittenOut

from nasbench_ws.errors import StrategyError, UsageError
from nasbench_ws.recipe import Recipe
from nasbench_ws.sharing.groups import write_groups
from nasbench_ws.sharing.keys import full, none, prefix
from nasbench_ws.sharing.strategies import BUILT_IN, resolve
from nasbench_ws.space.macro import Macro, build_macro
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.training.backend import chosen
from nasbench_ws.training.batch_norm import BatchNorm
from nasbench_ws.training.batches import normalised
from nasbench_ws.training.module import SuperNetModule, child_module, tensors
from nasbench_ws.training.scoring import Scorer
from nasbench_ws.training.supernet import SuperNet
from nasbench_ws.training.weights import Weights

pytestmark = pytest.mark.usefixtures("one_thread")

MACRO = Macro("tiny", stem=(3,), channels=4, cells=2, height=6, width=5, image_channels=2, classes=3)
CHILDREN = [DEEPER64.architecture(name) for name in ("111", "124", "234", "333", "342", "441")]
STRATEGIES = (
    "full", "none", "groups:similar:8", "groups:random:4", "groups:file:", "prefix:1", "edge:0->1", "private:bn",
    "shared:depthwise+linear", "split:0->1", "curriculum", "dependent", "opsplit:0-1:13+24",
)  # fmt: skip
DOUBLE = torch.float64


def test_every_built_in_strategy_is_among_these() -> None:
    assert {name.partition(":")[0] for name in STRATEGIES} == set(BUILT_IN)


def key_of(strategy: str, tmp_path):
    if strategy == "groups:file:":
        path = tmp_path / "groups.json"
        write_groups([number % 2 for number in range(64)], list(DEEPER64), path)
        strategy += str(path)
    return resolve(strategy, DEEPER64, MACRO).key


def batches(steps: int):
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        images = torch.randn((8, MACRO.height, MACRO.width, MACRO.image_channels), generator=generator, dtype=DOUBLE)
        yield images, torch.randint(MACRO.classes, (8,), generator=generator)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_twenty_steps_are_the_suites(strategy: str, tmp_path) -> None:
    """Forward, gradient, and 20 steps of torch's own SGD with its running statistics, in float64, child by child."""
    net = SuperNet(Recipe(), MACRO, CHILDREN, key_of(strategy, tmp_path), 0, DOUBLE, chosen())
    module = SuperNetModule(net.weights)
    recipe, fresh = net.recipe, torch.zeros_like(net.weights.values)
    optimizer = torch.optim.SGD(
        module.parameters(), lr=0.05, momentum=recipe.momentum, weight_decay=recipe.weight_decay
    )
    copied = Weights(MACRO, CHILDREN, key_of(strategy, tmp_path), 1, DOUBLE)
    for step, (images, labels) in enumerate(batches(20)):
        child = step * 5 % len(CHILDREN)
        optimizer.zero_grad()  # None where a child has no part: torch leaves those weights alone, as `frozen` does
        loss = F.cross_entropy(module(images.permute(0, 3, 1, 2), child), labels)
        loss.backward()
        if step == 0:
            fresh.zero_()
            before = net.weights.snapshot()
            outcome = net.accumulate(child, images, labels, fresh)
            net.weights.restore(before)
            assert outcome.loss == pytest.approx(loss.item(), abs=1e-10)
            for number, layer in enumerate(module.layers.values()):
                for parameter, view in zip(layer.parameters(), net.weights.views(fresh, number), strict=True):
                    found = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                    torch.testing.assert_close(found, view.view(parameter.shape), rtol=0, atol=1e-10)
        optimizer.step()
        assert net.step([child], images, labels, 0.05).loss == pytest.approx(loss.item(), abs=1e-8)
    module.store(copied)
    for name in ("values", "running_mean", "running_var"):
        torch.testing.assert_close(getattr(copied, name), getattr(net.weights, name), rtol=0, atol=1e-8)


@pytest.mark.parametrize("options", [{}, {"output": "sum", "dilated_kernel": 3}, {"stem": (5, 3), "bn_momentum": 0.1}])
def test_a_child_is_the_one_written_out_from_the_paper(options) -> None:
    macro = Macro(**{**MACRO.__dict__, **options})
    images, labels = next(batches(1))
    images = images.permute(0, 3, 1, 2)
    for arch in CHILDREN:
        weights = Weights(macro, [arch], none, 3, DOUBLE)
        ours, theirs = child_module(macro, arch, 3, DOUBLE), WrittenOut(macro, arch).load(weights, 0)
        for mode in (True, False):
            torch.testing.assert_close(ours.train(mode)(images), theirs.train(mode)(images), rtol=0, atol=1e-10)
        assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters())
        F.cross_entropy(ours.train()(images), labels).backward()
        assert all(parameter.grad is not None for parameter in ours.parameters())


def test_scores_of_what_was_trained_outside(tiny) -> None:
    """Stored into a super-net's weights, all children are scored in one pass, as the module scores each."""
    module = SuperNetModule.of("prefix:0", tiny.recipe, tiny.images, seed=1)
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.01)
    pixels, labels = tensors(tiny.images, "train")
    for step in range(10):
        optimizer.zero_grad()
        F.cross_entropy(module(pixels[:64], step), labels[:64]).backward()
        optimizer.step()
    macro = build_macro(tiny.recipe, 6, 6, 1, 4)
    net = SuperNet(tiny.recipe, macro, list(DEEPER64), resolve("prefix:0", DEEPER64, macro).key, 0)
    module.store(net.weights)
    scores = Scorer(tiny.images, "valid", BatchNorm()).score(net)
    module.eval()
    valid, right = tensors(tiny.images, "valid")
    for number in (0, 9, 40):
        with torch.no_grad():
            logits = module(valid, number)
        assert F.cross_entropy(logits, right).item() == pytest.approx(scores.loss[number], rel=1e-4)
        assert (logits.argmax(1) == right).double().mean().item() == scores.accuracy[number]


def test_it_begins_as_the_suites_super_net_of_that_seed(tiny) -> None:
    module = SuperNetModule.of("edge:0->1", tiny.recipe, tiny.images, seed=5)
    macro = build_macro(tiny.recipe, 6, 6, 1, 4)
    weights = Weights(macro, list(DEEPER64), resolve("edge:0->1", DEEPER64, macro).key, 5)
    back = Weights(macro, list(DEEPER64), resolve("edge:0->1", DEEPER64, macro).key, 0)
    module.store(back)
    assert torch.equal(back.values, weights.values)


class OnTheLastEdge:
    def key(self, arch, slot):
        return arch.operation((1, 2)) if slot.kind == "linear" else None


def test_a_strategy_is_a_name_an_object_or_a_class_as_for_evaluate(tiny) -> None:
    macro = build_macro(tiny.recipe, 6, 6, 1, 4)
    weights = Weights(macro, list(DEEPER64), OnTheLastEdge().key, 2)
    for given in (OnTheLastEdge, OnTheLastEdge(), f"{__file__}:OnTheLastEdge"):
        back = Weights(macro, list(DEEPER64), OnTheLastEdge().key, 0)
        SuperNetModule.of(given, tiny.recipe, tiny.images, seed=2).store(back)
        assert torch.equal(back.values, weights.values)
    with pytest.raises(StrategyError) as caught:
        SuperNetModule.of(42, tiny.recipe, tiny.images)
    assert str(caught.value) == (
        "strategy 'int' is of type int, without a method key(arch, slot); give it one, or name a function of those two "
        "arguments"
    )


def test_state_dicts_are_torchs() -> None:
    """Saved and loaded by torch; a child's entries are the super-net's of the same names."""
    key = prefix(1, 2)
    module, other = (SuperNetModule(Weights(MACRO, CHILDREN, key, seed)) for seed in (0, 1))
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file))
    a, b = (Weights(MACRO, CHILDREN, key, 2) for _ in range(2))
    module.store(a)
    other.store(b)
    assert torch.equal(a.values, b.values)
    whole, part = module.state_dict(), module.child(2).state_dict()
    assert set(part) < set(whole)
    assert all(torch.equal(part[name], whole[name]) for name in part)
    assert "layers.cell1_0to1_sep_conv_3x3_0_depthwise_0.weight" in part
    alone, shared = child_module(MACRO, CHILDREN[2], seed=7), SuperNetModule(Weights(MACRO, CHILDREN, full, 0)).child(2)
    alone.load_state_dict(shared.state_dict())  # strict: where all is shared, names are those of a child alone
    images = torch.ones(2, 2, 6, 5)
    assert torch.equal(alone.eval()(images), shared.eval()(images))


def test_children_share_what_they_share() -> None:
    module = SuperNetModule(Weights(MACRO, CHILDREN, prefix(1, 2), 0))
    first, second = (dict(module.child(number).named_parameters()) for number in (1, 2))
    shared = {name for name in first if name in second}
    assert shared
    assert all(first[name] is second[name] for name in shared)
    assert not any("classifier" in name for name in shared)
    total = sum(parameter.numel() for parameter in module.parameters())
    assert total == Weights(MACRO, CHILDREN, prefix(1, 2), 0).values.numel()
    assert module.child(1) is module.child(1)
    kept = copy.deepcopy(module)
    with torch.no_grad():
        for parameter in kept.child(1).parameters():
            parameter.zero_()
    assert all(parameter.abs().sum() > 0 for parameter in module.child(1).parameters() if parameter.ndim > 1)
    assert isinstance(kept, nn.Module)


def test_it_moves_and_changes_type_as_modules_do() -> None:
    module = SuperNetModule(Weights(MACRO, CHILDREN, full, 0)).to(DOUBLE)
    images, _ = next(batches(1))
    assert module(images.permute(0, 3, 1, 2), 3).dtype == DOUBLE
    assert module.to("meta").child(0)(torch.zeros(2, 2, 6, 5, device="meta", dtype=DOUBLE)).shape == (2, 3)


def test_weights_that_are_shared_otherwise() -> None:
    module = SuperNetModule(Weights(MACRO, CHILDREN, full, 0))
    other = Weights(MACRO, CHILDREN, none, 0)
    for call in (module.load, module.store):
        with pytest.raises(UsageError) as caught:
            call(other)
        mine = Weights(MACRO, CHILDREN, full, 0)
        assert str(caught.value) == (
            f"weights of {len(other.storages)} storages, {other.values.numel()} numbers, for a module of "
            f"{len(mine.storages)}, {mine.values.numel()}: they are of another macro, of other children, or shared "
            "otherwise"
        )


@pytest.mark.parametrize("number", [-1, 6])
def test_a_child_that_is_not_there(number: int) -> None:
    with pytest.raises(UsageError) as caught:
        SuperNetModule(Weights(MACRO, CHILDREN, full, 0)).child(number)
    assert str(caught.value) == f"child number {number}: this super-net has children 0 to 5"


def test_pixels_are_normalised_as_for_the_kernels(tiny) -> None:
    pixels, labels = tensors(tiny.images, "valid", DOUBLE)
    expected = normalised(tiny.images.valid.pixels, tiny.images.mean, tiny.images.std, DOUBLE)
    assert torch.equal(pixels.permute(0, 2, 3, 1), expected)
    assert pixels.is_contiguous(memory_format=torch.channels_last)
    assert np.array_equal(labels.numpy(), tiny.images.valid.labels)
