"""Interference between children, as results hold it: one matrix of changes, and its means by distance.

It is measured in two ways: from a snapshot that each child in turn is trained from and that is restored (`matrix`),
and, as the paper reads it, from the scores after each of training's last steps (`while_training`).

    changes = matrix(result["readouts"]["interference"], 64)       # (64, 64), row: trained, column: scored
    by_distance(changes, list(DEEPER64))["distance"]["1"]

Not here: measuring it (training/readouts.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.space.cell import Architecture


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


def while_training(window: Array, trained: Sequence[Sequence[Sequence[Sequence[int]]]]) -> Array:
    """Each child's score right after a step of one child, less its own mean over the window: (n, n).

    Row: trained, column: scored; NaN where no step trained that child alone. `window` (instances, k, n) are scores
    after each of the last k steps; `trained` holds, by instance and super-net, the children of each of these steps.
    """
    count = window.shape[2]
    sums, seen = np.zeros((count, count)), np.zeros((count, count))
    for instance, parts in zip(window - window.mean(axis=1, keepdims=True), trained, strict=True):
        for part in parts:
            members = sorted({number for numbers in part for number in numbers})
            for score, numbers in zip(instance, part, strict=True):
                if len(numbers) == 1:
                    sums[numbers[0], members] += score[members]
                    seen[numbers[0], members] += 1
    return np.where(seen > 0, sums / np.maximum(seen, 1), np.nan)


def after_own_step(window: Array, trained: Sequence[Sequence[Sequence[Sequence[int]]]]) -> Array:
    """Each child's score right after the last of the window's steps that trained it, (instances, n); NaN without one.

    Arguments as of `while_training`.
    """
    found = np.full((window.shape[0], window.shape[2]), np.nan)
    for own, scores, parts in zip(found, window, trained, strict=False):
        for part in parts:
            for row, numbers in zip(scores, part, strict=True):
                own[numbers] = row[numbers]
    return found


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
