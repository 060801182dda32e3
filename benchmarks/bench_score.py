"""How fast are all children scored? One merged pass, against one child at a time with plain torch modules."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from timing import cpu_seconds_of, machine
from torch.nn import functional as F

from nasbench_ws.images.dataset import Images, Split
from nasbench_ws.images.loaders import load_images
from nasbench_ws.recipe import Recipe
from nasbench_ws.sharing.keys import full
from nasbench_ws.space.macro import MACROS
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.training.batch_norm import BatchNorm
from nasbench_ws.training.module import SuperNetModule
from nasbench_ws.training.scoring import Scorer
from nasbench_ws.training.supernet import SuperNet

CHUNK = 250  # images at a time on the plain side


def _images(preset):
    """1,000 validation images of the shipped set; 50 random ones of 32x32x3 for `paper`, whose pass is dear."""
    if preset == "small":
        return load_images("fashion14").first_valid(1000)
    rng = np.random.default_rng(0)
    part = Split(rng.integers(0, 256, (50, 32, 32, 3)).astype(np.uint8), np.arange(50) % 10)
    return Images("random", tuple("0123456789"), "0" * 64, (0.5,) * 3, (0.25,) * 3, {"train": part, "valid": part})


def _trained(preset, children):
    """A fully shared super-net after a step of each child, so that statistics are not the initial ones."""
    images = _images(preset)
    net = SuperNet(Recipe(), MACROS[preset], children, full, seed=0)
    scorer = Scorer(images, "valid", BatchNorm())
    pixels, labels = scorer._pixels[:32], scorer._labels[:32]
    for number in range(len(children)):
        net.step([number], pixels, labels, lr=0.01)
    return images, net, scorer


def _one_by_one(net, scorer):
    """Accuracy and loss of each child, its modules made beforehand."""
    planes = scorer._pixels.permute(0, 3, 1, 2)
    whole = SuperNetModule(net.weights).to(memory_format=torch.channels_last).eval()
    children = [whole.child(number) for number in range(len(net.children))]

    def score():
        found = []
        with torch.no_grad():
            for child in children:
                logits = torch.cat([child(part) for part in planes.split(CHUNK)])
                loss = F.cross_entropy(logits, scorer._labels)
                found.append((float((logits.argmax(1) == scorer._labels).float().mean()), float(loss)))
        return np.array(found).T

    return score


@pytest.mark.parametrize("preset", ["paper", "small"])
def test_score_ratio(benchmark, preset):
    images, net, scorer = _trained(preset, list(DEEPER64))
    one_by_one = _one_by_one(net, scorer)
    merged = scorer.score(net)
    accuracy, loss = one_by_one()
    np.testing.assert_allclose(merged.loss, loss, rtol=0, atol=1e-5 * max(1.0, float(loss.max())))
    assert np.abs(merged.accuracy - accuracy).max() <= 1 / len(images.valid) + 1e-9  # an image on the fence
    rounds = [(cpu_seconds_of(lambda: scorer.score(net)), cpu_seconds_of(one_by_one)) for _ in range(3)]
    own, plain = np.median(rounds, axis=0)
    benchmark.extra_info.update(
        machine(net.backend.description(net.macro.channels)),
        ratio=plain / own,
        images=len(images.valid),
        own_seconds=own,
        plain_seconds=plain,
    )
    benchmark.pedantic(lambda: scorer.score(net), rounds=1)


@pytest.mark.parametrize("children", [2, 16, 64])
def test_score_by_children(benchmark, children):
    _, net, scorer = _trained("small", list(DEEPER64)[:children])
    assert scorer.score(net).accuracy.shape == (children,)
    benchmark.pedantic(lambda: scorer.score(net), rounds=3)


@pytest.mark.parametrize("mode", ["running", "batch", "recalibrate:256"])
def test_score_by_batch_norm(benchmark, mode):
    images, net, _ = _trained("small", list(DEEPER64))
    scorer = Scorer(replace(images), "valid", BatchNorm.parse(mode))
    assert np.isfinite(scorer.score(net).accuracy).all()
    benchmark.pedantic(lambda: scorer.score(net), rounds=1)
