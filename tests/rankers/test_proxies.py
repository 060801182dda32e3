"""Zero-cost proxies by their definitions and golden numbers; predictors and early stopping from the table's curves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from ten_seeds import ten_seeds
from torch.nn import functional as F

from nasbench_ws.errors import UsageError
from nasbench_ws.evaluation.evaluate import evaluate
from nasbench_ws.metrics.additive import additive_bound
from nasbench_ws.metrics.rank import kendall_tau
from nasbench_ws.rankers.named import PROXIES, curves
from nasbench_ws.rankers.plan import Plan
from nasbench_ws.rankers.predictor import drawn, predicted, scores_of
from nasbench_ws.rankers.proxies import az_nas, correlation, saliency, wann, zico
from nasbench_ws.rankers.proxies.observed import Untrained
from nasbench_ws.rankers.proxies.ranker import COSTS, WAYS, Proxy
from nasbench_ws.space.cell import Space
from nasbench_ws.space.macro import SMALL, Macro
from nasbench_ws.space.problem import Problem
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.tables.table import load
from nasbench_ws.training.batches import normalised
from nasbench_ws.training.probe import features, ridge_accuracy

pytestmark = pytest.mark.usefixtures("quick", "one_thread")
MACRO = Macro("tiny", stem=(3,), channels=4, cells=2, height=6, width=5, image_channels=2, classes=3)
CHOICES = np.array([child.choices for child in DEEPER64])
DOUBLE = torch.float64


def batch(count: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn((count, 2, 6, 5), generator=generator, dtype=DOUBLE)
    return images, torch.randint(3, (count,), generator=generator)


def untrained(name: str = "234") -> Untrained:
    return Untrained(MACRO, DEEPER64.architecture(name), 0, DOUBLE)


def test_every_proxy_is_listed() -> None:
    assert set(PROXIES) == set(COSTS) == {*WAYS, "az_nas"}


def test_gradients_of_the_weights_are_seen_by_definition() -> None:
    """grad_norm, snip and plain from torch's own gradients; l2_norm from the weights."""
    child, (images, labels) = untrained(), batch()
    gradients = torch.autograd.grad(F.cross_entropy(child.forward(images).logits, labels), child.weights)
    pairs = list(zip(child.weights, gradients, strict=True))
    assert saliency.grad_norm(child, images, labels) == pytest.approx(sum(float(g.norm()) for g in gradients))
    assert saliency.snip(child, images, labels) == pytest.approx(
        float(sum((w * g).detach().abs().sum() for w, g in pairs))
    )
    assert saliency.plain(child, images, labels) == pytest.approx(float(sum((w * g).detach().sum() for w, g in pairs)))
    assert saliency.l2_norm(child, images, labels) == pytest.approx(
        sum(float(w.detach().norm()) for w in child.weights)
    )


def test_grasp_is_minus_the_curvature_along_the_gradient() -> None:
    """W . Hg by central differences of the gradient along g."""
    child, (images, labels) = untrained(), batch(16)
    start = [w.detach().clone() for w in child.weights]
    gradients = child.gradients(F.cross_entropy(child.forward(images).logits, labels))
    found = saliency.grasp(child, images, labels)
    sides = []
    for h in (1e-7, -1e-7):
        with torch.no_grad():
            for w, at, g in zip(child.weights, start, gradients, strict=True):
                w.copy_(at + h * g)
        sides.append(child.gradients(F.cross_entropy(child.forward(images).logits, labels)))
    product = sum(float((w * (a - b)).sum()) for w, a, b in zip(start, *sides, strict=True)) / 2e-7
    assert found == pytest.approx(-product, rel=1e-2)


def test_fisher_is_the_squared_effect_of_a_channel() -> None:
    """At the last convolution, by scaling a channel image by image."""
    child, (images, labels) = untrained(), batch()
    seen = child.forward(images)
    gradients = torch.autograd.grad(F.cross_entropy(seen.logits, labels), seen.layers, retain_graph=True)
    each = [0.5 * ((a * g).sum(dim=(2, 3)) ** 2).mean(dim=0).sum() for a, g in zip(seen.layers, gradients, strict=True)]
    assert saliency.fisher(child, images, labels) == pytest.approx(float(torch.stack(each).detach().sum()))


def test_naswot_counts_what_two_images_have_in_common() -> None:
    child, (images, labels) = untrained("144"), batch(4)
    codes = torch.cat([(x > 0).flatten(1) for x in child.forward(images).relus], dim=1).numpy()
    kernel = np.array([[float((a == b).sum()) for b in codes] for a in codes])
    assert correlation.naswot(child, images, labels) == pytest.approx(np.linalg.slogdet(kernel)[1])


def test_jacobians_are_the_images_own() -> None:
    """In a network without batch statistics they would be apart; here all images' logits are summed, as published."""
    child, (images, labels) = untrained(), batch(6)
    score = correlation.jacov(child, images, labels)
    given = images.clone().requires_grad_()
    child.forward(given).logits.sum().backward()
    assert given.grad is not None
    values = np.linalg.eigvalsh(np.corrcoef(given.grad.flatten(1).numpy()))
    assert score == pytest.approx(-(np.log(values + 1e-5) + 1 / (values + 1e-5)).sum())
    assert np.isfinite(correlation.epe_nas(child, images, torch.tensor([0, 0, 1, 1, 2, 2])))


def test_zico_leaves_out_what_does_not_vary() -> None:
    child, (images, labels) = untrained(), batch()
    twice = torch.cat([images, images]), torch.cat([labels, labels])
    assert zico.zico(child, *twice) == 0
    assert zico.zico(child, images, labels) != 0


def test_az_nas_adds_logarithms_of_ranks() -> None:
    found = az_nas.together(np.array([[1.0, 5.0], [2.0, 4.0], [3.0, 3.0]]))
    assert np.allclose(found, np.log([1 / 3, 2 / 3, 1]) + np.log([1, 2 / 3, 1 / 3]))
    parts = az_nas.parts(untrained(), *batch())
    assert np.isfinite(parts).all()


def test_synflow_on_the_shipped_table() -> None:
    """Golden: .583; it needs no images."""
    truth, ones = load("fashion14").truth, torch.ones((1, 1, 14, 14))
    scores = [saliency.synflow(Untrained(SMALL, child, 0, DOUBLE), ones, ones) for child in DEEPER64]
    assert kendall_tau(scores, truth) == pytest.approx(0.583, abs=0.005)


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("zico", "naswot")]  # which CI runs


@pytest.mark.parametrize("name", [*SLOW, "synflow", "az_nas"])
def test_a_proxy_is_a_function_of_its_seed(tiny: Any, name: str) -> None:
    problem = Problem.of(tiny.recipe, DEEPER64)
    first, again, other = (Proxy(name).score(problem, tiny.images, seed) for seed in (0, 0, 1))
    assert np.isfinite(first).all()
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_one_value_for_all_weights_tells_nothing() -> None:
    """L15: all channels of a node are equal, and of the value only the sign matters, but for batch norm's epsilon."""
    for eps in (1e-5, 1e-7):
        child = Untrained(replace(MACRO, bn_eps=eps), DEEPER64.architecture("142"), 0, DOUBLE)
        images, found = batch()[0], []
        for value in (0.5, 2.0, -2.0):
            child.change(lambda w, value=value: torch.full_like(w, value))
            features = child.forward(images).cells[-1]
            for node in features.chunk(2, dim=1):
                assert (node - node[:, :1]).abs().max() <= 1e-12
            found.append(features)
        assert (found[0] - found[1]).abs().max() <= eps
        assert (found[1] - found[2]).abs().max() > 0.1


def test_children_score_the_same_wherever_their_operations_stand(tiny: Any) -> None:
    """L16, to the last bit."""
    spaces = [Space("pooled", 1, two) for two in (("max_pool_3x3", "conv_3x3"), ("conv_3x3", "max_pool_3x3"))]
    for thing in (*map(Proxy, sorted(PROXIES)), wann.Wann(), wann.Wann(shared=True)):
        first, second = (
            dict(zip([child.operation((0, 1)) for child in space], thing.score(problem, tiny.images, 0), strict=True))
            for space, problem in ((space, Problem.of(tiny.recipe, space)) for space in spaces)
        )
        assert first == second, thing.name


@pytest.mark.parametrize("value", [None, -0.5])
def test_random_features_are_those_of_untrained_children(tiny: Any, value: float | None) -> None:
    """The compiled path of all children at once against torch's of one; of one value for all weights as well."""
    problem = Problem.of(tiny.recipe, DEEPER64)
    macro = problem.network(tiny.images)
    pixels = normalised(tiny.images.valid.pixels[:20], tiny.images.mean, tiny.images.std).contiguous()
    found = features(wann.untrained(problem, macro, 3, value), [5, 17, 40], pixels, 10)
    for row, number in zip(found, [5, 17, 40], strict=True):
        child = Untrained(macro, problem.children[number], 3)
        if value is not None:
            child.change(lambda w: torch.full_like(w, value))
        batches = torch.split(pixels.permute(0, 3, 1, 2), 10)
        expected = torch.cat([child.forward(part).cells[-1].mean(dim=(2, 3)) for part in batches])
        assert np.allclose(row, expected.detach().numpy(), atol=1e-4)


def test_a_linear_classifier_on_random_features(tiny: Any) -> None:
    result = evaluate("wann", tiny.table, plan=Plan("full", tiny.recipe), instances=1, load=tiny.load)
    assert (result.scores > 0.25).all()  # brightness tells the class of these images
    assert result.outcome.cost.macs == (256 + 64) * int(tiny.table.column("macs").sum())  # all images that there are
    rng = np.random.default_rng(0)
    features, labels = rng.random((60, 5)), np.arange(60) % 3
    features[np.arange(60), labels] += 3
    assert ridge_accuracy([features, features], [labels, labels], 3) == 1
    with pytest.raises(UsageError) as caught:
        evaluate("wann:3", tiny.table)
    assert str(caught.value) == "wann takes shared or nothing, and got '3'; write wann or wann:shared"


def test_costs_are_of_the_images_that_there_are(tiny: Any) -> None:
    """Of a data set, and of a recipe, that have fewer than are asked for; no other training images are looked at."""
    few, macs = replace(tiny.recipe, train_images=64), int(tiny.table.column("macs").sum())
    problem = Problem.of(few, DEEPER64)
    assert Proxy("naswot").macs(problem, tiny.images) == 64 * macs
    assert Proxy("snip").macs(problem, tiny.images) == 64 * 3 * macs
    assert wann.Wann().macs(problem, tiny.images) == (64 + 64) * macs
    assert wann.Wann(shared=True).macs(problem, tiny.images) == 6 * (64 + 64) * macs
    train, _ = wann.parts(problem, tiny.images)
    assert np.array_equal(train.pixels, tiny.images.train.pixels[:64])


def test_a_proxy_is_evaluated_and_its_cost_is_stated(tiny: Any) -> None:
    result = evaluate("grad_norm", tiny.table, plan=Plan("full", tiny.recipe), instances=2, load=tiny.load)
    macs = 64 * 3 * int(tiny.table.column("macs").sum())
    assert result.outcome.cost.macs == macs
    assert result.outcome.cost.steps == 0
    assert f"nothing is trained, {macs / 1e12:.3f}T multiply-adds, " in str(result)
    assert result["s_tau"] is not None
    with pytest.raises(UsageError) as caught:
        evaluate("zen:3", tiny.table)
    assert str(caught.value) == "zen takes no arguments, and got '3'; write zen"


# -- from the table's curves -----------------------------------------------------------------------------


def test_an_additive_predictor_finds_what_is_additive() -> None:
    parts = np.random.default_rng(0).random((3, 4))
    truth = parts[np.arange(3), CHOICES].sum(axis=1)
    scores = scores_of(truth, CHOICES, drawn(64, 32, 0))
    assert kendall_tau(scores, truth) > 0.97


def test_predictors_on_the_shipped_table() -> None:
    """Golden: .70 on the children that were not trained, from 24 runs (mean of 40 draws of them)."""
    table = load("fashion14")
    valid, truth, taus = curves(table).valid_accuracy[:, :, -1], table.truth, []
    for seed in range(40):
        trained = drawn(64, 24, seed)
        unseen = np.setdiff1d(np.arange(64), trained)
        scores = scores_of(valid[:, seed % 10], CHOICES, trained)
        taus.append(kendall_tau(scores[unseen], truth[unseen]))
    assert np.mean(taus) == pytest.approx(0.70, abs=0.03)
    known = predicted(curves(table), CHOICES, 24)
    assert known.scores.shape == (10, 64)
    assert known.looked_at == tuple(range(10))
    steps = table.recipe.steps * 24
    assert known.cost.steps == pytest.approx(steps, rel=0.01)
    for wrong in (1, 65):
        with pytest.raises(UsageError) as caught:
            predicted(curves(table), CHOICES, wrong)
        assert str(caught.value) == (f"predictor:additive:{wrong}: it fits 2 to 64 children, the space has 64")


def test_the_training_loss_tells_early() -> None:
    """Golden: one seed's tau by training loss is .51 at epoch 4 and .74 at epoch 8 of 10; by accuracy .10 and .54."""
    table = load("fashion14")
    for epoch, by_loss, tau in ((4, True, 0.51), (8, True, 0.74), (4, False, 0.10), (8, False, 0.54)):
        from nasbench_ws.rankers.alone import alone

        scores = alone(curves(table), epoch, by_loss).scores
        assert np.mean([kendall_tau(one, table.truth) for one in scores]) == pytest.approx(tau, abs=0.01)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("predictor:gp:8", "predictor:gp:8 is not written like predictor:additive:N, with N runs to fit it to"),
        ("early-loss:x", "early-loss:x has no number of epochs; write early-loss:EPOCH, with one of 0.5, 1"),
    ],
)
def test_a_name_that_is_not_written_so(tiny: Any, name: str, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        evaluate(name, tiny.table)
    assert str(caught.value) == text


def test_the_additive_bound_of_the_shipped_table() -> None:
    """L19: .846 fitted; .878 by a search over orders. Of too few children there is none."""
    table = ten_seeds()
    found = additive_bound(CHOICES, table.truth)
    assert found.fitted == pytest.approx(0.846, abs=0.001)
    assert found.left_out == pytest.approx(0.828, abs=0.001)
    assert found.best == pytest.approx(0.878, abs=0.003)
    assert np.isnan(additive_bound(CHOICES[:6], table.truth[:6]).best)
