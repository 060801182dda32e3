"""One copy of a data set for all processes of a machine: files that each of them maps into its memory.

    with mapped(images, load) as load:             # what workers load images by: they read nothing, and copy nothing
        execute(make, tasks, ...)

A worker would otherwise decode the images again: 0.13 s of a processor for fashion14, a minute for 60,000 PNGs.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from nasbench_ws.errors import DataError
from nasbench_ws.images.dataset import Images, Split


@dataclass(frozen=True)
class Mapped:
    """Called as `load_images` is, in any process of this machine while the folder is there."""

    folder: str
    bare: Images = field(compare=False)  # without a split

    def __call__(self, name: str, splits: Sequence[str], root: object = None) -> Images:
        """Private to the process where it writes to them. DataError where the files are gone."""
        try:
            found = {split: Split(self._array(split, "pixels"), self._array(split, "labels")) for split in splits}
        except OSError as error:
            raise DataError(
                f"{self.folder}, where the images {self.bare.name} are laid out for workers, cannot be read: "
                f"{error.strerror or error}; run the same command again"
            ) from error
        return replace(self.bare, splits=found)

    def _array(self, split: str, what: str) -> Any:
        return np.asarray(np.load(Path(self.folder, f"{split}-{what}.npy"), mmap_mode="c"))


@contextlib.contextmanager
def mapped(images: Images | None, load: Callable[..., Images]) -> Iterator[Callable[..., Images]]:
    """A load that gives these images to other processes; `load` itself where there are none, or no room for a copy."""
    folder = None
    try:
        if images is not None:
            with contextlib.suppress(OSError):
                folder = tempfile.mkdtemp(prefix="nasbench-ws-images-")
                for name, split in images.splits.items():
                    for what, values in (("pixels", split.pixels), ("labels", split.labels)):
                        np.save(Path(folder, f"{name}-{what}.npy"), values)
                load = Mapped(folder, replace(images, splits={}))
        yield load
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
