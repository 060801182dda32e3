"""How long a reader waits for the command line: processor time of a process of its own, the least of five.

    pytest benchmarks/bench_cli.py

The limits are those of a 2.5 GHz processor that does nothing else; what must not be imported is in
tests/cli/test_startup.py.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from nasbench_ws import data
from nasbench_ws.cli import WHERE
from nasbench_ws.tables.table import load

COMMAND = [sys.executable, "-P", "-c", "from nasbench_ws.cli import main; main()"]
RESULTS = Path(data.__file__).parent / "results"
CASES = {  # words, exit code, seconds of the processor
    **{f"{name} --help": ([name, "--help"], 0, 0.25) for name in WHERE},
    "--help": (["--help"], 0, 0.25),
    "a mistyped option": (["evaluate", "full", "--stps", "3"], 2, 0.25),
    "an unknown strategy": (["evaluate", "ful"], 6, 0.5),
    "an unknown mode": (["evaluate", "full", "--batch-norm", "runing"], 2, 0.5),
    "query": (["query", "434"], 0, 0.5),
    "show": (["show", "434"], 0, 1.0),
    "leaderboard": (["leaderboard"], 0, 1.0),
    "assess": (["assess", "scores.csv"], 0, 1.0),
    "compare": (["compare", str(RESULTS / "shuffle.json"), str(RESULTS / "none-child-updates.json")], 0, 1.0),
}


@pytest.mark.parametrize("case", CASES)
def test_processor_time(benchmark, case, tmp_path):
    words, code, limit = CASES[case]
    (tmp_path / "scores.csv").write_text("".join(f"{entry.name},{entry.params}\n" for entry in load("fashion14")))
    seconds = []

    def ask():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        found = subprocess.run([*COMMAND, *words], cwd=tmp_path, capture_output=True, text=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert found.returncode == code, found.stderr

    benchmark.pedantic(ask, rounds=5, warmup_rounds=1)
    benchmark.extra_info |= {"processor seconds": min(seconds), "limit": limit}
    if not benchmark.disabled:
        assert min(seconds) <= limit
