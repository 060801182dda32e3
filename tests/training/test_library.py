"""Which compiled kernels are used: those of these very sources, wherever they were installed; and why none are."""

from __future__ import annotations

import importlib.machinery
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nasbench_ws.training.diagnosis import diagnosis
from nasbench_ws.training.kernels import library

FOLDERS = ("nasbench_ws", "training", "kernels")
EXTENSION = f"_kernels{importlib.machinery.EXTENSION_SUFFIXES[0]}"
OTHERS = "they were built from other sources: run pip install . again"
NOT_BUILT = "they were not built: install a C++ compiler, then run pip install . again"
here = Path(library.__file__).parent


def kernels_in(root: Path, built: bool) -> Path:
    """The sources in the folder of the module below `root`, and the kernels of this installation, if it has them."""
    folder = root.joinpath(*FOLDERS)
    folder.mkdir(parents=True)
    for name in library.SOURCES:
        shutil.copy(here / name, folder)
    own = library.built()
    if built and own is not None:
        shutil.copy(own, folder / EXTENSION)
    elif built:
        (folder / EXTENSION).touch()
    return folder


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The module as if it stood in a clone that has nothing built, first on the path of imports."""
    folder = kernels_in(tmp_path / "clone", built=False)
    own = library.library()  # before the cache is emptied
    elsewhere = [entry for entry in sys.path if not Path(entry or ".", *FOLDERS).is_dir()]
    monkeypatch.delenv("NASBENCH_WS_ENGINE", raising=False)
    site = kernels_in(tmp_path / "site", built=True)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "clone"), *elsewhere])
    monkeypatch.setattr(library, "__file__", str(folder / "library.py"))
    library._opened.cache_clear()
    assert site.is_dir()
    yield folder
    monkeypatch.undo()
    library._opened.cache_clear()
    assert (library.library() is None) == (own is None)


@pytest.fixture
def installed(clone: Path, tmp_path: Path) -> Path:
    """Where `pip install .` put the kernels, further down the path."""
    sys.path.append(str(tmp_path / "site"))
    return (tmp_path / "site").joinpath(*FOLDERS)


needs_kernels = pytest.mark.skipif(library.built() is None, reason="the compiled kernels are not built")


def test_nothing_is_built(clone: Path) -> None:
    assert library.built() is None
    assert (library.available(), library.missing()) == (False, NOT_BUILT)
    assert diagnosis()["kernels"] == f"not used because {NOT_BUILT}"
    assert diagnosis()["computes on"].endswith(", torch")


@needs_kernels
def test_a_clone_finds_the_kernels_that_were_installed(clone: Path, installed: Path) -> None:
    assert library.built() == installed / EXTENSION
    assert (library.available(), library.missing()) == (True, "")
    assert "kernels" not in diagnosis()


@needs_kernels
def test_its_own_kernels_come_first(clone: Path, installed: Path) -> None:
    shutil.copy(installed / EXTENSION, clone)
    assert library.built() == clone / EXTENSION


@needs_kernels
def test_a_folder_without_kernels_does_not_hide_one_that_has_them(
    clone: Path, installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernels_in(tmp_path / "another clone", built=False)
    sys.path.insert(1, str(tmp_path / "another clone"))
    assert library.built() == installed / EXTENSION


@pytest.mark.parametrize("name", library.SOURCES)
def test_kernels_of_other_sources_are_refused(clone: Path, installed: Path, name: str) -> None:
    with (clone / name).open("a") as file:
        file.write("// edited\n")
    assert library.built() is None
    assert (library.library(), library.missing()) == (None, OTHERS)
    assert diagnosis()["kernels"] == f"not used because {OTHERS}"


def test_a_source_that_is_gone_is_another_source(clone: Path, installed: Path) -> None:
    (installed / library.SOURCES[-1]).unlink()
    assert library.built() is None
    assert library.missing() == OTHERS


@needs_kernels
def test_kernels_of_another_version_are_refused(clone: Path, installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "VERSION", library.VERSION + 1)
    assert (library.library(), library.missing()) == (None, OTHERS)


def test_a_file_that_is_no_library(clone: Path) -> None:
    (clone / EXTENSION).write_text("not a library")
    assert library.library() is None
    assert library.missing().startswith(f"they do not load ({clone / EXTENSION}: ")
    assert library.missing().endswith("): run pip install . again")


def test_kernels_may_be_forbidden(clone: Path, installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASBENCH_WS_ENGINE", "plain")
    assert (library.library(), library.missing()) == (None, "NASBENCH_WS_ENGINE=plain; unset it to use them")
