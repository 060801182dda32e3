"""The weights of a super-net: one storage for each distinct (slot, key), in flat vectors.

Two children use the same storage at a slot if and only if their keys are equal there; private weights
live in storages of their own and are never copied in or out. A storage is known by the *set of children*
that share it, and its initial values are derived from that set, the slot and the seed. Hence strategies that
share alike are alike to the last bit: groups(1) is full sharing, and a standalone child is the super-net
that has it as its only child.

    weights = Weights(SMALL, children, key=lambda arch, slot: None, seed=0)
    weights.network([0, 5])          # children 0 and 5, bound to the storages they use
    weights.values                   # every parameter, one flat tensor
"""

from __future__ import annotations

import copy
import math
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from nasbench_ws.errors import StrategyError
from nasbench_ws.seeds import derive
from nasbench_ws.sharing.keys import Key, call_key
from nasbench_ws.space.blocks import Network, Slot, merged
from nasbench_ws.space.cell import Architecture
from nasbench_ws.space.child import child_network, parameter_count
from nasbench_ws.space.macro import Macro
from nasbench_ws.space.operations import module_of
from nasbench_ws.space.torch_modules import IMAGES, made, norms, trainable

Statistics: TypeAlias = tuple[torch.Tensor, torch.Tensor]  # mean and variance of each block's channels, (s,) each


@dataclass(frozen=True)
class Storage:
    """One layer's parameters and running statistics, as ranges of the flat vectors."""

    slot: Slot
    children: tuple[int, ...]  # numbers of the children that share it
    shapes: tuple[tuple[int, ...], ...]  # of its parameters, one after the other from `offset`
    offset: int  # in `values`
    size: int
    stats_offset: int  # in `running_mean` and `running_var`; -1 where the layer keeps none
    channels: int  # of those statistics


class Snapshot(NamedTuple):
    """The flat vectors of `Weights` at one moment."""

    values: torch.Tensor
    momentum: torch.Tensor
    running_mean: torch.Tensor
    running_var: torch.Tensor
    own: torch.Tensor


class Weights:
    """All parameters, momenta and batch norm statistics of a super-net over `children`.

    Attributes (1-D tensors of `dtype`): `values`, `momentum` (n,), `running_mean`, `running_var` (s,). `own` is empty,
    or after `keep_own` (2, children, s): running means and variances from each child's steps alone, in the order of
    its blocks, whoever shares the layer.
    Initial values are uniform in +-1/sqrt(fan in), for weights and biases of convolutions and classifiers
    (torch's default for both); batch norms start at weight 1, bias 0, mean 0, variance 1.
    """

    def __init__(
        self,
        macro: Macro,
        children: Sequence[Architecture],
        key: Key,
        seed: int,
        dtype: torch.dtype = torch.float32,
        parent: Weights | None = None,
    ) -> None:
        self.macro = macro
        self.children = tuple(children)
        self.dtype = dtype
        networks = [child_network(macro, arch) for arch in children]
        users: dict[tuple[Slot, Hashable], list[int]] = {}
        shapes: dict[Slot, tuple[tuple[int, ...], ...]] = {}
        channels: dict[Slot, int] = {}
        for number, (arch, network) in enumerate(zip(children, networks, strict=True)):
            for slot, shape in network.layers():
                users.setdefault((slot, call_key(key, arch, slot)), []).append(number)
                shapes[slot] = shape
            channels.update({block.bn: block.statistics for block in network.blocks})
        self.storages: list[Storage] = []
        self._number: dict[tuple[int, Slot], int] = {}
        offset = stats_offset = 0
        for (slot, _), sharers in users.items():
            size = sum(math.prod(shape) for shape in shapes[slot])
            wide = channels.get(slot, 0)
            at = stats_offset if wide else -1
            self._number.update({(child, slot): len(self.storages) for child in sharers})
            self.storages.append(Storage(slot, tuple(sharers), shapes[slot], offset, size, at, wide))
            offset, stats_offset = offset + size, stats_offset + wide
        self._networks = networks
        self.values = torch.empty(offset, dtype=dtype)
        self.momentum = torch.zeros(offset, dtype=dtype)
        self.running_mean = torch.zeros(stats_offset, dtype=dtype)
        self.running_var = torch.ones(stats_offset, dtype=dtype)
        self.modules: dict[int, torch.nn.Module] = {}  # of storages that are a user's own; their values are here
        self.own: torch.Tensor = torch.empty(0, dtype=dtype) if parent is None else parent.own
        for storage in self.storages:
            if parent is None:
                self._initialise(storage, seed)
            else:
                self._inherit(storage, parent)

    def _initialise(self, storage: Storage, seed: int) -> None:
        slot = storage.slot
        if slot.kind == "module":
            self._make(storage, seed)
            return
        if slot.kind == "bn":
            if storage.size:
                self.values[storage.offset : storage.offset + storage.channels] = 1
                self.values[storage.offset + storage.channels : storage.offset + storage.size] = 0
            return
        sharers = ",".join(sorted(self.children[child].hash for child in storage.children))
        generator = np.random.Generator(np.random.PCG64(derive("init", seed, str(slot), sharers)))
        fan_in = math.prod(storage.shapes[0][1:])  # a depthwise weight has one input channel
        drawn = (generator.random(storage.size) * 2 - 1) / math.sqrt(fan_in)
        self.values[storage.offset : storage.offset + storage.size] = torch.from_numpy(drawn).to(self.dtype)

    def _make(self, storage: Storage, seed: int) -> None:
        """A module of a user's own, which draws its values from the seed of the storage."""
        macro, operation = self.macro, str(storage.slot.operation)
        sharers = ",".join(sorted(self.children[child].hash for child in storage.children))
        shape = IMAGES, macro.channels, macro.height, macro.width
        drawn_from = derive("init", seed, str(storage.slot), sharers)
        module = made(operation, lambda: module_of(operation, macro), drawn_from, shape)
        number = self._number[storage.children[0], storage.slot]
        for view, value in zip(self.views(self.values, number), trainable(module).values(), strict=True):
            view.copy_(value.detach())
        at = storage.stats_offset
        for norm in norms(module).values():
            self.running_mean[at : at + norm.num_features] = norm.running_mean
            self.running_var[at : at + norm.num_features] = norm.running_var
            at += norm.num_features
        self.modules[number] = module.to(self.dtype)

    def _inherit(self, storage: Storage, parent: Weights) -> None:
        """Values, momenta and statistics of the one storage that its children shared in the parent."""
        sources = {parent.number(child, storage.slot) for child in storage.children}
        if len(sources) > 1:
            one, other = (self.children[child].name for child in storage.children[:2])
            raise StrategyError(
                f"a later key shares {storage.slot} between children that did not share it before, such as {one} "
                f"and {other}; sharing may only become less with time"
            )
        where = sources.pop()
        if where in parent.modules:
            self.modules[self._number[storage.children[0], storage.slot]] = parent.modules[where]
        source = parent.storages[where]
        here, there = slice(storage.offset, storage.offset + storage.size), source.offset
        self.values[here] = parent.values[there : there + source.size]
        self.momentum[here] = parent.momentum[there : there + source.size]
        if storage.channels:
            here, there = slice(storage.stats_offset, storage.stats_offset + storage.channels), source.stats_offset
            self.running_mean[here] = parent.running_mean[there : there + source.channels]
            self.running_var[here] = parent.running_var[there : there + source.channels]

    def divided(self, key: Key) -> Weights:
        """The same weights under a key that shares less: each copy inherits weights, momenta and statistics.

        No child's output changes by it. StrategyError where the key shares what was not shared before.
        """
        return Weights(self.macro, self.children, key, 0, self.dtype, parent=self)

    def extended(self, storages: Sequence[Storage], size: int) -> Weights:
        """These weights with further storages, whose `size` numbers stand behind their own in one memory.

        What changes the values or the statistics of either changes both; momenta are those of these weights alone.
        """
        longer = copy.copy(self)
        longer.storages = [*self.storages, *storages]
        longer.values = torch.cat([self.values, torch.zeros(size, dtype=self.dtype)])
        self.values = longer.values[: len(self.values)]
        return longer

    def keep_own(self) -> None:
        """From here on, keep each child's own running statistics too."""
        most = max(sum(block.statistics for block in network.blocks) for network in self._networks)
        self.own = torch.zeros((2, len(self.children), most), dtype=self.dtype)
        self.own[1] = 1

    def snapshot(self) -> Snapshot:
        """A copy of everything that training changes."""
        return Snapshot(*(part.clone() for part in self._state()))

    def restore(self, snapshot: Snapshot) -> None:
        """Everything as it was when the snapshot was taken, to the last bit."""
        for part, kept in zip(self._state(), snapshot, strict=True):
            part.copy_(kept)

    def _state(self) -> Snapshot:
        return Snapshot(self.values, self.momentum, self.running_mean, self.running_var, self.own)

    def number(self, child: int, slot: Slot) -> int:
        """The number of the storage that a child uses at a slot."""
        return self._number[child, slot]

    def network(self, children: Sequence[int]) -> Network[int]:
        """The children, by number, as one network over storages, what they have in common once."""
        return merged(
            [self._networks[child] for child in children],
            lambda i, slot: self._number[children[i], slot],
        )

    def ranges(self, children: Sequence[int]) -> npt.NDArray[np.int64]:
        """The parts of `values` that any of the children uses, as (start, size), ascending: (r, 2)."""
        return self.ranges_of(
            {self._number[child, slot] for child in children for slot, _ in self._networks[child].layers()}
        )

    def ranges_of(self, numbers: Collection[int]) -> npt.NDArray[np.int64]:
        """The parts of `values` that these storages take, as (start, size), ascending: (r, 2)."""
        ranges: list[list[int]] = []
        for storage in (self.storages[number] for number in sorted(numbers)):  # in the order of their offsets
            if ranges and sum(ranges[-1]) == storage.offset:
                ranges[-1][1] += storage.size
            elif storage.size:
                ranges.append([storage.offset, storage.size])
        return np.array(ranges, dtype=np.int64)

    def statistics_positions(self, network: Network[int]) -> torch.Tensor:
        """Positions in the running statistics of each block's channels, concatenated in block order: (s,) int64."""
        starts = [(self.storages[block.bn].stats_offset, block.statistics) for block in network.blocks]
        return torch.cat([torch.arange(0), *(torch.arange(start, start + count) for start, count in starts)])

    def active(self, child: int) -> torch.Tensor:
        """Positions in `values` that a child uses, ascending: (n,) int64."""
        return torch.cat([torch.arange(start, start + size) for start, size in self.ranges([child]).tolist()])

    def views(self, vector: torch.Tensor, number: int) -> list[torch.Tensor]:
        """A storage's parameters as shaped views of a flat vector laid out like `values`."""
        storage, views = self.storages[number], []
        at = storage.offset
        for shape in storage.shapes:
            size = math.prod(shape)
            views.append(vector[at : at + size].view(shape))
            at += size
        return views

    @property
    def bytes(self) -> int:
        """Bytes of all distinct parameters."""
        return self.values.numel() * self.values.element_size()

    @property
    def sharing(self) -> float:
        """Distinct parameters / sum of the children's parameters: 1 without sharing, least when full."""
        return self.values.numel() / sum(parameter_count(network) for network in self._networks)
