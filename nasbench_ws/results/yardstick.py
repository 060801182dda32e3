"""What every ranking is held against on a table: rankings that train nothing, ceilings, and what can be reached.

    found = yardstick(table)
    found.baselines["params"]["kendall_tau"].mean, found.ceiling.all.held_out.mean, found.reach["kendall_tau"].bound

All of it depends on the table alone, and takes a second or two: it is computed once, and kept (kept.py). Not here: the
scores' own metrics (assess.py).
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nasbench_ws.metrics import ceiling as noise
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.metrics.bound import bound, standalone
from nasbench_ws.results import effort
from nasbench_ws.results.assessment import Ceiling, Ceilings, Figure, Reach, Spread
from nasbench_ws.results.baselines import baselines
from nasbench_ws.results.kept import kept
from nasbench_ws.results.truth import GroundTruth, once, sizes
from nasbench_ws.seeds import derive

REACHED = ("kendall_tau", "partial_tau")  # metrics with a bound and a reference
_IN_MEMORY = 8  # tables


@dataclass(frozen=True)
class Yardstick:
    """What a table says of itself."""

    baselines: Mapping[str, Mapping[str, Figure]]  # params, macs, random: each metric
    ceiling: Ceilings
    reach: Mapping[str, Reach]  # kendall_tau, partial_tau


_known: OrderedDict[str, Yardstick] = OrderedDict()  # by identity, the one asked for last at the end


def yardstick(table: GroundTruth) -> Yardstick:
    """The table's own, computed where neither this process, nor the package, nor the user's cache has it.

    TableError where a child has no truth.
    """
    table = once(table)
    name = identity(table)
    if name not in _known:
        _known[name] = kept(name, lambda: measure_table(table), Yardstick)
        if len(_known) > _IN_MEMORY:
            _known.popitem(last=False)
    _known.move_to_end(name)
    return _known[name]


def identity(table: GroundTruth) -> str:
    """A digest of every number that a yardstick is computed of, and of how often is drawn.

    Two tables of the same numbers share one; parts of one table (truth.Among, truth.Without) do not.
    """
    digest = hashlib.sha256(repr(effort.effort_for(len(table))).encode())
    for one in (
        table.truth,
        table.by_seed("truth"),
        table.by_seed("valid_accuracy"),
        sizes(table),
        sizes(table, "macs"),
    ):
        values = np.ascontiguousarray(one, dtype=np.float64)
        digest.update(repr(values.shape).encode() + values.tobytes())
    return digest.hexdigest()


def measure_table(table: GroundTruth) -> Yardstick:
    """The yardstick, computed."""
    return Yardstick(baselines(table), ceilings(table.by_seed("truth")), reach(table))


def ceilings(by_seed: Array) -> Ceilings:
    """The noise ceiling over all children and within the top quarter and tenth, from the table's seeds."""
    found = {}
    for name, fraction in (("all", 1.0), ("top_quarter", 0.25), ("top_tenth", 0.1)):
        rng = np.random.Generator(np.random.PCG64(derive("ceiling", name)))
        draws = effort.effort_for(len(by_seed)).simulations
        found[name] = _ceiling(noise.noise_ceiling(by_seed, fraction, rng=rng, simulations=draws))
    return Ceilings(**found)


def _ceiling(found: noise.Ceiling) -> Ceiling:
    names = ("held_out", "split_half", "single_seeds", "perfect")
    spreads = {name: Spread(*getattr(found, name)) for name in names}
    return Ceiling(children=found.children, seeds=found.seeds, reason=found.reason, **spreads)


def reach(table: GroundTruth) -> dict[str, Reach]:
    """The bound and the standalone reference of Kendall tau and of partial tau."""
    params = sizes(table)
    rng = np.random.Generator(np.random.PCG64(derive("bound")))
    by_seed = table.by_seed("truth")
    most = bound(by_seed, REACHED, rng=rng, control=params, simulations=effort.effort_for(len(table)).bounds)
    alone = None
    if len(table.seeds) > 1:
        valid = table.by_seed("valid_accuracy")
        if not np.isnan(valid).all(axis=1).any():
            alone = standalone(valid, by_seed, 1, REACHED, rng=rng, control=params)
    nan = math.nan
    return {
        name: Reach(most[name].mean, most[name].std, *((alone[name].mean, alone[name].std) if alone else (nan, nan)))
        for name in REACHED
    }
