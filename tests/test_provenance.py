"""What a number was made with is told wherever the package runs from."""

import importlib.metadata

import pytest

import nasbench_ws
from nasbench_ws.provenance import _versions, versions
from nasbench_ws.report.page import page


@pytest.fixture
def not_installed(monkeypatch):
    """The package lies on the path, and nothing says that it was installed."""
    asked = importlib.metadata.version

    def version(name):
        if name == "nasbench-ws":
            raise importlib.metadata.PackageNotFoundError(name)
        return asked(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    _versions.cache_clear()
    yield
    _versions.cache_clear()


def test_a_clone_that_is_not_installed_says_which_version_it_is(not_installed):
    assert versions()["nasbench-ws"] == nasbench_ws.__version__
    assert {"numpy", "python"} <= set(versions())


def test_it_evaluates_with_a_folder_for_finished_pieces_and_draws_pages(not_installed, tmp_path):
    result = nasbench_ws.evaluate("params", folder=tmp_path)
    assert result.outcome.versions["nasbench-ws"] == nasbench_ws.__version__
    assert f"Made by nasbench-ws {nasbench_ws.__version__} on " in page("Nothing", [])
