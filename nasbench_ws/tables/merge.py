"""Runs into a table, and a table back into runs.

    merge(["shard0/", "shard1/", "older.h5"], "table.h5")    # folders of runs, and tables, in any order
    extract_runs(load("table.h5"))                           # RunRecords, from which a build can go on

A run that several sources have must be the same in all: every number but the seconds, which no machine repeats.
Nothing is averaged, preferred or filled in, but that children which are the same network as an earlier one have that
one's runs (tables/isomorphs.py). Not here: how a table is stored (tables/file.py).
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nasbench_ws.errors import TableError
from nasbench_ws.json_files import differences
from nasbench_ws.recipe import Recipe
from nasbench_ws.space.cell import Space
from nasbench_ws.space.code import other_code
from nasbench_ws.space.macro import Macro, macro_to_dict
from nasbench_ws.space.registry import get_space
from nasbench_ws.tables.checks import blank_columns, root_attributes
from nasbench_ws.tables.columns import CURVES, FAILED, METRICS, MISSING, NO_RUN, PUBLISHED, STATUSES, UNPLANNED, Content
from nasbench_ws.tables.file import write_table
from nasbench_ws.tables.isomorphs import copied, with_isomorphs
from nasbench_ws.tables.run import RunRecord, read_runs
from nasbench_ws.tables.table import Table, load

LICENCE = "MIT"
CITATION = (
    "Made with nasbench-ws; cite the package's version and this table's digest. The search space is that of "
    "'Deeper Insights into Weight Sharing in Neural Architecture Search', arXiv:2001.01431"
)
Source = str | os.PathLike[str] | Table
_Found = dict[tuple[str, int], tuple[RunRecord, str]]  # by hash and seed: the run, and the source it came from


def merge(
    sources: Iterable[Source], output: str | os.PathLike[str], *, licence: str = LICENCE, citation: str = CITATION,
    uneven: bool = False,
) -> Table:  # fmt: skip
    """Write the table of every run in the sources, and return it. TableError where two of them disagree.

    Args:
        sources: folders of runs, paths or names of tables, or tables. What none of them has is missing in the table,
            but for what a table has as unplanned and no other as missing.
        output: the file to write.
        licence: of the table, kept in it.
        citation: how to cite it, kept in it.
        uneven: children have different numbers of seeds on purpose: of one that has a run, what no source has was not
            wanted, and is unplanned.
    """
    content = gather(sources, licence=licence, citation=citation, uneven=uneven)
    write_table(Path(output), content)
    return Table(content, Path(output).name)


def gather(
    sources: Iterable[Source], *, licence: str = LICENCE, citation: str = CITATION, uneven: bool = False
) -> Content:
    """The content of the table that `merge` writes."""
    found: _Found = {}
    first: tuple[RunRecord, str] | None = None
    unwanted: set[tuple[str, int]] = set()
    lacking: set[tuple[str, int]] = set()
    for source in map(_opened, sources):
        if isinstance(source, Table):
            unwanted |= _places(source, UNPLANNED)
            lacking |= _places(source, MISSING)  # wanted by one, it is not unwanted for the other
        for record in runs_of(source):
            first = first or (record, str(source))
            _check_alike(*first, record, str(source))
            _add(found, record, str(source))
    if first is None:
        raise TableError("there is no run in any source; give folders that `build` wrote, or tables")
    records = [record for record, _ in found.values()]
    curved = [record for record in records if record.epochs]
    if not curved:
        raise TableError(
            f"all {len(records)} runs failed, the first with: {_last_line(records[0].error)}; mend that and build again"
        )
    for record in curved:
        if record.epochs != curved[0].epochs:
            raise TableError(
                f"{record.spec} seed {record.seed} is recorded at epochs {record.epochs}, and others at "
                f"{curved[0].epochs}; delete that run and build again"
            )
    space = _space(first[0], records)
    if uneven:
        unwanted = set(itertools.product({one.hash for one in records}, {one.seed for one in records}))
    else:
        unwanted -= lacking
    unwanted -= found.keys()
    return _content(records, unwanted, space, _macro(*first), curved[0].epochs, licence, citation)


def _opened(source: Source) -> Source:
    """A text that names a folder and a shipped table means the folder."""
    return source if isinstance(source, Table) or Path(source).is_dir() else load(source)


def _places(table: Table, status: int) -> set[tuple[str, int]]:
    """Hash and seed of the runs that ended so; of rows that repeat another's none, which follow from that one."""
    hashes, seeds, own = table.column("hash").tolist(), table.seeds.tolist(), ~copied(table.content)
    ended = (table.content.columns["status"] == status) & own[:, None]
    rows = table.content.rows
    return {(hashes[rows[i]], seeds[j]) for i, j in np.argwhere(ended).tolist()}


def runs_of(source: Source) -> Iterator[RunRecord]:
    """Every run of a folder or table."""
    source = _opened(source)
    return iter(extract_runs(source)) if isinstance(source, Table) else (run for _, run in read_runs(Path(source)))


def extract_runs(table: Table) -> list[RunRecord]:
    """The runs that a table was made of, by child, then seed. Of failed ones it knows no more than that they did."""
    columns, content = table.content.columns, table.content
    recipe, epochs = content.recipe.to_dict(), tuple(table.epochs.tolist())
    curves = {name: table.curves(name).tolist() for name in CURVES}
    records = []
    copies = copied(content)
    for i, child in enumerate(content.space):
        if copies[i]:
            continue
        for j, code in enumerate(columns["status"][i].tolist()):
            if code in (*NO_RUN, PUBLISHED):  # nobody's run
                continue
            failed = code == FAILED
            status: Any = STATUSES[code]
            environment = content.environments[columns["environment"][i, j]]
            records.append(
                RunRecord(
                    hash=child.hash,
                    spec=child.spec,
                    seed=int(table.seeds[j]),
                    status=status,
                    error="" if status == "ok" else f"as the table with digest {table.digest} says",
                    epochs=() if failed else epochs,
                    curves={} if failed else {name: tuple(curves[name][i][j]) for name in CURVES},
                    recipe=recipe,
                    images_digest=str(content.attributes["images_digest"]),
                    versions=environment["versions"],
                    device=environment["device"],
                    macro=content.macro,
                    space=content.space,
                )
            )
    return records


def _macro(record: RunRecord, source: str) -> Macro:
    if record.macro is None:
        raise TableError(f"{source}: the run of {record.spec} seed {record.seed} has no macro; `build` adds it")
    return record.macro


def _space(first: RunRecord, records: list[RunRecord]) -> Space:
    """What the runs say; a name alone, as in files of older versions, means the registered space."""
    return next((record.space for record in records if record.space is not None), None) or get_space(
        str(first.recipe["space"])
    )


def space_of(sources: Iterable[Source]) -> Space | None:
    """The space that the first run of a folder, or a table, says it is of; None where none says so."""
    for source in sources:
        for record in runs_of(source):
            if record.space is not None:
                return record.space
    return None


def _check_alike(first: RunRecord, first_source: str, record: RunRecord, source: str) -> None:
    """Runs of one table have one recipe, one network frame and one set of images."""
    macros = [macro_to_dict(_macro(one, where)) for one, where in ((first, first_source), (record, source))]
    for what, here, there in (
        ("recipe", first.recipe, record.recipe),
        ("macro", macros[0], macros[1]),
        ("images", {"digest": first.images_digest}, {"digest": record.images_digest}),
    ):
        if here != there:
            raise TableError(
                f"{source} was made with other {what} than {first_source}: {differences(there, here)}; "
                "a table holds runs of one kind, so merge them apart"
            )
    other = other_code(first.versions, record.versions)
    if other is not None:
        raise TableError(
            f"{source} and {first_source} were made by different code: {other}; a table holds runs of one kind, so "
            "merge them apart"
        )
    if None not in (first.space, record.space) and first.space != record.space:
        raise TableError(
            f"{source} is of {record.space!r}, and {first_source} of {first.space!r}; a table holds runs of one space, "
            "so merge them apart"
        )


def _add(found: _Found, record: RunRecord, source: str) -> None:
    key = record.hash, record.seed
    known, known_source = found.get(key, (None, ""))
    if known is None or known.status == "failed":  # a failure has no numbers to disagree with
        found[key] = record, source
    elif record.status != "failed":
        for what, there, here in _compared(known, record):
            raise TableError(
                f"{known.spec} seed {record.seed} differs between {known_source} and {source}: {what} is {there} in "
                f"the first, {here} in the second; find out which code or machine is right, and merge that one alone"
            )


def _compared(known: RunRecord, record: RunRecord) -> Iterator[tuple[str, Any, Any]]:
    """Where two runs of one child and seed differ. Seconds are the machine's, and may."""
    for what in ("status", "epochs"):
        if getattr(known, what) != getattr(record, what):
            yield what, getattr(known, what), getattr(record, what)
            return
    for name in METRICS:
        for epoch, there, here in zip(known.epochs, known.curves[name], record.curves[name], strict=True):
            if not (there == here or (np.isnan(there) and np.isnan(here))):
                yield f"{name} at epoch {epoch:g}", there, here


def _content(
    records: list[RunRecord], unwanted: set[tuple[str, int]], space: Space, macro: Macro, epochs: tuple[float, ...],
    licence: str, citation: str,
) -> Content:  # fmt: skip
    recipe = Recipe.from_dict(records[0].recipe)
    seeds = sorted({record.seed for record in records})
    columns = blank_columns(space, macro, seeds, epochs)
    for key, seed in unwanted:
        if seed in seeds:
            columns["status"][space.architecture(key).index, seeds.index(seed)] = UNPLANNED
    made_in = [json.dumps(_environment(record), sort_keys=True) for record in records]
    environments = sorted(set(made_in))
    for record, environment in zip(records, made_in, strict=True):
        place = space.architecture(record.spec).index, seeds.index(record.seed)
        columns["status"][place] = STATUSES.index(record.status)
        columns["environment"][place] = environments.index(environment)
        if record.epochs:
            for name in CURVES:
                columns[name][place] = record.curves[name]
    attributes = root_attributes(
        recipe, space, macro, records[0].images_digest, [json.loads(text) for text in environments], licence, citation
    )
    return Content(*with_isomorphs(attributes, columns, space, macro))


def _environment(record: RunRecord) -> dict[str, Any]:
    return {"versions": dict(record.versions), "device": record.device}


def _last_line(text: str) -> str:
    return (text.strip() or "no text").splitlines()[-1]
