"""A clone as git would make it, and environments of their own over the libraries that are installed here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
NOT_TRACKED = (
    ".git", ".venv", "build", "dist", "*.egg-info", "*.so", "__pycache__", ".*_cache", ".hypothesis", ".benchmarks",
)  # fmt: skip


def clone(folder: Path) -> Path:
    """The tree without what was built in it; links stay links."""
    return Path(shutil.copytree(ROOT, folder, symlinks=True, ignore=shutil.ignore_patterns(*NOT_TRACKED)))


class Environment:
    """A virtual environment with every library of this one, but for this package."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False)
        self.python = folder / "bin" / "python"
        libraries = folder / "libraries"
        libraries.mkdir()
        for entry in map(Path, sys.path):
            if entry.name != "site-packages":
                continue
            for found in entry.iterdir():
                ours = found.name.startswith(("nasbench_ws", "__editable__"))
                if not ours and found.suffix != ".pth" and not (libraries / found.name).exists():
                    (libraries / found.name).symlink_to(found)
        (site,) = folder.glob("lib/python*/site-packages")
        (site / "libraries.pth").write_text(f"{libraries}\n")

    def install(self, *arguments: str | Path) -> None:
        """As `pip install`, of this package alone and with the libraries at hand."""
        pip("--python", self.python, "install", "--no-index", "--no-deps", "--no-build-isolation", *arguments)

    def run(self, *words: str | Path, cwd: Path) -> str:
        """What a command of this environment prints."""
        program = self.python.parent / words[0]
        return output(program, *words[1:], cwd=cwd)


def pip(*arguments: str | Path) -> None:
    output(sys.executable, "-m", "pip", *arguments, cwd=ROOT.parent)


def output(*words: str | Path, cwd: Path) -> str:
    """What a command prints; AssertionError, with all that it said, where it fails."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    found = subprocess.run([str(word) for word in words], cwd=cwd, env=clean, capture_output=True, text=True)
    assert found.returncode == 0, f"{words}\n{found.stdout}\n{found.stderr}"
    return found.stdout
