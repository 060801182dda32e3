"""Tasks in this process and in workers: every result once, failures named, nothing lost to a worker that dies."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from nasbench_ws.errors import RunError, UsageError
from nasbench_ws.workers import pool
from nasbench_ws.workers import progress as meter
from nasbench_ws.workers.pool import Progress, Task, TaskError, execute
from nasbench_ws.workers.processes import available_cpus

OnStep = Callable[[float], None]


# -- tasks: at module level, so that a worker process finds them ---------------------------------------


def double(x: int, on_step: OnStep) -> int:
    on_step(1)
    return 2 * x


def stepping(steps: int, on_step: OnStep) -> int:
    for step in range(1, steps + 1):
        on_step(step)
    return steps


def raising(text: str, on_step: OnStep) -> None:
    raise ValueError(text)


def refusing(text: str, on_step: OnStep) -> None:
    raise UsageError(text)


def read_again() -> None:
    raise AttributeError("no Mine here")


class Unreadable:
    def __reduce__(self) -> Any:
        return read_again, ()


class AwkwardError(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__("cannot be made again from this")


def awkward(text: str, on_step: OnStep) -> None:
    if text == "exit":
        sys.exit(3)
    raise AwkwardError(1, 2)


def first_time(marker: Path) -> bool:
    if marker.exists():
        return False
    marker.touch()
    return True


def flaky(marker: Path, on_step: OnStep) -> str:
    """Half of the way, then an exception; the second time well."""
    if first_time(marker):
        on_step(2)
        on_step(5)
        raise ValueError("the first time")
    on_step(1)
    on_step(6)
    return "well"


def about_the_worker(on_step: OnStep) -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "torch": "torch" in sys.modules,
        "omp": os.environ.get("OMP_NUM_THREADS"),
        "ctrl_c_ignored": signal.getsignal(signal.SIGINT) == signal.SIG_IGN,
    }


def dying(partner: Path, on_step: OnStep) -> None:
    """End the process, but not before the partner is at work in another."""
    while not partner.exists():
        time.sleep(0.01)
    os._exit(1)


def once(marker: Path, on_step: OnStep) -> str:
    assert first_time(marker)
    time.sleep(1)  # while a partner dies
    return "well"


def sleeping(seconds: float, on_step: OnStep) -> int:
    time.sleep(seconds)
    return os.getpid()


class Collected(dict[Any, Any]):
    """What was handed over; each task once."""

    def __call__(self, name: Any, result: Any) -> None:
        assert name not in self
        self[name] = result


def progressing(tasks: dict[Any, Task], function: Any, **options: Any) -> tuple[Collected, list[Progress]]:
    done, reports = Collected(), []  # type: ignore[var-annotated]
    execute(function, tasks, done, on_progress=reports.append, **options)
    fractions = [report.fraction for report in reports]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert reports[-1].done + reports[-1].failed == reports[-1].total == len(tasks)
    assert reports[-1].seconds_left == 0
    return done, reports


# -- in this process ----------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [None, 0])
def test_in_process(workers: int | None) -> None:
    order = []

    def noting(x: int, on_step: OnStep) -> int:
        order.append(x)  # which another process could not
        return double(x, on_step)

    done, reports = progressing({f"task {x}": Task((x,)) for x in range(5)}, noting, workers=workers)
    assert done == {f"task {x}": 2 * x for x in range(5)}
    assert order == list(range(5))
    assert [report.done for report in reports][-5:] == [1, 2, 3, 4, 5]


def test_nothing_to_do() -> None:
    reports: list[Progress] = []
    execute(double, {}, Collected(), on_progress=reports.append)
    assert reports == [Progress(0, 0, 0, 1.0, 0.0)]


def test_a_task_that_fails_once_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "POLL_SECONDS", -1)  # every step is reported
    tasks = {"a": Task((tmp_path / "marker",), 10), "b": Task((tmp_path / "marker",), 10)}
    done, reports = progressing(tasks, flaky)
    assert done == {"a": "well", "b": "well"}
    fractions = [report.fraction for report in reports]
    assert fractions == [0.0, 0.1, 0.25, 0.25, 0.3, 0.5, 0.55, 0.8, 1.0]  # the second try loses no ground
    assert [report.failed for report in reports] == [0] * 9


def test_progress_is_of_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "POLL_SECONDS", -1)
    _, reports = progressing({"long": Task((3,), 3), "short": Task((1,), 1)}, stepping)
    assert [report.fraction for report in reports] == [0.0, 0.25, 0.5, 0.75, 0.75, 1.0, 1.0]
    assert reports[-1] == Progress(2, 0, 2, 1.0, 0.0)
    progressing({x: Task((1,), 0.1) for x in range(10)}, stepping)  # tenths add up to one in the end


def test_time_left_is_at_the_pace_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    def second(on_step: OnStep) -> None:
        clock[0] += 10
        on_step(1)

    _, reports = progressing({x: Task((), 1) for x in range(4)}, second)
    assert [report.seconds_left for report in reports] == [None, 30, 30, 20, 20, 10, 10, 0, 0]  # a step, its end, ...
    _, reports = progressing({0: Task((), 999), 1: Task((), 1)}, second)
    assert [report.seconds_left for report in reports[:2]] == [None, None]  # one step of a thousand: no basis
    _, reports = progressing({0: Task((), 999), 1: Task((), 1)}, second, seconds=77.0)
    assert [report.seconds_left for report in reports[:2]] == pytest.approx([77, 76.923])  # but for what is said


def test_an_estimate_does_not_jump(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that took 7 s to start made 12 minutes of 35 s: at 1 % of the work, all that had passed was its pace."""
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(meter, "POLL_SECONDS", -1)

    def slow_to_start(on_step: OnStep) -> None:
        clock[0] += 7
        for step in range(1, 1001):
            clock[0] += 0.05
            on_step(step)

    _, reports = progressing({0: Task((), 1000)}, slow_to_start, seconds=35.0)
    left = [report.seconds_left for report in reports]
    assert left[0] == 35.0
    assert max(left) < 50  # it is 50 s of work
    assert all(abs(now - then) < 0.7 for then, now in itertools.pairwise(left))


def test_a_task_that_keeps_failing() -> None:
    tasks = {"good": Task((1,)), ("bad", 0): Task(("no",)), "never": Task((2,))}

    def mixed(x: Any, on_step: OnStep) -> Any:
        return raising(x, on_step) if x == "no" else double(x, on_step)  # type: ignore[func-returns-value]

    done = Collected()
    with pytest.raises(RunError) as caught:
        execute(mixed, tasks, done)
    assert str(caught.value) == (
        "task ('bad', 0) failed: ValueError: no; what finished is kept, run the same command again"
    )
    assert isinstance(caught.value.__cause__, TaskError)
    assert isinstance(caught.value.__cause__.__cause__, ValueError)
    assert done == {"good": 2}
    failed = Collected()
    done, reports = progressing(tasks, mixed, on_failed=failed)
    assert done == {"good": 2, "never": 4}
    assert [(type(error), error.summary) for error in failed.values()] == [(TaskError, "ValueError: no")]
    assert (reports[-1].done, reports[-1].failed) == (2, 1)


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_as_many_tries_as_told(retries: int) -> None:
    tries = []

    def counting(on_step: OnStep) -> None:
        tries.append(1)
        raise ValueError

    execute(counting, {"a": Task(())}, Collected(), retries=retries, on_failed=Collected())
    assert len(tries) == retries + 1


def test_an_error_of_this_package_stops_everything() -> None:
    tried = []

    def once(x: int, on_step: OnStep) -> None:
        tried.append(x)
        refusing("yours to mend", on_step)

    with pytest.raises(UsageError, match=r"^yours to mend$"):
        execute(once, {x: Task((x,)) for x in range(3)}, Collected(), on_failed=Collected())
    assert tried == [0]


def test_an_error_in_handing_over_is_not_the_tasks() -> None:
    tried = []

    def once(on_step: OnStep) -> None:
        tried.append(1)

    def hand_over(*_: Any) -> None:
        raise OSError("disk")

    with pytest.raises(OSError, match=r"^disk$"):
        execute(once, {"a": Task(())}, hand_over)
    assert tried == [1]


def test_an_interruption_in_process_keeps_what_is_done() -> None:
    done = Collected()

    def interrupt(name: Any, result: Any) -> None:
        done(name, result)
        if name == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute(double, {x: Task((x,)) for x in range(9)}, interrupt)
    assert done == {0: 0, 1: 2, 2: 4}


# -- in worker processes ------------------------------------------------------------------------------


def run_any(what: Callable[..., Any], argument: Any, on_step: OnStep) -> Any:
    return what(argument, on_step=on_step) if argument is not None else what(on_step=on_step)


def test_two_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results, a second try, and a task that keeps failing, in two processes with one thread each."""
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    tasks = {
        "slow": Task((sleeping, 1.0)),
        "about": Task((about_the_worker, None)),
        "flaky": Task((flaky, tmp_path / "marker")),
        "bad": Task((raising, "no")),
        "odd": Task((awkward, "raise")),  # an exception that does not travel
        "exit": Task((awkward, "exit")),
        **{x: Task((double, x)) for x in range(4)},
    }
    failed = Collected()
    done, reports = progressing(tasks, run_any, workers=2, on_failed=failed)
    about = done.pop("about")
    assert done.pop("slow") != about["pid"] != os.getpid()
    assert done == {"flaky": "well", **{x: 2 * x for x in range(4)}}
    assert {name: error.summary for name, error in failed.items()} == {
        "bad": "ValueError: no",
        "odd": "test_pool.AwkwardError: cannot be made again from this",
        "exit": "SystemExit: 3",
    }
    assert str(failed["bad"]).startswith("Traceback (most recent call last):")
    assert str(failed["bad"]).endswith("ValueError: no\n")
    assert (about["torch"], about["omp"], about["ctrl_c_ignored"]) == (False, "1", True)
    assert (reports[-1].done, reports[-1].failed) == (7, 3)
    assert not multiprocessing.active_children()


def environment_of(name: str, on_step: OnStep) -> tuple[str | None, str, bool]:
    return os.environ.get(name), os.getcwd(), "wave" in sys.modules


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere libraries that are imported may not be forked")
def test_what_all_tasks_need_is_imported_once(tmp_path: Path) -> None:
    """In a program of its own, for the server of forks is one a program. Its workers have the newest surroundings."""
    script = tmp_path / "script.py"
    script.write_text(PRELOADING)
    command = [sys.executable, "-P", str(script), str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    folders = [str(tmp_path), str(tmp_path / "below")]
    assert json.loads(done.stdout) == [[["first", folders[0], True]], [["second", folders[1], True]], "died"]


@pytest.mark.parametrize("retries", [0, 1])
def test_a_worker_that_dies_costs_only_its_own_task(tmp_path: Path, retries: int) -> None:
    marker = tmp_path / "marker"
    tasks = {
        "dies": Task((dying, marker)),
        "partner": Task((once, marker)),  # has its own executor, and is not even tried again
        **{x: Task((double, x)) for x in range(3)},
    }
    failed = Collected()
    done, reports = progressing(tasks, run_any, workers=2, on_failed=failed, retries=retries)
    assert done == {"partner": "well", 0: 0, 1: 2, 2: 4}
    assert [(name, type(error), str(error)) for name, error in failed.items()] == [
        ("dies", RunError, "its worker process died each time, perhaps for want of memory; try fewer workers")
    ]
    assert (reports[-1].done, reports[-1].failed) == (4, 1)
    assert not multiprocessing.active_children()


def test_what_a_worker_cannot_read_is_no_death() -> None:
    """As a class that a script defines under its guard: the worker's process ended, "perhaps for want of memory"."""
    with pytest.raises(UsageError) as caught:
        execute(double, {0: Task((Unreadable(),))}, print, workers=1)
    assert str(caught.value) == (
        "a worker process could not read its task: AttributeError: no Mine here; what is defined at a prompt, or under "
        "`if __name__ == '__main__':`, exists in one process alone: define it in a file, at the top level"
    )
    assert not multiprocessing.active_children()
    failed = Collected()
    execute(double, {0: Task((lambda: 0,))}, print, workers=1, on_failed=failed)
    assert [(name, type(error)) for name, error in failed.items()] == [(0, AttributeError)]


PRELOADING = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from nasbench_ws.errors import RunError
from nasbench_ws.workers.pool import Task, execute
from test_pool import dying, environment_of

if __name__ == "__main__":
    found = []
    for word, folder in (("first", "."), ("second", "below")):
        os.environ["WORD"] = word
        os.makedirs(folder, exist_ok=True)
        os.chdir(folder)
        answers = {}
        execute(environment_of, {0: Task(("WORD",))}, answers.__setitem__, workers=1, preload=("wave",))
        found.append(list(answers.values()))
    try:
        execute(dying, {0: Task((__import__("pathlib").Path("."),))}, print, workers=1, preload=("wave",))
    except RunError as error:
        found.append("died" if "died each time" in str(error.__cause__) else str(error))
    print(json.dumps(found))
"""
UNGUARDED = """
import sys
from nasbench_ws.errors import UsageError
from nasbench_ws.workers.pool import Task, execute

try:
    execute(pow, {0: Task((2, 3))}, print, workers=2)
except UsageError as error:
    print("refused:", error)
"""


BESIDE = """
import os, threading, time
taken = os.waitpid
def slowly(number, flags):
    if threading.current_thread() is threading.main_thread():
        time.sleep(0.1)
        return taken(number, flags)
    found = taken(number, flags)
    time.sleep(0.3)
    return found
os.waitpid = slowly
"""


@pytest.mark.parametrize("before", ["", BESIDE], ids=["as it comes", "the executor's thread takes the status first"])
def test_a_script_without_a_guard_is_told_of_it(before: str, tmp_path: Path) -> None:
    """Its workers end while they import it, which says nothing of memory."""
    script = tmp_path / "script.py"
    script.write_text(before + UNGUARDED)
    done = subprocess.run([sys.executable, "-P", str(script)], capture_output=True, text=True, check=True)
    assert done.stdout == (
        "refused: a worker process ended with status 1 while it started; its error is printed above. Workers import "
        "the script that starts them, so it must start them under `if __name__ == '__main__':` alone\n"
    )
    last = done.stderr.splitlines()[-1]  # of the worker's own traceback, which is one and not a chain
    assert last.partition("RunError: ")[2] == (
        "this is a worker process, which imports the script that started it, and the script starts workers again; it "
        "must start them under `if __name__ == '__main__':` alone"
    )
    assert "During handling" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_being_handed_over_is_not_interrupted(number: signal.Signals) -> None:
    done = Collected()

    def hand_over(name: Any, result: Any) -> None:
        os.kill(os.getpid(), number)
        time.sleep(0.01)  # Python handles it in here
        done(name, result)

    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(KeyboardInterrupt):
        execute(double, {x: Task((x,)) for x in range(3)}, hand_over)
    assert done == {0: 0}
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_a_second_interruption_does_not_wait() -> None:
    def hand_over(name: Any, result: Any) -> None:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)
        raise AssertionError("the second one did not come through")

    with pytest.raises(KeyboardInterrupt):
        execute(double, {0: Task((0,))}, hand_over)


def test_an_executor_that_is_shut_down() -> None:
    threads = ThreadPoolExecutor(1)
    threads.shutdown()
    with pytest.raises(RunError) as caught:
        execute(double, {0: Task((0,))}, Collected(), executor=threads)
    assert str(caught.value) == (
        "the executor is broken: cannot schedule new futures after shutdown; what finished is kept, run the same "
        "command with a new one"
    )


def test_an_interruption_ends_the_workers_at_once() -> None:
    done = Collected()

    def interrupt(name: Any, result: Any) -> None:
        done(name, result)
        raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        execute(run_any, {0: Task((double, 0)), 1: Task((sleeping, 60)), 2: Task((double, 2))}, interrupt, workers=2)
    for process in multiprocessing.active_children():
        process.join(10)
    assert not multiprocessing.active_children()
    assert time.monotonic() - started < 30
    assert done == {0: 0}


def test_an_error_of_this_package_stops_the_workers() -> None:
    started = time.monotonic()
    with pytest.raises(UsageError, match=r"^yours to mend$"):
        execute(
            run_any, {0: Task((sleeping, 60)), 1: Task((refusing, "yours to mend"))}, Collected(), workers=2,
            on_failed=Collected(),
        )  # fmt: skip
    assert time.monotonic() - started < 30


# -- on a given executor ------------------------------------------------------------------------------


def test_a_given_executor_is_used_and_left_open(tmp_path: Path) -> None:
    tasks = {"flaky": Task((flaky, tmp_path / "marker")), **{x: Task((double, x)) for x in range(5)}}
    with ThreadPoolExecutor(1) as threads:
        done, _ = progressing(tasks, run_any, executor=threads, workers=7)
        assert done == {"flaky": "well", **{x: 2 * x for x in range(5)}}
        with pytest.raises(RunError) as caught:
            execute(run_any, {"bad": Task((raising, "no"))}, Collected(), executor=threads)
        assert str(caught.value) == "task bad failed: ValueError: no; what finished is kept, run the same command again"
        with pytest.raises(UsageError, match=r"^mine$"):
            execute(run_any, {"bad": Task((refusing, "mine"))}, Collected(), executor=threads)
        assert threads.submit(int, "3").result() == 3


def test_tasks_that_somebody_else_is_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Left out where they are done, put off while they are not, and asked about again: now and then."""
    monkeypatch.setattr(pool, "ELSEWHERE_SECONDS", 0.05)
    asked: list[str] = []

    def ready(name: str) -> Any:
        asked.append(name)
        answers = {"ours": ["start"], "theirs": ["wait", "wait", "done"], "given up": ["wait", "start"]}[name]
        return answers[min(asked.count(name), len(answers)) - 1]

    tasks = {name: Task((1,)) for name in ("theirs", "ours", "given up")}
    done, reports = progressing(tasks, double, ready=ready)
    assert list(done) == ["ours", "given up"]
    assert asked == ["theirs", "ours", "given up", "theirs", "given up", "theirs"]
    assert (reports[-1].done, reports[-1].failed) == (3, 0)


class Forgetful(Executor):
    """One that cancels the first task that it is given, and loses touch with the second."""

    def __init__(self) -> None:
        self.count = 0

    def submit(self, function: Any, /, *arguments: Any, **options: Any) -> Future[Any]:
        self.count += 1
        future: Future[Any] = Future()
        if self.count == 1:
            future.cancel()
            future.set_running_or_notify_cancel()
        elif self.count == 2:
            future.set_exception(ConnectionError("no such machine"))
        else:
            future.set_result(function(*arguments, **options))
        return future


def test_what_an_executor_gives_up_is_tried_again() -> None:
    done, _ = progressing({0: Task((double, 1))}, run_any, executor=Forgetful(), retries=2)
    assert done == {0: 2}
    failed = Collected()
    progressing({0: Task((double, 1))}, run_any, executor=Forgetful(), retries=1, on_failed=failed)
    assert [str(error) for error in failed.values()] == ["no such machine"]


def test_what_ended_unnoticed_is_handed_over_before_an_interruption() -> None:
    done = Collected()

    def interrupt(name: Any, result: Any) -> None:
        done(name, result)
        if name == 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute(run_any, {x: Task((double, x)) for x in range(3)}, interrupt, executor=pool._Here())
    assert done == {0: 0, 1: 2, 2: 4}


def test_sigterm_is_an_interruption() -> None:
    def ended(on_step: OnStep) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        execute(ended, {0: Task(())}, Collected())
    assert signal.getsignal(signal.SIGTERM) == before


class Broken(Executor):
    """One that finishes its first task and then breaks, on submission or under way."""

    def __init__(self, on_submission: bool) -> None:
        self.on_submission, self.count = on_submission, 0

    def submit(self, function: Any, /, *arguments: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.count += 1
        if self.count == 1:
            future.set_result(function(*arguments, **options))
        elif self.on_submission:
            raise BrokenExecutor("gone")
        else:
            future.set_exception(BrokenExecutor("gone"))
        return future


def test_a_given_executor_that_breaks() -> None:
    done = Collected()
    with pytest.raises(RunError) as caught:
        execute(run_any, {x: Task((double, x)) for x in range(3)}, done, executor=Broken(on_submission=False))
    text = "the executor is broken: gone; what finished is kept, run the same command with a new one"
    assert str(caught.value) == text
    assert done == {0: 0}
    with pytest.raises(RunError) as caught:
        execute(run_any, {x: Task((double, x)) for x in range(3)}, done, executor=Broken(on_submission=True))
    assert str(caught.value) == text


def test_processors() -> None:
    assert 1 <= available_cpus() <= (os.cpu_count() or 1)


@pytest.mark.skipif(sys.platform != "linux", reason="there the server of forks is used")
def test_a_file_here_is_not_taken_for_a_library(tmp_path: Path) -> None:
    """As `array.py` of a user who stands there: workers, and what they are forked from, import the real one."""
    for name in ("array", "queue", "heapq"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('not this one')\n")
    (tmp_path / "elsewhere").mkdir()
    script = tmp_path / "elsewhere" / "script.py"
    script.write_text(
        "from nasbench_ws.workers.pool import Task, execute\n"
        "def f(x, on_step):\n    import array\n    return array.array('i', [x]).tolist()\n"
        "if __name__ == '__main__':\n"
        "    for preload in ((), ('json',)):\n"
        "        execute(f, {0: Task((7,))}, print, workers=1, preload=preload)\n"
    )
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("0 [7]\n0 [7]\n", "")
