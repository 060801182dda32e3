"""Sharing keys: what two children share, in laws; the count of storages and of components in closed form."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import fractions
import itertools
import math
import os
import random
import subprocess
import sys
import warnings
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench_ws.errors import StrategyError
from nasbench_ws.sharing.groups import groups
from nasbench_ws.sharing.keys import Key, call_key, components, dependent, edge, full, none, prefix, private, shared
from nasbench_ws.space.blocks import Slot
from nasbench_ws.space.cell import Architecture, Space
from nasbench_ws.space.child import child_network
from nasbench_ws.space.macro import SMALL
from nasbench_ws.space.registry import DEEPER64

CHILDREN = list(DEEPER64)
CELLS = SMALL.cells
KINDS = ("conv", "depthwise", "pointwise", "bn", "linear")
SLOTS = {arch: tuple(slot for slot, _ in child_network(SMALL, arch).layers()) for arch in CHILDREN}
USERS: dict[Slot, list[Architecture]] = {}  # the children that have each slot
for _arch, _slots in SLOTS.items():
    for _slot in _slots:
        USERS.setdefault(_slot, []).append(_arch)
DIVISORS = [m for m in range(1, 65) if 64 % m == 0]

MAKERS: dict[str, Callable[[], Key]] = {
    "full": lambda: full,
    "none": lambda: none,
    **{f"groups:similar:{m}": (lambda m=m: groups("similar", m, DEEPER64)) for m in DIVISORS},  # type: ignore[misc]
    **{f"groups:random:{m}": (lambda m=m: groups("random", m, DEEPER64, 3)) for m in DIVISORS},  # type: ignore[misc]
    **{f"prefix:{k}": (lambda k=k: prefix(k, CELLS)) for k in range(CELLS + 1)},  # type: ignore[misc]
    **{f"edge:{i}->{j}": (lambda e=(i, j): edge(e, DEEPER64)) for i, j in DEEPER64.edges},  # type: ignore[misc]
    **{f"private:{kind}": (lambda kind=kind: private([kind])) for kind in KINDS},  # type: ignore[misc]
    **{f"shared:{kind}": (lambda kind=kind: shared([kind])) for kind in KINDS},  # type: ignore[misc]
    "dependent": lambda: dependent,
}
Partition = dict[Slot, frozenset[frozenset[Architecture]]]


def partition(key: Key) -> Partition:
    """At each slot, the sets of children that use the same weights."""
    found = {}
    for slot, users in USERS.items():
        sets: dict[Hashable, set[Architecture]] = {}
        for arch in users:
            sets.setdefault(key(arch, slot), set()).add(arch)
        found[slot] = frozenset(map(frozenset, sets.values()))
    return found


def finer(a: Partition, b: Partition) -> bool:
    """Whether children that share under `a` share under `b`, at every slot."""
    return all(any(small <= large for large in b[slot]) for slot in a for small in a[slot])


def storages(key: Key) -> int:
    return sum(len(sets) for sets in partition(key).values())


# -- every key ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MAKERS)
def test_a_key_is_pure_and_deterministic(name: str) -> None:
    """The same value for the same question, asked again, in another order, or of a key made anew."""
    one, other = MAKERS[name](), MAKERS[name]()
    questions = [(arch, slot) for arch in CHILDREN for slot in SLOTS[arch]]
    values = {question: one(*question) for question in questions}
    hash(tuple(values.values()))
    for question in reversed(questions):
        assert one(*question) == other(*question) == values[question]
    equal = Architecture(DEEPER64, CHILDREN[27].choices)  # another object of the same child
    assert all(one(equal, slot) == values[CHILDREN[27], slot] for slot in SLOTS[CHILDREN[27]])


@pytest.mark.parametrize("name", MAKERS)
def test_full_shares_most_and_none_least(name: str) -> None:
    own = partition(MAKERS[name]())
    assert finer(partition(none), own)
    assert finer(own, partition(full))


# -- groups -------------------------------------------------------------------------------------------


def test_one_group_is_full_and_64_groups_are_none() -> None:
    for kind in ("similar", "random"):
        assert partition(groups(kind, 1, DEEPER64)) == partition(full)
        assert partition(groups(kind, 64, DEEPER64)) == partition(none)


def test_similar_groups_are_nested_slices_of_the_lexicographic_order() -> None:
    slot = SLOTS[CHILDREN[0]][0]
    for m in DIVISORS:
        key = groups("similar", m, DEEPER64)
        size = 64 // m
        assert [key(arch, slot) for arch in CHILDREN] == [i // size for i in range(64)]
    for m, twice in itertools.pairwise(DIVISORS):
        assert finer(partition(groups("similar", twice, DEEPER64)), partition(groups("similar", m, DEEPER64)))


@pytest.mark.parametrize(("m", "edges"), [(4, [(0, 1)]), (16, [(0, 1), (0, 2)])])
def test_similar_groups_share_operations(m: int, edges: list[tuple[int, int]]) -> None:
    """Groups of 16 children have the operation on the first edge in common, groups of 4 those on the first two."""
    slot = SLOTS[CHILDREN[0]][0]
    for sharers in partition(groups("similar", m, DEEPER64))[slot]:
        for which in DEEPER64.edges:
            assert (len({arch.operation(which) for arch in sharers}) == 1) == (which in edges)


@pytest.mark.parametrize("m", DIVISORS)
@pytest.mark.parametrize("kind", ["similar", "random"])
def test_groups_have_equal_sizes_and_share_all_or_nothing(kind: str, m: int) -> None:
    key = groups(kind, m, DEEPER64)
    for arch in CHILDREN:
        assert len({key(arch, slot) for slot in SLOTS[arch]}) == 1
    members: dict[Hashable, int] = {}
    for arch in CHILDREN:
        value = key(arch, SLOTS[arch][0])
        members[value] = members.get(value, 0) + 1
    assert list(members.values()) == [64 // m] * m


def test_random_groups_depend_on_the_seed_only() -> None:
    slot = SLOTS[CHILDREN[0]][0]

    def drawn(m: int, seed: int) -> list[Hashable]:
        return [groups("random", m, DEEPER64, seed)(arch, slot) for arch in CHILDREN]

    np.random.seed(0)
    first = drawn(8, 0)
    np.random.seed(1)
    assert drawn(8, 0) == first
    assert drawn(8, 1) != first
    assert [i for i, value in enumerate(first) if value == 0] == [8, 11, 29, 30, 37, 53, 56, 58]  # for ever
    assert finer(partition(groups("random", 16, DEEPER64, 5)), partition(groups("random", 4, DEEPER64, 5)))


def test_groups_that_cannot_be() -> None:
    allowed = "1, 2, 4, 8, 16, 32, 64"
    for count in (0, 3, 65, -1):
        with pytest.raises(StrategyError) as caught:
            groups("similar", count, DEEPER64)
        assert str(caught.value) == f"64 children do not divide into {count} groups; allowed are {allowed}"
    with pytest.raises(StrategyError) as caught:
        groups("alike", 4, DEEPER64)
    assert str(caught.value) == "unknown kind of groups 'alike'; known are 'similar' and 'random'"


# -- prefix, edge, kinds, dependent -------------------------------------------------------------------


def test_prefixes_are_nested() -> None:
    nested = [partition(prefix(k, CELLS)) for k in range(CELLS + 1)]
    for less, more in itertools.pairwise(nested):
        assert finer(less, more)
        assert not finer(more, less)
    assert finer(partition(none), nested[0])
    assert finer(nested[-1], partition(full))


@pytest.mark.parametrize("k", range(CELLS + 1))
def test_a_prefix_shares_the_stem_and_the_first_cells(k: int) -> None:
    for slot, sets in partition(prefix(k, CELLS)).items():
        assert len(sets) == (1 if slot.cell <= k else len(USERS[slot]))
        assert (slot.cell <= k) == (slot.part == "stem" or 1 <= slot.cell <= k)


@pytest.mark.parametrize("k", [-1, CELLS + 1])
def test_a_prefix_longer_than_the_network(k: int) -> None:
    with pytest.raises(StrategyError) as caught:
        prefix(k, CELLS)
    assert str(caught.value) == f"a prefix of {k} cells; this network has 3, so k is between 0 and 3"


@pytest.mark.parametrize("which", DEEPER64.edges)
def test_an_edge_splits_by_its_operation(which: tuple[int, int]) -> None:
    key = edge(which, DEEPER64)
    for slot, users in USERS.items():
        for a, b in itertools.combinations(users[:8], 2):
            assert (key(a, slot) == key(b, slot)) == (a.operation(which) == b.operation(which))


def test_the_first_edge_is_four_similar_groups() -> None:
    assert partition(edge((0, 1), DEEPER64)) == partition(groups("similar", 4, DEEPER64))


def test_an_edge_that_is_not_there() -> None:
    with pytest.raises(StrategyError) as caught:
        edge((1, 0), DEEPER64)
    assert str(caught.value) == "no edge 1->0 in deeper64; its edges are 0->1, 0->2, 1->2"


@pytest.mark.parametrize("count", range(1, len(KINDS)))
def test_private_and_shared_are_complements(count: int) -> None:
    for kinds in itertools.combinations(KINDS, count):
        others = [kind for kind in KINDS if kind not in kinds]
        assert partition(private(kinds)) == partition(shared(others))
        for slot, sets in partition(private(kinds)).items():
            assert len(sets) == (len(USERS[slot]) if slot.kind in kinds else 1)
    assert partition(private(KINDS)) == partition(none)
    assert partition(shared(KINDS)) == partition(full)


def test_dependent_weights_follow_what_feeds_them() -> None:
    for slot, sets in partition(dependent).items():
        if slot.edge is not None and slot.edge[0] == 1:  # x1 is fed by the operation on 0->1
            assert sets == frozenset(
                frozenset(arch for arch in USERS[slot] if arch.operation((0, 1)) == operation)
                for operation in DEEPER64.operations
            )
        else:  # x0 is fed by no edge
            assert len(sets) == 1


def test_dependent_weights_of_a_node_with_two_edges_in() -> None:
    quad = Space("quad", 3, DEEPER64.operations)
    one, other = quad[0], quad.architecture("111112")  # they differ on 2->3, which feeds no edge
    third = quad.architecture("121111")  # and this one on 0->2, which feeds 2->3
    slot = Slot(1, "edge", (2, 3), "max_pool_3x3", 0, "bn")
    assert dependent(one, slot) == dependent(other, slot) == ("max_pool_3x3", "max_pool_3x3")
    assert dependent(third, slot) == ("sep_conv_3x3", "max_pool_3x3")


# -- counts in closed form ----------------------------------------------------------------------------

LAYERS = {"max_pool_3x3": 1, "sep_conv_3x3": 6, "sep_conv_5x5": 6, "dil_conv_5x5": 3}  # of each operation
EVERY = sum(LAYERS.values())


def with_operation(m: int, place: int) -> int:
    """Of m similar groups, those that have a child with a given operation on the edge at that place (from 0)."""
    return m if m <= 4**place else max(m // 4, 4**place)


@pytest.mark.parametrize("m", DIVISORS)
def test_storages_of_similar_groups(m: int) -> None:
    edges = sum(EVERY * with_operation(m, place) for place in range(3))
    assert storages(groups("similar", m, DEEPER64)) == m * 2 + CELLS * (2 * m + edges) + m


def test_storages_in_closed_form() -> None:
    """2 layers of the stem, 2 of a cell's preprocessing, 16 children for each operation of each edge, 1 classifier."""
    shared_cell, private_cell = 2 + 3 * EVERY, 2 * 64 + 3 * 16 * EVERY
    assert storages(full) == 2 + CELLS * shared_cell + 1
    assert storages(none) == 2 * 64 + CELLS * private_cell + 64
    for k in range(CELLS + 1):
        assert storages(prefix(k, CELLS)) == 2 + k * shared_cell + (CELLS - k) * private_cell + 64
    for which in DEEPER64.edges:
        assert storages(edge(which, DEEPER64)) == 4 * (2 + CELLS * (2 + 2 * EVERY) + 1) + CELLS * EVERY
    assert storages(dependent) == 2 + CELLS * (2 + 2 * EVERY + 4 * EVERY) + 1
    for kind in KINDS:
        assert storages(private([kind])) + storages(shared([kind])) == storages(full) + storages(none)


# -- components ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "count"),
    [
        (full, 1),
        (none, 64),
        *((groups(kind, m, DEEPER64), m) for kind in ("similar", "random") for m in DIVISORS),
        *((prefix(k, CELLS), 1) for k in range(CELLS + 1)),  # even of no cell: the stem is shared
        *((edge(which, DEEPER64), 4) for which in DEEPER64.edges),
        *((private([kind]), 1) for kind in KINDS),
        *((shared([kind]), 1) for kind in KINDS if kind != "depthwise"),
        (shared(["depthwise"]), 2),  # child 111 has no such layer
        (dependent, 1),
    ],
)
def test_components(key: Key, count: int) -> None:
    found = components(SMALL, CHILDREN, key)
    assert len(found) == count
    assert sorted(number for members in found for number in members) == list(range(64))
    assert all(members == sorted(members) for members in found)
    assert [members[0] for members in found] == sorted(members[0] for members in found)


def test_components_of_the_children_at_hand() -> None:
    some = [CHILDREN[i] for i in (60, 3, 17, 18)]
    assert components(SMALL, some, groups("similar", 4, DEEPER64)) == [[0], [1], [2, 3]]  # numbers in the list


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=12, max_size=12), st.lists(st.integers(0, 5), min_size=12, max_size=12))
def test_components_are_what_reaches_each_other_by_sharing(stems: list[int], classifiers: list[int]) -> None:
    """Twelve children that share stems as one list says, classifiers as another, and nothing else."""
    some = CHILDREN[::5][:12]
    number = {arch: i for i, arch in enumerate(some)}

    def key(arch: Architecture, slot: Slot) -> Hashable:
        if slot.part == "stem":
            return stems[number[arch]]
        return classifiers[number[arch]] if slot.part == "classifier" else arch

    linked = np.equal.outer(stems, stems) | np.equal.outer(classifiers, classifiers)
    reach = np.linalg.matrix_power(linked.astype(np.int64), 12) > 0
    expected = {tuple(np.flatnonzero(row).tolist()) for row in reach}
    assert {tuple(members) for members in components(SMALL, some, key)} == expected


# -- a user's key -------------------------------------------------------------------------------------


def test_a_key_that_raises_is_named_with_its_child_and_slot() -> None:
    def key(arch: Architecture, slot: Slot) -> Hashable:
        return {}[slot.kind]  # type: ignore[no-any-return]

    slot = Slot(0, "stem", None, None, 0, "conv")
    with pytest.raises(StrategyError) as caught:
        components(SMALL, CHILDREN, key)
    assert str(caught.value) == (
        f"the strategy's key raised KeyError: 'conv', for child 111 at {slot}; "
        "it must return a value for every child and slot"
    )
    assert isinstance(caught.value.__cause__, KeyError)


def test_an_error_of_this_package_passes_through_a_key() -> None:
    error = StrategyError("mine")

    def key(arch: Architecture, slot: Slot) -> Hashable:
        raise error

    with pytest.raises(StrategyError) as caught:
        call_key(key, CHILDREN[0], SLOTS[CHILDREN[0]][0])
    assert caught.value is error


class Plain:
    def __repr__(self) -> str:
        return "plain"


class Broken:
    def __repr__(self) -> str:
        return "broken"

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")

    def __hash__(self) -> int:
        return 1


@dataclasses.dataclass(frozen=True)
class ByValue:
    kind: str
    value: Any = 0


class Colour(enum.Enum):
    RED = 1


@dataclasses.dataclass(frozen=True, eq=False)
class Itself:
    name: str


RETURN = "return a string, a number, None or a tuple of those"
ALONE = "and one of type {} is equal to itself alone, so that no two children would share by it"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (Plain(), ALONE.format("Plain")),
        ((1, (Plain(), 2)), ALONE.format("Plain")),
        (frozenset([Plain()]), ALONE.format("Plain")),
        (ByValue("a", Plain()), ALONE.format("Plain")),
        (Itself("a"), ALONE.format("Itself")),
        ((x for x in ()), ALONE.format("generator")),
        (len, ALONE.format("builtin_function_or_method")),
        (Plain, ALONE.format("type")),
        (torch.tensor(1), "and comparing objects of type Tensor gives no yes or no"),
        ((torch.tensor([1, 2]), 1), "and comparing objects of type Tensor gives no yes or no"),
        (math.nan, "which is not equal to itself"),
        ((1, np.float64("nan")), "which is not equal to itself"),
        (ByValue("a", math.nan), "which is not equal to itself"),
        (np.zeros(2), "which is not hashable"),
        ([1], "which is not hashable"),
        ((1, {2}), "which is not hashable"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_keys_that_are_not_compared_by_value_are_refused(value: Any, reason: str) -> None:
    slot = SLOTS[CHILDREN[5]][0]
    with pytest.raises(StrategyError) as caught:
        call_key(lambda arch, slot: value, CHILDREN[5], slot)
    text = f"the strategy's key for child {CHILDREN[5].name} at {slot} is {value!r}, {reason}; {RETURN}"
    assert str(caught.value) == text


@pytest.mark.parametrize(
    "value",
    [
        None, True, 1, 1.5, "a", b"a", (1, ("a", None)), frozenset([1]), np.int64(3), np.float32(0.5), np.str_("x"),
        CHILDREN[0], DEEPER64, ByValue("a"), Colour.RED, (Colour.RED, ByValue("b", (1, 2))), 2 + 1j,
        decimal.Decimal("0.5"), fractions.Fraction(1, 3), range(3), datetime.date(2020, 1, 1),
    ],
    ids=repr,
)  # fmt: skip
def test_keys_of_any_value(value: Any) -> None:
    assert call_key(lambda arch, slot: value, CHILDREN[0], SLOTS[CHILDREN[0]][0]) is value


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (SystemExit(0), "SystemExit: 0 (put what parses arguments, or ends the program, under `if __name__ == "
         "'__main__':`)"),
        (BaseException("out"), "BaseException: out"),
        (GeneratorExit(), "GeneratorExit: "),
        (TypeError("no kind"), "TypeError: no kind"),
    ],
)  # fmt: skip
def test_a_key_does_not_end_the_program(error: BaseException, text: str) -> None:
    def key(arch: Architecture, slot: Slot) -> Hashable:
        raise error

    slot = SLOTS[CHILDREN[0]][0]
    with pytest.raises(StrategyError) as caught:
        components(SMALL, CHILDREN, key)
    assert str(caught.value) == (
        f"the strategy's key raised {text}, for child 111 at {slot}; it must return a value for every child and slot"
    )


def test_a_key_does_not_end_the_program_at_once_either() -> None:
    """os._exit(0) was a command without an answer that succeeded. A process that a key forks off may."""
    slot, really = SLOTS[CHILDREN[0]][0], os._exit
    with pytest.raises(StrategyError) as caught:
        call_key(lambda arch, slot: os._exit(0), CHILDREN[0], slot)
    assert str(caught.value) == (
        "the strategy's key raised SystemExit: os._exit(0) (put what parses arguments, or ends the program, under `if "
        f"__name__ == '__main__':`), for child 111 at {slot}; it must return a value for every child and slot"
    )
    assert os._exit is really
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
        child = call_key(lambda arch, slot: os.fork() or os._exit(3), CHILDREN[0], slot)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3


def test_ctrl_c_passes_through_a_key() -> None:
    def key(arch: Architecture, slot: Slot) -> Hashable:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        components(SMALL, CHILDREN, key)


def test_values_that_cannot_be_compared_with_each_other() -> None:
    with pytest.raises(StrategyError, match="the strategy's key raised RuntimeError: no, for child 1"):
        components(SMALL, CHILDREN, lambda arch, slot: Broken())
    deep: Any = ()
    for _ in range(100_000):
        deep = (deep,)
    with pytest.raises(StrategyError, match="the strategy's key raised RecursionError: "):
        components(SMALL, CHILDREN, lambda arch, slot: deep)


def counter(period: int) -> Key:
    calls = itertools.count()
    return lambda arch, slot: next(calls) // period % 2


def first_met() -> Key:
    """A number for each child in the order in which children are asked for, modulo 4, as of a dictionary that grows."""
    numbers: dict[int, int] = {}
    return lambda arch, slot: numbers.setdefault(arch.index, len(numbers)) % 4


def by_chance() -> Key:
    draws = random.Random(0)
    return lambda arch, slot: draws.randrange(4)


@pytest.mark.parametrize("key", [counter(1), counter(2), counter(1000), by_chance()], ids=["1", "2", "1000", "chance"])
def test_a_key_that_depends_on_earlier_calls_is_refused(key: Key) -> None:
    with pytest.raises(StrategyError) as caught:
        components(SMALL, CHILDREN, key)
    assert str(caught.value).endswith(
        "when asked for again; it must depend on the child and the slot alone, not on chance or on earlier calls"
    )


def test_a_key_with_a_memory_is_none_of_these() -> None:
    assert len(components(SMALL, CHILDREN, first_met())) == 4


def test_what_a_key_prints_is_no_answer(capsys: pytest.CaptureFixture[str]) -> None:
    def key(arch: Architecture, slot: Slot) -> Hashable:
        print("asked")
        return None

    components(SMALL, CHILDREN[:1], key)
    out, err = capsys.readouterr()
    assert out == ""
    assert set(err.split()) == {"asked"}


def test_strategies_plans_and_assessments_need_no_torch() -> None:
    names = (
        "sharing.strategies", "rankers.plan", "sharing", "sharing.schedules", "results.assess", "results.result",
        "json_files", "workers.pool", "results.compare", "evaluation.leaderboard", "evaluation.catalogue",
    )  # fmt: skip
    code = "import sys; " + "; ".join(f"import nasbench_ws.{name}" for name in names)
    code += (
        "; from nasbench_ws.sharing.strategies import resolve; from nasbench_ws.space import DEEPER64"
        "; from nasbench_ws.space.macro import SMALL; from nasbench_ws.rankers.plan import Plan"
        "; from nasbench_ws.recipe import Recipe"
        "; strategy = resolve('groups:similar:4', DEEPER64, SMALL)"
        "; assert len(Plan('groups:similar:4', Recipe()).parts(list(DEEPER64), SMALL, strategy)) == 4"
        "; sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True)
