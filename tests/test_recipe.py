"""Learning rates that start again, and what recipes that came before them are."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nasbench_ws.errors import UsageError
from nasbench_ws.recipe import Recipe
from nasbench_ws.tables.table import load


def rates(recipe: Recipe, steps: int = 1000) -> np.ndarray:
    return np.array([recipe.learning_rate(step, steps) for step in range(steps)])


def test_one_cycle_is_the_cosine_to_the_last_bit() -> None:
    for warmup in (0.0, 0.2):
        plain, one = Recipe(warmup=warmup), Recipe(warmup=warmup, cycles="1")
        assert rates(plain).tobytes() == rates(one).tobytes()


@pytest.mark.parametrize(
    ("cycles", "starts"),
    [
        ("2", (0, 0.5)),
        ("3:2", (0, 1 / 7, 3 / 7)),
        ("4", (0, 0.25, 0.5, 0.75)),
    ],
)
def test_each_cycle_starts_at_the_highest_rate_and_ends_at_the_last(cycles: str, starts: tuple[float, ...]) -> None:
    recipe = Recipe(cycles=cycles, lr_final=0.004)
    found, rise = rates(recipe), 200
    ups = [rise, *(np.flatnonzero(np.diff(found[rise:]) > 0) + rise + 1).tolist()]
    assert ups == pytest.approx([rise + start * 799 for start in starts], abs=1)
    assert np.allclose(found[ups], recipe.lr, rtol=1e-3)
    ends = [up - 1 for up in ups[1:]] + [999]
    assert (found[ends] < 0.02 * recipe.lr + recipe.lr_final).all()
    assert found[-1] == pytest.approx(recipe.lr_final)
    assert found[:rise].tolist() == rates(Recipe(lr_final=0.004))[:rise].tolist()


def test_recipes_that_came_before_keep_their_digests() -> None:
    recipe = load("fashion14").recipe
    assert recipe == Recipe()
    assert "cycles" not in recipe.to_dict()
    assert Recipe(cycles="2").digest != recipe.digest
    other = Recipe.from_dict(json.loads(json.dumps(Recipe(cycles="3:2").to_dict())))
    assert other == Recipe().override("cycles=3:2") == Recipe(cycles="3:2")


@pytest.mark.parametrize("cycles", ["0", "x", "2:", "2:x", "2:0.5", "2:inf", "2:nan", "-1", "1:2:3", "101"])
def test_cycles_that_are_none(cycles: str) -> None:
    with pytest.raises(UsageError) as caught:
        Recipe(cycles=cycles)
    assert str(caught.value) == (
        f"recipe cycles is {cycles!r}; write N or N:M, 1 to 100 cosines of which each is M times as long as the one "
        "before, M at least 1"
    )


def test_a_key_that_is_given_twice() -> None:
    with pytest.raises(UsageError) as caught:
        Recipe().override("lr=0.1,epochs=4, lr=0.2")
    assert str(caught.value) == "recipe lr is there twice in 'lr=0.1,epochs=4, lr=0.2'; give it once"


def test_numpys_values_are_values_of_a_recipe_and_others_are_named() -> None:
    made = Recipe(batch_size=np.int64(32), lr=np.float64(0.2), flip=np.bool_(False), epochs=np.array(2.0), points=2)
    assert made == Recipe(batch_size=32, lr=0.2, flip=False, epochs=2.0, points=2)
    assert made.digest == Recipe(batch_size=32, lr=0.2, flip=False, epochs=2.0, points=2).digest
    for name, value, kind in (
        ("lr", "0.1", "float"), ("points", 2.0, "int"), ("points", True, "int"), ("cycles", b"2", "str"),
        ("flip", 1, "bool"), ("batch_size", None, "int"),
    ):  # fmt: skip
        with pytest.raises(UsageError) as caught:
            Recipe(**{name: value})  # type: ignore[arg-type]
        assert str(caught.value) == f"recipe {name} is {value!r}; it must be of type {kind}"
