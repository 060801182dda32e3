"""A super-net of one's own: every child is asked for once, in the table's order, and what is no number is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from nasbench_ws.errors import UsageError
from nasbench_ws.evaluation.score_all import score_all
from nasbench_ws.results.assess import assess
from nasbench_ws.training.module import loader, tensors

pytestmark = pytest.mark.usefixtures("quick")


def test_scores_are_the_functions_in_the_tables_order(tiny: Any) -> None:
    scores = score_all(lambda child: torch.tensor(child.index / 64), tiny.table)
    assert np.allclose(scores, np.arange(64) / 64)
    assert assess([scores], tiny.table).verdict


def test_a_function_of_two_gets_the_images(tiny: Any) -> None:
    def score(child: Any, images: Any) -> float:
        return child.index * float(len(images.valid))

    assert score_all(score, tiny.table, images=tiny.images).tolist() == [64.0 * i for i in range(64)]


def test_nan_is_a_child_that_diverged(tiny: Any) -> None:
    assert np.isnan(score_all(lambda child: np.nan if child.name == "111" else 1, tiny.table)).sum() == 1


@pytest.mark.parametrize(("given", "shown"), [("best", "'best'"), (None, "None"), ([1, 2], "[1, 2]")])
def test_what_is_no_number_is_named(tiny: Any, given: Any, shown: str) -> None:
    with pytest.raises(UsageError) as caught:
        score_all(lambda child: given, tiny.table)
    assert str(caught.value) == (
        f"the score of child 111 is {shown}; give a number for each child, higher is better, or NaN where its training "
        "diverged"
    )


def test_a_loader_gives_what_tensors_gives_in_batches(tiny: Any) -> None:
    pixels, labels = tensors(tiny.images, "train")
    batches = list(loader(tiny.images, "train", 100))
    assert [len(one) for _, one in batches] == [100, 100, 56]
    assert torch.equal(torch.cat([one for one, _ in batches]), pixels)
    assert torch.equal(torch.cat([one for _, one in batches]), labels)


def test_a_shuffled_loader_draws_from_its_seed_and_anew_in_each_pass(tiny: Any) -> None:
    first, again = (loader(tiny.images, "train", 256, shuffle=True, seed=3) for _ in range(2))
    (_, one), (_, same), (_, later) = next(iter(first)), next(iter(again)), next(iter(first))
    assert torch.equal(one, same)
    assert not torch.equal(one, later)
    assert torch.equal(one.sort().values, torch.from_numpy(tiny.images.train.labels).sort().values)
    with pytest.raises(UsageError) as caught:
        loader(tiny.images, "train", 0)
    assert str(caught.value) == "batch_size is 0; it must be at least 1"
