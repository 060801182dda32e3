"""Files from strangers: each is read right or refused by one of our errors, in little time and memory.

Every batch of broken files is read in a process of its own, so that a crash of a library is seen as such. The plain
run has a few hundred files; `pytest -m slow tests/test_fuzz.py` has thousands.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TESTS_PATH
from forged import forged

from nasbench_ws.errors import NasbenchError, ResultError, TableError
from nasbench_ws.images.dataset import Images
from nasbench_ws.json_files import digest
from nasbench_ws.results.outcome import Changes, Readouts, Window
from nasbench_ws.results.result import Result
from nasbench_ws.tables.columns import Content
from nasbench_ws.tables.file import BLOCK, sealed
from nasbench_ws.tables.table import Table, load, verify, write_table

SECONDS = 10  # for one file
MEMORY = 3 * 2**30  # bytes of address space: libraries take most of it
READER = """
import json, resource, signal, sys
from pathlib import Path
from test_fuzz import SECONDS, MEMORY, broken, read
resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
kind, original, folder, first, last = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), *map(int, sys.argv[4:])
counts = {}
for seed in range(first, last):
    path = folder / f"broken{original.suffix}"
    path.write_bytes(broken(kind, original.read_bytes(), seed))
    print(seed, file=sys.stderr, flush=True)  # the last one is the culprit, should this process die
    signal.alarm(SECONDS)
    said = read(kind, path, original)
    signal.alarm(0)
    counts[said] = counts.get(said, 0) + 1
print(json.dumps(counts))
"""


def mutated(data: bytes, seed: int) -> bytes:
    """One of many ways to break a file, the same for the same seed."""
    rng = random.Random(seed)
    broken, at = bytearray(data), rng.randrange(len(data))
    if rng.random() < 0.5:
        at = rng.randrange(min(4096, len(data)))  # headers are at the front
    way = rng.randrange(8)
    if way == 0:
        del broken[at:]
    elif way == 1:
        for _ in range(rng.randint(1, 8)):
            place = rng.randrange(len(broken))
            broken[place] ^= 1 << rng.randrange(8)
    elif way == 2:
        broken[at : at + 8] = rng.choice([b"\xff" * 8, bytes(8), (2**62).to_bytes(8, "little"), b"\x7f" + b"\xff" * 7])
    elif way == 3:
        broken[at : at + rng.randint(1, 512)] = b""
    elif way == 4:
        broken[at:at] = rng.randbytes(rng.randint(1, 512))
    elif way == 5:
        size = rng.randint(1, 2048)
        broken[at : at + size] = bytes(min(size, len(broken) - at))
    elif way == 6:
        other, size = rng.randrange(len(data)), rng.randint(1, 256)
        broken[at : at + size] = data[other : other + size]
    else:
        broken[at] = rng.randrange(256)
    return bytes(broken)


def broken(kind: str, data: bytes, seed: int) -> bytes:
    """A broken copy; a "resealed" table is one whose seal fits, and of a "forged" one the digest does too."""
    if kind == "forged":
        return forged(original_of(data), seed)
    return sealed(mutated(data[BLOCK:], seed)) if kind == "resealed" else mutated(data, seed)


@functools.cache
def original_of(data: bytes) -> Content:
    with tempfile.NamedTemporaryFile(suffix=".h5") as file:
        file.write(data)
        file.flush()
        return load(file.name).content


def use(table: Table) -> None:
    """All that a command asks of a table."""
    repr(table), table._repr_html_(), table.absent(), table.recipe, table.macro, table.content.environments
    json.dumps(table.query(0).to_dict(), allow_nan=False)
    for by in ("test_accuracy", "valid_loss"):
        with contextlib.suppress(NasbenchError):  # no child has one
            table.best(by)
    for level in ("architecture", "seed", "epoch"):
        table.to_frame(level)
    table.to_xarray()
    with contextlib.suppress(TableError):
        assert np.isfinite(table.truth).all()


def read(kind: str, path: Path, original: Path) -> str:
    """What became of a file: refused, or read with every number right. AssertionError for a wrong number."""
    try:
        if kind == "forged":
            found = load(path)
            if verify(path):
                found.recipe, found.macro  # noqa: B018
                return "found wrong"
            use(found)
        elif kind != "result":
            found, right = load(path), load(original)
            assert found.digest == right.digest
            assert all(np.array_equal(a, right.content.columns[n], equal_nan=a.dtype.kind == "f")
                       for n, a in found.content.columns.items())  # fmt: skip
            verify(path)
        else:
            result = Result.load(path)
            assert result.data == Result.load(original).data
            str(result), repr(result), result._repr_html_()
    except NasbenchError as error:
        return "refused" if str(path) in str(error) else f"refused without its name: {error}"
    return "read"


def survive(kind: str, original: Path, folder: Path, files: int, batch: int = 250) -> dict[str, int]:
    """Read so many broken copies; what became of them."""
    environment = {**os.environ, "PYTHONPATH": TESTS_PATH, "OMP_NUM_THREADS": "1"}
    total: dict[str, int] = {}
    for first in range(0, files, batch):
        words = [kind, str(original), str(folder), str(first), str(min(first + batch, files))]
        done = subprocess.run(
            [sys.executable, "-P", "-c", READER, *words], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        for said, count in json.loads(done.stdout).items():
            total[said] = total.get(said, 0) + count
    return total


@pytest.mark.parametrize("kind", ["table", "resealed"])
@pytest.mark.parametrize("files", [250, pytest.param(5000, marks=pytest.mark.slow)])
def test_broken_tables(tiny: Any, tmp_path: Path, kind: str, files: int) -> None:
    write_table(tmp_path / "whole.h5", tiny.table.content)
    found = survive(kind, tmp_path / "whole.h5", tmp_path, files)
    print(found)
    assert found.keys() == {"refused", "read"}
    assert found["refused"] > files // 3


@pytest.mark.parametrize("files", [75, pytest.param(1500, marks=pytest.mark.slow)])
def test_forged_tables(tiny: Any, tmp_path: Path, files: int) -> None:
    """Whole as files and wrong in what they say: refused, found by `verify`, or good for all that is asked of one."""
    write_table(tmp_path / "whole.h5", tiny.table.content)
    found = survive("forged", tmp_path / "whole.h5", tmp_path, files)
    print(found)
    assert found.keys() <= {"refused", "found wrong", "read"}
    assert found["refused"] > files // 5
    assert found["found wrong"] > files // 10


@pytest.mark.parametrize("files", [250, pytest.param(5000, marks=pytest.mark.slow)])
def test_broken_results(make: Any, tmp_path: Path, files: int) -> None:
    make().save(tmp_path / "whole.json")
    found = survive("result", tmp_path / "whole.json", tmp_path, files)
    print(found)
    assert found.keys() <= {"refused", "read"}
    assert found["refused"] > files // 2


VALUES = (None, True, 0, -1, 1e308, "", "x", [], {}, [[]], {"a": 1}, 2**70)


def replaced(data: Any, rng: random.Random) -> Any:
    """The object with one value anywhere in it replaced or taken out: whole as a file, and wrong."""
    if not isinstance(data, dict | list) or not data or rng.random() < 0.15:
        return rng.choice(VALUES)
    if isinstance(data, list):
        place = rng.randrange(len(data))
        return [*data[:place], *([] if rng.random() < 0.2 else [replaced(data[place], rng)]), *data[place + 1 :]]
    key = rng.choice(sorted(data))
    if rng.random() < 0.2:
        return {name: value for name, value in data.items() if name != key}
    return {**data, key: replaced(data[key], rng)}


@pytest.mark.parametrize("files", [100, pytest.param(5000, marks=pytest.mark.slow)])
def test_results_that_are_whole_and_wrong(make: Any, tiny: Any, tmp_path: Path, files: int) -> None:
    """With a digest that fits: refused, or good enough for everything that shows results."""
    rng = np.random.default_rng(0)
    part = Changes(tuple(range(64)), np.eye(64), np.eye(64))
    readouts = Readouts(fine_tune={"running": {"5": rng.random((2, 64))}}, interference=((part,), (part,)))
    make(readouts=readouts, last=2, window=Window(rng.random((2, 2, 64)), ())).save(tmp_path / "whole.json")
    data = json.loads((tmp_path / "whole.json").read_text())
    del data["digest"]
    path, refused = tmp_path / "wrong.json", 0
    for seed in range(files):
        wrong = replaced(data, random.Random(seed))
        if not isinstance(wrong, dict):
            continue
        path.write_text(json.dumps({**wrong, "digest": digest(wrong)}))
        try:
            result = Result.load(path)
        except ResultError as error:
            refused += str(path) in str(error)
            continue
        str(result), repr(result), result._repr_html_(), result.to_frame(), result.to_xarray()
    print(f"{refused} of {files} refused")
    assert refused > files // 3


def test_names_of_any_kind(tiny: Any, tmp_path: Path) -> None:
    """Paths and names that cannot be are refused by our errors as well."""
    rng = random.Random(0)
    letters = "aA0.-_/ ~\\\n\t\0\udcff\u00e9\u4e2d*?[]{}$`'\"|:+"
    words = ["".join(rng.choices(letters, k=rng.randint(0, 12))) for _ in range(400)] + ["a" * 5000, "/" * 300]
    for word in words:
        for action in (load, Result.load, *([] if word in tiny.table.space else [tiny.table.query])):
            with pytest.raises(NasbenchError):
                action(word)


def test_pickles_are_never_read(tmp_path: Path) -> None:
    import pickle

    path = tmp_path / "evil.h5"
    path.write_bytes(pickle.dumps(Images))
    for action in (load, Result.load):
        with pytest.raises(NasbenchError):
            action(path)
    sources = "".join(path.read_text() for path in Path(sys.modules["nasbench_ws"].__file__ or "").parent.glob("*.py"))
    assert "pickle.load" not in sources
    assert "torch.load" not in sources
