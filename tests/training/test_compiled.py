"""The compiled kernels compute what torch computes: losses, gradients, statistics and logits, at every shape."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from nasbench_ws.errors import UsageError
from nasbench_ws.sharing.keys import full
from nasbench_ws.space.cell import Space
from nasbench_ws.space.macro import PAPER, SMALL, Macro
from nasbench_ws.space.operations import OPERATIONS
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.training import compiled as engine
from nasbench_ws.training import reference as plain
from nasbench_ws.training.compiled import COMPILED, Engine
from nasbench_ws.training.reference import TORCH
from nasbench_ws.training.weights import Weights

pytestmark = pytest.mark.usefixtures("one_thread")

needs_kernels = pytest.mark.skipif(
    not engine.available(), reason="the compiled kernels are not built (or NASBENCH_WS_ENGINE=plain forbids them)"
)
QUAD = Space("quad", 3, DEEPER64.operations)  # three nodes: sums of three terms, concatenations of three groups
PLAIN = Space("plain", 2, ("skip_connect", "dil_conv_3x3", "conv_3x3", "avg_pool_3x3", "max_pool_3x3"))
CHILDREN = list(DEEPER64)
WIDE = Macro("wide", stem=(8, 16), channels=16, cells=2, height=10, width=9, image_channels=3)

macros = st.builds(
    Macro,
    name=st.just("drawn"),
    stem=st.lists(st.integers(1, 20), min_size=1, max_size=3).map(tuple),
    channels=st.integers(1, 20),
    cells=st.integers(1, 2),
    height=st.integers(3, 17),
    width=st.integers(3, 17),
    image_channels=st.integers(1, 3),
    classes=st.integers(2, 11),
    output=st.sampled_from(["concat", "sum"]),
    dilated_kernel=st.sampled_from([3, 5]),
)
children = st.one_of(st.integers(0, 63).map(DEEPER64.__getitem__), st.integers(0, 4095).map(QUAD.__getitem__))


def batch(macro: Macro, count: int, dtype=torch.float64, seed=0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shape = (count, macro.height, macro.width, macro.image_channels)
    images = torch.randn(shape, generator=generator, dtype=torch.float64)
    return images.to(dtype), torch.randint(macro.classes, (count,), generator=generator)


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    """Greatest difference, on the scale of the greater of 1 and the reference `b`."""
    return float((a.double() - b.double()).abs().max() / max(1.0, float(b.double().abs().max())))


def reference(weights: Weights, images: torch.Tensor, labels: torch.Tensor):
    """The outcome and the gradient as torch computes them."""
    gradient = torch.zeros_like(weights.values)
    return *plain.loss_and_gradient(weights.network([0]), weights, images, labels, gradient), gradient


# -- float64: the same numbers -------------------------------------------------------------------------


@needs_kernels
@settings(max_examples=15, deadline=None)
@given(macro=macros, arch=children, count=st.integers(1, 3), seed=st.integers(0, 3))
@example(
    macro=Macro("low", stem=(5, 4), channels=9, cells=1, height=3, width=17, image_channels=3, output="sum"),
    arch=DEEPER64.architecture("432"),
    count=3,
    seed=0,
)
@example(
    macro=Macro("slim", stem=(4,), channels=3, cells=2, height=9, width=3, image_channels=1, dilated_kernel=3),
    arch=DEEPER64.architecture("144"),
    count=2,
    seed=0,
)
def test_training_is_the_references(macro: Macro, arch, count: int, seed: int) -> None:
    weights = Weights(macro, [arch], full, seed, torch.float64)
    images, labels = batch(macro, count, seed=seed)
    loss, correct, mean, var, expected = reference(weights, images, labels)
    network, gradient = weights.network([0]), torch.zeros_like(weights.values)
    logits = torch.zeros(1, count, macro.classes, dtype=torch.float64)
    before = weights.values.clone()
    outcome = Engine(network, weights, keep=True).run(images, labels, count, gradient=gradient, logits=logits)
    # A channel of next to no variance is stretched by up to 1 / sqrt(eps) = 316 a layer, rounding and all, and two
    # orders of summation then part further: in the reference as well as here.
    tolerance = 1e-12 if float(var.min()) > 1e-3 else 1e-8
    assert outcome.loss[0] == pytest.approx(loss, rel=tolerance, abs=tolerance)
    assert outcome.correct[0] == correct
    for found, true in ((outcome.mean, mean), (outcome.var, var), (gradient, expected)):
        assert distance(found, true) < tolerance
    assert distance(logits, plain.forward(network, weights, images).logits.detach()) < tolerance
    assert torch.equal(weights.values, before)


@needs_kernels
def test_gradients_are_added_to() -> None:
    weights = Weights(WIDE, [DEEPER64.architecture("314")], full, 0, torch.float64)
    images, labels = batch(WIDE, 3)
    run = Engine(weights.network([0]), weights, keep=True).run
    once, twice = torch.zeros_like(weights.values), torch.zeros_like(weights.values)
    run(images, labels, 3, gradient=once)
    run(images, labels, 3, gradient=twice)
    run(images, labels, 3, gradient=twice)
    torch.testing.assert_close(twice, 2 * once, rtol=1e-12, atol=1e-14)


@needs_kernels
@pytest.mark.parametrize("arch", ["434", "141"])
def test_a_loss_of_ones_own_is_the_references(arch: str) -> None:
    """Of logits changed in place, and with a look at other children: a run of the kernels within a run."""
    weights = Weights(WIDE, [DEEPER64.architecture(arch), DEEPER64.architecture("222")], full, 0, torch.float64)
    images, labels = batch(WIDE, 5)
    network, everyone = weights.network([0]), Engine(weights.network([0, 1]), weights, keep=False)

    def criterion(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        other = everyone.logits(images)[1]
        logits /= 2
        return F.cross_entropy(logits, labels, label_smoothing=0.2) + (logits - other).square().mean()

    assert distance(everyone.logits(images), TORCH.bind(everyone.network, weights, False).logits(images)) < 1e-12

    found = []
    for bound in (Engine(network, weights, keep=True), TORCH.bind(network, weights, learns=True)):
        gradient = torch.zeros_like(weights.values)
        found.append((bound.learn(images, labels, gradient, 0.0, criterion), gradient, *bound.learnt_from()))
    (own, *others), (true, *expected) = found
    assert own == (pytest.approx(true[0], rel=1e-12), true[1])
    assert max(distance(a, b) for a, b in zip(others, expected, strict=True)) < 1e-12


@needs_kernels
def test_a_loss_that_fails_leaves_all_as_it_was() -> None:
    weights = Weights(WIDE, [DEEPER64.architecture("314")], full, 0, torch.float64)
    images, labels = batch(WIDE, 3)
    gradient, before = torch.zeros_like(weights.values), weights.snapshot()
    learner = Engine(weights.network([0]), weights, keep=True)
    changed = "the loss changed the images of its batch in place; give it a copy of them"
    scalar = "grad can be implicitly created only for scalar outputs"
    for criterion, kind, message in (
        (lambda logits, labels: logits[0, 99], IndexError, "index 99 is out of bounds for dimension 1 with size 10"),
        (lambda logits, labels: images.mul_(1).sum() + logits.sum(), UsageError, changed),
        (lambda logits, labels: logits.sum(dim=1), RuntimeError, scalar),
    ):
        with pytest.raises(kind) as caught:
            learner.learn(images, labels, gradient, 0.1, criterion)
        assert str(caught.value) == message
        assert gradient.eq(0).all()
    assert all(torch.equal(a, b) for a, b in zip(before, weights.snapshot(), strict=True))
    loss, _ = learner.learn(images, labels, gradient, 0.1, F.cross_entropy)
    assert loss == pytest.approx(reference(weights, images, labels)[0], rel=1e-12)


@needs_kernels
@pytest.mark.parametrize("fixed", [True, False], ids=["given statistics", "batch statistics"])
def test_many_heads_and_a_last_batch_that_is_smaller(fixed: bool) -> None:
    """All children of a merged network, 7 images in batches of 3: as torch computes each batch."""
    macro = dataclasses.replace(WIDE, stem=(5,), channels=6, height=8, width=7)
    some = CHILDREN[::7]
    weights = Weights(macro, some, full, 0, torch.float64)
    network = weights.network(range(len(some)))
    images, labels = batch(macro, 7)
    channels = sum(block.out_channels for block in network.blocks)
    generator = torch.Generator().manual_seed(1)
    mean = torch.randn(channels, generator=generator, dtype=torch.float64)
    given = (mean, mean.exp()) if fixed else None
    logits = torch.zeros(len(some), 7, macro.classes, dtype=torch.float64)
    outcome = Engine(network, weights, keep=False).run(images, labels, 3, given, logits=logits)
    with torch.no_grad():
        parts = [plain.forward(network, weights, images[at : at + 3], given).logits for at in (0, 3, 6)]
    expected = torch.cat(parts, dim=1)
    assert distance(logits, expected) < 1e-10
    losses = [torch.nn.functional.cross_entropy(one, labels).item() for one in expected]
    np.testing.assert_allclose(outcome.loss, losses, rtol=1e-10)
    assert outcome.correct.tolist() == [(one.argmax(dim=1) == labels).sum().item() for one in expected]


@needs_kernels
def test_given_statistics_do_not_depend_on_the_size_of_a_batch() -> None:
    weights = Weights(SMALL, CHILDREN[:9], full, 0)
    network = weights.network(range(9))
    images, labels = batch(SMALL, 7, torch.float32)
    channels = sum(block.out_channels for block in network.blocks)
    given = (torch.zeros(channels), torch.ones(channels))
    runner, logits = Engine(network, weights, keep=False), []
    for size in (1, 3, 7, 16):
        logits.append(torch.zeros(9, 7, 10))
        runner.run(images, labels, size, given, logits=logits[-1])
    assert all(torch.equal(one, logits[0]) for one in logits)


@needs_kernels
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("space", [DEEPER64, PLAIN], ids=lambda space: space.name)
def test_where_normalisation_happens_moves_no_bit(space: Space, dtype) -> None:
    """Batch statistics are applied by who reads a result; given ones by who writes it, where all readers are alike."""
    macro = dataclasses.replace(WIDE, channels=13)
    some = list(space)[:: len(space) // 12]
    weights = Weights(macro, some, full, 0, dtype)
    engine = Engine(weights.network(range(len(some))), weights, keep=False)
    images, labels = batch(macro, 4, dtype)
    one, other = torch.zeros(2, len(some), 4, macro.classes, dtype=dtype)
    found = engine.run(images, labels, 4, logits=one)
    engine.run(images, labels, 4, (found.mean, found.var), logits=other)
    assert torch.equal(one, other)
    assert one.std() > 0


@needs_kernels
def test_equal_maxima_send_the_gradient_where_torch_does() -> None:
    """On images of few levels many windows of the max pool have several greatest pixels."""
    macro = Macro("flat", stem=(3,), channels=4, cells=1, height=9, width=8, image_channels=1)
    weights = Weights(macro, [DEEPER64.architecture("111")], full, 0, torch.float64)
    images, labels = batch(macro, 3)
    images = images.mul(0.7).round()
    *_, expected = reference(weights, images, labels)
    gradient = torch.zeros_like(weights.values)
    Engine(weights.network([0]), weights, keep=True).run(images, labels, 3, gradient=gradient)
    assert distance(gradient, expected) < 1e-12


# -- float32: every width that this processor has ----------------------------------------------------------


def widths() -> list[int]:
    widest = engine.lanes(16, torch.float32)
    return [width for width in (4, 8, 16) if width <= widest]


@needs_kernels
@pytest.mark.parametrize("width", widths() or [0])
@pytest.mark.parametrize("channels", [8, 13, 16])
def test_every_width_agrees_with_double(width: int, channels: int, monkeypatch) -> None:
    """Kinks of ReLU and of the max pool may fall on the other side in float32, so gradients are compared as a whole."""
    monkeypatch.setattr(engine, "lanes", lambda channels, dtype: width if dtype == torch.float32 else 4)
    macro = dataclasses.replace(WIDE, channels=channels)
    images, labels = batch(macro, 8)
    for name in ("124", "431", "243"):
        arch = DEEPER64.architecture(name)
        loss, correct, mean, var, expected = reference(Weights(macro, [arch], full, 0, torch.float64), images, labels)
        weights = Weights(macro, [arch], full, 0)
        gradient = torch.zeros_like(weights.values)
        runner = Engine(weights.network([0]), weights, keep=True)
        assert runner.lanes == width
        outcome = runner.run(images.float(), labels, 8, gradient=gradient)
        assert outcome.loss[0] == pytest.approx(loss, rel=1e-4)
        assert outcome.correct[0] == correct
        assert distance(outcome.mean, mean) < 1e-4
        assert distance(outcome.var, var) < 1e-4
        # A ReLU's input that is 0 to rounding may fall on either side of its kink.
    assert float((gradient.double() - expected).norm() / expected.norm()) < 1e-2


@needs_kernels
def test_the_width_follows_the_channels() -> None:
    widest = engine.lanes(64, torch.float32)
    assert widest in (4, 8, 16)
    assert engine.lanes(8, torch.float32) == min(8, widest)  # no lane runs idle
    assert engine.lanes(3, torch.float32) == 4
    assert engine.lanes(24, torch.float32) == widest
    assert engine.lanes(8, torch.float64) == 4
    assert COMPILED.description(8).endswith(f", kernels x{engine.lanes(8, torch.float32)}")
    assert TORCH.description(8).endswith(", torch")


# -- what is not a number stays so -------------------------------------------------------------------------


@needs_kernels
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", ["111", "342"])
def test_a_weight_that_is_not_finite_is_seen_in_the_loss(name: str, dtype, bad: float) -> None:
    macro = dataclasses.replace(WIDE, stem=(4,), channels=4, height=6, width=7)
    images, labels = batch(macro, 2, dtype)
    clean = Weights(macro, [DEEPER64.architecture(name)], full, 0, dtype)
    channels = sum(block.out_channels for block in clean.network([0]).blocks)
    given = (torch.zeros(channels), torch.ones(channels))
    for storage in clean.storages:
        if storage.size:
            weights = Weights(macro, clean.children, full, 0, dtype)
            weights.values[storage.offset] = bad
            outcome = Engine(weights.network([0]), weights, keep=True).run(
                images, labels, 2, gradient=torch.zeros_like(weights.values)
            )
            assert not np.isfinite(outcome.loss[0]), storage.slot
            outcome = Engine(weights.network([0]), weights, keep=False).run(images, labels, 2, given)
            assert not np.isfinite(outcome.loss[0]), storage.slot
            if np.isnan(bad):
                assert outcome.correct[0] == 0


@needs_kernels
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("where", [(0, 0), (3, 2), (5, 6)], ids=str)
def test_max_pooling_keeps_what_is_not_a_number(where, dtype) -> None:
    """One pixel: every logit is NaN with torch, wherever in its windows the pixel lies."""
    macro = dataclasses.replace(WIDE, stem=(4,), channels=4, height=6, width=7)
    weights = Weights(macro, [DEEPER64.architecture("111")], full, 0, dtype)
    images, labels = batch(macro, 2, dtype)
    images[0, where[0], where[1], 0] = float("nan")
    network = weights.network([0])
    channels = sum(block.out_channels for block in network.blocks)
    given = (torch.zeros(channels), torch.ones(channels))
    logits = torch.zeros(1, 2, macro.classes, dtype=dtype)
    Engine(network, weights, keep=False).run(images, labels, 2, given, logits=logits)
    expected = plain.forward(network, weights, images, given).logits.detach()
    assert torch.isnan(expected[0, 0]).all()
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4, equal_nan=True)


@needs_kernels
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_every_operation_makes_of_what_is_not_finite_what_torch_makes_of_it(dtype, bad: float) -> None:
    """Under given statistics and those of the batch: ReLU, pooling, dense and depthwise convolutions, batch norm."""
    macro = dataclasses.replace(WIDE, stem=(3,), channels=8, height=6, width=5, cells=1)
    space = Space("every", 2, tuple(OPERATIONS))
    for operation in range(len(OPERATIONS)):
        arch = next(arch for arch in space if arch.choices == (operation,) * 3)
        weights = Weights(macro, [arch], full, 1, dtype)
        network = weights.network([0])
        channels = sum(block.out_channels for block in network.blocks)
        for place, stats in (((0, 0), (torch.zeros(channels), torch.ones(channels))), ((3, 4), None)):
            images, labels = batch(macro, 3, dtype)
            images[0, place[0], place[1], 0] = bad
            logits = torch.zeros(1, 3, macro.classes, dtype=dtype)
            Engine(network, weights, keep=False).run(images, labels, 3, stats, logits=logits)
            expected = plain.forward(network, weights, images, stats).logits.detach()
            assert torch.equal(torch.isnan(logits), torch.isnan(expected)), space.operations[operation]
            assert torch.equal(torch.isinf(logits), torch.isinf(expected)), space.operations[operation]


# -- memory ------------------------------------------------------------------------------------------------


@needs_kernels
@pytest.mark.parametrize("macro", [SMALL, PAPER], ids=lambda macro: macro.name)
def test_memory_of_scoring_does_not_grow_with_the_children(macro: Macro) -> None:
    """In vectors an image: where nothing is kept for a backward pass, a place is used again."""
    weights = Weights(macro, CHILDREN, full, 0)

    def vectors(count: int) -> int:
        return Engine(weights.network(range(0, 64, 64 // count)), weights, keep=False)._vectors

    assert vectors(64) <= 4 * vectors(1)
    assert vectors(64) <= 2 * vectors(16)


# -- without the kernels -------------------------------------------------------------------------------------

TRAIN = """
import numpy as np, torch
from nasbench_ws.training import compiled as engine
from nasbench_ws.space.macro import Macro
from nasbench_ws.recipe import Recipe
from nasbench_ws.sharing import full
from nasbench_ws.space import DEEPER64
from nasbench_ws.training.supernet import SuperNet

macro = Macro("tiny", stem=(3,), channels=4, cells=2, height=6, width=5, image_channels=1, classes=3)
recipe = Recipe(batch_size=8, train_images=8)
net = SuperNet(recipe, macro, list(DEEPER64)[:8], full, seed=0, dtype=torch.float64)
images = torch.randn(8, 6, 5, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
labels = torch.arange(8) % 3
path = net.backend.description(8).rpartition(", ")[2]
print(net.backend.name, engine.available(), engine.lanes(8, torch.float32), path)
print(*(net.step([step], images, labels, 0.1).loss for step in range(8)))
"""


def trained(path: str) -> tuple[str, list[float]]:
    """Path and losses of a short training, in a fresh process."""
    run = subprocess.run(
        [sys.executable, "-P", "-c", TRAIN],
        env={**os.environ, "NASBENCH_WS_ENGINE": path},
        capture_output=True,
        text=True,
        check=True,
    )
    first, second = run.stdout.splitlines()
    return first, [float(loss) for loss in second.split()]


@pytest.mark.slow  # CI runs it
def test_without_kernels_torch_computes_the_same() -> None:
    path, losses = trained("plain")
    assert path == "torch False 0 torch"
    fast_path, fast_losses = trained("")
    if engine.available():
        assert fast_path == f"compiled True {engine.lanes(8, torch.float32)} kernels x{engine.lanes(8, torch.float32)}"
    assert losses == pytest.approx(fast_losses, rel=1e-9)
    assert losses[-1] < losses[0]
