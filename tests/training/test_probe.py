"""The probe: features are what a child's classifier reads, and the classifier is the ridge's optimum."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from nasbench_ws.errors import UsageError
from nasbench_ws.evaluation.evaluate import evaluate
from nasbench_ws.rankers.plan import Plan
from nasbench_ws.sharing.strategies import resolve
from nasbench_ws.space.macro import macro_for
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.training.batch_norm import BatchNorm
from nasbench_ws.training.batches import normalised
from nasbench_ws.training.probe import TOGETHER, features, ridge
from nasbench_ws.training.scoring import Scorer
from nasbench_ws.training.supernet import SuperNet

pytestmark = pytest.mark.usefixtures("one_thread")


def net_of(tiny: Any, strategy: str) -> SuperNet:
    macro = macro_for(tiny.recipe, tiny.images)
    key = resolve(strategy, DEEPER64, macro).key
    return SuperNet(tiny.recipe, macro, list(DEEPER64), key, 3, torch.float64)


@pytest.mark.parametrize("strategy", ["full", "edge:0-1", "private:linear"])
def test_features_are_what_the_classifier_reads(tiny: Any, strategy: str) -> None:
    """features @ weights + bias are the child's logits; and nothing of the super-net changes."""
    net = net_of(tiny, strategy)
    pixels = normalised(tiny.images.train.pixels, tiny.images.mean, tiny.images.std, torch.float64).contiguous()
    assert len(pixels) < TOGETHER  # one batch
    before, numbers = net.weights.snapshot(), [5, 17, 40]
    found = features(net, numbers, pixels)
    assert all(torch.equal(a, b) for a, b in zip(before, net.weights.snapshot(), strict=True))
    for row, number in zip(found, numbers, strict=True):
        bound = net.merged([number])
        weight, bias = net.weights.views(net.weights.values, bound.network.heads[0].linear)
        logits = F.linear(torch.from_numpy(row), weight, bias)
        assert torch.allclose(logits, bound.logits(pixels)[0], atol=1e-9)


def test_the_classifier_is_the_ridges_optimum() -> None:
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal((300, 7)), rng.integers(0, 4, 300)
    predicted = ridge(x, labels, x, 4)
    left = np.eye(4)[labels] - predicted
    centred = x - x.mean(axis=0)
    slopes = np.linalg.lstsq(centred, predicted - predicted.mean(axis=0), rcond=None)[0]
    assert np.allclose(centred.T @ left, 1e-3 * 300 * slopes)  # the gradient of the squares is that of the penalty
    assert np.allclose(ridge(x, labels, x[:5] + 2, 4), ridge(x, labels, x + 2, 4)[:5])


def test_a_shared_classifier_of_no_use_does_the_probe_no_harm(tiny: Any) -> None:
    """And a child that is not finite has no accuracy, whatever the others have."""
    net, images = net_of(tiny, "full"), tiny.images
    scorer = Scorer(images, "valid", BatchNorm.parse("probe:256"), torch.float64)
    first = scorer.score(net)
    assert first.accuracy.mean() > 0.3  # of four classes
    head = net.merged([0]).network.heads[0].linear
    for part in net.weights.views(net.weights.values, head):
        part.zero_()
    again = scorer.score(net, [7, 3])
    assert np.allclose(again.accuracy, first.accuracy[[7, 3]])
    operation = next(one for one in net.weights.storages if one.size and one.slot.operation == "sep_conv_5x5")
    net.weights.values[operation.offset] = np.nan
    broken = scorer.score(net).accuracy
    has = np.array([
        operation.slot.edge is not None and child.operation(operation.slot.edge) == "sep_conv_5x5" for child in DEEPER64
    ])  # fmt: skip
    assert np.array_equal(np.isnan(broken), has)


def test_it_is_evaluated_as_any_mode_is(tiny: Any, quick: None) -> None:
    plan = Plan("full", tiny.recipe, steps=64, batch_norm=("probe:128", "running"))
    result = evaluate("full", tiny.table, plan=plan, instances=1, load=tiny.load)
    assert list(result.outcome.scores) == ["probe:128", "running"]
    assert 0.2 < result.outcome.scores["probe:128"].mean() <= 1
    with pytest.raises(UsageError) as caught:
        evaluate("full", tiny.table, plan=Plan("full", tiny.recipe, batch_norm=("probe",)), load=tiny.load)
    assert str(caught.value) == "probe:4096 wants more than the 256 training images"
