"""The compiled kernels compute what torch computes: losses, gradients, statistics and logits, at every shape."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench_ws import engine, plain
from nasbench_ws.engine import Engine
from nasbench_ws.network import SMALL, Macro
from nasbench_ws.sharing import full
from nasbench_ws.space import DEEPER64, Space
from nasbench_ws.weights import Weights

needs_kernels = pytest.mark.skipif(
    not engine.available(), reason="the compiled kernels are not built (or NASBENCH_WS_ENGINE=plain forbids them)"
)
QUAD = Space("quad", 3, DEEPER64.operations)  # three nodes: sums of three terms, concatenations of three groups
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


# -- float64: the same numbers -------------------------------------------------------------------------


@needs_kernels
@settings(max_examples=40, deadline=None)
@given(macro=macros, arch=children, count=st.integers(1, 4), seed=st.integers(0, 3))
def test_training_is_the_references(macro: Macro, arch, count: int, seed: int) -> None:
    weights = Weights(macro, [arch], full, seed, torch.float64)
    network = weights.network([0])
    images, labels = batch(macro, count, seed=seed)
    expected, gradient = (torch.zeros_like(weights.values) for _ in range(2))
    loss, correct, mean, var = plain.loss_and_gradient(network, weights, images, labels, expected)
    logits = torch.zeros(1, count, macro.classes, dtype=torch.float64)
    before = weights.values.clone()
    outcome = Engine(network, weights, keep=True).run(images, labels, count, gradient=gradient, logits=logits)
    assert outcome.loss[0] == pytest.approx(loss, rel=1e-12, abs=1e-12)
    assert outcome.correct[0] == correct
    for found, reference in ((outcome.mean, mean), (outcome.var, var), (gradient, expected)):
        print(distance(found, reference))
        assert distance(found, reference) < 1e-12
    assert distance(logits, plain.forward(network, weights, images).logits.detach()) < 1e-12
    assert torch.equal(weights.values, before)
