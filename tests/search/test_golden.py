"""Numbers of the table with ten seeds a child: those that an independent implementation measured, and closed forms.

Regret after 8, 16, 32 and 64 evaluations, the median of the last, distinct children and the mean over all 64; 500
repetitions, truth on all seeds, standard error about .0001.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest
from scipy import stats
from small import NINE, oracle
from ten_seeds import ten_seeds

from nasbench_ws.errors import UsageError
from nasbench_ws.search import Oracle, Rules, search
from nasbench_ws.search.exact import incumbents, quantile, regret

GOLDEN = {
    "random": (0.0043, 0.0033, 0.0027, 0.0021, 0.0017, 40.6, 0.00321),
    "random-without": (0.0040, 0.0034, 0.0024, 0.0019, 0.0017, 64, 0.00300),
    "re:10:3": (0.0043, 0.0031, 0.0023, 0.0018, 0.0017, 35.5, 0.00294),
    "re:20:5": (0.0043, 0.0033, 0.0024, 0.0017, 0.0017, 36.2, 0.00295),
    "large-scale": (0.0043, 0.0031, 0.0023, 0.0017, 0.0017, 33.3, 0.00287),
    "hierarchical": (0.0043, 0.0031, 0.0024, 0.0017, 0.0017, 36.2, 0.00295),
    "local": (0.0040, 0.0029, 0.0021, 0.0017, 0.0017, 36.0, 0.00279),
    "reinforce:adam:0.01": (0.0040, 0.0032, 0.0025, 0.0021, 0.0017, 40.3, 0.00301),
    "reinforce:adam:0.1": (0.0039, 0.0029, 0.0021, 0.0014, 0.0011, 28.8, 0.00261),
    "reinforce:sgd:50": (0.0039, 0.0027, 0.0018, 0.0014, 0.0011, 23.2, 0.00242),
    "metaqnn": (0.0042, 0.0035, 0.0027, 0.0022, 0.0017, 33.1, 0.00317),
    "bayes": (0.0040, 0.0022, 0.0019, 0.0019, 0.0017, 64, 0.00255),
}
REPETITIONS = {"metaqnn": 150, "bayes": 125} | dict.fromkeys([n for n in GOLDEN if n[:9] == "reinforce"], 250)
OTHERS_SE, ROUNDING = 1e-4, 5e-5


@functools.cache
def all_seeds():
    return Oracle.of(ten_seeds(), Rules(truth="all"))


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name):
    *curve, median, distinct, mean = GOLDEN[name]
    result = search(name, all_seeds(), repetitions=REPETITIONS.get(name, 500))
    error = result.regret.std(axis=0, ddof=1) / np.sqrt(len(result))
    for k, expected in zip((8, 16, 32, 64), curve, strict=True):
        allowed = 4 * np.hypot(error[k - 1], max(OTHERS_SE, result.regret[:, k - 1].std() / np.sqrt(500))) + ROUNDING
        assert result.regret[:, k - 1].mean() == pytest.approx(expected, abs=allowed), k
    assert np.median(result.regret[:, -1]) == pytest.approx(median, abs=0.0007)  # the next child's regret
    own = result.regret.mean(axis=1)
    allowed = 4 * np.hypot(stats.sem(own), max(OTHERS_SE, own.std() / np.sqrt(500)))
    assert own.mean() == pytest.approx(mean, abs=allowed)
    counted = np.mean([len(set(row)) for row in result.child.tolist()])
    # two mutations that are told otherwise apart: the other implementation repeats a child less often
    assert counted == pytest.approx(distinct, abs=2.0 if name == "large-scale" else 1.0)


def test_held_out_seeds_take_the_flattery_off():
    """In-sample .00191, held out .00243, for every child visited once."""
    inside, outside = (regret(Oracle.of(ten_seeds(), Rules(truth=t)), 64) for t in ("all", "held-out"))
    assert inside == pytest.approx(0.00191, abs=2e-4)
    assert outside == pytest.approx(0.00243, abs=2e-4)
    assert outside - inside == pytest.approx(0.0005, abs=1e-4)


@pytest.mark.parametrize(
    ("k", "mean", "low", "high"),
    [(1, 0.0138, 0.0028, 0.0307), (4, 0.0055, 0.0011, 0.0112), (8, 0.0041, None, None), (16, 0.0032, None, None),
     (32, 0.0026, None, None), (64, 0.0020, None, None)],
)  # fmt: skip
def test_random_without_replacement_in_closed_form(k, mean, low, high):
    assert regret(all_seeds(), k) == pytest.approx(mean, abs=1.5e-4)
    if low is not None:
        assert quantile(all_seeds(), k, 0.1) == pytest.approx(low, abs=1e-4)
        assert quantile(all_seeds(), k, 0.9) == pytest.approx(high, abs=1e-4)


@pytest.mark.parametrize("truth", ["all", "held-out"])
def test_the_closed_form_is_what_searching_gives(truth):
    world = Oracle.of(ten_seeds(), Rules(truth=truth))
    result = search("random-without", world, repetitions=500)
    for k in (1, 4, 16, 64):
        mean, error = result.regret[:, k - 1].mean(), stats.sem(result.regret[:, k - 1])
        assert mean == pytest.approx(regret(world, k), abs=4 * error), k


def test_the_closed_form_is_exact_with_ties_and_holes():
    """Against every order of eight children, each run of each, on observations that are often equal."""
    import itertools
    import math

    world = oracle(NINE, runs=2, seed=3)
    world.shown["signal"][:] = np.round(world.shown["signal"], 2)
    world.shown["signal"][0, 0, -1] = np.nan  # diverged
    world.exists[3, 1] = False
    n, k = 8, 3
    expected = np.zeros((n, 2))
    there = [[s for s in range(2) if world.exists[c, s]] for c in range(n)]
    for order in itertools.permutations(range(n), k):
        for runs in itertools.product(*(there[c] for c in order)):
            weight = 1 / math.perm(n, k) / math.prod(len(there[c]) for c in order)
            best, value = None, -math.inf
            for child, run in zip(order, runs, strict=True):
                shown = world.shown["signal"][child, run, -1]
                if shown > value:
                    best, value = (child, run), shown
            expected[best] += weight
    np.testing.assert_allclose(incumbents(world, k), expected, atol=1e-12)
    assert incumbents(world, n).sum() == pytest.approx(1)


def test_where_there_is_no_closed_form():
    with pytest.raises(UsageError) as caught:
        regret(all_seeds(), 65)
    assert str(caught.value) == (
        "there is no closed form for 65 evaluations of 64 children; search with random-without"
    )
