"""Laws of sharing, training and scoring, in float64: what a strategy means must not depend on how it is run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from nasbench_ws.errors import UsageError
from nasbench_ws.images.dataset import Images, Split
from nasbench_ws.recipe import Recipe
from nasbench_ws.sharing.groups import groups
from nasbench_ws.sharing.keys import edge, full, none, prefix, private
from nasbench_ws.sharing.schedules import SCHEDULES, realise
from nasbench_ws.space.macro import build_macro
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.training import reference as plain
from nasbench_ws.training.backend import BACKENDS, usable
from nasbench_ws.training.batch_norm import BatchNorm
from nasbench_ws.training.compiled import Engine, available
from nasbench_ws.training.loop import make_batches, train
from nasbench_ws.training.scoring import Scorer
from nasbench_ws.training.supernet import SuperNet

pytestmark = pytest.mark.usefixtures("one_thread")

RECIPE = Recipe(train_images=64, batch_size=16, channels=4, cells=2, lr=0.05)
CHILDREN = [DEEPER64.architecture(name) for name in ("111", "124", "234", "333", "342", "441")]
DOUBLE = torch.float64


def _images() -> Images:
    rng = np.random.default_rng(0)

    def split(count):
        labels = np.arange(count) % 4
        pixels = (rng.integers(0, 120, (count, 6, 6, 1)) + 30 * labels[:, None, None, None]).astype(np.uint8)
        return Split(pixels, labels.astype(np.int64))

    splits = {"train": split(64), "valid": split(48)}
    return Images("tiny", ("a", "b", "c", "d"), "0" * 64, (0.4,), (0.2,), splits)


IMAGES = _images()
MACRO = build_macro(RECIPE, 6, 6, 1, 4)
KEYS = {"full": full, "none": none, "prefix": prefix(1, 2), "edge": edge((0, 1), DEEPER64), "bn": private(["bn"])}


def _net(children, key, seed=0, backend=None, recipe=RECIPE):
    return SuperNet(recipe, MACRO, children, key, seed, DOUBLE, backend)


def _trained(children, key, steps, schedule="shuffle", backend=None, recipe=RECIPE):
    net = _net(children, key, backend=backend, recipe=recipe)
    train(net, make_batches(recipe, IMAGES, net, 0), realise(SCHEDULES[schedule], children, steps, 0, check=False))
    return net


def _of_child(net, number):
    return torch.cat([net.weights.values[net.weights.active(number)]])


def test_no_sharing_is_standalone_training():
    """Each child trained in a private super-net for 20 steps of its own equals its standalone run."""
    whole = _net(CHILDREN, none)
    alone = [_trained([arch], none, 20, "cycle") for arch in CHILDREN]
    for number, single in enumerate(alone):
        stream = make_batches(RECIPE, IMAGES, single, 0)
        for step in range(20):
            whole.step([number], *next(stream), RECIPE.learning_rate(step, 20))
    for number, single in enumerate(alone):
        torch.testing.assert_close(_of_child(whole, number), _of_child(single, 0), rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("one", "other"), [(groups("similar", 1, DEEPER64), full), (groups("similar", 64, DEEPER64), none)]
)
def test_the_extremes_of_groups_are_full_and_none(one, other):
    a, b = (_trained(CHILDREN, key, 12) for key in (one, other))
    assert torch.equal(a.weights.values, b.weights.values)
    assert torch.equal(a.weights.running_var, b.weights.running_var)


@pytest.mark.parametrize("inactive", ["frozen", "drift"])
def test_the_update_is_torchs(inactive):
    """SGD with momentum and weight decay on the same gradients: of what a step used, or (drift) of everything."""
    from dataclasses import replace

    recipe = replace(RECIPE, inactive=inactive)
    net = _net(CHILDREN, prefix(1, 2), recipe=recipe)
    copy = net.weights.values.clone().requires_grad_()
    optimizer = torch.optim.SGD([copy], lr=0.05, momentum=recipe.momentum, weight_decay=recipe.weight_decay)
    batches = make_batches(recipe, IMAGES, net, 0)
    for number in (0, 3, 0, 1, 5):
        images, labels = next(batches)
        gradient = torch.zeros_like(net.weights.values)
        before = net.weights.snapshot()
        plain.loss_and_gradient(net.weights.network([number]), net.weights, images, labels, gradient)
        net.step([number], images, labels, 0.05)
        if inactive == "drift":
            copy.grad = gradient
            optimizer.step()
            torch.testing.assert_close(net.weights.values, copy.detach(), rtol=0, atol=1e-12)
            continue
        used = net.weights.active(number)
        speed = recipe.momentum * before.momentum + gradient + recipe.weight_decay * before.values
        expected = before.values.clone()
        expected[used] -= 0.05 * speed[used]
        torch.testing.assert_close(net.weights.values, expected, rtol=0, atol=1e-12)
        rest = torch.ones(len(expected), dtype=torch.bool)
        rest[used] = False
        assert torch.equal(net.weights.values[rest], before.values[rest])
        assert torch.equal(net.weights.momentum[rest], before.momentum[rest])


def test_private_weights_move_only_on_their_childs_steps():
    """With reshuffling in every cycle: what is trained is addressed by the child, never by its place in a list."""
    net = _net(CHILDREN, prefix(1, 2))
    sequence = realise(SCHEDULES["shuffle"], CHILDREN, 18, 0)
    own = []
    for number in range(len(CHILDREN)):
        others = {p for n in range(len(CHILDREN)) if n != number for p in net.weights.active(n).tolist()}
        own.append([p for p in net.weights.active(number).tolist() if p not in others])
    batches = make_batches(RECIPE, IMAGES, net, 0)
    for (number,) in sequence.tolist():
        before = net.weights.values.clone()
        net.step([number], *next(batches), 0.05)
        for child, positions in enumerate(own):
            moved = bool((net.weights.values[positions] != before[positions]).any())
            assert moved == (child == number)


def test_the_same_seed_twice_is_the_same_to_the_last_bit():
    a, b = (_trained(CHILDREN, full, 15) for _ in range(2))
    assert torch.equal(a.weights.values, b.weights.values)
    other = SuperNet(RECIPE, MACRO, CHILDREN, full, 1, DOUBLE)
    assert not torch.equal(other.weights.values, _net(CHILDREN, full).weights.values)


@pytest.mark.skipif(not available(), reason="the kernels were not built: there is one path only")
@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_both_paths_train_alike(key):
    fast, slow = (_trained(CHILDREN, key, 20, backend=backend) for backend in BACKENDS.values())
    torch.testing.assert_close(fast.weights.values, slow.weights.values, rtol=0, atol=1e-9)
    torch.testing.assert_close(fast.weights.running_mean, slow.weights.running_mean, rtol=0, atol=1e-9)


def test_running_statistics_are_torchs():
    net = _net(CHILDREN[:1], none)
    stem = net.weights.network([0]).blocks[0]
    norm = torch.nn.BatchNorm2d(stem.out_channels, momentum=RECIPE.bn_momentum, dtype=DOUBLE)
    batches = make_batches(RECIPE, IMAGES, net, 0)
    for _ in range(3):
        images, labels = next(batches)
        (weight,) = net.weights.views(net.weights.values, stem.conv)
        norm(F.conv2d(images.permute(0, 3, 1, 2), weight, padding=1))
        net.step([0], images, labels, 0.05)
    where = slice(net.weights.storages[stem.bn].stats_offset, net.weights.storages[stem.bn].stats_offset + 4)
    torch.testing.assert_close(net.weights.running_mean[where], norm.running_mean, rtol=0, atol=1e-12)
    torch.testing.assert_close(net.weights.running_var[where], norm.running_var, rtol=0, atol=1e-12)


# -------------------------------------------------------------------------------------------------- scoring

MODES = ("running", "batch:16", "recalibrate:32")


def _scorer(mode):
    return Scorer(IMAGES, "valid", BatchNorm.parse(mode), DOUBLE)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_scoring_changes_nothing_and_has_no_order(mode, key):
    net = _trained(CHILDREN, key, 12)
    before = net.weights.snapshot()
    scores = _scorer(mode).score(net)
    assert all(torch.equal(a, b) for a, b in zip(before, net.weights.snapshot(), strict=True))
    some = [4, 0, 2]
    again = _scorer(mode).score(net, some)
    assert np.array_equal(again.loss, scores.loss[some])
    assert np.array_equal(again.accuracy, scores.accuracy[some])


@pytest.mark.parametrize("backend", usable(), ids=lambda backend: backend.name)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_merged_scores_are_those_of_one_child_at_a_time(mode, key, backend):
    net = _trained(CHILDREN, key, 12, backend=backend)
    together = _scorer(mode).score(net)
    net.backend = BACKENDS["torch"]
    net._merged.clear()
    for number in range(len(CHILDREN)):
        alone = _scorer(mode).score(net, [number])
        assert alone.loss[0] == pytest.approx(together.loss[number], abs=1e-10)
        assert alone.accuracy[0] == together.accuracy[number]


def test_recalibrated_statistics_are_the_closed_form():
    """Layer by layer on the first n training images, each layer normalised by its own mean and variance."""
    net = _trained(CHILDREN[3:4], none, 12)
    scorer = _scorer("recalibrate:32")
    x = scorer._calibration.permute(0, 3, 1, 2)
    network = net.weights.network([0])
    done, statistics = [], []
    for block in network.blocks:
        terms = [sum((x if t < 0 else done[t]) for t in group) for group in block.inputs]
        z = plain.layer_outputs(block, torch.cat(terms, 1), lambda n: net.weights.views(net.weights.values, n))[-1]
        mean, var = z.mean((0, 2, 3)), z.var((0, 2, 3), unbiased=False)
        y = (z - mean[:, None, None]) / torch.sqrt(var[:, None, None] + MACRO.bn_eps)
        if block.affine:
            gamma, beta = net.weights.views(net.weights.values, block.bn)
            y = y * gamma[:, None, None] + beta[:, None, None]
        count = z.numel() / z.shape[1]
        statistics.append((mean, var * count / (count - 1)))
        done.append(y)
    mean, var = scorer.recalibrated(net, [0])
    torch.testing.assert_close(mean, torch.cat([m for m, _ in statistics]), rtol=0, atol=1e-10)
    torch.testing.assert_close(var, torch.cat([v for _, v in statistics]), rtol=0, atol=1e-10)


@pytest.mark.parametrize("backend", usable(), ids=lambda backend: backend.name)
def test_own_statistics_are_those_of_layers_that_nobody_shares(backend):
    """Full sharing with own statistics is full sharing whose batch norms (those that learn nothing) are private."""
    nets = [_net(CHILDREN, key, backend=backend) for key in (full, _private_cells)]
    for net in nets:
        net.weights.keep_own()
        train(net, make_batches(RECIPE, IMAGES, net, 0), realise(SCHEDULES["shuffle"], CHILDREN, 12, 0, check=False))
    shared, private_ones = nets
    for number in range(len(CHILDREN)):
        network = private_ones.weights.network([number])
        where = private_ones.weights.statistics_positions(network)
        stem = sum(block.out_channels for block in network.blocks if block.affine)
        for own, running in zip(shared.weights.own, private_ones.weights.snapshot()[2:4], strict=True):
            torch.testing.assert_close(own[number, stem : len(where)], running[where][stem:], rtol=0, atol=1e-12)
    scores = _scorer("private").score(shared)
    assert not np.array_equal(scores.loss, _scorer("running").score(shared).loss)
    assert np.array_equal(_scorer("private").score(shared, [4, 0]).loss, scores.loss[[4, 0]])
    alone = _net(CHILDREN[2:3], none, backend=backend)
    alone.weights.keep_own()
    train(alone, make_batches(RECIPE, IMAGES, alone, 0), np.zeros((8, 1), np.int32))
    own, running = (_scorer(mode).score(alone).loss for mode in ("private", "running"))
    assert own == pytest.approx(running, abs=1e-12)


def _private_cells(arch, slot):
    return arch.name if slot.kind == "bn" and slot.cell > 0 else None


def test_a_child_that_is_not_finite_has_no_score():
    net = _net(CHILDREN, none)
    net.weights.values[net.weights.active(2)] = float("nan")
    accuracy = _scorer("running").score(net).accuracy
    assert np.isnan(accuracy).tolist() == [number == 2 for number in range(len(CHILDREN))]


@pytest.mark.skipif(not available(), reason="the kernels were not built, and with them the arena")
def test_memory_does_not_grow_with_the_children():
    net = _net(list(DEEPER64), full)
    places = [Engine(net.weights.network(range(n)), net.weights, keep=False)._vectors for n in (16, 64)]
    assert places[1] <= 2 * places[0]


def test_statistics_positions_are_in_block_order():
    net = _net(CHILDREN[:1], none)
    network = net.weights.network([0])
    positions = net.weights.statistics_positions(network)
    assert len(positions) == sum(block.out_channels for block in network.blocks)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "runing",
            "unknown batch norm mode 'runing' (did you mean running?); known are running, batch[:n], recalibrate[:n], "
            "private, probe[:n]",
        ),
        ("private:5", "batch norm mode 'private:5': n must be a whole number of at least 2 images"),
        ("batch:1", "batch norm mode 'batch:1': n must be a whole number of at least 2 images"),
        ("running:5", "batch norm mode 'running:5': n must be a whole number of at least 2 images"),
    ],
)  # fmt: skip
def test_modes_that_cannot_be(text, message):
    with pytest.raises(UsageError) as caught:
        BatchNorm.parse(text)
    assert str(caught.value) == message


@pytest.mark.skipif(not available(), reason="the kernels were not built, and with them their working memory")
def test_threads_do_not_share_working_memory():
    """An executor of threads is allowed: what runs at the same time must not write into the same memory."""
    from nasbench_ws.training.kernels.memory import working_memory

    def place() -> int:
        with working_memory(1024) as memory:
            return int(memory.data_ptr())

    with working_memory(1024) as own, ThreadPoolExecutor(1) as pool:
        assert len({own.data_ptr(), pool.submit(place).result(), place()}) == 3  # nor does a run within a run
    assert place() == own.data_ptr()  # and a thread keeps its own
