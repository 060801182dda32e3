"""Workers on other machines: dask's scheduler as an Executor, which `build` and `evaluate` take.

    with dask_executor("tcp://head:8786") as executor:             # or the path of a scheduler file
        build(recipe, range(10), "runs", executor=executor, workers=2 * threads(executor))

Every worker needs this package, and the data sets that do not ship. Files are written here, by the one that asks.
Needs dask.distributed (extra `[dask]`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from nasbench_ws.errors import UsageError, extra

TIMEOUT_SECONDS = 20.0  # to reach the scheduler


@contextlib.contextmanager
def dask_executor(where: str, timeout: float = TIMEOUT_SECONDS) -> Iterator[Executor]:
    """An Executor on the scheduler at an address or of a scheduler file. UsageError where none answers.

    A task whose worker dies is given to another one, as often as dask's `allowed-failures` says, and then fails.
    """
    with extra("dask", "--dask needs dask.distributed"):
        from distributed import Client
    at: dict[str, Any] = {"scheduler_file": where} if Path(where).is_file() else {"address": where}
    try:
        client: Any = Client(**at, timeout=timeout, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TypeError, KeyError) as error:  # refused, in vain, or no address at all
        said = str(error).strip().splitlines()
        raise UsageError(
            f"no dask scheduler answers at {where} ({said[0] if said else type(error).__name__}); start one with "
            "`dask scheduler --scheduler-file FILE`, workers with `dask worker --scheduler-file FILE --nthreads 1`, "
            "and give --dask FILE"
        ) from error
    try:
        yield client.get_executor(pure=False)  # the same task twice is two tasks: it was asked for again
    finally:
        client.close()


def threads(executor: Executor) -> int:
    """Tasks that the cluster's workers run at once, now; at least 1."""
    counts: dict[str, int] = executor._client.nthreads()  # type: ignore[attr-defined]
    return max(1, sum(counts.values()))
