"""Training is tested on one thread, as workers train: with several, torch's small operations wait for one another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nasbench_ws.training.loop import one_thread


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield
