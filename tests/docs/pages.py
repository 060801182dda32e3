"""The blocks of a page, and how they are run: Python and commands in order, in one folder, cut down to be quick.

    page = Page(ROOT / "docs" / "how-to.md")
    page.run(folder)                          # the number of blocks that ran

A block ```python title="my.py"``` is that file. One that imports a library which is not installed is left out; so are
```bash and ```text. Not here: which pages there are, and what patches make an evaluation small (test_pages.py).
"""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from click.testing import CliRunner

from nasbench_ws.cli import group

ROOT = Path(__file__).parent.parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
HEAVY = {"nevergrad", "smac", "pymoo", "syne_tune"}  # seconds to import: with -m slow
SMALL = "train_images=128,batch_size=64"
CUT = {  # what is appended to a command so that it takes little time; the last of an option given twice holds
    "evaluate": f"--steps 64 --instances 1 --workers 1 --batch-norm recalibrate:64 --recipe {SMALL}",
    "build": f"--archs 111,112 --recipe {SMALL},epochs=0.5,points=1,channels=4,cells=1",
    "group": f"--steps 64 --recipe {SMALL}",
    "search": "--repetitions 5 --workers 1",
    "leaderboard -o": "--top 3",
}
INSTEAD = {"reproduce": "reproduce --help"}  # minutes even when cut down; tests/evaluation/reproduction runs it
DASK = ("dask scheduler --scheduler-file", "dask worker --scheduler-file")  # tests/workers starts them for real
WHOLE = "mine.json"  # a result that later blocks compare with those that ship
NOT_OURS = ("pip install", "pytest", "mkdocs")
IN_PYTHON = {
    "steps=640": "steps=64", "instances=2": "instances=1", "range(640)": "range(4)", "first_valid(1000)":
    "first_valid(100)",
}  # fmt: skip


@dataclass(frozen=True)
class Page:
    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def blocks(self) -> list[tuple[str, str, str]]:
        """(language, what is behind it, body)"""
        return re.findall(r"^```(\w+)([^\n]*)\n(.*?)^```", self.text, flags=re.M | re.S)

    @property
    def runs(self) -> bool:
        return any(kind in ("python", "sh", "sbatch") for kind, _, _ in self.blocks)

    def run(self, heavy: bool = False) -> int:
        """How many blocks ran, in the current folder; AssertionError or a block's own error where one fails."""
        names: dict[str, object] = {}
        ran = 0
        for kind, info, body in self.blocks:
            title = re.search(r'title="([^"]+)"', info)
            if kind == "python" and title:
                Path(title[1]).write_text(body)
            elif kind == "python":
                imported = set(re.findall(r"^(?:import|from) (\w+)", body, flags=re.M))
                absent = any(importlib.util.find_spec(name) is None for name in imported)
                if absent or (imported & HEAVY and not heavy):
                    continue
                exec(compile(smaller(body), str(self.path), "exec"), names)
            elif kind in ("sh", "sbatch"):
                for command in commands(body):
                    done = CliRunner().invoke(group, command[1:], catch_exceptions=False)
                    assert done.exit_code == 0, (command, done.output)
                    if command[1] == "evaluate" and WHOLE in command:  # as if it had not been cut down
                        shutil.copy(ROOT / "data" / "results" / "private-bn.json", WHOLE)
            else:
                continue
            ran += 1
        return ran


def commands(block: str) -> list[list[str]]:
    """The words of each command of ours, cut down."""
    found = []
    for line in block.replace("\\\n", " ").splitlines():
        for command in line.split(" && "):
            text = command.strip()
            if not text or text.startswith(("#", *NOT_OURS, *DASK)):
                continue
            words = shlex.split(text.replace("$SLURM_ARRAY_TASK_ID/16", "1/2"), comments=True)
            assert words[0] == "nasbench-ws", text
            found.append(["nasbench-ws", *_cut(shlex.split(INSTEAD.get(words[1], shlex.join(words[1:]))))])
    return found


def _cut(words: list[str]) -> list[str]:
    added = CUT.get(words[0], CUT.get(" ".join(words[:2]), ""))
    extra = [] if "--list" in words or "--help" in words else shlex.split(added)
    if words[0] == "search" and extra:
        extra += ["--budget", "1e12" if "macs" in words else "8"]
    for option in ("--dask", "--recipe", "--seeds"):
        if option in words and (option == "--dask" or option in extra):
            at = words.index(option)
            words = words[:at] + words[at + 2 :]
    if words[0] == "evaluate" and re.search(r"^(params|macs|random|alone)|:Depthwise$", words[1]):
        return words  # trains nothing
    return [*words, *extra]


def smaller(block: str) -> str:
    """A Python block that takes little time."""
    for long, short in IN_PYTHON.items():
        block = block.replace(long, short)
    return block
