"""Other readouts leave the super-net as it is, and say what they claim; groups found from training."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_laws import CHILDREN, DOUBLE, IMAGES, KEYS, MACRO, RECIPE, _scorer, _trained

from nasbench_ws.errors import StrategyError, UsageError
from nasbench_ws.results.interference import after_own_step, by_distance, while_training
from nasbench_ws.results.outcome import Window
from nasbench_ws.sharing.groups import balanced_groups, write_groups
from nasbench_ws.sharing.keys import full, none
from nasbench_ws.sharing.strategies import resolve
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.training.batch_norm import BatchNorm
from nasbench_ws.training.loop import make_batches
from nasbench_ws.training.readouts import Average, fine_tuned, gradient_similarity, interference
from nasbench_ws.training.scoring import Scorer
from nasbench_ws.training.similarity import curve_correlations, gradient_similarities

pytestmark = pytest.mark.usefixtures("one_thread")


def _stream(net):
    return lambda child: make_batches(RECIPE, IMAGES, net, 0, extra=net.children[child].hash)


def _same(before, net):
    return all(torch.equal(a, b) for a, b in zip(before, net.weights.snapshot(), strict=True))


def test_fine_tuning_starts_from_what_is_inherited_and_restores_it():
    net = _trained(CHILDREN, full, 12)
    before = net.weights.snapshot()
    scorers = {mode: _scorer(mode) for mode in ("running", "recalibrate:32")}
    found = fine_tuned(net, _stream(net), [0, 3], scorers, lr=0.05)
    assert _same(before, net)
    for mode, scorer in scorers.items():
        assert np.array_equal(found[mode][0], scorer.score(net).accuracy)
    net.weights.momentum.zero_()
    batches = _stream(net)(2)
    for _ in range(3):
        net.step([2], *next(batches), 0.05)
    assert found["running"][3][2] == scorers["running"].score(net, [2]).accuracy[0]


def test_interference_is_the_change_by_another_childs_steps():
    net = _trained(CHILDREN, full, 12)
    before, scorer = net.weights.snapshot(), _scorer("running")
    changes = interference(net, _stream(net), 2, scorer, lr=0.05)
    assert changes.shape == (6, 6)
    assert _same(before, net)
    start = scorer.score(net).accuracy
    batches = _stream(net)(4)
    for _ in range(2):
        net.step([4], *next(batches), 0.05)
    assert np.array_equal(changes[4], scorer.score(net).accuracy - start)


def test_children_that_share_nothing_do_not_interfere():
    net = _trained(CHILDREN, none, 12)
    changes = interference(net, _stream(net), 2, _scorer("running"), lr=0.05)
    assert (changes[~np.eye(6, dtype=bool)] == 0).all()
    assert np.isnan(gradient_similarity(net, *next(_stream(net)(0)))[0, 1])


def test_gradient_similarity_is_a_cosine_on_what_is_shared():
    net = _trained(CHILDREN, full, 12)
    before = net.weights.snapshot()
    images, labels = next(_stream(net)(0))
    cosine = gradient_similarity(net, images, labels)
    assert _same(before, net)
    np.testing.assert_allclose(np.diag(cosine), 1, atol=1e-12)
    np.testing.assert_allclose(cosine, cosine.T, atol=1e-12)
    vectors = torch.zeros((2, net.weights.values.numel()), dtype=DOUBLE)
    for row, child in enumerate((1, 3)):
        net.accumulate(child, images, labels, vectors[row])
    shared = sorted(set(net.weights.active(1).tolist()) & set(net.weights.active(3).tolist()))
    a, b = vectors[:, shared]
    assert cosine[1, 3] == pytest.approx(float(a @ b / (a.norm() * b.norm())), abs=1e-12)


def test_changes_by_distance_and_edge():
    changes = np.array([[float(a.distance(b)) for b in DEEPER64] for a in DEEPER64])
    found = by_distance(changes, list(DEEPER64))
    assert found["distance"] == {"0": 0.0, "1": 1.0, "2": 2.0, "3": 3.0}
    assert found["edge"] == {"0->1": 1.0, "0->2": 1.0, "1->2": 1.0}


def test_what_the_last_steps_say_of_interference():
    """Two super-nets of two children each; the second takes two children a step at the end."""
    window = np.array([[[0.1, 0.2, 0.5, 0.7], [0.3, 0.2, 0.7, 0.7], [0.5, 0.8, 0.6, 0.1]]])
    trained = [[[[0], [1], [0]], [[2], [3], [3, 2]]]]
    own = [[0.5, 0.2, 0.6, 0.1]]
    assert after_own_step(Window(window, trained)).tolist() == own
    assert np.isnan(after_own_step(Window(window, [[[[0]] * 3]]))[0, 1:]).all()
    relative = while_training(Window(window, trained))
    means = window[0].mean(axis=0)
    expected = np.full((4, 4), np.nan)
    expected[0, :2] = (window[0, 0] + window[0, 2])[:2] / 2 - means[:2]
    expected[1, :2] = window[0, 1, :2] - means[:2]
    expected[2, 2:] = window[0, 0, 2:] - means[2:]
    expected[3, 2:] = window[0, 1, 2:] - means[2:]
    np.testing.assert_allclose(relative, expected, atol=1e-15)


def test_the_average_is_exponential_and_in_place_for_a_moment_only():
    net = _trained(CHILDREN, full, 6)
    average, batches = Average(net, decay=0.5), _stream(net)(0)
    average.take()
    first = net.weights.values.clone()
    net.step([0], *next(batches), 0.05)
    average.take()
    last = net.weights.snapshot()
    with average.in_place():
        torch.testing.assert_close(net.weights.values, (first + last.values) / 2, rtol=0, atol=1e-14)
    assert _same(last, net)


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_a_division_changes_no_output(key):
    net = _trained(CHILDREN, key, 12)
    before = {mode: _scorer(mode).score(net).loss for mode in ("running", "batch:16", "recalibrate:32")}
    momentum = [net.weights.momentum[net.weights.active(n)] for n in range(6)]
    net.divide(none)
    assert net.weights.sharing == 1
    for mode, loss in before.items():
        assert np.array_equal(_scorer(mode).score(net).loss, loss)
    for number in range(6):  # what a child uses lies in slot order either way
        assert sorted(momentum[number].tolist()) == sorted(net.weights.momentum[net.weights.active(number)].tolist())
    with pytest.raises(StrategyError, match="sharing may only become less with time"):
        net.divide(full)


def test_balanced_groups_find_blocks():
    rng = np.random.default_rng(0)
    label = rng.permutation(np.repeat(np.arange(4), 16))
    similarity = (label[:, None] == label) + 0.05 * rng.random((64, 64))
    groups = np.array(balanced_groups(similarity, 4))
    assert (np.bincount(groups) == 16).all()
    for group in range(4):
        assert len(set(label[groups == group])) == 1
    with pytest.raises(UsageError, match="64 children do not divide into 3 groups; allowed are 1, 2, 4, 8, 16, 32, 64"):
        balanced_groups(similarity, 3)


@pytest.mark.parametrize("find", [gradient_similarities, curve_correlations])
def test_groups_from_a_short_run_go_through_a_file(find, tmp_path):
    extra = {"last": 4, "scored_images": 16} if find is curve_correlations else {"batches": 1}
    similarity = find(RECIPE, DEEPER64, IMAGES, 16, 0, **extra)
    assert similarity.shape == (64, 64)
    groups = balanced_groups(similarity, 8)
    write_groups(groups, list(DEEPER64), tmp_path / "groups.json")
    key = resolve(f"groups:file:{tmp_path / 'groups.json'}", DEEPER64, MACRO).key
    assert [key(arch, None) for arch in DEEPER64] == groups
    assert Scorer(IMAGES.first_valid(8), "valid", BatchNorm())._labels.shape == (8,)
