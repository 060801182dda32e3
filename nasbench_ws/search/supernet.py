"""Search on a super-net: observations are its scores, and its training is charged first.

    oracle = supernet_oracle(Result.load("full.json"), load("fashion14"), Rules(unit="macs"))
    search("spos", oracle)

A repetition has one instance of the super-net, so that its luck is part of the figure. A look at a child costs one pass
over the images that scored it; truth is the table's, of all seeds, since none was shown.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from nasbench_ws.errors import UsageError
from nasbench_ws.results.misfit import misfit
from nasbench_ws.results.result import Result, check_children
from nasbench_ws.search.oracle import Array, Oracle, Rules
from nasbench_ws.tables.table import Table

SCORED_IMAGES = 10_000  # validation images of the shipped data, which an evaluation scores on unless told otherwise


def images_of_a_look(result: Result) -> int:
    """Forward passes that a child's score took: its validation images, and those that its batch norm was set by."""
    how, _, images = result.outcome.batch_norm.partition(":")
    recalibrated = int(images) if how == "recalibrate" and images.isdecimal() else 0
    return (result.outcome.valid_images or SCORED_IMAGES) + recalibrated


def supernet_oracle(
    result: Result, table: Table, rules: Rules | None = None, scored_images: int | None = None
) -> Oracle:
    """The scores of a result, as what a search sees of the table's children.

    Args:
        result: its primary readout's scores are shown.
        table: of the same children, in the same networks, of the same images.
        rules: noise and repeats do not matter: a super-net gives one score.
        scored_images: what a look costs, in images of a forward pass; None: as the result says.

    Raises:
        ResultError: the result is of other children.
        UsageError: it is of other networks or images, ranks nothing, or cannot be charged.
    """
    rules = Rules() if rules is None else rules
    outcome = result.outcome
    check_children(outcome, table.space, table.name)
    other = misfit(outcome.recipe, table, outcome.images_digest)
    if other is not None:
        raise UsageError(f"{outcome.strategy} is of other {other} than {table.name}; give a result of this table")
    scores = result.scores[np.isfinite(result.scores).any(axis=1)]
    if not len(scores):
        raise UsageError(f"{outcome.strategy} ranks nothing: every instance diverged; take another result")
    base = Oracle.of(table, rules)
    if not np.isfinite(base.evaluation_macs):
        raise UsageError(
            f"{table.name} does not know how many images trained its children, so that a super-net cannot be charged "
            f"in {rules.unit}; take a table that does"
        )
    in_units = base.evaluation / base.evaluation_macs
    shown = scores.T[:, :, None]  # (n, instances, 1)
    nothing = np.full_like(shown, np.nan)
    images = images_of_a_look(result) if scored_images is None else scored_images
    look: Array = base.macs.astype(np.float64) * images * in_units
    return dataclasses.replace(
        base,
        epochs=base.epochs[-1:],
        shown={"signal": shown, "valid_accuracy": shown, "valid_loss": nothing, "train_loss": nothing},
        exists=np.ones(shown.shape[:2], dtype=bool),
        cost=look[:, None],
        one_run=True,
        start=np.array([result.outcome.cost.macs * in_units]),
        name=f"{result.outcome.strategy} on {table.name}",
    )
