"""One search in one world: the loop, the purse and the judge.

    alone(RegularizedEvolution, "re", oracle, 3).run()["regret"]         # repetition 3
    together(Coevolution, "multitask:coevolution", oracles, 3)           # one on several tables, a trial each in turn

Not here: many of them (run.py), what is asked (oracle.py).
"""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from nasbench_ws.errors import NasbenchError, SearcherError, UsageError
from nasbench_ws.plugins import raised, users_code
from nasbench_ws.search.oracle import Oracle, World
from nasbench_ws.search.searcher import Ask, Make, MakeTasks, Searcher, Setting
from nasbench_ws.seeds import derive
from nasbench_ws.space.cell import Space

FREE_IN_A_ROW = 1000  # questions answered from memory, after which a searcher is taken to be going in circles
PATIENCE = 300.0  # seconds that one call of a searcher may take: the slowest library here thinks for some ten


class _Watch:
    """Ends a call of a searcher that does not come back, where signals are to be had: in a process's first thread."""

    def __init__(self) -> None:
        self.name, self.since = "", 0.0  # whose call is on, and since when; 0: none

    @contextlib.contextmanager
    def on(self) -> Iterator[None]:
        first = threading.current_thread() is threading.main_thread()
        if not (first and hasattr(signal, "setitimer") and signal.getsignal(signal.SIGALRM) is signal.SIG_DFL):
            yield
            return
        signal.signal(signal.SIGALRM, self._look)
        signal.setitimer(signal.ITIMER_REAL, PATIENCE / 4, PATIENCE / 4)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            self.since = 0.0

    def _look(self, *signalled: object) -> None:
        if self.since and time.perf_counter() - self.since > PATIENCE:
            raise SearcherError(
                f"searcher {self.name!r} has not come back for {PATIENCE:g} s from one call; look for a loop that "
                "never ends in its ask, tell or incumbent"
            )


_watch = _Watch()


def setting_of(oracle: Oracle) -> Setting:
    epochs, bought = tuple(oracle.epochs.tolist()), oracle.budget / oracle.evaluation
    return Setting(oracle.space, epochs, bought, oracle.params, oracle.macs, oracle.rules.limit, oracle.first)


def alone(make: Make, name: str, oracle: Oracle, number: int) -> dict[str, Any]:
    """A row for `result.stack`."""
    seconds = -time.perf_counter()
    with users_code(), _watch.on():
        searcher = _made(lambda rng: make(setting_of(oracle), rng), name, number)
        search = Repetition(searcher, name, oracle, number, seconds + time.perf_counter())
        while search.step():
            pass
    return search.row


def together(make: MakeTasks, name: str, oracles: Sequence[Oracle], number: int) -> list[dict[str, Any]]:
    """A row an oracle: its searchers share what they like, and have a trial each in turn while their budgets last."""
    seconds = -time.perf_counter()
    with users_code(), _watch.on():
        searchers = _made(lambda rng: make([setting_of(oracle) for oracle in oracles], rng), name, number)
        if not isinstance(searchers, Sequence) or len(searchers) != len(oracles):
            several = isinstance(searchers, Sequence)
            what = f"{len(searchers)} searchers" if several else f"an object of type {type(searchers).__name__}"
            raise SearcherError(
                f"searcher {name!r} made {what} for {len(oracles)} tables; return a list of one a table"
            )
        seconds = (seconds + time.perf_counter()) / len(oracles)
        searches = [Repetition(s, name, o, number, seconds) for s, o in zip(searchers, oracles, strict=True)]
        going = searches
        while going:
            going = [search for search in going if search.step()]
    return [search.row for search in searches]


def _made(make: Callable[[np.random.Generator], Any], name: str, number: int) -> Any:
    _watch.name, _watch.since = name, time.perf_counter()
    try:
        return make(np.random.default_rng(derive("search", name, number)))
    except NasbenchError:
        raise
    except (Exception, SystemExit) as error:
        raise _fault(name, number, "was made", error) from error


def _fault(name: str, number: int, when: str, error: BaseException) -> SearcherError:
    return SearcherError(f"searcher {name!r} raised when it {when} in repetition {number}: {raised(error)}")


class Repetition:
    """
    Args:
        searcher: as it was made.
        name: its name, for messages.
        oracle: what it searches.
        number: of the repetition, which is its world's.
        seconds: what making it took.
    """

    def __init__(self, searcher: Searcher, name: str, oracle: Oracle, number: int, seconds: float = 0.0) -> None:
        self._searcher, self._name, self._oracle, self._number = searcher, name, oracle, number
        self._world, self._seconds = World(oracle, number), seconds
        self._own: Callable[[], Any] | None = getattr(searcher, "incumbent", None)
        self._judge = Judge(oracle.rules.incumbent)
        self._may = None if oracle.rules.limit is None else oracle.allowed.tolist()  # by child: may it be chosen?
        self._last = len(oracle.epochs) - 1
        self._free = self._in_a_row = 0
        self._row: dict[str, list[Any]] = {
            name: [] for name in ("child", "point", "run", "cost", "signal", "incumbent", "regret")
        }
        self._budget = oracle.budget * (1 + 1e-12)  # sums of thirds may be off by a rounding
        self._spent = self._start()

    @property
    def row(self) -> dict[str, Any]:
        instance = getattr(self._searcher, "instance", None) if self._world.instance is None else self._world.instance
        numbers = {"repetitions": self._number, "free": self._free, "seconds": self._seconds}
        return {**self._row, **numbers, "instance": -1 if instance is None else int(instance)}

    def step(self) -> bool:
        """One question and its answer; False: the search has ended, and nothing was answered."""
        world = self._world
        if not (self._spent < self._budget and self._in_a_row < FREE_IN_A_ROW):
            return False
        self._seconds -= self._begins()
        try:
            asked = self._searcher.ask()
        except NasbenchError:
            raise
        except (Exception, SystemExit) as error:
            raise _fault(self._name, self._number, "was asked", error) from error
        self._seconds += time.perf_counter()
        if asked is None:
            if not world.trials:
                raise SearcherError(
                    f"searcher {self._name!r} trains nothing; ask() must return a child while there is budget"
                )
            return False
        child = asked.child if isinstance(asked, Ask) else asked
        child = child if type(child) is int else _child(self._oracle.space, child, self._name)
        ask = asked._replace(child=child) if isinstance(asked, Ask) else Ask(child)
        self._check(ask.child, "asked for child")
        point = self._last if ask.epochs is None else self._oracle.point(ask.epochs)
        cost = world.price(ask.child, point, ask.resume)
        if self._spent + cost > self._budget:
            return False
        seen = world.show(ask.child, point, ask.resume, cost)
        number = len(world.trials) - 1
        if cost == 0:
            self._free, self._in_a_row = self._free + 1, self._in_a_row + 1
        else:
            self._in_a_row = 0
            self._spent += cost
        network = world.network(ask.child)
        if self._may is None or self._may[network]:
            self._judge.hear(network, seen.signal)
        self._seconds -= self._begins()
        try:
            self._searcher.tell(number, ask, seen)
        except NasbenchError:
            raise
        except (Exception, SystemExit) as error:
            raise _fault(self._name, self._number, "was told", error) from error
        self._seconds += time.perf_counter()
        if cost:
            self._note(ask.child, point, world.trials[number][1], seen.signal)
        return True

    def _begins(self) -> float:
        """Now, when a call of the searcher begins; `_watch` counts from here, and to the next."""
        _watch.name, _watch.since = self._name, time.perf_counter()
        return _watch.since

    def _start(self) -> float:
        """What is spent before the first trial: a super-net's training."""
        macs = float(getattr(self._searcher, "macs_before", 0.0))
        self._spent = self._world.started
        if macs:
            self._spent += macs / self._oracle.evaluation_macs * self._oracle.evaluation
            if math.isnan(self._spent):
                raise UsageError(
                    f"{self._oracle.name} does not know how many images trained its children, so that {self._name} "
                    "cannot be charged for its super-net; take a table that does"
                )
        if macs and self._spent <= self._oracle.budget and (chosen := self._incumbent()) >= 0:
            self._note(chosen, -1, -1, math.nan)
        return self._spent

    def _note(self, child: int, point: int, run: int, signal: float) -> None:
        incumbent = self._incumbent()
        row = self._row
        row["child"].append(child)
        row["point"].append(point)
        row["run"].append(run)
        row["cost"].append(self._spent)
        row["signal"].append(signal)
        row["incumbent"].append(incumbent)
        row["regret"].append(math.nan if incumbent < 0 else self._oracle.best - self._world.truth(incumbent))

    def _incumbent(self) -> int:
        """The searcher's own choice, where it has one that may be chosen; else the judge's."""
        if self._own is None:
            return self._judge.best()
        self._begins()
        try:
            chosen = self._own()
        except NasbenchError:
            raise
        except (Exception, SystemExit) as error:
            raise _fault(self._name, self._number, "was asked for its choice", error) from error
        if chosen is None:
            return self._judge.best()
        chosen = chosen if isinstance(chosen, int) else _child(self._oracle.space, chosen, self._name)
        self._check(chosen, "has an incumbent")
        network = self._world.network(chosen)
        return network if self._may is None or self._may[network] else self._judge.best()

    def _check(self, child: int, what: str) -> None:
        last = len(self._oracle.space) - 1
        if not 0 <= child <= last:
            raise SearcherError(
                f"searcher {self._name!r} {what} {child}, which does not exist; an index is 0 to {last}"
            )


class Judge:
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
