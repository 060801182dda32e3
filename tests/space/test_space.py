"""The space: names that lead back to their child, identities that never change, errors that help."""

from __future__ import annotations

import copy
import hashlib
import itertools
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench_ws.errors import ArchitectureError, UsageError
from nasbench_ws.space import registry
from nasbench_ws.space.cell import Architecture, ArchitectureLike, Space
from nasbench_ws.space.isomorphism import isomorphic, isomorphism_classes
from nasbench_ws.space.registry import (
    DEEPER64,
    SPACES,
    get_space,
    register_space,
    space_from_dict,
    space_to_dict,
)

OPERATIONS = ("max_pool_3x3", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_5x5")
QUAD = Space("quad", 3, OPERATIONS)  # 4096 children
WIDE = Space("wide", 2, tuple(f"op{i}" for i in range(12)))  # 1728 children, digits joined by "-"
SINGLE = Space("single", 1, ("a", "b", "c", "d"))  # one edge: digits and indices have the same form
SPARSE = Space("sparse", 2, ("none", "conv"))  # edges can be missing: has duplicates
SPARSE3 = Space("sparse3", 3, ("none", "conv"))

quad_children = st.integers(0, len(QUAD) - 1).map(QUAD.__getitem__)


def refusal(space: Space, x: object) -> str:
    with pytest.raises(ArchitectureError) as caught:
        space.architecture(x)  # type: ignore[arg-type]
    assert x not in space
    return str(caught.value)


# -- identity: these values are for ever ----------------------------------------------------------

GOLDEN = [  # hashes from coreutils: printf '<spec>' | sha256sum | cut -c1-16
    (DEEPER64, "111", 0, "15f7dc2cd185518f", "deeper64:|max_pool_3x3~0|+|max_pool_3x3~0|max_pool_3x3~1|"),
    (DEEPER64, "124", 7, "242129d7f03546ee", "deeper64:|max_pool_3x3~0|+|sep_conv_3x3~0|dil_conv_5x5~1|"),
    (DEEPER64, "244", 31, "7fd22349fd0946e0", "deeper64:|sep_conv_3x3~0|+|dil_conv_5x5~0|dil_conv_5x5~1|"),
    (DEEPER64, "434", 59, "889c9c1e36d3f058", "deeper64:|dil_conv_5x5~0|+|sep_conv_5x5~0|dil_conv_5x5~1|"),
    (DEEPER64, "444", 63, "dfe6ce31592ebd0c", "deeper64:|dil_conv_5x5~0|+|dil_conv_5x5~0|dil_conv_5x5~1|"),
    (
        QUAD,
        "214312",
        1249,
        "dd9df910ab0af2ca",
        "quad:|sep_conv_3x3~0|+|max_pool_3x3~0|dil_conv_5x5~1|+|sep_conv_5x5~0|max_pool_3x3~1|sep_conv_3x3~2|",
    ),
]


@pytest.mark.parametrize(("space", "name", "index", "hash_", "spec"), GOLDEN)
def test_golden_identities(space: Space, name: str, index: int, hash_: str, spec: str) -> None:
    child = space.architecture(name)
    assert (child.name, child.index, child.hash, child.spec) == (name, index, hash_, spec)


def test_hash_is_sha256_of_a_string_spelt_out_here() -> None:
    digits = [f"{a}{b}{c}" for a in "1234" for b in "1234" for c in "1234"]
    assert [child.name for child in DEEPER64] == digits
    for child, name in zip(DEEPER64, digits, strict=True):
        o01, o02, o12 = (OPERATIONS[int(digit) - 1] for digit in name)
        spec = f"deeper64:|{o01}~0|+|{o02}~0|{o12}~1|"
        assert child.spec == spec
        assert child.hash == hashlib.sha256(spec.encode("utf-8")).hexdigest()[:16]
        assert [child.operation(edge) for edge in DEEPER64.edges] == [o01, o02, o12]


# -- names lead back ------------------------------------------------------------------------------


def test_every_name_of_each_of_the_64_leads_back() -> None:
    hashes = [child.hash for child in DEEPER64]
    assert len(set(hashes)) == 64
    for child in DEEPER64:
        prefixes = [child.hash[:n] for n in range(4, 17)]
        unique = [prefix for prefix in prefixes if sum(h.startswith(prefix) for h in hashes) == 1]
        assert unique == prefixes  # four hex digits already tell the 64 apart
        texts = [
            child.name,
            child.spec,
            str(child),
            str(child.index),
            child.hash.upper(),
            np.str_(child.name),
        ]
        indices: list[ArchitectureLike] = [
            child.index,
            np.int64(child.index),
            np.uint8(child.index),
            np.array(child.index),
        ]
        names: list[ArchitectureLike] = [child, *texts, *unique, *indices]
        for name in names:
            assert DEEPER64.architecture(name) is child
            assert name in DEEPER64
        assert DEEPER64[child.index] is DEEPER64[np.int32(child.index)] is child
        assert Architecture(DEEPER64, child.choices) == child


@given(quad_children)
def test_complete_names_lead_back_in_a_space_of_4096(child: Architecture) -> None:
    for name in (child.name, child.spec, child.hash, child.index, np.int16(child.index)):
        assert QUAD.architecture(name) is child


@settings(deadline=None)  # an error may look at all names, on whatever machine this is
@given(
    st.one_of(
        st.builds(lambda child, length: child.hash[:length], quad_children, st.integers(0, 16)),
        st.integers(0, 9999).map(str),
        st.text("012345af", max_size=7),
    )
)
def test_short_names_mean_what_the_definition_says(text: str) -> None:
    digits = {child for child in QUAD if child.name == text}
    by_index = {child for child in QUAD if str(child.index) == text}
    by_hash = {child for child in QUAD if len(text) >= 4 and child.hash.startswith(text)}
    meant = digits or by_index | by_hash
    if len(meant) == 1:
        assert {QUAD.architecture(text)} == meant
    else:
        said = refusal(QUAD, text)
        assert all(f"{child.name} (" in said for child in meant) or len(meant) > 8


@given(st.integers(0, len(WIDE) - 1))
def test_digits_are_joined_where_operations_exceed_nine(index: int) -> None:
    child = WIDE[index]
    first, second, third = (int(number) for number in child.name.split("-"))
    assert ((first - 1) * 12 + second - 1) * 12 + third - 1 == index
    assert (
        child
        == WIDE.architecture(child.name)
        == WIDE.architecture(child.spec)
        == WIDE.architecture(child.hash)
    )


def test_three_decimals_are_an_index_where_digits_are_joined() -> None:
    assert WIDE.architecture("124").index == 124
    assert WIDE.architecture("1-2-4").index == 15


def test_one_edge_text_is_digits_and_int_is_index() -> None:
    assert SINGLE.architecture("1") is SINGLE[0]
    assert SINGLE.architecture(1) is SINGLE[1]
    assert refusal(SINGLE, "0") == (
        "single has no child '0' (did you mean 1 or 2 or 3 or 4?); name one by its digits (1 to 4), index "
        "(0 to 3, as an int), hash (16 hex digits, or the first 4 or more) or canonical string (single:|a~0|)"
    )


def test_a_child_is_built_once() -> None:
    assert DEEPER64.architecture("124") is DEEPER64.architecture("124") is DEEPER64[7]


# -- texts that could mean more than one ----------------------------------------------------------


def test_digits_come_before_hash_prefixes() -> None:
    child = next(child for child in QUAD if child.hash.startswith("123444"))  # there is one, by luck
    assert child.name == "424122"
    assert QUAD.architecture("123444").name == "123444"
    assert QUAD.architecture("1234441") is child


def test_leading_zeros_are_of_hashes_alone() -> None:
    assert QUAD.architecture("0034").name == "422324"
    assert "007" not in QUAD


def test_decimals_beyond_the_indices_are_a_hash_prefix() -> None:
    assert QUAD.architecture("5002").name == "341314"


def test_prefix_of_several_hashes_lists_them() -> None:
    assert refusal(QUAD, "0365") == (
        "'0365' fits more than one child of quad: 143343 (hash 03656d760baac545), 334422 (hash "
        "03656de7e2e90290), 114214 (hash 0365da5c54bad34e); write more of the hash, or the digits"
    )


def test_index_that_is_also_a_prefix_lists_both() -> None:
    assert refusal(QUAD, "1035") == (
        "'1035' fits more than one child of quad: 211134 (index 1035), 412344 (hash 1035aa5fcfa704f3); "
        "write more of the hash, or the digits"
    )
    assert QUAD.architecture(1035).name == "211134"


def test_index_and_prefix_of_the_same_child_agree() -> None:
    space = Space("s14", 3, OPERATIONS)  # found by trying names
    assert space[2981].hash == "29813e892bf4c99a"
    assert space.architecture("2981") is space[2981]


# -- unknown ones ---------------------------------------------------------------------------------

HOW = (
    "name one by its digits (111 to 444), index (0 to 63), hash (16 hex digits, or the first 4 or more) "
    "or canonical string (deeper64:|max_pool_3x3~0|+|max_pool_3x3~0|max_pool_3x3~1|)"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("125", f"deeper64 has no child '125' (did you mean 121 or 122 or 123 or 124?); {HOW}"),
        ("014", f"deeper64 has no child '014' (did you mean 114 or 214 or 314 or 414?); {HOW}"),
        ("12x", f"deeper64 has no child '12x' (did you mean 121 or 122 or 123 or 124?); {HOW}"),
        ("64", f"deeper64 has no child '64'; {HOW}"),
        ("07", f"deeper64 has no child '07'; {HOW}"),
        ("-1", f"deeper64 has no child '-1'; {HOW}"),
        ("", f"deeper64 has no child ''; {HOW}"),
        ("124\n", f"deeper64 has no child '124\\n'; {HOW}"),
        ("١٢٤", f"deeper64 has no child '١٢٤'; {HOW}"),
        ("9" * 5000, f"deeper64 has no child '{'9' * 5000}'; {HOW}"),
        (
            "242129d7f03546ff",
            f"deeper64 has no child '242129d7f03546ff' (did you mean 242129d7f03546ee?); {HOW}",
        ),
        ("2521", f"deeper64 has no child '2521' (did you mean 242129d7f03546ee?); {HOW}"),
        (
            "deeper64:|max_pool_3x3~0|+|dil_conv_5x5~1|sep_conv_3x3~0|",
            "'deeper64:|max_pool_3x3~0|+|dil_conv_5x5~1|sep_conv_3x3~0|' is not in canonical form; "
            "write deeper64:|max_pool_3x3~0|+|sep_conv_3x3~0|dil_conv_5x5~1|",
        ),
        (
            "|max_pool_3x3~0|+|dil_conv_5x5~1|sep_conv_3x3~0|",
            "'|max_pool_3x3~0|+|dil_conv_5x5~1|sep_conv_3x3~0|' is not in canonical form; "
            "write deeper64:|max_pool_3x3~0|+|sep_conv_3x3~0|dil_conv_5x5~1|",
        ),
        (
            "deeper64:|max_pool_3x3~0|+|sep_conv_3x3~0|dil_conf_5x5~1|",
            "'deeper64:|max_pool_3x3~0|+|sep_conv_3x3~0|dil_conf_5x5~1|' has the unknown operation "
            "'dil_conf_5x5' (did you mean dil_conv_5x5 or sep_conv_5x5 or sep_conv_3x3?); those of deeper64 "
            "are max_pool_3x3, sep_conv_3x3, sep_conv_5x5, dil_conv_5x5",
        ),
        (
            "deeper64:|max_pool_3x3~0|+|sep_conv_3x3~0|",
            "'deeper64:|max_pool_3x3~0|+|sep_conv_3x3~0|' describes no child of deeper64; a canonical string "
            "reads deeper64:|max_pool_3x3~0|+|max_pool_3x3~0|max_pool_3x3~1|",
        ),
        (
            "deeper64:|max_pool_3x3~0|+|sep_conv_3x3~0|sep_conv_5x5~0|dil_conv_5x5~1|",
            "'deeper64:|max_pool_3x3~0|+|sep_conv_3x3~0|sep_conv_5x5~0|dil_conv_5x5~1|' describes no child "
            "of deeper64; a canonical string reads deeper64:|max_pool_3x3~0|+|max_pool_3x3~0|max_pool_3x3~1|",
        ),
        (  # two operations on edge (0, 2), none on (1, 2)
            "deeper64:|max_pool_3x3~0|+|sep_conv_3x3~0|dil_conv_5x5~0|",
            "'deeper64:|max_pool_3x3~0|+|sep_conv_3x3~0|dil_conv_5x5~0|' describes no child of deeper64; "
            "a canonical string reads deeper64:|max_pool_3x3~0|+|max_pool_3x3~0|max_pool_3x3~1|",
        ),
        ("quad:|a~0|", "'quad:|a~0|' is of the space 'quad', not of deeper64; ask that space for it"),
    ],
)
def test_unknown_texts(text: str, message: str) -> None:
    assert refusal(DEEPER64, text) == message


@pytest.mark.parametrize("index", [64, -1, 10**30, np.int64(-1)])
def test_index_out_of_range(index: int) -> None:
    message = f"deeper64 has no child at index {index}; an index is 0 to 63"
    assert refusal(DEEPER64, index) == message
    with pytest.raises(ArchitectureError) as caught:
        DEEPER64[index]
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("x", "shown"),
    [
        (True, "bool True"),
        (np.True_, f"{type(np.True_).__name__} {np.True_!r}"),
        (1.0, "float 1.0"),
        (None, "NoneType None"),
        (b"124", "bytes b'124'"),
        ((0, 1, 3), "tuple (0, 1, 3)"),
    ],
)
def test_types_that_name_nothing(x: object, shown: str) -> None:
    DEEPER64.architecture(1)  # remembered, and equal to True and 1.0 as a key
    message = f"{shown} cannot name a child of deeper64; give an Architecture, an int index or a str"
    assert refusal(DEEPER64, x) == message
    with pytest.raises(ArchitectureError) as caught:
        DEEPER64[x]  # type: ignore[index]
    assert str(caught.value) == (
        f"an index of deeper64 is an int, not {shown}; for any other name, ask its architecture(...)"
    )


def test_children_of_other_spaces_are_refused() -> None:
    assert refusal(SINGLE, DEEPER64[7]) == (
        "Architecture('deeper64', '124') belongs to another space, deeper64 (nodes=2, operations="
        "max_pool_3x3, sep_conv_3x3, sep_conv_5x5, dil_conv_5x5), not to single (nodes=1, operations="
        "a, b, c, d); take the child from single by its digits, hash or index"
    )
    refusal(DEEPER64, Space("deeper64", 2, OPERATIONS[::-1])[7])  # the name alone does not make it the same


@pytest.mark.parametrize("choices", [(0, 1), (0, 1, 4), (0, 1, -1), (0, True, 1), (0, 1.0, 1), (0, 1, 2, 3)])
def test_choices_that_are_no_child(choices: tuple[int, ...]) -> None:
    with pytest.raises(ArchitectureError) as caught:
        Architecture(DEEPER64, choices)
    assert str(caught.value) == (
        f"{choices!r} are not the choices of a child of deeper64; give 3 ints, one an edge, each 0 to 3"
    )


# -- laws -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("space", [DEEPER64, QUAD, WIDE, SINGLE, SPARSE3])
def test_children_are_all_products_in_lexicographic_order(space: Space) -> None:
    products = itertools.product(range(len(space.operations)), repeat=len(space.edges))
    children = list(space)
    assert [child.choices for child in children] == list(products)
    assert [child.index for child in children] == list(range(len(space)))
    assert len({child.hash for child in children}) == len(set(children)) == len(space)


def test_edges_by_target_then_source() -> None:
    assert SINGLE.edges == ((0, 1),)
    assert DEEPER64.edges == ((0, 1), (0, 2), (1, 2))
    assert QUAD.edges == ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))


@given(quad_children, quad_children, quad_children)
def test_distance_is_a_metric(a: Architecture, b: Architecture, c: Architecture) -> None:
    assert a.distance(b) == b.distance(a) == sum(p != q for p, q in zip(a.name, b.name, strict=True))
    assert (a.distance(b) == 0) == (a == b)
    assert a.distance(c) <= a.distance(b) + b.distance(c)


def test_neighbours_are_the_children_at_distance_one() -> None:
    for child in DEEPER64:
        assert set(child.neighbours()) == {other for other in DEEPER64 if child.distance(other) == 1}
        assert len(child.neighbours()) == 9
    names = [other.name for other in DEEPER64.architecture("124").neighbours()]
    assert names == ["224", "324", "424", "114", "134", "144", "121", "122", "123"]


def test_distance_takes_any_name_in_the_same_space() -> None:
    assert DEEPER64[7].distance("434") == 2
    with pytest.raises(ArchitectureError, match="belongs to another space"):
        DEEPER64[7].distance(SINGLE[0])


def test_unknown_edge() -> None:
    with pytest.raises(UsageError) as caught:
        DEEPER64[7].operation((2, 1))
    assert (
        str(caught.value) == "deeper64 has no edge (2, 1); (source, target) is one of (0, 1), (0, 2), (1, 2)"
    )


# -- values ---------------------------------------------------------------------------------------


def test_architecture_is_a_small_value() -> None:
    child = DEEPER64.architecture("124")
    assert repr(child) == "Architecture('deeper64', '124')"
    assert str(child) == "124"
    assert {child: 1}[Architecture(DEEPER64, [0, np.int64(1), 3])] == 1  # type: ignore[arg-type]
    assert child != Space("other", 2, OPERATIONS).architecture("124")
    assert child not in Space("other", 2, OPERATIONS)
    with pytest.raises(AttributeError):
        child.choices = (0, 0, 0)  # type: ignore[misc]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_and_copies_come_back(protocol: int) -> None:
    for child in (DEEPER64[7], QUAD[7]):
        back = pickle.loads(pickle.dumps(child, protocol))
        assert (back, back.space, back.hash) == (child, child.space, child.hash)
        assert copy.deepcopy(child) == child
    assert pickle.loads(pickle.dumps(DEEPER64, protocol)) == DEEPER64


def test_pickles_leave_what_was_looked_up_behind() -> None:
    space = Space("fresh", 3, OPERATIONS)
    before = pickle.dumps(space)
    assert space.architecture(space[9].hash) is space[9]
    assert pickle.dumps(space) == before
    assert len(before) < 300


# -- spaces of one's own --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("s", 2, ()), "a space needs a list of one operation name or more, not ()"),
        (("s", 2, "abc"), "a space needs a list of one operation name or more, not 'abc'"),
        (("s", 2, ["a", "b", "a"]), "the operation a is listed twice in ('a', 'b', 'a'); list each once"),
        (
            ("s", 2, ["conv-3"]),
            "'conv-3' cannot name a space or an operation; use lower-case letters, digits and _, "
            "as in sep_conv_3x3",
        ),
        (
            ("My space", 2, ["a"]),
            "'My space' cannot name a space or an operation; use lower-case letters, digits and _, "
            "as in sep_conv_3x3",
        ),
        (("s", 0, ["a"]), "a space has 1 to 5 nodes beside its input, not 0"),
        (("s", 6, ["a"]), "a space has 1 to 5 nodes beside its input, not 6"),
        (("s", True, ["a"]), "a space has 1 to 5 nodes beside its input, not True"),
        (("s", 2.0, ["a"]), "a space has 1 to 5 nodes beside its input, not 2.0"),
        (
            ("s", 5, OPERATIONS),
            "4 operations and 5 nodes make 1,073,741,824 children, more than the 1,048,576 that can be "
            "enumerated; take fewer of either",
        ),
    ],
)
def test_spaces_that_cannot_be(arguments: tuple[str, int, tuple[str, ...]], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Space(*arguments)
    assert str(caught.value) == message


def test_the_strings_of_nasbench201_are_its_own() -> None:
    """The best by validation on CIFAR-10, in the benchmark's own words; its files' digits, plus 1."""
    best = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|"
    child = get_space("nasbench201").architecture(f"nasbench201:{best}")
    assert (child.name, len(child.space), len(get_space("topology729"))) == ("444243", 5**6, 3**6)


def test_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "SPACES", dict(SPACES))
    assert get_space("deeper64") is DEEPER64
    assert register_space(QUAD) is QUAD
    assert register_space(Space("quad", 3, OPERATIONS)) is get_space("quad") is QUAD
    with pytest.raises(UsageError) as caught:
        register_space(Space("quad", 1, ("a",)))
    assert str(caught.value) == (
        "the name quad belongs to another space, quad (nodes=3, operations=max_pool_3x3, sep_conv_3x3, "
        "sep_conv_5x5, dil_conv_5x5); give quad (nodes=1, operations=a) a name of its own"
    )
    with pytest.raises(UsageError) as caught:
        get_space("deeper46")
    assert str(caught.value) == (
        "there is no space 'deeper46' (did you mean deeper64?); known: deeper64, topology729, nasbench201, quad; "
        "make your own known with register_space(Space(...)), or name it with its file, --space FILE.py:NAME"
    )


# -- isomorphism ----------------------------------------------------------------------------------


def relabels(a: Architecture, b: Architecture) -> bool:
    """The definition, spelt out: some permutation of nodes 1..n maps the edges of a onto those of b."""

    def graph(child: Architecture) -> dict[tuple[int, int], str]:
        operations = {edge: child.operation(edge) for edge in child.space.edges}
        return {edge: operation for edge, operation in operations.items() if operation != "none"}

    def moved(order: tuple[int, ...]) -> dict[tuple[int, int], str]:
        to = dict(enumerate((0, *order)))
        return {(to[source], to[target]): operation for (source, target), operation in graph(a).items()}

    return any(moved(order) == graph(b) for order in itertools.permutations(range(1, a.space.nodes + 1)))


@pytest.mark.parametrize("space", [DEEPER64, SPARSE, SPARSE3])
def test_isomorphic_is_what_trying_every_relabelling_says(space: Space) -> None:
    for a, b in itertools.combinations_with_replacement(space, 2):
        assert isomorphic(a, b) == isomorphic(b, a) == relabels(a, b)


def test_no_two_children_are_isomorphic_where_every_edge_is_there() -> None:
    for space in (DEEPER64, QUAD):
        assert isomorphism_classes(space) == [(child,) for child in space]


def test_missing_edges_make_duplicates_and_multiplicities() -> None:
    names = [[child.name for child in children] for children in isomorphism_classes(SPARSE)]
    assert names == [["111"], ["112"], ["121", "211"], ["122"], ["212"], ["221"], ["222"]]
    classes = isomorphism_classes(SPARSE3)
    assert sum(map(len, classes)) == 64
    assert {child.name for child in max(classes, key=len)} == {"111112", "111121", "112111"}
    for children in classes:
        for other in SPARSE3:
            assert relabels(children[0], other) == (other in children)


# -- light ----------------------------------------------------------------------------------------


def test_import_is_light() -> None:
    """Of what is not in the standard library, importing the space loads nothing but this package."""
    code = (
        "import sys; before = set(sys.modules); import nasbench_ws.space; "
        "print({name.partition('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names)"
    )
    output = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True).stdout
    assert output == "{'nasbench_ws'}\n"


def test_spaces_and_children_cannot_be_changed():
    for thing in (DEEPER64, DEEPER64[5]):
        with pytest.raises(AttributeError, match="cannot assign to field"):
            thing.nodes = 3
    assert DEEPER64 != "deeper64"
    assert DEEPER64[5] != 5


def test_a_chain_has_one_edge_a_node() -> None:
    """NAS-Bench-Macro's space: eight places in a row, three operations each."""
    chain = Space("chain", 8, ("a", "b", "c"), "chain")
    child = chain.architecture("11111123")
    assert (len(chain), len(child.neighbours()), child.index) == (3**8, 16, 5)
    assert child.spec == "chain:|a~0|+|a~1|+|a~2|+|a~3|+|a~4|+|a~5|+|b~6|+|c~7|"
    assert chain.architecture(child.spec) is chain.architecture(child.spec.partition(":")[2]) is child
    assert space_from_dict(space_to_dict(chain)) == pickle.loads(pickle.dumps(chain)) == chain
    assert chain != Space("chain", 3, ("a", "b", "c"))
    with pytest.raises(UsageError) as caught:
        Space("chain", 8, ("a", "b"), "ring")
    assert str(caught.value) == "a space has the form full or chain, not 'ring'"
    with pytest.raises(UsageError) as caught:
        register_space(Space("deeper64", 3, ("a",), "chain"))
    assert "(form=chain, nodes=3, operations=a)" in str(caught.value)
