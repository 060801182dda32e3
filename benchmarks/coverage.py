"""Do the intervals hold what they promise? Coverage and Type I error by simulation, printed as the docs have them.

    nice -n 10 python benchmarks/coverage.py priors             # some minutes; of super-nets by a schedule
    nice -n 10 python benchmarks/coverage.py ways --replications 40         # of those by gates and samplers
    nice -n 10 python benchmarks/coverage.py ways --steps 39200             # of what is trained for longer

Simulated strategies resemble those that ship, one for each result and way of batch norm: mean scores as measured, and
instances that deviate from them by effects of each edge's operation and by independent noise, both with the variance
that the shipped instances show. Simulated tables have the shipped table's true means (as `ceiling.simulated_tables`
estimates them) and normal noise of each child's own variance, in the seeds that it has. Each replication draws a table
and new instances; an interval covers where it has the strategy's expected metric in it, over tables and instances.

"All" is the promise: coverage over the strategies. "Least" is the single strategy covered least. Standard errors are
binomial. Widths are means, of those intervals that are given. Type I error: two samples of one strategy, at .05.
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from learn_prior import BUDGETS, METRICS, SOURCES, samples

from nasbench_ws import load, metrics
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.metrics.ceiling import simulated_tables
from nasbench_ws.metrics.estimates import difference, estimate
from nasbench_ws.metrics.intervals import intervals
from nasbench_ws.metrics.prior import Regime, shipped_prior
from nasbench_ws.tables.table import Table

INSTANCES = (1, 2, 3, 5, 10)
PLAIN = 3  # instances with which the plain t interval is simulated beside


@dataclass(frozen=True)
class World:
    """Where tables are drawn from."""

    true: Array  # (n,)
    seed_std: Array  # (n,), of one seed
    trained: Array  # (n, seeds), whether there is such a run
    control: Array

    def table(self, rng: np.random.Generator) -> Array:
        """(n, seeds) accuracies, NaN where nothing was trained."""
        drawn = self.true[:, None] + rng.standard_normal(self.trained.shape) * self.seed_std[:, None]
        return np.where(self.trained, drawn, np.nan)


@dataclass(frozen=True)
class Simulated:
    """A strategy from which instances are drawn."""

    name: str
    mode: str
    mean: Array  # (n,) scores
    design: Array  # (n, edges x operations)
    effect_std: float
    noise_std: float

    def instances(self, count: int, rng: np.random.Generator) -> Array:
        effects = rng.standard_normal((count, self.design.shape[1])) * self.effect_std
        return self.mean + effects @ self.design.T + rng.standard_normal((count, len(self.mean))) * self.noise_std


def world(table: Table) -> World:
    by_seed = table.by_seed("test_accuracy")
    found = simulated_tables(by_seed, np.random.default_rng(0), 1)
    assert not isinstance(found, str), found
    seed_std, params = np.nanstd(by_seed, axis=1, ddof=1), np.asarray(table.column("params"), float)
    return World(found[0], seed_std, np.isfinite(by_seed), params)


def strategies(table: Table, regime: Regime) -> Iterator[Simulated]:
    """As the shipped results of that regime are, each way of batch norm apart."""
    children = [arch.choices for arch in table.space]
    levels = [sorted({one[i] for one in children}) for i in range(len(children[0]))]
    design = np.array([[float(op == one[i]) for i, ops in enumerate(levels) for op in ops] for one in children])
    onto = design @ np.linalg.pinv(design)
    rank = round(float(np.trace(onto)))
    for name, mode, scores in samples(regime):
        deviations = (scores - scores.mean(axis=0)) * math.sqrt(len(scores) / (len(scores) - 1))
        fitted = deviations @ onto
        n, free = len(children), len(children) - rank
        noise = float((((deviations - fitted) ** 2).sum(axis=1) / free).mean())
        # Expected sum of squares of the fit: effect^2 * |design|^2 + noise^2 * rank.
        effect = float(((fitted**2).sum(axis=1).mean() - noise * rank) / (design**2).sum())
        assert n == scores.shape[1]
        yield Simulated(name, mode, scores.mean(axis=0), design, math.sqrt(max(effect, 0.0)), math.sqrt(noise))


def expected(one: Simulated, there: World, rng: np.random.Generator) -> dict[str, float]:
    """Each metric's mean over tables and instances."""
    tables = np.stack([np.nanmean(there.table(rng), axis=1) for _ in range(20)])
    values = metrics.measure(one.instances(150, rng), tables, METRICS, control=there.control)
    return {metric: float(value.mean()) for metric, value in values.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kind", choices=sorted(SOURCES), help="of super-nets by a schedule, or in ways of their own")
    parser.add_argument("--steps", type=int, default=BUDGETS[0], choices=BUDGETS, help="that they are trained for")
    parser.add_argument("--replications", type=int, default=10, help="of each strategy and number of instances")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    regime = Regime(own_way=options.kind == "ways", steps=options.steps)
    rng = np.random.default_rng(options.seed)
    table, usual = load("fashion14"), shipped_prior()
    there = world(table)
    held: dict[tuple[str, int, str], list[tuple[str, bool, float]]] = defaultdict(list)  # strategy, covered, width
    wrong: dict[tuple[str, int, str], list[bool]] = defaultdict(list)
    for one in strategies(table, regime):
        aim, prior = expected(one, there, rng), usual.by_metric(one.mode, regime)
        for count in INSTANCES:
            for _ in range(options.replications):
                by_seed = there.table(rng)
                scores, others = one.instances(count, rng), one.instances(count, rng)
                for way, given in (("moderated", prior), ("t", None)):
                    if way == "t" and count != PLAIN:
                        continue
                    found = intervals(
                        scores, by_seed, METRICS, rng=rng, resamples=200, prior=given, control=there.control
                    )
                    for metric, interval in found.items():
                        if interval.reason is None:
                            covered = interval.low <= aim[metric] <= interval.high
                            entry = (f"{one.name} {one.mode}", covered, interval.high - interval.low)
                            held[metric, count, way].append(entry)
                truth = np.nanmean(by_seed, axis=1)
                ours = metrics.measure(scores, truth, METRICS, control=there.control)
                theirs = metrics.measure(others, truth, METRICS, control=there.control)
                for metric in METRICS:
                    for way, own in (("moderated", prior[metric]), ("t", None)):
                        told = difference(estimate(ours[metric], own), estimate(theirs[metric], own))
                        wrong[metric, count, way].append(told.verdict == "distinguishable")
    show(held, wrong)


def show(
    held: dict[tuple[str, int, str], list[tuple[str, bool, float]]], wrong: dict[tuple[str, int, str], list[bool]]
) -> None:
    total = len(wrong["kendall_tau", 3, "moderated"])
    print(f"{total} replications a cell; the standard error of .95 is {math.sqrt(0.05 * 0.95 / total):.3f}.\n")
    print("Coverage of 95 % intervals, all strategies (least of any strategy), and mean width:\n")
    columns = [f"n = {n}" for n in INSTANCES]
    columns.insert(INSTANCES.index(PLAIN) + 1, f"n = {PLAIN}, plain t")
    print("| metric | " + " | ".join(columns) + " |\n" + "|---" * (len(columns) + 1) + "|")
    for metric in METRICS:
        cells = [_cell(held[metric, n, "moderated"]) for n in INSTANCES]
        cells.insert(INSTANCES.index(PLAIN) + 1, _cell(held[metric, PLAIN, "t"]))
        print(f"| {metric} | {' | '.join(cells)} |")
    print("\nType I error at .05, two samples of one strategy; moderated, then Welch's t:\n")
    print("| metric | " + " | ".join(f"n = {n}" for n in INSTANCES) + " |\n" + "|---" * (len(INSTANCES) + 1) + "|")
    for metric in METRICS:
        cells = [
            f"{np.mean(wrong[metric, n, 'moderated']):.3f} / {np.mean(wrong[metric, n, 't']):.3f}" for n in INSTANCES
        ]
        print(f"| {metric} | {' | '.join(cells)} |")


def _cell(each: list[tuple[str, bool, float]]) -> str:
    if not each:
        return "none"
    by_strategy: dict[str, list[bool]] = defaultdict(list)
    for name, covered, _ in each:
        by_strategy[name].append(covered)
    least = min(float(np.mean(covered)) for covered in by_strategy.values())
    width = float(np.mean([width for _, _, width in each]))
    return f"{np.mean([covered for _, covered, _ in each]):.3f} ({least:.2f}), {width:.3g}"


if __name__ == "__main__":
    main()
