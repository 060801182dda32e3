"""Results by the name that a user has for them: a file, or one that ships.

    read_result("mine.json").label              # "mine"
    read_result("full").result                  # shuffle.json of data/results
    read_result("edge-0-2-group-compute")       # by the name of its file
    read_result("full-39200")                   # one of more steps: by the name of its file only
    read_result("topology729/fair")             # of another space; `fair` alone beside results of that space

Of a strategy that ships at several matches, its name alone means the one with equal child updates.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nasbench_ws.errors import ResultError
from nasbench_ws.evaluation.board_facts import file_of
from nasbench_ws.evaluation.experiment import longer_results, shipped_results
from nasbench_ws.results.compare import unusual
from nasbench_ws.results.result import Result

MATCH = "child-updates"
SPACE = "deeper64"  # whose results have no space in their names


@dataclass(frozen=True)
class NamedResult:
    """`label` says whose it is: a file's name without its ending, or the strategy's where it ships."""

    label: str
    result: Result
    ships: bool = False


def read_result(name: str, space: str | None = None) -> NamedResult:
    """ResultError where there is neither such a file nor such a shipped result.

    Args:
        name: a file, or a strategy or file of a result that ships, behind SPACE/ where it is of another space.
        space: whose results a name alone means first; those of `deeper64` afterwards.
    """
    path = Path(name)
    if path.exists():
        return NamedResult(path.stem, Result.load(path))
    head, slash, rest = name.partition("/")
    within = [head] if slash and head in spaces() else list(dict.fromkeys([space or SPACE, SPACE]))
    for one in within:
        found = _shipped(one, rest if within == [head] else name)
        if found is not None:
            return found
    if path.suffix == ".json":
        return NamedResult(path.stem, Result.load(path))  # which says that it is absent
    known = shipped_names()
    elsewhere = [one for one in known if one.endswith(f"/{name}")]
    close = elsewhere or difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    perhaps = f" (did you mean {' or '.join(close)}?)" if close else ""
    raise ResultError(
        f"there is no file {name}, and no result of that name ships{perhaps}; shipped ones are named as "
        f"`nasbench-ws leaderboard` lists them, such as full, or by file, such as {known[0]}"
    )


def _shipped(space: str, name: str) -> NamedResult | None:
    folder = shipped_results(space)
    path = folder / f"{name}.json"
    if Path(name).name == name and path.is_file():
        result = Result.load(path)
        return NamedResult(unusual(result), result, ships=True)
    longer = longer_results() / path.name
    if space == SPACE and Path(name).name == name and longer.is_file():
        return NamedResult(name, Result.load(longer), ships=True)
    title = name.replace("->", "-")
    found = file_of(title, folder, MATCH)
    return None if found is None else NamedResult(title, Result.load(found), ships=True)


def read_results(names: Sequence[str], space: str | None = None) -> list[NamedResult]:
    """As `read_result`; where no space is given, names alone mean results of the space of the files beside them."""
    if space is None:
        files = [Result.load(name) for name in names if Path(name).is_file()]
        known = {str(one.outcome.recipe.get("space", SPACE)) for one in files}
        known |= {name.partition("/")[0] for name in names if "/" in name and not Path(name).exists()} & set(spaces())
        space = known.pop() if len(known) == 1 else None
    return [read_result(name, space) for name in names]


def distinct(results: Sequence[NamedResult]) -> list[str]:
    """Their labels; behind a file's that another has too stands "(yours)", or a number where that is not enough."""
    found: list[str] = []
    for one in results:
        label = one.label
        if not one.ships and any(other.ships and other.label == label for other in results):
            label = f"{label} (yours)"
        same = found.count(label)
        found.append(f"{label} ({same + 1})" if same else label)
    return found


def spaces() -> list[str]:
    """Those that shipped results are of."""
    return [SPACE, *sorted(one.name for one in shipped_results().iterdir() if one.is_dir())]


def known_names() -> list[str]:
    """Of what ships, as they are completed, and offered where one is mistyped; reads none."""
    return ["full", *shipped_names()]


def shipped_names() -> list[str]:
    """Of the files that ship; reads none."""
    names = [
        path.stem if space == SPACE else f"{space}/{path.stem}"
        for space in spaces()
        for path in sorted(shipped_results(space).glob("*.json"))
    ]
    return [*names, *sorted(path.stem for path in longer_results().glob("*.json"))]
