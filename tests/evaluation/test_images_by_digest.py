"""Images are those of their digest, not of their name: folders change, and differ between machines."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nasbench_ws.errors import DataError, UsageError
from nasbench_ws.evaluation.evaluate import evaluate, prepare
from nasbench_ws.evaluation.work import Source, images_for, run_piece
from nasbench_ws.images.dataset import Images

pytestmark = pytest.mark.usefixtures("quick")


class Brightness:
    """A ranker that looks at images."""

    name = "brightness"

    def score(self, problem: Any, images: Images, seed: int) -> list[float]:
        return [float(images.train.pixels.mean()) + child.index for child in problem.children]


def test_a_folder_that_changed_is_read_again(tiny: Any) -> None:
    there = [tiny]

    def load(*given: Any, **options: Any) -> Images:
        images: Images = there[0].load(*given, **options)
        return images if there[0] is tiny else replace(images, digest="8" * 64)

    evaluate(Brightness, tiny.table, instances=1, load=load)
    there[0] = replace(tiny)  # other images under the same name
    with pytest.raises(UsageError, match=f"have digest {'8' * 64}, and the table's {'7' * 64}"):
        evaluate(Brightness, tiny.table, instances=1, load=load)


def test_a_worker_with_other_images_of_that_name_refuses(tiny: Any) -> None:
    ready = prepare(Brightness, tiny.table, instances=1, load=tiny.load)
    assert ready.source.digest == "7" * 64

    def other(*given: Any, **options: Any) -> Images:
        return replace(tiny.load(*given, **options), digest="8" * 64)

    elsewhere = replace(ready.source, load=other)
    with pytest.raises(DataError) as caught:
        run_piece(ready.ranker, ready.problem, elsewhere, ready.pieces[0], print)
    assert str(caught.value) == (
        f"the images tiny have digest {'8' * 64} here, and {'7' * 64} where this evaluation was asked for; have the "
        "same images in the same place on every machine, and leave them while it runs"
    )


def test_the_same_images_are_read_once(tiny: Any) -> None:
    calls = []

    def load(*given: Any, **options: Any) -> Images:
        calls.append(given)
        images: Images = tiny.load(*given, **options)
        return images

    ready = prepare(Brightness, tiny.table, instances=3, load=load)
    ready.run()
    assert len(calls) == 1
    assert images_for(ready.ranker, ready.problem, Source(load=load, digest="7" * 64)) is not None
    assert len(calls) == 1
