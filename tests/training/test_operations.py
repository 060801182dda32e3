"""Every operation computes and learns what plain modules do: kernels, torch, module and lockstep, whatever lacks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from written_out import WrittenOut

from nasbench_ws.errors import UsageError
from nasbench_ws.recipe import Recipe
from nasbench_ws.sharing.keys import full
from nasbench_ws.space import operations
from nasbench_ws.space.cell import Space
from nasbench_ws.space.macro import OUTPUTS, Macro
from nasbench_ws.space.operations import OPERATIONS, Layer, register_operation
from nasbench_ws.space.registry import NASBENCH201, TOPOLOGY729
from nasbench_ws.tables.columns import METRICS
from nasbench_ws.training.backend import chosen, usable
from nasbench_ws.training.building import standalone as alone
from nasbench_ws.training.building.together import train_together
from nasbench_ws.training.module import SuperNetModule
from nasbench_ws.training.reference import TORCH
from nasbench_ws.training.supernet import SuperNet
from nasbench_ws.training.weights import Weights

pytestmark = pytest.mark.usefixtures("one_thread")

DOUBLE = torch.float64
MACRO = Macro("tiny", stem=(3,), channels=8, cells=2, height=6, width=5, image_channels=2, classes=3)
EVERY = Space("every", 2, tuple(OPERATIONS))
# Nothing at all; only identities; a node without input, read by an operation; an operation nobody reads; the like.
GRAPHS = ("111111", "222222", "113322", "311311", "113113", "233233", "123123", "333333", "131311", "221223")
CHILDREN = {
    "every": [EVERY[i * (len(OPERATIONS) ** 2 + len(OPERATIONS) + 1)] for i in range(len(OPERATIONS))]
    + [EVERY[i] for i in range(0, len(EVERY), 167)],
    "topology729": [TOPOLOGY729.architecture(name) for name in GRAPHS],
    "nasbench201": [NASBENCH201[i] for i in range(12, len(NASBENCH201), 2003)],
}


def batch(count: int = 7, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn((count, MACRO.height, MACRO.width, MACRO.image_channels), generator=generator, dtype=DOUBLE)
    return images, torch.randint(MACRO.classes, (count,), generator=generator)


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("space", CHILDREN)
def test_logits_and_gradients_are_those_of_plain_modules(space: str, output: str) -> None:
    macro, (images, labels) = replace(MACRO, output=output), batch()
    for arch in CHILDREN[space]:
        weights = Weights(macro, [arch], full, 1, DOUBLE)
        child = WrittenOut(macro, arch).load(weights, 0)
        loss = F.cross_entropy(child(images.permute(0, 3, 1, 2)), labels)
        loss.backward()
        for backend in usable():
            gradient = torch.zeros_like(weights.values)
            bound = backend.bind(weights.network([0]), weights, learns=True)
            assert bound.learn(images, labels, gradient, 0.1)[0] == pytest.approx(loss.item(), rel=1e-11)
            for parameter, view in child.pairs(weights, gradient, 0):
                torch.testing.assert_close(view, parameter.grad, rtol=1e-9, atol=1e-9)
        named = sum(p.numel() for p, _ in child.pairs(weights, weights.values, 0))
        assert named == weights.values.numel()  # nothing is left that the modules do not have
        for parameter in set(child.parameters()) - {p for p, _ in child.pairs(weights, weights.values, 0)}:
            assert parameter.grad is None or not parameter.grad.any()  # what the suite leaves out learns nothing


@pytest.mark.parametrize("space", CHILDREN)
def test_steps_of_a_super_net_are_the_same_on_both_paths(space: str) -> None:
    """Shared weights, running statistics, scores under all ways of normalising, children without a block among them."""
    recipe, children = Recipe(), CHILDREN[space]
    nets = [SuperNet(recipe, MACRO, children, full, 0, DOUBLE, backend) for backend in (chosen(), TORCH)]
    numbers = range(len(children))
    for step in range(2 * len(children)):
        for net in nets:
            net.step([step % len(children)], *batch(6, step), lr=0.05)
    for name in ("values", "momentum", "running_mean", "running_var"):
        fast, slow = (getattr(net.weights, name) for net in nets)
        torch.testing.assert_close(fast, slow, rtol=1e-8, atol=1e-8)
    images, labels = batch(9, 99)
    for batches in (0, 9):
        scores = []
        for net in nets:
            bound = net.merged(numbers)
            scores.append(bound.score(images, labels, None if batches else bound.statistics(images), batches)[0])
        np.testing.assert_allclose(*scores, rtol=1e-7)


@pytest.mark.parametrize("space", CHILDREN)
def test_the_module_computes_the_same(space: str) -> None:
    weights = Weights(MACRO, CHILDREN[space], full, 0, DOUBLE)
    module, (images, labels) = SuperNetModule(weights).train(), batch()
    for number in range(len(CHILDREN[space])):
        expected, _ = TORCH.bind(weights.network([number]), weights, False).score(images, labels, None, len(images))
        logits = module(images.permute(0, 3, 1, 2), number)
        assert F.cross_entropy(logits, labels).item() == pytest.approx(expected[0], rel=1e-10)


@pytest.mark.parametrize("space", [TOPOLOGY729, NASBENCH201], ids=["topology729", "nasbench201"])
def test_lockstep_is_each_alone(tiny, monkeypatch, space: Space) -> None:
    recipe = replace(tiny.recipe, epochs=1.0, points=1, cells=2, output="last", space=space.name)
    monkeypatch.setattr(alone, "SuperNet", lambda *a, **k: SuperNet(*a, dtype=DOUBLE, **k))
    monkeypatch.setattr(
        alone, "Scorer", lambda images, split, mode, scorer=alone.Scorer: scorer(images, split, mode, DOUBLE)
    )
    runs = [(arch, 0) for arch in CHILDREN[space.name]]
    records = train_together(recipe, runs, tiny.images, "cpu", DOUBLE)
    for (arch, seed), record in zip(runs, records, strict=True):
        expected = alone.train_run(recipe, arch, seed, tiny.images)
        assert (record.hash, record.status) == (arch.hash, "ok")
        for name in METRICS:
            np.testing.assert_allclose(record.curves[name], expected.curves[name], rtol=1e-9, atol=1e-9, err_msg=name)


def test_a_child_that_does_not_see_the_image_learns_how_frequent_classes_are() -> None:
    (child,) = CHILDREN["topology729"][:1]
    net = SuperNet(Recipe(weight_decay=0.0), MACRO, [child], full, 0, DOUBLE)
    assert net.weights.network([0]).blocks == ()
    images, _ = batch(8)
    labels = torch.tensor([0, 0, 0, 0, 1, 1, 2, 2])
    for _ in range(400):
        outcome = net.step([0], images, labels, lr=0.05)
    assert outcome.loss == pytest.approx(1.5 * np.log(2), rel=1e-6)  # the entropy of 1/2, 1/4, 1/4
    assert outcome.accuracy == 0.5


def test_layers_that_the_kernels_do_not_know_run_by_torch(monkeypatch) -> None:
    """Children with such an operation alone; and the record says so."""
    monkeypatch.setattr(operations, "OPERATIONS", dict(OPERATIONS))
    register_operation("huge_conv")(lambda macro: (Layer(depthwise=7, conv=1),))
    children = list(Space("huge", 1, ("huge_conv", "conv_3x3")))
    net = SuperNet(Recipe(), MACRO, children, full, 0, DOUBLE)
    backends = [net.backend_of(net.weights.network([number])) for number in (0, 1)]
    assert backends == [TORCH, chosen()]
    outcomes = [net.step([number], *batch(8), lr=0.05) for number in (0, 1, 0, 1)]
    assert all(np.isfinite(outcome.loss) for outcome in outcomes)
    if chosen() is not TORCH:
        assert net.description() == f"{chosen().description(MACRO.channels, DOUBLE)}, 1 of 2 children by torch"
        with pytest.raises(UsageError, match="the compiled kernels do not know block 2, kernel 7"):
            SuperNet(Recipe(), MACRO, children, full, 0, DOUBLE, chosen()).step([0], *batch(8), lr=0.05)


def test_a_wider_cell_has_groups_of_four() -> None:
    arch = Space("groups", 1, ("group_conv",))[0]
    weights = Weights(replace(MACRO, channels=12, cells=1), [arch], full, 0)
    (shape,) = [storage.shapes for storage in weights.storages if storage.slot.operation and storage.size]
    assert shape == ((12, 4, 3, 3),)
