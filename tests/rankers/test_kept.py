"""Kept parts whose values no training gives: each is refused by the file's name, the key and the value met."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nasbench_ws.errors import ResultError
from nasbench_ws.evaluation.evaluate import FORMAT, prepare
from nasbench_ws.json_files import read_record, write_record
from nasbench_ws.rankers.plan import Plan

pytestmark = pytest.mark.usefixtures("quick")
READ = {"batch_norm": ("running", "recalibrate:64"), "last": 2, "average": 0.9}


class ByOrder:
    """A ranker of one method."""

    name = "by order"
    splits = ("train",)

    def score(self, problem: Any, images: Any, seed: int) -> list[float]:
        return list(range(len(problem.space)))


@pytest.fixture
def kept(tiny: Any, tmp_path: Path) -> Callable[..., Callable[..., str]]:
    """Evaluates once; then changes the kept part, evaluates again, and gives the refusal behind the file's name."""

    def first(ranker: Any = "groups:similar:2", **plan: Any) -> Callable[..., str]:
        asked = Plan("full", tiny.recipe, steps=64, **plan)
        ready = prepare(ranker, tiny.table, plan=asked, instances=1, folder=tmp_path, load=tiny.load)
        made = ready.run()
        assert ready.run() == made  # of what is kept
        (part,) = tmp_path.glob("*/0-0.json")
        whole = read_record(part, FORMAT)

        def again(change: Callable[[dict[str, Any]], None]) -> str:
            data = copy.deepcopy(whole)
            change(data)
            write_record(part, FORMAT, data)
            with pytest.raises(ResultError) as caught:
                ready.run()
            ending = "; it is no part of this evaluation: delete it, and run the same command again"
            text = str(caught.value)
            assert text.startswith(f"{part}: ")
            assert text.endswith(ending)
            return text.removeprefix(f"{part}: ").removesuffix(ending)

        return again

    return first


def test_what_no_super_net_gives_is_refused(kept: Callable[..., Callable[..., str]]) -> None:
    def put(*place: Any) -> Callable[[dict[str, Any]], None]:
        *path, last, value = place

        def change(data: dict[str, Any]) -> None:
            for step in path:
                data = data[step]
            data[last] = value

        return change

    own = list(range(32))
    cases = [
        (put("scores", "running", "accuracy", 3, 7.0), "scores.running.accuracy[3] is 7.0; it must be at most 1"),
        (
            put("scores", "recalibrate:64", "accuracy", 0, -0.1),
            "scores.recalibrate:64.accuracy[0] is -0.1; it must be at least 0",
        ),
        (
            put("scores", "running", "accuracy", 3, None),
            "scores.running.accuracy lacks a number, and diverged_at is null",
        ),
        (put("scores", "running", "loss", 3, -1.0), "scores.running.loss[3] is -1.0; it must be at least 0"),
        (put("scores", "running", "accuracy", [0.5]), "scores.running.accuracy is of 1 children, and the part of 32"),
        (put("seconds", -1.0), "seconds is -1.0; it must be at least 0"),
        (put("train_seconds", 1e300), "train_seconds is 1e+300; it must be at most 1e+15"),
        (put("macs", -5), "macs is -5; it must be at least 0"),
        (put("macs", 1.5), "macs is 1.5, not a whole number"),
        (
            put("children", own[::-1]),
            f"children are {str(own[::-1])[:60]}, and this part's {str(own)[:60]}, in that order",
        ),
        (
            put("children", [0, *own[:-1]]),
            f"children are {str([0, *own])[:60]}, and this part's {str(own)[:60]}, in that order",
        ),
        (put("seed", 1), "seed is 1, and this part's 0"),
        (put("steps", 31), "steps is 31, and this part's 32"),
        (put("diverged_at", 99), "diverged_at is 99; it must be a step, 1 to 32"),
        (put("trained", "111", 100), "trained adds up to 131 updates, and child_updates is 32"),
        (put("window", "running", 0, 0, 2.0), "window.running[0][0] is 2.0; it must be at most 1"),
        (put("window", "running", []), "window.running has 0 steps, and the plan's last are 2"),
        (put("window_trained", 0, [99]), "window_trained is not of 2 steps and this part's children"),
        (put("readouts", {}), "readouts.average is of no mode, not of the plan's modes"),
        (put("versions", None), "versions is None, not an object"),
    ]  # fmt: skip
    again = kept(**READ)
    for change, text in cases:
        assert again(change) == text


def test_what_no_ranker_gives_is_refused(kept: Callable[..., Callable[..., str]]) -> None:
    def change(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
        return lambda data: data.update({key: value})

    again = kept(ByOrder)
    for key, value, text in (
        ("scores", [1.0, 2.0], "scores are of 2 children, not of 64"),
        ("scores", ["1.0"] * 64, "scores[0] is '1.0', not a number or null"),
        ("seconds", -1.0, "seconds is -1.0; it must be at least 0"),
    ):
        assert again(change(key, value)) == text


def test_a_part_of_another_version_of_the_format_is_json(kept: Callable[..., Callable[..., str]]) -> None:
    def without(data: dict[str, Any]) -> None:
        del data["trained"]

    assert kept()(without) == "it has no 'trained'"
