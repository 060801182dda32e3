"""What do rank metrics cost, and what does the pair-sign product save?

    pytest benchmarks/bench_metrics.py --benchmark-only

Grouped by the question. Every benchmark checks its numbers and none asserts a time; ratios are measured in
one process, one after the other, and put into `extra_info` with the machine they hold for.
"""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from nasbench_ws import metrics
from nasbench_ws.metrics import intervals as resample

SNAPSHOTS, CHILDREN = 640, 64
TIMED_PAIRS = 2_000


def machine(path: str) -> dict[str, str]:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return {
        "machine": model or platform.processor() or platform.machine(),
        "threads": f"OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'unset')} of {os.cpu_count()} cores",
        "path": path,
    }


def snapshots(rows: int, children: int) -> tuple[np.ndarray, np.ndarray]:
    """Validation accuracies on 500 images, so that many children tie, and a truth they resemble."""
    rng = np.random.default_rng(0)
    truth = rng.normal(0.85, 0.02, children)
    return np.round((truth + rng.normal(0, 0.02, (rows, children))) * 500) / 500, np.round(truth, 5)


@pytest.mark.benchmark(group="S-Tau and GT-Tau of all snapshots of a run")
def test_stau_ratio(benchmark):
    scores, truth = snapshots(SNAPSHOTS, CHILDREN)

    def ours():
        return metrics.stability_tau(scores), metrics.kendall_taus(scores, truth)

    stability, gt_taus = benchmark(ours)

    first, second = np.triu_indices(SNAPSHOTS, 1)
    chosen = np.random.default_rng(1).choice(len(first), TIMED_PAIRS, replace=False)
    started = time.perf_counter()
    reference = [stats.kendalltau(scores[first[pair]], scores[second[pair]]).statistic for pair in chosen]
    seconds_a_call = (time.perf_counter() - started) / TIMED_PAIRS
    scipy_seconds = seconds_a_call * (len(first) + SNAPSHOTS)

    pairs = metrics.kendall_tau_matrix(scores)
    np.testing.assert_allclose(pairs[first[chosen], second[chosen]], reference, rtol=0, atol=1e-12)
    np.testing.assert_allclose(gt_taus, [stats.kendalltau(row, truth).statistic for row in scores], rtol=0, atol=1e-12)
    assert stability.mean == pytest.approx(pairs[first, second].mean(), abs=1e-12)
    benchmark.extra_info |= machine("numpy: float32 pair signs, one matrix product") | {
        "scipy_calls": len(first) + SNAPSHOTS,
        "scipy_seconds": scipy_seconds,
        "scipy_seconds_note": f"extrapolated from {TIMED_PAIRS} random pairs timed here",
    }
    if benchmark.stats is not None:  # None under --benchmark-disable
        benchmark.extra_info["ratio"] = scipy_seconds / benchmark.stats.stats.median


@pytest.mark.benchmark(group="growth of S-Tau with snapshots, 64 children")
@pytest.mark.parametrize("rows", [64, 128, 256, 640])
def test_growth_with_snapshots(benchmark, rows):
    scores, _ = snapshots(rows, CHILDREN)
    stability = benchmark(metrics.stability_tau, scores)
    check_one_pair(scores, metrics.kendall_tau_matrix(scores[:2])[0, 1])
    assert stability.min <= stability.mean <= stability.max
    benchmark.extra_info |= machine("numpy") | {"snapshots": rows, "children": CHILDREN}


@pytest.mark.benchmark(group="growth of S-Tau with children, 16 snapshots")
@pytest.mark.parametrize("children", [64, 256, 1024, 4096])
def test_growth_with_children(benchmark, children):
    scores, _ = snapshots(16, children)
    taus = benchmark.pedantic(metrics.kendall_tau_matrix, (scores,), rounds=3, warmup_rounds=1)
    check_one_pair(scores, taus[0, 1])
    benchmark.extra_info |= machine("numpy, pairs in chunks") | {"snapshots": 16, "children": children}


@pytest.mark.benchmark(group="one tau")
@pytest.mark.parametrize("children", [64, 4096])
@pytest.mark.parametrize("path", ["nasbench_ws", "scipy"])
def test_one_tau(benchmark, path, children):
    scores, _ = snapshots(2, children)
    if path == "scipy":
        tau = benchmark(lambda: stats.kendalltau(*scores).statistic)
    else:
        tau = benchmark(metrics.kendall_tau, *scores)
    check_one_pair(scores, tau)
    benchmark.extra_info |= machine(path) | {"children": children}


@pytest.mark.benchmark(group="intervals of an evaluation, 10,000 resamples of all metrics")
@pytest.mark.parametrize("instances", [1, 3, 10])
def test_bootstrap_of_all_metrics(benchmark, instances):
    scores, truth = snapshots(instances, CHILDREN)
    accuracy = truth[:, None] + np.random.default_rng(2).normal(0, 0.004, (CHILDREN, 10))

    def ours():
        return resample.intervals(scores, accuracy, rng=np.random.default_rng(3), resamples=10_000)

    measured = benchmark.pedantic(ours, rounds=3, warmup_rounds=1)
    assert list(measured) == list(metrics.EVALUATION)
    for one in measured.values():
        assert one.reason if instances == 1 else one.low <= one.mean <= one.high  # of one instance alone none is known
    expected = [stats.kendalltau(row, accuracy.mean(axis=1)).statistic for row in scores]
    assert measured["kendall_tau"].mean == pytest.approx(np.mean(expected), abs=1e-12)
    benchmark.extra_info |= machine("numpy") | {"instances": instances, "children": CHILDREN, "table_seeds": 10}
    if benchmark.stats is not None:
        benchmark.extra_info["seconds"] = benchmark.stats.stats.median


def check_one_pair(scores: np.ndarray, tau: float) -> None:
    assert tau == pytest.approx(stats.kendalltau(scores[0], scores[1]).statistic, abs=1e-12)
