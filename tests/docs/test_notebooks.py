"""The notebooks of docs/ are kept without outputs, and run from top to bottom: slow, for super-nets are trained."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from pages import ROOT

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
SHOWN = {  # what the cells of a notebook are to print, or show as HTML
    "strategy": ["1 super-net over 64 children", "class LastEdge:", "where a Kendall tau of 1 went"],
    "table": ["parameters   0.785", "0.8710", "233"],
}


def cells(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text())["cells"]
    return found


def test_notebooks_are_kept_without_outputs() -> None:
    assert [path.stem for path in NOTEBOOKS] == sorted(SHOWN)
    for path in NOTEBOOKS:
        code = [cell for cell in cells(path) if cell["cell_type"] == "code"]
        assert len(code) > 5, path
        assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code), path


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not all(map(importlib.util.find_spec, ("nbclient", "nbformat", "ipykernel"))):
        pytest.skip("no nbclient and ipykernel here: pip install '.[docs]'")
    import nbclient
    import nbformat

    monkeypatch.setenv("NASBENCH_WS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()  # raises what a cell raises
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    texts = "".join(output.get("text", "") + output.get("data", {}).get("text/html", "") for output in outputs)
    assert {"text/html", "image/png"} <= kinds
    assert [text for text in SHOWN[path.stem] if text not in texts] == []
