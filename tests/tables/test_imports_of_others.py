"""Files that others write, made small here: read whole, in any order, and what is wrong with one is named."""

from __future__ import annotations

import csv
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from foreign_tables import TOPOLOGY

from nasbench_ws.cli import group
from nasbench_ws.errors import NasbenchError, TableError, UsageError
from nasbench_ws.space.registry import DEEPER64, NASBENCH201
from nasbench_ws.tables.outside import nasbench_macro as macro
from nasbench_ws.tables.outside.csv_file import Asked, from_csv
from nasbench_ws.tables.outside.nats import nats
from nasbench_ws.tables.outside.transnas import MICRO, transnas
from nasbench_ws.tables.table import Table, load, verify, write_table

RNG = np.random.default_rng(0)
ACCURACY = np.round(0.6 + 0.3 * RNG.random((len(TOPOLOGY), 3)), 4)


def refused(kind: type[NasbenchError], call: Any) -> str:
    with pytest.raises(kind) as caught:
        call()
    return str(caught.value)


def wide(path: Path, scale: float = 1.0, children: Any = range(27), extra: Any = ()) -> Path:
    with path.open("w", newline="") as file:
        write = csv.writer(file).writerow
        write(["child", "seed_0", "seed_1", "seed_2", "params"])
        for i in [*children, *extra]:
            write([TOPOLOGY[i].spec, *np.round(scale * ACCURACY[i], 6), 1000 + i])
    return path


def table_of(path: Path, **asked: Any) -> Table:
    """Written, checked and read again."""
    content = from_csv(path, TOPOLOGY, Asked(**asked), source="a test")
    target = path.with_suffix(".h5")
    write_table(target, content)
    assert verify(target) == []
    return load(target)


def test_columns_of_seeds_in_any_order(tmp_path: Path) -> None:
    table = table_of(wide(tmp_path / "a.csv", children=RNG.permutation(27)), params="params")
    np.testing.assert_allclose(table.by_seed("test_accuracy"), ACCURACY, atol=1e-12)
    assert table.column("params").tolist() == [1000 + i for i in range(27)]
    assert table.truth_name == "test_accuracy"


def test_a_line_for_each_seed(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    lines = [f"{TOPOLOGY[i].name},{seed},{100 * ACCURACY[i, seed]:.4f},7" for i in range(27) for seed in range(3)]
    path.write_text("\n".join(["arch,seed,accuracy,params", *reversed(lines)]))
    table = table_of(path, percent=True, columns=["accuracy"], params="params", truth="valid_accuracy")
    np.testing.assert_allclose(np.sort(table.by_seed("truth"), axis=1), np.sort(ACCURACY, axis=1), atol=1e-7)
    assert set(table.column("params").tolist()) == {7}


def test_losses_are_better_where_they_are_lower(tmp_path: Path) -> None:
    table = table_of(wide(tmp_path / "a.csv"), truth="valid_loss", columns=["seed_0"])
    np.testing.assert_array_equal(table.truth, -ACCURACY[:, 0])
    assert table.best("valid_loss")[0].index == int(np.argmin(ACCURACY[:, 0])) == int(np.argmax(table.truth))


def test_what_is_wrong_with_a_csv(tmp_path: Path) -> None:
    path = wide(tmp_path / "a.csv", children=range(20))
    listed = ", ".join(TOPOLOGY[i].name for i in range(20, 25))
    assert refused(TableError, lambda: table_of(path)) == (
        f"{path} has no line for 7 of the 27 children of small201 ({listed}, ...); add them, or give --partial for a "
        "table of those that it has"
    )
    assert table_of(path, partial=True).part.tolist() == list(range(20))
    path = wide(tmp_path / "b.csv", extra=[4])
    assert refused(TableError, lambda: table_of(path)) == (
        f"{path}, line 29: child {TOPOLOGY[4].name} is there twice; give each one line"
    )
    path = wide(tmp_path / "c.csv", scale=100)
    most = int(np.argmax(ACCURACY.max(axis=1)))
    assert refused(TableError, lambda: table_of(path)) == (
        f"{path} has accuracies up to {100 * ACCURACY.max():g} ({TOPOLOGY[most].name}), which look like percent; give "
        "--percent, or divide them by 100"
    )
    path = wide(tmp_path / "d.csv")
    assert refused(TableError, lambda: table_of(path, percent=True)) == (
        f"{path} has accuracies up to {ACCURACY.max():g}, which are no percent; leave out --percent"
    )
    path = wide(tmp_path / "e.csv", scale=-1)
    assert refused(TableError, lambda: table_of(path)) == (
        f"{path} has the test_accuracy {-ACCURACY.max():g}, which is none; if it is a loss, say so: --truth valid_loss"
    )
    one, both = tmp_path / "one.csv", tmp_path / "both.csv"
    lines = wide(one).read_text().splitlines()
    cells = lines[3].split(",")
    one.write_text("\n".join([*lines[:3], ",".join([cells[0], "81.5", *cells[2:]]), *lines[4:]]))
    both.write_text("\n".join([lines[0], *(
        ",".join([c[0], str(100 * float(c[1])), *c[2:]]) for c in (line.split(",") for line in lines[1:])
    )]))  # fmt: skip
    for odd, few, many, highest in (
        (one, 80, 1, f"81.5 ({TOPOLOGY[2].name})"),
        (both, 54, 27, f"{100 * ACCURACY[:, 0].max():g} ({TOPOLOGY[int(np.argmax(ACCURACY[:, 0]))].name})"),
    ):
        for percent in (False, True):
            assert refused(TableError, lambda odd=odd, percent=percent: table_of(odd, percent=percent)) == (
                f"{odd} has {few} accuracies of at most 1, as fractions are, and {many} above, up to {highest}, as "
                "percent; write all as fractions, or all as percent with --percent"
            )
    np.save(tmp_path / "f.npy", ACCURACY.T)
    assert refused(TableError, lambda: table_of(tmp_path / "f.npy")) == (
        f"{tmp_path / 'f.npy'} is an array that names no children, and benchmarks differ in their order; give a file "
        "with a column for the child, such as digits, a hash or the canonical string"
    )
    text = refused(TableError, lambda: table_of(path, params="seed_0", truth="valid_loss"))
    assert text == (
        f"{path} has seed_0 {-ACCURACY[0, 0]:g} for 111; give one whole number of 0 or more for each child"
    )
    path.write_text("child,seed_0\n111,nan\n112,0.5\n")
    assert refused(TableError, lambda: table_of(path, partial=True)) == (
        f"{path} has no number for 111; leave out its line, with --partial"
    )
    assert refused(UsageError, lambda: Asked("accuracy")).startswith("truth is 'accuracy' (did you mean ")


# -- NATS-Bench's CSV ------------------------------------------------------------------------------------------------


def natss(path: Path, children: Any, heading: str = "CIFAR10TestAccuracy200Epochs") -> Path:
    lines = [f"{80 + i % 7 / 2},{NASBENCH201[i].spec.partition(':')[2]}" for i in children]
    path.write_text("\n".join([f"{heading},ArchitectureString", *lines]))
    return path


def test_a_csv_of_nats_bench(tmp_path: Path) -> None:
    path = natss(tmp_path / "nats.csv", [5, 3, 15_624])
    table = Table(nats(path, "cifar10", partial=True))
    assert table.part.tolist() == [3, 5, 15_624]
    assert [table.query(i).test_accuracy.mean for i in (3, 5)] == pytest.approx([0.815, 0.825])
    assert table.epochs.tolist() == [200.0]
    assert refused(TableError, lambda: nats(path, "cifar10")).startswith(
        f"{path} has no line for 15622 of the 15625 children of nasbench201 (111111, 111112, 111113, 111115, 111122, "
    )
    assert refused(TableError, lambda: nats(path, "cifar100")) == (
        f"{path} has the columns CIFAR10TestAccuracy200Epochs, ArchitectureString, and none like "
        "CIFAR100TestAccuracy200Epochs; rename the one that is meant, or use `nasbench-ws import csv`"
    )


# -- NAS-Bench-Macro's JSON ------------------------------------------------------------------------------------------


def chains(change: Any = None) -> dict[str, Any]:
    data = {}
    for digits in itertools.product("012", repeat=8):
        key = "".join(digits)
        same = macro._first(int(key, 3))
        data[key] = {
            "test_acc": [90 + same % 10 / 10, 90.5, 91.25], "mean_acc": 90.5, "std": 0.1, "params": 1000 + same,
            "flops": 5000 + same,
        }  # fmt: skip
    if change is not None:
        change(data)
    return data


def written(path: Path, data: Any) -> Path:
    path.write_text(json.dumps(data))
    return path


def test_nas_bench_macro(tmp_path: Path) -> None:
    path = written(tmp_path / "macro.json", chains())
    write_table(tmp_path / "macro.h5", macro.nasbench_macro(path))
    assert verify(tmp_path / "macro.h5") == []
    table = load(tmp_path / "macro.h5")
    assert (len(table), len(np.unique(table.column("isomorph")))) == (6_561, 3_969)
    entry = table.query("11111123")  # their 00000012
    assert entry.spec.endswith("|identity~5|+|mb3_k3~6|+|mb6_k5~7|")
    assert entry.test_accuracy.values[1:] == pytest.approx((0.905, 0.9125))
    assert (entry.params, entry.macs) == (1005, 5005)
    # One identity among the last three blocks but the first: where it stands does not matter.
    assert table.column("isomorph")[table.query("11111131").index] == table.query("11111113").index


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("00000012"), "{} lacks 1 of the 6,561 architectures (00000012); fetch it whole, or give "
         "--partial for a table of those that it has"),
        (lambda d: d.update({"00000013": d["00000012"]}), "{} has the architecture '00000013', which is not eight "
         "digits from 0 to 2; give nas-bench-macro_cifar10.json of the repository xiusu/NAS-Bench-Macro"),
        (lambda d: d["00000012"].update(test_acc=["0.9"]), "{} has the test_acc ['0.9'] for 00000012; it is a list of "
         "accuracies of 0 or more; give nas-bench-macro_cifar10.json of the repository xiusu/NAS-Bench-Macro"),
        (lambda d: d["00000012"].update(test_acc=0.9), "{} has the test_acc 0.9 for 00000012; it is a list of "
         "accuracies of 0 or more; give nas-bench-macro_cifar10.json of the repository xiusu/NAS-Bench-Macro"),
        (lambda d: d["00000012"].update(params=None), "{} has the params None for 00000012; it is a number of 0 or "
         "more; give nas-bench-macro_cifar10.json of the repository xiusu/NAS-Bench-Macro"),
        (lambda d: d["00000012"].update(test_acc=[float("nan")]), "{} has the test_acc [nan] for 00000012; it is a "
         "list of accuracies of 0 or more; give nas-bench-macro_cifar10.json of the repository xiusu/NAS-Bench-Macro"),
        (lambda d: d["00000012"].pop("flops"), "{} has no test_acc, params and flops for 00000012; give "
         "nas-bench-macro_cifar10.json of the repository xiusu/NAS-Bench-Macro"),
    ],
    ids=["missing", "unknown", "a text", "one number", "no number", "NaN", "without numbers"],
)  # fmt: skip
def test_what_is_wrong_with_a_file_of_nas_bench_macro(change: Any, message: str, tmp_path: Path) -> None:
    path = written(tmp_path / "macro.json", chains(change))
    assert refused(TableError, lambda: macro.nasbench_macro(path)) == message.format(path)


def test_an_architecture_that_is_there_twice(tmp_path: Path) -> None:
    path = tmp_path / "macro.json"
    path.write_text('{"00000000": {"test_acc": [1]}, "00000000": {"test_acc": [1]}}')
    assert refused(TableError, lambda: macro.nasbench_macro(path)) == (
        f"{path} is not JSON of architectures: the key '00000000' stands in it twice; give it once; {macro.REMEDY}"
    )


# -- TransNAS-Bench-101 ----------------------------------------------------------------------------------------------


def official(index: int) -> str:
    digits = np.base_repr(index, 4).zfill(6)
    return f"64-41414-{digits[0]}_{digits[1:3]}_{digits[3:]}"


def test_transnas(tmp_path: Path) -> None:
    scores = {official(i): {"valid_top1": 50 + i % 11} for i in range(4096)}
    losses = {official(i): -0.5 - i / 4096 for i in range(4096)}
    path = written(tmp_path / "t.json", {"jigsaw": scores, "room_layout": losses})
    jigsaw, layout = Table(transnas(path, "jigsaw")), Table(transnas(path, "room_layout"))
    assert (len(jigsaw), jigsaw.truth_name, layout.truth_name) == (4096, "valid_accuracy", "valid_loss")
    child = jigsaw.query("234333")  # their 1_23_222
    assert (child.index, child.truth.mean) == (int("123222", 4), pytest.approx((50 + child.index % 11) / 100))
    assert child.spec == (
        "transnas_micro:|skip_connect~0|+|nor_conv_1x1~0|nor_conv_3x3~1|+|nor_conv_1x1~0|nor_conv_1x1~1|nor_conv_1x1~2|"
    )
    assert layout.truth[0] == pytest.approx(-0.5)
    assert layout.best("valid_loss")[0].index == 0 == int(np.argmax(layout.truth))
    assert MICRO[int("123222", 4)].name == "234333"


def test_what_is_wrong_with_a_file_of_transnas(tmp_path: Path) -> None:
    path = written(tmp_path / "t.json", {"(0, 1, 2, 3, 0, 1)": 0.5})
    assert refused(TableError, lambda: transnas(path, "jigsaw")) == (
        f"{path} has the architecture '(0, 1, 2, 3, 0, 1)', which is not written like 64-41414-1_02_333; other "
        "libraries number edges and operations otherwise: write the benchmark's own strings"
    )
    path = written(tmp_path / "t.json", {"64-41414-1_02_333": 0.5, "1_02_333": 0.5})
    assert refused(TableError, lambda: transnas(path, "jigsaw", partial=True)).endswith(
        "twice, the second time as '1_02_333'; give each once"
    )
    path = written(tmp_path / "t.json", {"1_02_333": {"valid_loss": 0.5}})
    assert refused(TableError, lambda: transnas(path, "jigsaw", partial=True)) == (
        f"{path} has valid_loss for 1_02_333, and no valid_top1; name one: --metric"
    )
    path = written(tmp_path / "t.json", {"jigsaw": {"1_02_333": 0.5}})
    assert refused(TableError, lambda: transnas(path, "normal")) == (
        f"{path} has the tasks jigsaw, and not normal; name one of these"
    )
    odd = written(tmp_path / "odd.json", {"jigsaw": [0.5, 0.6]})
    assert refused(TableError, lambda: transnas(odd, "jigsaw")) == (
        f'{odd} has no architectures under jigsaw; give JSON of {{"64-41414-1_02_333": number}} or {{task: {{...}}}}'
    )
    assert refused(TableError, lambda: transnas(path, "jigsaw")).startswith(
        f"{path} lacks 4095 of the 4,096 architectures (111111, 111112, "
    )


def test_the_command(tmp_path: Path) -> None:
    lines = [f"{child.name},{0.5 + child.index / 1000},{0.51 + child.index / 1000}" for child in DEEPER64]
    (tmp_path / "mine.csv").write_text("child,seed 0,seed 1\n" + "\n".join(lines))
    words = ["import", "csv", str(tmp_path / "mine.csv"), "-o", str(tmp_path / "mine.h5"), "--set", "fashion14"]
    result = CliRunner().invoke(group, words, catch_exceptions=False)
    table = load(tmp_path / "mine.h5")
    size = "64 children x 2 seeds x 1 epochs, deeper64"
    assert result.output == f"Table('mine.h5': {size}), truth test_accuracy, digest {table.digest}\n"
    assert table.content.attributes["source"] == "imported from mine.csv"
    for i, way in enumerate((["--csv", words[2]], [f"--csv={words[2]}"])):
        again = [words[0], "-o", str(tmp_path / f"{i}.h5"), *way, *words[5:]]
        assert CliRunner().invoke(group, again, catch_exceptions=False).exit_code == 0
        assert load(tmp_path / f"{i}.h5").digest == table.digest
    for more, text in (
        (["nats201", "x"], "there is no kind 'nats201' (did you mean nats or nasbench201?); it is one of csv, "
         "nasbench201, nats, nasbench-macro, transnas, before the file"),
        (["nats"], "nats needs its file; see `nasbench-ws import --help`"),
        (["csv"], "csv needs its file; see `nasbench-ws import --help`"),
    ):  # fmt: skip
        assert str(CliRunner().invoke(group, ["import", *more, "-o", str(tmp_path / "x.h5")]).exception) == text


def test_standard_input_is_read_once(tmp_path: Path) -> None:
    lines = ["child,seed_0,seed_1,params", *(f"{one.name},0.{one.name},0.5,{one.index}" for one in DEEPER64)]
    words = ["import", "csv", "-", "--params", "params", "-o", str(tmp_path / "t.h5")]
    done = CliRunner().invoke(group, words, input="\n".join(lines), catch_exceptions=False)
    assert done.exit_code == 0
    table = load(tmp_path / "t.h5")
    assert table.content.attributes["source"] == "imported from standard input"
    assert table.column("params").tolist() == list(range(64))
