"""Children that are relabellings of each other: the same graph under another numbering of its nodes.

    isomorphic(a, b)
    [children[0] for children in isomorphism_classes(space)]     # one child of each class
"""

from __future__ import annotations

import itertools

from nasbench_ws.space.cell import Architecture, ArchitectureLike, Space

NO_EDGE = "none"  # the field's name for the operation that removes its edge


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
