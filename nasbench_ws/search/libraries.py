"""Other people's optimisers as searchers: each a few lines, and a library that is imported when it is named.

    search("optuna:TPESampler", table, repetitions=50)          # extra [optuna]
    search("nevergrad:NGOpt", table, repetitions=20)            # extra [nevergrad]
    search("smac:HyperparameterOptimizationFacade", table, repetitions=5)           # extra [smac]
    search("pymoo:NSGA2", table, repetitions=50)                # extra [pymoo]: for accuracy and multiply-adds

These think for seconds where the built-in ones take milliseconds: run fewer repetitions, the interval says so. A run
that diverged is reported as the worst that was seen.
"""

from __future__ import annotations

import importlib
import logging
import math
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator

from nasbench_ws.errors import SearcherError, extra, near_misses
from nasbench_ws.search.oracle import Seen
from nasbench_ws.search.searcher import Ask, Setting
from nasbench_ws.space.exchange import config_space, parameter_names

MISSING = "the searcher {0} needs {0}"
PYMOO = {"NSGA2": "nsga2", "SMSEMOA": "sms"}  # algorithm: its module. SPEA2 draws from a generator of its own


class Worst:
    """A signal, or where it is NaN the worst so far: these libraries take no NaN."""

    def __init__(self) -> None:
        self._least = math.inf

    def __call__(self, signal: float) -> float:
        if math.isnan(signal):
            return 0.0 if math.isinf(self._least) else self._least
        self._least = min(self._least, signal)
        return signal


class Optuna:
    """Any of Optuna's samplers that takes a seed: TPESampler, RandomSampler, NSGAIISampler, CmaEsSampler, ...

    Args:
        sampler: its name in `optuna.samplers`.
    """

    def __init__(self, setting: Setting, rng: Generator, sampler: str = "TPESampler") -> None:
        with extra("optuna", MISSING.format("optuna")):
            import optuna
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        kind = _member(optuna.samplers, sampler, "Sampler", "optuna")
        self._space, self._worst = setting.space, Worst()
        self._study = optuna.create_study(direction="maximize", sampler=kind(seed=int(rng.integers(2**31))))
        choices = optuna.distributions.CategoricalDistribution(setting.space.operations)
        self._choices: dict[str, Any] = dict.fromkeys(parameter_names(setting.space), choices)
        self._trial: Any = None

    def ask(self) -> Ask:
        self._trial = self._study.ask(self._choices)
        return Ask(self._space.from_dict(self._trial.params).index)

    def tell(self, trial: int, ask: Ask, seen: Seen) -> None:
        self._study.tell(self._trial, self._worst(seen.signal))


class Nevergrad:
    """Any of Nevergrad's optimisers by its name in the registry: NGOpt, DiscreteOnePlusOne, DE, ..."""

    def __init__(self, setting: Setting, rng: Generator, optimizer: str = "NGOpt") -> None:
        with extra("nevergrad", MISSING.format("nevergrad")):
            import nevergrad
        registry = nevergrad.optimizers.registry
        if optimizer not in registry:
            raise SearcherError(
                f"nevergrad has no optimizer {optimizer!r}{near_misses(optimizer, registry)}; its registry has "
                f"{len(registry)}, such as NGOpt"
            )
        space = setting.space
        names = parameter_names(space)
        choices = {name: nevergrad.p.Choice(list(space.operations)) for name in names}
        instrumentation = nevergrad.p.Dict(**choices)
        instrumentation.random_state.seed(int(rng.integers(2**32)))
        self._space, self._worst = space, Worst()
        self._optimizer = registry[optimizer](instrumentation, budget=max(1, int(setting.evaluations)))
        self._candidate: Any = None

    def ask(self) -> Ask:
        self._candidate = self._optimizer.ask()
        return Ask(self._space.from_dict(self._candidate.value).index)

    def tell(self, trial: int, ask: Ask, seen: Seen) -> None:
        self._optimizer.tell(self._candidate, -self._worst(seen.signal))


class Smac:
    """SMAC's facades by ask and tell: HyperparameterOptimizationFacade, BlackBoxFacade, ..."""

    def __init__(self, setting: Setting, rng: Generator, facade: str = "HyperparameterOptimizationFacade") -> None:
        with extra("smac", MISSING.format("smac")):
            import smac
        kind = _member(smac, facade, "Facade", "smac")
        seed = int(rng.integers(2**31))
        folder = tempfile.TemporaryDirectory(prefix="nasbench-ws-smac-", ignore_cleanup_errors=True)
        weakref.finalize(self, folder.cleanup)
        scenario = smac.Scenario(
            config_space(setting.space, seed=seed), n_trials=max(1, int(setting.evaluations)), deterministic=False,
            seed=seed, output_directory=Path(folder.name),
        )  # fmt: skip
        self._space, self._worst = setting.space, Worst()
        self._value: Any = smac.runhistory.TrialValue
        logging.getLogger("smac").setLevel(logging.ERROR)
        self._smac = kind(scenario, _never, overwrite=True, logging_level=False)
        self._info: Any = None

    def ask(self) -> Ask:
        self._info = self._smac.ask()
        return Ask(self._space.from_dict(dict(self._info.config)).index)

    def tell(self, trial: int, ask: Ask, seen: Seen) -> None:
        self._smac.tell(self._info, self._value(cost=-self._worst(seen.signal)))


class Pymoo:
    """Pymoo's algorithms for several objectives: NSGA2, SMSEMOA. Its choice is the judge's.

    Args:
        algorithm: its name; integers, half-uniform crossing and polynomial mutation, as pymoo's guide has them.
        population: children a generation.
    """

    def __init__(self, setting: Setting, rng: Generator, algorithm: str = "NSGA2", population: int = 10) -> None:
        with extra("pymoo", MISSING.format("pymoo")):
            from pymoo.core.problem import Problem
            from pymoo.operators.crossover.hux import HUX
            from pymoo.operators.mutation.pm import PM
            from pymoo.operators.repair.rounding import RoundingRepair
            from pymoo.operators.sampling.rnd import IntegerRandomSampling
        kind = getattr(importlib.import_module(f"pymoo.algorithms.moo.{PYMOO[algorithm]}"), algorithm)
        edges, operations = len(setting.space.edges), len(setting.space.operations)
        self._strides = [operations ** (edges - 1 - edge) for edge in range(edges)]
        self._problem = Problem(n_var=edges, n_obj=2, xl=0, xu=operations - 1, vtype=int)
        self._algorithm = kind(
            pop_size=population, sampling=IntegerRandomSampling(), crossover=HUX(),
            mutation=PM(vtype=float, repair=RoundingRepair()),
        )  # fmt: skip
        self._algorithm.setup(self._problem, termination=("n_eval", 10**9), seed=int(rng.integers(2**31)))
        self._worst = Worst()
        self._infills: Any = None
        self._values: list[list[float]] = []

    def ask(self) -> Ask | None:
        """None where it finds nothing that its population does not have."""
        if self._infills is None:
            self._infills, self._values = self._algorithm.ask(), []
            if self._infills is None or not len(self._infills):
                return None
        choices = self._infills[len(self._values)].X
        return Ask(sum(int(choice) * stride for choice, stride in zip(choices, self._strides, strict=True)))

    def tell(self, trial: int, ask: Ask, seen: Seen) -> None:
        self._values.append([-self._worst(seen.signal), float(seen.macs)])
        if len(self._values) == len(self._infills):
            self._infills.set("F", np.array(self._values))
            for one in self._infills:
                one.evaluated = {"F"}
            self._algorithm.tell(infills=self._infills)
            self._infills = None


def _member(module: Any, name: str, ending: str, library: str) -> Any:
    found = getattr(module, name, None)
    if not name.endswith(ending) or not isinstance(found, type):
        known = [n for n in dir(module) if n.endswith(ending) and not n.startswith("_")]
        raise SearcherError(f"{library} has no {name!r}{near_misses(name, known)}; it has {', '.join(known)}")
    return found


def _never(config: Any, seed: int = 0) -> float:
    raise AssertionError("a facade that is asked and told calls no function")
