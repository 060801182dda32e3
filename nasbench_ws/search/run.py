"""Many repetitions of a searcher on a table, every query charged.

    result = search("re", load("fashion14"), budget=64, repetitions=500)
    result = search(Mine, load("fashion14"), unit="macs")
    result = search("re", table, out="re.npz", workers=2)            # goes on where it was interrupted

Repetition r of every searcher meets the same world, `World(oracle, r)`; the searcher's own random numbers come from its
name and r. Not here: what is asked (oracle.py), what is computed of it (compare.py). No torch.
"""

from __future__ import annotations

import dataclasses
import math
import pickle
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np

from nasbench_ws.errors import NasbenchError, SearcherError, UsageError
from nasbench_ws.limits import MOST_EVALUATIONS, MOST_SEEDS, check_most
from nasbench_ws.provenance import versions
from nasbench_ws.search.names import resolve_searcher
from nasbench_ws.search.oracle import Oracle, Rules, World
from nasbench_ws.search.result import SearchResult, check_same, stack
from nasbench_ws.search.searcher import Ask, Make, Searcher, Setting
from nasbench_ws.seeds import derive
from nasbench_ws.space.cell import Space
from nasbench_ws.space.registry import space_to_dict
from nasbench_ws.tables.table import Table
from nasbench_ws.workers.pool import OnProgress, Task, execute

FREE_IN_A_ROW = 1000  # questions answered from memory, after which a searcher is taken to be going in circles
REPETITIONS_A_TASK = 50


def search(
    make: str | Make,
    table: Table | Oracle,
    *,
    repetitions: int = 500,
    first_seed: int = 0,
    out: str | Path | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
    on_progress: OnProgress | None = None,
    **rules: Any,
) -> SearchResult:
    """Run a searcher again and again, each time in another world.

    Args:
        make: a name (see `nasbench-ws search --list`), FILE.py:NAME, MODULE:NAME; or a class, or function, of
            (setting, rng) that makes a searcher.
        table: or an Oracle, which has its rules: of a table, or of a super-net's scores.
        repetitions: how many.
        first_seed: the number of the first repetition.
        out: a file that the result is kept in; repetitions that it already has are not run again.
        workers: processes; None: in this one.
        executor: a concurrent.futures executor to run on instead.
        on_progress: called with a `Progress` now and then.
        rules: unit, budget, noise, repeats, signal, incumbent, truth: see Rules.

    Raises SearcherError where the searcher breaks the protocol, with its own exception as the cause.
    """
    files = {} if out is None else {name_of(make): Path(out)}
    options: dict[str, Any] = {"workers": workers, "executor": executor, "on_progress": on_progress}
    oracle = oracle_of(table, rules)
    (result,) = search_all([make], oracle, repetitions, first_seed=first_seed, files=files, **options).values()
    return result


def search_all(
    makes: Sequence[str | Make],
    oracle: Oracle,
    repetitions: int = 500,
    *,
    first_seed: int = 0,
    files: Mapping[str, Path] | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
    on_progress: OnProgress | None = None,
) -> dict[str, SearchResult]:
    """Several searchers in the same worlds, on the same workers: results by name. See `search`.

    Args:
        files: where a searcher's result is kept, by its name.
    """
    if repetitions < 1:
        raise UsageError(f"repetitions={repetitions}: at least 1 is needed, and 500 to tell searchers apart")
    check_most("repetitions", repetitions, MOST_SEEDS)
    bought = round(min(oracle.budget / oracle.evaluation, 1e18))
    check_most("the number of mean evaluations that the budget buys", bought, MOST_EVALUATIONS)
    wanted = range(first_seed, first_seed + repetitions)
    files = {} if files is None else files
    headers, kept, tasks = {}, {}, {}
    for make in makes:
        name = name_of(make)
        resolve_searcher(name) if isinstance(make, str) else None  # a wrong name is refused before anything is run
        if workers or executor is not None:
            _check_sendable(make)
        headers[name] = _header(make, oracle)
        kept[name] = _kept(files[name], headers[name]) if name in files else None
        here = kept[name]
        have = set() if here is None else set(here.repetitions.tolist())
        missing = [number for number in wanted if number not in have]
        for start in range(0, len(missing), REPETITIONS_A_TASK):
            chunk = missing[start : start + REPETITIONS_A_TASK]
            tasks[name, start] = Task((make, oracle, chunk), len(chunk))

    def on_done(key: tuple[str, int], rows: dict[str, Any]) -> None:
        name, before = key[0], kept[key[0]]
        new = SearchResult(headers[name], **rows, truth=oracle.truth, valid=oracle.valid, macs=np.asarray(oracle.macs))
        kept[name] = joined = new if before is None else before.join(new)
        if name in files:
            joined.save(files[name])

    execute(_run, tasks, on_done, workers=workers, executor=executor, on_progress=on_progress, retries=0)
    return {name: result.only(wanted) for name, result in kept.items() if result is not None}


def oracle_of(table: Table | Oracle, rules: Mapping[str, Any]) -> Oracle:
    if not isinstance(table, Oracle):
        return Oracle.of(table, Rules(**rules))
    if rules:
        raise UsageError(f"an Oracle has its rules; give {', '.join(rules)} to Oracle.of instead")
    return table


def name_of(make: str | Make) -> str:
    """The name a result is kept under: a searcher's random numbers depend on it."""
    return make if isinstance(make, str) else str(getattr(make, "name", None) or getattr(make, "__qualname__", make))


def setting_of(oracle: Oracle) -> Setting:
    epochs = tuple(oracle.epochs.tolist())
    return Setting(oracle.space, epochs, oracle.budget / oracle.evaluation, oracle.params, oracle.macs)


def _run(make: str | Make, oracle: Oracle, numbers: list[int], on_step: Callable[[float], None]) -> dict[str, Any]:
    made = resolve_searcher(make) if isinstance(make, str) else make
    rows = []
    for count, number in enumerate(numbers, start=1):
        rows.append(_Repetition(made, name_of(make), oracle, number).run())
        on_step(count)
    return stack(rows)


class _Repetition:
    """One search: the loop, the purse and the judge."""

    def __init__(self, make: Make, name: str, oracle: Oracle, number: int) -> None:
        self._name, self._oracle, self._number = name, oracle, number
        self._world = World(oracle, number)
        self._seconds = -time.perf_counter()
        rng = np.random.default_rng(derive("search", name, number))
        try:
            self._searcher: Searcher = make(setting_of(oracle), rng)
        except NasbenchError:
            raise
        except Exception as error:
            raise self._fault("was made", error) from error
        self._seconds += time.perf_counter()
        self._own: Callable[[], int | None] | None = getattr(self._searcher, "incumbent", None)
        self._judge = _Judge(oracle.rules.incumbent)
        self._best = float(np.nanmax(oracle.truth))
        self._row: dict[str, list[Any]] = {
            name: [] for name in ("child", "point", "run", "cost", "signal", "incumbent", "regret")
        }

    def run(self) -> dict[str, Any]:
        world, budget = self._world, self._oracle.budget * (1 + 1e-12)  # sums of thirds may be off by a rounding
        spent, free, in_a_row = self._start(), 0, 0
        last = len(self._oracle.epochs) - 1
        while spent < budget and in_a_row < FREE_IN_A_ROW:
            self._seconds -= time.perf_counter()
            try:
                asked = self._searcher.ask()
            except NasbenchError:
                raise
            except Exception as error:
                raise self._fault("was asked", error) from error
            self._seconds += time.perf_counter()
            if asked is None:
                break
            ask = asked if type(asked) is Ask else Ask(_child(self._oracle.space, asked, self._name))
            self._check(ask.child, "asked for child")
            point = last if ask.epochs is None else self._oracle.point(ask.epochs)
            cost = world.price(ask.child, point, ask.resume)
            if spent + cost > budget:
                break
            seen = world.show(ask.child, point, ask.resume, cost)
            number = len(world.trials) - 1
            if cost == 0:
                free, in_a_row = free + 1, in_a_row + 1
            else:
                in_a_row = 0
                spent += cost
            self._judge.hear(world.network(ask.child), seen.signal)
            self._seconds -= time.perf_counter()
            try:
                self._searcher.tell(number, ask, seen)
            except NasbenchError:
                raise
            except Exception as error:
                raise self._fault("was told", error) from error
            self._seconds += time.perf_counter()
            if cost:
                self._note(ask.child, point, world.trials[number][1], spent, seen.signal)
        return {**self._row, "repetitions": self._number, "free": free, "seconds": self._seconds}

    def _start(self) -> float:
        """What is spent before the first trial: a super-net's training."""
        macs = float(getattr(self._searcher, "macs_before", 0.0))
        spent = self._world.started
        if macs:
            spent += macs / self._oracle.evaluation_macs * self._oracle.evaluation
            if math.isnan(spent):
                raise UsageError(
                    f"{self._oracle.name} does not know how many images trained its children, so that {self._name} "
                    "cannot be charged for its super-net; take a table that does"
                )
        chosen = self._own() if macs and self._own is not None else None
        if chosen is not None and spent <= self._oracle.budget:
            self._note(chosen, -1, -1, spent, math.nan)
        return spent

    def _note(self, child: int, point: int, run: int, spent: float, signal: float) -> None:
        chosen = self._own() if self._own is not None else None
        incumbent = self._judge.best() if chosen is None else int(chosen)
        if incumbent >= 0:
            self._check(incumbent, "has an incumbent")
        row = self._row
        row["child"].append(child)
        row["point"].append(point)
        row["run"].append(run)
        row["cost"].append(spent)
        row["signal"].append(signal)
        row["incumbent"].append(incumbent)
        row["regret"].append(math.nan if incumbent < 0 else self._best - self._world.truth(incumbent))

    def _check(self, child: int, what: str) -> None:
        last = len(self._oracle.truth) - 1
        if not 0 <= child <= last:
            raise SearcherError(
                f"searcher {self._name!r} {what} {child}, which does not exist; an index is 0 to {last}"
            )

    def _fault(self, when: str, error: Exception) -> SearcherError:
        return SearcherError(
            f"searcher {self._name!r} raised when it {when} in repetition {self._number}: "
            f"{type(error).__name__}: {error}"
        )


class _Judge:
    """The best child as far as observations say; -1 before the first finite one."""

    def __init__(self, rule: str) -> None:
        self._mean = rule == "mean"
        self._child, self._signal = -1, -math.inf
        self._places: dict[int, int] = {}
        self._sums: list[float] = []
        self._counts: list[int] = []

    def hear(self, child: int, signal: float) -> None:
        if math.isnan(signal):
            return
        if signal > self._signal:
            self._child, self._signal = child, signal
        if self._mean:
            place = self._places.setdefault(child, len(self._sums))
            if place == len(self._sums):
                self._sums.append(0.0)
                self._counts.append(0)
            self._sums[place] += signal
            self._counts[place] += 1

    def best(self) -> int:
        if not self._mean or not self._sums:
            return self._child
        sums, counts = np.array(self._sums), np.array(self._counts)
        prior = sums.sum() / counts.sum()
        return list(self._places)[int(np.argmax((sums + prior) / (counts + 1)))]


def _child(space: Space, asked: Any, name: str) -> int:
    try:
        return space.architecture(asked).index
    except NasbenchError as error:
        raise SearcherError(f"searcher {name!r} asked for what is no child: {error}") from error


def _check_sendable(make: str | Make) -> None:
    try:
        pickle.dumps(make)
    except Exception as error:
        raise SearcherError(
            f"searcher {name_of(make)!r} cannot be sent to worker processes ({error}); put it into a file and give its "
            "name, FILE.py:NAME, or leave workers out"
        ) from error


def _header(make: str | Make, oracle: Oracle) -> dict[str, Any]:
    space = oracle.space
    return {
        "searcher": name_of(make),
        "table": {"name": oracle.name, "digest": oracle.digest},
        "space": space_to_dict(space),
        "rules": dataclasses.asdict(oracle.rules),
        "budget": oracle.budget,
        "evaluation": oracle.evaluation,
        "epochs": oracle.epochs.tolist(),
        "best": float(np.nanmax(oracle.truth)),
        "seed_std": seed_deviation(oracle),
        "versions": versions(),
        **({} if oracle.truth_name == "test_accuracy" else {"truth": oracle.truth_name}),  # as older files have it
    }


def seed_deviation(oracle: Oracle) -> float | None:
    """Standard deviation of test accuracy between seeds of one child, the median over children; None with one seed."""
    counts = np.isfinite(oracle.test).sum(axis=1)
    if not (counts > 1).any():
        return None
    return float(np.median(np.nanstd(oracle.test[counts > 1], axis=1, ddof=1)))


def _kept(path: Path, header: dict[str, Any]) -> SearchResult | None:
    if not path.exists():
        return None
    kept = SearchResult.load(path)
    check_same(kept.header, header, f"what {path} holds and what is asked for")
    return kept
