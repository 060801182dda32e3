"""The mixed network: an edge is a sum of all its operations, each times a gate; one for every relaxed super-net.

    mixed = MixedNet(recipe, macro, space, seed=0)              # starts bit-identical to `full` of that seed
    draw = Draw.of(torch.softmax(alphas, dim=1))                # gates (edges, operations); or one-hot, masked, sampled
    learnt = mixed.weight_step(images, labels, draw, lr=0.1)    # learnt.gates is dL/dgates
    mixed.gate_gradient(images, labels, draw)                   # dL/dgates; nothing of the super-net changes
    mixed.supernet                                              # the same weights, for all that scores children

    x[c, j] = sum over edges e = (i -> j) and operations o of g[e, o] * z[c, e, o](x[c, i])

z is an operation's output after its own batch norm, and the gates are those of all cells, since a child has one choice
for all cells. A gate is the scale of that (else not affine) batch norm: so a mixed network is blocks like any child,
both backends run it, and dL/dgate is the gradient of that scale, summed over channels and cells. Not here: how gates
are drawn, and what moves them (rankers/relaxed).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nasbench_ws.errors import UsageError
from nasbench_ws.recipe import Recipe
from nasbench_ws.sharing.keys import full
from nasbench_ws.space.blocks import IMAGE, Block, Head, Inputs, Module, Network, Slot, read_blocks
from nasbench_ws.space.cell import Edge, Space
from nasbench_ws.space.child import child_network, mac_count
from nasbench_ws.space.macro import Macro
from nasbench_ws.space.operations import layers_of
from nasbench_ws.training import reference
from nasbench_ws.training.backend import Backend, Bound, Updater
from nasbench_ws.training.supernet import SuperNet
from nasbench_ws.training.weights import Statistics, Storage

MOST_BOUND = 512  # networks kept ready, by which operations they run
Place = tuple[int, Edge | None, str | None]  # of blocks: cell, edge and operation


@dataclass(frozen=True)
class Draw:
    """The gates of one step.

    Attributes:
        gates: (edges, operations), 0 where not active.
        active: (edges, operations), operations that take part: that learn, move their statistics, and are paid for.
    """

    gates: Tensor
    active: NDArray[np.bool_]

    @classmethod
    def of(cls, gates: Tensor, active: NDArray[np.bool_] | None = None) -> Draw:
        """Gates as numbers alone, whatever they were computed from; all operations take part where nothing is said."""
        some = np.ones(tuple(gates.shape), dtype=bool) if active is None else np.asarray(active, dtype=bool)
        return cls(gates.detach().double() * torch.from_numpy(some), some)

    @classmethod
    def one_hot(cls, choices: Sequence[int], operations: int) -> Draw:
        """The child with these operations, by their numbers."""
        active = np.eye(operations, dtype=bool)[list(choices)]
        return cls(torch.from_numpy(active.astype(np.float64)), active)


@dataclass(frozen=True)
class Learnt:
    """Of a batch: mean cross-entropy, fraction of correct images, and each cell's part of dL/dgates, float64."""

    loss: float
    accuracy: float
    by_cell: Tensor  # (cells, edges, operations)

    @property
    def gates(self) -> Tensor:
        """dL/dgates (edges, operations)."""
        return self.by_cell.sum(dim=0)


def check_mixed(space: Space, macro: Macro) -> None:
    """UsageError where an operation has no place for a gate."""
    for operation in space.operations:
        layers = layers_of(operation, macro)
        if not layers or isinstance(layers[-1], Module):
            raise UsageError(
                f"{operation} has no batch norm whose scale could be a gate; the spaces of mixed networks have "
                "operations that end in one: take sharing strategies, such as full, for this space"
            )


class MixedNet:
    """All operations of a space over one set of weights, that of `full` sharing.

    Args:
        recipe: momentum, weight decay, and what becomes of weights that a step does not use.
        macro: the network around the cells.
        space: which operations, on which edges.
        seed: of the initial weights.
        dtype: float32 to run, float64 for laws.
        backend: what computes; None takes the kernels where they can be used, else torch.
    """

    def __init__(
        self, recipe: Recipe, macro: Macro, space: Space, seed: int, dtype: torch.dtype = torch.float32,
        backend: Backend | None = None,
    ) -> None:  # fmt: skip
        check_mixed(space, macro)
        self.supernet = SuperNet(recipe, macro, list(space), full, seed, dtype, backend)
        self.recipe, self.macro, self.space = recipe, macro, space
        self.shape = len(space.edges), len(space.operations)
        weights = self.supernet.weights
        self._number = {storage.slot: number for number, storage in enumerate(weights.storages)}
        self._pieces, self._head = _pieces(macro, space)
        self._gates, storages = self._gate_storages(len(weights.values))
        self.weights = weights.extended(storages, sum(storage.size for storage in storages))
        self.gradient = torch.zeros_like(self.weights.values)
        scales = [[[self._scale(cell, e, o) for o in space.operations] for e in space.edges] for cell in self._cells()]
        self._scales = torch.from_numpy(np.array(scales, dtype=np.int64))  # (cells, E, O, channels): places in values
        self._bound: dict[tuple[bool, bytes], Bound] = {}
        self._updaters: dict[bytes, Updater] = {}
        self.common_macs = self._macs([place for place in self._pieces if place[1] is None], head=True)
        self.own_macs = np.array([
            [self._macs([(cell, e, o) for cell in self._cells()]) for o in space.operations] for e in space.edges
        ])  # fmt: skip

    # -- what it is made of ------------------------------------------------------------------------------

    # `common_macs` are the multiply-adds of what every child has, `own_macs` (edges, operations) those of an operation.

    def macs(self, active: NDArray[np.bool_] | None = None) -> int:
        """Multiply-adds of one image's forward pass through these operations (edges, operations); None: all."""
        return self.common_macs + int((self.own_macs if active is None else self.own_macs[active]).sum())

    def network(self, active: NDArray[np.bool_]) -> Network[int]:
        """The blocks of these operations over the storages of `weights`, the last of each with a gate for its scale.

        A node that nothing leads to gets its first operation: with a gate of 0 it is a map of zeros.
        """
        blocks: list[Block[int]] = []
        edges, operations = self.space.edges, self.space.operations

        def add(place: Place, value: Inputs, gated: bool = False) -> int:
            pieces = self._pieces[place]
            for i, piece in enumerate(pieces):
                block = piece.renamed(value, self._number.__getitem__)
                if gated and i == len(pieces) - 1:
                    block = replace(block, affine=True, bn=self._gates[place])
                blocks.append(block)
                value = ((len(blocks) - 1,),)
            return len(blocks) - 1

        value: Inputs = ((add((0, None, None), ((IMAGE,),)),),)
        for cell in self._cells():
            nodes: list[tuple[int, ...]] = [(add((cell, None, None), value),)]
            for target in range(1, self.space.nodes + 1):
                into = [i for i, edge in enumerate(edges) if edge[1] == target]
                wanted = [(i, o) for i in into for o in range(len(operations)) if active[i, o]] or [(into[0], 0)]
                nodes.append(tuple(
                    add((cell, edges[i], operations[o]), (nodes[edges[i][0]],), gated=True) for i, o in wanted
                ))  # fmt: skip
            if self.macro.output == "concat":
                value = tuple(nodes[1:])
            else:
                summed = nodes[1:] if self.macro.output == "sum" else nodes[-1:]
                value = (tuple(term for node in summed for term in node),)
        head = replace(self._head, inputs=value)
        bound = Head(value, head.channels, head.height, head.width, head.classes, self._number[head.linear])
        return read_blocks(Network(tuple(blocks), (bound,)))

    def _cells(self) -> range:
        return range(1, self.macro.cells + 1)

    def _gate_storages(self, offset: int) -> tuple[dict[Place, int], list[Storage]]:
        """Scale and shift, channel by channel, of each operation's last batch norm, whose statistics it keeps."""
        known, channels = self.supernet.weights.storages, self.macro.channels
        numbers: dict[Place, int] = {}
        found: list[Storage] = []
        for place, pieces in self._pieces.items():
            if place[1] is not None:
                old = known[self._number[pieces[-1].bn]]
                numbers[place] = len(known) + len(found)
                at = offset + 2 * channels * len(found)
                found.append(replace(old, shapes=((channels,), (channels,)), offset=at, size=2 * channels))
        return numbers, found

    def _scale(self, cell: int, edge: Edge, operation: str) -> NDArray[np.int64]:
        at = self.weights.storages[self._gates[cell, edge, operation]].offset
        return np.arange(at, at + self.macro.channels)

    def _macs(self, places: Sequence[Place], head: bool = False) -> int:
        blocks = tuple(block for place in places for block in self._pieces[place])
        return mac_count(Network(blocks, (self._head,) if head else ()))

    # -- running it ------------------------------------------------------------------------------------

    def forward(self, images: Tensor, draw: Draw, statistics: str = "batch") -> Tensor:
        """Normalised images (B, H, W, C) -> logits (B, classes), by torch, with batch or "running" statistics."""
        self._put(draw)
        network = self.network(draw.active)
        with torch.no_grad():
            run = reference.forward(network, self.weights, images, self._statistics(network, statistics))
        return run.logits[0]

    def score(self, images: Tensor, labels: Tensor, draw: Draw, batch: int = 500) -> tuple[float, float]:
        """Mean loss and accuracy, with the statistics of each `batch` images in turn."""
        self._put(draw)
        loss, correct = self._ready(draw, learns=False).score(images, labels, None, batch)
        return float(loss[0]), float(correct[0]) / len(images)

    def accumulate(self, images: Tensor, labels: Tensor, draw: Draw) -> Learnt:
        """Add the gradient of a batch's mean loss to `gradient`, and move the running statistics of active operations.

        Not the gradient of gates, which is returned.
        """
        return self._learn(images, labels, draw, self.gradient, self.macro.bn_momentum)

    def update(self, active: NDArray[np.bool_], lr: float) -> None:
        """SGD on what these operations use, or on all (`drift`), as `SuperNet.update`; the gradient is 0 afterwards."""
        supernet, own = self.supernet, self.gradient[: len(self.supernet.weights.values)]
        key = b"" if self.recipe.inactive == "drift" else active.tobytes()
        if key not in self._updaters:
            if len(self._updaters) > MOST_BOUND:
                self._updaters.clear()
            numbers = self._used(active) if key else range(len(supernet.weights.storages))
            ranges = supernet.weights.ranges_of(numbers)
            self._updaters[key] = supernet.backend.updater(supernet.weights, ranges)
        self._updaters[key].update(own, lr, self.recipe.momentum, self.recipe.weight_decay)
        self.gradient.zero_()

    def weight_step(self, images: Tensor, labels: Tensor, draw: Draw, lr: float) -> Learnt:
        """One update of the weights on one batch."""
        learnt = self.accumulate(images, labels, draw)
        self.update(draw.active, lr)
        return learnt

    def gate_gradient(self, images: Tensor, labels: Tensor, draw: Draw) -> Tensor:
        """dL/dgates (edges, operations): the sum over cells of <dL/dx[c, j], z[c, e, o]>. Nothing changes.

        A backward pass forms the weights' gradients as well, and they are dropped.
        """
        return self.weights_gradient(images, labels, draw)[1].gates

    def weights_gradient(self, images: Tensor, labels: Tensor, draw: Draw) -> tuple[Tensor, Learnt]:
        """The gradient of a batch's mean loss, laid out like `supernet.weights.values`. Nothing changes."""
        gradient = torch.zeros_like(self.gradient)
        learnt = self._learn(images, labels, draw, gradient, 0.0)
        return gradient[: len(self.supernet.weights.values)], learnt

    def _learn(self, images: Tensor, labels: Tensor, draw: Draw, gradient: Tensor, momentum: float) -> Learnt:
        self._put(draw)
        kept = self.weights.running_mean.clone(), self.weights.running_var.clone()
        bound = self._ready(draw, learns=True)
        loss, correct = bound.learn(images, labels, gradient, momentum)
        if not momentum:  # to the last bit, even where a batch's are not finite
            self._put_back(kept, slice(None))
        elif not _leads_everywhere(self.space, draw.active):  # what stands in for a node without operations
            active = self._used(draw.active) | {self._gates[place] for place in self._places(draw.active)}
            fillers = {number for number, _ in bound.network.layers()} - active
            for number in fillers:
                storage = self.weights.storages[number]
                if storage.channels:
                    self._put_back(kept, slice(storage.stats_offset, storage.stats_offset + storage.channels))
        found = gradient[self._scales].sum(dim=3).double() * torch.from_numpy(draw.active)
        gradient[len(self.supernet.weights.values) :] = 0
        return Learnt(loss, correct / len(images), found)

    def _put(self, draw: Draw) -> None:
        if tuple(draw.gates.shape) != self.shape or draw.active.shape != self.shape:
            raise UsageError(
                f"gates {tuple(draw.gates.shape)} and active {draw.active.shape}: give one of each for every edge and "
                f"operation of {self.space.name}, {self.shape}"
            )
        self.weights.values[self._scales] = draw.gates.to(self.weights.dtype)[..., None]

    def _put_back(self, kept: Statistics, where: slice) -> None:
        for running, before in zip((self.weights.running_mean, self.weights.running_var), kept, strict=True):
            running[where] = before[where]

    def _ready(self, draw: Draw, learns: bool) -> Bound:
        key = learns, draw.active.tobytes()
        if key not in self._bound:
            if len(self._bound) > MOST_BOUND:  # draws that may never come again
                self._bound.clear()
            network = self.network(draw.active)
            self._bound[key] = self.supernet.backend_of(network).bind(network, self.weights, learns)
        return self._bound[key]

    def _statistics(self, network: Network[int], which: str) -> Statistics | None:
        if which == "batch":
            return None
        if which != "running":
            raise UsageError(f"unknown statistics {which!r}; known are batch, running")
        where = self.weights.statistics_positions(network)
        return self.weights.running_mean[where], self.weights.running_var[where]

    def _places(self, active: NDArray[np.bool_]) -> list[Place]:
        edges, operations = self.space.edges, self.space.operations
        return [(cell, edges[e], operations[o]) for cell in self._cells() for e, o in np.argwhere(active).tolist()]

    def _used(self, active: NDArray[np.bool_]) -> set[int]:
        """Numbers of the storages of these operations, and of what every child has."""
        places = [*self._places(active), *(place for place in self._pieces if place[1] is None)]
        slots = {slot for place in places for block in self._pieces[place] for slot, _ in block.layers()}
        return {self._number[slot] for slot in (*slots, self._head.linear)}


def _leads_everywhere(space: Space, active: NDArray[np.bool_]) -> bool:
    return all(
        any(active[i].any() for i, edge in enumerate(space.edges) if edge[1] == target)
        for target in range(1, space.nodes + 1)
    )


def _pieces(macro: Macro, space: Space) -> tuple[dict[Place, list[Block[Slot]]], Head[Slot]]:
    """The blocks of every place, in the order in which they run, and the head; from children of one operation each."""
    found: dict[Place, list[Block[Slot]]] = {}
    for operation in range(len(space.operations)):
        index = sum(operation * len(space.operations) ** i for i in range(len(space.edges)))
        network = child_network(macro, space[index])
        own: dict[Place, list[Block[Slot]]] = {}
        for block in network.blocks:
            own.setdefault((block.bn.cell, block.bn.edge, block.bn.operation), []).append(block)
        found |= own
        head = network.heads[0]
    return found, head
