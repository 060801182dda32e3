"""The data sets: laws of the split and the digest, the shipped file, every loader on small files, every error."""

from __future__ import annotations

import errno
import gzip
import hashlib
import importlib
import json
import math
import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from test_fuzz import mutated
from torchvision import datasets

from nasbench_ws.errors import DataError, OutputError, UsageError
from nasbench_ws.images import apart, loaders
from nasbench_ws.images import dataset as module
from nasbench_ws.images.dataset import Images, Split, channel_statistics, split_digest, stratified_order
from nasbench_ws.images.folder import read_class_folders
from nasbench_ws.images.loaders import load_images
from nasbench_ws.images.prepare import main, pool, prepare
from nasbench_ws.images.shipped import SHIPPED
from nasbench_ws.recipe import Recipe

SHIPPED_DIGEST = "d6d1fbfd9bfb5fd928581cbb67fee91d1b9b4c8c501ada4ed24ff9d2bc9b502e"
ORIGINALS = Path("/usr/share/datasets/fashion-mnist")
CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
REMEDY = "reinstall nasbench-ws, or make the file again with `python -m nasbench_ws.images.prepare`"
HOW_FASHION = (
    "name the folder that holds it with --data-root DIR (root=DIR); on Debian, `apt install dataset-fashion-mnist` "
    "puts it in /usr/share/datasets/fashion-mnist; with --download (download=True) torchvision fetches it into "
    "that folder"
)
HOW_CIFAR = (
    "name the folder that holds it with --data-root DIR (root=DIR); "
    "with --download (download=True) torchvision fetches it into that folder"
)
RNG_SEED = 7


def shipped_images() -> Path:
    return Path(importlib.import_module("nasbench_ws.data").__path__[0]) / "fashion14-images.h5"


def message(error: pytest.ExceptionInfo[BaseException]) -> str:
    return str(error.value)


def idx(values: np.ndarray) -> bytes:
    """The idx format: two zeros, type 8 (uint8), the number of axes, each length as big-endian int32, the values."""
    return bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">i4").tobytes() + values.tobytes()


def write_originals(folder: Path, train: int = 120, test: int = 20, gzipped: bool = True) -> None:
    """Four small files in the format and under the names of Fashion-MNIST."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(RNG_SEED)
    for part, n in (("train", train), ("t10k", test)):
        for file, values in (
            (f"{part}-images-idx3-ubyte", rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)),
            (f"{part}-labels-idx1-ubyte", rng.permutation(np.arange(n, dtype=np.uint8) % 10)),
        ):
            content = idx(values)
            if gzipped:
                (folder / f"{file}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / file).write_bytes(content)


@pytest.fixture
def originals(tmp_path: Path) -> Path:
    write_originals(tmp_path / "originals")
    return tmp_path / "originals"


@pytest.fixture
def small(tmp_path: Path, originals: Path) -> Path:
    """A folder with a small file in the shipped file's format and under its name."""
    folder = tmp_path / "small"
    folder.mkdir()
    prepare(originals, folder / "fashion14-images.h5")
    return folder


def flip_byte(folder: Path, dataset: str) -> None:
    with h5py.File(folder / "fashion14-images.h5", "r+") as file:
        values = file[dataset][()]
        values.flat[0] ^= 1
        file[dataset][...] = values


# The split and the digest


@given(st.lists(st.integers(0, 4), min_size=1, max_size=200), st.integers(0, 200))
def test_every_prefix_of_the_order_holds_each_class_in_proportion(labels: list[int], n: int) -> None:
    array = np.array(labels)
    order = stratified_order(array)
    assert sorted(order) == list(range(len(labels)))
    n = min(n, len(labels))
    taken = np.bincount(array[order[:n]], minlength=5)
    expected = np.bincount(array, minlength=5) * n / len(labels)
    assert (abs(taken - expected) <= (np.bincount(array, minlength=5) > 0).sum() / 2 + 1e-9).all()


def test_the_order_is_what_its_docstring_says_and_never_changes() -> None:
    labels = np.array([0, 0, 1, 1, 0, 1])
    hashes = [hashlib.sha256(f"nasbench-ws images 1:{i}".encode()).digest()[:8] for i in range(6)]
    rank = {
        i: sorted((hashes[j], j) for j in range(6) if labels[j] == labels[i]).index((hashes[i], i)) for i in range(6)
    }
    assert stratified_order(labels).tolist() == sorted(range(6), key=lambda i: (rank[i], hashes[i]))
    assert stratified_order(np.zeros(8, np.int64)).tolist() == [7, 1, 5, 0, 2, 3, 6, 4]


def test_statistics_are_those_of_numpy() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (50, 6, 5, 3), dtype=np.uint8)
    mean, std = channel_statistics(Split(pixels, np.zeros(50, np.int64)))
    np.testing.assert_allclose(mean, (pixels / 255).mean((0, 1, 2)), rtol=1e-13)
    np.testing.assert_allclose(std, (pixels / 255).std((0, 1, 2)), rtol=1e-13)


def test_the_digest_can_be_recomputed_from_the_shipped_file_without_this_package() -> None:
    """As the file's own attribute digest_rule says."""
    with h5py.File(shipped_images(), "r", locking=False) as file:
        digests = {}
        for split in ("train", "valid", "test"):
            pixels, labels = file[f"{split}_images"][()], file[f"{split}_labels"][()]
            content = ",".join(map(str, pixels.shape)).encode() + b"\n" + pixels.tobytes()
            digests[split] = hashlib.sha256(content + labels.astype("<i8").tobytes()).hexdigest()
        content = {
            "classes": list(file.attrs["classes"]),
            "mean": file.attrs["mean"].tolist(),
            "std": file.attrs["std"].tolist(),
            "splits": digests,
        }
        assert hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest() == SHIPPED_DIGEST


def test_the_digest_is_the_same_whichever_splits_are_loaded(originals: Path) -> None:
    names = [("train",), ("valid", "test"), ("train", "valid", "test"), "test"]
    loaded = [load_images("fashion-mnist", splits, root=originals) for splits in names]
    assert len({images.digest for images in loaded}) == 1
    assert [tuple(images.splits) for images in loaded] == [*names[:3], ("test",)]


# The shipped file


@pytest.fixture(scope="module")
def shipped() -> Images:
    return load_images("fashion14", splits=("train", "valid", "test"))


def test_the_shipped_images(shipped: Images) -> None:
    assert shipped.digest == SHIPPED_DIGEST
    assert shipped.classes == CLASSES
    assert (shipped.height, shipped.width, shipped.channels) == (14, 14, 1)
    assert {name: len(split) for name, split in shipped.splits.items()} == {
        "train": 50000,
        "valid": 10000,
        "test": 10000,
    }
    for split, count in ((shipped.train, 5000), (shipped.valid, 1000), (shipped.test, 1000)):
        assert np.bincount(split.labels).tolist() == [count] * 10
    assert (shipped.mean, shipped.std) == channel_statistics(shipped.train)
    assert shipped.mean == (0.28613921528611447,)


def test_the_shipped_file_says_where_it_comes_from() -> None:
    path = shipped_images()
    assert path.stat().st_size < 10e6
    with h5py.File(path, "r", locking=False) as file:
        assert file.attrs["licence"].startswith("The MIT License (MIT)\n\nCopyright (c) 2017 Zalando SE")
        assert file.attrs["source"].endswith("https://github.com/zalandoresearch/fashion-mnist")
        recipe = json.loads(file.attrs["recipe"])
        assert recipe["split_seed"] == module.SPLIT_SEED
        assert recipe["pooling"] == "mean of each 2x2 window, rounded half up: (a + b + c + d + 2) // 4"
        assert all(file[name].chunks[0] == 1000 and file[name].dtype == np.uint8 for name in file)


def test_test_images_are_not_loaded_unless_asked_for() -> None:
    images = load_images("fashion14")
    assert tuple(images.splits) == ("train", "valid")
    with pytest.raises(DataError) as error:
        _ = images.test
    assert message(error) == (
        "the test images of fashion14 were not loaded, only train, valid: test images are for the table's ground truth "
        "only; load_images('fashion14', splits=('test',)) loads them"
    )


def test_test_images_are_not_even_read_unless_asked_for(small: Path) -> None:
    flip_byte(small, "test_images")
    load_images("fashion14", root=small)
    with pytest.raises(DataError, match="its test images have SHA-256"):
        load_images("fashion14", splits=("train", "test"), root=small)


@pytest.mark.skipif(not ORIGINALS.is_dir(), reason=f"no original Fashion-MNIST in {ORIGINALS} (dataset-fashion-mnist)")
def test_the_shipped_file_can_be_made_again_from_the_originals(tmp_path: Path) -> None:
    assert prepare(ORIGINALS, tmp_path / "again.h5").digest == SHIPPED_DIGEST


def test_loading_the_shipped_images_imports_no_torch() -> None:
    program = (
        "import sys; from nasbench_ws.images import load_images; "
        "load_images('fashion14'); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-P", "-c", program], check=True)


# Making it


def test_pooling_is_the_mean_rounded_half_up() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 6, 4, 2), dtype=np.uint8)
    expected = np.floor(pixels.reshape(20, 3, 2, 2, 2, 2).mean((2, 4)) + 0.5)
    assert np.array_equal(pool(pixels), expected)
    with pytest.raises(DataError) as error:
        pool(pixels[:, :5])
    assert message(error) == "images of 5x4 pixels cannot be pooled by 2x2: both sides must be even"


def test_the_same_originals_make_the_same_file(tmp_path: Path, originals: Path) -> None:
    first = prepare(originals, tmp_path / "a.h5")
    second = prepare(originals, tmp_path / "b.h5")
    assert first.digest == second.digest
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    assert {name: len(split) for name, split in first.splits.items()} == {
        "train": 100,
        "valid": 20,
        "test": 20,
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5", "b.h5", "originals"]


def test_the_shipped_split_is_the_split_of_the_full_size_images(small: Path, originals: Path) -> None:
    splits = ("train", "valid", "test")
    pooled, full = load_images("fashion14", splits, small), load_images("fashion-mnist", splits, originals)
    for split in splits:
        assert np.array_equal(pooled.splits[split].pixels, pool(full.splits[split].pixels))
        assert np.array_equal(pooled.splits[split].labels, full.splits[split].labels)


def test_the_command_states_counts_and_digest(
    tmp_path: Path, originals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "fashion14-images.h5"
    monkeypatch.setattr(sys, "argv", ["prepare", str(originals), str(output)])
    main()
    digest = load_images("fashion14", root=tmp_path).digest
    assert capsys.readouterr().out == f"{output}: 100 train, 20 valid, 20 test\ndigest {digest}\n"


def test_a_file_that_cannot_be_written(tmp_path: Path, originals: Path) -> None:
    output = tmp_path / "absent" / "a.h5"
    with pytest.raises(OutputError) as error:
        prepare(originals, output)
    assert message(error) == (
        f"{output} cannot be written: No such file or directory; choose a place that can be written"
    )


# A damaged file


def test_damaged_contents_name_the_file_and_both_digests(small: Path) -> None:
    path = small / "fashion14-images.h5"
    whole = split_digest(load_images("fashion14", root=small).valid)
    flip_byte(small, "valid_labels")
    with h5py.File(path, "r") as file:
        found = split_digest(Split(file["valid_images"][()], file["valid_labels"][()].astype(np.int64)))
    with pytest.raises(DataError) as error:
        load_images("fashion14", root=small)
    assert message(error) == f"{path} is damaged: its valid images have SHA-256 {found}, not {whole}; {REMEDY}"


def test_a_changed_mean_is_damage_too(small: Path) -> None:
    with h5py.File(small / "fashion14-images.h5", "r+") as file:
        file.attrs["mean"] = [0.5]
    with pytest.raises(DataError, match="is damaged: its contents have SHA-256"):
        load_images("fashion14", root=small)


@pytest.mark.parametrize("damage", ["truncated", "text", "lacking"])
def test_a_file_that_is_not_whole(small: Path, damage: str) -> None:
    path = small / "fashion14-images.h5"
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-5000])
    elif damage == "text":
        path.write_text("not HDF5")
    else:
        with h5py.File(path, "r+") as file:
            del file["train_labels"]
    with pytest.raises(DataError) as error:
        load_images("fashion14", root=small)
    assert re.fullmatch(rf"{path} is not a whole file of images in HDF5 \(.+\); {re.escape(REMEDY)}", message(error))


def forged(folder: Path, change: Callable[[h5py.File], None]) -> str:
    """What is said of the file after a change to it."""
    with h5py.File(folder / "fashion14-images.h5", "r+") as file:
        change(file)
    with pytest.raises(DataError) as error:
        load_images("fashion14", root=folder)
    return message(error)


def replaced(**arguments: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file["train_labels"]
        file.create_dataset("train_labels", **arguments)

    return change


def linked(link: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file["train_labels"]
        file["train_labels"] = link

    return change


def windowed(file: h5py.File) -> None:
    del file["train_labels"]
    layout = h5py.VirtualLayout((100,), "u1")
    layout[:] = h5py.VirtualSource("/etc/hostname", "x", (100,), "u1")
    file.create_virtual_dataset("train_labels", layout)


WINDOW = "its train_labels is a window on other files"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (replaced(shape=(100,), dtype="u1", external=[("/etc/passwd", 0, 100)]), WINDOW),
        (windowed, WINDOW),
        (linked(h5py.ExternalLink("/etc/passwd", "x")), "its train_labels is a link"),
        (linked(h5py.SoftLink("/valid_labels")), "its train_labels is a link"),
        (replaced(shape=(2**40,), dtype="u1"), "it says it holds more than the 2,147,483,648 bytes that are read"),
        (
            replaced(shape=(100,), maxshape=(None,), chunks=(2**31 + 1,), dtype="u1"),
            "its train_labels is in chunks of (2147483649,)",
        ),
        (replaced(shape=(100,), dtype="i8"), "its train_labels is no dataset of bytes"),
        (replaced(data=h5py.Empty("u1")), ""),
    ],
    ids=["external", "virtual", "elsewhere", "soft", "terabyte", "chunks", "ints", "empty"],
)
def test_what_a_foreign_file_asks_for_is_refused(small: Path, change: Any, said: str) -> None:
    assert said in forged(small, change)


def test_a_foreign_file_that_keeps_hdf5_busy_or_kills_it(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading happens in another process: here one that spins, and one that dies."""
    data = (small / "fashion14-images.h5").read_bytes()
    apart.contents_apart(data, ["train"])
    for code, said in (("while True: pass", "signal"), ("import os; os.kill(os.getpid(), 11)", "signal 11")):
        (small / "sitecustomize.py").write_text(
            f"import sys\nif 'nasbench_ws.images.apart' in sys.orig_argv:\n    import h5py\n"
            f"    def f(*a):\n        {code}\n    h5py.h5f.open_file_image = f\n"
        )
        monkeypatch.setattr(sys, "path", [str(small), *sys.path])
        with pytest.raises(RuntimeError, match=said):
            apart.contents_apart(data, ["train"], seconds=2)


def test_what_ships_is_read_here_and_nothing_else_is(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hashlib.sha256(shipped_images().read_bytes()).hexdigest() == SHIPPED
    asked = []
    monkeypatch.setattr(apart, "contents_apart", lambda data, splits: asked.append(splits))
    load_images("fashion14")
    assert not asked
    with pytest.raises(DataError):
        load_images("fashion14", root=small)
    assert asked == [("train", "valid")]


@pytest.mark.parametrize("files", [12, pytest.param(600, marks=pytest.mark.slow)])
def test_mutants_are_read_right_or_refused(small: Path, files: int) -> None:
    path = small / "fashion14-images.h5"
    data, digest, refused = path.read_bytes(), load_images("fashion14", root=small).digest, 0
    for seed in range(files):
        path.write_bytes(mutated(data, seed))
        try:
            assert load_images("fashion14", root=small).digest == digest
        except DataError as error:
            assert str(path) in str(error)  # noqa: PT017
            refused += 1
    assert refused > files // 3


def test_an_absent_file_and_another_schema(small: Path) -> None:
    path = small / "fashion14-images.h5"
    with h5py.File(path, "r+") as file:
        file.attrs["schema_version"] = 2
    with pytest.raises(DataError) as error:
        load_images("fashion14", root=small)
    assert message(error) == f"{path} has schema 2, this package reads 1; {REMEDY}"
    path.unlink()
    with pytest.raises(DataError) as error:
        load_images("fashion14", root=small)
    assert message(error) == f"{path}: no such file; {REMEDY}"


# Images


def test_subsets_are_nested_and_balanced(shipped: Images) -> None:
    small, large = shipped.subset(train=100), shipped.subset(train=1000)
    assert np.bincount(small.train.labels).tolist() == [10] * 10
    assert np.array_equal(small.train.pixels, large.train.pixels[:100])
    assert small.valid is shipped.valid
    assert small.mean == shipped.mean
    assert len({shipped.digest, small.digest, large.digest}) == 3
    assert large.subset(train=1000) is large
    assert shipped.subset(train=50000) is shipped
    with pytest.raises(UsageError) as error:
        small.subset(train=101)
    assert message(error) == "101 training images of fashion14: it has 1 to 100 to give"


def test_a_split_is_checked() -> None:
    with pytest.raises(UsageError) as error:
        Split(np.zeros((2, 4, 4), np.uint8), np.zeros(2, np.int64))
    assert message(error) == (
        "a split of uint8 pixels (2, 4, 4) and int64 labels (2,): "
        "it takes contiguous uint8 pixels (N, H, W, C) and int64 labels (N,)"
    )


def test_unknown_names() -> None:
    with pytest.raises(UsageError) as error:
        load_images("fashion-14")
    assert message(error) == (
        "no data set 'fashion-14' (did you mean fashion14 or fashion-mnist?): "
        "it is fashion14, fashion-mnist, cifar10, cifar100 or folder:PATH"
    )
    for splits in (("train", "val"), ()):
        with pytest.raises(UsageError) as error:
            load_images("fashion14", splits=splits)
        assert message(error) == f"splits {splits}: name one or more of train, valid, test"


# Fashion-MNIST at full size


def test_fashion_mnist_in_every_layout(tmp_path: Path) -> None:
    digests = set()
    for gzipped in (True, False):
        for place in ("", "FashionMNIST/raw"):
            root = tmp_path / f"{gzipped}{place.replace('/', '')}"
            write_originals(root / place, gzipped=gzipped)
            images = load_images("fashion-mnist", root=root)
            assert (len(images.train), len(images.valid), images.height, images.classes) == (
                100,
                20,
                28,
                CLASSES,
            )
            digests.add(images.digest)
    assert len(digests) == 1


def test_fashion_mnist_is_downloaded_by_torchvision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        datasets.FashionMNIST, "download", lambda self: write_originals(Path(self.raw_folder), gzipped=False)
    )
    assert len(load_images("fashion-mnist", root=tmp_path, download=True).valid) == 20

    def fail(self: object) -> None:
        raise RuntimeError("no route to host")

    monkeypatch.setattr(datasets.FashionMNIST, "download", fail)
    with pytest.raises(DataError) as error:
        load_images("fashion-mnist", root=tmp_path, download=True)
    assert message(error) == f"fashion-mnist could not be fetched into {tmp_path}: no route to host"


def test_fashion_mnist_that_is_missing_or_broken(tmp_path: Path, originals: Path) -> None:
    with pytest.raises(DataError) as error:
        load_images("fashion-mnist")
    assert message(error) == f"fashion-mnist does not ship with this package: {HOW_FASHION}"
    with pytest.raises(DataError) as error:
        load_images("fashion-mnist", root=tmp_path)
    assert message(error) == (
        f"fashion-mnist: no train-images-idx3-ubyte or train-images-idx3-ubyte.gz in {tmp_path} or "
        f"{tmp_path / 'FashionMNIST' / 'raw'}; {HOW_FASHION}"
    )
    labels = originals / "train-labels-idx1-ubyte.gz"
    labels.write_bytes(gzip.compress(idx(np.zeros(5, np.uint8))))
    with pytest.raises(DataError) as error:
        load_images("fashion-mnist", root=originals)
    assert message(error) == (
        f"fashion-mnist in {originals}: images (120, 28, 28) and labels (5,) do not belong together "
        f"as (N, H, W) and (N,); {HOW_FASHION}"
    )
    file = originals / "train-images-idx3-ubyte.gz"
    whole = file.read_bytes()
    for broken in (
        whole[:-2000],
        b"not gzip",
        gzip.compress(gzip.decompress(whole)[:-3]),
        gzip.compress(b""),
    ):
        file.write_bytes(broken)
        with pytest.raises(DataError) as error:
            load_images("fashion-mnist", root=originals)
        assert message(error) == f"{file} is not a whole idx file; {HOW_FASHION}"


# CIFAR


def write_cifar(root: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Small batches in CIFAR's format; their MD5s in place of the originals'. Returns the training pixels."""
    reader = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}[name]
    folder = root / reader.base_folder
    folder.mkdir(parents=True)
    rng = np.random.default_rng(RNG_SEED)
    n_classes, key = (10, "labels") if name == "cifar10" else (100, "fine_labels")
    n = 20 if name == "cifar10" else 500
    training = []

    def dump(file: str, content: object) -> str:
        (folder / file).write_bytes(pickle.dumps(content))
        return hashlib.md5((folder / file).read_bytes()).hexdigest()

    for files in ("train_list", "test_list"):
        entries = []
        for file, _ in getattr(reader, files):
            data = rng.integers(0, 256, (n, 3072), dtype=np.uint8)
            entries.append([file, dump(file, {"data": data, key: [i % n_classes for i in range(n)]})])
            training += [data] if files == "train_list" else []
        monkeypatch.setattr(reader, files, entries)
    meta = dict(reader.meta)
    meta["md5"] = dump(meta["filename"], {meta["key"]: [f"class {i}" for i in range(n_classes)]})
    monkeypatch.setattr(reader, "meta", meta)
    return np.concatenate(training).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


@pytest.mark.parametrize(("name", "sizes"), [("cifar10", (80, 20, 20)), ("cifar100", (400, 100, 500))])
def test_cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, sizes: tuple[int, ...]) -> None:
    original = write_cifar(tmp_path, name, monkeypatch)
    images = load_images(name, ("train", "valid", "test"), root=tmp_path)
    assert (len(images.train), len(images.valid), len(images.test)) == sizes
    assert (images.height, images.width, images.channels) == (32, 32, 3)
    assert images.classes[:2] == ("class 0", "class 1")
    assert len(set(np.bincount(images.valid.labels))) == 1
    both = np.concatenate([images.valid.pixels, images.train.pixels])
    labels = np.arange(len(original)) % len(images.classes)  # every batch starts anew at class 0
    assert np.array_equal(both, original[stratified_order(labels)])


def test_cifar_that_is_missing_or_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError) as error:
        load_images("cifar10")
    assert message(error) == f"cifar10 does not ship with this package: {HOW_CIFAR}"
    with pytest.raises(DataError) as error:
        load_images("cifar100", root=tmp_path)
    assert message(error) == f"cifar100: no whole cifar-100-python in {tmp_path}; {HOW_CIFAR}"
    write_cifar(tmp_path, "cifar10", monkeypatch)
    (tmp_path / "cifar-10-batches-py" / "data_batch_3").write_bytes(b"damaged")
    with pytest.raises(DataError) as error:
        load_images("cifar10", root=tmp_path)
    assert message(error) == f"cifar10: no whole cifar-10-batches-py in {tmp_path}; {HOW_CIFAR}"


# A folder of images


def write_folder(root: Path, splits: dict[str, int], mode: str = "RGB", size: tuple[int, int] = (6, 5)) -> None:
    rng = np.random.default_rng(RNG_SEED)
    shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
    for split, n in splits.items():
        for label in ("ant", "bee"):
            (root / split / label).mkdir(parents=True, exist_ok=True)
            for i in range(n):
                Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(root / split / label / f"{i}.png")


@pytest.mark.parametrize(("mode", "channels"), [("RGB", 3), ("L", 1)])
def test_a_folder_of_images(tmp_path: Path, mode: str, channels: int) -> None:
    write_folder(tmp_path / "insects", {"train": 6, "valid": 3, "test": 2}, mode)
    images = load_images("folder:insects", ("train", "valid", "test"), root=tmp_path)
    assert images.classes == ("ant", "bee")
    assert (images.height, images.width, images.channels) == (5, 6, channels)
    assert (len(images.train), len(images.valid), len(images.test)) == (12, 6, 4)
    assert np.bincount(images.subset(train=4).train.labels).tolist() == [2, 2]
    bee = np.asarray(Image.open(tmp_path / "insects" / "test" / "bee" / "1.png")).reshape(5, 6, channels)
    assert np.array_equal(images.test.pixels[3], bee)
    assert images.test.labels.tolist() == [0, 0, 1, 1]
    assert tuple(load_images(f"folder:{tmp_path}/insects").splits) == ("train", "valid")


def test_a_folder_that_does_not_fit(tmp_path: Path) -> None:
    name = f"folder:{tmp_path}"
    write_folder(tmp_path, {"train": 2})

    def failure(splits: tuple[str, ...] = ("train", "valid")) -> str:
        with pytest.raises(DataError) as error:
            load_images(name, splits)
        return message(error)

    each = "it holds one folder of images for each class"
    assert failure() == f"{name}: no folder {tmp_path / 'valid'}; {each}"
    (tmp_path / "valid").mkdir()
    assert failure() == f"{tmp_path / 'valid'} has no class folder; {each}"
    write_folder(tmp_path, {"valid": 1}, size=(7, 5))
    assert failure() == f"{tmp_path / 'valid'} has images 7x5 colour, and train has 6x5 colour; give both the same"
    (tmp_path / "valid" / "bee").rename(tmp_path / "valid" / "wasp")
    assert failure() == (
        f"{tmp_path / 'valid'} has class folders ant, wasp, and train has ant, bee; give both the same"
    )
    odd = tmp_path / "train" / "bee" / "1.png"
    Image.new("L", (6, 5)).save(odd)
    assert failure() == (
        f"{odd} is 6x5 grayscale, and the first image is 6x5 colour: make all alike, e.g. with ImageMagick's "
        "`mogrify -auto-orient -resize 6x5! -colorspace sRGB FILES`"
    )
    Image.new("RGBA", (6, 5)).save(odd)
    assert failure() == f"{odd} has mode RGBA; save it as 8-bit grayscale (L) or RGB"
    odd.write_bytes(b"not a PNG")
    assert failure() == f"{odd} cannot be read as an image; replace or remove it"
    os.remove(odd)
    os.mkfifo(odd)
    assert failure() == f"{odd} is a device, a pipe or a broken link, not an image; replace or remove it"
    os.remove(odd)
    Image.new("RGB", (5000, 5)).save(odd)
    assert failure() == f"{odd} is 5000x5; the longest side is 4096 pixels"
    shutil.rmtree(tmp_path / "train")
    assert failure(("valid",)) == f"{name}: no folder {tmp_path / 'train'}; {each}"


def test_originals_that_unpack_to_more_than_any_has(originals: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some KB of gzip were written to the disk as they unpacked, until it was full."""
    file = originals / "train-images-idx3-ubyte.gz"
    file.write_bytes(gzip.compress(bytes(10**6)))
    monkeypatch.setattr(loaders, "LARGEST_IDX", 10**5)
    with pytest.raises(DataError) as error:
        load_images("fashion-mnist", root=originals)
    assert message(error) == f"{file} unpacks to more than the 100,000 bytes that are read; {HOW_FASHION}"
    file.rename(plain := file.with_suffix(""))
    plain.write_bytes(bytes(10**6))
    with pytest.raises(DataError) as error:
        load_images("fashion-mnist", root=originals)
    assert message(error) == f"{plain} has more than the 100,000 bytes that are read; {HOW_FASHION}"


def test_no_room_to_unpack_originals_is_said_as_such(originals: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left on device; free some space and run the same command again"):
        load_images("fashion-mnist", root=originals)


@pytest.mark.parametrize("bad", [2, 255, -1, -(2**63), 2**63 - 1])
def test_a_label_that_is_no_class(bad: int) -> None:
    pixels, labels = np.zeros((4, 3, 3, 1), np.uint8), np.array([0, 1, bad, 0])
    with pytest.raises(DataError) as caught:
        Images("mine", ("a", "b"), "0" * 64, (0.5,), (0.5,), {"valid": Split(pixels, labels)})
    assert message(caught) == (
        f"the valid images of mine: label {bad} of image 2 is no class; it has 2 classes, so labels are 0 to 1; "
        "check how the labels were read"
    )


def test_a_label_of_the_originals_that_is_no_class(tmp_path: Path) -> None:
    """Fashion-MNIST's files say nothing of the number of classes: a label of 250 was once an address."""
    write_originals(tmp_path, gzipped=False)
    file = tmp_path / "train-labels-idx1-ubyte"
    file.write_bytes(file.read_bytes()[:-1] + bytes([250]))
    with pytest.raises(DataError) as caught:
        load_images("fashion-mnist", root=tmp_path)
    assert re.fullmatch(
        r"the (train|valid) images of fashion-mnist: label 250 of image \d+ is no class; it has 10 classes, so labels "
        r"are 0 to 9; check how the labels were read",
        message(caught),
    )


@pytest.mark.parametrize("shape", [(3, 4, 1), (4, 3, 1), (3, 3, 3)])
def test_splits_of_other_sizes(shape: tuple[int, ...]) -> None:
    splits = {
        "train": Split(np.zeros((2, 3, 3, 1), np.uint8), np.array([0, 1])),
        "valid": Split(np.zeros((2, *shape), np.uint8), np.array([0, 1])),
    }
    with pytest.raises(DataError) as caught:
        Images("mine", ("a", "b"), "0" * 64, (0.5,), (0.5,), splits)
    assert message(caught) == (
        "the splits of mine have images of different sizes (height x width x channels): train 3x3x1, valid "
        f"{'x'.join(map(str, shape))}; make all alike"
    )


STATISTICS: list[tuple[tuple[float, ...], tuple[float, ...]]] = [
    ((), ()), ((0.5, 0.5), (0.2, 0.2)), ((math.nan,), (0.2,)), ((math.inf,), (0.2,)), ((0.5,), (0.0,)),
    ((0.5,), (-0.1,)), ((0.5,), (math.nan,)),
]  # fmt: skip


@pytest.mark.parametrize(("mean", "std"), STATISTICS)
def test_statistics_that_normalise_nothing(mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    """In a file whose digest fits, a mean of NaN made every run diverge at its first step, and no word said why."""
    split = Split(np.zeros((2, 3, 3, 1), np.uint8), np.array([0, 1]))
    with pytest.raises(DataError) as caught:
        Images("mine", ("a", "b"), "0" * 64, mean, std, {"valid": split})
    assert message(caught) == (
        f"the images of mine have means {mean} and deviations {std} for 1 channels; there is one of each for every "
        "channel, finite, and the deviation above 0: a channel that has the same value everywhere tells nothing, and "
        "is to be left out"
    )


def test_no_images_and_no_classes() -> None:
    def said(shape: tuple[int, ...], classes: tuple[str, ...] = ("a", "b")) -> str:
        split = Split(np.zeros(shape, np.uint8), np.zeros(shape[0], np.int64))
        with pytest.raises(DataError) as caught:
            Images("mine", classes, "0" * 64, (0.5,), (0.5,), {"valid": split})
        return message(caught)

    assert said((0, 3, 3, 1)) == "the valid images of mine are 0 of 3x3x1; give at least one pixel"
    assert said((2, 3, 0, 1)) == "the valid images of mine are 2 of 3x0x1; give at least one pixel"
    assert said((2, 3, 3, 1), ("a",)) == "the images of mine have 1 classes; a classifier takes 2 or more"


def test_a_link_to_a_folder_around_it_is_refused(tmp_path: Path) -> None:
    """It made pictures of every class some of one, many times over. A link to another folder is one."""
    for name in ("ant", "bee"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        Image.new("L", (2, 2)).save(tmp_path / "pictures" / name / "1.png")
    (tmp_path / "pictures" / "cat").symlink_to(tmp_path / "pictures" / "bee")
    assert read_class_folders(tmp_path / "pictures")[1].labels.tolist() == [0, 1, 2]
    for target in ("..", "."):
        link = tmp_path / "pictures" / "ant" / "link"
        link.symlink_to(target)
        with pytest.raises(DataError) as caught:
            read_class_folders(tmp_path / "pictures")
        there = (link.parent / target).resolve()
        assert str(caught.value) == f"{link} is a link to {there}, which it is in; remove it"
        link.unlink()


def test_hidden_folders_and_files_are_no_classes_and_no_pictures(tmp_path: Path) -> None:
    write_folder(tmp_path, {"train": 3, "valid": 2})
    before = load_images(f"folder:{tmp_path}")
    for split in ("train", "valid"):
        for hidden in (".ipynb_checkpoints", "__MACOSX", "ant/.ipynb_checkpoints", "ant/__MACOSX", ".git"):
            (tmp_path / split / hidden).mkdir()
            shutil.copy(tmp_path / split / "ant" / "0.png", tmp_path / split / hidden / "0-checkpoint.png")
        (tmp_path / split / "ant" / "._0.png").write_bytes(b"a resource fork")
        (tmp_path / split / "ant" / "Thumbs.db").write_bytes(b"")
        (tmp_path / split / "labels.csv").write_text("")
    after = load_images(f"folder:{tmp_path}")
    assert after.classes == ("ant", "bee")
    assert after.digest == before.digest


def test_the_order_of_pictures_is_that_of_imagefolder(tmp_path: Path) -> None:
    from torchvision.datasets import ImageFolder

    write_folder(tmp_path, {"train": 3})
    for place in ("ant/deeper", "ant/2", "ant/a/b"):
        (tmp_path / "train" / place).mkdir(parents=True)
        shutil.copy(tmp_path / "train" / "ant" / "1.png", tmp_path / "train" / place / "Z.PNG")
    classes, split = read_class_folders(tmp_path / "train")
    theirs = ImageFolder(str(tmp_path / "train"))
    assert classes == theirs.classes
    assert split.labels.tolist() == theirs.targets
    expected = [np.asarray(Image.open(path)) for path, _ in theirs.samples]
    assert np.array_equal(split.pixels, expected)


def test_a_picture_is_read_upright(tmp_path: Path) -> None:
    write_folder(tmp_path, {"train": 2, "valid": 2})
    path = tmp_path / "train" / "ant" / "0.png"
    with Image.open(path) as image:
        upright = np.asarray(image)
        exif = Image.Exif()
        exif[0x0112] = 6  # to be shown turned by 90 degrees
        image.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)
    with Image.open(path) as stored:
        assert stored.size == (5, 6)
    assert np.array_equal(read_class_folders(tmp_path / "train")[1].pixels[0], upright)


NONE = "has no image (.jpg, .jpeg, .png, .ppm, .bmp, .pgm, .tif, .tiff, .webp); fill it, or remove it"


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], NONE),
        (["notes.txt"], NONE),
        (["a.gif", "b.GIF"], "holds only 2 .gif, which are not read; save them as .png"),
        (["a.gif", "b.heic", "0.png"], "holds 1 .gif, 1 .heic, which are not read; save them as .png"),
    ],
)
def test_classes_without_a_picture_are_named(tmp_path: Path, names: list[str], text: str) -> None:
    write_folder(tmp_path, {"train": 2, "valid": 2})
    (tmp_path / "train" / "wasp").mkdir()
    for name in names:
        Image.new("RGB", (6, 5)).save(tmp_path / "train" / "wasp" / name, format="PNG")
    with pytest.raises(DataError) as error:
        load_images(f"folder:{tmp_path}")
    assert message(error) == f"the class folder {tmp_path / 'train' / 'wasp'} {text}"


def test_a_file_of_several_pictures_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path, {"train": 2, "valid": 2})
    odd = tmp_path / "train" / "ant" / "3.tif"
    pages = [Image.new("RGB", (6, 5), colour) for colour in ("red", "blue")]
    pages[0].save(odd, save_all=True, append_images=pages[1:])
    with pytest.raises(DataError) as error:
        load_images(f"folder:{tmp_path}")
    assert message(error) == f"{odd} holds 2 pictures; save each in a file of its own"


def test_a_folder_that_was_moved_is_found(tmp_path: Path) -> None:
    write_folder(tmp_path / "old" / "insects", {"train": 2, "valid": 2})
    name = f"folder:{tmp_path}/old/insects"
    digest = load_images(name).digest
    (tmp_path / "new").mkdir()
    (tmp_path / "old" / "insects").rename(tmp_path / "new" / "insects")
    with pytest.raises(DataError) as error:
        load_images(name)
    assert message(error) == (
        f"{name}: no folder {tmp_path}/old/insects/train; it holds one folder of images for each class; "
        f"where {name} was moved, say so with --data-root (root=)"
    )
    for root in (tmp_path / "new", tmp_path / "new" / "insects"):
        assert load_images(name, root=root).digest == digest


def test_a_folder_with_a_comma(tmp_path: Path) -> None:
    write_folder(tmp_path / "cats, dogs", {"train": 2, "valid": 2})
    recipe = Recipe().override(f"images=folder:{tmp_path}/cats, dogs,epochs=2, lr=0.5")
    assert (recipe.epochs, recipe.lr) == (2, 0.5)
    assert load_images(recipe.images).classes == ("ant", "bee")
