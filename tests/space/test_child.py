"""Networks: the paper's counts, the same numbers as plain torch modules, and merging that computes no block twice."""

from __future__ import annotations

import dataclasses
import itertools
import subprocess
import sys

import pytest
import torch
from written_out import WrittenOut

from nasbench_ws.errors import UsageError
from nasbench_ws.space.blocks import IMAGE, Slot, merged
from nasbench_ws.space.cell import Space
from nasbench_ws.space.child import child_network, mac_count, parameter_count
from nasbench_ws.space.macro import MACROS, PAPER, SMALL, Macro, get_macro
from nasbench_ws.space.operations import OPERATIONS
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.training import reference as plain
from nasbench_ws.training.weights import Weights

TINY = Macro("tiny", stem=(3, 5), channels=4, cells=2, height=6, width=5, image_channels=2, classes=3)
NARROW = Space("narrow", 3, ("max_pool_3x3", "dil_conv_5x5"))  # three nodes: concatenations of three
BLOCKS = {"max_pool_3x3": 1, "sep_conv_3x3": 2, "sep_conv_5x5": 2, "dil_conv_5x5": 1}
OPTIONS = [
    {},
    {"output": "sum"},
    {"dilated_kernel": 3},
    {"output": "sum", "dilated_kernel": 3, "stem": (4,), "cells": 1, "image_channels": 1},
]


def refusal(call, *args, **kwargs) -> str:
    with pytest.raises(UsageError) as caught:
        call(*args, **kwargs)
    return str(caught.value)


# -- counts ----------------------------------------------------------------------------------------


def test_the_papers_counts() -> None:
    networks = [child_network(PAPER, arch) for arch in DEEPER64]
    parameters, macs = [parameter_count(n) for n in networks], [mac_count(n) for n in networks]
    assert (min(parameters), max(parameters)) == (24_858, 40_602)
    assert (min(macs), max(macs)) == (24_920_384, 41_042_240)
    assert Weights(PAPER, list(DEEPER64), lambda arch, slot: None, seed=0).values.numel() == 58_074


def test_counts_are_those_of_the_extreme_children() -> None:
    by_parameters = {parameter_count(child_network(PAPER, arch)): arch.name for arch in DEEPER64}
    assert (by_parameters[24_858], by_parameters[40_602]) == ("111", "333")


@pytest.mark.parametrize(
    "macro",
    [PAPER, SMALL, *(dataclasses.replace(TINY, **o) for o in OPTIONS)],
    ids=["paper", "small", *map(str, OPTIONS)],
)
def test_parameters_are_those_of_plain_modules(macro: Macro) -> None:
    for name in ("111", "124", "243", "332", "444"):
        arch = DEEPER64.architecture(name)
        expected = sum(p.numel() for p in WrittenOut(macro, arch).parameters())
        assert parameter_count(child_network(macro, arch)) == expected


def test_multiply_adds_are_counted_by_hand() -> None:
    """A hook on every convolution and classifier: pixels x kernel x input channels of a group x output channels."""
    for arch in (DEEPER64.architecture(name) for name in ("111", "234", "423")):
        child, total = WrittenOut(TINY, arch), []

        def count(module, inputs, output, total=total) -> None:
            weight = module.weight
            total.append(weight[0].numel() * output[0].numel())

        for module in child.modules():
            if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
                module.register_forward_hook(count)
        child.eval()(torch.zeros(1, 2, 6, 5))
        assert mac_count(child_network(TINY, arch)) == sum(total)


# -- the same numbers as plain modules ---------------------------------------------------------------


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_child_computes_what_plain_modules_compute(options) -> None:
    macro = dataclasses.replace(TINY, **options)
    children = [DEEPER64.architecture(name) for name in ("111", "124", "243", "432")]
    children += [NARROW.architecture(name) for name in ("121212", "212221")]
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(4, 6, 5, macro.image_channels, generator=generator, dtype=torch.float64)
    for arch in children:
        weights = Weights(macro, [arch], lambda arch, slot: None, seed=1, dtype=torch.float64)
        child = WrittenOut(macro, arch).load(weights, 0)
        run = plain.forward(weights.network([0]), weights, images)
        torch.testing.assert_close(run.logits[0], child(images.permute(0, 3, 1, 2)), rtol=0, atol=1e-12)


def test_slots_of_a_child() -> None:
    slots = [slot for slot, _ in child_network(SMALL, DEEPER64.architecture("124")).layers()]
    assert len(set(slots)) == len(slots)
    assert {slot.cell for slot in slots} == {0, 1, 2, 3, 4}
    second = [slot for slot in slots if slot.cell == 2]
    assert second == [
        Slot(2, "preprocess", None, None, 0, "pointwise"),
        Slot(2, "preprocess", None, None, 0, "bn"),
        Slot(2, "edge", (0, 1), "max_pool_3x3", 0, "bn"),
        *(
            Slot(2, "edge", (0, 2), "sep_conv_3x3", layer, kind)
            for layer in (0, 1)
            for kind in ("depthwise", "pointwise", "bn")
        ),
        *(Slot(2, "edge", (1, 2), "dil_conv_5x5", 0, kind) for kind in ("depthwise", "pointwise", "bn")),
    ]
    assert [slot.kind for slot in slots if slot.cell == 0] == ["conv", "bn"]
    assert [slot for slot in slots if slot.cell == 4] == [Slot(4, "classifier", None, None, 0, "linear")]


# -- merging -----------------------------------------------------------------------------------------


def test_distinct_blocks_in_closed_form() -> None:
    """Full sharing merges the stem and the first cell; behind it every child has an input of its own."""
    children = list(DEEPER64)
    every = sum(BLOCKS.values())  # 6
    of_a_cell = 64 + 3 * 16 * every  # preprocessing of each child, and each operation 16 times on each edge
    for macro in (SMALL, PAPER, TINY):
        stem, cells = len(macro.stem), macro.cells
        full = Weights(macro, children, lambda arch, slot: None, seed=0).network(range(64))
        first = 1 + every + every + 4 * every  # edge 1->2 starts from four different nodes
        assert len(full.blocks) == stem + first + (cells - 1) * of_a_cell
        none = Weights(macro, children, lambda arch, slot: arch, seed=0).network(range(64))
        assert len(none.blocks) == 64 * stem + cells * of_a_cell
        assert len(full.heads) == len(none.heads) == 64


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(lambda arch, slot: None, id="full"),
        pytest.param(lambda arch, slot: None if slot.cell <= 1 else arch, id="prefix"),
        pytest.param(lambda arch, slot: arch if slot.kind == "bn" else None, id="private batch norm"),
        pytest.param(lambda arch, slot: arch, id="none"),
    ],
)
def test_merged_children_compute_what_each_computes_alone(key) -> None:
    macro = dataclasses.replace(TINY, channels=2, stem=(3,))
    weights = Weights(macro, list(DEEPER64), key, seed=0, dtype=torch.float64)
    images = torch.randn(3, 6, 5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.no_grad():
        together = plain.forward(weights.network(range(64)), weights, images).logits
        for number in range(64):
            alone = plain.forward(weights.network([number]), weights, images).logits[0]
            assert torch.equal(together[number], alone)


def test_merging_a_child_with_itself_adds_a_head_only() -> None:
    network = child_network(SMALL, DEEPER64.architecture("234"))
    numbers = {slot: i for i, (slot, _) in enumerate(network.layers())}
    twice = merged([network, network], lambda i, slot: numbers[slot])
    assert len(twice.blocks) == len(network.blocks)
    assert twice.heads[0] == twice.heads[1]


def test_lifetimes_keep_every_result_until_its_last_reader() -> None:
    network = Weights(SMALL, list(DEEPER64), lambda arch, slot: None, seed=0).network(range(64))
    last, runs_after = network.lifetimes()
    assert runs_after == sorted(runs_after)
    for number, block in enumerate(network.blocks):
        assert all(term == IMAGE or term < number <= last[term] for group in block.inputs for term in group)
    for head, when in zip(network.heads, runs_after, strict=True):
        assert all(term <= when <= last[term] for group in head.inputs for term in group)


# -- macros and errors -------------------------------------------------------------------------------


def test_presets() -> None:
    assert {"paper": PAPER, "small": SMALL} == MACROS
    assert get_macro("paper") is PAPER
    assert (PAPER.stem, PAPER.channels, PAPER.cells, PAPER.height, PAPER.image_channels) == ((48, 48), 16, 4, 32, 3)
    assert (SMALL.channels, SMALL.height, SMALL.width, SMALL.image_channels) == (8, 14, 14, 1)
    assert refusal(get_macro, "papper") == "unknown macro 'papper' (did you mean paper?); known are paper, small"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"output": "mean"}, "macro output is 'mean'; allowed are 'concat', 'sum' and 'last'"),
        ({"dilated_kernel": 4}, "dilated_kernel is 4; allowed are 3 and 5"),
        ({"channels": 0}, "macro channels is 0; it must be at least 1"),
        ({"cells": -1}, "macro cells is -1; it must be at least 1"),
        ({"height": 0}, "macro height is 0; it must be at least 1"),
        ({"width": 0}, "macro width is 0; it must be at least 1"),
        ({"image_channels": 0}, "macro image_channels is 0; it must be at least 1"),
        ({"classes": 0}, "macro classes is 0; it must be at least 1"),
        ({"stem": ()}, "the stem has no convolution; give at least one number of channels"),
    ],
)
def test_a_macro_that_cannot_be_built(change, message) -> None:
    assert refusal(dataclasses.replace, SMALL, **change) == message


def test_an_operation_that_no_network_knows() -> None:
    space = Space("other", 1, ("sep_conv_7x7", "max_pool_3x3"))
    assert refusal(child_network, SMALL, space.architecture("1")) == (
        "no network knows the operation 'sep_conv_7x7' (did you mean sep_conv_5x5 or sep_conv_3x3 or conv_3x3?); "
        "known are max_pool_3x3, sep_conv_3x3, sep_conv_5x5, dil_conv_5x5, none, skip_connect, avg_pool_3x3, "
        "conv_1x1, conv_3x3, nor_conv_1x1, nor_conv_3x3, dil_conv_3x3, group_conv; one of your own is known once its "
        "file is named, as --space FILE.py:NAME, or imported"
    )
    assert child_network(SMALL, space.architecture("2")).heads  # the other child is fine


def test_options_change_the_counts_they_should() -> None:
    arch = DEEPER64.architecture("444")
    base = parameter_count(child_network(SMALL, arch))
    small_kernel = parameter_count(child_network(dataclasses.replace(SMALL, dilated_kernel=3), arch))
    assert base - small_kernel == 3 * 3 * 8 * (25 - 9)  # cells x edges x channels x taps
    summed = parameter_count(child_network(dataclasses.replace(SMALL, output="sum"), arch))
    assert base - summed == 2 * 8 * 8 + 10 * 8  # two preprocessings and the classifier read half as many channels


def test_every_operation_of_the_space_has_blocks() -> None:
    assert set(DEEPER64.operations) == set(BLOCKS) < set(OPERATIONS)
    for name, edge in itertools.product("1234", range(3)):
        digits = "".join(name if i == edge else "1" for i in range(3))
        network = child_network(dataclasses.replace(SMALL, cells=1), DEEPER64.architecture(digits))
        assert len(network.blocks) == 1 + 1 + 2 + BLOCKS[DEEPER64.operations[int(name) - 1]]


def test_networks_need_no_torch() -> None:
    code = (
        "import sys; from nasbench_ws.space.child import child_network; from nasbench_ws.space.macro import SMALL; "
        "from nasbench_ws.space import DEEPER64; child_network(SMALL, DEEPER64[7]); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-P", "-c", code], check=False).returncode == 0
