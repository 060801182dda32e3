"""A table of accuracies that others published: a mean and a standard deviation of each child, and no runs.

    content = published(read_numbers("mean.txt"), read_numbers("std.txt"))
    write_table("paper.h5", content)

What is not known stays NaN, with the status "published": the means stand for one seed, and the deviations are in the
table's environment. So scores can be measured against it, and two tables compared (`agreement`), but there is no
bound, and nothing to resume a build from. The files are the user's own: none ship.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nasbench_ws.errors import TableError
from nasbench_ws.limits import bytes_of
from nasbench_ws.recipe import Recipe
from nasbench_ws.space.macro import build_macro
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.tables.checks import blank_columns, root_attributes
from nasbench_ws.tables.columns import PUBLISHED, Content

SEEDS = 10  # of the paper's, behind each mean
RECIPE = Recipe(  # the paper's section 3, and its code where that says otherwise
    images="cifar10", train_images=50_000, macro="paper", epochs=200.0, batch_size=256, points=1, lr=0.025,
    lr_final=0.001, warmup=0.0, weight_decay=1e-3, shift=4, bn_momentum=0.4,
)  # fmt: skip
CITATION = "Zhang et al., Deeper Insights into Weight Sharing in Neural Architecture Search, arXiv:2001.01431"


def read_numbers(path: str | Path) -> NDArray[np.float64]:
    """The numbers of a text file, between blanks, commas or brackets: a child each, in order of index (111 to 444)."""
    remedy = f"give a text file of {len(DEEPER64)} numbers"
    try:
        text = bytes_of(path, TableError, remedy).decode("ascii")
    except UnicodeDecodeError as error:
        raise TableError(f"{path} cannot be read: it is not plain text; {remedy}") from error
    words = re.split(r"[\s,;\[\]()]+", text.strip("[]() \n\t,;"))
    try:
        numbers = np.array([float(word) for word in words])
    except ValueError as error:
        raise TableError(f"{path}: {error}; give a text file of {len(DEEPER64)} numbers and no words") from None
    if len(numbers) != len(DEEPER64):
        raise TableError(f"{path} has {len(numbers)} numbers; give one for each of the {len(DEEPER64)} children")
    return numbers


def published(mean: Sequence[float] | NDArray[np.float64], std: Sequence[float] | NDArray[np.float64]) -> Content:
    """The paper's CIFAR-10 table. Both (64,), fractions or percent; TableError where they are no accuracies."""
    means, stds = np.asarray(mean, float), np.asarray(std, float)
    if means.max() > 1:
        means, stds = means / 100, stds / 100
    for what, values, limit in (("mean", means, 1.0), ("standard deviation", stds, 0.5)):
        wrong = np.flatnonzero(~((values >= 0) & (values <= limit)))
        if len(wrong):
            raise TableError(
                f"the {what} of {DEEPER64[wrong[0]].name} is {values[wrong[0]]:g}; it must be a fraction from 0 to "
                f"{limit:g}, or in percent in both files; perhaps the two are swapped"
            )
    macro = build_macro(RECIPE, 32, 32, 3, 10)
    columns = blank_columns(DEEPER64, macro, [0], [RECIPE.epochs])
    columns["test_accuracy"][:, 0, 0] = means
    columns["status"][:], columns["environment"][:] = PUBLISHED, 0
    told = {"versions": {}, "device": f"as published: means of {SEEDS} seeds", "test_accuracy_std": stds.tolist()}
    attributes = root_attributes(RECIPE, DEEPER64, macro, "", [told], "the authors' own", CITATION)
    return Content(attributes, columns)
