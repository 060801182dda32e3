"""Where a ranking lost its tau: shares add up, and the operation that was given too much is the one named."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from nasbench_ws.cli import group
from nasbench_ws.errors import ResultError
from nasbench_ws.results.result import Result
from nasbench_ws.results.why import why


def test_shares_add_up_to_a_tau_of_one(make: Callable[..., Result], tiny: Any) -> None:
    found = why(make(), tiny.table)
    assert sum(found.shares.values()) == pytest.approx(1)
    assert next(iter(found.shares)).startswith("reached")
    assert found.instances == 2


def test_an_operation_that_is_given_too_much_is_named_first(make: Callable[..., Result], tiny: Any) -> None:
    table = tiny.table
    favoured = np.array([child.operation((0, 2)) == "dil_conv_5x5" for child in table.space])
    scores = np.stack([table.truth + favoured, table.truth + favoured])
    found = why(make(scores={"running": scores}), table)
    first = found.over_rated[0]
    assert (first.edge, first.operation, first.children) == ("0-2", "dil_conv_5x5", 16)
    assert first.places > 0
    assert first.least == first.most == first.places
    assert all(pair.worse[1] == "4" or pair.better[1] != "4" for pair in found.inverted)
    assert all(pair.truth > 0 > pair.score and pair.instances == 2 for pair in found.inverted)


def test_the_true_ranking_lost_nothing_to_bias(make: Callable[..., Result], tiny: Any) -> None:
    found = why(make(scores={"running": np.stack([tiny.table.truth] * 2)}), tiny.table)
    assert found.inverted == ()
    assert {one.places for one in found.over_rated} == {0.0}
    assert found.shares["reached: Kendall tau, mean over instances"] == 1


def test_what_ranks_nothing_is_refused(make: Callable[..., Result], tiny: Any) -> None:
    with pytest.raises(ResultError) as error:
        why(make(scores={"running": np.full((2, 64), np.nan)}), tiny.table)
    assert str(error.value) == (
        "full ranks nothing under batch norm running: every instance diverged; train it otherwise"
    )


def test_the_command_takes_what_ships() -> None:
    done = CliRunner().invoke(group, ["why", "full", "--json"], catch_exceptions=False)
    found = json.loads(done.output)
    assert found["strategy"] == "full"
    assert found["instances"] == 50
    text = CliRunner().invoke(group, ["why", "full"], catch_exceptions=False).output
    assert f"{found['over_rated'][0]['places']:+7.1f}" in text
    assert max(map(len, text.splitlines())) <= 110
