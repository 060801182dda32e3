"""Division of the children into groups: by name, at random, from a file, or by measured similarity.

    key = groups("similar", 4, DEEPER64)
    write_groups(balanced_groups(similarity, 8), list(space), "groups.json")      # for groups:file:groups.json

Not here: how similarity is measured (training/similarity.py).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path

import numpy as np

from nasbench_ws.errors import StrategyError, UsageError
from nasbench_ws.json_files import read_record, write_record
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.seeds import derive
from nasbench_ws.sharing.child_files import of_every_child, read_json
from nasbench_ws.sharing.keys import Key
from nasbench_ws.space.blocks import Slot
from nasbench_ws.space.cell import Architecture, Space
from nasbench_ws.space.registry import space_from_dict, space_to_dict


def balanced_groups(similarity: Array, count: int) -> list[int]:
    """The group (0 to count - 1) of each child: equal sizes, similar children together.

    Recursive spectral partition: the children are ordered by the second eigenvector of the graph's Laplacian and
    cut into as many equal slices as the smallest prime factor of `count`, and each slice again. Deterministic.
    """
    n = len(similarity)
    if count < 1 or n % count:
        allowed = ", ".join(str(m) for m in range(1, n + 1) if n % m == 0)
        raise UsageError(f"{n} children do not divide into {count} groups; allowed are {allowed}")
    finite = similarity[np.isfinite(similarity)]
    weights = np.where(np.isfinite(similarity), similarity, finite.min()) - finite.min()
    weights = (weights + weights.T) / 2
    np.fill_diagonal(weights, 0)
    group = [0] * n
    for number, members in enumerate(_divide(list(range(n)), weights, count)):
        for child in members:
            group[child] = number
    return group


def _divide(members: list[int], weights: Array, count: int) -> list[list[int]]:
    if count == 1:
        return [members]
    factor = next(p for p in range(2, count + 1) if count % p == 0)
    part = weights[np.ix_(members, members)]
    _, vectors = np.linalg.eigh(np.diag(part.sum(axis=1)) - part)
    second = vectors[:, 1]
    second = second * np.sign(second[np.argmax(np.abs(second))])  # an eigenvector's sign is arbitrary
    ordered = [members[i] for i in np.lexsort((np.arange(len(members)), np.round(second, 9)))]
    size = len(members) // factor
    slices = [ordered[i * size : (i + 1) * size] for i in range(factor)]
    return [group for one in slices for group in _divide(one, weights, count // factor)]


def write_groups(groups: Sequence[int], children: Sequence[Architecture], path: str | Path) -> None:
    """A file for `groups:file:PATH`: the group of each child by its hash. OutputError where it cannot be written."""
    if len(groups) != len(children):
        raise UsageError(f"{len(groups)} groups for {len(children)} children; give one for each")
    by_hash = {arch.hash: int(group) for arch, group in zip(children, groups, strict=True)}
    write_record(Path(path), GROUPS_FORMAT, {"space": space_to_dict(children[0].space), "groups": by_hash})


GROUPS_FORMAT = "nasbench-ws groups"


def groups(kind: str, count: int, space: Space, seed: int = 0) -> Key:
    """`count` groups of equally many children; full sharing inside a group, none between groups.

    "similar": slices of the lexicographic order (the paper's: 4 groups share the operation on the first edge).
    "random": the same after a permutation drawn from the seed.

    Args:
        kind: "similar" or "random".
        count: a divisor of the number of children.
        space: whose children are divided.
        seed: of the permutation.
    """
    size = len(space)
    if count < 1 or size % count:
        allowed = ", ".join(str(m) for m in range(1, size + 1) if size % m == 0)
        raise StrategyError(f"{size} children do not divide into {count} groups; allowed are {allowed}")
    place = np.arange(size)
    if kind == "random":
        place = np.random.Generator(np.random.PCG64(derive("groups", space.name, seed))).permutation(size)
    elif kind != "similar":
        raise StrategyError(f"unknown kind of groups {kind!r}; known are 'similar' and 'random'")
    group = (place * count // size).tolist()

    def key(arch: Architecture, slot: Slot) -> Hashable:
        return group[arch.index]

    return key


def _listed(path: str, space: Space) -> list[tuple[str, Hashable]]:
    """(name of a child, its group) as a file has them. StrategyError where it is of another space."""
    form = "{\"111\": 0, ...} or [[\"111\", ...], ...], or what `nasbench-ws group` writes"
    data = read_json(path, "groups", form)
    if isinstance(data, dict) and "format" in data:
        data = read_record(path, GROUPS_FORMAT, StrategyError)
    if isinstance(data, dict) and "groups" in data:  # which names no child
        unknown = sorted(data.keys() - {"groups", "space"})
        if unknown:
            raise StrategyError(f"{path} has {unknown[0]!r} beside its groups; only 'space' may stand there")
        _check_space(path, data.get("space"), space)
        data = data["groups"]
    if isinstance(data, list) and all(isinstance(members, list) for members in data):
        pairs: list[tuple[str, Hashable]] = [(name, group) for group, members in enumerate(data) for name in members]
    else:
        pairs = list(data.items()) if isinstance(data, dict) else []
    if not pairs or not all(isinstance(name, str) and type(label) in (int, str) for name, label in pairs):
        raise StrategyError(f"{path} does not say which child is in which group; write {form}")
    return pairs


def _check_space(path: str, named: object, space: Space) -> None:
    """StrategyError where the file names another space, or one of this name that is another."""
    if named in (None, space.name):
        return
    try:
        theirs: object = space_from_dict(named)  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError):
        theirs = named
    if theirs != space:
        raise StrategyError(
            f"{path} is of the space {theirs!r}, and this is {space!r}; give groups of this one"
        )


def groups_from_file(path: str, space: Space) -> Key:
    """Groups as a file lists them, of any sizes; full sharing inside each.

    The file is one of `write_groups`, or plain JSON: `{"111": "a", "112": "b", ...}` by any name of a child, or a list
    of the groups, `[["111", "112"], ["113", ...], ...]`. Either may stand as "groups" beside "space", the
    name of the space or what it is made of, `{"name": "mine", "nodes": 2, "operations": [...]}`: the names of children
    alone fit many spaces.
    """
    group = of_every_child(path, _listed(path, space), space, "puts", "into a group", "into no group")

    def key(arch: Architecture, slot: Slot) -> Hashable:
        return group[arch.index]

    return key
