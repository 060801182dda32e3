"""reproduce without training: what is there is shown, and what is not is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from nasbench_ws.cli import group


def test_without_training_what_is_lacking_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    asked = {}
    for claim in (3, 4):
        found = CliRunner().invoke(group, ["reproduce", str(claim), "--scale", "paper", "--no-run", "--json"])
        assert found.exit_code == 0
        asked[claim] = json.loads(found.stdout)
        assert asked[claim]["smaller"]["updates"] == 100
        assert {one["claim"] for one in asked[claim]["smaller"]["findings"]} == {claim}
    assert asked[3]["absent"] == []  # all that it needs ships
    for found in asked.values():
        assert found["tests"] == sum(one["adjusted"] is not None for one in found["findings"]) > 0
    assert {"full-times-8", "similar-8-steps"} <= set(asked[4]["absent"])
    assert not {"shuffle", "similar-8-child-updates", "full-times-4", "similar-4-steps"} & set(asked[4]["absent"])
    assert list(tmp_path.iterdir()) == []  # and no folder is left behind
