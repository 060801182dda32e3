"""One convention for all commands: the tree of them is walked, so that a new one keeps it too."""

from __future__ import annotations

import csv
import inspect
import io
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from nasbench_ws.cli import group
from nasbench_ws.cli.outputs import Spelt


def leaves(command: click.Command, *words: str) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield " ".join(words), command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below is not None
        yield from leaves(below, *words, name)


COMMANDS = dict(leaves(group))
READ = {  # what commands are given as words: all of it is read, or a folder that is worked in (build)
    "architecture", "what", "folder", "sources", "table", "results", "result", "ranker", "strategy", "scores",
    "searchers", "claims", "kind", "file", "name", "originals", "mean", "std",
}  # fmt: skip
TABLES = {
    "tables", "query", "top", "why", "show", "evaluate", "compare", "assess", "leaderboard", "search", "reproduce",
    "strategies", "train", "data list",
}  # fmt: skip
QUICK = {"tables", "query", "top", "power", "show", "strategies", "join", "data list", "data published"}
FOLDERS = {"keep", "folder", "work"}  # parameters that name folders to work in, which are gone on from


def options(command: click.Command) -> dict[str, click.Option]:
    return {one.name: one for one in command.params if isinstance(one, click.Option) and one.name is not None}


def test_there_are_all_commands() -> None:
    assert len(COMMANDS) > 28
    assert {"evaluate", "data prepare", "import"} <= COMMANDS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_keeps_the_convention(name: str) -> None:
    command, known = COMMANDS[name], options(COMMANDS[name])
    assert known["as_json"].opts == ["--json"]
    assert known["as_json"].is_flag
    assert ("as_csv" in known) == (name in TABLES)
    assert {one.name for one in command.params if isinstance(one, click.Argument)} <= READ
    for one in known.values():  # a letter and a word mean one thing everywhere
        if {"-o", "--output"} & {*one.opts} or one.name == "output":
            assert isinstance(one, Spelt)
            assert one.name == "output"
            assert one.opts[:2] == ["-o", "--output"]
        elif one.metavar == "DIR" and one.name != "data_root":
            assert one.name in FOLDERS
    assert ("force" in known) == ("output" in known)
    callback = inspect.getsource(inspect.unwrap(command.callback))  # type: ignore[arg-type]
    quiet = any("--quiet" in one.opts for one in command.params)
    assert quiet == ("Bar(" in callback or "Bar.patient(" in callback or "run_into(" in callback)
    assert quiet or name in QUICK


def test_an_option_means_the_same_everywhere() -> None:
    said: dict[str, set[tuple[object, ...]]] = defaultdict(set)
    for command in COMMANDS.values():
        for name in ("as_json", "as_csv", "force", "workers", "dask", "allow_missing", "data_root", "download"):
            one = options(command).get(name)
            if one is not None and command.name not in ("download", "prepare"):
                said[name].add((one.help, *one.opts))
    assert {name: len(texts) for name, texts in said.items()} == dict.fromkeys(said, 1)


@pytest.mark.parametrize(
    "words",
    [
        "tables", "query 434", "top -n 3", "strategies", "strategies groups:similar:4", "strategies darts", "data list",
        "verify fashion14", "show 434", "search --list", "export -o FILE", "leaderboard --top 2", "power --detect 0.2",
        "why full", "show full",
    ],
)  # fmt: skip
def test_json_is_one_document_and_csv_has_its_rows(words: str, tmp_path: Path) -> None:
    command = words.replace("FILE", str(tmp_path / "file")).split()
    found = CliRunner().invoke(group, [*command, "--json"], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    assert isinstance(json.loads(found.stdout), dict)
    if command[0] in TABLES and words not in ("strategies groups:similar:4", "strategies darts"):
        rows = list(csv.DictReader(io.StringIO(CliRunner().invoke(group, [*command, "--csv"]).stdout)))
        assert len(rows) > 1
        assert all(None not in row and None not in row.values() for row in rows)  # as many cells as headings
