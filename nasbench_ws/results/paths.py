"""By which path numbers were computed, as results say: paths differ in rounding, and after a training in everything.

    path_of("cpu AMD EPYC, kernels x16")        # "kernels x8 or x16", which agree to the bit
    path_note([first, second])                  # a sentence where they differ, else ""

Measured: after 640 steps of one seed, rankings by the kernels with 4 lanes and by torch agree with those of 8 lanes no
more than rankings of two seeds do. So two results of different paths are two samples, whatever their seeds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from nasbench_ws.results.join import BETWEEN
from nasbench_ws.results.result import Result

AGREEING = ("8", "16")  # lanes


def path_of(device: str) -> str:
    """Of what a result says that computed. What is not known is its own path.

    Children with layers of a user's own run by torch wherever they run, and are no path of their own.

    >>> path_of("cpu AMD EPYC, kernels x8, 3 of 9 children by torch"), path_of("cpu Intel, kernels x4")
    ('kernels x8 or x16', 'kernels x4')
    >>> path_of("cpu Intel, torch")
    'torch'
    """
    device = re.sub(r", \d+ of \d+ children by torch$", "", device)  # operations of a user's own, whoever runs them
    lanes = re.search(r"kernels x(\d+)$", device)
    if lanes:
        return "kernels x8 or x16" if lanes[1] in AGREEING else f"kernels x{lanes[1]}"
    return "torch" if device.startswith("cpu ") and device.endswith(", torch") else device


def paths_of(result: Result) -> list[str]:
    """Of all its instances; none in files written before it was kept, and of what trains nothing."""
    device = result.outcome.device
    return [] if device is None else sorted({path_of(one) for one in device.split(BETWEEN)})


def path_note(results: Sequence[Result]) -> str:
    """What to say where results were computed by several paths; "" where they were not, or none says by which."""
    known = list(dict.fromkeys(path for result in results for path in paths_of(result)))
    if len(known) < 2:
        return ""
    return (
        f"Computed by different paths ({'; '.join(known)}), on which one seed gives different scores: these are "
        "instances of one population, and not the same runs."
    )
