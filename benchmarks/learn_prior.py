"""Learn how much each metric varies between instances from the results that ship, and write data/prior.json.

    python benchmarks/learn_prior.py priors             # prints what it learnt of super-nets by a schedule
    python benchmarks/learn_prior.py ways --write       # of those by gates or samplers, and writes it into the file

Run it again when results with more instances ship. Every strategy counts once for each way of batch norm: of results
with the same scores (`edge:0->1` is `groups:similar:4`) the first. Super-nets that are trained in a way of their own
(gates, controllers, samplers) have priors of their own, for they vary more, about twice as much at 6,400 steps; and so
have those that are trained for longer. A result says something of the budget that is nearest to its own
(`prior.Regime.nearest`).

Three things err on the wide side. `std` is the pooled one, the root of the mean variance, and not the scale that fits
best (`fitted_std`), which is lower where few strategies vary much. `df` is at most 30: fifty results cannot show that
all vary alike. Nor does it exceed the number of results, for the fewer they are the less they show of that (k variances
of d degrees of freedom each leave a relative spread of (2 / d) sqrt(2 / k) unseen, which is 2 / df; of five results
with five degrees each, a df of 8). `benchmarks/coverage.py` says what comes of it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from nasbench_ws import Result, Table, load, metrics
from nasbench_ws.evaluation.experiment import shipped_folders
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.metrics.estimates import fit_prior
from nasbench_ws.metrics.prior import ANY, FILE, Regime
from nasbench_ws.provenance import versions
from nasbench_ws.results.outcome import Outcome
from nasbench_ws.training.batch_norm import is_mode

DATA = Path(__file__).resolve().parent.parent / "data"
METRICS = (*metrics.EVALUATION, "partial_tau")
MOST_DF = 30.0
BUDGETS = (Regime().steps, 39_200)  # 100 and 612 updates of each child
SOURCES = {"priors": "learnt_from", "ways": "ways_learnt_from"}
FEWEST = 5  # strategies that a prior is learnt from
PROBLEM = ("images", "space", "macro", "channels", "cells")


@cache
def outcome_of(path: Path) -> Outcome:
    """Read once, whatever number of budgets asks."""
    return Result.load(path).outcome


def samples(regime: Regime) -> Iterator[tuple[str, str, Array]]:
    """File, way of batch norm, and (instances, n) scores of every super-net of that regime that ships, each once."""
    seen = set()
    for path in sorted(path for folder in shipped_folders() for path in folder.glob("*.json")):
        outcome = outcome_of(path)
        if not outcome.match or Regime(own_way=outcome.own_way, steps=outcome.regime.nearest(BUDGETS)) != regime:
            continue  # of no super-net, or of another kind
        for mode, rows in outcome.scores.items():
            scores = metrics.rankable(rows)
            if is_mode(mode) and len(scores) > 1 and scores.tobytes() not in seen:
                seen.add(scores.tobytes())
                yield path.stem, mode.partition(":")[0], scores


def learn(kind: str) -> dict[str, Any]:
    """Priors by steps, way of batch norm and metric, each with what it is learnt from beside it, and their source."""
    table = load("fashion14")
    names: list[str] = []
    digest = hashlib.sha256()
    found = {steps: priors(Regime(own_way=kind == "ways", steps=steps), table, names, digest) for steps in BUDGETS}
    return {
        kind: {str(steps): by_mode for steps, by_mode in found.items()},
        SOURCES[kind]: {
            "by": "benchmarks/learn_prior.py", "table": table.digest,
            "results": sorted(set(names)),
            "scores_digest": digest.hexdigest(), "versions": versions(),
            "problem": {key: getattr(table.recipe, key) for key in PROBLEM},
        },
    }  # fmt: skip


def priors(regime: Regime, table: Table, names: list[str], digest: Any) -> dict[str, dict[str, Any]]:
    """By way of batch norm and metric, of super-nets of that regime; what they are from joins names and digest."""
    control = table.column("params")
    values: dict[str, list[dict[str, Array]]] = {ANY: []}
    files: dict[str, set[str]] = {}
    for name, mode, scores in samples(regime):
        names.append(name)
        digest.update(scores.tobytes())
        measured = metrics.measure(scores, table.truth, METRICS, control=control)
        for one in (mode, ANY):
            values.setdefault(one, []).append(measured)
            files.setdefault(one, set()).add(name)
    found: dict[str, dict[str, Any]] = {}
    for mode, each in values.items():
        if len(each) < FEWEST:
            continue  # it is read by the priors of any mode
        df = np.array([len(one["kendall_tau"]) - 1 for one in each])
        most = min(MOST_DF, float(len(files[mode])))
        found[mode] = {}
        for metric in METRICS:
            variances = np.array([one[metric].var(ddof=1) for one in each])
            some = variances[variances > 1e-12]
            # A discrete metric's least variance above 0: below that is all that equal values say.
            fitted = fit_prior(variances, df, least=float(some.min()) * 0.99)
            pooled = float(np.sqrt(np.average(variances, weights=df)))
            found[mode][metric] = {
                "df": min(fitted.df, most), "std": float(f"{pooled:.3g}"), "fitted_df": fitted.df,
                "fitted_std": fitted.std, "samples": len(each), "samples_df": int(df.sum()),
            }  # fmt: skip
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=sorted(SOURCES), help="of super-nets by a schedule, or in ways of their own")
    parser.add_argument("--write", action="store_true", help="write data/prior.json, of that kind alone")
    asked = parser.parse_args()
    learnt = learn(asked.kind)
    for steps, by_mode in learnt[asked.kind].items():
        for mode, by_metric in by_mode.items():
            for metric, one in by_metric.items():
                fitted = f"fitted df {one['fitted_df']:<7g} std {one['fitted_std']:g}"
                print(f"{steps:7}{mode:12}{metric:22}df {one['df']:<8g} std {one['std']:<9g} {fitted}")
    if asked.write:
        there = json.loads((DATA / FILE).read_text())
        (DATA / FILE).write_text(json.dumps({**there, **learnt}, indent=1) + "\n")


if __name__ == "__main__":
    main()
