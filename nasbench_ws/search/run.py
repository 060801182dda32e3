"""Many repetitions of a searcher on a table, every query charged.

    result = search("re", load("fashion14"), budget=64, repetitions=500)
    result = search(Mine, load("fashion14"), unit="macs")
    result = search("re", table, out="re.npz", workers=2)            # goes on where it was interrupted
    on_cifar10, on_cifar100 = search_tables(["re", "multitask:ctr"], [oracle, other], 500)     # results by name, each

Repetition r of every searcher meets the same world, `World(oracle, r)`; the searcher's own random numbers come from its
name and r. Not here: one repetition (repetition.py), what is computed of them (compare.py).
"""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nasbench_ws.errors import SearcherError, UsageError
from nasbench_ws.limits import MOST_EVALUATIONS, MOST_SEEDS, check_most
from nasbench_ws.provenance import versions
from nasbench_ws.search.names import code_of, is_multitask, resolve_searcher, resolve_tasks
from nasbench_ws.search.oracle import Oracle, Rules
from nasbench_ws.search.repetition import alone, together
from nasbench_ws.search.result import SearchResult, check_same, stack
from nasbench_ws.search.searcher import Make
from nasbench_ws.space.registry import space_to_dict
from nasbench_ws.tables.table import Table
from nasbench_ws.workers.pool import OnProgress, Task, execute

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
    files: Mapping[str, Path] | None = None,
    **options: Any,
) -> dict[str, SearchResult]:
    """Several searchers in the same worlds, on the same workers: results by name. See `search` and `search_tables`.

    Args:
        files: where a searcher's result is kept, by its name.
    """
    kept = {(name, 0): path for name, path in (files or {}).items()}
    return search_tables(makes, [oracle], repetitions, files=kept, **options)[0]


def search_tables(
    makes: Sequence[str | Make],
    oracles: Sequence[Oracle],
    repetitions: int = 500,
    *,
    first_seed: int = 0,
    files: Mapping[tuple[str, int], Path] | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
    on_progress: OnProgress | None = None,
) -> list[dict[str, SearchResult]]:
    """Several searchers on several tables, in one go: results by name, a table each.

    A name that begins with `multitask:` is one search of all tables: see multitask.py.

    Args:
        makes: names, or classes or functions, as `search` takes them.
        oracles: the tables, each under its rules.
        repetitions: how many.
        first_seed: the number of the first repetition.
        files: where a result is kept, by the searcher's name and the table's place.
        workers: processes; None: in this one.
        executor: a concurrent.futures executor to run on instead.
        on_progress: called with a `Progress` now and then.
    """
    if repetitions < 1:
        raise UsageError(f"repetitions={repetitions}: at least 1 is needed, and 500 to tell searchers apart")
    check_most("repetitions", repetitions, MOST_SEEDS)
    for oracle in oracles:
        if oracle.budget < (cheapest := float(oracle.cost.min())):
            raise UsageError(
                f"a budget of {oracle.budget:g} {oracle.rules.unit} buys nothing on {oracle.name}, where the cheapest "
                f"training takes {cheapest:g}; give more"
            )
        bought = round(min(oracle.budget / oracle.evaluation, 1e18))
        check_most("the number of mean evaluations that the budget buys", bought, MOST_EVALUATIONS)
    wanted = range(first_seed, first_seed + repetitions)
    jobs, tasks = {}, {}
    for number, job in enumerate(_jobs(makes, oracles, files or {})):
        if isinstance(job.make, str):
            (resolve_tasks if job.shared else resolve_searcher)(job.make)  # a wrong name is refused before all runs
        if workers or executor is not None:
            _check_sendable(job.make)
        jobs[number] = job
        have = job.have()
        missing = [repetition for repetition in wanted if repetition not in have]
        for start in range(0, len(missing), REPETITIONS_A_TASK):
            chunk = missing[start : start + REPETITIONS_A_TASK]
            asked = (job.make, job.oracles, chunk, job.shared)
            tasks[number, start] = Task(asked, len(chunk) * len(job.oracles))

    def on_done(key: tuple[int, int], stacks: list[dict[str, Any]]) -> None:
        jobs[key[0]].add(stacks)

    execute(_run, tasks, on_done, workers=workers, executor=executor, on_progress=on_progress, retries=0)
    found: list[dict[str, SearchResult]] = [{} for _ in oracles]
    for job in jobs.values():
        for place, result in zip(job.places, job.kept, strict=True):
            if result is not None:
                found[place][job.name] = result.only(wanted)
    return found


@dataclass
class _Job:
    """One searcher on one table, or on all of them at once; what is kept of it, a table each."""

    make: str | Make
    shared: bool
    places: list[int]
    oracles: list[Oracle]
    files: list[Path | None]
    headers: list[dict[str, Any]]
    kept: list[SearchResult | None]

    @property
    def name(self) -> str:
        return name_of(self.make)

    def have(self) -> set[int]:
        """Repetitions that are there, on every table: the others, whose files were not written in time, are dropped."""
        there = [set() if one is None else set(one.repetitions.tolist()) for one in self.kept]
        have = set.intersection(*there)
        self.kept = [one if one is None or not have else one.only(sorted(have)) for one in self.kept]
        if not have:
            self.kept = [None for _ in self.kept]
        return have

    def add(self, stacks: Sequence[dict[str, Any]]) -> None:
        for i, (oracle, header, rows) in enumerate(zip(self.oracles, self.headers, stacks, strict=True)):
            before, path = self.kept[i], self.files[i]
            new = SearchResult(header, **rows, truth=oracle.truth, valid=oracle.valid, macs=np.asarray(oracle.macs))
            self.kept[i] = joined = new if before is None else before.join(new)
            if path is not None:
                joined.save(path)


def _jobs(
    makes: Sequence[str | Make], oracles: Sequence[Oracle], files: Mapping[tuple[str, int], Path]
) -> Iterator[_Job]:
    for all_at_once in (False, True):
        for group in [range(len(oracles))] if all_at_once else [[place] for place in range(len(oracles))]:
            for make in makes:
                name = name_of(make)
                if is_multitask(name) is not all_at_once:
                    continue
                own = [oracles[place] for place in group]
                if all_at_once:
                    _check_one_space(name, own)
                paths = [files.get((name, place)) for place in group]
                headers = [_header(make, oracle, own) for oracle in own]
                kept = [
                    None if path is None else _kept(path, header) for path, header in zip(paths, headers, strict=True)
                ]
                yield _Job(make, all_at_once, list(group), own, paths, headers, kept)


def _check_one_space(name: str, oracles: Sequence[Oracle]) -> None:
    other = next((oracle for oracle in oracles if oracle.space != oracles[0].space), None)
    if other is not None:
        raise UsageError(
            f"{name} searches all tables at once, and {oracles[0].name} is of {oracles[0].space.name}, {other.name} of "
            f"{other.space.name}; give tables of one space"
        )


def oracle_of(table: Table | Oracle, rules: Mapping[str, Any]) -> Oracle:
    if not isinstance(table, Oracle):
        return Oracle.of(table, Rules(**rules))
    if rules:
        raise UsageError(f"an Oracle has its rules; give {', '.join(rules)} to Oracle.of instead")
    return table


def name_of(make: str | Make) -> str:
    """The name a result is kept under: a searcher's random numbers depend on it."""
    return make if isinstance(make, str) else str(getattr(make, "name", None) or getattr(make, "__qualname__", make))


def _run(
    make: str | Make, oracles: list[Oracle], numbers: list[int], shared: bool, on_step: Callable[[float], None]
) -> list[dict[str, Any]]:
    """Rows of those repetitions, stacked, an oracle each."""
    name, rows = name_of(make), []
    if shared:
        tasks = resolve_tasks(name)
    else:
        made = resolve_searcher(make) if isinstance(make, str) else make
    for count, number in enumerate(numbers, start=1):
        rows.append(together(tasks, name, oracles, number) if shared else [alone(made, name, oracles[0], number)])
        on_step(count * len(oracles))
    return [stack(of_table) for of_table in zip(*rows, strict=True)]


def _check_sendable(make: str | Make) -> None:
    try:
        pickle.dumps(make)
    except Exception as error:
        raise SearcherError(
            f"searcher {name_of(make)!r} cannot be sent to worker processes ({error}); put it into a file and give its "
            "name, FILE.py:NAME, or leave workers out"
        ) from error


def _header(make: str | Make, oracle: Oracle, beside: Sequence[Oracle]) -> dict[str, Any]:
    space, code = oracle.space, code_of(make)
    return {
        "searcher": name_of(make),
        "table": {"name": oracle.name, "digest": oracle.digest},
        "space": space_to_dict(space),
        "rules": {k: v for k, v in dataclasses.asdict(oracle.rules).items() if k != "limit" or v is not None},
        "budget": oracle.budget,
        "evaluation": oracle.evaluation,
        "epochs": oracle.epochs.tolist(),
        "best": oracle.best,
        "seed_std": seed_deviation(oracle),
        "versions": versions(),
        # Only where it is so: a search of the same has the same header as ever.
        **({} if oracle.truth_name == "test_accuracy" else {"truth": oracle.truth_name}),
        **({} if oracle.sizes == "macs" else {"sizes": oracle.sizes}),
        **({} if oracle.first is None else {"networks": list(oracle.first)}),
        **({} if code is None else {"code": code}),
        **({} if len(beside) == 1 else {"tasks": [[one.name, one.digest] for one in beside]}),
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
