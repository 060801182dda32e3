"""Where a ranking lost its tau: shares add up, and the operation that was given too much is the one named."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from nasbench_ws.cli import group
from nasbench_ws.errors import ResultError, UsageError
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


def test_a_result_is_explained_by_the_scores_that_are_asked_for(make: Callable[..., Result], tiny: Any) -> None:
    truth, table = np.stack([tiny.table.truth] * 2), tiny.table
    both = make(scores={"running": -truth, "recalibrate:1024": truth})
    reached = "reached: Kendall tau, mean over instances"
    assert why(both, table).shares[reached] == -1
    found = why(both, table, "recalibrate")  # which may leave out its number of images
    assert found.shares[reached] == 1
    assert found.causes["batch norm"] == "tau 1.000 with recalibrate:1024; running -1.000"
    assert found == why(make(scores={"recalibrate:1024": truth, "running": -truth}), table)
    assert why(both, table, "running") == why(both, table)
    with pytest.raises(UsageError) as error:
        why(both, table, "private")
    assert str(error.value) == "full has no scores under batch norm 'private'; it has running, recalibrate:1024"


def test_what_diverged_under_its_own_mode_names_another(make: Callable[..., Result], tiny: Any) -> None:
    truth = np.stack([tiny.table.truth] * 2)
    result = make(scores={"running": np.full((2, 64), np.nan), "recalibrate:1024": truth})
    with pytest.raises(ResultError) as error:
        why(result, tiny.table)
    assert str(error.value) == (
        "full ranks nothing under batch norm running: every instance diverged; it ranks under recalibrate:1024: take "
        "--batch-norm recalibrate:1024"
    )
    assert sum(why(result, tiny.table, "recalibrate:1024").shares.values()) == pytest.approx(1)


def test_the_command_takes_a_mode() -> None:
    asked = ["why", "full", "--batch-norm", "recalibrate", "--json"]
    found = json.loads(CliRunner().invoke(group, asked, catch_exceptions=False).output)
    own = json.loads(CliRunner().invoke(group, ["why", "full", "--json"], catch_exceptions=False).output)
    assert next(iter(found["shares"].values())) == pytest.approx(0.488, abs=5e-4)
    assert found["causes"]["batch norm"] == "tau 0.488 with recalibrate:1024; running 0.370"
    assert own["causes"]["batch norm"] == "tau 0.370 with running; recalibrate:1024 0.488"


def test_the_command_takes_what_ships() -> None:
    done = CliRunner().invoke(group, ["why", "full", "--json"], catch_exceptions=False)
    found = json.loads(done.output)
    assert found["strategy"] == "full"
    assert found["instances"] == 50
    text = CliRunner().invoke(group, ["why", "full"], catch_exceptions=False).output
    assert f"{found['over_rated'][0]['places']:+7.1f}" in text
    assert max(map(len, text.splitlines())) <= 110


def test_it_says_which_scores_it_explains() -> None:
    for ask, first, named in (
        (["full-39200"], "full, 39,200 steps, batch norm recalibrate:1024: where", ("recalibrate:1024", 39_200)),
        (["window-39200", "--batch-norm", "recalibrate"],
         "full end-lr 0.04, 39,200 steps, batch norm recalibrate:1024: where", ("recalibrate:1024", 39_200)),
        (["darts", "--batch-norm", "logp"], "darts, 6,400 steps, readout logp: where", ("logp", 6400)),
        (["zen"], "zen: where", ("", 0)),
    ):  # fmt: skip
        text = CliRunner().invoke(group, ["why", *ask], catch_exceptions=False).output
        assert text.startswith(f"{first} a Kendall tau of 1 went")
        assert ("by its own measure" in text) == (named[0] in ("logp", "")), ask  # which are no accuracies
        found = json.loads(CliRunner().invoke(group, ["why", *ask, "--json"], catch_exceptions=False).output)
        assert (found["batch_norm"], found["steps"], found["table"]) == (*named, "fashion14")


def test_what_has_no_ways_of_batch_norm_says_so() -> None:
    found = CliRunner().invoke(group, ["why", "zen", "--batch-norm", "running"])
    assert str(found.exception) == "zen has no ways of batch norm; leave --batch-norm out"
