"""Interference between children, as results hold it: one matrix of changes, and its means by distance.

    changes = matrix(result["readouts"]["interference"], 64)       # (64, 64), row: trained, column: scored
    by_distance(changes, list(DEEPER64))["distance"]["1"]

Not here: measuring it (readout.py). No torch here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nasbench_ws.space import Architecture

Array = npt.NDArray[np.float64]


def matrix(measured: Sequence[Sequence[Mapping[str, Any]]], count: int, name: str = "interference") -> Array:
    """Mean over instances of a readout by super-net, (count, count); NaN between children of two super-nets.

    `name` is interference, the change of accuracy as a fraction, or gradient_cosine.
    """
    whole = np.full((len(measured), count, count), np.nan)
    for i, instance in enumerate(measured):
        for part in instance:
            children = np.array(part["children"])
            whole[i][np.ix_(children, children)] = np.array(part[name], dtype=np.float64)  # null becomes NaN
    mean: Array = whole.mean(axis=0)
    return mean


def by_distance(changes: Array, children: Sequence[Architecture]) -> dict[str, dict[str, float]]:
    """Mean change by Hamming distance ("0" to "3"), and at distance 1 by the edge that differs ("0->1", ...).

    Pairs without a number are left out.
    """
    sums: dict[str, dict[str, list[float]]] = {"distance": {}, "edge": {}}
    for i, a in enumerate(children):
        for j, b in enumerate(children):
            if np.isnan(changes[i, j]):
                continue
            sums["distance"].setdefault(str(a.distance(b)), []).append(float(changes[i, j]))
            if a.distance(b) == 1:
                (edge,) = [e for e, x, y in zip(a.space.edges, a.choices, b.choices, strict=True) if x != y]
                sums["edge"].setdefault(f"{edge[0]}->{edge[1]}", []).append(float(changes[i, j]))
    return {
        kind: {name: float(np.mean(values)) for name, values in sorted(parts.items())} for kind, parts in sums.items()
    }
