"""Sharing is a key: who shares what, counted in closed form; initial values that depend on nothing else."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench_ws import sharing
from nasbench_ws.errors import StrategyError
from nasbench_ws.seeds import derive
from nasbench_ws.sharing.keys import edge, full, none
from nasbench_ws.space.blocks import Slot
from nasbench_ws.space.child import child_network, parameter_count
from nasbench_ws.space.macro import PAPER, SMALL, Macro
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.training.weights import Weights

pytestmark = pytest.mark.usefixtures("one_thread")

CHILDREN = list(DEEPER64)
TINY = Macro("tiny", stem=(3,), channels=4, cells=2, height=4, width=4, image_channels=1, classes=3)
LAYERS = {"max_pool_3x3": 1, "sep_conv_3x3": 6, "sep_conv_5x5": 6, "dil_conv_5x5": 3}  # slots of an operation
EVERY = sum(LAYERS.values())  # 16


def groups(count):
    return sharing.groups("similar", count, DEEPER64)


def prefix(cells):
    return lambda arch, slot: None if slot.cell <= cells else arch  # for macros of any depth


private_batch_norm = sharing.private(["bn"])


def same_tensors(a: Weights, b: Weights) -> bool:
    names = ("values", "momentum", "running_mean", "running_var")
    return a.storages == b.storages and all(torch.equal(getattr(a, n), getattr(b, n)) for n in names)


# -- how many storages, how large --------------------------------------------------------------------


@pytest.mark.parametrize("macro", [TINY, SMALL, PAPER], ids=lambda macro: macro.name)
def test_storages_in_closed_form(macro: Macro) -> None:
    stem, cells = 2 * len(macro.stem), macro.cells
    shared_cell, private_cell = 2 + 3 * EVERY, 2 * 64 + 3 * 16 * EVERY  # preprocessing and the three edges

    def count(key) -> int:
        return len(Weights(macro, CHILDREN, key, seed=0).storages)

    assert count(full) == stem + cells * shared_cell + 1
    assert count(none) == 64 * stem + cells * private_cell + 64
    for k in range(cells + 1):
        assert count(prefix(k)) == stem + k * shared_cell + (cells - k) * private_cell + 64
    for where in DEEPER64.edges:  # four super-nets, of which each has all operations elsewhere and one on the edge
        assert count(edge(where, DEEPER64)) == 4 * (stem + cells * (2 + 2 * EVERY) + 1) + cells * EVERY
    batch_norms = 6  # of the four operations: 1 + 2 + 2 + 1
    per_child = 64 * (len(macro.stem) + cells) + cells * 3 * 16 * batch_norms
    others = stem // 2 + cells * (1 + 3 * (EVERY - batch_norms)) + 1
    assert count(private_batch_norm) == per_child + others


def test_sizes_and_offsets_tile_the_flat_vectors() -> None:
    for key in (full, none, prefix(1), private_batch_norm):
        weights = Weights(TINY, CHILDREN, key, seed=0)
        assert [s.offset for s in weights.storages] == list(
            itertools.accumulate((s.size for s in weights.storages[:-1]), initial=0)
        )
        assert sum(s.size for s in weights.storages) == weights.values.numel() == weights.momentum.numel()
        kept = [s for s in weights.storages if s.channels]
        assert {s.slot.kind for s in kept} == {"bn"}
        assert all(s.stats_offset == -1 for s in weights.storages if not s.channels)
        assert [s.stats_offset for s in kept] == list(itertools.accumulate((s.channels for s in kept[:-1]), initial=0))
        assert sum(s.channels for s in kept) == weights.running_mean.numel() == weights.running_var.numel()
        assert weights.bytes == 4 * weights.values.numel()


def test_sharing_is_a_fraction() -> None:
    parameters = sum(parameter_count(child_network(PAPER, arch)) for arch in CHILDREN)
    assert Weights(PAPER, CHILDREN, none, seed=0).sharing == 1
    assert Weights(PAPER, CHILDREN, full, seed=0).sharing == 58_074 / parameters
    degrees = [Weights(SMALL, CHILDREN, prefix(k), seed=0).sharing for k in range(SMALL.cells + 1)]
    assert degrees == sorted(degrees, reverse=True)  # the longer the prefix, the more is shared
    counts = [Weights(SMALL, CHILDREN, groups(m), seed=0).sharing for m in (1, 2, 4, 8, 16, 32, 64)]
    assert counts == sorted(counts)
    assert counts[-1] == 1


# -- strategies that share alike are alike to the last bit ---------------------------------------------


def test_one_group_is_full_sharing_and_as_many_groups_as_children_is_none() -> None:
    assert same_tensors(Weights(SMALL, CHILDREN, groups(1), seed=3), Weights(SMALL, CHILDREN, full, seed=3))
    assert same_tensors(Weights(SMALL, CHILDREN, groups(64), seed=3), Weights(SMALL, CHILDREN, none, seed=3))


def test_a_standalone_child_starts_as_in_the_super_net_without_sharing() -> None:
    every = Weights(SMALL, CHILDREN, none, seed=5)
    for number in (0, 27, 63):
        alone = Weights(SMALL, [CHILDREN[number]], none, seed=5)
        assert torch.equal(alone.values, every.values[every.active(number)])


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_two_children_share_a_storage_if_and_only_if_their_keys_are_equal(data) -> None:
    numbers = data.draw(st.lists(st.integers(0, 63), min_size=2, max_size=6, unique=True))
    children = [CHILDREN[number] for number in numbers]
    slots = [[slot for slot, _ in child_network(TINY, arch).layers()] for arch in children]
    labels = st.one_of(st.integers(0, 2), st.sampled_from(["a", "b"]), st.tuples(st.integers(0, 1)), st.none())
    table = {
        (arch, slot): data.draw(labels) for arch, known in zip(children, slots, strict=True) for slot in known
    }
    weights = Weights(TINY, children, lambda arch, slot: table[arch, slot], seed=0)
    for (i, a), (j, b) in itertools.combinations(enumerate(children), 2):
        for slot in set(slots[i]) & set(slots[j]):
            same = weights.number(i, slot) == weights.number(j, slot)
            assert same == (table[a, slot] == table[b, slot])
    for i, known in enumerate(slots):  # and within a child no two slots are one
        assert len({weights.number(i, slot) for slot in known}) == len(known)
        assert all(weights.storages[weights.number(i, slot)].slot == slot for slot in known)
        assert all(i in weights.storages[weights.number(i, slot)].children for slot in known)


@settings(max_examples=20, deadline=None)
@given(order=st.permutations(range(0, 64, 9)), names=st.permutations(["x", 7, None, ("t", 1)]))
def test_initial_values_depend_on_the_sharers_and_not_on_order_or_names(order, names) -> None:
    """Children are grouped by their first operation; neither their order nor the groups' names change a value."""
    plain_order = sorted(order)
    a = Weights(TINY, [CHILDREN[n] for n in plain_order], lambda arch, slot: arch.choices[0], seed=2)
    b = Weights(TINY, [CHILDREN[n] for n in order], lambda arch, slot: names[arch.choices[0]], seed=2)
    for i, number in enumerate(plain_order):
        j = order.index(number)
        for slot, _ in child_network(TINY, CHILDREN[number]).layers():
            pairs = zip(a.views(a.values, a.number(i, slot)), b.views(b.values, b.number(j, slot)), strict=True)
            assert all(torch.equal(x, y) for x, y in pairs)


def test_initial_values_differ_between_sets_of_sharers_slots_and_seeds() -> None:
    def stem(children, seed) -> torch.Tensor:
        weights = Weights(SMALL, children, full, seed)
        return weights.views(weights.values, weights.number(0, Slot(0, "stem", None, None, 0, "conv")))[0]

    base = stem(CHILDREN[:2], 0)
    assert not torch.equal(base, stem(CHILDREN[:3], 0))
    assert not torch.equal(base, stem(CHILDREN[:2], 1))
    weights = Weights(SMALL, CHILDREN, full, 0)
    slots = [Slot(cell, "preprocess", None, None, 0, "pointwise") for cell in (2, 3)]
    second, third = (weights.views(weights.values, weights.number(0, slot))[0] for slot in slots)
    assert not torch.equal(second, third)


def test_initial_values_are_torchs_default_in_law() -> None:
    """Uniform within 1 / sqrt(fan in), all over it; batch norms start as the identity."""
    weights = Weights(PAPER, CHILDREN, none, seed=0)
    for slot, fan_in in (
        (Slot(0, "stem", None, None, 1, "conv"), 48 * 9),
        (Slot(2, "preprocess", None, None, 0, "pointwise"), 32),
        (Slot(1, "edge", (0, 1), "max_pool_3x3", 0, "bn"), None),
        (Slot(5, "classifier", None, None, 0, "linear"), 32),
    ):
        values = [weights.views(weights.values, weights.number(child, slot)) for child in range(16)]
        if fan_in is None:
            assert values == [[]] * 16  # batch norm in a cell is not affine
            continue
        drawn = torch.cat([view.flatten() for views in values for view in views]) * fan_in**0.5
        assert drawn.abs().max() <= 1
        assert drawn.abs().max() > 0.99
        assert abs(float(drawn.mean())) < 4 / (3 * drawn.numel()) ** 0.5
        assert float(drawn.var()) == pytest.approx(1 / 3, rel=0.1)
    gamma, beta = weights.views(weights.values, weights.number(7, Slot(0, "stem", None, None, 0, "bn")))
    assert gamma.eq(1).all()
    assert beta.eq(0).all()
    assert weights.running_mean.eq(0).all()
    assert weights.running_var.eq(1).all()
    assert weights.momentum.eq(0).all()
    depth = Slot(1, "edge", (0, 1), "dil_conv_5x5", 0, "depthwise")
    (weight,) = weights.views(weights.values, weights.number(63, depth))
    assert 0.9 / 5 < float(weight.abs().max()) <= 1 / 5  # a depthwise weight sees one channel, 5 x 5 taps


def test_float64_and_float32_start_alike() -> None:
    double, single = (Weights(SMALL, CHILDREN, full, 0, dtype) for dtype in (torch.float64, torch.float32))
    assert torch.equal(double.values.float(), single.values)
    assert double.bytes == 2 * single.bytes


# -- positions and views -------------------------------------------------------------------------------


def test_active_positions_are_exactly_those_a_child_reads() -> None:
    for key in (full, prefix(1), private_batch_norm):
        weights = Weights(TINY, CHILDREN, key, seed=0)
        for number in (0, 6, 63):
            active = weights.active(number)
            assert active.dtype == torch.int64
            assert active.numel() == parameter_count(child_network(TINY, CHILDREN[number]))
            assert (active.diff() > 0).all()
            marked = torch.zeros_like(weights.values)
            for slot, _ in child_network(TINY, CHILDREN[number]).layers():
                for view in weights.views(marked, weights.number(number, slot)):
                    view.fill_(1)
            assert torch.equal(marked.nonzero().flatten(), active)


def test_views_write_through() -> None:
    weights = Weights(TINY, CHILDREN[:1], full, seed=0)
    slot = Slot(3, "classifier", None, None, 0, "linear")
    weight, bias = weights.views(weights.values, weights.number(0, slot))
    assert (weight.shape, bias.shape) == ((3, 8), (3,))
    bias.fill_(42)
    assert weights.values[-3:].eq(42).all()


def test_a_private_storage_is_not_copied_but_chosen() -> None:
    weights = Weights(TINY, CHILDREN[:3], prefix(1), seed=0)
    first, second = (weights.network([n]) for n in (0, 1))
    assert first.blocks[0] == second.blocks[0]
    assert first.heads[0].linear != second.heads[0].linear
    assert weights.network([1]) == second  # made anew, the same: nothing is remembered between calls


# -- errors and seeds ------------------------------------------------------------------------------------


def test_a_key_that_cannot_be_compared() -> None:
    with pytest.raises(StrategyError) as caught:
        Weights(TINY, CHILDREN[7:8], lambda arch, slot: [arch], seed=0)
    child, slot = CHILDREN[7], Slot(0, "stem", None, None, 0, "conv")
    assert str(caught.value) == (
        f"the strategy's key for child {child} at {slot} is [{child!r}], which is not hashable; "
        "return a string, a number, None or a tuple of those"
    )


def test_seeds_are_a_hash_of_their_purpose() -> None:
    text = "str:order\x1fstr:242129d7f03546ee\x1fint:3"
    expected = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
    assert derive("order", "242129d7f03546ee", 3) == expected
    assert derive("order", "3") != derive("order", 3)
    assert derive("a", "bc") != derive("ab", "c")
    assert all(0 <= derive("init", n) < 2**63 for n in range(100))


def test_macros_of_other_shapes_lay_out_alike() -> None:
    """Heights, widths and statistics change no parameter: only the network's shapes do."""
    wide = dataclasses.replace(TINY, height=9, width=7, bn_momentum=0.1)
    assert same_tensors(Weights(TINY, CHILDREN[:4], full, 0), Weights(wide, CHILDREN[:4], full, 0))
