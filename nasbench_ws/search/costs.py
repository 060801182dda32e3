"""What a training costs, in each unit: full trainings, epochs, multiply-adds, seconds.

    costs(load("fashion14"), "macs")                # (children, epochs)

Stored seconds of own tables are never used as they are: they hold whatever else the machine did.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nasbench_ws.errors import UsageError
from nasbench_ws.tables.over_seeds import alike, mean_over
from nasbench_ws.tables.table import Table

Array = NDArray[np.float64]
Unit = Literal["evaluations", "epochs", "macs", "seconds"]
BACKWARD = 3  # multiply-adds of a training step, in those of its forward pass


def train_images(table: Table) -> float:
    """NaN where the table does not say: others made it."""
    return math.nan if table.foreign else float(table.recipe.train_images)


def costs(table: Table, unit: Unit) -> Array:
    """(n, E) in the unit. UsageError where the table does not know it."""
    epochs: Array = table.epochs[None, :] * np.ones((len(table), 1))
    if unit == "epochs":
        return epochs
    if unit == "evaluations":
        return epochs / epochs[:, -1:]
    cost = np.full(epochs.shape, np.nan)
    if unit == "seconds":
        cost = _stated(table) if table.foreign else epochs / epochs[:, -1:] * modelled_seconds(table)[:, None]
    elif table.has("macs"):
        cost = epochs * table.column("macs").astype(np.float64)[:, None] * BACKWARD * train_images(table)
    if not (np.isfinite(cost).all() and (cost > 0).all()):
        raise UsageError(f"{table.name} does not know its {unit}; charge in evaluations or epochs")
    return cost


def full_seconds(table: Table) -> Array:
    """(n,) seconds of a full training: modelled for own tables, those that others give for theirs; NaN if unknown."""
    return _stated(table)[:, -1] if table.foreign else modelled_seconds(table)


def _stated(table: Table) -> Array:
    """(n, E) mean seconds of a child's runs; those of a mean child where the table has no row."""
    seconds = np.where(alike(table)[..., None], table.curves("seconds"), np.nan)
    mean = mean_over(seconds, np.isfinite(seconds))
    known = np.isfinite(mean)
    return np.where(known, mean, mean_over(mean, known, axis=0))


def modelled_seconds(table: Table) -> Array:
    """(n,) seconds of a full training: a line through each child's fastest run against its multiply-adds.

    On fashion14 18.5 s + 5.57e-5 s x multiply-adds. Stored times themselves say what else the machine did: a child's
    slowest run took up to 93 times its fastest. NaN throughout where there are no times, or no multiply-adds.
    """
    if not table.has("macs"):
        return np.full(len(table), np.nan)
    seconds = np.where(alike(table), table.by_seed("seconds"), np.nan)
    macs = table.column("macs").astype(np.float64)
    there = np.isfinite(seconds).any(axis=1)
    if there.sum() < 3 or not np.ptp(macs[there]) > 0:
        return np.full(len(macs), np.nan)
    fastest = np.nanmin(seconds[there], axis=1)
    slope, constant = np.polyfit(macs[there], fastest, 1)
    fitted: Array = constant + slope * macs
    return fitted
