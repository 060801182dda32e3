"""Commands on files that are whole and wrong in what they say: exit codes of ours, JSON that is JSON, in little time.

Runs and groups are tried in the plain run, results and tables by `pytest -m slow tests/test_fuzz_commands.py`.
"""

from __future__ import annotations

import contextlib
import json
import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from conftest import LITTLE
from forged import forged
from test_fuzz import replaced

from nasbench_ws.cli import group
from nasbench_ws.errors import NasbenchError
from nasbench_ws.json_files import digest
from nasbench_ws.results.effort import drawing
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.tables.merge import runs_of
from nasbench_ws.tables.run import run_path, write_run
from nasbench_ws.tables.table import write_table

COUNTS = {"results": 100, "tables": 100, "runs": 40, "groups": 30}  # files of each kind
SECONDS = 30  # of a processor, for one command
CODES = range(10)  # 1 is a fault of this program's, and is looked for by its exception
ODD = ("\ud800", "\x1b[2J", "$\\frac$", "\x00", "a\nb", 10**400, 5e-324, [[[]]], {"0": 1}, float("nan"), -(2**63))
Files = Callable[[int], Sequence[list[str]]]  # of a seed: the commands that read the file which it has written


@pytest.fixture(autouse=True)
def limited() -> Iterator[None]:
    def late(*_: object) -> None:
        raise TimeoutError(f"more than {SECONDS} s of a processor")

    before = signal.signal(signal.SIGPROF, late)
    with drawing(LITTLE):
        yield
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGPROF, before)


def wrong(data: Any, seed: int) -> Any:
    """The object with one to three values wrong, a few of them of kinds that no sound file has."""
    rng = random.Random(seed)
    for _ in range(rng.choice((1, 1, 2, 3))):
        data = replaced(data, rng)
        if isinstance(data, dict) and data and rng.random() < 0.3:
            data = {**data, rng.choice(sorted(data)): rng.choice(ODD)}
    return data


def record(path: Path, data: Any) -> None:
    """With a digest that fits, where there can be one."""
    with contextlib.suppress(TypeError, ValueError):
        data = {**data, "digest": digest(data)}
    path.write_text(json.dumps(data))


def opened(path: Path) -> dict[str, Any]:
    return {key: value for key, value in json.loads(path.read_text()).items() if key != "digest"}


def of_results(folder: Path, make: Any, tiny: Any) -> Files:
    write_table(folder / "tiny.h5", tiny.table.content)
    for name, seeds in (("whole", (0, 1)), ("other", (5, 6))):
        make(seeds=seeds).save(folder / f"{name}.json")
    data, path, table = opened(folder / "whole.json"), folder / "wrong.json", ["--table", str(folder / "tiny.h5")]

    def files(seed: int) -> Sequence[list[str]]:
        record(path, wrong(data, seed))
        return [
            ["show", str(path), "--json"], ["show", str(path)], ["compare", str(path), str(folder / "other.json")],
            ["why", str(path), "--json", *table],
            ["join", str(path), str(folder / "other.json"), "-o", str(folder / "j.json"), "--force", *table],
        ]  # fmt: skip

    return files


def of_tables(folder: Path, make: Any, tiny: Any) -> Files:
    path, scores = folder / "wrong.h5", folder / "scores.csv"
    scores.write_text("child,score\n" + "".join(f"{child.name},{child.index}\n" for child in DEEPER64))

    def files(seed: int) -> Sequence[list[str]]:
        path.write_bytes(forged(tiny.table.content, seed))
        table = ["--table", str(path)]
        return [
            ["verify", str(path)], ["query", "111", "--json", *table], ["show", "112", *table],
            ["top", "--json", *table], ["strategies", "groups:similar:4", *table],
            ["assess", str(scores), "--json", *table], ["export", "-o", str(folder / "e.csv"), "--force", *table],
            ["merge", str(path), "-o", str(folder / "m.h5"), "--force"],
        ]  # fmt: skip

    return files


def of_runs(folder: Path, make: Any, tiny: Any) -> Files:
    runs = list(runs_of(tiny.table))[:3]
    for run in runs:
        write_run(folder, run)
    path = run_path(folder, runs[0].hash, runs[0].seed)
    data = opened(path)

    def files(seed: int) -> Sequence[list[str]]:
        record(path, wrong(data, seed))
        return [["merge", str(folder), "-o", str(folder / "m.h5"), "--force"]]

    return files


def of_groups(folder: Path, make: Any, tiny: Any) -> Files:
    path, kinds = folder / "g.json", ({c.name: c.index % 3 for c in DEEPER64}, [[c.name for c in DEEPER64]])

    def files(seed: int) -> Sequence[list[str]]:
        path.write_text(json.dumps(wrong(kinds[seed % 2], seed)))
        return [["strategies", f"groups:file:{path}", "--json"]]

    return files


def not_json(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


KINDS = {"results": of_results, "tables": of_tables, "runs": of_runs, "groups": of_groups}


SLOW = [pytest.param(kind, marks=pytest.mark.slow) for kind in ("results", "tables")]


@pytest.mark.parametrize("kind", [*SLOW, "runs", "groups"])
def test_commands_on_files_that_are_whole_and_wrong(kind: str, make: Any, tiny: Any, tmp_path: Path) -> None:
    files, codes = KINDS[kind](tmp_path, make, tiny), Counter[int]()
    for seed in range(COUNTS[kind]):
        for words in files(seed):
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            found = CliRunner().invoke(group, words)
            signal.setitimer(signal.ITIMER_PROF, 0)
            error = found.exception
            ours = error is None or isinstance(error, NasbenchError | SystemExit)
            assert ours, f"seed {seed}, {words}: {error!r}"
            code = error.exit_code if isinstance(error, NasbenchError) else found.exit_code
            assert code in CODES
            if code == 0 and "--json" in words:
                json.loads(found.stdout, parse_constant=not_json)
            codes[code] += 1
    print(kind, dict(codes))
    assert sum(codes[code] for code in CODES if code) > 0
