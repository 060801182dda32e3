"""reproduce without training: what is there is shown, and what is not is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from nasbench_ws.cli import group


def test_without_training_what_is_lacking_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(group, ["reproduce", "3", "--scale", "paper", "--no-run", "--json"])
    assert found.exit_code == 0
    data = json.loads(found.stdout)
    assert {name.partition(" ")[0] for name in data["absent"]} <= {"seeds", "shuffle", "window"}
    assert data["smaller"]["updates"] == 100
    assert {one["claim"] for one in data["smaller"]["findings"]} == {3}
    assert list(tmp_path.iterdir()) == []  # and no folder is left behind
