"""Children trained alone and stopped early, as a ranker: read off the curves that a table has.

    alone(curves, epoch=1.0)                    # a ranking for each seed of the curves
    alone(curves, epoch=4.0, by_loss=True)      # by the training loss, which tells earlier

What it is given are validation accuracies and training losses. Test accuracies it never sees, and what it is measured
against has to leave out the seeds that it looked at (results/truth.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasbench_ws.cost import Cost
from nasbench_ws.errors import UsageError
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.rankers.plan import BACKWARD
from nasbench_ws.rankers.scored import Known
from nasbench_ws.recipe import Recipe


@dataclass(frozen=True)
class Curves:
    """What every child shows while it trains alone, test images aside, and what that takes."""

    recipe: Recipe
    epochs: Array  # passes over the training images
    valid_accuracy: Array  # (n, seeds, epochs)
    train_loss: Array  # (n, seeds, epochs)
    macs: NDArray[np.int64]  # (n,) of one image's forward pass
    params: NDArray[np.int64]  # (n,)
    places: tuple[int, ...]  # of these seeds among the table's: those that every child has


def alone(curves: Curves, epoch: float, by_loss: bool = False) -> Known:
    """The ranking after so many epochs by validation accuracy, or by the training loss, the less the better.

    NaN of a run that is missing or diverged: such children are left out of what it is measured by, or that refuses.
    UsageError where that point is not recorded, or no run of a seed is there.
    """
    place = np.flatnonzero(np.isclose(curves.epochs, epoch, rtol=1e-9, atol=0))
    if not len(place):
        recorded = ", ".join(f"{x:g}" for x in curves.epochs)
        raise UsageError(f"standalone training has no epoch {epoch:g}; recorded are {recorded}")
    check_places(curves)
    scores = (-curves.train_loss if by_loss else curves.valid_accuracy)[:, :, place[0]].T  # (seeds, n)
    empty = np.isnan(scores).all(axis=1)
    if empty.any():
        what = "training loss" if by_loss else "validation accuracy"
        raise UsageError(f"no run of {int(empty.sum())} of {len(scores)} seeds has a {what} at epoch {epoch:g}")
    name = f"{'early-loss' if by_loss else 'alone'}:{epoch:g}"
    return Known(name, scores, cost(curves, epoch), {"epoch": epoch}, looked_at=curves.places)


def check_places(curves: Curves) -> None:
    """UsageError where no seed ranks every child."""
    if not curves.places:
        raise UsageError(
            "no seed is of every child, so that none ranks them all; build one for the children that lack it, and merge"
        )


def cost(curves: Curves, epoch: float) -> Cost:
    """Of training every child for so long."""
    count, recipe = len(curves.macs), curves.recipe
    steps = round(epoch * recipe.steps_per_epoch)
    images = steps * recipe.batch_size
    params = int(curves.params.sum())
    return Cost(
        steps=count * steps, images=count * images, child_updates=count * steps,
        macs=images * BACKWARD * int(curves.macs.sum()), weight_bytes=4 * params, seconds=0.0, parameters=params,
        super_nets=count,
    )  # fmt: skip
