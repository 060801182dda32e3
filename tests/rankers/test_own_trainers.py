"""Trainers of a user's own: each example trains and is measured as a strategy is, and what is amiss is named."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import own_trainers
import pytest
import torch
from own_trainers import Adam, Bandit, Confident, Distilled, Generated, HyperNetwork, Sandwich, Smoothed, Surgery
from torch.nn import functional as F

from nasbench_ws.errors import StrategyError, UsageError
from nasbench_ws.evaluation.evaluate import evaluate
from nasbench_ws.rankers.plan import BACKWARD, Plan
from nasbench_ws.results.result import Result
from nasbench_ws.sharing.keys import full
from nasbench_ws.space.macro import macro_for
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.testing import check_trainer
from nasbench_ws.training.hook_calls import Hooks
from nasbench_ws.training.loop import make_batches
from nasbench_ws.training.supernet import SuperNet
from nasbench_ws.training.trainer import TrainerNet

pytestmark = pytest.mark.usefixtures("quick", "one_thread")
EXAMPLES = (Smoothed, Distilled, Surgery, Bandit, Sandwich, Adam, Generated, Confident)
MODE = "recalibrate:64"


@pytest.fixture
def run(tiny: Any) -> Callable[..., Result]:
    def run(trainer: Any, **options: Any) -> Result:
        plan = {"steps": 64, "batch_norm": (MODE,)} | options
        return evaluate(trainer, tiny.table, load=tiny.load, instances=1, plan=Plan("full", tiny.recipe, **plan))

    return run


def net_of(tiny: Any, trainer: Any, dtype: torch.dtype = torch.float64, **changes: Any) -> TrainerNet:
    macro, hooks = macro_for(tiny.recipe, tiny.images), Hooks(type(trainer).__name__, trainer)
    return TrainerNet(
        tiny.recipe, macro, list(DEEPER64), full, 0, hooks=hooks, images=tiny.images, steps=4, dtype=dtype, **changes
    )


def after_steps(net: SuperNet, tiny: Any, steps: list[list[int]]) -> torch.Tensor:
    batches = make_batches(tiny.recipe, tiny.images, net, 0)
    for numbers in steps:
        net.step(numbers, *next(batches), lr=0.05)
    return net.weights.values


# -- the examples ------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one.__name__)
def test_each_example_is_evaluated_as_a_strategy_is_and_as_reproducibly(run: Any, example: Any) -> None:
    first = run(example)
    again = run(example()) if example in (Surgery, Bandit, Generated) else first  # these draw
    for mode, scores in first.outcome.scores.items():
        assert np.isfinite(scores).all()
        assert np.array_equal(scores, again.outcome.scores[mode])
    assert list(first.outcome.scores) == (["score", MODE] if example is Confident else [MODE])
    assert first.outcome.strategy == example.__name__
    assert first.outcome.match == "child-updates"
    assert first.verdict
    assert first.outcome.cost.child_updates == sum(first.outcome.trained[0].values()) == 64
    assert first.outcome.plan["trainer"] == [h for h in first.outcome.plan["trainer"] if hasattr(example, h)] != []


def test_a_result_of_a_score_of_ones_own_is_kept_and_read_again(run: Any, tmp_path: Path) -> None:
    result = run(Confident)
    result.save(tmp_path / "mine.json")
    again = Result.load(tmp_path / "mine.json")
    assert np.array_equal(again.scores, result.scores)
    assert again.outcome.plan == result.outcome.plan
    assert "readout score" in str(again)


def test_each_example_is_short() -> None:
    for name, one in vars(own_trainers).items():
        if inspect.isclass(one) and one.__module__ == "own_trainers":
            assert len(inspect.getsource(one).splitlines()) < 25 + (one is HyperNetwork), name


def test_what_is_not_overridden_is_full_sharing_to_the_last_bit(run: Any) -> None:
    assert np.array_equal(run(Confident).outcome.scores[MODE], run("full").outcome.scores[MODE])


def test_a_loss_of_ones_own_is_the_loss(tiny: Any) -> None:
    """Cross-entropy through autograd moves the weights as the kernels do, statistics included."""

    class Same:
        def loss(self, net: Any, child: int, logits: Any, labels: Any, context: Any) -> Any:
            return F.cross_entropy(logits, labels)

    steps = [[3], [17, 60], [5]]
    own = net_of(tiny, Same())
    plain = SuperNet(tiny.recipe, macro_for(tiny.recipe, tiny.images), list(DEEPER64), full, 0, torch.float64)
    assert torch.allclose(after_steps(own, tiny, steps), after_steps(plain, tiny, steps), atol=1e-12)
    assert torch.allclose(own.weights.running_mean, plain.weights.running_mean, atol=1e-12)
    assert own.history.children == [(3,), (17, 60), (5,)]
    assert [len(losses) for losses in own.history.losses] == [1, 2, 1]


def test_a_sum_of_gradients_and_torchs_sgd_are_the_recipes(tiny: Any) -> None:
    class Same:
        def combine(self, gradients: Any) -> Any:
            return gradients.sum(dim=0)

        def optimiser(self, parameters: Any) -> Any:
            recipe = tiny.recipe
            return torch.optim.SGD(
                parameters, lr=recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay
            )

    steps = [[3], [17, 60], [5]]
    plain = SuperNet(tiny.recipe, macro_for(tiny.recipe, tiny.images), list(DEEPER64), full, 0, torch.float64)
    assert torch.allclose(after_steps(net_of(tiny, Same()), tiny, steps), after_steps(plain, tiny, steps), atol=1e-12)


def test_label_smoothing_moves_the_weights_elsewhere(tiny: Any) -> None:
    plain = SuperNet(tiny.recipe, macro_for(tiny.recipe, tiny.images), list(DEEPER64), full, 0, torch.float64)
    values = after_steps(plain, tiny, [[3]])
    assert not torch.allclose(after_steps(net_of(tiny, Smoothed()), tiny, [[3]]), values, atol=1e-5)


def test_surgery_leaves_no_conflict_between_two(tiny: Any) -> None:
    one = Surgery()
    one.start(net_of(tiny, one))
    found = one.combine(torch.tensor([[1.0, 0.0], [-1.0, 1.0]]))
    assert torch.allclose(found, torch.tensor([0.5, 0.5]) + torch.tensor([0.0, 1.0]))


def test_a_generated_weight_is_what_the_hypernetwork_says(tiny: Any) -> None:
    net = net_of(tiny, Generated(), torch.float32)
    after_steps(net, tiny, [[3], [5]])
    optimiser: Any = net.moved_by
    for weights, one in zip(optimiser.generate(), optimiser.made, strict=True):
        assert torch.equal(weights, one)
        assert one.data_ptr() in range(
            net.weights.values.data_ptr(), net.weights.values.data_ptr() + 4 * len(net.weights.values)
        )


def test_looks_at_children_are_paid_for(run: Any, tiny: Any) -> None:
    class Looks:
        def next_children(self, history: Any) -> int:
            assert history.scores([0]).shape == (1,)
            return history.step % 64

    net = net_of(tiny, Looks())
    own, plain = run(Looks).outcome.cost.macs, run("full").outcome.cost.macs
    assert own - plain == 64 * 64 * net.macs[0]  # steps, validation images
    distilled = run(Distilled).outcome.cost.macs
    assert distilled - plain == 63 * 64 * net.macs[net.largest]  # its own step has no teacher
    assert plain == 64 * BACKWARD * int(net.macs.sum())


def test_the_sandwich_has_the_largest_and_the_smallest_at_every_step(run: Any, tiny: Any) -> None:
    trained = run(Sandwich, last=2).outcome.trained[0]
    net = net_of(tiny, Sandwich())
    for number in (net.largest, net.smallest):
        assert trained[net.children[number].name] >= 16  # 64 updates are 16 steps of four
    assert sum(trained.values()) == 64


def test_a_trainer_says_who_shares_and_when(run: Any, tmp_path: Path) -> None:
    class Grouped(Confident):
        sharing = "groups:similar:4"

    class Own(Confident):
        def key(self, arch: Any, slot: Any, macro: Any) -> Any:
            return arch if slot.cell > macro.cells else None

    grouped, four = run(Grouped).outcome, run("groups:similar:4").outcome
    assert np.array_equal(grouped.scores[MODE], four.scores[MODE])
    assert grouped.cost.super_nets == 4
    assert grouped.plan["sharing"] == "groups:similar:4"
    assert run(Own).outcome.cost.weight_bytes > run("full").outcome.cost.weight_bytes


@pytest.mark.slow  # workers start
def test_by_name_with_arguments_and_in_workers(tiny: Any, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from torch.nn import functional as F\n"
        "class Smoothed:\n"
        "    def __init__(self, by):\n"
        "        self.by = by\n"
        "    def loss(self, net, child, logits, labels, context):\n"
        "        return F.cross_entropy(logits, labels, label_smoothing=self.by)\n"
    )
    plan = Plan("full", tiny.recipe, steps=64, batch_norm=(MODE,))
    result = evaluate(f"{path}:Smoothed:0.1", tiny.table, load=tiny.load, instances=1, plan=plan)
    assert result.outcome.strategy == f"{path}:Smoothed:0.1"
    assert np.array_equal(result.scores, evaluate(Smoothed, tiny.table, load=tiny.load, instances=1, plan=plan).scores)
    check_trainer(f"{path}:Smoothed:0.3")


def test_what_is_no_trainer_is_not_checked_as_one() -> None:
    with pytest.raises(StrategyError) as caught:
        check_trainer(Path)
    assert str(caught.value) == (
        "<class 'pathlib.Path'> has no method of a trainer; give it any of loss, combine, optimiser, next_children, "
        "score"
    )


def test_an_evaluation_of_a_trainer_goes_on_where_it_stopped(tiny: Any, tmp_path: Path) -> None:
    plan = Plan("full", tiny.recipe, steps=64, batch_norm=(MODE,))
    given = {"load": tiny.load, "instances": 1, "plan": plan, "folder": tmp_path}
    first = evaluate(Confident, tiny.table, **given)
    assert len(list(tmp_path.rglob("0-0.json"))) == 1
    assert np.array_equal(evaluate(Confident, tiny.table, **given).scores, first.scores)


# -- what is refused ---------------------------------------------------------------------------------


def bad(**methods: Any) -> Any:
    """A class of such methods or attributes, whatever they are given."""
    made = {name: (lambda *given, value=value: value) if name[0] != "_" else value for name, value in methods.items()}
    return type("Bad", (), made)


REFUSED = {
    "no scalar": (
        bad(loss=torch.ones(3)),
        "trainer 'Bad': loss(net, child, logits, labels, context) gave shape (3,) for child 111; it must be one "
        "number, a tensor of shape (): its mean",
    ),
    "a float": (
        bad(loss=1.5),
        "trainer 'Bad': loss(net, child, logits, labels, context) gave 1.5 for child 111; it must be one number, a "
        "tensor of shape (): its mean",
    ),
    "constant": (
        bad(loss=torch.tensor(1.5)),
        "trainer 'Bad': loss(net, child, logits, labels, context) gave a number for child 111 that does not depend on "
        "the logits; compute it of them",
    ),
    "shape": (
        bad(combine=torch.ones(3)),
        "trainer 'Bad': combine(gradients) gave shape (3,) for (1, {size}); it must be one gradient, a tensor of "
        "({size},)",
    ),
    "no step": (
        bad(optimiser=3),
        "trainer 'Bad': optimiser(parameters) gave an object of type int without step(); give one such as those of "
        "torch.optim",
    ),
    "nobody": (
        bad(next_children=[]),
        "trainer 'Bad': next_children(history) gave no children at step 1; it must give 1, numbers from 0 to 63",
    ),
    "too many": (
        bad(next_children=[1, 2]),
        "trainer 'Bad': next_children(history) gave 2 children at step 1, and the trainer's width is 1; give 1 at "
        "every step, or set width = 2",
    ),
    "unknown child": (
        bad(next_children=[64]),
        "trainer 'Bad': next_children(history) gave child 64 at step 1; children are numbered 0 to 63",
    ),
    "no numbers": (
        bad(next_children="best"),
        "trainer 'Bad': next_children(history) gave 'best'; it must give numbers of children, 0 to 63",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_trainer_gives_amiss_is_named(tiny: Any, case: str) -> None:
    thing, said = REFUSED[case]
    with pytest.raises(StrategyError) as caught:
        one_step(tiny, thing())
    size = net_of(tiny, Sandwich()).weights.values.numel()
    assert str(caught.value) == said.replace("{size}", str(size))


def one_step(tiny: Any, trainer: Any) -> None:
    net = net_of(tiny, trainer)
    after_steps(net, tiny, [list(next(iter(net.asked())))] if hasattr(trainer, "next_children") else [[0]])


def test_a_loss_of_nan_is_the_losss_fault_where_logits_are_finite(run: Any) -> None:
    class Bad:
        schedule = "cycle"

        def loss(self, net: Any, child: int, logits: Any, labels: Any, context: Any) -> Any:
            return (logits - logits).mean().log() * 0

    with pytest.raises(StrategyError) as caught:
        run(Bad)
    assert str(caught.value) == (
        "trainer 'Bad': loss(net, child, logits, labels, context) gave nan for child 111 at step 1, of logits that are "
        "finite; look for a logarithm or a division of 0 in it"
    )


def test_what_a_trainer_raises_is_its_cause(run: Any) -> None:
    class Bad:
        def combine(self, gradients: Any) -> Any:
            return {}["none"]

    with pytest.raises(StrategyError) as caught:
        run(Bad)
    assert str(caught.value) == "trainer 'Bad': combine(gradients) raised KeyError: 'none'"
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_score_that_is_no_number_is_named(run: Any) -> None:
    class Bad:
        def score(self, net: Any, child: int, images: Any) -> Any:
            return "good"

    with pytest.raises(StrategyError) as caught:
        run(Bad)
    assert str(caught.value) == (
        "trainer 'Bad': score(net, child, images) gave 'good' for child 111; it must be a number, higher is better"
    )


METHODS = (
    "a trainer has loss, combine, optimiser, next_children, score and start, and methods of your own begin with an "
    "underscore"
)


def test_a_mistyped_method_is_named_beside_others_and_alone(run: Any) -> None:
    class Beside(Confident):
        def optimizer(self, parameters: Any) -> None: ...

    class Alone:
        def next_child(self, history: Any) -> None: ...

    class Further(Confident):
        def prepare(self) -> None: ...

    for thing, said in (
        (Beside, "trainer 'Beside' has a method 'optimizer', which nothing calls (did you mean optimiser?); "),
        (Alone, "trainer 'Alone' has a method 'next_child', which nothing calls (did you mean next_children?); "),
        (Further, "trainer 'Further' has a method 'prepare', which nothing calls; "),
    ):
        with pytest.raises(StrategyError) as caught:
            run(thing)
        assert str(caught.value) == f"{said}{METHODS}"


def test_readouts_and_schedules_that_would_be_ignored_are_refused(run: Any) -> None:
    class Twice(Sandwich):
        schedule = "cycle"

    class Wide(Sandwich):
        width = 0

    class Split(Adam):
        sharing = "split:0->1"

    for thing, options, kind, said in (
        (Smoothed, {"fine_tune": (1,)}, UsageError,
         "the readout fine_tune trains by the recipe, and not by the loss of trainer 'Smoothed'; leave fine_tune out"),
        (Sandwich, {"schedule": "cycle"}, UsageError,
         "trainer 'Sandwich' has next_children, which chooses the children of a step; leave schedule out"),
        (Twice, {}, UsageError,
         "trainer 'Twice' has next_children, which chooses the children of a step; leave schedule out"),
        (Wide, {}, StrategyError,
         "trainer 'Wide' has width 0; it is the number of children of a step, a whole number from 1 to 65,536"),
        (Split, {}, StrategyError,
         "trainer 'Split' has an optimiser, and shares less with time, which gives it other parameters; leave out one "
         "of them"),
    ):  # fmt: skip
        with pytest.raises(kind) as caught:
            run(thing, **options)
        assert str(caught.value) == said


def test_a_diverged_trainer_is_a_diverged_instance(run: Any) -> None:
    class Wild:
        def optimiser(self, parameters: Any) -> Any:
            return torch.optim.SGD(parameters, lr=1e39)  # infinite in float32

        def next_children(self, history: Any) -> int:
            return history.step % 64

        def score(self, net: Any, child: int, images: Any) -> float:
            return 1.0

    result = run(Wild)
    assert result.outcome.diverged[0].step <= 4
    assert np.isnan(result.outcome.scores["score"]).all()


def test_rankers_and_strategies_are_what_they_were(run: Any) -> None:
    class Ranks:
        def score(self, problem: Any, images: Any, seed: int) -> list[int]:
            return list(range(64))

        def helper(self) -> None: ...

        def loss(self, logits: Any) -> None: ...

    assert run(Ranks).outcome.match == ""
    assert pickle.loads(pickle.dumps(Smoothed)) is Smoothed
