"""Children that are one network under two names, and those that are not."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from nasbench_ws.sharing.keys import none
from nasbench_ws.space.cell import Space
from nasbench_ws.space.child import child_network, mac_count, parameter_count
from nasbench_ws.space.isomorphism import isomorphism_classes, representatives, same_network_classes
from nasbench_ws.space.macro import OUTPUTS, Macro
from nasbench_ws.space.registry import DEEPER64, TOPOLOGY729
from nasbench_ws.training.reference import forward
from nasbench_ws.training.weights import Weights

THREE = Space("three", 2, ("none", "skip_connect", "conv_1x1"))  # 27 children
EVERYONE = {"concat": 216, "sum": 195, "last": 99}


def macro(output: str) -> Macro:
    return Macro("m", stem=(3,), channels=4, cells=2, height=6, width=5, image_channels=1, classes=3, output=output)


@pytest.mark.parametrize("output", OUTPUTS)
def test_children_of_a_class_cost_the_same(output: str) -> None:
    classes = same_network_classes(TOPOLOGY729, output)
    assert (len(classes), sum(map(len, classes))) == (EVERYONE[output], 729)
    for children in classes:
        networks = [child_network(macro(output), child) for child in children]
        assert len({(parameter_count(one), mac_count(one), len(one.blocks)) for one in networks}) == 1
    unseen = [children for children in classes if not child_network(macro(output), children[0]).blocks]
    assert len(unseen) == 1  # all that do not see the image are one: a bias
    assert unseen[0][0].name == "111111"


def fingerprint(child, output: str) -> torch.Tensor:
    """The logits of a network whose layers of one operation all have one weight, so that they are a
    function of the graph alone, whatever its numbering.
    """
    weights = Weights(macro(output), [child], none, 0, torch.float64)
    for number, storage in enumerate(weights.storages):
        for view in weights.views(weights.values, number):
            generator = torch.Generator().manual_seed(len(storage.slot.operation or storage.slot.part))
            view.copy_(torch.randn(view.shape, generator=generator, dtype=torch.float64))
            if storage.slot.part in ("preprocess", "classifier") and view.dim() > 1 and output == "concat":
                inside = view.shape[1] // 4  # the same weights for each node's part of a concatenation
                if inside > 1:
                    view.copy_(view[:, :4].repeat(1, inside, *[1] * (view.dim() - 2)))
    images = torch.randn(5, 6, 5, 1, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    return forward(weights.network([0]), weights, images).logits[0]


@pytest.mark.parametrize("output", OUTPUTS)
def test_same_networks_compute_the_same(output: str) -> None:
    """With tied weights, children of a class have equal outputs."""
    for children in same_network_classes(TOPOLOGY729, output):
        first = fingerprint(children[0], output)
        for other in children[1:][-1:]:
            torch.testing.assert_close(fingerprint(other, output), first, rtol=1e-9, atol=1e-9)


def test_classes_by_hand() -> None:
    """Edges 0->1, 0->2, 1->2; the last node alone is handed on."""
    names = [tuple(child.name for child in children) for children in same_network_classes(THREE, "last")]
    assert names == [
        ("111", "112", "113", "211", "311"),  # nothing
        ("121", "122", "123", "212", "221", "321"),  # the source
        ("131", "132", "133", "213", "231", "312", "331"),  # a layer
        ("222",),  # the source twice
        ("223", "232", "322"),  # the source and a layer
        ("233", "332"),  # two layers side by side
        ("313",),  # two in a row
        ("323",),  # these and the source
        ("333",),  # these and a layer
    ]


def test_whose_runs_a_child_takes() -> None:
    first = representatives(TOPOLOGY729, "last")
    assert all(first[index] == index for index in first)
    assert all(index <= child for child, index in enumerate(first))
    many = Counter(first)
    assert many[0] == 67  # do not see the image
    assert many.most_common(1) == [(TOPOLOGY729.architecture("111311").index, 114)]  # one layer from end to end


@pytest.mark.parametrize("output", ["concat", "sum"])
def test_relabelled_children_are_the_same_network(output: str) -> None:
    first = representatives(TOPOLOGY729, output)
    for children in isomorphism_classes(TOPOLOGY729):
        assert len({first[child.index] for child in children}) == 1


def test_without_absent_edges_and_identities_every_child_is_its_own() -> None:
    assert representatives(DEEPER64) == tuple(range(64))


def test_two_layers_on_one_source_are_not_one_layer_taken_twice() -> None:
    """Both read op(x) + op(x) where weights are not written; NAS-Bench-201's own rule takes them for one."""
    first = representatives(TOPOLOGY729, "last")
    twice, two = (TOPOLOGY729.architecture(name) for name in ("312122", "331122"))
    assert first[twice.index] != first[two.index]
    assert len(child_network(macro("last"), twice).blocks) < len(child_network(macro("last"), two).blocks)
