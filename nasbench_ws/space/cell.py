"""The search space: which children exist, and every way to name one.

Holds `Space` (a cell whose nodes each take an edge from every earlier node, with one operation on
each edge), `Architecture` (one child of a space), the registry of named spaces, and the search for
children that are relabellings of each other. Deliberately not here: networks. A space takes any
operation name; which operations can be built is for `nasbench_ws.space.blocks` to say.

    child = DEEPER64.architecture("124")          # or its index, hash, hash prefix or canonical string
    child.name, child.index, child.hash, child.spec              # each of which names it again
    [other.name for other in child.neighbours()]                 # one operation away
"""

from __future__ import annotations

import itertools
import operator
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, SupportsIndex, TypeAlias

from nasbench_ws.errors import ArchitectureError, UsageError
from nasbench_ws.space.exchange import Style, choices_of, parameter_names
from nasbench_ws.space.names import ambiguous, described, is_spec, unknown

MAX_CHILDREN = 2**20  # a hash is looked up among those of all children: some ten seconds at this size
MAX_NODES = {"full": 5, "chain": 20}  # with one more, two operations already make 2**21 children
_WORD = re.compile(r"[a-z0-9_]+")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,6}")  # MAX_CHILDREN has seven digits; 0012 can only be a hash prefix
_HEX = re.compile(r"[0-9a-fA-F]{4,16}")
ArchitectureLike: TypeAlias = "Architecture | SupportsIndex | str"
Edge: TypeAlias = tuple[int, int]


def _integer(x: object) -> int | None:
    """`x` as an int, if it is one (NumPy's are), and not a bool, which says yes or no."""
    try:
        return None if isinstance(x, bool) else operator.index(x)  # type: ignore[arg-type]
    except TypeError:
        return None


def _digest(spec: str) -> str:
    return str(sha256(spec.encode()).hexdigest()[:16])


@dataclass(frozen=True)
class Space:
    """All ways to put one of `operations` on each edge of a cell.

    Node 0 is the input; nodes 1 to `nodes` each take an edge from every earlier node. In a space of the form
    `chain`, which is for tables that others made, a node takes one edge, from the node before it. The children
    are in lexicographic order of their choices, the first edge most significant.
    """

    name: str
    nodes: int
    operations: tuple[str, ...]
    form: str = "full"

    def __post_init__(self) -> None:
        operations = tuple(self.operations) if isinstance(self.operations, (list, tuple)) else ()
        if not operations:
            raise UsageError(f"a space needs a list of one operation name or more, not {self.operations!r}")
        for word in (self.name, *operations):
            if not (isinstance(word, str) and _WORD.fullmatch(word)):
                raise UsageError(
                    f"{word!r} cannot name a space or an operation; "
                    "use lower-case letters, digits and _, as in sep_conv_3x3"
                )
            if operations.count(word) > 1:
                raise UsageError(f"the operation {word} is listed twice in {operations}; list each once")
        if self.form not in MAX_NODES:
            raise UsageError(f"a space has the form {' or '.join(MAX_NODES)}, not {self.form!r}")
        count, most = _integer(self.nodes), MAX_NODES[self.form]
        if count is None or not 1 <= count <= most:
            raise UsageError(f"a space has 1 to {most} nodes beside its input, not {self.nodes!r}")
        children = len(operations) ** (count if self.form == "chain" else count * (count + 1) // 2)
        if children > MAX_CHILDREN:
            raise UsageError(
                f"{len(operations)} operations and {count} nodes make {children:,} children, more than the "
                f"{MAX_CHILDREN:,} that can be enumerated; take fewer of either"
            )
        vars(self).update(nodes=count, operations=operations)

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """(source, target) of every edge, sorted by target, then source."""
        return tuple((source, target) for target in range(1, self.nodes + 1) for source in self._sources(target))

    def _sources(self, target: int) -> range:
        return range(target - 1 if self.form == "chain" else 0, target)

    def __len__(self) -> int:
        return int(len(self.operations) ** len(self.edges))

    def __iter__(self) -> Iterator[Architecture]:
        return map(self.__getitem__, range(len(self)))

    def __contains__(self, x: object) -> bool:
        """Whether `x` is a child of this space, or names exactly one."""
        if isinstance(x, Architecture):
            return x.space == self
        if isinstance(x, str):
            return len(set(self._readings(x).values())) == 1
        index = _integer(x)
        return index is not None and 0 <= index < len(self)

    def __getitem__(self, index: SupportsIndex) -> Architecture:
        """The child at `index`. Negative ones are refused: -1 is often a search that found nothing."""
        position = _integer(index)
        if position is None:
            raise ArchitectureError(
                f"an index of {self.name} is an int, not {type(index).__name__} {index!r}; "
                "for any other name, ask its architecture(...)"
            )
        child = self._known.get(position)
        if child is None:
            if not 0 <= position < len(self):
                raise ArchitectureError(
                    f"{self.name} has no child at index {position}; an index is 0 to {len(self) - 1}"
                )
            base, last = len(self.operations), len(self.edges) - 1
            choices = tuple(position // base ** (last - edge) % base for edge in range(last + 1))
            child = self._known[position] = Architecture(self, choices)
        return child

    def architecture(self, x: ArchitectureLike) -> Architecture:
        """The one child that `x` means; ArchitectureError where it means none, or several.

        `x` is an Architecture of this space; an index, as int or NumPy integer; or a text: digits,
        canonical string (with or without the space's name in front), hash, a prefix of the hash (4 hex digits
        or more), or decimal index. Digits come first: a text of as many decimals as there are edges is never an
        index.

        >>> from nasbench_ws.space import DEEPER64
        >>> DEEPER64.architecture("124").spec
        'deeper64:|max_pool_3x3~0|+|sep_conv_3x3~0|dil_conv_5x5~1|'
        >>> DEEPER64.architecture(59).name, DEEPER64.architecture("889c9").index
        ('434', 59)
        """
        if type(x) is str or type(x) is int:  # only these: True and 1.0 are the same key as 1
            known = self._known.get(x)
            if known is not None:
                return known
        if isinstance(x, Architecture):
            if x.space is not self and x.space != self:
                raise ArchitectureError(
                    f"{x!r} belongs to another space, {x.space._summary}, not to {self._summary}; "
                    f"take the child from {self.name} by its digits, hash or index"
                )
            return x
        if isinstance(x, str):
            readings = self._readings(x)
            children = set(readings.values())
            if len(children) != 1:
                raise ArchitectureError(ambiguous(self, x, readings) if children else unknown(self, x))
            return self._known.setdefault(str(x), children.pop())
        if _integer(x) is None:
            raise ArchitectureError(
                f"{type(x).__name__} {x!r} cannot name a child of {self.name}; "
                "give an Architecture, an int index or a str"
            )
        return self[x]

    def from_dict(self, choices: Mapping[str, str]) -> Architecture:
        """The child with these operations, as optimisers have them: by edge, `0->1` or `O01`, in any order.

        ArchitectureError for an edge or an operation that is unknown, or an edge without one.

        >>> from nasbench_ws.space import DEEPER64
        >>> DEEPER64.from_dict({"1->2": "dil_conv_5x5", "0->1": "max_pool_3x3", "0->2": "sep_conv_3x3"}).name
        '124'
        """
        return self[self._index(choices_of(self, choices))]

    def __reduce__(self) -> tuple[Any, ...]:  # leaves the caches behind
        if "made_again" in vars(self):  # of a file whose operations another process has to register as well
            again: tuple[Any, ...] = vars(self)["made_again"]
            return again
        return Space, (self.name, self.nodes, self.operations, self.form)

    @cached_property
    def _known(self) -> dict[int | str, Architecture]:
        """Every name that was asked for so far: asking again costs one look into this dictionary."""
        return {}

    @cached_property
    def _hashes(self) -> list[tuple[str, int]]:
        """(hash, index) of every child, sorted, so that bisection finds hashes and prefixes alike."""
        choices = itertools.product(range(len(self.operations)), repeat=len(self.edges))
        return sorted((_digest(self._spec(c)), index) for index, c in enumerate(choices))

    @cached_property
    def _pieces(self) -> list[list[str]]:
        """What each operation adds to the canonical string on each edge, with the marks around its node."""
        before = ["+" * (source == self._sources(target)[0] and target > 1) for source, target in self.edges]
        after = [f"~{source}" + "|" * (source == target - 1) for source, target in self.edges]
        return [[f"{a}|{o}{b}" for o in self.operations] for a, b in zip(before, after, strict=True)]

    def _spec(self, choices: Sequence[int]) -> str:
        return f"{self.name}:" + "".join(map(operator.getitem, self._pieces, choices))

    def _index(self, choices: Sequence[int]) -> int:
        index = 0
        for choice in choices:
            index = index * len(self.operations) + choice
        return index

    def _digits(self, choices: Sequence[int]) -> str:
        return ("-" if len(self.operations) > 9 else "").join(str(choice + 1) for choice in choices)

    def _parts(self, text: str) -> list[str]:
        """`text` cut into one number an edge, in range or not; empty where it has not the form of digits."""
        parts = text.split("-") if len(self.operations) > 9 else list(text)
        return parts if len(parts) == len(self.edges) and re.fullmatch("[0-9]+", "".join(parts)) else []

    def _readings(self, text: str) -> dict[str, Architecture]:
        """Every child that `text` fits, by the way in which it does."""
        if is_spec(text):
            child = described(self, text)
            canonical = child is not None and text in (child.spec, child.spec.removeprefix(f"{self.name}:"))
            return {"canonical string": child} if child is not None and canonical else {}
        parts = self._parts(text)
        numbers = {str(choice + 1): choice for choice in range(len(self.operations))}
        if parts and numbers.keys() >= set(parts):
            return {"digits": self[self._index([numbers[part] for part in parts])]}
        readings = {}
        if not parts and _DECIMAL.fullmatch(text) and int(text) < len(self):
            readings[f"index {text}"] = self[int(text)]
        if _HEX.fullmatch(text):
            prefix = text.lower()
            low = bisect_left(self._hashes, (prefix, -1))
            high = bisect_left(self._hashes, (prefix + "g", -1))  # "g" sorts after all hex digits
            readings |= {f"hash {found}": self[index] for found, index in self._hashes[low:high]}
        return readings

    @property
    def _summary(self) -> str:
        form = "" if self.form == "full" else f"form={self.form}, "
        return f"{self.name} ({form}nodes={self.nodes}, operations={', '.join(self.operations)})"


@dataclass(frozen=True, eq=False, repr=False)
class Architecture:
    """One child of a space; `choices[i]` is where in `space.operations` the operation of edge i stands."""

    space: Space
    choices: tuple[int, ...]

    def __post_init__(self) -> None:
        allowed = range(len(self.space.operations))
        integers = map(_integer, self.choices)
        known = tuple(choice for choice in integers if choice is not None and choice in allowed)
        if not len(known) == len(self.choices) == len(self.space.edges):
            raise ArchitectureError(
                f"{self.choices!r} are not the choices of a child of {self.space.name}; "
                f"give {len(self.space.edges)} ints, one an edge, each 0 to {len(allowed) - 1}"
            )
        vars(self).update(choices=known)

    @cached_property
    def name(self) -> str:
        """The digits, counted from 1, in edge order: `124`; joined by `-` where operations exceed nine."""
        return self.space._digits(self.choices)

    @cached_property
    def index(self) -> int:
        return self.space._index(self.choices)

    @cached_property
    def spec(self) -> str:
        """The canonical string: nodes joined by `+`, each `|operation~source|...|` by rising source."""
        return self.space._spec(self.choices)

    @cached_property
    def hash(self) -> str:
        """The first 16 hex digits of the SHA-256 of `spec` in UTF-8."""
        return _digest(self.spec)

    def operation(self, edge: Edge) -> str:
        """The operation on `edge`, one of `space.edges`."""
        if edge not in self.space.edges:
            edges = ", ".join(map(str, self.space.edges))
            raise UsageError(f"{self.space.name} has no edge {edge!r}; (source, target) is one of {edges}")
        return self.space.operations[self.choices[self.space.edges.index(edge)]]

    def choices_dict(self, style: Style = "arrow") -> dict[str, str]:
        """The operation by edge, as optimisers name it: arrow `0->1`, plain `O01`; `Space.from_dict` reads it back.

        Args:
            style: "arrow" or "plain".
        """
        names = parameter_names(self.space, style)
        return {name: self.space.operations[choice] for name, choice in zip(names, self.choices, strict=True)}

    def neighbours(self) -> tuple[Architecture, ...]:
        """The children one operation away, by edge, then by operation."""
        return tuple(
            self.space[self.space._index((*self.choices[:edge], choice, *self.choices[edge + 1 :]))]
            for edge, own in enumerate(self.choices)
            for choice in range(len(self.space.operations))
            if choice != own
        )

    def distance(self, other: ArchitectureLike) -> int:
        """The Hamming distance: the number of edges on which the operations differ.

        >>> from nasbench_ws.space import DEEPER64
        >>> DEEPER64.architecture("124").distance("134")
        1
        """
        return sum(map(operator.ne, self.choices, self.space.architecture(other).choices))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Architecture):
            return NotImplemented
        return self is other or (self.choices == other.choices and self.space == other.space)

    def __hash__(self) -> int:
        return hash(self.choices)  # children of two spaces rarely share a dictionary: not worth the time

    def __reduce__(self) -> tuple[Any, ...]:
        return operator.getitem, (self.space, self.index)

    def __repr__(self) -> str:
        return f"Architecture({self.space.name!r}, {self.name!r})"

    def __str__(self) -> str:
        return self.name
