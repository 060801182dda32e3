"""A space as other people's optimisers know one: a categorical parameter for each edge.

    parameter_names(DEEPER64)                          # ("0->1", "0->2", "1->2")
    space_json(DEEPER64)                               # a ConfigSpace as text, without that library
    config_space(DEEPER64)                             # the object; needs ConfigSpace (extra [configspace])

A child as such a dictionary is `Architecture.choices_dict()`, and back `Space.from_dict(...)`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args

from nasbench_ws.errors import ArchitectureError, UsageError, extra, near_misses

if TYPE_CHECKING:
    from nasbench_ws.space.cell import Space

Style = Literal["arrow", "plain"]


def parameter_names(space: Space, style: Style = "arrow") -> tuple[str, ...]:
    """One name an edge, in their order: arrow `0->1`; plain `O01`, for libraries that make a column's name of it.

    Args:
        space: whose edges.
        style: "arrow" or "plain".

    >>> from nasbench_ws.space import DEEPER64
    >>> parameter_names(DEEPER64, "plain")
    ('O01', 'O02', 'O12')
    """
    if style not in get_args(Style):
        raise UsageError(f"there is no style {style!r}; names are written in {' or '.join(get_args(Style))}")
    return tuple(f"{a}->{b}" if style == "arrow" else f"O{a}{b}" for a, b in space.edges)


def choices_of(space: Space, choices: Mapping[str, str]) -> tuple[int, ...]:
    """Where each edge's operation stands in `space.operations`. ArchitectureError says what is wrong."""
    names = {name: edge for style in get_args(Style) for edge, name in enumerate(parameter_names(space, style))}
    found: dict[int, int] = {}
    for name, operation in choices.items():
        if name not in names:
            known = ", ".join(parameter_names(space))
            raise ArchitectureError(
                f"{space.name} has no edge {name!r}{near_misses(name, names)}; its edges are {known}"
            )
        if operation not in space.operations:
            raise ArchitectureError(
                f"edge {name} has the unknown operation {operation!r}{near_misses(str(operation), space.operations)}; "
                f"those of {space.name} are {', '.join(space.operations)}"
            )
        if names[name] in found:
            raise ArchitectureError(f"edge {name} has two operations, one in each style of its name; write one of them")
        found[names[name]] = space.operations.index(operation)
    missing = [name for edge, name in enumerate(parameter_names(space)) if edge not in found]
    if missing:
        raise ArchitectureError(
            f"no operation is given for edge {', '.join(missing)}; {space.name} needs one for each of its edges"
        )
    return tuple(found[edge] for edge in range(len(space.edges)))


def space_json(space: Space, style: Style = "arrow") -> str:
    """The text that ConfigSpace reads: `ConfigurationSpace.from_json(path)`.

    Args:
        space: to be searched.
        style: of the parameters' names, as in `parameter_names`.
    """
    parameters = [
        {
            "type": "categorical", "name": name, "choices": list(space.operations), "weights": None,
            "default_value": space.operations[0], "meta": None,
        }
        for name in parameter_names(space, style)
    ]  # fmt: skip
    whole = {
        "name": space.name, "hyperparameters": parameters, "conditions": [], "forbiddens": [],
        "python_module_version": "1.2.1", "format_version": 0.4,
    }  # fmt: skip
    return json.dumps(whole, indent=2)


def config_space(space: Space, style: Style = "arrow", seed: int | None = None) -> Any:
    """A `ConfigSpace.ConfigurationSpace`; its configurations name children by `space.from_dict(dict(configuration))`.

    Args:
        space: any.
        style: of the names, see `parameter_names`.
        seed: of what the object samples.

    UsageError where the library is missing.
    """
    with extra("configspace", "a ConfigSpace needs ConfigSpace"):
        from ConfigSpace import Categorical, ConfigurationSpace
    made = ConfigurationSpace(name=space.name, seed=seed)
    made.add([Categorical(name, list(space.operations)) for name in parameter_names(space, style)])
    return made
