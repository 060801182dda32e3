"""Laws of the mixed network (L1 to L5, L17, L18): with one-hot gates it is the child, and dL/dgates is the gradient."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from nasbench_ws.errors import UsageError
from nasbench_ws.recipe import Recipe
from nasbench_ws.sharing.keys import full
from nasbench_ws.space.cell import Space
from nasbench_ws.space.child import child_network, mac_count
from nasbench_ws.space.macro import SMALL, Macro
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.training.backend import usable
from nasbench_ws.training.mixed import Draw, MixedNet
from nasbench_ws.training.reference import TORCH, forward
from nasbench_ws.training.supernet import SuperNet

pytestmark = pytest.mark.usefixtures("one_thread")
MACRO = Macro("tiny", stem=(3,), channels=4, cells=2, height=6, width=5, image_channels=2, classes=3)
DOUBLE = torch.float64
BACKENDS = {backend.name: backend for backend in usable()}


def batch(count: int = 8, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn((count, MACRO.height, MACRO.width, MACRO.image_channels), generator=generator, dtype=DOUBLE)
    return images, torch.randint(MACRO.classes, (count,), generator=generator)


def mixed(macro: Macro = MACRO, backend: str = "torch", recipe: Recipe | None = None, steps: int = 0) -> MixedNet:
    net = MixedNet(recipe or Recipe(), macro, DEEPER64, 0, DOUBLE, BACKENDS[backend])
    for step in range(steps):
        net.weight_step(*batch(seed=step), relaxed(step), 0.05)
    return net


def relaxed(seed: int = 0) -> Draw:
    return Draw.of(torch.softmax(torch.randn((3, 4), generator=torch.Generator().manual_seed(seed), dtype=DOUBLE), 1))


def child(number: int) -> Draw:
    return Draw.one_hot(DEEPER64[number].choices, 4)


def vectors(net: MixedNet) -> list[torch.Tensor]:
    return [part.clone() for part in net.supernet.weights.snapshot()]


@pytest.mark.parametrize(("output", "every"), [("concat", 1), ("sum", 21), ("last", 21)])
def test_one_hot_gates_are_the_child(output: str, every: int) -> None:
    """L1: logits of all 64, with batch and with running statistics; of some where a cell's output is another."""
    net = mixed(replace(MACRO, output=output), steps=3)
    images, _ = batch(seed=9)
    weights = net.supernet.weights
    for number in range(0, 64, every):
        network = weights.network([number])
        where = weights.statistics_positions(network)
        running = weights.running_mean[where], weights.running_var[where]
        with torch.no_grad():
            for which, statistics in (("batch", None), ("running", running)):
                logits = forward(network, weights, images, statistics).logits[0]
                assert (net.forward(images, child(number), which) - logits).abs().max() <= 1e-10


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("inactive", ["frozen", "drift"])
def test_a_step_with_one_hot_gates_is_the_childs(backend: str, inactive: str) -> None:
    """L2: values, momenta and running statistics, after several steps."""
    recipe = Recipe(inactive=inactive)  # type: ignore[arg-type]
    net = mixed(backend=backend, recipe=recipe)
    other = SuperNet(recipe, MACRO, list(DEEPER64), full, 0, DOUBLE, BACKENDS[backend])
    for step, number in enumerate((5, 63, 0, 5)):
        learnt = net.weight_step(*batch(seed=step), child(number), 0.1)
        assert learnt.loss == pytest.approx(other.step([number], *batch(seed=step), 0.1).loss, abs=1e-12)
    for ours, theirs in zip(vectors(net), other.weights.snapshot(), strict=True):
        assert torch.allclose(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_gradient_of_gates_is_that_of_differences(backend: str) -> None:
    """L3: central differences, of relaxed gates and of masked ones."""
    net = mixed(backend=backend, steps=1)
    images, labels = batch(16, seed=5)
    some = np.random.default_rng(0).random((3, 4)) < 0.7
    for draw in (relaxed(1), Draw.of(torch.ones(3, 4), some)):
        found = net.gate_gradient(images, labels, draw)
        for e, o in [(0, 1), (0, 3), (1, 0), (2, 2), (2, 0)]:
            if not draw.active[e, o]:
                assert found[e, o] == 0
                continue
            losses = []
            for h in (1e-7, -1e-7):  # a ReLU whose input crosses 0 on the way adds an error of the order of h
                gates = draw.gates.clone()
                gates[e, o] += h
                losses.append(net.score(images, labels, Draw.of(gates, draw.active))[0])
            assert (losses[0] - losses[1]) / 2e-7 == pytest.approx(float(found[e, o]), rel=1e-3, abs=1e-7)


def test_backends_agree() -> None:
    """Relaxed and masked steps by the kernels and by torch."""
    masks = np.random.default_rng(3).random((6, 3, 4)) < 0.5
    masks[0], masks[1, 0] = True, False  # all; nothing into node 1
    masks[2] = False
    found = []
    for name in BACKENDS:
        net = mixed(backend=name)
        gates = [
            net.weight_step(*batch(seed=i), Draw.of(relaxed(i).gates, mask), 0.05).gates for i, mask in enumerate(masks)
        ]
        found.append([*vectors(net), torch.stack(gates)])
    for parts in zip(*found, strict=True):
        assert all(torch.allclose(parts[0], part, rtol=1e-9, atol=1e-10) for part in parts)


def test_softmax_gates_have_gradients_that_sum_to_nothing() -> None:
    """L4: a row of alphas may be moved by a constant; SGD keeps its sum, and Adam does not."""
    net, (images, labels) = mixed(), batch()
    alphas = torch.randn((3, 4), generator=torch.Generator().manual_seed(2), dtype=DOUBLE).requires_grad_()
    gates = torch.softmax(alphas, dim=1)
    gates.backward(net.gate_gradient(images, labels, Draw.of(gates)))
    assert alphas.grad is not None
    assert alphas.grad.abs().max() > 1e-4
    assert alphas.grad.sum(dim=1).abs().max() <= 1e-12
    moved = torch.softmax(alphas.detach() + torch.tensor([[3.0], [-2.0], [0.5]]), dim=1)
    assert torch.allclose(net.forward(images, Draw.of(moved)), net.forward(images, Draw.of(gates)), rtol=0, atol=1e-12)
    before = alphas.detach().sum(dim=1)
    torch.optim.SGD([alphas], lr=1.0).step()
    assert torch.allclose(alphas.detach().sum(dim=1), before, rtol=0, atol=1e-12)
    torch.optim.Adam([alphas], lr=0.01).step()
    assert (alphas.detach().sum(dim=1) - before).abs().max() > 1e-4


def test_raw_gates_keep_their_scale_in_all_cells_but_the_last() -> None:
    """L5, Euler: what follows a cell is a batch norm, so its gates' common scale changes nothing, but for epsilon."""
    found = []
    for eps in (1e-5, 1e-9):
        net = mixed(replace(MACRO, cells=3, bn_eps=eps))
        draw = Draw.of(torch.rand((3, 4), generator=torch.Generator().manual_seed(1), dtype=DOUBLE) + 0.5)
        by_cell = net.weights_gradient(*batch(32), draw)[1].by_cell
        found.append((by_cell * draw.gates).sum(dim=(1, 2)).abs())
    for scale in found:
        assert (scale[:-1] < 1e-4).all()
        assert scale[-1] > 1e-2
    assert (found[1][:-1] < found[0][:-1] / 100).all()


def test_it_starts_as_full_sharing_does() -> None:
    """L18: bit for bit; and the super-net in it is that very one."""
    net, other = mixed(), SuperNet(Recipe(), MACRO, list(DEEPER64), full, 0, DOUBLE, TORCH)
    assert all(torch.equal(a, b) for a, b in zip(vectors(net), other.weights.snapshot(), strict=True))
    for each in (net.supernet, other):
        each.step([7], *batch(), 0.1)
    assert all(torch.equal(a, b) for a, b in zip(vectors(net), other.weights.snapshot(), strict=True))


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_only_looks_changes_nothing(backend: str) -> None:
    """L18: gradients of gates and of weights, logits, and scores leave every bit."""
    net = mixed(backend=backend, steps=2)
    before = vectors(net)
    nothing_into_1 = np.array([[False] * 4, [True] * 4, [True] * 4])
    for draw in (relaxed(4), child(3), Draw.of(torch.ones(3, 4), nothing_into_1)):
        net.gate_gradient(*batch(), draw)
        net.forward(batch()[0], draw)
        net.forward(batch()[0], draw, "running")
        net.score(*batch(), draw)
    assert all(torch.equal(a, b) for a, b in zip(before, vectors(net), strict=True))
    assert not net.gradient.any()


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_takes_no_part_neither_learns_nor_moves_its_statistics(backend: str) -> None:
    """Nothing leads to node 1: it is a map of zeros, and what stands in for its operations stays as it was."""
    net = mixed(backend=backend, steps=1)
    before = vectors(net)
    active = np.array([[False] * 4, [True, False, True, False], [False, True, False, True]])
    learnt = net.weight_step(*batch(), Draw.of(torch.ones(3, 4), active), 0.1)
    assert np.isfinite(learnt.loss)
    assert torch.isfinite(net.forward(batch()[0], Draw.of(torch.ones(3, 4), active), "batch")).all()
    values, momentum, mean, var = (now != then for now, then in zip(vectors(net)[:4], before[:4], strict=True))
    for storage in net.supernet.weights.storages:
        slot = storage.slot
        e = None if slot.edge is None else DEEPER64.edges.index(slot.edge)
        takes_part = e is None or active[e, DEEPER64.operations.index(slot.operation or "")]
        own = slice(storage.offset, storage.offset + storage.size)
        statistics = slice(storage.stats_offset, storage.stats_offset + storage.channels)
        fed = not (e is not None and slot.edge == (1, 2))  # operations on a map of zeros: statistics may stay at 0
        if not takes_part:
            assert not any(part.any() for part in (values[own], momentum[own], mean[statistics], var[statistics]))
        elif fed and storage.channels:
            assert var[statistics].all()


def test_multiply_adds_are_the_childs() -> None:
    """L17: of one operation an edge, those of the child; of all of them, 3.58 times a mean child's."""
    net = MixedNet(Recipe(), SMALL, DEEPER64, 0)
    counts = [mac_count(child_network(SMALL, arch)) for arch in DEEPER64]
    assert [net.macs(child(number).active) for number in range(64)] == counts
    assert net.macs() == 1_953_888
    assert round(net.macs() / float(np.mean(counts)), 3) == 3.577


def test_relabelled_operations_change_nothing() -> None:
    """L16: the operations of a space in another order, under the same gates in that order."""
    order = [2, 0, 3, 1]
    other = Space("deeper64", 2, tuple(DEEPER64.operations[o] for o in order))
    one, two = mixed(), MixedNet(Recipe(), MACRO, other, 0, DOUBLE, TORCH)
    where = {storage.slot: storage for storage in two.supernet.weights.storages}
    for storage in one.supernet.weights.storages:
        there = where[storage.slot]
        values = one.supernet.weights.values[storage.offset : storage.offset + storage.size]
        two.supernet.weights.values[there.offset : there.offset + there.size] = values
    draw = relaxed(3)
    first = one.gate_gradient(*batch(), draw)
    second = two.gate_gradient(*batch(), Draw.of(draw.gates[:, order]))
    assert torch.allclose(first[:, order], second, rtol=0, atol=1e-12)


def test_gates_of_another_space_are_refused() -> None:
    with pytest.raises(UsageError) as caught:
        mixed().gate_gradient(*batch(), Draw.of(torch.ones(3, 5)))
    assert str(caught.value) == (
        "gates (3, 5) and active (3, 5): give one of each for every edge and operation of deeper64, (3, 4)"
    )
    with pytest.raises(UsageError) as caught:
        MixedNet(Recipe(), MACRO, Space("skipping", 1, ("skip_connect", "conv_1x1")), 0)
    assert str(caught.value) == (
        "skip_connect has no batch norm whose scale could be a gate; the spaces of mixed networks have operations that "
        "end in one: take sharing strategies, such as full, for this space"
    )
    with pytest.raises(UsageError) as caught:
        mixed().forward(batch()[0], relaxed(), "private")
    assert str(caught.value) == "unknown statistics 'private'; known are batch, running"
