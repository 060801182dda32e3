"""Reads a foreign file of images in a process of its own, with limits on time and memory.

    contents_apart(Path("fashion14-images.h5").read_bytes(), ("train",))      # as `contents` (images/hdf5.py)

The other process is this file, run as a module: the bytes come on its standard input, and the contents leave on its
standard output as numpy's arrays and JSON, of which nothing is run.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from nasbench_ws.images.hdf5 import MAX_BYTES, contents

SECONDS = 60  # of processor time; the shipped file takes 0.1
WALL_SECONDS = 3 * SECONDS  # beside other load
MEMORY = 3 * MAX_BYTES  # bytes of address space, of which libraries take most


def contents_apart(data: bytes, splits: Sequence[str], seconds: int = SECONDS) -> dict[str, Any]:
    """As `contents`. RuntimeError where the other process raises, crashes, or takes too long."""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    command = [sys.executable, "-m", "nasbench_ws.images.apart", str(seconds), *splits]
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command, input=data, capture_output=True, timeout=WALL_SECONDS, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"reading it took more than {WALL_SECONDS} seconds") from None
    if done.returncode:
        last = (done.stderr.decode(errors="replace").strip().splitlines() or [""])[-1]
        raise RuntimeError(
            last if done.returncode == 1 else f"HDF5's library died of signal {-done.returncode} over it"
        )
    with np.load(io.BytesIO(done.stdout), allow_pickle=False) as archive:
        arrays = {name: np.ascontiguousarray(archive[name]) for name in archive if name != "attributes"}
        attributes = json.loads(bytes(archive["attributes"]))
    tuples = {key: tuple(attributes[key]) for key in ("classes", "mean", "std") if key in attributes}
    return {**attributes, **tuples, **arrays}


def main() -> None:
    seconds, *splits = sys.argv[1:]
    with contextlib.suppress(ImportError):  # not on Windows
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds)))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        found = contents(sys.stdin.buffer.read(), splits)
    except Exception as error:  # libhdf5 raises nearly any kind when it meets broken bytes
        sys.exit(" ".join(str(error).split()) or type(error).__name__)
    arrays = {name: value for name, value in found.items() if isinstance(value, np.ndarray)}
    attributes = json.dumps({name: value for name, value in found.items() if name not in arrays}).encode()
    buffer = io.BytesIO()
    np.savez(buffer, attributes=np.frombuffer(attributes, np.uint8), **arrays)  # type: ignore[arg-type]
    sys.stdout.buffer.write(buffer.getvalue())


if __name__ == "__main__":
    main()
