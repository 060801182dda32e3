"""Workers on other machines: dask's scheduler as an Executor, which `build` and `evaluate` take.

    with dask_executor("tcp://head:8786") as executor:             # or the path of a scheduler file
        build(recipe, range(10), "runs", executor=executor, workers=2 * threads(executor))

Every worker needs this package, and the data sets that do not ship. Files are written here, by the process that asks.
Needs dask.distributed (extra `[dask]`).

A scheduler and its workers run whatever code is sent to them, by anyone who reaches their ports: keep them on a private
network, or behind dask's own TLS.
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from functools import partial
from pathlib import Path
from typing import Any

from nasbench_ws.errors import UsageError, extra
from nasbench_ws.limits import bytes_of

TIMEOUT_SECONDS = 20.0  # to reach the scheduler


class DaskExecutor(Executor):
    """Tasks for the workers of a scheduler. When that is lost it is broken, and so is every task under way.

    Dask's own executor cancels those tasks, and takes others for a scheduler that nobody may ever start again.
    """

    elsewhere = True  # its workers need not have the files that are here

    def __init__(self, client: Any, address: str) -> None:
        self._client, self._address = client, address
        self._executor = client.get_executor(pure=False)  # the same task twice is two tasks: it was asked for again

    def submit(self, function: Any, /, *arguments: Any, **options: Any) -> Future[Any]:
        self._check()
        inner: Future[Any] = self._executor.submit(function, *arguments, **options)
        outer: Future[Any] = Future()
        outer.add_done_callback(lambda future: inner.cancel() if future.cancelled() else None)
        inner.add_done_callback(partial(self._settle, outer))
        return outer

    def has_workers(self) -> bool:
        """Whether any worker is connected now. BrokenExecutor where the scheduler is lost."""
        self._check()
        return bool(self._client.nthreads())

    def _check(self) -> None:
        if self._client.status != "running":
            raise self._lost()

    def _settle(self, outer: Future[Any], inner: Future[Any]) -> None:
        if not outer.set_running_or_notify_cancel():
            return
        if inner.cancelled():  # not by us: that cancels the outer one first
            outer.set_exception(self._lost())
        elif (error := inner.exception()) is not None:
            outer.set_exception(error)
        else:
            outer.set_result(inner.result())

    def _lost(self) -> BrokenExecutor:
        return BrokenExecutor(f"the dask scheduler at {self._address} is gone, or has been told to drop its tasks")


@contextlib.contextmanager
def dask_executor(where: str, timeout: float = TIMEOUT_SECONDS) -> Iterator[DaskExecutor]:
    """An Executor on the scheduler at an address or of a scheduler file. UsageError where none answers.

    A task whose worker dies is given to another one, as often as dask's `allowed-failures` says, and then fails.
    """
    with extra("dask", "--dask needs dask.distributed"):
        from distributed import Client
    address = _address(where)
    try:
        _knock(address, timeout)
        client: Any = Client(address, timeout=timeout, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TypeError, KeyError) as error:  # refused, in vain, or no address at all
        raise _unanswered(where, error) from error
    try:
        yield DaskExecutor(client, address)
    finally:
        with _without_its_log():  # of a scheduler that is gone, it would print the traceback of its last try
            client.close()


@contextlib.contextmanager
def _without_its_log() -> Iterator[None]:
    log = logging.getLogger("distributed.client")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(level)


def _address(where: str) -> str:
    """As it is given, or of the scheduler file of that name."""
    if "://" in where or (where.rpartition(":")[2].isdecimal() and not Path(where).exists()):
        return where
    try:
        return str(json.loads(bytes_of(where, UsageError))["address"])
    except (UsageError, ValueError, TypeError, KeyError) as error:
        what = error if isinstance(error, UsageError) else "it is not the scheduler file of one"
        raise _unanswered(where, what) from error


def _knock(address: str, timeout: float) -> None:
    """OSError at once where nobody listens, which dask would try again and again until its time is over."""
    from distributed.comm.addressing import get_address_host_port

    if address.partition("://")[0] in ("tcp", "tls") or "://" not in address:
        host, port = get_address_host_port(address)
        socket.create_connection((host, port), timeout).close()


def _unanswered(where: str, error: object) -> UsageError:
    said = str(error).strip().splitlines()
    return UsageError(
        f"no dask scheduler answers at {where} ({said[0] if said else type(error).__name__}); start one with "
        "`dask scheduler --scheduler-file FILE`, workers with `dask worker --scheduler-file FILE --nthreads 1`, "
        "and give --dask FILE"
    )


def threads(executor: DaskExecutor) -> int:
    """Tasks that the cluster's workers run at once, now; at least 1."""
    counts: dict[str, int] = executor._client.nthreads()
    return max(1, sum(counts.values()))
