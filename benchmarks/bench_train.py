"""How fast is a training step? Forward, backward and update on one thread, against plain torch modules."""

from __future__ import annotations

import statistics
from dataclasses import replace

import pytest
import torch
from timing import cpu_seconds_of, machine
from torch.nn import functional as F

from nasbench_ws.recipe import Recipe
from nasbench_ws.sharing.keys import full, none
from nasbench_ws.space.macro import SMALL
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.training import compiled
from nasbench_ws.training.backend import chosen
from nasbench_ws.training.module import SuperNetModule
from nasbench_ws.training.reference import TORCH
from nasbench_ws.training.supernet import SuperNet
from nasbench_ws.training.weights import Weights

STRATIFIED = ("111", "133", "214", "242", "323", "341", "412", "434")
BATCH = 128
ROUNDS = 5  # both sides in turn; the ratio is of the medians


def _batch(macro, count):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn((count, macro.height, macro.width, macro.image_channels), generator=generator)
    return images, torch.arange(count) % macro.classes


def test_train_ratio(benchmark):
    """Mean time an image over eight stratified children, `small` preset."""
    macro, recipe = SMALL, Recipe()
    images, labels = _batch(macro, BATCH)
    planes = images.permute(0, 3, 1, 2)  # (B, H, W, C) memory seen as (B, C, H, W): channels last
    sides = []
    for name in STRATIFIED:
        net = SuperNet(recipe, macro, [DEEPER64.architecture(name)], none, seed=0)
        whole = SuperNetModule(net.weights).to(memory_format=torch.channels_last)
        plain = whole.child(0)
        optimizer = torch.optim.SGD(
            plain.parameters(), lr=0.01, momentum=recipe.momentum, weight_decay=recipe.weight_decay
        )

        def plain_step(plain=plain, optimizer=optimizer):
            optimizer.zero_grad()
            F.cross_entropy(plain(planes), labels).backward()
            optimizer.step()

        def own_step(net=net):
            net.step([0], images, labels, lr=0.01)

        plain_step()
        own_step()
        stepped = Weights(macro, net.children, none, seed=0)
        whole.store(stepped)
        torch.testing.assert_close(stepped.values, net.weights.values, rtol=0, atol=2e-4)  # the same step, to rounding
        sides.append((own_step, plain_step))
    times: dict[int, list[list[float]]] = {0: [], 1: []}
    for _ in range(ROUNDS):
        for side in (0, 1):
            times[side].append([cpu_seconds_of(steps[side]) for steps in sides])
    own, plain_time = (
        statistics.mean(statistics.median(row[i] for row in times[side]) for i in range(len(STRATIFIED))) / BATCH
        for side in (0, 1)
    )
    benchmark.extra_info.update(
        machine(chosen().description(macro.channels)),
        ratio=plain_time / own,
        own_microseconds_an_image=own * 1e6,
        plain_microseconds_an_image=plain_time * 1e6,
    )
    benchmark.pedantic(lambda: [step() for step, _ in sides], rounds=3, warmup_rounds=1)


def _learners(dtype):
    """By name: all stratified children's gradients by the kernels' loss, by one of a trainer's own, and by torch."""
    net = SuperNet(Recipe(), SMALL, [DEEPER64.architecture(name) for name in STRATIFIED], full, 0, dtype)
    images, labels = _batch(SMALL, BATCH)
    images, numbers = images.to(dtype), range(len(STRATIFIED))
    by_torch = [TORCH.bind(net.weights.network([number]), net.weights, learns=True) for number in numbers]

    def learnt(bound, criterion):
        gradients = torch.zeros((len(STRATIFIED), len(net.weights.values)), dtype=dtype)
        for number in numbers:
            bound(number).learn(images, labels, gradients[number], 0.1, criterion)
        return gradients

    def smoothed(logits, labels):
        return F.cross_entropy(logits, labels, label_smoothing=0.1)

    return {
        "kernels": lambda: learnt(net._child, None),
        "own": lambda: learnt(net._child, smoothed),
        "torch": lambda: learnt(by_torch.__getitem__, smoothed),
    }


def test_own_loss_ratio(benchmark):
    """What a loss of a trainer's own costs beside the kernels' cross-entropy, and beside torch's backward pass."""
    exact, sides = _learners(torch.float64), _learners(torch.float32)
    torch.testing.assert_close(exact["own"](), exact["torch"](), rtol=0, atol=1e-10)
    times = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, side in sides.items():
            times[name].append(cpu_seconds_of(side) / BATCH / len(STRATIFIED))
    least = {name: min(values) for name, values in times.items()}
    benchmark.extra_info.update(
        machine(chosen().description(SMALL.channels)),
        cost_of_own=least["own"] / least["kernels"],
        ratio_to_torch=least["torch"] / least["own"],
        **{f"{name}_microseconds_an_image": seconds * 1e6 for name, seconds in least.items()},
    )
    benchmark.pedantic(sides["own"], rounds=1)


@pytest.mark.parametrize("channels", [8, 16, 32])
def test_step_by_channels(benchmark, channels):
    macro = replace(SMALL, stem=(channels,), channels=channels)
    net = SuperNet(Recipe(), macro, [DEEPER64.architecture("234")], none, seed=0)
    images, labels = _batch(macro, BATCH)
    assert net.step([0], images, labels, lr=0.01).loss > 0
    benchmark.extra_info.update(machine(net.backend.description(channels)))
    benchmark.pedantic(lambda: net.step([0], images, labels, 0.01), rounds=5)


@pytest.mark.parametrize("channels", [8, 16, 32])
def test_step_by_lanes(benchmark, monkeypatch, channels):
    """CPU time an image of a step by the width of the vectors, each as wide as this processor has them."""
    macro = replace(SMALL, stem=(channels,), channels=channels)
    weights = Weights(macro, [DEEPER64.architecture("234")], full, seed=0)
    images, labels = _batch(macro, BATCH)
    widths = [width for width in (4, 8, 16) if width <= compiled.lanes(64, torch.float32)]
    steps, gradients = {}, {}
    for width in widths:
        monkeypatch.setattr(compiled, "lanes", lambda channels, dtype, width=width: width)
        learner, gradient = compiled.Engine(weights.network([0]), weights, keep=True), torch.zeros_like(weights.values)
        learner.learn(images, labels, gradient, 0.0)
        gradients[width] = gradient.clone()
        steps[width] = lambda learner=learner, gradient=gradient: learner.learn(images, labels, gradient, 0.0)
    for gradient in gradients.values():
        torch.testing.assert_close(gradient, gradients[4], rtol=1e-3, atol=1e-4)
    times = {width: [] for width in widths}
    for _ in range(3 * ROUNDS):
        for width, step in steps.items():
            times[width].append(cpu_seconds_of(step) / BATCH * 1e6)
    benchmark.extra_info.update(
        machine("compiled kernels"), **{f"x{width}_microseconds_an_image": min(spent) for width, spent in times.items()}
    )
    benchmark.pedantic(steps[widths[-1]], rounds=3)


@pytest.mark.parametrize("children", [2, 16, 64])
def test_step_by_children(benchmark, children):
    """A step of one child must not grow with the super-net around it."""
    net = SuperNet(Recipe(), SMALL, list(DEEPER64)[:children], full, seed=0)
    images, labels = _batch(SMALL, BATCH)
    assert net.step([0], images, labels, lr=0.01).loss > 0
    benchmark.pedantic(lambda: net.step([0], images, labels, 0.01), rounds=5)
