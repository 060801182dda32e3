"""Learn how much each metric varies between instances from the results that ship, and write data/prior.json.

    python benchmarks/learn_prior.py                # prints what it learnt
    python benchmarks/learn_prior.py --write        # and writes the file

Run it again when results with more instances ship. Every strategy counts once for each way of batch norm: of results
with the same scores (`edge:0->1` is `groups:similar:4`) the first.

Two things err on the wide side. `std` is the pooled one, the root of the mean variance, and not the scale that fits
best (`fitted_std`), which is lower where few strategies vary much. `df` is at most 30: 37 strategies cannot show that
all vary alike. `benchmarks/coverage.py` says what comes of it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nasbench_ws import load, metrics
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.metrics.estimates import fit_prior
from nasbench_ws.metrics.prior import ANY, FILE
from nasbench_ws.provenance import versions

DATA = Path(__file__).resolve().parent.parent / "data"
METRICS = (*metrics.EVALUATION, "partial_tau")
MOST_DF = 30.0
PROBLEM = ("images", "space", "macro", "channels", "cells")


def samples() -> Iterator[tuple[str, str, Array]]:
    """File, way of batch norm, and (instances, n) scores of every super-net that ships, each once."""
    seen = set()
    for path in sorted((DATA / "results").glob("*.json")):
        data = json.loads(path.read_text())
        if not data["budget"]["match"]:  # of no super-net
            continue
        modes = {data["batch_norm"]: data["scores"]}
        modes |= {mode: other["scores"] for mode, other in data["other_batch_norm"].items()}
        for mode, rows in modes.items():
            scores = metrics.rankable(np.array(rows, dtype=np.float64))
            if len(scores) > 1 and scores.tobytes() not in seen:
                seen.add(scores.tobytes())
                yield path.stem, mode.partition(":")[0], scores


def learn() -> dict[str, Any]:
    """Priors by way of batch norm and metric, each with the pooled standard deviation beside it, and their source."""
    table = load("fashion14")
    control = table.column("params")
    values: dict[str, list[dict[str, Array]]] = {ANY: []}
    names = []
    digest = hashlib.sha256()
    for name, mode, scores in samples():
        names.append(name)
        digest.update(scores.tobytes())
        measured = metrics.measure(scores, table.truth, METRICS, control=control)
        for one in (mode, ANY):
            values.setdefault(one, []).append(measured)
    priors: dict[str, dict[str, Any]] = {}
    for mode, each in values.items():
        df = np.array([len(one["kendall_tau"]) - 1 for one in each])
        priors[mode] = {}
        for metric in METRICS:
            variances = np.array([one[metric].var(ddof=1) for one in each])
            some = variances[variances > 1e-12]
            # A discrete metric's least variance above 0: below that is all that equal values say.
            fitted = fit_prior(variances, df, least=float(some.min()) * 0.99)
            pooled = float(np.sqrt(np.average(variances, weights=df)))
            priors[mode][metric] = {
                "df": min(fitted.df, MOST_DF), "std": float(f"{pooled:.3g}"), "fitted_df": fitted.df,
                "fitted_std": fitted.std, "samples": len(each), "samples_df": int(df.sum()),
            }  # fmt: skip
    return {
        "what": "the variance of a metric over instances (super-nets from other seeds): scaled inverse chi-squared",
        "learnt_from": {
            "by": "benchmarks/learn_prior.py", "table": table.digest,
            "results": sorted(set(names)),
            "scores_digest": digest.hexdigest(), "versions": versions(),
            "problem": {key: getattr(table.recipe, key) for key in PROBLEM},
        },
        "priors": priors,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help="write data/prior.json")
    learnt = learn()
    for mode, by_metric in learnt["priors"].items():
        for metric, one in by_metric.items():
            fitted = f"fitted df {one['fitted_df']:<7g} std {one['fitted_std']:g}"
            print(f"{mode:12}{metric:22}df {one['df']:<8g} std {one['std']:<9g} {fitted}")
    if parser.parse_args().write:
        (DATA / FILE).write_text(json.dumps(learnt, indent=1) + "\n")


if __name__ == "__main__":
    main()
