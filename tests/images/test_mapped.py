"""Images laid out once for all workers: the same bytes, mapped and not copied, and nothing left behind."""

from __future__ import annotations

import errno
import pickle
import tempfile

import numpy as np
import pytest

from nasbench_ws.errors import DataError
from nasbench_ws.evaluation.evaluate import prepare
from nasbench_ws.images.loaders import load_images
from nasbench_ws.images.mapped import Mapped, mapped
from nasbench_ws.rankers.plan import Plan


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_other_processes_get_the_same_images(folder, tiny):
    with mapped(tiny.images, load_images) as load:
        there = pickle.loads(pickle.dumps(load))
        found = there("tiny", ("train", "valid"), root="anywhere")
        assert there == load  # of one folder: a worker that has mapped it does so once
        assert hash(there) == hash(load)
        assert list(found.splits) == ["train", "valid"]
        assert (found.digest, found.classes, found.mean, found.std) == (
            tiny.images.digest, tiny.images.classes, tiny.images.mean, tiny.images.std,
        )  # fmt: skip
        for name in found.splits:
            one, other = found.splits[name], tiny.images.splits[name]
            assert np.array_equal(one.pixels, other.pixels)
            assert np.array_equal(one.labels, other.labels)
            assert isinstance(one.pixels.base, np.memmap)
        found.train.pixels[:] = 0  # is the process's own affair
        assert np.array_equal(load("tiny", ("train",)).train.pixels, tiny.images.train.pixels)
    assert not list(folder.iterdir())


def test_nothing_to_lay_out_and_no_room(folder, tiny, monkeypatch):
    with mapped(None, load_images) as load:
        assert load is load_images

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with mapped(tiny.images, load_images) as load:
        assert load is load_images
    assert not list(folder.iterdir())


def test_a_folder_that_is_gone(folder, tiny):
    with mapped(tiny.images, load_images) as load:
        assert isinstance(load, Mapped)
    with pytest.raises(DataError) as caught:
        load("tiny", ("train",))
    assert str(caught.value) == (
        f"{load.folder}, where the images tiny are laid out for workers, cannot be read: No such file or directory; "
        "run the same command again"
    )


def test_workers_of_an_evaluation_read_no_file(folder, tiny, quick):
    """`load` is called in this process alone: in another, it would not find the images."""
    plan = Plan("full", tiny.recipe, steps=64, batch_norm=("running",))
    one, other = (
        prepare("full", tiny.table, plan=plan, instances=1, load=Here(tiny.images)).run(workers=workers)
        for workers in (None, 1)
    )
    assert one.scores.tobytes() == other.scores.tobytes()
    assert not list(folder.glob("nasbench-ws-*"))


class Here:
    """Has images in the process that made it, and none in any other."""

    def __init__(self, images):
        self.images = images

    def __call__(self, name, splits, root=None):
        return self.images

    def __reduce__(self):
        return Here, (None,)
