"""The fast backend: a bound network executed by the compiled kernels, forward and backward in one call.

Computes what `reference` computes, on the CPU, in float32 or float64. `available()` says whether the optional
extension was built (training/kernels/library.py); `backend.chosen` chooses. Sizes, labels and plans are checked here
or in the kernels before anything is written: no argument may end the process.

    engine = Engine(network, weights, keep=True)
    loss, correct = engine.learn(images, labels, gradient, momentum=0.1)
    Updater(weights, weights.ranges([0])).update(gradient, lr, momentum, decay)
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from nasbench_ws.errors import UsageError
from nasbench_ws.provenance import processor
from nasbench_ws.space.blocks import IMAGE, Network
from nasbench_ws.training.checks import check_batch, check_count, check_gradient, check_labels
from nasbench_ws.training.kernels.criterion import CALLBACK, Asked, Criterion
from nasbench_ws.training.kernels.known import check_network
from nasbench_ws.training.kernels.lanes import lanes
from nasbench_ws.training.kernels.library import available, function, real
from nasbench_ws.training.kernels.memory import Arena, working_memory
from nasbench_ws.training.weights import Statistics, Weights
from nasbench_ws.workers.threads import threads_now

__all__ = ["COMPILED", "Engine", "Outcome", "Updater", "available", "lanes"]
CHUNK_BYTES = 2**16  # of one block's results, where statistics are given: what is under way stays in the cache
MOST_THREADS = 64  # as in team.inc
LEAST_IMAGES = 8  # of a batch, for a thread: fewer are done before the threads have met at the block's end
POOLS = ("", "max", "average")  # as the kernels number them
_NO_MEMORY, _BAD_LABEL, _STOPPED = 1, 2, 3  # what a run returns (kernels.cpp)
_INT64: TypeAlias = npt.NDArray[np.int64]
_FLOATS: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """Per head: `loss` (mean over images), `correct` (count); per block channel: `mean`, `var` (biased)."""

    loss: _FLOATS
    correct: _INT64
    mean: torch.Tensor
    var: torch.Tensor


class Engine:
    """A bound network as a plan for the kernels.

    With `keep` (training) every activation has a place of its own until the backward pass is done with it, and
    gradients take the places that are free by then; otherwise a place is used again as soon as nothing will read it,
    so that memory does not grow with the number of children.
    UsageError for a network that the kernels do not know.
    """

    def __init__(self, network: Network[int], weights: Weights, keep: bool) -> None:
        check_network(network)
        self.network, self.weights, self.keep = network, weights, keep
        self.lanes = lanes(weights.macro.channels, weights.dtype)
        kind = real(weights.dtype)
        self._call = function(f"nbws_run_{kind}x{self.lanes}", "pipippdpppppiippipppiipp")
        self._move = function(f"nbws_move_{kind}", "ppppppidd")
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
        arena = Arena()
        sizes = [self._size(b.out_channels, b.height * b.width) for b in network.blocks]
        places = [arena.take(size) for size in sizes] if self.keep else []  # of the blocks' results
        buffer_at: dict[int, int] = {}
        # Who gives to a buffer last in the backward pass: the first reader, which goes through its groups in order.
        last_giver = {buffer: max(one for one in r if one[0] == r[0][0]) for r, buffer in buffers.items()}
        once = {buffer: len(set(r)) == len(r) for r, buffer in buffers.items()}
        summed = {buffer: once[buffer] and giver[0] < len(network.blocks) for buffer, giver in last_giver.items()}
        takers = Counter(buffer_of.values())  # blocks that have not taken their gradient yet
        target_at: dict[int, int] = {}
        for i, groups in reversed(readers):  # the order of the backward pass, heads first
            target_at[i] = len(targets)
            for g, group in enumerate(groups):
                if not self.keep or group == (IMAGE,):
                    targets.append(0)
                    continue
                # A term that is there n times shares a buffer with such terms only, which is given to n times.
                given = sorted(
                    buffer
                    for buffer in {buffer_of[term] for term in group}
                    for _ in range(group.count(next(t for t in group if buffer_of[t] == buffer)))
                )
                targets.append(len(given))
                for buffer in given:
                    first = buffer not in buffer_at
                    if first:
                        buffer_at[buffer] = arena.take(sizes[next(t for t in group if buffer_of[t] == buffer)])
                    # A head gives before the backward pass begins: sums are made by blocks only, and only by such
                    # as give once.
                    sums = last_giver[buffer] == (i, g) and summed[buffer]
                    targets += [buffer_at[buffer], int(first), int(sums)]
            if self.keep and i < len(network.blocks):  # done with this block: later gradients may lie there
                arena.free(places[i], sizes[i])
                takers[buffer_of[i]] -= 1
                if not takers[buffer_of[i]]:
                    arena.free(buffer_at[buffer_of[i]], sizes[i])
        writes = [self._written(r) for r in reads.values()]
        last_read, _ = network.lifetimes()
        rows = []
        stat = 0
        expiring: dict[int, list[tuple[int, int]]] = {}
        for i, block in enumerate(network.blocks):
            z = places[i] if self.keep else arena.take(sizes[i])
            expiring.setdefault(last_read[i], []).append((z, sizes[i]))
            at = self._encode(inputs, block.inputs, block.in_channels)
            affine = storages[block.bn].offset if block.affine else -1
            rows.append([
                block.relu, POOLS.index(block.pool), block.kernel, block.dilation, block.conv_kernel, block.in_channels,
                block.out_channels, block.height, block.width, self._offset(block.depthwise),
                self._offset(block.conv), affine, z, buffer_at.get(buffer_of[i], 0), at, target_at[i], stat,
                summed[buffer_of[i]], block.groups, writes[i],
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
        norms = [(storages[block.bn].stats_offset, block.out_channels) for block in network.blocks]
        self._norms = np.array(norms, dtype=np.int64).reshape(-1, 2).T.copy()  # (2, blocks)
        # Looking up an array's address is slow where the kernels have just emptied the caches.
        arrays = (self._rows, self._heads, self._inputs, self._targets)
        rows_at, heads_at, inputs_at, targets_at = (array.ctypes.data for array in arrays)
        eps = self.weights.macro.bn_eps
        self._plan_at = rows_at, len(rows), heads_at, len(heads), inputs_at, targets_at, eps
        self._norms_at = self._norms.ctypes.data, self._norms[1].ctypes.data, len(network.blocks)
        self._statistics = np.zeros((2, self.channels))  # of a training batch, used again at the next
        self._loss, self._correct = np.zeros(1), np.zeros(1, dtype=np.int64)
        own = (self._statistics, self._statistics[1], self._loss, self._correct)
        mean_at, var_at, loss_at, correct_at = (array.ctypes.data for array in own)
        self._found_at = mean_at, var_at, 0, loss_at, correct_at
        self._pixels = self.weights.macro.height * self.weights.macro.width

    def _written(self, reads: list[tuple[int, int]]) -> int:
        """What a block may write where statistics are given, that its readers, (block or head, group), need do less.

        As WRITES in kernels.cpp: 0 the result itself, 1 normalised, 2 the ReLU of that.
        """
        blocks = self.network.blocks
        if any(i >= len(blocks) or len(blocks[i].inputs[g]) > 1 for i, g in reads):
            return 0  # a head averages first, and of a sum each term is normalised as it is added
        return 2 if all(blocks[i].relu for i, _ in reads) else 1

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
        `gradient` (n,) is added to; it takes `keep`, and the batch's statistics.
        `logits` (heads, B, classes) is filled.
        """
        total = len(images)
        if batch < 1:
            raise UsageError(f"batches of {batch} images: give at least 1")
        if gradient is not None:
            check_gradient(gradient, self.weights.values)
            if not self.keep or statistics is not None:
                raise UsageError("a gradient takes an engine with keep=True, and the batch's own statistics")
            self._check_heads()
        if logits is not None:
            expected = (len(self.network.heads), total, self.network.heads[0].classes)
            if tuple(logits.shape) != expected or logits.dtype != self.weights.dtype or not logits.is_contiguous():
                raise UsageError(
                    f"logits {tuple(logits.shape)} of {logits.dtype}: give contiguous ones {expected} of "
                    f"{self.weights.dtype}"
                )
        if statistics is None:
            mean, var = torch.zeros((2, self.channels), dtype=torch.float64)
        else:
            mean, var = (s.to(torch.float64).contiguous() for s in statistics)
            if mean.shape != (self.channels,) or var.shape != (self.channels,):
                raise UsageError(
                    f"statistics {tuple(mean.shape)} and {tuple(var.shape)}: the network's blocks have "
                    f"{self.channels} channels, ({self.channels},) each"
                )
        loss = np.zeros(len(self.network.heads))
        correct = np.zeros(len(self.network.heads), dtype=np.int64)
        self._execute(
            images, labels, min(batch, total), None if gradient is None else gradient.data_ptr(),
            (mean.data_ptr(), var.data_ptr(), int(statistics is not None), loss.ctypes.data, correct.ctypes.data),
            None if logits is None else logits.data_ptr(),
        )  # fmt: skip
        return Outcome(loss / total, correct, mean, var)

    def learn(
        self, images: torch.Tensor, labels: torch.Tensor, gradient: torch.Tensor, momentum: float,
        criterion: Criterion | None = None,
    ) -> tuple[float, int]:  # fmt: skip
        """As `backend.Bound.learn`."""
        weights = self.weights
        check_gradient(gradient, weights.values)
        if not self.keep:
            raise UsageError("to learn takes an engine with keep=True")
        self._check_heads()
        count = check_count(len(images) * self._pixels)
        self._loss[0] = self._correct[0] = 0
        asked = None
        if criterion is not None:
            asked = Asked(criterion, images, labels, self.network.heads[0].classes)
        self._execute(images, labels, len(images), gradient.data_ptr(), self._found_at, None, asked)
        mean_at, var_at = self._found_at[:2]
        self._move(
            weights.running_mean.data_ptr(), weights.running_var.data_ptr(), mean_at, var_at, *self._norms_at,
            momentum, count / (count - 1),
        )  # fmt: skip
        loss = float(self._loss[0]) / len(images) if asked is None else asked.loss()
        return loss, int(self._correct[0])

    def learnt_from(self) -> Statistics:
        """As `backend.Bound.learnt_from`."""
        mean, var = torch.from_numpy(self._statistics)
        return mean, var

    def score(
        self, images: torch.Tensor, labels: torch.Tensor, statistics: Statistics | None = None, batch: int = 0
    ) -> tuple[_FLOATS, _FLOATS]:
        """As `backend.Bound.score`."""
        image_bytes = self.weights.macro.channels * self._pixels * images.element_size()
        outcome = self.run(images, labels, batch or max(1, CHUNK_BYTES // image_bytes), statistics)
        return outcome.loss, outcome.correct.astype(np.float64)

    def statistics(self, images: torch.Tensor) -> Statistics:
        """As `backend.Bound.statistics`."""
        outcome = self.run(images, torch.zeros(len(images), dtype=torch.int64), len(images))
        return outcome.mean, outcome.var

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        """As `backend.Bound.logits`."""
        heads, none = self.network.heads, torch.zeros(len(images), dtype=torch.int64)
        found = torch.empty((len(heads), len(images), heads[0].classes), dtype=self.weights.dtype)
        self.run(images, none, len(images), logits=found)
        return found

    def _check_heads(self) -> None:
        if len(self.network.heads) != 1:
            raise UsageError(f"a gradient of {len(self.network.heads)} heads: bind one child to learn")

    def _execute(
        self, images: torch.Tensor, labels: torch.Tensor, batch: int, gradient: int | None,
        found: tuple[int, ...], logits: int | None, asked: Asked | None = None,
    ) -> None:  # fmt: skip
        values = self.weights.values
        check_batch(self.weights.macro, values.dtype, images, labels)
        images, labels = images.contiguous(), labels.contiguous()
        given, threads = bool(found[2]), min(threads_now(), MOST_THREADS)  # no number depends on it
        if not given:
            threads = max(1, min(threads, batch // LEAST_IMAGES))
        vectors = self._vectors * batch  # where statistics are given, of each thread
        call, pull = None, None
        if asked is not None:
            call, logits, pull = CALLBACK(asked), asked.logits.data_ptr(), asked.pull.data_ptr()
        with working_memory(vectors * (threads if given else 1) * self.lanes * values.element_size()) as arena:
            failed = self._call(
                *self._plan_at, arena.data_ptr(), values.data_ptr(), gradient, images.data_ptr(), labels.data_ptr(),
                len(images), batch, *found, logits, vectors, threads, call, pull,
            )  # fmt: skip
        if asked is not None and failed in (0, _STOPPED):
            asked.loss()  # or what it raised
        if failed == _BAD_LABEL:
            check_labels(self.network, labels)
        if failed:
            raise MemoryError(f"the compiled kernels returned {failed}: no memory for their scratch space")


class Updater:
    """Stochastic gradient descent on some ranges (start, size) of a super-net's flat vectors."""

    def __init__(self, weights: Weights, ranges: _INT64) -> None:
        self._weights, self._ranges = weights, np.ascontiguousarray(ranges, dtype=np.int64)
        size, ends = weights.values.numel(), self._ranges.sum(axis=1)
        if (self._ranges < 0).any() or (ends > size).any():
            raise UsageError(f"ranges {self._ranges.tolist()} of {size} weights: give (start, size) within them")
        self._call = function(f"nbws_update_{real(weights.dtype)}", "ppppiddd")

    def update(self, gradient: torch.Tensor, lr: float, momentum: float, decay: float) -> None:
        """As `backend.Updater.update`."""
        weights = self._weights
        check_gradient(gradient, weights.values)
        self._call(
            weights.values.data_ptr(), weights.momentum.data_ptr(), gradient.data_ptr(), self._ranges.ctypes.data,
            len(self._ranges), lr, momentum, decay,
        )  # fmt: skip


class Compiled:
    """The kernels as a `backend.Backend`."""

    name = "compiled"

    def bind(self, network: Network[int], weights: Weights, learns: bool) -> Engine:
        return Engine(network, weights, keep=learns)

    def updater(self, weights: Weights, ranges: _INT64) -> Updater:
        return Updater(weights, ranges)

    def description(self, channels: int, dtype: torch.dtype = torch.float32) -> str:
        return f"cpu {processor()}, kernels x{lanes(channels, dtype)}"


COMPILED = Compiled()
