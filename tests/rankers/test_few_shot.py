"""Laws of ways that hold several sets of weights, or train children unlike: GM-NAS, K-shot, DYNAS, PA&DA."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from relaxed_runs import run_on

from nasbench_ws.rankers.relaxed import gmnas
from nasbench_ws.rankers.relaxed.gradient_matching import cosine_distances, cut, halves, shared_gradients
from nasbench_ws.rankers.relaxed.panda import drawn_with
from nasbench_ws.rankers.rows import made
from nasbench_ws.space.child import child_network, parameter_count
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.training.batch_norm import BatchNorm
from nasbench_ws.training.scoring import Scorer

pytestmark = pytest.mark.usefixtures("one_thread")


# -- GM-NAS ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6])
def test_halves_are_the_best_of_all(count: int) -> None:
    rng = np.random.default_rng(count)
    for _ in range(20):
        distances = np.abs(rng.standard_normal((count, count)))
        distances = distances + distances.T
        np.fill_diagonal(distances, 0)
        two = halves(distances)
        assert sorted(two[0] + two[1]) == list(range(count))
        assert abs(len(two[0]) - len(two[1])) <= 1

        def within(some: tuple[int, ...], distances: Any = distances) -> float:
            return float(distances[np.ix_(some, some)].sum() / 2)

        for some in itertools.combinations(range(count), count // 2):
            rest = tuple(o for o in range(count) if o not in some)
            assert within(two[0]) + within(two[1]) <= within(some) + within(rest) + 1e-12
        assert cut(distances, two) + within(two[0]) + within(two[1]) == pytest.approx(distances.sum() / 2)


def test_gradients_are_those_of_what_children_share(tiny: Any) -> None:
    """As the mixed network gives them, where both children have a weight; and nothing changes but what is paid."""
    run = run_on(tiny, hold=0.0)
    batch, others = run.weight_batch(), np.array([1, 2, 3])
    before = run.net.supernet.weights.snapshot()
    rows = shared_gradients(run, batch, others, 1)
    assert all(torch.equal(a, b) for a, b in zip(before, run.net.supernet.weights.snapshot(), strict=True))
    numbers = [run.number([1, operation, 3]) for operation in range(4)]
    assert run.meter.macs == 3 * 64 * int(run.child_macs[numbers].sum())
    used = [set(run.net.supernet.weights.active(number).tolist()) for number in numbers]
    common = sorted(set.intersection(*used))
    storages = [one for one in run.net.supernet.weights.storages if one.size and one.offset in common]
    edges = {storage.slot.edge for storage in storages}
    assert edges == {None, (0, 1), (1, 2)}
    for row, operation in zip(rows, range(4), strict=True):
        whole, _ = run.net.weights_gradient(*batch, run.one_hot([1, operation, 3]))
        assert torch.allclose(row, whole[common], atol=1e-12)
    assert np.allclose(np.diag(cosine_distances(rows)), 0, atol=1e-12)


def test_the_edge_with_the_largest_cut_is_divided_and_no_output_changes(
    tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, way = run_on(tiny, hold=0.0), made("gm-nas")
    apart = np.array([[0.0, 9, 1, 9], [9, 0, 9, 1], [1, 9, 0, 9], [9, 1, 9, 0]])  # 1 and 3 against 2 and 4
    asked: list[int] = []

    def gradients(run: Any, batch: Any, others: Any, e: int) -> Any:
        asked.append(e)
        return e

    monkeypatch.setattr(gmnas, "shared_gradients", gradients)
    monkeypatch.setattr(gmnas, "cosine_distances", lambda e: apart * (1, 3, 2)[e])
    scorer = Scorer(tiny.images, "valid", BatchNorm.parse("running"), torch.float64)
    run.child_step(run.weight_batch(), [1, 1, 1])
    before = scorer.score(run.net.supernet)
    size = len(run.net.supernet.weights.values)
    way.divide(run)
    assert way.divided == [((0, 2), ((0, 2), (1, 3)))]
    assert len(run.net.supernet.weights.values) > size
    assert np.array_equal(scorer.score(run.net.supernet).loss, before.loss)
    asked.clear()
    way.divide(run)
    assert [edge for edge, _ in way.divided] == [(0, 2), (1, 2)]
    assert set(asked) == {0, 2}  # what is divided is not asked again
    storages = [one for one in run.net.supernet.weights.storages if one.slot.part == "classifier"]
    assert sorted(len(one.children) for one in storages) == [16, 16, 16, 16]


def test_the_rate_starts_again_after_the_last_division(tiny: Any) -> None:
    run, way = run_on(tiny, steps=640, hold=0.0), made("gm-nas")
    run.meter.macs = run.budget // 2
    assert way.lr(run) == run.lr
    way.divided = [((0, 1), ((0, 1), (2, 3))), ((0, 2), ((0, 1), (2, 3)))]
    run.meter.macs = int(0.6 * run.budget) + 1
    assert way.lr(run) == pytest.approx(run.recipe.learning_rate(0, 640), abs=1e-6)
    run.meter.macs = run.budget
    assert way.lr(run) == pytest.approx(run.recipe.learning_rate(640, 640))


# -- K-shot ---------------------------------------------------------------------------------------------


def test_a_childs_weights_are_its_mixture(tiny: Any) -> None:
    run, way = run_on(tiny, hold=0.0), made("kshot:3")
    way.start(run)
    first = way._values.clone()
    at = way.put(run, 5)
    assert torch.allclose(run.net.supernet.weights.values[at], first[:, at].mean(dim=0))  # no child is special yet
    with torch.no_grad():
        way._codes[0, run.choices[5][0]] = torch.tensor([50.0, 0.0, 0.0])
    at = way.put(run, 5)
    assert torch.allclose(run.net.supernet.weights.values[at], first[0, at])


def test_all_sets_and_the_net_move_along_the_gradient(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """dL/dcodes by differences; dL/dW_k is lambda_k times the mixture's gradient."""
    run, way = run_on(tiny, hold=0.0), made("kshot")
    way.start(run)
    with torch.no_grad():
        way._codes[:] = torch.from_numpy(np.random.default_rng(0).standard_normal(way._codes.shape))
    batch, choices = run.weight_batch(), np.array([1, 2, 1])
    number = run.number(choices)

    def loss() -> float:
        way.put(run, number)
        return float(run.net.score(*batch, run.one_hot(choices), len(batch[0]))[0])

    differences = []
    for shot in range(2):
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                way._codes[0, 1, shot] += sign * 1e-6
            values.append(loss())
            with torch.no_grad():
                way._codes[0, 1, shot] -= sign * 1e-6
        differences.append((values[0] - values[1]) / 2e-6)
    at = way.put(run, number)
    gradient = run.net.weights_gradient(*batch, run.one_hot(choices))[0][at]
    before, parts = way._values.clone(), way.simplex(run, number).detach()
    lr = run.recipe.lr
    monkeypatch.setattr(type(run), "lr", lr)
    monkeypatch.setattr(run, "weight_batch", lambda: batch)
    monkeypatch.setattr(run, "draw_child", lambda purpose: choices)
    way.iterate(run)
    assert np.allclose(way._codes.grad[0, 1].numpy(), differences, rtol=1e-4, atol=1e-8)
    decay = run.recipe.weight_decay
    expected = before[:, at] - lr * (parts[:, None] * gradient + decay * before[:, at])
    assert torch.allclose(way._values[:, at], expected, atol=1e-12)


# -- DYNAS ----------------------------------------------------------------------------------------------


def test_large_children_keep_a_high_rate_for_longer(tiny: Any) -> None:
    run, way = run_on(tiny, hold=0.0), made("dynas")
    way.start(run)
    params = [parameter_count(child_network(run.net.macro, child)) for child in DEEPER64]
    order = np.argsort(params)
    for part in (0.05, 0.3, 0.6, 0.95):
        run.meter.macs = int(part * run.budget)
        rates = np.array([way.lr(run, number) for number in order])
        assert (np.diff(rates) >= -1e-12).all()
        assert rates.max() <= run.recipe.lr
    run.meter.macs = run.budget
    assert way.lr(run, 0) == 0
    run.meter.macs = int((run.recipe.warmup + 0.5 * (1 - run.recipe.warmup)) * run.budget)
    ends = [way.lr(run, int(order[i])) / run.recipe.lr for i in (0, -1)]
    assert np.allclose(ends, [0.5**4, 0.5**0.25], rtol=1e-4)


def test_momenta_are_an_operations_own(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of children with another operation there leave them alone, and begin without them."""
    run, way = run_on(tiny, hold=0.0), made("dynas")
    way.start(run)
    drawn: list[Any] = []

    def draw(purpose: str) -> Any:
        choices = np.zeros(3, dtype=np.int64)
        choices[way.edge] = len(drawn) % 2
        drawn.append(choices)
        return choices

    monkeypatch.setattr(run, "draw_child", draw)
    run.meter.macs = run.budget // 4
    way.iterate(run)
    first = way._momenta[0].clone()
    assert float(first.abs().sum()) > 0
    way.iterate(run)
    assert torch.equal(way._momenta[0], first)
    assert float(way._momenta[1].abs().sum()) > 0
    assert float(way._momenta[2].abs().sum()) == 0


# -- PA&DA ----------------------------------------------------------------------------------------------


def test_a_step_is_that_of_full_and_is_heard(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights move as in any step; norms and errors are those of the gradient and of the logits."""
    run, way = run_on(tiny, hold=0.0), made("panda")
    way.start(run)
    choices = np.array([1, 2, 3])
    monkeypatch.setattr(run, "draw_child", lambda probabilities, purpose: choices)
    which: list[torch.Tensor] = []
    real = way._batch

    def batch(run: Any, progress: float) -> Any:
        found = real(run, progress)
        which.append(found[1])
        way.seen = found[0]
        return found

    monkeypatch.setattr(way, "_batch", batch)
    other = run_on(tiny, hold=0.0)
    way.iterate(run)
    labels = torch.from_numpy(tiny.images.train.labels[which[0].numpy()])
    gradient = other.net.weights_gradient(way.seen, labels, other.one_hot(choices))[0]
    logits = other.net.forward(way.seen, other.one_hot(choices))
    other.child_step((way.seen, labels), choices)
    assert torch.allclose(run.net.supernet.weights.values, other.net.supernet.weights.values, atol=1e-12)
    assert run.meter == other.meter
    for e, operation in enumerate(choices.tolist()):
        storages = [
            one
            for one in other.net.supernet.weights.storages
            if (one.slot.edge, one.slot.operation) == (DEEPER64.edges[e], DEEPER64.operations[operation])
        ]
        parts = [gradient[one.offset : one.offset + one.size] for one in storages]
        assert way.norms[operation] == pytest.approx(float(torch.cat(parts).norm()), rel=1e-9)
    assert np.isnan(way.norms[0])
    wrong = torch.softmax(logits, dim=1) - torch.nn.functional.one_hot(labels, 4)
    last = dict(zip(which[0].tolist(), wrong.norm(dim=1).tolist(), strict=True))  # of images that were drawn twice
    assert np.allclose(way.errors[list(last)], list(last.values()), atol=1e-9)
    assert np.isnan(way.errors).sum() == len(way.errors) - len(set(which[0].tolist()))


def test_what_gradients_say_is_drawn_more_often_the_later(tiny: Any) -> None:
    sizes = np.array([4.0, 1.0, np.nan, 1.0])
    assert np.allclose(drawn_with(sizes, 0.0), 0.25)
    assert np.allclose(drawn_with(sizes, 1.0), [0.5, 0.125, 0.25, 0.125])
    assert np.allclose(drawn_with(np.full(4, np.nan), 1.0), 0.25)
    assert np.allclose(drawn_with(np.zeros(4), 1.0), 0.25)
    run, way = run_on(tiny, hold=0.0), made("panda")
    way.start(run)
    way.errors[:] = 0.0
    way.errors[:16] = 1.0
    _, first = way._batch(run, 1.0)
    assert set(first.tolist()) <= set(range(16))
    assert way._left == 3
