"""Laws of the rows: how gates are drawn, and what moves them (L6 to L12, L14)."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from relaxed_runs import run_on
from scipy.stats import binomtest, chisquare

from nasbench_ws.rankers.relaxed import dso
from nasbench_ws.rankers.relaxed.fbnet import Fbnet, with_cost
from nasbench_ws.rankers.relaxed.gates import relaxed, softmax, straight_through
from nasbench_ws.rankers.relaxed.gdas import Gdas
from nasbench_ws.rankers.relaxed.oneshot import drop_rates
from nasbench_ws.rankers.relaxed.proxyless import Proxyless, score_gradient, through
from nasbench_ws.rankers.rows import made
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.training.mixed import Draw

pytestmark = pytest.mark.usefixtures("one_thread")


def logits(seed: int = 0, scale: float = 1.0) -> torch.Tensor:
    return scale * torch.randn((3, 4), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_draw_with_gumbel_noise_is_from_the_softmax(tiny: Any) -> None:
    """L6, by the run's own noise: frequencies of 4,000 draws on each edge."""
    run, p = run_on(tiny), softmax(logits(1).numpy())
    counts = np.zeros((3, 4))
    for _ in range(4000):
        counts[range(3), run.draw_child(p)] += 1
    for edge in range(3):
        assert chisquare(counts[edge], 4000 * p[edge]).pvalue > 1e-3


def test_temperatures(tiny: Any) -> None:
    """L7: cold is one-hot, hot is even."""
    a, noise = logits(2), run_on(tiny).gumbel()
    winner = (a + torch.from_numpy(noise)).argmax(dim=1)
    assert torch.allclose(relaxed(a, noise, 1e-3), torch.eye(4, dtype=torch.float64)[winner], atol=1e-9)
    assert torch.allclose(relaxed(a, noise, 1e9), torch.full((3, 4), 0.25, dtype=torch.float64), atol=1e-6)


def test_gdas_runs_the_drawn_child_and_its_gradient_is_the_jacobians_row(tiny: Any) -> None:
    """L8: the forward value is the child's; dL/da = J^T e_i dL/dg_i."""
    run = run_on(tiny)
    values, noise, tau = logits(3).requires_grad_(), run.gumbel(), 2.5
    gates = straight_through(values, noise, tau)
    chosen = gates.argmax(dim=1)
    assert torch.allclose(gates.detach(), torch.eye(4, dtype=torch.float64)[chosen], atol=1e-15)
    batch = run.gate_batch()
    draw = run.one_hot(chosen.numpy())
    gradient = run.gate_gradient(batch, draw)
    assert (gradient != 0).sum() == 3
    gates.backward(gradient)
    y = softmax((torch.log_softmax(values, 1).detach().numpy() + noise) / tau)
    for edge, i in enumerate(chosen.tolist()):
        row = (
            y[edge, i] * (np.eye(4)[i] - y[edge]) / tau
        )  # d y_i / d log softmax(a), whose rows sum to 0: so also d / da
        assert values.grad is not None
        assert np.allclose(values.grad[edge].numpy(), float(gradient[edge, i]) * row, atol=1e-12)


def test_proxyless_estimates_the_gradient_of_the_linearised_loss() -> None:
    """L9: over all children by their probability, with any linear loss sum of c g; rows sum to nothing."""
    p, c = softmax(logits(4).numpy()), logits(5).numpy()
    found = through(p, c)
    assert np.abs(found.sum(axis=1)).max() <= 1e-12
    values = logits(4).requires_grad_()
    (torch.softmax(values, 1) * torch.from_numpy(c)).sum().backward()
    assert values.grad is not None
    assert np.allclose(found, values.grad.numpy(), atol=1e-12)


def test_proxyless_two_leaves_the_others_probabilities(tiny: Any) -> None:
    """L9: of each edge's operations, exactly two change, and their sum does not."""
    run = run_on(tiny)
    way = Proxyless(two=True)
    way.start(run)
    for _ in range(3):
        before = way.probabilities()
        way._two(run)
        moved = np.abs(way.probabilities() - before) > 1e-12
        assert (moved.sum(axis=1) == 2).all()
        assert np.allclose((way.probabilities() * moved).sum(axis=1), (before * moved).sum(axis=1), atol=1e-12)


def test_the_silent_operations_of_proxyless_cost_a_forward_pass(tiny: Any) -> None:
    """A gate step costs a child's step and the forward pass of the rest: 1.86 child steps on the real network."""
    run = run_on(tiny)
    way = Proxyless()
    way.start(run)
    way._full(run)
    child = 3 * run.net.macs() - run.meter.macs // 64  # = 2 * (all - child)
    assert run.meter.macs == 64 * (2 * (run.net.macs() - child // 2) + run.net.macs())
    assert run.meter.macs // 64 - run.net.macs() in {2 * int(one) for one in run.child_macs}


def test_reinforce_is_unbiased_whatever_the_baseline() -> None:
    """L10: over all 64 children, and its variance is least at E[R |s|^2] / E[|s|^2]."""
    values, rewards = logits(6).requires_grad_(), np.random.default_rng(0).random(64)
    p, choices = softmax(values.detach().numpy()), np.array([child.choices for child in DEEPER64])
    chance = p[np.arange(3), choices].prod(axis=1)
    probabilities = torch.softmax(values, 1)[torch.arange(3), torch.from_numpy(choices)].prod(dim=1)
    (probabilities * torch.from_numpy(rewards)).sum().backward()
    assert values.grad is not None
    scores = np.stack([score_gradient(p, [one], np.ones(1)) for one in choices])
    squares = (scores**2).sum(axis=(1, 2))
    best = (chance * rewards * squares).sum() / (chance * squares).sum()
    spread = {}
    for b in (0.0, best, best - 0.2, best + 0.2):
        each = (rewards - b)[:, None, None] * scores
        mean = (chance[:, None, None] * each).sum(axis=0)
        assert np.allclose(mean, values.grad.numpy(), atol=1e-12)
        spread[b] = float((chance * (each**2).sum(axis=(1, 2))).sum())
    assert min(spread, key=lambda b: spread[b]) == best


def test_the_controllers_range(tiny: Any) -> None:
    """L11: with c = .44 every conditional probability lies in [.121, .446]; samples have the odds that are stated."""
    run = run_on(tiny)
    way = made("enas:micro")
    way.start(run)
    with torch.no_grad():
        for parameter in way.controller.parameters():
            parameter *= 100
        found = way.controller(torch.from_numpy(run.choices)).exp().numpy()
    assert np.allclose(found.sum(axis=2), 1)
    low, high = np.exp(-0.88) / (np.exp(-0.88) + 3), np.exp(0.88) / (np.exp(0.88) + 3)
    assert found.min() >= low - 1e-12
    assert found.max() <= high + 1e-12
    counts = np.bincount([run.number(way.sample(run)) for _ in range(600)], minlength=64)
    assert chisquare(counts, 600 * np.exp(way.log_probabilities(run))).pvalue > 1e-3


def test_apg_nag() -> None:
    """L12: without penalty it is Nesterov's, projected; without gradient the closed form; never below 0."""
    rng = np.random.default_rng(0)
    gates, speed = rng.random((3, 4)) + 1, np.zeros((3, 4))
    nag, moving = gates.copy(), speed.copy()
    for _ in range(5):
        gradient = rng.normal(size=(3, 4)) * 0.1
        gates, speed = dso.apg_nag(gates, speed, gradient, 0.0)
        moving = dso.MU * moving - dso.ETA * gradient
        nag = np.maximum(0, nag - dso.ETA * gradient + dso.MU * moving)
        assert np.allclose(gates, nag, atol=1e-12)
    gamma, gates, speed, v, expected = 1e-2, np.ones((1, 1)), np.zeros((1, 1)), 0.0, 1.0
    for _ in range(30):
        gates, speed = dso.apg_nag(gates, speed, np.zeros((1, 1)), gamma)
        v = dso.MU * v - dso.ETA * gamma
        expected += -dso.ETA * gamma + dso.MU * v
        assert gates[0, 0] == pytest.approx(expected, abs=1e-12)
    assert -v == pytest.approx(dso.ETA * gamma / (1 - dso.MU), rel=0.05)
    for _ in range(200):
        gates, speed = dso.apg_nag(gates, speed, np.ones((1, 1)), gamma)
        assert gates[0, 0] >= 0
    assert gates[0, 0] == 0


def test_what_dies_is_dropped_and_ranked_by_when(tiny: Any) -> None:
    run = run_on(tiny)
    way = dso.Dso()
    way.start(run)
    way.lambdas[0, 0], way._died[0, 0], way._zero[0, 0] = 0.0, 10, dso.DEAD
    way.lambdas[0, 1], way._died[0, 1], way._zero[0, 1] = 0.0, 30, dso.DEAD - 1
    way._steps = 100
    assert way.mixture().active.sum() == 11
    parts = {name: way.read(run, "gates")[DEEPER64.architecture(name).index] for name in ("111", "211", "311")}
    assert parts["111"] == pytest.approx(2 + 10 / 100 - 1)
    assert parts["211"] == pytest.approx(2 + 30 / 100 - 1)
    assert parts["311"] == 3


def test_all_alternatives_are_dropped_with_the_stated_chance(tiny: Any) -> None:
    """L14: r at the end, whatever k; nothing at the start."""
    run = run_on(tiny)
    for fan, sizes in (("edge", (4, 4, 4)), ("node", (4, 8, 8))):
        rates = drop_rates(0.3, fan, DEEPER64.edges, 4)
        assert np.allclose(rates[:, 0] ** np.array(sizes), 0.3)
        dropped = np.array([run.uniform(fan) < rates for _ in range(2000)])
        assert binomtest(int(dropped[:, 0].all(axis=1).sum()), 2000, 0.3).pvalue > 1e-3
    for k in (1, 2, 4, 8):
        assert drop_rates(0.3, "edge", ((0, 1),), k)[0, 0] ** k == pytest.approx(0.3, abs=1e-12)
    assert drop_rates(0.05, "edge", ((0, 1),), 2)[0, 0] == pytest.approx(0.2236, abs=1e-4)
    assert drop_rates(0.0, "edge", ((0, 1),), 2)[0, 0] == 0


def test_nothing_is_dropped_at_first(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """L14: f(0) = 0 is the plain sum, whatever the rate; in ghost batches of 32."""
    run, way, taken = run_on(tiny, hold=0.0), made("oneshot:1"), []
    way.start(run)
    monkeypatch.setattr(run, "ghost_step", taken.extend)
    way.iterate(run)
    assert [len(images) for (images, _), _ in taken] == [32, 32]
    assert all(draw.active.all() and (draw.gates == 1).all() for _, draw in taken)
    run.meter.macs, taken[:] = run.budget, []
    way.iterate(run)
    assert not any(draw.active.any() for _, draw in taken)


def test_everything_dropped_is_still_finite(tiny: Any) -> None:
    """L14: batch norm of a map of zeros gives zeros."""
    run = run_on(tiny)
    images, labels = run.weight_batch()
    draw = Draw.of(torch.ones(3, 4), np.zeros((3, 4), dtype=bool))
    run.ghost_step([((images, labels), draw)])
    assert np.isfinite(run.loss)
    assert torch.isfinite(run.net.forward(images, draw)).all()


def test_fbnets_cost_term_is_its_gradient(tiny: Any) -> None:
    run = run_on(tiny)
    batch, gates = run.gate_batch(), torch.softmax(logits(7), 1)
    found = with_cost(run, gates, run.gate_gradient(batch, Draw.of(gates)))

    def loss(at: torch.Tensor) -> float:
        run.gate_gradient(batch, Draw.of(at))
        latency = (run.net.common_macs + float((at * torch.from_numpy(run.net.own_macs)).sum())) / 1000
        return 0.2 * run.loss * float(np.log(latency)) ** 0.6

    for e, o in ((0, 1), (2, 3)):
        step = torch.zeros((3, 4), dtype=torch.float64)
        step[e, o] = 1e-6
        assert (loss(gates + step) - loss(gates - step)) / 2e-6 == pytest.approx(float(found[e, o]), rel=1e-3, abs=1e-6)


def test_drnas_draws_from_the_simplex_and_is_drawn_to_its_middle(tiny: Any) -> None:
    """Without a gradient of the gates, the divergence from even ones alone moves the concentrations, and falls."""
    run = run_on(tiny)
    way = made("drnas")
    way.start(run)
    first, second = way._draw(run), way._draw(run)
    assert torch.allclose(first.sum(dim=1), torch.ones(3, dtype=torch.float64))
    assert not torch.equal(first, second)
    with torch.no_grad():
        way.alphas.values[:] = logits(8)

    def divergence() -> float:
        even = torch.distributions.Dirichlet(torch.ones((3, 4), dtype=torch.float64))
        return float(torch.distributions.kl_divergence(way._beliefs(), even).sum().detach())

    before = divergence()
    run.gate_gradient = lambda batch, draw: torch.zeros((3, 4), dtype=torch.float64)  # type: ignore
    way.iterate(run)
    assert divergence() < before


def test_sumnas_moves_to_the_mean_of_the_ends(tiny: Any) -> None:
    """One step of each of four children from the same weights, without momentum."""
    run, other = run_on(tiny, hold=0.0), run_on(tiny, hold=0.0)
    made("sumnas:1").iterate(run)
    batch, weights = other.weight_batch(), other.net.supernet.weights
    orders = np.argsort(other.uniform("paths"), axis=1)
    assert all(sorted(row) == [0, 1, 2, 3] for row in orders.tolist())
    start, total, times = weights.snapshot(), torch.zeros_like(weights.values), torch.zeros_like(weights.values)
    for child in range(4):
        weights.restore(start)
        other.meter.macs = sum(64 * 3 * int(other.child_macs[other.number(orders[:, i])]) for i in range(child))
        other.child_step(batch, orders[:, child])
        own = weights.active(other.number(orders[:, child]))
        total[own] += weights.values[own]
        times[own] += 1
    expected = torch.where(times > 0, total / times.clamp(min=1), start.values)
    assert torch.allclose(run.net.supernet.weights.values, expected, atol=1e-12)


def test_what_waits_waits(tiny: Any) -> None:
    """Gates stay until their part of the budget begins, and move afterwards."""
    for name in ("fbnet", "proxyless", "dso", "autodeeplab"):
        run = run_on(tiny, steps=96, hold=0.2)
        way = made(name)
        way.start(run)
        state = way.gates if name == "dso" else way.probabilities
        before, waits = state().copy(), {"fbnet": 1 / 9, "proxyless": 41 / 160}.get(name, 0.5)
        while run.progress < waits - 0.05:
            way.iterate(run)
        assert np.array_equal(state(), before)
        while run.progress < 1:
            way.iterate(run)
        assert not np.array_equal(state(), before)


def test_held_back_images_never_move_the_weights(tiny: Any) -> None:
    """And the rest never moves gates: the labels of one part do not matter to the other."""
    run = run_on(tiny, hold=0.25)
    own = {bytes(np.ascontiguousarray(image)) for image in run._weight_images.pixels}
    held = {bytes(np.ascontiguousarray(image)) for image in run._gate_images.pixels}
    assert (len(run._weight_images), len(run._gate_images)) == (192, 64)
    assert own.isdisjoint(held)
    first = run_on(tiny, hold=0.0)
    assert torch.equal(first.weight_batch()[1], first_of_full(tiny))


def first_of_full(tiny: Any) -> torch.Tensor:
    """Labels of the first batch of full sharing with that seed."""
    from nasbench_ws.training.loop import make_batches

    run = run_on(tiny)
    return next(make_batches(tiny.recipe, tiny.images, run.net.supernet, 0))[1]


def test_gdas_spends_two_children_an_iteration(tiny: Any) -> None:
    run = run_on(tiny)
    way = Gdas()
    way.start(run)
    way.iterate(run)
    pairs = {3 * 64 * int(a + b) for a, b in itertools.product(run.child_macs, repeat=2)}
    assert run.meter.macs in pairs
    assert Fbnet().hold == 0.2
