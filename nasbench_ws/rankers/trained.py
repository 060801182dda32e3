"""Ways to train shared weights as rankers: `darts` is evaluated as `full` is, at the multiply-adds of as many steps.

    ranker = Trained(Plan("darts", recipe))               # a built-in way by its name
    ranker = Trained(Plan("mine", recipe), Mine)          # your own: a class with start(run) and iterate(run)

A way (a class that is made without arguments, or an object that may be copied) has

    start(run), iterate(run)     at first, and until the budget is spent (run.py says what a run can do)
    readouts                     names, the first its own: "onehot" (the default), "logp", "perturbation", "gates",
                                 "sampled:N", or any other, which read(run, name) gives
    hold                         part of the training images that moves gates alone; 0 where it says nothing
    probabilities()              (edges, operations) of operations; None or absent where there are none
    log_probabilities(run)       (n,) of children, where edges are not drawn apart
    mixture()                    the gates at the end, a Draw, for "perturbation"
    gates(), temperature         (edges, operations) and a number, for the trace; probabilities() without gates()
    put(run, number)             a child's weights into those of the super-net, where they are not there already
    copies                       how many sets of weights it holds; 1 where it says nothing
    modes                        of batch norm that "onehot" is read under first, before those of the plan
    read(run, name)              (n,) scores of any further readout

Not here: how anything is trained (relaxed/), and the arithmetic of readouts (readouts.py).
"""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nasbench_ws.cost import Cost
from nasbench_ws.errors import StrategyError, UsageError
from nasbench_ws.images.dataset import Images
from nasbench_ws.json_files import without_nan
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.rankers.asked import Asked
from nasbench_ws.rankers.base import OnStep, Piece, Ranking, checked_scores
from nasbench_ws.rankers.own_way import check_spent, check_way
from nasbench_ws.rankers.plan import BACKWARD, Plan
from nasbench_ws.rankers.readouts import additive, entropy, expected_best, log_probability, perturbation
from nasbench_ws.rankers.rows import ROWS, made
from nasbench_ws.rankers.run import DivergedError, Run
from nasbench_ws.results.outcome import Divergence
from nasbench_ws.sharing.strategies import PLUGINS
from nasbench_ws.space.child import child_network, mac_count
from nasbench_ws.space.macro import macro_for
from nasbench_ws.space.problem import Problem
from nasbench_ws.training.batch_norm import BatchNorm
from nasbench_ws.training.loop import one_thread
from nasbench_ws.training.mixed import check_mixed
from nasbench_ws.training.scoring import Scorer, check_mode

POINTS = 10  # of the trace, evenly spaced over the budget
TRACED_IMAGES = 500  # of the validation images, with their own statistics: children's accuracies at each point
ADDITIVE = ("logp", "perturbation", "gates")  # readouts that add up over edges


class Trained(Asked):
    """A `Ranker`. `thing` is the way itself, an object or a class; None: as the plan's name says."""

    match = "group-compute"  # as many multiply-adds as full sharing in so many steps

    def __init__(self, asked: Plan, thing: Any = None) -> None:
        super().__init__(asked, thing)
        for what in ("last", "average", "fine_tune", "interference", "score_every"):
            if getattr(asked, what):
                raise UsageError(
                    f"{self.name} has no readout {what}; it has {', '.join(self._readouts())}: leave {what} out"
                )
        if asked.schedule is not None:
            what = f"{self.name} says itself what is trained when, and got schedule {asked.schedule}"
            raise UsageError(f"{what}: leave it out")

    def plan(self, problem: Problem, images: Images | None) -> dict[str, Any]:
        way = self._way()
        names = self._readouts(way)
        own = {"steps", "batch_norm", "last_images", "end_lr", "valid_images", "quick"}
        plan: dict[str, Any] = {key: value for key, value in self.asked.to_dict().items() if key in own}
        added = [name for name in names if name in ADDITIVE and not hasattr(way, "log_probabilities")]
        plan |= {"strategy": self.name, "schedule": "", "last": 0, "readouts": names, "additive": added}
        plan["operations"] = list(problem.space.operations)
        found: dict[str, Any] = without_nan(plan)
        return found

    def sources(self) -> Sequence[Any]:
        return [] if self.thing is None and self.name.partition(":")[0] in ROWS else [self.thing or self.name]

    def check(self, problem: Problem, images: Images | None, seeds: Sequence[int]) -> None:
        assert images is not None
        check_mixed(problem.space, macro_for(self.asked.recipe, images))
        for mode in self.asked.batch_norm:
            check_mode(mode, images)
            if BatchNorm.parse(mode).mode == "private":
                raise UsageError(f"{self.name}: batch norm private takes steps of single children; give another mode")
        way = self._way()
        check_way(self.name, way)
        for mode in getattr(way, "modes", ()):
            BatchNorm.parse(mode)

    def tasks(self, problem: Problem, images: Images | None, seeds: Sequence[int]) -> list[Piece]:
        assert images is not None
        steps = self.asked.steps
        scoring = len(problem.space) * len(images.valid.labels) / self.asked.recipe.batch_size / BACKWARD
        size = steps + len(self.asked.batch_norm) * scoring
        macro = macro_for(self.asked.recipe, images)
        mean = float(np.mean([mac_count(child_network(macro, child)) for child in problem.children]))
        return [Piece(seed, 0, None, size, size * mean * self.asked.recipe.batch_size) for seed in seeds]

    @one_thread()
    def run(self, piece: Piece, problem: Problem, images: Images | None, on_step: OnStep) -> dict[str, Any]:
        assert images is not None
        started, cpu_started = time.perf_counter(), time.process_time()
        way = self._way()
        run = Run(self.asked, problem, images, piece.seed, getattr(way, "hold", 0.0))
        trace = _Trace(run, way)
        diverged, idle = None, 0
        way.start(run)
        try:
            while run.progress < 1:
                trace.take()
                before = run.meter.macs
                way.iterate(run)
                idle = 0 if run.meter.macs > before else idle + 1
                check_spent(self.name, idle)
                on_step(min(run.progress, 1.0) * self.asked.steps)
        except DivergedError:
            diverged = run.meter.weight_steps
        scores = self.scores(run, way)
        if diverged is not None:
            scores = {name: np.full(len(run.choices), np.nan) for name in scores}
        trace.take(last=True)
        on_step(piece.size)
        meter, children = run.meter, problem.children
        weights, copies = run.net.supernet.weights, int(getattr(way, "copies", 1))
        outcome: dict[str, Any] = without_nan({
            "seed": piece.seed, "scores": {name: one.tolist() for name, one in scores.items()},
            "diverged_at": diverged, "trace": trace.found, "steps": meter.weight_steps, "images": meter.images,
            "child_updates": meter.child_updates, "macs": meter.macs, "gate_steps": meter.gate_steps,
            "weight_bytes": copies * weights.bytes, "parameters": copies * weights.values.numel(),
            "seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - cpu_started,
            "device": run.net.supernet.description(),
            "trained": {children[number].name: times for number, times in sorted(meter.trained.items())},
        })  # fmt: skip
        return outcome

    def gather(self, problem: Problem, outcomes: Sequence[Mapping[str, Any]]) -> Ranking:
        (outcome,) = outcomes
        count = len(problem.space)
        names = ("steps", "images", "child_updates", "macs", "weight_bytes", "seconds", "parameters")
        at = outcome["diverged_at"]
        return Ranking(
            scores={name: checked_scores(self.name, one, count) for name, one in outcome["scores"].items()},
            cost=Cost(**{name: outcome[name] for name in names}, super_nets=1, cpu_seconds=outcome["cpu_seconds"]),
            diverged=() if at is None else (Divergence(outcome["seed"], tuple(range(count)), at),),
            trained=outcome["trained"],
            trace={name: np.array(one, dtype=np.float64)[None] for name, one in outcome["trace"].items()},
        )

    def _way(self) -> Any:
        if self.thing is None and self.name.partition(":")[0] in ROWS:
            return made(self.name)
        if self.thing is None:
            return PLUGINS.make(self.name, *PLUGINS.found(self.name))
        return self.thing() if isinstance(self.thing, type) else copy.deepcopy(self.thing)

    def _readouts(self, way: Any = None) -> list[str]:
        return list(getattr(way or self._way(), "readouts", ("onehot",)))

    def scores(self, run: Run, way: Any) -> dict[str, Array]:
        """By the names that a result has: modes of batch norm for "onehot", and the other readouts' own."""
        found: dict[str, Array] = {}
        modes = getattr(way, "modes", ()) or self.asked.batch_norm
        accuracies: dict[str, Array] = {}
        for name in self._readouts(way):
            if name == "onehot":
                for mode in dict.fromkeys((*modes, *self.asked.batch_norm)):
                    scorer = Scorer(run.images, "valid", BatchNorm.parse(mode), run.net.weights.dtype)
                    accuracies[mode] = accuracies_of(scorer, run, way)
                found |= accuracies
            else:
                found[name] = np.empty(0)  # in its place; what it is may depend on the accuracies
        own = next(iter(accuracies.values()), np.empty(0))
        for name in (name for name, one in found.items() if not len(one)):
            found[name] = np.asarray(read(run, way, name, own), dtype=np.float64)
        return found


def accuracies_of(scorer: Scorer, run: Run, way: Any) -> Array:
    """(n,) of the children, all at once; one after another where each has weights of its own. Nothing changes."""
    net = run.net.supernet
    if not hasattr(way, "put"):
        return scorer.score(net).accuracy
    kept, found = net.weights.snapshot(), np.empty(len(run.choices))
    for number in range(len(found)):
        way.put(run, number)
        found[number] = scorer.score(net, [number]).accuracy[0]
    net.weights.restore(kept)
    return found


def chances(run: Run, way: Any) -> Array | None:
    """(n,) log-probabilities of children; None where a way has none."""
    if hasattr(way, "log_probabilities"):
        whole: Array = way.log_probabilities(run)
        return whole
    own = way.probabilities() if hasattr(way, "probabilities") else None
    if own is not None and np.shape(own) != run.net.shape:
        raise StrategyError(
            f"{type(way).__name__} gave probabilities of shape {np.shape(own)}; of this space's (edges, operations) "
            f"they have {run.net.shape}"
        )
    return None if own is None else log_probability(own, run.choices)


def read(run: Run, way: Any, name: str, accuracies: Array) -> Array:
    """(n,) scores of a readout but "onehot", whose `accuracies` are those under the first mode of batch norm."""
    head, _, count = name.partition(":")
    log_probabilities = chances(run, way)
    if name == "logp" and log_probabilities is not None:
        return log_probabilities
    if head == "sampled" and len(accuracies):
        even = np.zeros(len(run.choices)) if log_probabilities is None else log_probabilities
        return expected_best(accuracies, even, int(count))
    if name == "perturbation":
        return additive(perturbation(run, way.mixture()), run.choices)
    scores: Array = way.read(run, name)
    return scores


class _Trace:
    """How far it was at some points: gates, entropy, and accuracies of children on the first validation images."""

    def __init__(self, run: Run, way: Any) -> None:
        self.run, self.way = run, way
        self.found: dict[str, list[Any]] = {}
        count = min(TRACED_IMAGES, len(run.images.valid.labels))
        self._scorer = Scorer(run.images.first_valid(count), "valid", BatchNorm("batch", count), run.net.weights.dtype)

    def take(self, last: bool = False) -> None:
        """At the first moment at or after each point; as many points, whatever an iteration costs."""
        there = len(self.found.get("progress", ()))
        points = POINTS + 1 if last else min(POINTS, int(self.run.progress * POINTS + 1e-9) + 1)
        if there < points:
            for name, value in self._now().items():
                self.found.setdefault(name, []).extend([value] * (points - there))

    def _now(self) -> dict[str, Any]:
        run, way = self.run, self.way
        now: dict[str, Any] = {"progress": run.progress}
        own = way.gates() if hasattr(way, "gates") else way.probabilities() if hasattr(way, "probabilities") else None
        log_probabilities = chances(run, way)
        if own is not None:
            now["gates"] = np.asarray(own).tolist()
        if log_probabilities is not None:
            now["logp"] = log_probabilities.tolist()
            now["entropy"] = entropy(log_probabilities)
        if hasattr(way, "temperature"):
            now["temperature"] = way.temperature
        now["accuracy"] = accuracies_of(self._scorer, run, way).tolist()
        return now
