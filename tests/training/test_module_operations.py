"""Torch modules as operations compute, learn and keep statistics as the suite's own layers do, and draw from seeds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from nasbench_ws.errors import UsageError
from nasbench_ws.sharing.keys import full, none
from nasbench_ws.space import operations
from nasbench_ws.space.cell import Space
from nasbench_ws.space.child import child_network, mac_count, parameter_count
from nasbench_ws.space.macro import Macro, macro_for
from nasbench_ws.space.operations import OPERATIONS, Layer, register_operation
from nasbench_ws.training.backend import chosen
from nasbench_ws.training.batch_norm import BatchNorm
from nasbench_ws.training.building.standalone import train_run
from nasbench_ws.training.building.together import train_together
from nasbench_ws.training.mixed import MixedNet
from nasbench_ws.training.module import SuperNetModule
from nasbench_ws.training.reference import TORCH
from nasbench_ws.training.scoring import Scorer
from nasbench_ws.training.supernet import SuperNet
from nasbench_ws.training.weights import Weights

pytestmark = pytest.mark.usefixtures("one_thread")

DOUBLE = torch.float64
MODES = ("running", "batch:32", "recalibrate:128", "private")


class Convolution(nn.Module):
    """As conv_3x3, with a ReLU that writes to what it is given."""

    def __init__(self, macro: Macro) -> None:
        super().__init__()
        channels = macro.channels
        self.convolution = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels, affine=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.convolution(nn.functional.relu_(x)))


class Noisy(nn.Module):
    """Drops, has a batch norm behind a pooling to one pixel, a frozen weight, and parameters that nothing reads."""

    def __init__(self, macro: Macro) -> None:
        super().__init__()
        channels = macro.channels
        self.squeeze = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.LazyConv2d(channels, 1), nn.BatchNorm2d(channels))
        self.frozen = nn.Parameter(torch.randn(channels, 1, 1), requires_grad=False)
        self.unread = nn.Parameter(torch.ones(3))
        self.register_buffer("offset", torch.rand(1))
        self.drop = nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.drop(x * torch.sigmoid(self.squeeze(x)) + self.frozen + self.offset)


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(operations, "OPERATIONS", dict(OPERATIONS))
    register_operation("as_module")(Convolution)
    register_operation("noisy")(lambda macro: lambda: Noisy(macro))
    yield
    child_network.cache_clear()


OURS, THEIRS = Space("ours", 2, ("conv_3x3", "max_pool_3x3")), Space("theirs", 2, ("as_module", "max_pool_3x3"))
NOISY = Space("noises", 1, ("noisy", "conv_1x1"))


def test_a_module_is_counted_as_layers_are(tiny) -> None:
    macro = macro_for(tiny.recipe, tiny.images)
    for own, other in zip(OURS, THEIRS, strict=True):
        mine, module = child_network(macro, own), child_network(macro, other)
        assert (parameter_count(mine), mac_count(mine)) == (parameter_count(module), mac_count(module))
    channels, pixels = macro.channels, macro.height * macro.width

    class Attention(nn.Module):
        def __init__(self, macro: Macro) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(channels, 2, batch_first=True)
            self.up = nn.ConvTranspose2d(channels, channels, 3, padding=1, groups=2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen = x.flatten(2).transpose(1, 2)
            mixed = self.attention(seen, seen, seen, need_weights=False)[0]
            return self.up(mixed.transpose(1, 2).reshape(x.shape))

    globals()["Attention"] = Attention  # where pickle looks for it
    Attention.__qualname__ = "Attention"
    register_operation("attention")(Attention)
    (one,) = operations.layers_of("attention", macro)
    assert one.macs == 4 * pixels * channels**2 + 2 * pixels**2 * channels + pixels * 9 * channels * channels // 2


def test_a_super_net_of_modules_is_one_of_layers(tiny) -> None:
    """Values, momenta, statistics and scores in each way of normalising, after steps of all children."""
    macro, nets = macro_for(tiny.recipe, tiny.images), []
    for space in (OURS, THEIRS):
        nets.append(SuperNet(tiny.recipe, macro, list(space), full, 0, DOUBLE))
        nets[-1].weights.keep_own()
    ours, theirs = (net.weights for net in nets)
    pairs = [
        (number, theirs.number(child, slot if slot.operation != "conv_3x3" else slot._replace(
            operation="as_module", kind="module")))
        for child in range(len(OURS)) for number, slot in _places(ours, child)
    ]  # fmt: skip
    for mine, other in pairs:
        for here, there in zip(ours.views(ours.values, mine), theirs.views(theirs.values, other), strict=True):
            there.copy_(here)
    pixels = torch.from_numpy(tiny.images.train.pixels).to(DOUBLE) / 100 - 1
    labels = torch.from_numpy(tiny.images.train.labels)
    for step in range(3 * len(OURS)):
        some = slice(8 * step % 240, 8 * step % 240 + 12)
        found = [net.step([step % len(OURS)], pixels[some], labels[some], 0.05).loss for net in nets]
        assert found[0] == pytest.approx(found[1], rel=1e-9)
    for mine, other in pairs:
        for name in ("values", "momentum"):
            for here, there in zip(
                ours.views(getattr(ours, name), mine), theirs.views(getattr(theirs, name), other), strict=True
            ):
                torch.testing.assert_close(here, there, rtol=1e-8, atol=1e-8)
    for mode in MODES:
        scorer = Scorer(tiny.images, "valid", BatchNorm.parse(mode), DOUBLE)
        here, there = (scorer.score(net) for net in nets)
        np.testing.assert_array_equal(here.accuracy, there.accuracy, err_msg=mode)
        np.testing.assert_allclose(here.loss, there.loss, rtol=1e-7, err_msg=mode)


def _places(weights: Weights, child: int):
    for slot, shapes in child_network(weights.macro, weights.children[child]).layers():
        if shapes:
            yield weights.number(child, slot), slot


def test_the_rest_stays_compiled(tiny) -> None:
    net = SuperNet(tiny.recipe, macro_for(tiny.recipe, tiny.images), list(THEIRS), full, 0)
    by_torch = [number for number, child in enumerate(THEIRS) if "1" in child.name]
    (free,) = set(range(8)) - set(by_torch)
    if chosen() is not TORCH:
        assert net.by_backend(range(8)) == [[free], by_torch]
        assert net.description().endswith(", 7 of 8 children by torch")
        with pytest.raises(UsageError) as caught:
            SuperNet(tiny.recipe, net.macro, list(THEIRS), full, 0, backend=chosen()).merged([0])
        assert str(caught.value) == (
            "the compiled kernels do not know block 2, a torch module of the operation as_module; give "
            "SuperNet(backend=TORCH), of nasbench_ws.training.reference"
        )
    scorer = Scorer(tiny.images, "valid", BatchNorm.parse("batch:32"))
    alone = [float(scorer.score(net, [number]).accuracy[0]) for number in (5, free, 0, 5)]
    assert scorer.score(net, [5, free, 0, 5]).accuracy.tolist() == alone


def test_standalone_runs_repeat_and_differ_by_seed(tiny) -> None:
    """Initial values, frozen ones, buffers and dropout, whatever was drawn before."""
    recipe = replace(tiny.recipe, space="noises")
    runs = []
    for seed in (0, 0, 1):
        torch.rand(seed + 1)
        state = torch.random.get_rng_state()
        runs.append(train_run(recipe, NOISY[0], seed, tiny.images))
        assert torch.equal(state, torch.random.get_rng_state())
    first, again, other = (run.curves["train_loss"] for run in runs)
    assert first == again != other
    assert runs[0].status == "ok"
    assert runs[0].device.endswith(", 1 of 1 children by torch")


def test_drawn_values_are_the_storages_own(tiny) -> None:
    macro = macro_for(tiny.recipe, tiny.images)
    drawn = [Weights(macro, list(NOISY), key, seed) for key, seed in ((full, 0), (full, 1), (none, 0), (none, 0))]
    frozen = [[float(one.frozen.sum()) for one in weights.modules.values()] for weights in drawn]
    assert frozen[0] != frozen[1]
    assert frozen[2] == frozen[3]
    divided = drawn[0].divided(none)
    assert list(divided.modules.values()) == list(drawn[0].modules.values())
    scorer = Scorer(tiny.images, "valid", BatchNorm.parse("recalibrate:64"))
    net = SuperNet(tiny.recipe, macro, list(NOISY), full, 0)
    before = scorer.score(net).loss.tolist()
    net.divide(none)
    assert scorer.score(net).loss.tolist() == before


def test_scoring_drops_nothing_and_changes_nothing(tiny) -> None:
    net = SuperNet(tiny.recipe, macro_for(tiny.recipe, tiny.images), list(NOISY), full, 0)
    net.weights.keep_own()
    net.step([0], torch.rand(8, 6, 6, 1), torch.arange(8) % 4, 0.1)
    before, kept = net.weights.snapshot(), {n: one.state_dict() for n, one in net.weights.modules.items()}
    for mode in MODES:
        scorer = Scorer(tiny.images, "valid", BatchNorm.parse(mode))
        assert scorer.score(net).loss.tolist() == scorer.score(net).loss.tolist()
    assert all(torch.equal(a, b) for a, b in zip(before, net.weights.snapshot(), strict=True))
    for number, state in kept.items():
        now = net.weights.modules[number].state_dict()
        assert all(torch.equal(state[name], now[name]) for name in state)


def test_the_super_net_as_a_module_computes_the_same(tiny) -> None:
    weights = Weights(macro_for(tiny.recipe, tiny.images), list(THEIRS), full, 0, DOUBLE)
    module, images = SuperNetModule(weights), torch.rand(9, 6, 6, 1, dtype=DOUBLE)
    labels = torch.arange(9) % 4
    for _ in range(2):
        module.train()
        for child in (0, 3):
            module(images.permute(0, 3, 1, 2), child)
            bound = TORCH.bind(weights.network([child]), weights, learns=True)
            bound.learn(images, labels, torch.zeros_like(weights.values), weights.macro.bn_momentum)
        kept = weights.snapshot()
        module.store(weights)
        for ours, theirs in zip(kept, weights.snapshot(), strict=True):
            torch.testing.assert_close(ours, theirs)


def test_what_takes_no_modules_says_so(tiny) -> None:
    macro = macro_for(tiny.recipe, tiny.images)
    with pytest.raises(UsageError) as caught:
        MixedNet(tiny.recipe, macro, THEIRS, 0)
    assert str(caught.value) == (
        "as_module has no batch norm whose scale could be a gate; the spaces of mixed networks have operations that "
        "end in one: take sharing strategies, such as full, for this space"
    )
    with pytest.raises(UsageError) as caught:
        train_together(replace(tiny.recipe, space="theirs"), [(THEIRS[0], 0)], tiny.images, "cpu")
    assert str(caught.value) == (
        "the operation as_module is a torch module, which does not run many networks at a time; leave --lockstep, and "
        "use --workers"
    )


def test_a_name_with_another_meaning_gives_other_networks(tiny) -> None:
    """As where a cell of a notebook is run again."""
    macro = macro_for(tiny.recipe, tiny.images)
    before = parameter_count(child_network(macro, THEIRS[0]))
    register_operation("as_module")(lambda macro: (Layer(conv=1),))
    assert parameter_count(child_network(macro, THEIRS[0])) == before - 3 * (9 - 1) * macro.channels**2
