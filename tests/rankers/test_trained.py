"""What every way to train shared weights keeps, and how its readouts are computed."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from relaxed_runs import run_on, trained

import nasbench_ws.rankers
from nasbench_ws.errors import UsageError
from nasbench_ws.evaluation.evaluate import evaluate
from nasbench_ws.rankers.plan import BACKWARD, Plan
from nasbench_ws.rankers.readouts import additive, expected_best, perturbation
from nasbench_ws.rankers.relaxed.darts import Darts, unrolled
from nasbench_ws.rankers.rows import ROWS, made, options
from nasbench_ws.rankers.run import Run
from nasbench_ws.rankers.trained import Trained
from nasbench_ws.report.results import results_page
from nasbench_ws.results.gates import best_additive, remarks
from nasbench_ws.results.result import Result
from nasbench_ws.sharing.keys import full
from nasbench_ws.space.blocks import Slot
from nasbench_ws.space.cell import Space
from nasbench_ws.space.problem import Problem
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.testing import check_ranker
from nasbench_ws.training.mixed import Draw
from nasbench_ws.training.supernet import SuperNet
from nasbench_ws.training.weights import Storage

pytestmark = pytest.mark.usefixtures("quick", "one_thread")
VARIANTS = (
    "darts", "darts:second", "gdas", "snas", "fbnet", "fbnet:macs", "proxyless", "proxyless:two", "proxyless:rl", "dso",
    "autodeeplab", "enas", "enas:micro", "oneshot", "oneshot:0.3:fan=node", "rs-ws", "spos",
    "drnas", "sumnas", "sumnas:1", "gm-nas", "dynas", "kshot", "kshot:3", "panda",
)  # fmt: skip  # every built-in way, and each of its flags


EACH = [pytest.param(name, marks=[pytest.mark.slow] * (":" in name)) for name in VARIANTS]  # CI runs flags too


def test_every_way_is_among_these() -> None:
    assert {name.partition(":")[0] for name in VARIANTS} == set(ROWS)


def test_a_row_is_under_a_hundred_lines() -> None:
    """So that it reads from top to bottom like its paper; what has another idea is a file of its own."""
    folder = Path(nasbench_ws.rankers.__file__).parent
    modules = {row.where.partition(":")[0] for row in ROWS.values()} | {"proxies.wann"}
    for module in modules:
        assert (folder.joinpath(*module.split(".")).with_suffix(".py")).read_text().count("\n") < 100, module


@pytest.fixture(scope="module")
def ended(tiny: Any) -> Any:
    """The run of each variant on the tiny images when its budget is spent, by name; trained once."""
    known: dict[str, tuple[Run, Any]] = {}

    def ended(name: str) -> tuple[Run, Any]:
        if name not in known:
            way = made(name)
            known[name] = trained(run_on(tiny, steps=16, hold=getattr(way, "hold", 0.0)), way), way
        return known[name]

    return ended


@pytest.mark.parametrize("name", EACH)
def test_what_is_spent_is_the_budget_and_at_most_an_iteration_more(ended: Any, name: str) -> None:
    """L17, to the multiply-add: what a run counts is the sum of its iterations' costs."""
    run, _ = ended(name)
    assert run.budget == 16 * 64 * BACKWARD * int(run.child_macs.sum()) // 64
    assert run.meter.macs >= run.budget  # and before the last iteration it was not


def test_darts_spends_two_relaxed_steps_an_iteration(tiny: Any) -> None:
    for name, passes in (("darts", 2), ("darts:second", 5)):
        run, way = run_on(tiny), made(name)
        way.start(run)
        way.iterate(run)
        assert run.meter.macs == passes * 64 * BACKWARD * run.net.macs()
        assert (run.meter.weight_steps, run.meter.gate_steps, run.meter.images) == (1, 1, passes * 64)


@pytest.mark.parametrize("name", EACH)
def test_it_starts_as_full_sharing_and_leaves_global_randomness_alone(tiny: Any, name: str) -> None:
    """L18."""
    state, numbers = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index]
    way = made(name)
    run = run_on(tiny, hold=getattr(way, "hold", 0.0))
    way.start(run)
    other = SuperNet(run.recipe, run.net.macro, list(DEEPER64), full, 0, torch.float64)
    for ours, theirs in zip(run.net.supernet.weights.snapshot(), other.weights.snapshot(), strict=True):
        assert torch.equal(ours, theirs)
    way.iterate(run)
    assert torch.equal(state, torch.get_rng_state())
    assert np.array_equal(numbers, np.random.get_state()[1])  # type: ignore[index]


@pytest.mark.parametrize("name", EACH)
def test_operations_in_another_order_give_the_same_children_the_same(tiny: Any, ended: Any, name: str) -> None:
    """L16: nothing depends on where an operation stands in the space's list."""
    order = [2, 0, 3, 1]
    space = Space("deeper64", 2, tuple(DEEPER64.operations[o] for o in order))
    way, run = made(name), run_on(tiny, steps=12, hold=getattr(made(name), "hold", 0.0))
    plan = run.plan
    other = Run(plan, Problem.of(tiny.recipe, space), tiny.images, 0, getattr(way, "hold", 0.0), torch.float64)
    trained(run, way)
    again = made(name)
    trained(other, again)
    if getattr(way, "probabilities", lambda: None)() is not None:
        assert np.allclose(way.probabilities()[:, order], again.probabilities(), atol=1e-6)

    def shared(run: Run, storage: Storage) -> tuple[Slot, frozenset[str]]:
        """A storage by its place and by who shares it, in words that no order changes."""
        children = (run.problem.children[child] for child in storage.children)
        return storage.slot, frozenset("".join(map(child.operation, run.space.edges)) for child in children)

    where = {shared(other, storage): storage for storage in other.net.supernet.weights.storages}
    for storage in run.net.supernet.weights.storages:
        there = where[shared(run, storage)]
        values = run.net.supernet.weights.values[storage.offset : storage.offset + storage.size]
        theirs = other.net.supernet.weights.values[there.offset : there.offset + there.size]
        assert torch.allclose(values, theirs, atol=1e-6)


@pytest.mark.parametrize("name", EACH)
def test_readouts_give_every_child_a_score_and_change_nothing(ended: Any, name: str) -> None:
    """L18."""
    run, way = ended(name)
    before = run.net.supernet.weights.snapshot()
    spent = run.meter.macs
    ranker = Trained(replace(run.plan, strategy=name))
    scores = ranker.scores(run, way)
    assert all(one.shape == (64,) and np.isfinite(one).all() for one in scores.values())
    others = [one for one in way.readouts if one != "onehot"]
    assert {*others, "recalibrate:64", "running"} <= set(scores)
    assert next(iter(scores)) == (
        way.readouts[0] if way.readouts[0] != "onehot" else (*getattr(way, "modes", ()), "recalibrate:64")[0]
    )
    assert all(torch.equal(a, b) for a, b in zip(before, run.net.supernet.weights.snapshot(), strict=True))
    assert run.meter.macs == spent
    if "logp" in scores:
        assert np.exp(scores["logp"]).sum() == pytest.approx(1, abs=1e-12)  # L11
    for one in others:
        if one.startswith("sampled"):
            assert scores[one].sum() == pytest.approx(1)


# -- DARTS ---------------------------------------------------------------------------------------------


def test_second_order_without_a_step_is_first_order(tiny: Any) -> None:
    """L13: xi = 0."""
    run = run_on(tiny)
    way = made("darts:second")
    way.start(run)
    for _ in range(3):
        way.iterate(run)
    batch, held, draw = run.weight_batch(), run.gate_batch(), way.mixture()
    assert torch.equal(unrolled(run, draw, batch, held, xi=0.0), run.gate_gradient(held, draw))


@pytest.mark.parametrize("curved", [False, True])
def test_second_order_of_a_toy_is_the_exact_hypergradient(curved: bool) -> None:
    """L13: L_W = .5 |w - B a|^2, or log cosh of it, and L_A = .5 |w - t|^2, against autograd's."""
    rng = torch.Generator().manual_seed(0)
    b, target, values, momentum = (
        torch.randn(shape, generator=rng, dtype=torch.float64) for shape in ((5, 12), (5,), (5,), (5,))
    )
    gates, xi, mu, decay = torch.randn((3, 4), generator=rng, dtype=torch.float64), 0.1, 0.9, 0.01

    def loss(held: bool, w: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
        if held:
            return 0.5 * ((w - target) ** 2).sum()
        off = w - b @ a.flatten()
        return torch.log(torch.cosh(off)).sum() if curved else 0.5 * (off**2).sum()

    def weights_gradient(held: bool, _: Any, draw: Draw) -> tuple[torch.Tensor, Any]:
        w, a = values.clone().requires_grad_(), draw.gates.clone().requires_grad_()
        found = torch.autograd.grad(loss(held, w, a), (w, a), allow_unused=True)
        return found[0], SimpleNamespace(gates=torch.zeros_like(a) if found[1] is None else found[1])

    net = SimpleNamespace(
        supernet=SimpleNamespace(weights=SimpleNamespace(values=values, momentum=momentum)),
        weights_gradient=lambda held, rest, draw: weights_gradient(bool(held), rest, draw),
        macs=lambda active: 1,
    )
    run = SimpleNamespace(
        net=net, recipe=SimpleNamespace(momentum=mu, weight_decay=decay), meter=SimpleNamespace(gate_steps=0),
        pay=lambda images, macs: None,
    )  # fmt: skip
    found = unrolled(run, Draw.of(gates), ([], None), ([1], None), xi)  # type: ignore[arg-type]
    a, w = gates.clone().requires_grad_(), values.clone().requires_grad_()
    (own,) = torch.autograd.grad(loss(False, w, a), w, create_graph=True)
    moved = w.detach() - xi * (mu * momentum + own + decay * w.detach())
    (expected,) = torch.autograd.grad(loss(True, moved, a), a)
    assert expected.abs().max() > 1e-2
    assert torch.allclose(found, expected, rtol=1e-3, atol=1e-6 if curved else 1e-9)


def test_second_order_is_the_gradient_of_the_unrolled_loss(tiny: Any) -> None:
    """L13: against central differences of L_A(w'(a), a), and it leaves the weights bit for bit."""
    run = run_on(tiny)
    way = Darts(second=True)
    way.start(run)
    for _ in range(2):
        way.iterate(run)
    batch, held, draw = run.weight_batch(), run.gate_batch(), way.mixture()
    weights, xi = run.net.supernet.weights, 0.02
    before = weights.snapshot()
    found = unrolled(run, draw, batch, held, xi)
    assert all(torch.equal(a, b) for a, b in zip(before, weights.snapshot(), strict=True))

    def loss(gates: torch.Tensor) -> float:
        own, _ = run.net.weights_gradient(*batch, Draw.of(gates))
        start = weights.values.clone()
        decay, momentum = run.recipe.weight_decay, run.recipe.momentum
        weights.values -= xi * (momentum * weights.momentum + own + decay * start)
        try:
            return run.net.weights_gradient(*held, Draw.of(gates))[1].loss
        finally:
            weights.values.copy_(start)

    first = run.gate_gradient(held, draw)
    for e, o in ((0, 1), (1, 3), (2, 0)):
        step = torch.zeros_like(draw.gates)
        step[e, o] = 1e-5
        expected = (loss(draw.gates + step) - loss(draw.gates - step)) / 2e-5
        assert float(found[e, o]) == pytest.approx(expected, rel=0.05, abs=2e-4)
        assert abs(float(found[e, o]) - expected) < 0.5 * abs(float(first[e, o]) - expected) + 2e-4


# -- readouts -------------------------------------------------------------------------------------------


def test_perturbation_is_what_the_mixture_loses(tiny: Any, ended: Any) -> None:
    run, way = ended("darts")
    before = run.net.supernet.weights.snapshot()
    draw = way.mixture()
    found = perturbation(run, draw)
    gates = draw.gates.clone()
    gates[1, 2] = 0
    gates[1] /= gates[1].sum()
    images = run.images.valid
    from nasbench_ws.training.batches import normalised

    pixels = normalised(images.pixels, run.images.mean, run.images.std, torch.float64)
    labels = torch.from_numpy(images.labels)
    active = np.ones((3, 4), dtype=bool)
    active[1, 2] = False
    whole, without = (run.net.score(pixels, labels, one)[1] for one in (draw, Draw.of(gates, active)))
    assert found[1, 2] == pytest.approx(whole - without, abs=1e-12)
    assert all(torch.equal(a, b) for a, b in zip(before, run.net.supernet.weights.snapshot(), strict=True))
    scores = additive(found, run.choices)
    assert scores[DEEPER64.architecture("234").index] == pytest.approx(found[0, 1] + found[1, 2] + found[2, 3])


def test_the_best_of_some_draws_by_enumeration() -> None:
    rng = np.random.default_rng(0)
    accuracies, p = np.array([0.3, 0.1, 0.3, 0.7, np.nan]), rng.dirichlet(np.ones(5))
    found = expected_best(accuracies, np.log(p), 2)
    order = np.where(np.isnan(accuracies), -1, accuracies)
    best_level = {level: sum(p[i] * p[j] for i in range(5) for j in range(5) if max(order[i], order[j]) == level)
                  for level in set(order)}  # fmt: skip
    for level, chance in best_level.items():
        assert found[order == level].sum() == pytest.approx(chance)
    assert found.sum() == pytest.approx(1)
    assert found[0] / found[2] == pytest.approx(p[0] / p[2])


# -- as an evaluation ------------------------------------------------------------------------------------


def test_what_a_plan_asks_for_is_done_and_kept(tiny: Any) -> None:
    """A last learning rate, few images to score on, and a quick look, which is never compared: none is dropped."""
    plan = Plan("darts", tiny.recipe, steps=64, batch_norm=("running",), end_lr=0.5, valid_images=16, quick=True)
    problem, ranker = Problem.of(tiny.recipe, DEEPER64), Trained(plan)
    kept = ranker.plan(problem, tiny.images)
    assert {name: kept[name] for name in ("end_lr", "valid_images", "quick")} == {
        "end_lr": 0.5, "valid_images": 16, "quick": True,
    }  # fmt: skip
    assert ranker.valid_images == 16
    run = Run(plan, problem, tiny.images, 0)
    run.meter.macs = run.budget
    assert run.lr == pytest.approx(0.5 * tiny.recipe.lr)
    plain = Trained(replace(plan, end_lr=None, valid_images=0, quick=False)).plan(problem, tiny.images)
    assert not {"end_lr", "valid_images", "quick"} & set(plain)


def test_darts_is_evaluated_as_full_is(tiny: Any, tmp_path: Any) -> None:
    plan = Plan("full", tiny.recipe, steps=64, batch_norm=("recalibrate:64", "running"))
    result = evaluate("darts", tiny.table, plan=plan, instances=2, folder=tmp_path / "work", load=tiny.load)
    outcome = result.outcome
    assert list(outcome.scores) == ["logp", "recalibrate:64", "running", "perturbation"]
    assert {len(one) for one in outcome.scores.values()} == {2}
    assert outcome.plan["additive"] == ["logp", "perturbation"]
    assert outcome.cost.super_nets == 1
    assert outcome.match == "group-compute"
    trace = outcome.trace
    assert trace["gates"].shape == (2, 11, 3, 4)
    assert np.allclose(trace["gates"].sum(axis=-1), 1)
    assert trace["progress"][0, 0] == 0
    assert (trace["progress"][:, -1] >= 1).all()
    assert trace["logp"].shape == trace["accuracy"].shape == (2, 11, 64)
    assert np.array_equal(trace["logp"][:, -1], outcome.scores["logp"])
    assert np.isnan(result.assessment.standing.children_accuracy)  # type: ignore[union-attr]  # no accuracy
    assert str(result).startswith("darts on tiny: 2 instances, readout logp\n")
    assert "readout perturbation: Kendall tau" in str(result)
    bound = best_additive(tiny.table)
    assert f"logp and perturbation add up over edges: no such score ranks this table better\nthan {bound:.2f}" in str(
        result
    )
    last = float(trace["entropy"][:, -1].mean())
    assert f"entropy of the gates at the end: {last:.3f} of the most" in str(result)
    shown = result._repr_html_()  # in a notebook, and on a result's page
    said = f"logp and perturbation add up over edges: no such score ranks this table better than {bound:.2f}; entropy"
    assert f"<p>Of gates and readouts: {said} of the gates at the end: {last:.3f} of the most" in shown
    assert "Kendall tau, readout perturbation" in shown
    assert "Kendall tau, batch norm running" in shown
    assert said in results_page([result], tiny.table)
    result.save(tmp_path / "darts.json")
    assert Result.load(tmp_path / "darts.json") == result
    again = evaluate("darts", tiny.table, plan=plan, instances=2, folder=tmp_path / "work", load=tiny.load)
    assert np.array_equal(again.scores, result.scores)


def test_what_became_of_the_gates_in_words(make: Any) -> None:
    even, pooled = np.full((1, 3, 4), 0.25), np.eye(4)[[[0, 0, 2]]]
    plan = {**make().outcome.plan, "additive": ["logp"], "operations": list(DEEPER64.operations)}
    for gates, entropy, text in (
        (even, 1.0, "of the most: it has not decided"),
        (pooled, 0.1, "max_pool_3x3 has the largest gate on 67 % of the edges, which chance does too (0.62)"),
        (pooled[[0, 0, 0]], 0.1, "it collapses: max_pool_3x3 has the largest gate on 67 % of the edges"),
    ):
        trace = {"gates": gates[:, None], "entropy": np.array([[0.5, entropy]] * len(gates))}
        found = remarks(make(plan=plan, trace=trace).outcome, 0.878)
        assert found[0] == "logp adds up over edges: no such score ranks this table better than 0.88"
        assert " ".join(found).endswith(text)
    assert remarks(make().outcome, None) == []


def test_a_schedule_is_refused(tiny: Any) -> None:
    with pytest.raises(UsageError) as caught:
        evaluate("darts", tiny.table, plan=Plan("full", tiny.recipe, steps=64, schedule="cycle"), load=tiny.load)
    assert str(caught.value) == ("darts says itself what is trained when, and got schedule cycle: leave it out")


def test_a_readout_of_shared_steps_is_refused(tiny: Any) -> None:
    with pytest.raises(UsageError) as caught:
        evaluate("darts", tiny.table, plan=Plan("full", tiny.recipe, steps=64, last=3), load=tiny.load)
    assert str(caught.value) == ("darts has no readout last; it has logp, onehot, perturbation: leave last out")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("darts:third", "darts:third is not written like darts[:second][:lr=RATE]"),
        ("darts:secnd", "darts:secnd is not written like darts[:second][:lr=RATE] (did you mean second?)"),
        ("darts:lr=x", "darts:lr=x: lr is 'x', not a number; write darts[:second][:lr=RATE]"),
        ("darts:second=1", "darts:second=1 is not written like darts[:second][:lr=RATE] (did you mean second?)"),
        ("snas:lr=0", "snas:lr=0: lr is 0; give a rate above 0, or leave it out for the authors', scaled"),
        ("enas:lr=-1", "enas:lr=-1: lr is -1; give a rate above 0, or leave it out for the authors', scaled"),
        ("gdas:lr=nan", "gdas:lr=nan: lr is nan; give a rate above 0, or leave it out for the authors', scaled"),
        ("dso:gamma=inf", "dso:gamma=inf: gamma is inf; give a penalty above 0, or leave it out"),
        ("sumnas:0", "sumnas:0: inner is 0; give at least 1 step"),
        ("kshot:1", "kshot:1: k is 1; give 2 to 64 sets of weights"),
        ("oneshot:1.5", "oneshot:1.5: rate is 1.5; give 0 to 1"),
        ("oneshot:fan=cell", "oneshot:fan=cell: fan is cell; give edge or node"),
        (
            "proxyless:two:rl",
            "proxyless:two:rl asks for two and rl, which exclude one another; write proxyless[:two | :rl][:lr=RATE]",
        ),
    ],
)
def test_a_name_that_is_not_written_so(name: str, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        made(name)
    assert str(caught.value) == text


def test_a_name_s_options_are_those_of_the_class_behind_it() -> None:
    for name in VARIANTS:
        way, asked = made(name), options(name)
        defaults = {one.name: one.default for one in dataclasses.fields(way) if one.init}
        assert {key: getattr(way, key) for key in defaults} == {**defaults, **asked}
    assert (options("kshot:4"), options("oneshot:0.1:fan=node")) == ({"k": 4}, {"rate": 0.1, "fan": "node"})


@pytest.mark.slow  # a process for each
@pytest.mark.parametrize("name", EACH)
def test_the_suites_own_ways_are_checked_as_yours_would_be(name: str) -> None:
    check_ranker(name)
