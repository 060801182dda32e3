"""Texts that name a child: canonical strings in any order, and what to say of a text that names none, or several.

The reading of digits, indices and hashes is `Space.architecture`'s (cell.py).
"""

from __future__ import annotations

import itertools
import operator
import re
from typing import TYPE_CHECKING

from nasbench_ws.errors import ArchitectureError, near_misses

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nasbench_ws.space.cell import Architecture, Space


def is_spec(text: str) -> bool:
    return not {*"|~:"}.isdisjoint(text)


def described(space: Space, text: str) -> Architecture | None:
    """The child whose inputs `text` lists, in any order inside a node, with or without the space's name."""
    head, _, body = text.rpartition(":")
    nodes = [node.strip("|").split("|") for node in body.split("+")]
    items = {f"{item}>{target}" for target, node in enumerate(nodes, 1) for item in node}
    fitting = [
        [
            choice
            for choice, operation in enumerate(space.operations)
            if f"{operation}~{source}>{target}" in items
        ]
        for source, target in space.edges
    ]
    one_an_edge = all(len(choices) == 1 for choices in fitting) and sum(map(len, nodes)) == len(space.edges)
    if not one_an_edge or head not in ("", space.name):
        return None
    return space[space._index([choice for (choice,) in fitting])]


def indices_of(space: Space, names: NDArray[np.bytes_]) -> NDArray[np.int64]:
    """(n,) indices of children by their digits, (n,) ASCII texts: of thousands at once, without a child for each.

    ArchitectureError at the first that is none.
    """
    import numpy as np  # a tenth of a second, which naming one child does without

    base, edges = len(space.operations), len(space.edges)
    strides = np.array([base ** (edges - 1 - edge) for edge in range(edges)])
    if base <= 9 and names.itemsize == edges:
        digits = np.ascontiguousarray(names).view(np.uint8).reshape(-1, edges).astype(np.int64) - ord("1")
    else:
        parts = [name.decode(errors="replace").split("-" if base > 9 else "\0") for name in names.tolist()]
        split = parts if base > 9 else [list(part[0]) for part in parts]
        split = [part if len(part) == edges else ["0"] * edges for part in split]
        rows = [[int(n) - 1 if n.isdecimal() else -1 for n in part] for part in split]
        digits = np.array(rows, dtype=np.int64).reshape(-1, edges)
    wrong = np.flatnonzero(((digits < 0) | (digits >= base)).any(axis=1))
    if len(wrong):
        name = names[wrong[0]].decode(errors="replace")
        raise ArchitectureError(f"row {wrong[0]} is {name!r}, which is no child's digits; {space[0].name} is the first")
    indices: NDArray[np.int64] = digits @ strides
    return indices


def ambiguous(space: Space, text: str, readings: dict[str, Architecture]) -> str:
    listed = [f"{child.name} ({how})" for how, child in readings.items()]
    more = f" and {len(listed) - 8} more" if len(listed) > 8 else ""
    return (
        f"{text!r} fits more than one child of {space.name}: {', '.join(listed[:8])}{more}; "
        "write more of the hash, or the digits"
    )


def unknown(space: Space, text: str) -> str:
    """What to say of a text that names no child."""
    if not is_spec(text):
        lowest, highest = space[0].name, space[len(space) - 1].name
        index = f"0 to {len(space) - 1}" + ", as an int" * bool(space._parts(str(len(space) - 1)))
        return (
            f"{space.name} has no child {text!r}{_near(space, text)}; "
            f"name one by its digits ({lowest} to {highest}), index ({index}), "
            f"hash (16 hex digits, or the first 4 or more) or canonical string ({space[0].spec})"
        )
    head, _, body = text.rpartition(":")
    if head not in ("", space.name) and body.startswith("|"):
        return f"{text!r} is of the space {head!r}, not of {space.name}; ask that space for it"
    child = described(space, text)
    if child is not None:
        return f"{text!r} is not in canonical form; write {child.spec}"
    for word in re.findall(r"([^|~:+]+)~", text):
        if word not in space.operations:
            return (
                f"{text!r} has the unknown operation {word!r}{near_misses(word, space.operations)}; "
                f"those of {space.name} are {', '.join(space.operations)}"
            )
    return f"{text!r} describes no child of {space.name}; a canonical string reads {space[0].spec}"


def _near(space: Space, text: str) -> str:
    """Digits and hashes that differ from `text` in the fewest places: at most a quarter of them, or one."""
    every = itertools.product(range(len(space.operations)), repeat=len(space.edges))
    words = [word for word in map(space._digits, every) if len(word) == len(text)]
    if 4 <= len(text) <= 16:
        words += [full for full, _ in space._hashes]
    places = [(sum(map(operator.ne, text.lower(), word)), word) for word in words]
    near = [word for differing, word in sorted(places) if differing <= max(1, len(text) // 4)][:4]
    return f" (did you mean {' or '.join(near)}?)" if near else ""
