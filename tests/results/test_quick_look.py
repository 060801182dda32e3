"""What is scored on some images, or looked at quickly, says so wherever it is shown, and is not taken for more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from nasbench_ws.cli import group
from nasbench_ws.errors import UsageError
from nasbench_ws.evaluation.evaluate import prepare
from nasbench_ws.evaluation.leaderboard import leaderboard
from nasbench_ws.evaluation.reference import shipped_reference
from nasbench_ws.rankers.plan import Plan, quick_look
from nasbench_ws.recipe import Recipe
from nasbench_ws.results.compare import compare, name_of
from nasbench_ws.results.result import Result
from nasbench_ws.tables.table import write_table


def planned(tiny: Any, **changes: Any) -> dict[str, Any]:
    plan = Plan("full", tiny.recipe, batch_norm=("running",), **changes).to_dict()
    return {**{key: value for key, value in plan.items() if key != "recipe"}, "schedule": "shuffle"}


@pytest.fixture
def whole(make: Any) -> Result:
    return make()


@pytest.fixture
def some(make: Any, tiny: Any) -> Result:
    return make(plan=planned(tiny, valid_images=32))


@pytest.fixture
def quick_one(make: Any, tiny: Any) -> Result:
    return make(plan=planned(tiny, valid_images=32, quick=True))


def test_a_plan_that_asks_for_neither_is_written_as_before():
    assert not {"valid_images", "quick"} & Plan("full", Recipe()).to_dict().keys()
    plan = quick_look(Plan("full", Recipe(train_images=256, batch_size=64)), 27)
    assert (plan.steps, plan.batch_norm, plan.valid_images, plan.quick) == (135, ("recalibrate:256",), 1000, True)
    assert {"valid_images", "quick"} <= plan.to_dict().keys()


def test_it_says_so_and_survives_a_file(some: Result, quick_one: Result, whole: Result, tmp_path: Path):
    assert "Scored on 32 validation images: for developing, not for a leaderboard." in str(some)
    text = " ".join(str(quick_one).split())
    assert "A quick look: 6,400 steps, 32 validation images. It proves little, and is compared with nothing." in text
    assert name_of(some) == "full valid-images 32"
    assert name_of(whole) == "full"
    quick_one.save(tmp_path / "quick.json")
    assert Result.load(tmp_path / "quick.json").outcome.quick


def test_comparisons(some: Result, quick_one: Result, whole: Result):
    assert compare([some, some]).rows[0].name == "full valid-images 32"
    with pytest.raises(UsageError) as caught:
        compare([some, whole])
    assert str(caught.value) == (
        "full valid-images 32 has number of validation images (0: all) 32, and full 0; results are compared at one "
        "number of validation images (0: all): evaluate them alike"
    )
    for others in ([whole], [quick_one]):
        with pytest.raises(UsageError) as caught:
            compare([quick_one, *others])
        assert str(caught.value) == (
            "full valid-images 32 is a quick look, which proves too little to be compared; evaluate it without --quick"
        )
    assert shipped_reference(some) is None


def test_the_leaderboard_has_whole_results_alone(
    some: Result, quick_one: Result, whole: Result, tiny: Any, tmp_path: Path
):
    for name, one in (("some", some), ("quick", quick_one), ("whole", whole)):
        one.save(tmp_path / f"{name}.json")
    board = leaderboard(table=tiny.table, folder=tmp_path)
    assert list(board.results) == ["whole"]
    assert board.caption().endswith("\nOf other images or networks, or some images: 2 results, left out.")
    for one, text in (
        (quick_one, "full valid-images 32 is a quick look, which proves too little to be compared; evaluate it without "
         "--quick"),
        (some, "given 1 (full valid-images 32) was scored on 32 validation images, and the leaderboard on all; "
         "evaluate it without --valid-images"),
    ):  # fmt: skip
        with pytest.raises(UsageError) as caught:
            leaderboard([one], tiny.table, folder=tmp_path)
        assert str(caught.value) == text


def test_scores_are_those_of_the_first_images(tiny: Any, quick: None):
    plan = Plan("full", tiny.recipe, steps=64, batch_norm=("running",), valid_images=16)
    result = prepare("full", tiny.table, plan=plan, instances=1, load=tiny.load).run()
    assert {round(score * 16, 6) % 1 for score in result.scores[0]} == {0}
    assert result.outcome.valid_images == 16


def test_more_images_than_there_are(tiny: Any):
    with pytest.raises(UsageError) as caught:
        prepare("full", tiny.table, plan=Plan("full", tiny.recipe, valid_images=65), load=tiny.load)
    assert str(caught.value) == "65 validation images of tiny: it has 1 to 64 (--valid-images)"
    with pytest.raises(UsageError) as caught:
        Plan("full", tiny.recipe, valid_images=-1)
    assert str(caught.value) == "valid_images is -1; it is at least 1, or 0 for all"


@pytest.mark.usefixtures("quick")
def test_few_validation_images_are_looked_at_as_they_are(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody chose the thousand; more than there are is refused where somebody asks for them."""
    for place in ("images.loaders", "evaluation.work"):
        monkeypatch.setattr(f"nasbench_ws.{place}.load_images", tiny.load)
    monkeypatch.setattr("nasbench_ws.cli.evaluate.fetch", lambda *_: None)
    path = tmp_path / "tiny.h5"
    write_table(path, tiny.table.content)
    words = ["evaluate", "full", "--quick", "--steps", "64", "--table", str(path), "-o", str(tmp_path / "x.json")]
    done = CliRunner().invoke(group, words, catch_exceptions=False)
    assert "A quick look: 64 steps, 64 validation images. It proves little" in done.stdout
    done = CliRunner().invoke(group, [*words, "--force", "--valid-images", "65"], standalone_mode=False)
    assert str(done.exception) == "65 validation images of tiny: it has 1 to 64 (--valid-images)"
