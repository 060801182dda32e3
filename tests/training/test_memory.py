"""No label, shape or count may end the process: each is refused before a pointer is handed on, or never trusted.

The slow test runs random networks on kernels built with AddressSanitizer and UBSan.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from nasbench_ws.errors import DataError, UsageError
from nasbench_ws.recipe import Recipe
from nasbench_ws.sharing.keys import full
from nasbench_ws.space.blocks import IMAGE, Block, Head, Network
from nasbench_ws.space.macro import Macro
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.training import compiled as engine
from nasbench_ws.training.backend import usable
from nasbench_ws.training.compiled import Engine, Updater
from nasbench_ws.training.kernels import library
from nasbench_ws.training.kernels.known import check_network
from nasbench_ws.training.reference import TORCH
from nasbench_ws.training.supernet import SuperNet
from nasbench_ws.training.weights import Weights

pytestmark = pytest.mark.usefixtures("one_thread")

needs_kernels = pytest.mark.skipif(not engine.available(), reason="the compiled kernels are not built")
either = pytest.mark.parametrize("backend", usable(), ids=lambda backend: backend.name)
MACRO = Macro("tiny", stem=(3,), channels=4, cells=1, height=6, width=5, image_channels=1, classes=3)
CHILD = DEEPER64.architecture("124")


def net_on(backend, dtype=torch.float32, macro=MACRO) -> SuperNet:
    return SuperNet(Recipe(batch_size=4, train_images=4), macro, [CHILD], full, 0, dtype, backend)


def batch(count=4, macro=MACRO, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn((count, macro.height, macro.width, macro.image_channels), generator=generator, dtype=dtype)
    return images, torch.arange(count) % macro.classes


# -- labels ------------------------------------------------------------------------------------------------


@either
@pytest.mark.parametrize("bad", [3, 255, -1, -(2**62), 2**62, 2**63 - 1])
def test_a_label_that_is_no_class(backend, bad: int) -> None:
    """Whether the network learns or is scored; nothing has changed afterwards, and it goes on."""
    net = net_on(backend)
    images, labels = batch()
    net.step([0], images, labels, 0.1)
    before = net.weights.snapshot()
    wrong = labels.clone()
    wrong[2] = bad
    for call in (
        lambda: net.step([0], images, wrong, 0.1),
        lambda: net.merged([0]).score(images, wrong, batch=4),
    ):
        with pytest.raises(DataError) as caught:
            call()
        assert str(caught.value) == (
            f"label {bad} of image 2 of a batch: the network has 3 classes, so labels are 0 to 2; "
            "check how the labels were read"
        )
    assert all(torch.equal(a, b) for a, b in zip(before, net.weights.snapshot(), strict=True))
    other = net_on(backend)
    for one in (net, other):
        one.step([0], images, labels, 0.1)
    other.step([0], images, labels, 0.1)
    assert torch.equal(net.weights.values, other.weights.values)  # no gradient of the refused batch was left over


# -- shapes and types --------------------------------------------------------------------------------------


@either
@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(4, 5, 6, 1), "images (4, 5, 6, 1) of torch.float32 on cpu"),
        (torch.zeros(4, 6, 5, 3), "images (4, 6, 5, 3) of torch.float32 on cpu"),
        (torch.zeros(4, 6, 5), "images (4, 6, 5) of torch.float32 on cpu"),
        (torch.zeros(0, 6, 5, 1), "images (0, 6, 5, 1) of torch.float32 on cpu"),
        (torch.zeros(4, 6, 5, 1, dtype=torch.float64), "images (4, 6, 5, 1) of torch.float64 on cpu"),
        (torch.zeros(4, 6, 5, 1, device="meta"), "images (4, 6, 5, 1) of torch.float32 on meta"),
    ],
)
def test_images_of_another_shape_or_type(backend, images: torch.Tensor, message: str) -> None:
    net, labels = net_on(backend), torch.zeros(len(images), dtype=torch.int64)
    with pytest.raises(UsageError) as caught:
        net.step([0], images, labels, 0.1)
    assert str(caught.value) == (
        f"{message}: this network takes (B, 6, 5, 1) of torch.float32 on cpu, with B of at least 1"
    )


@either
@pytest.mark.parametrize(
    ("labels", "given"),
    [
        (torch.zeros(3, dtype=torch.int64), "(3,) of torch.int64"),
        (torch.zeros(4, 1, dtype=torch.int64), "(4, 1) of torch.int64"),
        (torch.zeros(4, dtype=torch.int32), "(4,) of torch.int32"),
        (torch.zeros(4), "(4,) of torch.float32"),
    ],
)
def test_labels_of_another_shape_or_type(backend, labels: torch.Tensor, given: str) -> None:
    with pytest.raises(UsageError) as caught:
        net_on(backend).step([0], batch()[0], labels, 0.1)
    assert str(caught.value) == f"labels {given} on cpu for 4 images: give (4,) of torch.int64 on cpu"


@either
def test_images_and_labels_that_do_not_lie_in_a_row(backend) -> None:
    net, other = net_on(backend), net_on(backend)
    images, labels = batch()
    twice = torch.stack([labels, labels], dim=1)
    net.step([0], images.permute(0, 2, 1, 3).contiguous().permute(0, 2, 1, 3), twice[:, 0], 0.1)
    other.step([0], images, labels, 0.1)
    torch.testing.assert_close(net.weights.values, other.weights.values)


@either
def test_a_gradient_of_another_length(backend) -> None:
    net = net_on(backend)
    size = net.weights.values.numel()
    for wrong in (torch.zeros(size - 1), torch.zeros(size, dtype=torch.float64), torch.zeros(2 * size)[::2]):
        for call in (
            lambda wrong=wrong: net.accumulate(0, *batch(), wrong),
            lambda wrong=wrong: net.update([0], wrong, 0.1),
        ):
            with pytest.raises(UsageError) as caught:
                call()
            assert str(caught.value) == (
                f"a gradient ({len(wrong)},) of {wrong.dtype} for weights ({size},) of torch.float32: give a "
                "contiguous one of the same shape and type"
            )


@either
def test_a_batch_without_a_variance(backend) -> None:
    macro = dataclasses.replace(MACRO, height=1, width=1)
    net = net_on(backend, macro=macro)
    with pytest.raises(UsageError) as caught:
        net.step([0], *batch(1, macro), 0.1)
    assert str(caught.value) == (
        "batch statistics over 1 number a channel: a variance takes at least 2; give more images"
    )


@needs_kernels
def test_what_a_run_cannot_fill_or_read() -> None:
    weights = Weights(MACRO, [CHILD], full, 0)
    learns, scores = (Engine(weights.network([0]), weights, keep=keep) for keep in (True, False))
    two = Engine(weights.network([0, 0]), weights, keep=True)
    images, labels = batch()
    gradient, given = torch.zeros_like(weights.values), (torch.zeros(scores.channels), torch.ones(scores.channels))
    size = scores.channels
    for call, message in (
        (lambda: scores.run(images, labels, 0), "batches of 0 images: give at least 1"),
        (
            lambda: scores.run(images, labels, 4, gradient=gradient),
            "a gradient takes an engine with keep=True, and the batch's own statistics",
        ),
        (
            lambda: learns.run(images, labels, 4, given, gradient=gradient),
            "a gradient takes an engine with keep=True, and the batch's own statistics",
        ),
        (lambda: scores.learn(images, labels, gradient, 0.1), "to learn takes an engine with keep=True"),
        (lambda: two.learn(images, labels, gradient, 0.1), "a gradient of 2 heads: bind one child to learn"),
        (lambda: two.run(images, labels, 4, gradient=gradient), "a gradient of 2 heads: bind one child to learn"),
        (
            lambda: scores.run(images, labels, 4, logits=torch.zeros(1, 3, 3)),
            "logits (1, 3, 3) of torch.float32: give contiguous ones (1, 4, 3) of torch.float32",
        ),
        (
            lambda: scores.run(images, labels, 4, (torch.zeros(2), torch.zeros(size))),
            f"statistics (2,) and ({size},): the network's blocks have {size} channels, ({size},) each",
        ),
    ):
        with pytest.raises(UsageError) as caught:
            call()
        assert str(caught.value) == message


# -- sizes that the kernels trust ----------------------------------------------------------------------------


@needs_kernels
@pytest.mark.parametrize("terms", [64, 65, 130])
@pytest.mark.parametrize("relu", [True, False])
def test_more_terms_than_are_added_at_once(terms: int, relu: bool) -> None:
    """A sum of more blocks than MAX_TERMS, read by a block, a concatenation and a head: as torch adds them."""
    macro = dataclasses.replace(MACRO, stem=(4,))
    weights = Weights(macro, [DEEPER64.architecture("111")], full, 0, torch.float64)
    small = weights.network([0])
    stem, cell = small.blocks[0], small.blocks[1]
    conv = dataclasses.replace(cell, inputs=((0,),))
    many = tuple(range(1, terms + 1))
    last = dataclasses.replace(conv, inputs=(many,), relu=relu)
    head = Head((many, (terms + 1,)), 8, 6, 5, 3, small.heads[0].linear)
    network = Network((stem, *[conv] * terms, last), (head,))
    images, labels = batch(3, macro, torch.float64)
    found = []
    for bound in (Engine(network, weights, keep=True), TORCH.bind(network, weights, learns=True)):
        gradient = torch.zeros_like(weights.values)
        found.append((bound.learn(images, labels, gradient, 0.1), gradient))
        found[-1] += bound.score(images, labels, bound.statistics(images))
    (fast, fast_gradient, *fast_scores), (slow, slow_gradient, *slow_scores) = found
    assert fast[0] == pytest.approx(slow[0], rel=1e-9)
    torch.testing.assert_close(fast_gradient, slow_gradient, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(fast_scores[0], slow_scores[0], rtol=1e-9)


BLOCK = Block(((IMAGE,),), 2, 4, 6, 5, bn=1, affine=False, conv=0, conv_kernel=3)
HEAD = Head(((0,),), 4, 6, 5, 3, linear=2)


def changed(**changes) -> Network:
    return Network((dataclasses.replace(BLOCK, **changes),), (HEAD,))


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            changed(conv_kernel=5),
            "block 0, kernel 0, dilation 1, conv_kernel 5, groups 1, pool none, 2 to 4 channels at 6x5",
        ),
        (
            changed(depthwise=3, kernel=7, conv_kernel=1),
            "block 0, kernel 7, dilation 1, conv_kernel 1, groups 1, pool none, 2 to 4 channels at 6x5",
        ),
        (
            changed(depthwise=3, kernel=3, conv_kernel=1, dilation=3),
            "block 0, kernel 3, dilation 3, conv_kernel 1, groups 1, pool none, 2 to 4 channels at 6x5",
        ),
        (
            changed(depthwise=3, kernel=3, conv=None, conv_kernel=0),
            "block 0, kernel 3, dilation 1, conv_kernel 0, groups 1, pool none, 2 to 4 channels at 6x5",
        ),
        (
            changed(pool="max", conv=None, conv_kernel=0),
            "block 0, kernel 0, dilation 1, conv_kernel 0, groups 1, pool max, 2 to 4 channels at 6x5",
        ),
        (
            changed(conv=None),
            "block 0, kernel 0, dilation 1, conv_kernel 3, groups 1, pool none, 2 to 4 channels at 6x5",
        ),
    ],
)
def test_a_block_that_the_kernels_do_not_know(network: Network, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_network(network)
    assert str(caught.value) == (
        f"the compiled kernels do not know {message}: they know max and average pooling 3x3, depthwise 3x3 or 5x5 of "
        "dilation 1 or 2 followed by a convolution 1x1, and convolutions 1x1 or 3x3 in groups that divide the "
        "channels, at 6x5; give SuperNet(backend=TORCH), of nasbench_ws.training.reference"
    )


NEXT = dataclasses.replace(BLOCK, inputs=((0,),), in_channels=4, conv_kernel=1)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            Network((BLOCK, dataclasses.replace(NEXT, inputs=((1,),))), (HEAD,)),
            "block 1 reads ((1,),): it may read blocks before it, or the image (-1) alone",
        ),
        (
            Network((BLOCK, dataclasses.replace(NEXT, inputs=((0, IMAGE),))), (HEAD,)),
            "block 1 reads ((0, -1),): it may read blocks before it, or the image (-1) alone",
        ),
        (
            Network((BLOCK, dataclasses.replace(NEXT, inputs=((),))), (dataclasses.replace(HEAD, inputs=((0, 1),)),)),
            "block 1 reads the sum of nothing, which is zeros, as what it makes: leave it out",
        ),
        (
            Network((BLOCK, dataclasses.replace(NEXT, inputs=((0,), (0,)))), (HEAD,)),
            "block 1 takes 4 channels, and reads [4, 4] of ((0,), (0,))",
        ),
        (
            Network((BLOCK,), (dataclasses.replace(HEAD, inputs=((IMAGE,),)),)),
            "head 0 reads ((-1,),): it may read blocks before it, or the image (-1) alone",
        ),
        (
            Network((BLOCK,), (dataclasses.replace(HEAD, channels=5),)),
            "head 0 takes 5 channels, and reads [4] of ((0,),)",
        ),
        (Network((BLOCK, NEXT), (HEAD,)), "block 1 is read by no block and no head: leave it out"),
        (
            Network((BLOCK,), (HEAD, dataclasses.replace(HEAD, classes=4))),
            "the compiled kernels do not know head 1: all heads have one size and classes",
        ),
    ],
)
def test_inputs_that_are_not_there(network: Network, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_network(network)
    assert str(caught.value) == message


@needs_kernels
def test_ranges_outside_the_weights() -> None:
    weights = Weights(MACRO, [CHILD], full, 0)
    size = weights.values.numel()
    for ranges in ([[0, size + 1]], [[-1, 2]], [[size, 1]], [[0, -1]]):
        with pytest.raises(UsageError) as caught:
            Updater(weights, np.array(ranges))
        assert str(caught.value) == f"ranges {ranges} of {size} weights: give (start, size) within them"


# -- sanitizers ----------------------------------------------------------------------------------------------


def sanitized(folder: Path) -> tuple[Path, dict[str, str]]:
    """The kernels built with both sanitizers, and the environment in which Python can load them."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no g++ here, whose sanitizers the kernels are built with")
    runtime = subprocess.run([compiler, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    if not Path(runtime.stdout.strip()).is_absolute():
        pytest.skip("g++ has no libasan here")
    path = folder / "_kernels.so"
    source = Path(library.__file__).parent / "kernels.cpp"
    flags = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-Wno-psabi", "-pthread"]
    subprocess.run([compiler, *flags, "-fPIC", "-shared", "-o", path, source], check=True)
    return path, {**os.environ, "LD_PRELOAD": runtime.stdout.strip(), "ASAN_OPTIONS": "detect_leaks=0"}


NETWORKS = Path(__file__).with_name("sanitized_networks.py")


def run_sanitized(kernels: Path, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", str(NETWORKS), str(kernels), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("count", [300])
def test_random_networks_under_sanitizers(tmp_path: Path, count: int) -> None:
    """Every width, both types, learning and scoring; and an image too few is seen, so that silence means something."""
    kernels, environment = sanitized(tmp_path)
    run = run_sanitized(kernels, environment, str(count))
    assert run.returncode == 0, run.stderr[-4000:]
    assert run.stdout.splitlines()[-1] == f"{count} networks"
    broken = run_sanitized(kernels, environment, "1", "--images-too-few")
    assert broken.returncode != 0
    assert "AddressSanitizer: heap-buffer-overflow" in broken.stderr
