"""Children that are one network under two names: relabelled nodes, absent edges, identities, layers nobody reads.

    isomorphic(a, b)                                             # as graphs: another numbering of the nodes
    [children[0] for children in isomorphism_classes(space)]     # one child of each class
    same_network_classes(TOPOLOGY729, "last")                    # as networks: what need be trained only once
    representatives(TOPOLOGY729, "last")[child.index]            # whose runs are a child's
    sees_image(child, "last")                                    # whether its output depends on the image

Not here: the network itself (space/child.py: it has no blocks where it does not see the image).
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache

from nasbench_ws.space.cell import Architecture, ArchitectureLike, Space

NO_EDGE = "none"  # the field's name for the operation that removes its edge
IDENTITY = "skip_connect"  # and for the one that hands its source on
INPUT = -1
_Layer = tuple[str, tuple[int, ...]]  # an operation, and the layers whose results it takes the sum of
_Form = tuple[tuple[_Layer, ...], tuple[tuple[int, ...], ...]]  # layers, and the sums that a cell hands on


def same_network_classes(space: Space, output: str = "concat") -> list[tuple[Architecture, ...]]:
    """The children, grouped by what their cells compute, in order of index: one of each group need be trained.

    Two children are in a group where their cells are one graph of layers, after `none` has removed its edges,
    `skip_connect` has handed its source on, and layers that work on zeros alone or are read by nobody are gone: then
    some renaming of weights turns one into the other. Both directions hold for weights in general position, that
    is, children of two groups are different functions of image and weights. The first of a group, the one of the
    lowest index, stands for it; the group's length is its multiplicity.

    Args:
        space: whose children are grouped.
        output: as of `Macro`: what a cell hands on, its nodes concatenated ("concat", in whatever order), their sum
            ("sum"), or the last alone ("last").
    """
    classes: dict[int, list[Architecture]] = {}
    for child, first in zip(space, representatives(space, output), strict=True):
        classes.setdefault(first, []).append(child)
    return [tuple(children) for children in classes.values()]


@lru_cache(maxsize=16)
def representatives(space: Space, output: str = "concat") -> tuple[int, ...]:
    """By child: the index of the first child that is the same network, its own where there is none before it."""
    if space.form == "full" and not {NO_EDGE, IDENTITY} & {*space.operations}:
        return tuple(range(len(space)))  # see `isomorphic`; and every node is read
    first: dict[_Form, int] = {}
    return tuple(first.setdefault(_canonical(*_cell(child, output)), child.index) for child in space)


def sees_image(child: Architecture, output: str = "concat") -> bool:
    """Whether what a cell hands on depends on what it is given. A network of cells that do not answers alike to every
    image: it is trained as what it is, a classifier's bias.

    Args:
        child: whose cells.
        output: as of `same_network_classes`.
    """
    return any(_cell(child, output)[1])


def _cell(child: Architecture, output: str) -> tuple[list[_Layer], list[tuple[int, ...]]]:
    """Each layer that is read, in an order in which they can run, and what the cell hands on."""
    layers: list[_Layer] = []
    nodes: list[tuple[int, ...]] = [(INPUT,)]
    for target in range(1, child.space.nodes + 1):
        terms: list[int] = []
        for (source, to), choice in zip(child.space.edges, child.choices, strict=True):
            operation, taken = child.space.operations[choice], nodes[source] if to == target else ()
            if operation == NO_EDGE or not taken:
                continue
            if operation != IDENTITY:
                layers.append((operation, taken))
                taken = (len(layers) - 1,)
            terms += taken
        nodes.append(tuple(terms))
    outputs = nodes[-1:] if output == "last" else nodes[1:]
    if output == "sum":
        outputs = [tuple(itertools.chain(*outputs))]
    read = set(itertools.chain(*outputs))
    for number in reversed(range(len(layers))):
        if number in read:
            read.update(layers[number][1])
    kept = {old: new for new, old in enumerate(sorted(read - {INPUT}))} | {INPUT: INPUT}
    return (
        [(layers[old][0], tuple(kept[term] for term in layers[old][1])) for old in sorted(read - {INPUT})],
        [tuple(kept[term] for term in some) for some in outputs],
    )


def _canonical(layers: Sequence[_Layer], outputs: Sequence[tuple[int, ...]]) -> _Form:
    """The least form that numberings of the layers give: equal exactly for the same graph."""
    return min(
        (
            tuple((layers[old][0], _moved(layers[old][1], at)) for old in order),
            tuple(sorted(_moved(some, at) for some in outputs)),
        )
        for order in _orders(layers, outputs)
        for at in [{old: new for new, old in enumerate(order)}]
    )


def _moved(terms: Sequence[int], at: dict[int, int]) -> tuple[int, ...]:
    return tuple(sorted(at.get(term, INPUT) for term in terms))


def _orders(layers: Sequence[_Layer], outputs: Sequence[tuple[int, ...]]) -> Iterator[tuple[int, ...]]:
    """Numberings to try: those that agree with colours, which a layer has from its operation and its neighbours'."""
    readers: list[Counter[int]] = [Counter() for _ in layers]
    for number, (_, terms) in enumerate(layers):
        for term in terms:
            if term != INPUT:
                readers[term][number] += 1
    handed = [tuple(sorted(some.count(number) for some in outputs)) for number in range(len(layers))]
    colours = _ranked([(operation, handed[number]) for number, (operation, _) in enumerate(layers)])
    for _ in layers:
        colours = _ranked([
            (
                colours[number],
                sorted(colours[term] if term != INPUT else INPUT for term in terms),
                sorted((colours[reader], times) for reader, times in readers[number].items()),
            )
            for number, (_, terms) in enumerate(layers)
        ])  # fmt: skip
    alike = [[n for n, colour in enumerate(colours) if colour == one] for one in sorted(set(colours))]
    for parts in itertools.product(*map(itertools.permutations, alike)):
        yield tuple(itertools.chain(*parts))


def _ranked(values: Sequence[object]) -> list[int]:
    """Each value's place among the distinct ones."""
    places = {value: place for place, value in enumerate(sorted({repr(value) for value in values}))}
    return [places[repr(value)] for value in values]
def isomorphic(a: Architecture, b: ArchitectureLike) -> bool:
    """Whether some relabelling of the intermediate nodes turns the labelled DAG of `a` into that of `b`.

    The input stays the input, edges keep their direction and operation, and the output is a sink that
    takes every intermediate node, in no order. All relabellings are tried.

    In a space without the operation `none`, whatever its size, a child is isomorphic to itself alone:
    node j is the only node with j edges coming in, and a relabelling preserves that number, so it moves
    no node. Duplicates need edges that can be missing. `none` stands for that here: it removes its edge,
    and then, for one, two nodes that take the input alone can be swapped.

    This is about graphs. That two different graphs never compute the same function is not claimed.
    """
    return _smallest_form(a) == _smallest_form(a.space.architecture(b))


def isomorphism_classes(space: Space) -> list[tuple[Architecture, ...]]:
    """The children, grouped by `isomorphic`, in order of index; the length of a group is its multiplicity."""
    classes: dict[tuple[tuple[int, int, str], ...], list[Architecture]] = {}
    for child in space:
        classes.setdefault(_smallest_form(child), []).append(child)
    return [tuple(children) for children in classes.values()]


def _smallest_form(child: Architecture) -> tuple[tuple[int, int, str], ...]:
    """The least of the edge lists that relabellings give: equal exactly for isomorphic children."""
    operations = (child.space.operations[choice] for choice in child.choices)
    edges = [(s, t, o) for (s, t), o in zip(child.space.edges, operations, strict=True) if o != NO_EDGE]
    labels = ((0, *order) for order in itertools.permutations(range(1, child.space.nodes + 1)))
    return min(tuple(sorted((label[s], label[t], o) for s, t, o in edges)) for label in labels)
