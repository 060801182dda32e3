"""JSON objects of strangers against the types that they must have; msgspec checks, and the message says where.

    checked({"seconds": -1.0}, Part)        # ResultError: seconds is -1.0, not a number of at least 0

Not here: what fits its type and yet contradicts something else (schema.py, rankers/kept.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from nasbench_ws.errors import ResultError

T = TypeVar("T")
LONGEST = 40  # characters shown of a value
WORDS = {
    "array": "a list", "object": "an object", "str": "a text", "int": "a whole number", "bool": "true or false",
    "float": "a number", "float | null": "a number or null", "object | null": "an object or null",
    "str | null": "a text or null",
}  # fmt: skip
LIMITS = {"<=": "at most", "<": "less than", ">=": "at least", ">": "more than"}


def checked(data: Mapping[str, Any], kind: type[T]) -> T:
    """As `kind`. ResultError names the first key that is missing or has another type, and the value met."""
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise ResultError(_located(data, kind, str(error))) from None


def _located(data: Any, kind: type[Any], message: str) -> str:
    """msgspec's complaint with the whole path, keys of objects included, and the value met."""
    said, _, path = message.partition(" - at `$")
    where, value = "", data
    for name, place, anywhere in re.findall(r"\.([\w]+)|\[(\d+)\]|(\[\.\.\.\])", path):
        if anywhere:  # in an object, some key: the one without which all is well up to there
            name = next(key for key in value if message == _complaint(_only(data, where, key), kind))
        where += f".{name}" if name else f"[{place}]"
        value = value[name if name else int(place)]
    where = where.lstrip(".") or "it"
    absent = re.match(r"Object missing required field `(.+)`", said)
    if absent:
        return f"{where} has no {absent[1]!r}"
    shown = repr(value)
    shown = shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}..."
    limit = re.match(r"Expected `(?:float|int)(?: \| null)?` (<=?|>=?) (.+)", said)
    if limit:
        return f"{where} is {shown}; it must be {LIMITS[limit[1]]} {float(limit[2]):g}"
    pattern = re.match(r"Expected `str` matching regex '(.+)'", said)
    if pattern:
        return f"{where} is {shown}; it must match {pattern[1]}"
    longest = re.match(r"Expected `(?:str|object)` of length <= (\d+)", said)
    if longest:
        return f"{where} has a length of {len(value):,}; it must be at most {int(longest[1]):,}"
    wanted = re.match(r"Expected `(.+?)`(?: of length (\d+))?", said)
    if wanted is None:
        return f"{where} is {shown}: {said}"
    if wanted[2]:
        return f"{where} is {shown}, not a list of {wanted[2]}"
    return f"{where} is {shown}, not {WORDS.get(wanted[1], wanted[1])}"


def _complaint(data: Any, kind: type[Any]) -> str:
    try:
        msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        return str(error)
    return ""


def _only(data: Any, where: str, key: str) -> Any:
    """The data with nothing but `key` in the object at that path."""
    parts = re.findall(r"\.([^.\[]+)|\[(\d+)\]", where)
    if not parts:
        return {key: data[key]}
    name, place = parts[0]
    step = name if name else int(place)
    rest = where[len(f".{name}" if name else f"[{place}]") :]
    changed = _only(data[step], rest, key)
    if isinstance(data, Mapping):
        return {**data, step: changed}
    return [changed if i == step else item for i, item in enumerate(data)]
