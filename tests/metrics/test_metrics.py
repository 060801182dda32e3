"""Metrics: scipy is the reference for correlations, brute force over all tie orders for the top-K ones."""

from __future__ import annotations

import itertools
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nasbench_ws import metrics
from nasbench_ws.errors import MetricError
from nasbench_ws.metrics import arithmetic as ranks

CORRELATIONS = {
    "kendall_tau": stats.kendalltau,
    "spearman": stats.spearmanr,
    "pearson": stats.pearsonr,
    "weighted_tau": stats.weightedtau,
}
TOP = ["top_rank", "best_rank", "worst_rank", "precision_at_top", "precision_at_bottom", "regret", "ndcg", "p_random"]

# Few different values make ties; floats of any size make sure nothing is subtracted that should be compared.
tied = st.integers(-3, 3).map(lambda i: i / 7)
wild = st.floats(-1e300, 1e300, allow_subnormal=False)


def vectors(values, least=2, most=40):
    return st.lists(st.tuples(values, values), min_size=least, max_size=most).map(lambda v: np.array(v).T)


def varies(*arrays):
    return all((array != array[0]).any() for array in arrays)


@pytest.mark.parametrize("name", CORRELATIONS)
@settings(deadline=None)
@given(pair=vectors(tied) | vectors(st.floats(0, 1)))
def test_correlations_equal_scipy_with_and_without_ties(name, pair):
    x, y = pair
    value = getattr(metrics, name)(x, y)
    if not varies(x, y):
        assert math.isnan(value)
    elif name == "pearson" and min(np.ptp(x), np.ptp(y)) < 1e-6:
        assert -1 <= value <= 1  # scipy warns of an input it cannot centre
    else:
        assert value == pytest.approx(CORRELATIONS[name](x, y).statistic, abs=1e-12)


@settings(deadline=None)
@given(pair=vectors(wild))
def test_tau_and_spearman_hold_for_floats_of_any_size(pair):
    x, y = pair
    if varies(x, y):
        assert metrics.kendall_tau(x, y) == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-12)
        assert metrics.spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)


def test_pearson_of_extreme_scales_is_that_of_the_same_numbers_in_between():
    x, y = np.random.default_rng(0).normal(size=(2, 20))
    expected = pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-12)
    assert metrics.pearson(x * 1e250, y * 1e-250) == expected
    assert metrics.pearson(x, -y) == -metrics.pearson(x, y)


@settings(deadline=None)
@given(pair=vectors(tied, least=3))
def test_laws_of_a_correlation(pair):
    x, y = pair
    for name in CORRELATIONS:
        function = getattr(metrics, name)
        if varies(x, y):
            assert function(x, y) == pytest.approx(function(y, x), abs=1e-12)
            assert function(x * 4, y) == function(x, y)
            assert function(x[::-1], y[::-1]) == pytest.approx(function(x, y), abs=1e-12)
            assert function(x, x) == pytest.approx(1, abs=1e-12)
            assert function(x, -x) == pytest.approx(-1, abs=1e-12)
        assert metrics.kendall_tau(x, -y) == pytest.approx(-metrics.kendall_tau(x, y), nan_ok=True)


@settings(deadline=None)
@given(pair=vectors(st.floats(0, 1)), delta=st.sampled_from([0.001, 0.1, 0.5]))
def test_sparse_tau_counts_the_pairs_that_are_delta_apart(pair, delta):
    x, y = pair
    s, t = (np.array([np.sign(a - b) for a, b in itertools.combinations(v, 2)]) for v in (x, y))
    # As the code compares: a + margin with b, which for huge or tiny numbers is not a - b.
    margin = delta * (1 - 1e-9)
    t = t * np.array([a > b + margin or a + margin < b for a, b in itertools.combinations(y, 2)])
    product = (s**2).sum() * (t**2).sum()
    expected = (s * t).sum() / math.sqrt(product) if product else nan
    assert metrics.sparse_tau(x, y, delta) == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_sparse_tau_has_no_edge_that_binary_fractions_fall_short_of():
    thousandths = np.arange(1001) / 1000  # 126 of which are a bin low where floor(truth / .001) bins them
    assert metrics.sparse_tau(np.arange(1001), thousandths) == 1
    assert math.isnan(metrics.sparse_tau([1, 2], [0.8619999, 0.8620001]))  # parted by an edge, and .0000002 apart


# ------------------------------------------------------------------------------------------- many at once


@pytest.fixture
def matrix():
    return np.random.default_rng(1).integers(8, size=(7, 33)) / 10


@pytest.mark.parametrize("at_once", [1, 50, 10**6])
def test_tau_of_many_rows_equals_scipy_whatever_the_chunks(matrix, at_once, monkeypatch):
    monkeypatch.setattr(ranks, "_SIGNS_AT_ONCE", at_once)
    expected = np.array([[stats.kendalltau(a, b).statistic for b in matrix] for a in matrix])
    np.testing.assert_allclose(metrics.kendall_tau_matrix(matrix), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(metrics.kendall_taus(matrix, matrix[3]), expected[3], rtol=0, atol=1e-12)
    assert np.diag(metrics.kendall_tau_matrix(matrix)).tolist() == [1.0] * len(matrix)


def test_stability_and_mean_over_snapshots(matrix):
    truth = np.arange(33) / 33
    pairs = [stats.kendalltau(a, b).statistic for a, b in itertools.combinations(matrix, 2)]
    assert metrics.stability_tau(matrix) == pytest.approx((np.mean(pairs), min(pairs), max(pairs)), abs=1e-12)
    taus = [stats.kendalltau(row, truth).statistic for row in matrix]
    assert metrics.gt_tau_mean(matrix, truth) == pytest.approx((np.mean(taus), np.std(taus)), abs=1e-12)
    assert metrics.gt_tau_mean(matrix, truth, 3) == pytest.approx((np.mean(taus[-3:]), np.std(taus[-3:])), abs=1e-12)
    assert metrics.gt_tau_mean(matrix, truth, 1).std == 0
    assert all(math.isnan(value) for value in metrics.stability_tau(matrix[:1]))


def test_4096_children_fit_in_bounded_memory_and_are_exact():
    x, y = np.random.default_rng(2).integers(3000, size=(2, 4096)) / 3000
    tracemalloc.start()
    tau = metrics.kendall_tau(x, y)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert tau == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-12)
    assert peak < 16 * 2**20  # all 8.4 million pairs at once would take 32 MiB for their signs alone


def test_measure_gives_what_each_function_gives(matrix):
    truths = np.random.default_rng(3).integers(20, size=(4, 33)) / 20
    names = [*CORRELATIONS, "sparse_tau", "partial_tau", *(f"{name}@{k}" for name in TOP for k in (1, 5, 33))]
    control = np.random.default_rng(4).integers(5, size=33)
    together = metrics.measure(matrix, truths, names, delta=0.07, control=control)
    assert list(together) == names
    for metric, values in together.items():
        name, _, k = metric.partition("@")
        arguments = [int(k)] if k else {"sparse_tau": [0.07], "partial_tau": [control]}.get(name, [])
        expected = [[getattr(metrics, name)(row, truth, *arguments) for row in matrix] for truth in truths]
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12, err_msg=metric)
        alone = metrics.measure(matrix, truths[2], [metric], delta=0.07, control=control)[metric]
        np.testing.assert_allclose(alone, values[2], rtol=0, atol=1e-12, err_msg=metric)


def test_a_constant_row_spoils_no_other(matrix):
    matrix[2] = 0.5
    taus = metrics.kendall_tau_matrix(matrix)
    assert np.isnan(taus[2]).all()
    assert np.isfinite(np.delete(np.delete(taus, 2, 0), 2, 1)).all()


# --------------------------------------------------------------------------------------- the top, and ties


def by_hand(name, order, truth, k):
    """The metric for one order of children, best score first, as its definition reads."""
    rank = [1 + sum(other > value for other in truth) for value in truth]
    from_bottom = [1 + sum(other < value for other in truth) for value in truth]
    chosen = order[:k]
    if name in ("top_rank", "best_rank"):
        return min(rank[i] for i in chosen)
    if name == "worst_rank":
        return max(rank[i] for i in chosen)
    if name == "precision_at_top":
        return sum(rank[i] <= k for i in chosen) / k
    if name == "precision_at_bottom":
        return sum(from_bottom[i] <= k for i in order[-k:]) / k
    if name == "regret":
        return max(truth) - max(truth[i] for i in chosen)
    if name == "p_random":
        rest = {i: [other for j, other in enumerate(truth) if j != i] for i in chosen}
        better = [[(truth[i] > other) + (truth[i] == other) / 2 for other in rest[i]] for i in chosen]
        return np.mean(better) if len(truth) > 1 else math.nan
    gain = [value - min(truth) for value in truth]
    best = sorted(gain, reverse=True)
    if not best[0]:
        return math.nan
    return sum(gain[i] / math.log2(p + 2) for p, i in enumerate(chosen)) / sum(
        value / math.log2(p + 2) for p, value in enumerate(best[:k])
    )


@pytest.mark.parametrize("seed", range(12))
def test_ties_in_scores_give_the_mean_over_all_their_orders(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 7))
    scores, truth = rng.integers(1 + seed % 4, size=n) / 10, rng.integers(6, size=n) / 10
    # Sorting every permutation stably by score meets every order of the tied children equally often.
    orders = [sorted(order, key=lambda i: -scores[i]) for order in itertools.permutations(range(n))]
    for name in TOP:
        for k in range(1, n + 1):
            expected = np.mean([by_hand(name, order, truth.tolist(), k) for order in orders])
            value = getattr(metrics, name)(scores, truth, k)
            assert value == pytest.approx(expected, abs=1e-12, nan_ok=True), (name, k)


def test_re_ordering_tied_children_changes_nothing():
    rng = np.random.default_rng(0)
    scores, truth = rng.integers(4, size=64) / 4, rng.random(64)
    order = rng.permutation(64)
    for name in TOP:
        function = getattr(metrics, name)
        assert function(scores, truth, 5) == pytest.approx(function(scores[order], truth[order], 5), abs=1e-12)


def test_one_large_tie_is_choosing_blindly():
    truth = np.random.default_rng(0).random(4096)
    # The least of K drawn from 1..n is (n + 1) / (K + 1) on average; no binomial coefficient may overflow.
    for k in (1, 50, 2000, 4096):
        assert metrics.top_rank(np.zeros(4096), truth, k) == pytest.approx(4097 / (k + 1), rel=1e-9)
        assert metrics.precision_at_top(np.zeros(4096), truth, k) == pytest.approx(k / 4096)


def test_ties_in_truth_share_the_best_of_their_ranks():
    truth = [0.9, 0.9, 0.8]
    assert [metrics.top_rank(scores, truth, 1) for scores in np.eye(3)] == [1, 1, 3]
    assert metrics.precision_at_top([3, 2, 1], truth, 1) == 1
    assert metrics.precision_at_top([1, 2, 3], truth, 2) == 0.5


def test_a_perfect_ranking_scores_perfectly():
    truth = np.random.default_rng(0).permutation(64) / 64  # no two within sparse tau's .001
    perfect = metrics.measure(truth[None], truth)
    expected = dict.fromkeys(metrics.EVALUATION, 1.0) | {"regret@1": 0.0}
    assert {name: float(value[0]) for name, value in perfect.items()} == pytest.approx(expected, abs=1e-12)
    assert metrics.regret(truth, truth, 7) == 0


# -------------------------------------------------------------------------------- undefined, and not allowed


@pytest.mark.parametrize(
    ("scores", "truth", "reason"),
    [
        ([0.1] * 64, np.arange(64), "all 64 scores are equal: no ranking to compare"),
        ([1, 2, 3], [0.5] * 3, "all 3 ground-truth values are equal: no ranking to compare"),
        ([[1, 2, 3], [2, 2, 2]], [1, 2, 3], "all 3 scores of row 1 are equal: no ranking to compare"),
        ([0.1], [0.2], "there is one child only: no ranking to compare"),
        ([1, 2, 3], [3, 1, 2], None),
    ],
)
def test_undefined_is_nan_with_a_reason(scores, truth, reason):
    assert metrics.undefined_reason(scores, truth) == reason
    for name in CORRELATIONS:
        assert np.isnan(metrics.measure(np.atleast_2d(scores), truth, [name])[name]).any() == (reason is not None)


def test_sparse_tau_is_undefined_where_no_two_truths_are_apart():
    assert math.isnan(metrics.sparse_tau([1, 2], [0.5, 0.5004]))
    expected = "all 2 ground-truth values are within 0.001 of one another: no ranking to compare"
    assert metrics.undefined_reason([1, 2], [0.5, 0.5004], 0.001) == expected
    assert metrics.undefined_reason([1, 2], [0.5, 0.5004]) is None


def test_large_integers_that_float64_tells_apart_are_taken():
    assert metrics.kendall_tau([2**60, 2**61, 2**62, -(2**63)], [2, 3, 4, 1]) == 1
    assert metrics.kendall_tau(np.array([2**60, 2**60, 5], dtype=np.uint64), [2, 3, 1]) == pytest.approx(2 / 6**0.5)


def test_children_that_pandas_labels_must_be_in_one_order():
    pd = pytest.importorskip("pandas")
    truth = pd.Series([0.5, 0.6, 0.7], index=["a", "b", "c"])
    assert metrics.kendall_tau(pd.Series([1, 2, 3], index=["a", "b", "c"]), truth) == 1
    assert metrics.kendall_tau([1, 2, 3], truth) == 1
    other = pd.Series([3, 2, 1], index=["c", "b", "a"])
    for name, call in (
        ("scores", metrics.kendall_tau),
        ("scores", metrics.tau_ties_random),
        ("score_matrix", lambda s, y: metrics.measure(s.to_frame().T, y)),
    ):
        with pytest.raises(MetricError) as error:
            call(other, truth)
        assert str(error.value) == (
            f"{name} and truth label their children differently: number 0 is 'c' in {name} and 'a' in truth; put both "
            f"in one order, such as with truth.reindex({name}.index)"
        )


def test_equal_scores_that_do_not_sum_exactly_are_still_equal():
    assert math.isnan(metrics.pearson([0.1] * 64, np.arange(64)))


nan, inf = float("nan"), float("inf")
ALLOWED = (
    "known are kendall_tau, spearman, pearson, weighted_tau, sparse_tau, partial_tau, top_rank@K, best_rank@K, "
    "worst_rank@K, precision_at_top@K, precision_at_bottom@K, regret@K, p_random@K, ndcg@K"
)
ERRORS = [
    (lambda: metrics.top_rank([1, 2, 3], [1, 2, 3], 4), "K=4 of 3 children cannot be taken: K must be from 1 to 3"),
    (lambda: metrics.regret([1, 2, 3], [1, 2, 3], 0), "K=0 of 3 children cannot be taken: K must be from 1 to 3"),
    (lambda: metrics.ndcg([1, 2, 3], [1, 2, 3], -1), "K=-1 of 3 children cannot be taken: K must be from 1 to 3"),
    (lambda: metrics.ndcg([1, 2], [1, 2], 0.5), "K=0.5 is no count: it must be a whole number of children, such as 5"),
    (
        lambda: metrics.gt_tau_mean([[1, 2]], [1, 2], 64),
        "K=64 of 1 snapshots cannot be taken: K must be from 1 to 1",
    ),
    (
        lambda: metrics.kendall_tau([1, 2, 3], [1, 2]),
        "scores are of 3 children and truth of 2: one of each is needed for every child, in the same order",
    ),
    (
        lambda: metrics.kendall_tau([[1, 2]], [1, 2]),
        "scores has shape (1, 2): one number for each child, (n,), is needed",
    ),
    (
        lambda: metrics.kendall_taus([1, 2], [1, 2]),
        "score_matrix has shape (2,): one row of n children each, (rows, n), is needed",
    ),
    (lambda: metrics.pearson([], []), "scores has shape (0,): one number for each child, (n,), is needed"),
    (
        lambda: metrics.spearman([1, nan, 3, inf], [1, 2, 3, 4]),
        "2 of 4 values of scores are not finite (child 1, child 3): a metric needs a number for every child; "
        "leave these children out, or rank them last with nan_as_worst(scores)",
    ),
    (
        lambda: metrics.kendall_taus([[1, 2], [nan, 1]], [1, 2]),
        "1 of 4 values of score_matrix are not finite (row 1 child 0): a metric needs a number for every child; "
        "leave these children out, or rank them last with nan_as_worst(scores)",
    ),
    (
        lambda: metrics.kendall_tau(range(8), [nan] * 7 + [1]),
        "7 of 8 values of truth are not finite (child 0, child 1, child 2, child 3, child 4, ...): a metric needs "
        "a number for every child; average the seeds that finished, or leave these children out",
    ),
    (
        lambda: metrics.kendall_tau(["a"], [1]),
        "scores must be an array of numbers: could not convert string to float: 'a'",
    ),
    (
        lambda: metrics.sparse_tau([1, 2], [1, 2], 0),
        "delta=0 is no difference in truth: it must be above 0, such as 0.001",
    ),
    (
        lambda: metrics.measure([[1, 2]], [1, 2], ["pearsons"]),
        f"no metric 'pearsons' (did you mean pearson or spearman?): {ALLOWED}",
    ),
    (lambda: metrics.measure([[1, 2]], [1, 2], ["regret"]), f"no metric 'regret' (did you mean regret@K?): {ALLOWED}"),
    (
        lambda: metrics.nan_as_worst([nan, nan]),
        "none of 2 scores is finite: there is no ranking to complete; look at the run that produced them",
    ),
    (
        lambda: metrics.nan_as_worst([np.finfo(float).min, nan]),
        "the lowest score is -1.7976931348623157e+308, and no float is below it for children without a score: rank the "
        "scores, or scale them, first",
    ),
    (
        lambda: metrics.rankable([1.0, nan]),
        "score_matrix has shape (2,): one row of n children each, (rows, n), is needed",
    ),
    (
        lambda: metrics.kendall_tau(np.ma.array([1, 2, 3, 4], mask=[0, 0, 0, 1]), [1, 2, 3, 4]),
        "1 of 4 values of scores are not finite (child 3): a metric needs a number for every child; leave these "
        "children out, or rank them last with nan_as_worst(scores)",
    ),
    (
        lambda: metrics.kendall_tau([2**53, 2**53 + 1, 3], [1, 2, 3]),
        "scores has integers beyond 2**53 that differ and are one number in float64 (the largest is "
        "9007199254740993): give their ranks, or divide them by a common factor",
    ),
    (
        lambda: metrics.regret([1, 2], [1, 2], True),
        "K=True is no count: it must be a whole number of children, such as 5",
    ),
    (
        lambda: metrics.measure([[1, 2]], [1, 2], ["partial_tau"]),
        "partial_tau needs a control: one number for each child, such as its parameters",
    ),
    (
        lambda: metrics.partial_tau([1, 2, 3], [1, 2, 3], [1, 2]),
        "control is of 2 children and scores of 3: give one number for each child",
    ),
]


@pytest.mark.parametrize(("call", "message"), ERRORS, ids=[message[:40] for _, message in ERRORS])
def test_errors_say_what_was_met_and_what_is_allowed(call, message):
    with pytest.raises(MetricError) as error:
        call()
    assert str(error.value) == message


def test_nan_as_worst_ranks_the_diverged_last_and_leaves_its_input_alone():
    scores = np.array([[0.5, nan, 0.25, -inf], [1.0, 2.0, 3.0, nan]])
    kept = scores.copy()
    filled = metrics.nan_as_worst(scores)
    np.testing.assert_array_equal(scores, kept)
    assert filled[0, 1] == filled[0, 3] < 0.25
    assert filled[1].argmin() == 3
    assert metrics.pearson(filled[0], [4, 1, 3, 1]) == pytest.approx(7 / 9)
