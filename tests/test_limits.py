"""Numbers so large that nobody means them: refused at once, and before any memory is taken."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nasbench_ws.cli.options import seeds, shard
from nasbench_ws.errors import UsageError
from nasbench_ws.evaluation.evaluate import prepare
from nasbench_ws.images.dataset import Split
from nasbench_ws.rankers.plan import Plan
from nasbench_ws.recipe import Recipe
from nasbench_ws.search.run import search
from nasbench_ws.space.macro import SMALL
from nasbench_ws.training.batch_norm import BatchNorm
from nasbench_ws.training.batches import Augmentation, Batches
from nasbench_ws.training.building.builder import plan as plan_build

HUGE = 10**11


def batches(shift: int) -> Batches:
    split = Split(np.zeros((4, 6, 6, 1), np.uint8), np.zeros(4, np.int64))
    return Batches(split, 2, Augmentation(shift=shift), (0.0,), (1.0,), 0, 0)


@pytest.mark.parametrize(
    ("ask", "text"),
    [
        (
            lambda tiny: seeds("0-99999999999"),
            "the number of seeds in '0-99999999999' is 100,000,000,000; it must be at most 65,536: ask for fewer",
        ),
        (
            lambda tiny: seeds("0-9,5-99999"),
            "the number of seeds in '0-9,5-99999' is 100,005; it must be at most 65,536: ask for fewer",
        ),
        (
            lambda tiny: seeds("9" * 5000),
            f"seeds {'9' * 40!r}... cannot be read at {'9' * 40!r}...; write 0-9 or 0,1,5",
        ),
        (
            lambda tiny: shard("1/" + "9" * 5000),
            f"shard {'1/' + '9' * 38!r}... cannot be read; write i/n, counted from 0, such as 0/8",
        ),
        (
            lambda tiny: plan_build(Recipe(), SMALL, range(HUGE)),
            "more than 65,536 seeds are asked for; ask for fewer",
        ),
        (
            lambda tiny: plan_build(Recipe(), SMALL, itertools.count()),
            "more than 65,536 seeds are asked for; ask for fewer",
        ),
        (
            lambda tiny: plan_build(Recipe(), SMALL, [2**63]),
            "a seed index is 9,223,372,036,854,775,808; it must be at most 9,223,372,036,854,775,807: give a smaller "
            "one",
        ),
        (
            lambda tiny: Plan("full", Recipe(), steps=HUGE),
            "steps is 100,000,000,000; it must be at most 100,000,000: ask for fewer",
        ),
        (
            lambda tiny: Plan("full", Recipe(), fine_tune=(0, HUGE)),
            "fine_tune is 100,000,000,000; it must be at most 100,000,000: ask for fewer",
        ),
        (
            lambda tiny: Plan("full", Recipe(), interference=10**40),
            "interference is 1e+40; it must be at most 100,000,000: ask for fewer",
        ),
        (
            lambda tiny: Recipe(epochs=1e300),
            "the number of steps in 1e+300 epochs is 7.81e+302; it must be at most 100,000,000: ask for fewer",
        ),
        (
            lambda tiny: prepare("full", tiny.table, instances=HUGE),
            "instances is 100,000,000,000; it must be at most 65,536: ask for fewer",
        ),
        (
            lambda tiny: prepare("full", tiny.table, first_seed=2**63),
            "the seed of the last instance is 9,223,372,036,854,775,810; it must be at most "
            "9,223,372,036,854,775,807: begin with a smaller one",
        ),
        (
            lambda tiny: search("random", tiny.table, repetitions=HUGE),
            "repetitions is 100,000,000,000; it must be at most 65,536: ask for fewer",
        ),
        (
            lambda tiny: search("random", tiny.table, repetitions=1, budget=1e300),
            "the number of mean evaluations that the budget buys is 1,000,000,000,000,000,000; it must be at most "
            "1,000,000: ask for fewer",
        ),
        (
            lambda tiny: batches(HUGE),
            "a shift of 100000000000 pixels, and images of 6 x 6: shift by at most their side",
        ),
        (
            lambda tiny: BatchNorm.parse("batch:" + "9" * 5000),
            f"batch norm mode {'batch:' + '9' * 34!r}...: n must be a whole number of at least 2 images",
        ),
    ],
    ids=range(17),
)
def test_more_than_anyone_means_is_refused_at_once(tiny: Any, ask: Callable[[Any], object], text: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(UsageError) as caught:
            ask(tiny)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert str(caught.value) == text
    assert most < 2**26  # bytes
