"""A user's own way to train shared weights: what it cannot give is said before it trains."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nasbench_ws.errors import StrategyError, UsageError
from nasbench_ws.rankers.plan import Plan
from nasbench_ws.rankers.run import Run
from nasbench_ws.rankers.trained import Trained
from nasbench_ws.space.cell import Space
from nasbench_ws.space.problem import Problem
from nasbench_ws.space.registry import DEEPER64

pytestmark = pytest.mark.usefixtures("one_thread")


class Mine:
    """Children drawn evenly."""

    def start(self, run: Run) -> None: ...

    def iterate(self, run: Run) -> None:
        run.child_step(run.weight_batch(), run.draw_child(purpose="paths"))


def own(tiny: Any, steps: int = 2, **attributes: Any) -> tuple[Trained, Problem]:
    plan = Plan("Mine", tiny.recipe, steps=steps, batch_norm=("batch:64",))
    return Trained(plan, type("Mine", (Mine,), attributes)), Problem.of(tiny.recipe, DEEPER64)


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ({"readouts": "onehot"}, "Mine has readouts 'onehot'; give names, such as ('onehot', 'logp')"),
        ({"readouts": ()}, "Mine has readouts (); give names, such as ('onehot', 'logp')"),
        (
            {"readouts": ("onehot", "logp")},
            "Mine has the readout logp, and no method probabilities or log_probabilities or read to give it; write "
            "one, or leave the readout out",
        ),
        (
            {"readouts": ["perturbation"]},
            "Mine has the readout perturbation, and no method mixture to give it; write one, or leave the readout out",
        ),
        (
            {"readouts": ("own",)},
            "Mine has the readout own, and no method read to give it; write one, or leave the readout out",
        ),
        (
            {"readouts": ("sampled:3",)},
            "Mine has the readout sampled:3, and no method read to give it; write one, or leave the readout out",
        ),
        (
            {"readouts": ("onehot", "sampled:0")},
            "Mine has the readout sampled:0; write sampled:N, with N children drawn",
        ),
        (
            {"hold": 1.0},
            "Mine has hold 1.0; it is the part of the training images that moves gates alone: give 0 or more, and less "
            "than 1",
        ),
    ],
    ids=["text", "nothing", "logp", "perturbation", "own", "sampled", "of none", "hold"],
)
def test_what_it_cannot_give_is_said_before_training(tiny: Any, attributes: dict[str, Any], text: str) -> None:
    ranker, problem = own(tiny, **attributes)
    with pytest.raises(StrategyError) as caught:
        ranker.check(problem, tiny.images, [0])
    assert str(caught.value) == text


def test_a_space_without_places_for_gates_is_refused_before_training(tiny: Any) -> None:
    ranker, _ = own(tiny)
    with pytest.raises(UsageError) as caught:
        ranker.check(Problem.of(tiny.recipe, Space("skipping", 1, ("skip_connect", "conv_1x1"))), tiny.images, [0])
    assert str(caught.value).startswith("skip_connect has no batch norm whose scale could be a gate; the spaces of")


def test_what_it_can_give_passes(tiny: Any) -> None:
    readouts = ("onehot", "sampled:3", "logp", "mine")
    even = np.full((3, 4), 0.25)
    ranker, problem = own(
        tiny, readouts=readouts, probabilities=lambda way: even, read=lambda way, run, name: np.arange(64.0), hold=0.5
    )
    ranker.check(problem, tiny.images, [0])
    (piece,) = ranker.tasks(problem, tiny.images, [0])
    scores = ranker.gather(problem, [ranker.run(piece, problem, tiny.images, lambda done: None)]).scores
    assert list(scores) == ["batch:64", *readouts[1:]]


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        (
            {"iterate": lambda way, run: None},
            "Mine: 1,000 iterations in a row spent nothing of the budget, and training would never end; take steps by "
            "the run's methods, such as run.weight_step, or pay for your own by run.pay(images, macs)",
        ),
        (
            {"probabilities": lambda way: np.full((3, 5), 0.2)},
            "Mine gave probabilities of shape (3, 5); of this space's (edges, operations) they have (3, 4)",
        ),
    ],
    ids=["idle", "probabilities"],
)
def test_what_only_a_run_shows(tiny: Any, attributes: dict[str, Any], text: str) -> None:
    ranker, problem = own(tiny, **attributes)
    (piece,) = ranker.tasks(problem, tiny.images, [0])
    with pytest.raises(StrategyError) as caught:
        ranker.run(piece, problem, tiny.images, lambda done: None)
    assert str(caught.value) == text
