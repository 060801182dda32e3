"""What does a question to a table cost: the first one in a new process, and the next?

    pytest benchmarks/bench_table.py --benchmark-only --benchmark-json=table.json

Grouped by the question, over 64, 729 and 4,096 children. Beside our file stand two other layouts of the same
content, asked in the same run, in turn: a pickled dictionary of objects, and HDF5 with a group for each
architecture. Every answer is checked against the content; no time is asserted. In `extra_info`:

    seconds       of one question: a whole process for the first, one query for the next
    own_seconds   of that process, what comes after importing numpy and h5py (pickle: after importing pickle)
    all_seconds   likewise, when the question is the test accuracy of every child, which rank metrics ask
"""

from __future__ import annotations

import json
import os
import pickle
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest

from nasbench_ws.recipe import Recipe
from nasbench_ws.space.cell import Space
from nasbench_ws.space.macro import build_macro
from nasbench_ws.space.registry import DEEPER64, SPACES
from nasbench_ws.tables.checks import blank_columns, root_attributes
from nasbench_ws.tables.columns import CURVES, Content
from nasbench_ws.tables.file import write_table
from nasbench_ws.tables.table import Table, load, shipped

SPACES_OF = {
    64: DEEPER64,
    729: Space("bench729", 3, DEEPER64.operations[:3]),
    4096: Space("bench4096", 3, DEEPER64.operations),
}
SEEDS, EPOCHS = 10, 30  # of a synthetic table
# An installed package has its byte code compiled: so here, whatever the environment says of writing it.
BYTE_CODE = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": tempfile.mkdtemp()}
ENVIRONMENT = {**os.environ, **BYTE_CODE}
PROCESSES = 5  # new ones for each layout and question

# What a new process runs. Each defines one(path, hash) and every(path); both answer test accuracies, means over
# seeds at the last epoch. Importing what a layout cannot do without comes before the clock starts.
ASK = """
import json, sys, time
{imports}
began = time.perf_counter()
{code}
answer = one(sys.argv[1], sys.argv[2]) if sys.argv[2] else list(every(sys.argv[1]))
print(json.dumps([time.perf_counter() - began, answer]))
"""
LAYOUTS = {
    "table": (
        "import numpy, h5py",
        """
from nasbench_ws.tables.table import load
one = lambda path, hash: load(path).query(hash).test_accuracy.mean
every = lambda path: load(path).column("test_accuracy").tolist()
""",
    ),
    "pickle": (
        "import pickle",
        """
read = lambda path: pickle.load(open(path, "rb"))
mean = lambda entry: sum(curve[-1] for curve in entry.test_accuracy) / len(entry.test_accuracy)
one = lambda path, hash: mean(read(path)[hash])
every = lambda path: map(mean, read(path).values())
""",
    ),
    "groups": (
        "import numpy, h5py",
        """
mean = lambda group: float(group["test_accuracy"][:, -1].mean())
one = lambda path, hash: mean(h5py.File(path, "r")[hash])
every = lambda path: map(mean, h5py.File(path, "r").values())
""",
    ),
}


def synthetic(space: Space) -> Content:
    recipe = Recipe(space=space.name)
    macro = build_macro(recipe, 14, 14, 1, 10)
    columns = blank_columns(space, macro, range(SEEDS), np.arange(1.0, EPOCHS + 1).tolist())
    rng = np.random.default_rng(0)
    for name in CURVES:
        values = rng.random(columns[name].shape)
        columns[name][:] = np.round(values, 4) if name.endswith("_accuracy") else values
    columns["status"][:] = columns["environment"][:] = 0
    environments = [{"versions": {}, "device": "synthetic"}]
    return Content(root_attributes(recipe, space, macro, "0" * 64, environments, "MIT", "synthetic"), columns)


@pytest.fixture(scope="module", params=SPACES_OF)
def files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """The same content in each layout: paths by layout, the table, and what every answer must be."""
    size: int = request.param
    folder = tmp_path_factory.mktemp(str(size))
    paths = {layout: folder / layout for layout in LAYOUTS}
    origin = "synthetic"
    if size == 64 and "fashion14" in shipped():
        origin, paths["table"] = "fashion14", shipped()["fashion14"]
    else:
        write_table(paths["table"], synthetic(SPACES_OF[size]))
    table = load(paths["table"])
    columns = table.content.columns
    entries = {}
    with h5py.File(paths["groups"], "w", track_order=True) as file:
        for i, child in enumerate(table.space):
            curves = {name: columns[name][i, table.planned[i]] for name in CURVES}
            entries[child.hash] = SimpleNamespace(
                spec=child.spec, params=int(columns["params"][i]), macs=int(columns["macs"][i]),
                **{name: curve.tolist() for name, curve in curves.items()},
            )  # fmt: skip
            group = file.create_group(child.hash)
            group.attrs.update({"spec": child.spec, "params": columns["params"][i], "macs": columns["macs"][i]})
            for name, curve in curves.items():
                group.create_dataset(name, data=curve)
    paths["pickle"].write_bytes(pickle.dumps(entries))
    truth = np.array([np.mean(entry.test_accuracy, axis=0)[-1] for entry in entries.values()])
    return SimpleNamespace(size=size, origin=origin, paths=paths, table=table, entries=entries, truth=truth)


def about(files: SimpleNamespace) -> dict[str, Any]:
    children, seeds, epochs = files.table.content.shape
    return {
        "content": f"{files.origin}: {children} children x {seeds} seeds x {epochs} epochs",
        "bytes": {layout: path.stat().st_size for layout, path in files.paths.items()},
        "machine": f"{platform.machine()}, Python {platform.python_version()}, h5py {h5py.__version__}",
    }


def ask(layout: str, path: Path, hash: str) -> tuple[float, float, Any]:
    """Seconds of a whole new process, its own seconds after its imports, and its answer."""
    imports, code = LAYOUTS[layout]
    program = ASK.format(imports=imports, code=code)
    began = time.perf_counter()
    arguments = [sys.executable, "-P", "-c", program, str(path), hash]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, env=ENVIRONMENT)
    seconds = time.perf_counter() - began
    own, answer = json.loads(done.stdout)
    return seconds, own, answer


def median_of(question: Callable[[], tuple[float, float, Any]], right: Any) -> tuple[float, float]:
    asked = [question() for _ in range(PROCESSES)]
    for _, _, answer in asked:
        np.testing.assert_allclose(answer, right, rtol=1e-14)
    return statistics.median(seconds for seconds, _, _ in asked), statistics.median(own for _, own, _ in asked)


@pytest.mark.benchmark(group="the first question of a new process")
def test_query_cold(benchmark: Any, files: SimpleNamespace) -> None:
    child = files.table.space[files.size // 2]
    path = files.paths["table"]
    benchmark.pedantic(ask, ("table", path, child.hash), rounds=PROCESSES, warmup_rounds=1)

    layouts = {}
    for layout, path in files.paths.items():
        ask(layout, path, child.hash)  # files and byte code are in memory from here on
        seconds, own = median_of(lambda: ask(layout, path, child.hash), files.truth[child.index])  # noqa: B023
        _, own_of_all = median_of(lambda: ask(layout, path, ""), files.truth)  # noqa: B023
        layouts[layout] = {"seconds": seconds, "own_seconds": own, "all_seconds": own_of_all}
    benchmark.extra_info.update(about(files) | layouts["table"] | {"layouts": layouts})


@pytest.mark.benchmark(group="every next question")
def test_query_warm(benchmark: Any, files: SimpleNamespace) -> None:
    """Per query, over all children by hash; `first_seconds` is the first query of each."""
    hashes = list(files.entries)
    table: Table = load(files.paths["table"])

    def ours() -> list[float]:
        return [table.query(hash).test_accuracy.mean for hash in hashes]

    def objects() -> list[float]:
        entries = (files.entries[hash].test_accuracy for hash in hashes)
        return [sum(curve[-1] for curve in curves) / len(curves) for curves in entries]

    began = time.perf_counter()
    ours()
    first = (time.perf_counter() - began) / len(hashes)
    np.testing.assert_allclose(benchmark(ours), files.truth, rtol=1e-14)
    layouts = {"table": per_query(ours, hashes), "pickle": per_query(objects, hashes)}
    np.testing.assert_allclose(objects(), files.truth, rtol=1e-14)
    with h5py.File(files.paths["groups"], "r") as file:

        def groups() -> list[float]:
            return [float(file[hash]["test_accuracy"][:, -1].mean()) for hash in hashes]

        layouts["groups"] = per_query(groups, hashes)
        np.testing.assert_allclose(groups(), files.truth, rtol=1e-14)
    benchmark.extra_info.update(
        about(files) | {"seconds": layouts["table"], "first_seconds": first, "layouts": layouts}
    )


def per_query(question: Callable[[], object], hashes: list[str]) -> float:
    times = []
    for _ in range(PROCESSES):
        began = time.perf_counter()
        question()
        times.append(time.perf_counter() - began)
    return statistics.median(times) / len(hashes)


@pytest.mark.benchmark(group="opening a table")
def test_load(benchmark: Any, files: SimpleNamespace) -> None:
    """In a process that has the package imported: read, digest checked, every row's identity checked."""
    table = benchmark(load, files.paths["table"])
    np.testing.assert_allclose(table.truth, files.truth, rtol=1e-14)
    benchmark.extra_info.update(about(files))
    if benchmark.stats is not None:  # which it is where benchmarks run once, untimed
        benchmark.extra_info["seconds"] = benchmark.stats.stats.median


def test_spaces_of_the_benchmark_stay_its_own() -> None:
    assert [len(space) for space in SPACES_OF.values()] == list(SPACES_OF)
    assert "bench729" not in SPACES
