"""The package works where a reader of the README stands: in the clone, in an editable install, and from a wheel alone.

Slow: the kernels are compiled twice.
"""

from __future__ import annotations

import itertools
import shutil
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from installed import ROOT, Environment, clone, output, pip
from pages import Page, smaller

pytestmark = pytest.mark.slow

LOOK = """
import nasbench_ws, nasbench_ws.cli, nasbench_ws.data
from nasbench_ws.training.kernels import library
print(nasbench_ws.__file__, nasbench_ws.cli.__file__, library.built(), library.available(), sep="\\n")
"""
WAYS = ("clone", "editable", "wheel")


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive of a clone."""
    folder = tmp_path_factory.mktemp("sdist")
    build = f"import setuptools.build_meta as b; b.build_sdist({str(folder)!r})"
    environment = Environment(folder / "venv")
    output(environment.python, "-c", build, cwd=clone(folder / "clone"))
    (archive,) = folder.glob("*.tar.gz")
    return archive


@pytest.fixture(scope="module")
def wheel(sdist: Path) -> Path:
    """The wheel that is built of the source archive."""
    pip("wheel", "-q", "--no-index", "--no-deps", "--no-build-isolation", "-w", sdist.parent, sdist)
    (built,) = sdist.parent.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def places(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Environment, Path]]:
    """For each way of installing: the environment, and the folder in which the reader stands."""
    folder = tmp_path_factory.mktemp("places")
    with_wheel, editable = Environment(folder / "with-wheel"), Environment(folder / "with-editable")
    with_wheel.install(wheel)
    for name in ("clone", "editable"):
        clone(folder / name)
    editable.install("-e", folder / "editable")
    (folder / "wheel").mkdir()
    return {
        "clone": (with_wheel, folder / "clone"),
        "editable": (editable, folder / "editable"),
        "wheel": (with_wheel, folder / "wheel"),
    }


def test_the_source_archive_has_everything_once(sdist):
    with tarfile.open(sdist) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    assert max(Counter(Path(name).name for name in names if name.endswith(".h5")).values()) == 1
    assert {name.partition("/")[0] for name in names if name} == {
        "CHANGELOG.md", "CITATION.cff", "LICENSE", "MANIFEST.in", "PKG-INFO", "README.md", "benchmarks", "docs",
        "mkdocs.yml", "nasbench_ws", "nasbench_ws.egg-info", "pyproject.toml", "setup.cfg", "tests",
    }  # fmt: skip
    tests = {str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("*.py")}
    benchmarks = {str(path.relative_to(ROOT)) for path in (ROOT / "benchmarks").rglob("*.py")}
    assert tests | benchmarks <= set(names)


def test_the_wheel_has_what_the_clone_has_once(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert len(names) == len(set(names))
    packaged = {name for name in names if name.startswith("nasbench_ws/") and not name.endswith(".so")}
    kinds = ("*.py", "*.h5", "*.json", "*.md", "*.cpp", "*.inc", "py.typed")
    tracked = {
        f"nasbench_ws/{prefix}{path.relative_to(folder)}"
        for prefix, folder in (("", ROOT / "nasbench_ws"), ("cli/", ROOT / "cli"), ("data/", ROOT / "data"))
        for kind in kinds
        for path in folder.rglob(kind)
    }
    assert packaged == tracked
    outside = {name.partition("/")[0] for name in names} - {"nasbench_ws"}
    assert len(outside) == 1, outside  # the wheel's own description


@pytest.mark.parametrize("way", WAYS)
def test_import_and_kernels(places, way):
    environment, folder = places[way]
    package, cli, kernels, available = environment.run("python", "-c", LOOK, cwd=folder).splitlines()
    here = Path(package).is_relative_to(folder)
    assert here == (way != "wheel")
    assert Path(cli).parent.parent == Path(package).parent
    if shutil.which("c++"):
        assert available == "True"
        assert Path(kernels).is_relative_to(folder) == (way == "editable")


@pytest.mark.parametrize("way", WAYS)
def test_the_command(places, way):
    environment, folder = places[way]
    assert "434 of deeper64 in fashion14" in environment.run("nasbench-ws", "query", "434", cwd=folder)
    assert "no problems" in environment.run("nasbench-ws", "verify", "fashion14", cwd=folder)


@pytest.mark.parametrize("way", WAYS)
def test_python_blocks_of_the_readme(places, way):
    """Each in a fresh Python that is started where the reader is; the first block alone where README does not lead.

    Blocks of the page on networks go on from one another, and are one program.
    """
    environment, folder = places[way]
    pages = [Page(ROOT / name) for name in ("README.md", "docs/tutorial/strategy.md", "docs/tutorial/network.md")]
    *each, network = (
        [body for kind, info, body in page.blocks if kind == "python" and "title=" not in info] for page in pages
    )
    blocks = [*itertools.chain(*each), "\n".join(network)]
    assert len(blocks) >= 3
    for block in blocks if way == "clone" else blocks[:1]:  # an evaluation's worker processes find the package too
        environment.run("python", "-c", smaller(block), cwd=folder)
