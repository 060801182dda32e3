"""What can be reached on a table: the bound that its noise sets, and what standalone training reaches.

    bound(test_accuracy_by_seed, ["kendall_tau"], rng=rng)["kendall_tau"].mean       # the most that can be expected
    standalone(valid_by_seed, test_by_seed, 1, rng=rng)["kendall_tau"].mean          # one training of every child

A bound is what a ranking that knows every true mean can be expected to reach against the table's means, which are
noisy; a ranking may exceed it by luck only. One standalone training of every child is no bound but a reference: it is
a noisy ranker of its own, at its own cost, and better ones exist. Not here: how well seeds agree with one another
(ceiling.py).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nasbench_ws.errors import MetricError
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.metrics.ceiling import FEWEST_CHILDREN, Spread, simulated_tables, spread
from nasbench_ws.metrics.intervals import accuracies
from nasbench_ws.metrics.rank import measure
from nasbench_ws.metrics.values import check_labels

_MOST_CHOICES = 252  # ways to choose seeds: all of 10 seeds, drawn at random beyond


@dataclass(frozen=True)
class Bound:
    """Expected value of a perfect ranking, and its standard deviation over tables; NaN with a reason without one."""

    mean: float
    std: float
    reason: str | None = None


def bound(
    accuracy_by_seed: npt.ArrayLike,
    metrics: Sequence[str],
    *,
    rng: np.random.Generator,
    control: npt.ArrayLike | None = None,
    simulations: int = 400,
) -> dict[str, Bound]:
    """Each metric of the true means against the mean of (n, seeds) accuracies, simulated: {name: Bound}.

    The true means are an estimate (`ceiling.simulated_tables`); in simulations the bound of Kendall's tau is off by up
    to .01 with 10 seeds.
    """
    check_labels(accuracy=control)
    seeds = accuracies(accuracy_by_seed)
    found: str | tuple[Array, Array] = f"{len(seeds)} children: a bound needs at least {FEWEST_CHILDREN}"
    if len(seeds) >= FEWEST_CHILDREN:
        found = simulated_tables(seeds, rng, simulations)
    if isinstance(found, str):
        return {metric: Bound(math.nan, math.nan, found) for metric in metrics}
    true, tables = found
    values = measure(true[None], tables, metrics, control=control)
    return {metric: Bound(float(one.mean()), float(one.std(ddof=1))) for metric, one in values.items()}


def standalone(
    scores_by_seed: npt.ArrayLike,
    truth_by_seed: npt.ArrayLike,
    size: int = 1,
    metrics: Sequence[str] = ("kendall_tau",),
    *,
    rng: np.random.Generator,
    control: npt.ArrayLike | None = None,
) -> dict[str, Spread]:
    """Rank children by the mean of `size` seeds, against the mean of the other seeds: {name: Spread}, over choices.

    Args:
        scores_by_seed: (n, seeds), what a super-net is scored on as well: validation accuracies.
        truth_by_seed: (n, seeds) test accuracies of the same runs.
        size: seeds averaged, at `size` times the cost.

    Only seeds that every child has rank them; the others' mean is over all that a child has besides. Choices overlap:
    their spread is no standard error.
    """
    scores, truth = accuracies(scores_by_seed), accuracies(truth_by_seed)
    if scores.shape != truth.shape:
        raise MetricError(f"scores have shape {scores.shape} and truth {truth.shape}: both are needed of the same runs")
    whole = np.isfinite(scores).all(axis=0) & np.isfinite(truth).all(axis=0)
    places = np.flatnonzero(whole)
    count = len(places)
    if not 1 <= size < count:
        return {metric: spread(np.array([])) for metric in metrics}
    if math.comb(count, size) <= _MOST_CHOICES:
        chosen = [list(choice) for choice in itertools.combinations(range(count), size)]
    else:
        chosen = [rng.permutation(count)[:size].tolist() for _ in range(_MOST_CHOICES)]
    taken = np.array([np.isin(np.arange(scores.shape[1]), places[choice]) for choice in chosen])  # (choices, seeds)
    values: dict[str, list[Array]] = {metric: [] for metric in metrics}
    for own in taken:
        one = measure(scores[:, own].mean(axis=1)[None], np.nanmean(truth[:, ~own], axis=1), metrics, control=control)
        for metric, value in one.items():
            values[metric].append(value)
    return {metric: spread(np.concatenate(all_)) for metric, all_ in values.items()}
