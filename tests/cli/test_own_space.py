"""A space of a user's own, with layers and a torch module for operations, from its file to its leaderboard."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from nasbench_ws.cli import group
from nasbench_ws.results.result import Result
from nasbench_ws.space import operations, registry
from nasbench_ws.space.operations import OPERATIONS
from nasbench_ws.space.registry import SPACES
from nasbench_ws.tables.table import load
from nasbench_ws.training.backend import chosen
from nasbench_ws.training.reference import TORCH

MY = """
import torch
from torch import nn

from nasbench_ws.space import Layer, Space, register_operation


@register_operation("wide_conv")
def wide_conv(macro):
    return Layer(depthwise=5, dilation=2, conv=1), Layer(conv=1)


@register_operation("gated")
class Gated(nn.Module):
    def __init__(self, macro):
        super().__init__()
        self.conv = nn.Conv2d(macro.channels, macro.channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(macro.channels)
        self.gate = nn.Linear(macro.channels, macro.channels)

    def forward(self, x):
        x = self.norm(self.conv(torch.relu(x)))
        return x * torch.sigmoid(self.gate(x.mean(dim=(2, 3))))[:, :, None, None]


SPACE = Space("mine", 2, ("wide_conv", "gated"))


class Pairs:
    def __init__(self, count, macro):
        self.count, self.last = count, macro.cells

    def key(self, arch, slot):
        return arch.index // self.count if slot.cell == self.last else None
"""
RECIPE = "images=folder:pictures,train_images=64,batch_size=32,epochs=2,points=2,channels=4,cells=1"
SPACE, TABLE = ["--space", "my.py:SPACE"], ["--table", "own.h5"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As a newcomer's, with pictures of four classes."""
    monkeypatch.setattr(registry, "SPACES", dict(SPACES))
    monkeypatch.setattr(registry, "_files", {})
    monkeypatch.setattr(operations, "OPERATIONS", dict(OPERATIONS))
    monkeypatch.setattr("nasbench_ws.space.code.OPERATIONS", operations.OPERATIONS)
    monkeypatch.setattr("nasbench_ws.tables.file.OPERATIONS", operations.OPERATIONS)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.py").write_text(MY)
    rng = np.random.default_rng(0)
    for split, count in (("train", 64), ("valid", 32), ("test", 32)):
        for i in range(count):
            place = tmp_path / "pictures" / split / "abcd"[i % 4]
            place.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 150, (6, 6)) + 30 * (i % 4)
            Image.fromarray(pixels.astype(np.uint8)).save(place / f"{i}.png")
    return tmp_path


def said(*words: str) -> str:
    found = CliRunner().invoke(group, list(words), catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.stdout


@pytest.mark.slow
def test_from_a_file_to_a_leaderboard(folder: Path) -> None:
    build = ["build", "runs", *SPACE, "--seeds", "0-1", "--recipe", RECIPE, "--workers", "1"]
    assert said(*build).startswith("16 of 16 runs are finished in runs")
    assert "8 children x 2 seeds x 2 epochs, mine" in said("merge", "runs", "-o", "own.h5", *SPACE)
    assert "own.h5: no problems" in said("verify", "own.h5", *SPACE)
    table = load("own.h5")
    assert set(table.content.environments[0]["versions"]) > {"operation wide_conv", "operation gated"}
    assert "gated" in said("query", "212", *TABLE)
    assert len(said("top", *TABLE, "-n", "3").splitlines()) == 4
    assert said("train", "212", "--seed", "1", *TABLE, *SPACE).endswith("equal in every number\n")
    described = said("strategies", "my.py:Pairs:2", *TABLE, *SPACE)
    assert described.startswith("my.py:Pairs:2 on own.h5: one super-net, of 8 children")
    assert said("check", "my.py:Pairs:2", *TABLE, *SPACE).count("passed: ") == 5

    modes = [word for mode in ("private", "running", "batch:16", "recalibrate:64") for word in ("--batch-norm", mode)]
    for name, strategy in (("full", "full"), ("pairs", "my.py:Pairs:2")):
        evaluate = ["evaluate", strategy, *TABLE, *SPACE, "--steps", "32", "--instances", "2", *modes]
        text = said(*evaluate, "--workers", "1", "-o", f"{name}.json")
        if chosen() is not TORCH:
            assert "7 of 8 children by torch" in " ".join(text.split())
    outcome = Result.load("full.json").outcome
    assert list(outcome.scores) == modes[1::2]
    assert all(np.isfinite(scores).all() for scores in outcome.scores.values())
    assert "operation gated" in outcome.versions
    board = said("leaderboard", "full.json", "pairs.json", *TABLE)
    assert len(re.findall(r"^ *> *\d+ (?:full|pairs) ", board, re.MULTILINE)) == 8
    assert "full" in said("compare", "full.json", "pairs.json")
    assert "Pairs the wrong way round" in said("why", "full.json", *TABLE)
    assert "mine" in said("show", "212", *TABLE)
    for what in (["report", "full.json", "pairs.json", *TABLE, "-o", "page.html"], ["report", *TABLE, "-o", "t.html"]):
        assert "KiB" in said(*what)
    assert "random" in said("search", "re", "random", *TABLE, "--repetitions", "20")
    assert "own.h5" in said("data", "card", *TABLE)
    said("export", "-o", "mine.csv", *TABLE)
    assert len((folder / "mine.csv").read_text().splitlines()) == 1 + 8 * 2 * 2


@pytest.mark.slow
def test_what_a_newcomer_forgets(folder: Path) -> None:
    """The file of the space, where networks are asked for."""
    said("build", "runs", *SPACE, "--seeds", "0", "--recipe", RECIPE, "--workers", "1")
    said("merge", "runs", "-o", "own.h5", *SPACE)
    operations.OPERATIONS.pop("gated")
    operations.OPERATIONS.pop("wide_conv")
    operations.changed[0]()
    unknown = "no network knows the operation 'wide_conv'"
    way = "; one of your own is known once its file is named, as --space FILE.py:NAME, or imported"
    for words, start in (
        (["verify", "own.h5"], f"own.h5 was not checked: {unknown}"),
        (["merge", "runs", "-o", "again.h5"], unknown),
        (["strategies", "full", *TABLE], unknown),
    ):
        text = str(CliRunner().invoke(group, words).exception)
        assert text.startswith(start)
        assert text.endswith(way)
    assert "gated" in said("query", "212", *TABLE)  # which takes no network
