"""What a JSON value must look like, written as an example of it, and where another one differs.

    misfit({"seeds": [0, "x"]}, {"seeds": [int]})           # "seeds[1] is 'x', not an int"

A type stands for its values (float takes whole numbers too, and none of them a bool); `Maybe(shape)` takes None as
well; a list of one shape is a list of any length; a dict with the key `str` is one of any keys; other dicts need their
keys, and may have more. `object` takes everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

LONGEST = 40  # characters shown of a value


class Maybe(NamedTuple):
    """None, or the shape."""

    shape: Any


def misfit(value: Any, shape: Any, where: str = "") -> str | None:
    """Where the value first differs from the shape, in words; None where it fits."""
    if isinstance(shape, Maybe):
        return None if value is None else misfit(value, shape.shape, where)
    if isinstance(shape, Mapping):
        if not isinstance(value, Mapping):
            return _said(where, value, "an object")
        if str in shape:
            return _first(misfit(item, shape[str], f"{where}.{key}") for key, item in value.items())
        absent = [key for key in shape if key not in value]
        if absent:
            return f"{where.lstrip('.') or 'it'} has no {absent[0]!r}"
        return _first(misfit(value[key], part, f"{where}.{key}") for key, part in shape.items())
    if isinstance(shape, list):
        if not isinstance(value, list):
            return _said(where, value, "a list")
        return _first(misfit(item, shape[0], f"{where}[{i}]") for i, item in enumerate(value))
    kinds = (float, int) if shape is float else shape
    if not isinstance(value, kinds) or (isinstance(value, bool) and shape not in (bool, object)):
        return _said(where, value, {int: "an int", float: "a number", str: "a text"}.get(shape, shape.__name__))
    return None


def _first(found: Any) -> str | None:
    return next((one for one in found if one is not None), None)


def _said(where: str, value: Any, wanted: str) -> str:
    shown = repr(value)
    shown = shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}..."
    return f"{where.lstrip('.') or 'it'} is {shown}, not {wanted}"
