"""The fast path: a bound network executed by the compiled kernels, forward and backward in one call.

Computes what `plain` computes, on the CPU, in float32 or float64. `available()` says whether the optional
extension was built and fits this processor; `train` and `score` choose.

    engine = Engine(network, weights)
    engine.loss_and_gradient(images, labels, out)
"""

from __future__ import annotations

import ctypes
import functools
import importlib.machinery
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from nasbench_ws.network import IMAGE, Network
from nasbench_ws.weights import Weights

VERSION = 1  # of the plan's layout, as in kernels.cpp
_INT64 = npt.NDArray[np.int64]


@functools.cache
def _library() -> ctypes.CDLL | None:
    """The compiled kernels, or None where they were not built, or NASBENCH_WS_ENGINE=plain forbids them."""
    if os.environ.get("NASBENCH_WS_ENGINE") == "plain":
        return None
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        path = Path(__file__).with_name(f"_kernels{suffix}")
        if path.exists():
            try:
                library = ctypes.CDLL(str(path))
                return library if library.nbws_version() == VERSION else None
            except (OSError, AttributeError):
                return None
    return None


def available() -> bool:
    """Whether the compiled kernels can be used here."""
    return _library() is not None


def lanes(channels: int, dtype: torch.dtype) -> int:
    """Width of the vectors used for networks of that many channels, in numbers; 0 without the kernels."""
    library = _library()
    if library is None:
        return 0
    if dtype == torch.float64:
        return 4
    widest = int(library.nbws_lanes())
    while widest > 4 and channels % widest and channels < widest:
        widest //= 2
    return widest if os.uname().machine == "x86_64" else 4


@functools.cache
def _function(name: str) -> Callable[..., int]:
    library = _library()
    assert library is not None
    function: Any = getattr(library, f"nbws_run_{name}")
    pointer, integer = ctypes.c_void_p, ctypes.c_int64
    function.restype = ctypes.c_int
    function.argtypes = [
        pointer, integer, pointer, integer, pointer, pointer, ctypes.c_double, pointer, pointer, pointer,
        pointer, pointer, integer, integer, pointer, pointer, ctypes.c_int, pointer, pointer, pointer,
    ]  # fmt: skip
    return function  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Outcome:
    """Per head: `loss` (mean over images), `correct` (count); per block channel: `mean`, `var` (biased)."""

    loss: npt.NDArray[np.float64]
    correct: _INT64
    mean: torch.Tensor
    var: torch.Tensor


class Engine:
    """A bound network as a plan for the kernels.

    With `keep` (training) every activation has a place of its own; otherwise a place is used again as soon
    as nothing will read it, so that memory does not grow with the number of children.
    """

    def __init__(self, network: Network[int], weights: Weights, keep: bool) -> None:
        self.network, self.weights, self.keep = network, weights, keep
        self.lanes = lanes(weights.macro.channels, weights.dtype)
        kind = "f64" if weights.dtype == torch.float64 else "f32"
        self._call = _function(f"{kind}x{self.lanes}")
        self.channels = sum(block.out_channels for block in network.blocks)
        self._plan()

    def _size(self, channels: int, pixels: int) -> int:
        return -(-channels // self.lanes) * pixels  # vectors an image

    def _plan(self) -> None:
        network, storages = self.network, self.weights.storages
        inputs: list[int] = []
        targets: list[int] = []
        readers = list(enumerate([*(b.inputs for b in network.blocks), *(h.inputs for h in network.heads)]))
        # A reader's gradient goes to all terms of a group alike: terms read by the same groups share a buffer.
        reads: dict[int, list[tuple[int, int]]] = {i: [] for i in range(len(network.blocks))}
        for i, groups in readers:
            for g, group in enumerate(groups):
                for term in group:
                    if term != IMAGE:
                        reads[term].append((i, g))
        buffers: dict[tuple[tuple[int, int], ...], int] = {}
        buffer_of = {term: buffers.setdefault(tuple(r), len(buffers)) for term, r in reads.items()}
        arena = _Arena()
        sizes = [self._size(b.out_channels, b.height * b.width) for b in network.blocks]
        buffer_at: dict[int, int] = {}
        if self.keep:
            for term, buffer in buffer_of.items():
                if buffer not in buffer_at:
                    buffer_at[buffer] = arena.take(sizes[term])
        written: set[int] = set()
        target_at: dict[int, int] = {}
        for i, groups in reversed(readers):  # the order of the backward pass, heads first
            target_at[i] = len(targets)
            for group in groups:
                if not self.keep or group == (IMAGE,):
                    targets.append(0)
                    continue
                distinct = sorted({buffer_of[term] for term in group})
                targets.append(len(distinct))
                for buffer in distinct:
                    targets += [buffer_at[buffer], int(buffer not in written)]
                    written.add(buffer)
        last_read, _ = network.lifetimes()
        rows = []
        stat = 0
        expiring: dict[int, list[tuple[int, int]]] = {}
        for i, block in enumerate(network.blocks):
            z = arena.take(sizes[i])
            expiring.setdefault(last_read[i], []).append((z, sizes[i]))
            at = self._encode(inputs, block.inputs, block.in_channels)
            affine = storages[block.bn].offset if block.affine else -1
            rows.append([
                block.relu, block.pool, block.kernel, block.dilation, block.conv_kernel, block.in_channels,
                block.out_channels, block.height, block.width, self._offset(block.depthwise),
                self._offset(block.conv), affine, z, buffer_at.get(buffer_of[i], 0), at, target_at[i], stat,
            ])  # fmt: skip
            stat += block.out_channels
            if not self.keep:
                for place in expiring.pop(i, []):
                    arena.free(*place)
        heads = []
        for i, head in enumerate(network.heads, start=len(network.blocks)):
            at = self._encode(inputs, head.inputs, head.channels)
            linear = storages[head.linear].offset
            heads.append([head.channels, head.classes, head.height, head.width, linear, at, target_at[i]])
        self._rows = np.array(rows, dtype=np.int64)
        self._heads = np.array(heads, dtype=np.int64)
        self._inputs = np.array(inputs, dtype=np.int64)
        self._targets = np.array(targets, dtype=np.int64)
        self._vectors = arena.size

    def _encode(self, inputs: list[int], groups: tuple[tuple[int, ...], ...], channels: int) -> int:
        at = len(inputs)
        inputs.append(len(groups))
        for group in groups:
            inputs += [channels // len(groups), len(group), *group]
        return at

    def _offset(self, number: int | None) -> int:
        return -1 if number is None else self.weights.storages[number].offset

    def run(
        self,
        images: torch.Tensor,
        labels: torch.Tensor,
        batch: int,
        statistics: tuple[torch.Tensor, torch.Tensor] | None = None,
        gradient: torch.Tensor | None = None,
        logits: torch.Tensor | None = None,
    ) -> Outcome:
        """Forward over images (B, H, W, C), `batch` at a time; backward where `gradient` is given.

        `statistics` are each block's mean and variance (s,) float64; without them, those of the batch.
        `gradient` (n,) is added to. `logits` (heads, B, classes) is filled.
        """
        values = self.weights.values
        total = len(images)
        if statistics is None:
            mean = torch.zeros(self.channels, dtype=torch.float64)
            var = torch.zeros(self.channels, dtype=torch.float64)
        else:
            mean, var = (s.to(torch.float64).contiguous() for s in statistics)
        loss = np.zeros(len(self.network.heads))
        correct = np.zeros(len(self.network.heads), dtype=np.int64)
        assert images.is_contiguous() and labels.is_contiguous()  # noqa: PT018
        assert images.dtype == values.dtype
        batch = min(batch, total)
        arena = _memory(self._vectors * batch * self.lanes * values.element_size())
        failed = self._call(
            self._rows.ctypes.data, len(self._rows), self._heads.ctypes.data, len(self._heads),
            self._inputs.ctypes.data, self._targets.ctypes.data, self.weights.macro.bn_eps, arena.data_ptr(),
            values.data_ptr(), None if gradient is None else gradient.data_ptr(), images.data_ptr(),
            labels.data_ptr(), total, batch, mean.data_ptr(), var.data_ptr(), int(statistics is not None),
            loss.ctypes.data, correct.ctypes.data, None if logits is None else logits.data_ptr(),
        )  # fmt: skip
        if failed:
            raise MemoryError("the engine found no memory for its scratch space")
        return Outcome(loss / total, correct, mean, var)


class _Arena:
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


def _memory(size: int) -> torch.Tensor:
    """This thread's working memory, at least `size` bytes, kept between calls."""
    memory: torch.Tensor | None = getattr(_kept, "memory", None)
    if memory is None or memory.numel() < size:
        memory = _kept.memory = torch.empty(size, dtype=torch.uint8)
    return memory


def description(fast: bool, channels: int = 8) -> str:
    """The processor and the path that computes on it, for records."""
    path = f"kernels x{lanes(channels, torch.float32)}" if fast else "torch"
    return f"cpu {_processor()}, {path}"


@functools.cache
def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return os.uname().machine
