"""Results by the name that a user has for them: a file, or one that ships.

    read_result("mine.json").label              # "mine"
    read_result("full").result                  # shuffle.json of data/results
    read_result("edge-0-2-group-compute")       # by the name of its file

Of a strategy that ships at several matches, its name alone means the one with equal child updates.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nasbench_ws.errors import ResultError
from nasbench_ws.evaluation.experiment import shipped_results
from nasbench_ws.results.compare import matches, unusual
from nasbench_ws.results.result import Result


@dataclass(frozen=True)
class NamedResult:
    """`label` says whose it is: a file's name without its ending, or the strategy's where it ships."""

    label: str
    result: Result
    ships: bool = False


def read_result(name: str) -> NamedResult:
    """ResultError where there is neither such a file nor such a shipped result."""
    path = Path(name)
    if path.exists():
        return NamedResult(path.stem, Result.load(path))
    known = shipped_names()
    if name in known:
        result = Result.load(shipped_results() / f"{name}.json")
        return NamedResult(unusual(result), result, ships=True)
    for result in map(Result.load, sorted(shipped_results().glob("*.json"))):
        if unusual(result) == name.replace("->", "-") and "child-updates" in matches(result):
            return NamedResult(unusual(result), result, ships=True)
    if path.suffix == ".json":
        return NamedResult(path.stem, Result.load(path))  # which says that it is absent
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    perhaps = f" (did you mean {' or '.join(close)}?)" if close else ""
    raise ResultError(
        f"there is no file {name}, and no result of that name ships{perhaps}; shipped ones are named by strategy, as "
        f"full, or by file: {', '.join(known)}"
    )


def read_results(names: Sequence[str]) -> list[NamedResult]:
    return [read_result(name) for name in names]


def shipped_names() -> list[str]:
    """Of the files that ship; reads none."""
    return sorted(path.stem for path in shipped_results().glob("*.json"))
