"""Where a plan's values lie in working memory, and that memory.

    arena = Arena()
    at = arena.take(8)                   # a place for 8 vectors an image, from `at` on
    arena.free(at, 8)                    # whoever asks for 8 next gets it
    with working_memory(arena.size * 32) as memory:  # bytes
        memory.data_ptr()
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import torch


class Arena:
    """Places in a run of vectors, those freed used again (first fit; places are few)."""

    def __init__(self) -> None:
        self.size = 0
        self._free: dict[int, list[int]] = {}

    def take(self, size: int) -> int:
        if self._free.get(size):
            return self._free[size].pop()
        at, self.size = self.size, self.size + size
        return at

    def free(self, at: int, size: int) -> None:
        self._free.setdefault(size, []).append(at)


_kept = threading.local()  # the kernels let go of the interpreter's lock: each thread needs memory of its own


@contextlib.contextmanager
def working_memory(size: int) -> Iterator[torch.Tensor]:
    """This thread's, at least `size` bytes, kept for the next to ask; who asks meanwhile gets other memory."""
    memory: torch.Tensor | None = getattr(_kept, "memory", None)
    _kept.memory = None
    if memory is None or memory.numel() < size:
        memory = torch.empty(size, dtype=torch.uint8)
    try:
        yield memory
    finally:
        _kept.memory = memory
