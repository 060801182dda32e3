"""What the benchmarks share: a stopwatch, and what a number holds for."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import torch


def seconds_of(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def cpu_seconds_of(function: Callable[[], object]) -> float:
    """Of this process, on a machine that has other work."""
    started = time.process_time()
    function()
    return time.process_time() - started


def machine(path: str) -> dict[str, object]:
    """What a number holds for: the processor, torch's threads and the path that computed."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return {
        "machine": model or platform.processor() or platform.machine(),
        "threads": f"{torch.get_num_threads()} of {os.cpu_count()} cores",
        "torch": torch.__version__,
        "path": path,
    }
