"""Super-nets as a ranker: a sharing strategy's components, each trained and scored by a worker.

    ranker = WeightSharing(Plan("groups:similar:4", recipe))          # by name, which a worker resolves again
    ranker = WeightSharing(Plan("mine", recipe), MyStrategy())        # an object, which must be one that can be pickled

Not here: what one super-net does (part.py), and which there are (plan.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nasbench_ws.cost import NOTHING, Cost
from nasbench_ws.errors import StrategyError
from nasbench_ws.images.dataset import Images
from nasbench_ws.json_files import without_nan
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.rankers.asked import Asked
from nasbench_ws.rankers.base import OnStep, Piece, Ranking, merged
from nasbench_ws.rankers.cost import readout_modes, size_of
from nasbench_ws.rankers.kept import check_part
from nasbench_ws.rankers.part import run_part
from nasbench_ws.rankers.plan import Part, Plan
from nasbench_ws.results.outcome import Changes, Divergence, Readouts, Window
from nasbench_ws.seeds import derive
from nasbench_ws.sharing.elsewhere import check_elsewhere
from nasbench_ws.sharing.keys import UNSTEADY, partners
from nasbench_ws.sharing.schedules import get_schedule, name_of, realise
from nasbench_ws.sharing.strategies import BUILT_IN, Strategy, adopt, of_instance, resolve
from nasbench_ws.space.cell import Space
from nasbench_ws.space.child import child_network, mac_count
from nasbench_ws.space.macro import Macro, macro_for
from nasbench_ws.space.problem import Problem
from nasbench_ws.space.torch_modules import drawing
from nasbench_ws.training.hook_calls import Hooks
from nasbench_ws.training.loop import children_seed
from nasbench_ws.training.scoring import check_mode
from nasbench_ws.training.weights import Weights


@dataclass(frozen=True)
class Net:
    """One super-net as it travels to a worker, which is to find the same sharing there."""

    part: Part
    partners: tuple[str, ...]  # of each of its children, as of `keys.partners`


class WeightSharing(Asked):
    """A `Ranker`. `thing` is the strategy itself, an object, a class or a function; None: as the plan's name says."""

    scheduled = True  # the children of each step are known beforehand

    def __init__(self, asked: Plan, thing: Any = None) -> None:
        super().__init__(asked, thing)
        self.match, self.shares = asked.match, asked.strategy
        self._resolved: dict[tuple[str, Problem, Macro], Strategy] = {}

    def plan(self, problem: Problem, images: Images | None) -> dict[str, Any]:
        strategy = self._strategy(problem, _looked_at(images), 0)
        asked = {key: value for key, value in self.asked.to_dict().items() if key != "recipe"}
        plan: dict[str, Any] = without_nan({**asked, "schedule": name_of(self.asked.schedule or strategy.schedule)})
        return plan

    def sources(self) -> Sequence[Any]:
        schedule = self.asked.schedule or getattr(self.thing, "schedule", None)
        own = [schedule] if isinstance(schedule, str) and ":" in schedule else []  # of a file or a module
        return [self.name if self.thing is None else self.thing, *own]

    def check(self, problem: Problem, images: Images | None, seeds: Sequence[int]) -> None:
        plan, images = self.asked, _looked_at(images)
        for mode in (*plan.batch_norm, *(readout_modes(plan) if plan.fine_tune or plan.last else [])):
            check_mode(mode, images)
        macro = macro_for(plan.recipe, images)
        for strategy, alike in self._by_strategy(problem, images, seeds):
            schedule = get_schedule(plan.schedule or strategy.schedule, macro)
            for part in plan.parts(problem.children, macro, strategy):
                own = [problem.space[i] for i in part.children]
                for seed in alike if self.scheduled else ():
                    realise(schedule, own, part.steps, children_seed("schedule", own, seed))
                weights = Weights(macro, own, strategy.key, 0) if strategy.later else None
                for _, key in strategy.later:
                    assert weights is not None
                    weights = weights.divided(key)

    def tasks(self, problem: Problem, images: Images | None, seeds: Sequence[int]) -> list[Piece]:
        plan, images = self.asked, _looked_at(images)
        macro, children = macro_for(plan.recipe, images), problem.children
        macs = np.array([mac_count(child_network(macro, arch)) for arch in children])
        found = []
        for strategy, alike in self._by_strategy(problem, images, seeds):
            for number, part in enumerate(plan.parts(children, macro, strategy)):
                size = size_of(plan, part, children, strategy, len(images.valid.labels)).total
                own = [children[i] for i in part.children]
                net = Net(part, tuple(partners(macro, own, _keys(strategy))))
                work = size * float(macs[list(part.children)].mean()) * plan.recipe.batch_size
                found += [Piece(seed, number, net, size, work) for seed in alike]
        return sorted(found, key=lambda piece: (piece.seed, piece.number))

    def run(self, piece: Piece, problem: Problem, images: Images | None, on_step: OnStep) -> dict[str, Any]:
        images, net = _looked_at(images), piece.work
        strategy = self._strategy(problem, images, piece.seed)
        self._check_sharing(net, problem, macro_for(self.asked.recipe, images), strategy)
        with drawing(derive("trainer", piece.seed, piece.number)):  # layers of a user's own may: of trainers, of spaces
            return run_part(self.asked, strategy, net.part, piece.seed, problem, images, on_step, self.hooks())

    def check_here(self, problem: Problem, images: Images | None, seed: int) -> None:
        """Of a file's or module's strategy that runs in this process alone: that another one shares alike."""
        images = _looked_at(images)
        strategy = self._strategy(problem, images, seed)
        if self.thing is None and strategy.name.partition(":")[0] not in BUILT_IN:
            check_elsewhere(strategy, problem.space, macro_for(self.asked.recipe, images))

    def hooks(self) -> Hooks | None:
        """What a trainer of the user's own says (by_trainer.py); made anew for each super-net."""
        return None

    def check_kept(self, piece: Piece, problem: Problem, outcome: Mapping[str, Any]) -> None:
        part = piece.work.part
        check_part(outcome, part, [problem.space[i].name for i in part.children], piece.seed, self.asked)

    def gather(self, problem: Problem, outcomes: Sequence[Mapping[str, Any]]) -> Ranking:
        plan, children = self.asked, [outcome["children"] for outcome in outcomes]

        def joined(values: Sequence[Any]) -> Array:
            return merged(f"strategy {self.name!r}", len(problem.space), list(zip(children, values, strict=True)))

        diverged = tuple(
            Divergence(outcome["seed"], tuple(outcome["children"]), outcome["diverged_at"])
            for outcome in outcomes
            if outcome["diverged_at"] is not None
        )
        window = None
        if plan.last and not diverged:
            trained = tuple(tuple(map(tuple, outcome["window_trained"])) for outcome in outcomes)
            own, *others = (
                joined([outcome["window"][mode] for outcome in outcomes])[None] for mode in readout_modes(plan)
            )
            window = Window(own, (trained,), dict(zip(readout_modes(plan)[1:], others, strict=True)))
        read = [outcome["readouts"] for outcome in outcomes]
        average = {
            mode: joined([one["average"][mode] for one in read])[None] for mode in plan.batch_norm if plan.average
        }
        fine_tune = {}
        changes: tuple[tuple[Changes, ...], ...] = ()
        if plan.fine_tune and not diverged:
            fine_tune = {
                mode: {steps: joined([one["fine_tune"][mode][steps] for one in read])[None] for steps in by_steps}
                for mode, by_steps in read[0]["fine_tune"].items()
            }
        if plan.interference and not diverged:
            changes = (tuple(map(_changes, outcomes)),)
        trace: dict[str, Array] = {"progress": np.array(plan.points)[None]} if plan.score_every else {}
        for place, mode in enumerate(plan.batch_norm if plan.score_every else ()):
            name = f"accuracy, {mode}" if place else "accuracy"  # the result's own mode comes first
            trace[name] = joined([outcome["points"][mode] for outcome in outcomes])[None]
        scores = {mode: joined([one["scores"][mode]["accuracy"] for one in outcomes]) for mode in plan.batch_norm}
        if "own_scores" in outcomes[0]:  # of a trainer; they come first, and are the result's
            scores = {"score": joined([one["own_scores"] for one in outcomes]), **scores}
        return Ranking(
            scores=scores,
            cost=sum(map(_cost, outcomes), NOTHING),
            window=window,
            readouts=Readouts(average, fine_tune, changes),
            diverged=diverged,
            trained={name: times for outcome in outcomes for name, times in outcome["trained"].items()},
            trace=trace,
        )

    def _strategy(self, problem: Problem, images: Images, seed: int) -> Strategy:
        """Of the instance of that seed. Made once: a user's file is run, and not once more for every question."""
        macro, name = macro_for(self.asked.recipe, images), of_instance(self.shares, seed)
        if (name, problem, macro) not in self._resolved:
            self._resolved[name, problem, macro] = self.sharing(name, problem.space, macro)
        return self._resolved[name, problem, macro]

    def sharing(self, name: str, space: Space, macro: Macro) -> Strategy:
        """The strategy itself, by its name in an instance."""
        if self.thing is None:
            return resolve(name, space, macro)
        return adopt(self.name, self.thing, space, macro)

    def _by_strategy(
        self, problem: Problem, images: Images, seeds: Sequence[int]
    ) -> list[tuple[Strategy, list[int]]]:
        """The seeds of the instances that share alike: all, but for random groups, which each instance draws."""
        alike: dict[str, list[int]] = {}
        for seed in seeds:
            alike.setdefault(of_instance(self.shares, seed), []).append(seed)
        return [(self._strategy(problem, images, own[0]), own) for own in alike.values()]

    def _check_sharing(self, net: Net, problem: Problem, macro: Macro, strategy: Strategy) -> None:
        """StrategyError where the key shares otherwise here than in the process that divided the children."""
        own = [problem.space[i] for i in net.part.children]
        here = partners(macro, own, _keys(strategy))
        for arch, ours, theirs in zip(own, here, net.partners, strict=True):
            if ours != theirs:
                raise StrategyError(
                    f"strategy {self.name!r} gives child {arch.name} other weights to share in this process than in "
                    f"the one that started the evaluation; {UNSTEADY}"
                )


def _looked_at(images: Images | None) -> Images:
    assert images is not None, "splits asks for them"
    return images


def _keys(strategy: Strategy) -> list[Any]:
    return [strategy.key, *(key for _, key in strategy.later)]


def _cost(outcome: Mapping[str, Any]) -> Cost:
    names = ("steps", "images", "child_updates", "macs", "weight_bytes", "seconds", "parameters")
    cpu_seconds = outcome.get("cpu_seconds")  # pieces of older versions have none
    return Cost(**{name: outcome[name] for name in names}, super_nets=1, cpu_seconds=cpu_seconds)


def _changes(outcome: Mapping[str, Any]) -> Changes:
    read = outcome["readouts"]
    matrices = (np.array(read[name], dtype=np.float64) for name in ("interference", "gradient_cosine"))
    return Changes(tuple(outcome["children"]), *matrices)
