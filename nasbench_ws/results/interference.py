"""Interference between children, as results hold it: one matrix of changes, and its means by distance.

It is measured in two ways: from a snapshot that each child in turn is trained from and that is restored (`matrix`),
and, as the paper reads it, from the scores after each of training's last steps (`while_training`).

    changes = matrix(result.outcome.readouts.interference, 64)     # (64, 64), row: trained, column: scored
    by_distance(changes, list(DEEPER64))["distance"]["1"]

Not here: measuring it (training/readouts.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.results.outcome import Changes, Window
from nasbench_ws.space.cell import Architecture


def matrix(measured: Sequence[Sequence[Changes]], count: int, *, cosine: bool = False) -> Array:
    """Mean over instances of a readout by super-net, (count, count); NaN between children of two super-nets.

    It is the change of accuracy as a fraction, or the cosine of gradients.
    """
    whole = np.full((len(measured), count, count), np.nan)
    for i, instance in enumerate(measured):
        for part in instance:
            children = np.array(part.children)
            whole[i][np.ix_(children, children)] = part.gradient_cosine if cosine else part.interference
    mean: Array = whole.mean(axis=0)
    return mean


def while_training(window: Window) -> Array:
    """Each child's score right after a step of one child, less its own mean over the window: (n, n).

    Row: trained, column: scored; NaN where no step trained that child alone.
    """
    count = window.scores.shape[2]
    sums, seen = np.zeros((count, count)), np.zeros((count, count))
    changes = window.scores - window.scores.mean(axis=1, keepdims=True)
    for instance, parts in zip(changes, window.trained, strict=True):
        for part in parts:
            members = sorted({number for numbers in part for number in numbers})
            for score, numbers in zip(instance, part, strict=True):
                if len(numbers) == 1:
                    sums[numbers[0], members] += score[members]
                    seen[numbers[0], members] += 1
    return np.where(seen > 0, sums / np.maximum(seen, 1), np.nan)


def after_own_step(window: Window) -> Array:
    """Each child's score right after the last of the window's steps that trained it, (instances, n); NaN if none."""
    found = np.full((window.scores.shape[0], window.scores.shape[2]), np.nan)
    for own, scores, parts in zip(found, window.scores, window.trained, strict=False):
        for part in parts:
            for row, numbers in zip(scores, part, strict=True):
                own[list(numbers)] = row[list(numbers)]
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
