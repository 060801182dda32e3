"""The README's blocks run, in order, in one folder; only the size of an evaluation and a build is cut down."""

from __future__ import annotations

import re
import shlex
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from installed import clone

import nasbench_ws
from nasbench_ws.cli import SHORT, WHERE, group
from nasbench_ws.evaluation.experiment import shipped_results
from nasbench_ws.results.outcome import Readouts
from nasbench_ws.results.result import Result
from nasbench_ws.tables.table import load

README = Path(__file__).parent.parent / "README.md"
TEXT = README.read_text()
BLOCKS = re.findall(r"^```(\w+)([^\n]*)\n(.*?)^```", TEXT, flags=re.M | re.S)
SMALL = "train_images=512,batch_size=64"
CUT = {  # what is appended to a command so that it takes seconds
    "evaluate": f" --steps 80 --instances 1 --workers 1 --recipe {SMALL}",
    "build": f" --archs 111,112 --recipe {SMALL},epochs=0.25,points=1,channels=4,cells=1",
}
INSTEAD = {"reproduce": "reproduce --help"}  # minutes even when cut down; test_reproduction.py runs it
DASK = ("dask scheduler --scheduler-file", "dask worker --scheduler-file")  # test_cluster.py starts them for real
NOT_OURS = ("pip install", "pytest")


def _commands(block):
    text = block.replace("\\\n", " ")
    for line in text.splitlines():
        for command in line.split(" && "):
            command = command.strip()
            if command and not command.startswith(("#", *NOT_OURS)):
                yield command


def smaller(block):
    """A Python block that takes seconds."""
    return block.replace("steps=640", "steps=80").replace("instances=2", "instances=1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The root of a clone, where the README leaves the reader."""
    return clone(tmp_path_factory.mktemp("readme") / "nasbench-ws")


def _smaller(monkeypatch):
    """Evaluations in this process, scored on the first 200 validation images."""
    from nasbench_ws.evaluation import evaluate as evaluation
    from nasbench_ws.evaluation import work

    load, execute = work.load_images, evaluation.execute
    monkeypatch.setattr(work, "load_images", lambda *a, **k: load(*a, **k).first_valid(200))
    monkeypatch.setattr(evaluation, "execute", lambda *a, **k: execute(*a, **{**k, "workers": 0}))


def test_every_block_runs(folder, monkeypatch, quick):
    monkeypatch.chdir(folder)
    _smaller(monkeypatch)
    monkeypatch.setenv("NASBENCH_WS_CACHE", str(folder / "cache"))
    names: dict[str, object] = {}
    ran = 0
    for kind, extra, body in BLOCKS:
        if kind == "python" and "file=" in extra:
            Path(extra.partition("file=")[2].strip()).write_text(body)
            ran += 1
        elif kind == "python":
            exec(compile(smaller(body), "README.md", "exec"), names)
            ran += 1
        elif kind in ("sh", "sbatch"):
            for command in _commands(body):
                if command.startswith(DASK):
                    continue
                words = shlex.split(command.replace("$SLURM_ARRAY_TASK_ID/16", "1/2"))
                assert words[0] == "nasbench-ws", command
                words = ["nasbench-ws", *shlex.split(INSTEAD.get(words[1], shlex.join(words[1:])))]
                if "--dask" in words:
                    at = words.index("--dask")
                    words = words[:at] + words[at + 2 :]
                cut = shlex.split(CUT.get(words[1], ""))
                result = CliRunner().invoke(group, [*_without_recipe(words[1:], cut), *cut], catch_exceptions=False)
                assert result.exit_code == 0, (command, result.output)
                ran += 1
    assert ran >= 8


def test_the_first_screen_is_what_the_shipped_scores_say():
    """`evaluate full` is the leaderboard's `full`, its first three instances and no other readout; but for the time."""
    kept = Result.load(shipped_results() / "shuffle.json")
    few = replace(
        kept.outcome, seeds=kept.outcome.seeds[:3], trained=kept.outcome.trained[:3], window=None,
        scores={mode: kept.outcome.scores[mode][:3] for mode in ("recalibrate:1024", "running")}, readouts=Readouts(),
    )  # fmt: skip
    result = Result.of(few, load("fashion14"))
    (shown,) = [body for kind, _, body in BLOCKS if kind == "text" and body.startswith("full on fashion14")]
    assert re.sub(r"\d+ s$", "", shown.rstrip()) == re.sub(r"\d+ s$", "", str(result).rstrip())


def test_findings_in_words_are_those_of_the_claims_page():
    """Each "mean [low, high]" of the text is of a row of data/CLAIMS.md, rounded; a difference may be turned round."""
    number = r"([-+]?\d+\.\d+)"
    triple = rf"{number}\s+\[{number},\s+{number}\]"
    rows = [
        tuple(map(float, found)) for found in re.findall(triple, (README.parent / "data" / "CLAIMS.md").read_text())
    ]
    rows += [(-mean, -high, -low) for mean, low, high in rows]
    words = TEXT[TEXT.index("[All figures beside the paper's") : TEXT.index("## How fast")]
    stated = re.findall(triple, words)
    assert len(stated) > 10
    for texts in stated:
        digits = len(texts[0].partition(".")[2])
        values = np.array(texts, float)
        assert any(np.abs(values - row).max() <= 0.5001 * 10**-digits + 0.0005 for row in rows), texts


def _without_recipe(words, cut):
    """The command's own --recipe gives way to the cut-down one."""
    if "--recipe" in words and "--recipe" in cut:
        at = words.index("--recipe")
        return words[:at] + words[at + 2 :]
    return words


def test_every_command_is_documented():
    assert set(SHORT) == set(WHERE)
    for name in WHERE:
        result = CliRunner().invoke(group, [name, "--help"])
        assert result.exit_code == 0
        assert "Example:" in result.output, name


def test_strategies_in_the_readme_are_the_built_in_ones():
    from nasbench_ws.sharing.strategies import BUILT_IN

    for built_in in BUILT_IN.values():
        for usage in built_in.usage.split(" | "):
            assert f"`{usage}`" in TEXT, usage


def test_options_and_keys_in_the_readme_exist():
    """Whatever looks like an option of ours is one of some command; so are modules, extras and files that are named."""
    known = {option for name in WHERE for option in re.findall(r"--[a-z-]+", _help(name))}
    ours = TEXT.replace("--scheduler-file", "").replace("--nthreads", "")
    ours = re.sub(r"^#SBATCH.*$", "", ours, flags=re.M)
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", ours)) <= known
    for path in re.findall(r"\]\((?!http)([^)]+)\)", TEXT):
        assert (README.parent / path).exists(), path
    extras = tomllib.loads((README.parent / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(re.findall(r"'\.\[(\w+)\]'", TEXT)) <= set(extras)


def _help(name):
    command = group.get_command(None, name)
    text = CliRunner().invoke(group, [name, "--help"]).output
    for part in getattr(command, "commands", {}):
        text += CliRunner().invoke(group, [name, part, "--help"]).output
    return text


def test_the_version_is_stated_once_everywhere():
    root = README.parent
    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    assert nasbench_ws.__version__ == version
    assert f"\nversion: {version}\n" in (root / "CITATION.cff").read_text()
    assert f"\n## {version}" in (root / "CHANGELOG.md").read_text()
