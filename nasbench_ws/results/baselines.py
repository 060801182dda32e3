"""Rankings that train no super-net, measured as super-nets are: counting parameters, chance, one standalone seed.

    baselines(table)["params"]["kendall_tau"].mean
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.metrics.intervals import Interval, intervals
from nasbench_ws.metrics.rank import measure, reported
from nasbench_ws.results import effort
from nasbench_ws.results.assessment import Figure
from nasbench_ws.results.truth import GroundTruth, Without, sizes
from nasbench_ws.seeds import derive


def baselines(table: GroundTruth) -> dict[str, dict[str, Figure]]:
    """The metrics of rankings that train nothing: `params`, `macs` and `random`. Computed; `yardstick` keeps them."""
    by_seed = table.by_seed("truth")
    control = sizes(table)
    found = {name: _deterministic(sizes(table, name), by_seed, control, name) for name in ("params", "macs")}
    return {**found, "random": _random(table.truth, control, effort.effort_for(len(table)).rankings)}


def figure(interval: Interval) -> Figure:
    """As results keep it, with the two ends together."""
    one = interval
    return Figure(one.mean, one.std, (one.low, one.high), one.n, one.level, one.method, one.reason)


def _deterministic(scores: Array, by_seed: Array, control: Array, name: str) -> dict[str, Figure]:
    rng = np.random.Generator(np.random.PCG64(derive("baseline", name)))
    row = np.asarray(scores, dtype=np.float64)[None]
    resamples = effort.effort_for(len(scores)).resamples
    found = intervals(
        row, by_seed, reported(row.shape[1]), rng=rng, control=control, varies=False, resamples=resamples
    )
    return {metric: figure(interval) for metric, interval in found.items()}


def _random(truth: Array, control: Array, count: int) -> dict[str, Figure]:
    """Random rankings: mean, standard deviation and central 95 % of each metric over `count` of them."""
    rng = np.random.Generator(np.random.PCG64(derive("baseline", "random")))
    rankings = np.array([rng.permutation(len(truth)) for _ in range(count)], dtype=np.float64)
    found = {}
    for metric, values in measure(rankings, truth, reported(len(truth)), control=control).items():
        some = values[~np.isnan(values)]  # none where all truths are equal
        low, high = np.quantile(some, (0.025, 0.975)) if len(some) else (np.nan, np.nan)
        ends, method = (float(low), float(high)), "central 95 % of random rankings"
        found[metric] = Figure(
            float(values.mean()), float(values.std(ddof=1)), ends, count, 0.95, method, None
        )  # fmt: skip
    return found


def left_out(table: GroundTruth, metric: str, scores: Array, places: Sequence[int]) -> Figure:
    """The metric of (seeds, n) scores, each made with a seed of the table, against the mean of the other seeds.

    `places` are those of the seeds among the table's.

    Without an interval, for the seeds are the table's own. NaN with a reason where there is no other seed, or the
    children are equal with all of them.
    """
    if len(table.seeds) < 2:
        return _unknown(f"{table.name} has one seed, which leaves none to measure it against")
    control = sizes(table)
    values = [
        float(measure(row[None], Without(table, [place]).truth, [metric], control=control)[metric][0])
        for place, row in zip(places, scores, strict=True)
    ]
    known = [value for value in values if not np.isnan(value)]
    if not known:
        return _unknown(f"{metric} has no value with any seed left out: scores or truths are all equal")
    std = float(np.std(known, ddof=1)) if len(known) > 1 else np.nan
    reason = "made with the table's own seeds"
    return Figure(float(np.mean(known)), std, (np.nan, np.nan), len(known), 0.95, "none", reason)


def _unknown(reason: str) -> Figure:
    return Figure(np.nan, np.nan, (np.nan, np.nan), 0, 0.95, "none", reason)
