"""Scores from anywhere, by the same yardstick; every refusal in full."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from scipy import stats

from nasbench_ws.cli import group
from nasbench_ws.errors import ArchitectureError, ResultError
from nasbench_ws.rankers.scores_file import read_columns, read_scores, turned
from nasbench_ws.space import Space
from nasbench_ws.tables.table import load

TABLE = load("fashion14")
SPACE = TABLE.space
RNG = np.random.default_rng(0)
ORDER = RNG.permutation(64)
SCORES = RNG.random(64).round(6)
NAMES = [child.name for child in SPACE]
FRAME = pd.DataFrame({"arch": NAMES, "score": SCORES}).iloc[ORDER]
WORSE = FRAME.assign(params=TABLE.column("params")[ORDER])
RENUMBERED = FRAME.reset_index(drop=True)


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)

    def write(rows, head=""):
        text = "\n".join([head, *(",".join(map(str, row)) for row in rows)])
        Path("mine.csv").write_text(text + "\n")
        return "mine.csv"

    return write


def npy(array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def npz(**arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def zipped(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("scores.csv", data)
    return buffer.getvalue()


def savetxt(**how) -> str:
    buffer = io.StringIO()
    np.savetxt(buffer, np.stack([[float(NAMES[i]) for i in ORDER], SCORES[ORDER]], axis=1), **how)
    return buffer.getvalue()


LINES = [f"{NAMES[i]},{SCORES[i]}" for i in ORDER]
WIDE = pd.DataFrame([SCORES, SCORES], columns=NAMES)
LONG = pd.concat([FRAME.assign(seed=seed) for seed in (3, 4)]).sample(frac=1, random_state=1)
ONE = {
    "index": RENUMBERED.to_csv(),
    "own index": FRAME.to_csv(),
    "no index": FRAME.to_csv(index=False),
    "arch as index": FRAME.set_index("arch").to_csv(),
    "series": FRAME.set_index("arch")["score"].to_csv(),
    "unnamed series": pd.Series(SCORES[ORDER], index=[NAMES[i] for i in ORDER]).to_csv(),
    "no names": pd.DataFrame(FRAME.to_numpy()).to_csv(index=False),
    "no names, index": pd.DataFrame(FRAME.to_numpy()).to_csv(),
    "in the table's order": pd.Series(SCORES).to_csv(),
    "table's order, shuffled": pd.Series(SCORES).iloc[ORDER].to_csv(),
    "reset index": FRAME.reset_index().to_csv(index=False),
    "params": WORSE.to_csv(),
    "params first": WORSE[["params", "score", "arch"]].to_csv(index=False),
    "seconds": FRAME.assign(train_seconds=1.5, note="fine").to_csv(index=False),
    "hash and name": FRAME.assign(hash=[SPACE[i].hash for i in ORDER]).to_csv(index=False),
    "spec": FRAME.assign(arch=[SPACE[i].spec for i in ORDER]).to_csv(),
    "index as child": FRAME.assign(arch=ORDER).to_csv(),
    "named model beside arch": FRAME.assign(model="synflow").to_csv(),
    "a name of its own": FRAME.rename(columns={"score": "synflow"}).to_csv(index=False),
    "an unknown word for children": FRAME.rename(columns={"arch": "nas"}).to_csv(index=False),
    "only params": FRAME.rename(columns={"score": "params"}).to_csv(index=False),
    "tabs": FRAME.to_csv(sep="\t"),
    "semicolons": FRAME.to_csv(sep=";", index=False),
    "decimal commas": FRAME.to_csv(sep=";", decimal=",", index=False),
    "decimal commas, no heading": FRAME.to_csv(sep=";", decimal=",", index=False, header=False),
    "blanks": "\n".join(line.replace(",", "   ") for line in LINES),
    "comments": "# proxy: synflow, run 3\n" + FRAME.to_csv(index=False),
    "comments, no heading": "# synflow, run 3\n" + "\n".join(LINES),
    "heading in a comment": "# arch,score,params\n" + WORSE.to_csv(index=False, header=False),
    "quoted": FRAME.to_csv(index=False, quoting=1),
    "CRLF": "arch,score\r\n" + "\r\n".join(LINES) + "\r\n",
    "comma behind": "\n".join(f"{line}," for line in LINES),
    "BOM": b"\xef\xbb\xbf" + "\n".join(LINES).encode(),
    "BOM and heading": b"\xef\xbb\xbf" + FRAME.to_csv(index=False).encode(),
    "UTF-16": FRAME.to_csv(sep="\t", index=False).encode("utf-16"),
    "capitals": FRAME.rename(columns=str.upper).to_csv(index=False),
    "a strategy called none": FRAME.rename(columns={"score": "none"}).to_csv(index=False),
    "json object": json.dumps(dict(zip(FRAME["arch"], FRAME["score"], strict=True))),
    "json records": RENUMBERED.to_json(orient="records"),
    "json lines": RENUMBERED.to_json(orient="records", lines=True),
    "json columns": RENUMBERED.to_json(),
    "json split": RENUMBERED.to_json(orient="split"),
    "json index": FRAME.set_index("arch").to_json(orient="index"),
    "json lists": json.dumps(FRAME.to_dict("list")),
    "json pairs": json.dumps(FRAME.to_numpy().tolist()),
    "json array": json.dumps(SCORES.tolist()),
    "npy": npy(SCORES),
    "npz": npz(scores=SCORES),
    "a spreadsheet's first line": "sep=;\r\n" + FRAME.to_csv(sep=";", index=False),
    "that line, quoted": '"sep=;"\n' + FRAME.to_csv(sep=";", index=False),
    "UTF-32": FRAME.to_csv(index=False).encode("utf-32"),
    "R's write.table": '"arch" "score"\n' + "".join(f'"{i}" {line}\n' for i, line in enumerate(
        (line.replace(",", " ") for line in LINES), start=1)),
    "R's row names": '"score"\n' + "\n".join(LINES),
    "json index of rows": RENUMBERED.to_json(orient="index"),
    "json table": RENUMBERED.to_json(orient="table"),
    "json table of a series": FRAME.set_index("arch")["score"].to_json(orient="table"),
    "json split of a series": FRAME.set_index("arch")["score"].to_json(orient="split"),
    **{f"lines numbered under {word!r}": RENUMBERED.to_csv(index_label=word) for word in ("idx", "no.", "rowid", "N")},
    "saved twice by pandas": pd.read_csv(io.StringIO(RENUMBERED.to_csv())).to_csv(),
    "json records under a word": json.dumps({"results": FRAME.to_dict("records")}),
    "json lines of pairs": "\n".join(map(json.dumps, FRAME.to_numpy().tolist())),
    "npy records": npy(FRAME.to_records(index=False).astype([("arch", "U3"), ("score", "f8")])),
}
TWO = {
    "numbers": "arch,0,1\n" + "\n".join(f"{line},{line.split(',')[1]}" for line in LINES),
    "seeds": FRAME.assign(seed_0=SCORES[ORDER], seed_1=SCORES[ORDER]).drop(columns="score").to_csv(),
    "scores": WORSE.assign(score_1=SCORES[ORDER], score_2=SCORES[ORDER]).drop(columns="score").to_csv(),
    "no heading": "\n".join(f"{line},{line.split(',')[1]}" for line in LINES),
    "long": LONG.to_csv(),
    "pandas' melt": pd.DataFrame({"arch": NAMES, "a": SCORES, "b": SCORES}).melt("arch").to_csv(index=False),
    "children across": WIDE.to_csv(),
    "children across, no index": WIDE.to_csv(index=False),
    "indices across": pd.DataFrame([SCORES, SCORES]).to_csv(),
    "json": json.dumps({name: [score, score] for name, score in zip(NAMES, SCORES, strict=True)}),
    "json array": json.dumps([SCORES.tolist()] * 2),
    "like a result": json.dumps({"children": [c.hash for c in SPACE], "scores": [SCORES.tolist()] * 2, "x": 1}),
    "npy": npy(np.stack([SCORES, SCORES])),
}


@pytest.mark.parametrize("kind", ONE)
def test_a_score_is_read_by_the_childs_name_whatever_the_file(tmp_path, kind):
    path = tmp_path / "x.dat"
    path.write_bytes(ONE[kind] if isinstance(ONE[kind], bytes) else ONE[kind].encode())
    assert np.array_equal(read_scores(path, SPACE), SCORES[None])


@pytest.mark.parametrize("kind", TWO)
def test_instances_are_columns_or_rows_of_a_seed(tmp_path, kind):
    path = tmp_path / "x.dat"
    path.write_bytes(TWO[kind] if isinstance(TWO[kind], bytes) else TWO[kind].encode())
    assert np.array_equal(read_scores(path, SPACE), np.stack([SCORES, SCORES]))


class Rows:
    """A frame as polars has them."""

    def to_dicts(self):
        return FRAME.to_dict("records")


def test_frames_and_mappings_and_arrays():
    for given in (
        FRAME, RENUMBERED, FRAME.set_index("arch"), FRAME.set_index("arch")["score"], WORSE, SCORES, SCORES.tolist(),
        dict(zip(FRAME["arch"], FRAME["score"], strict=True)), dict(zip(SPACE, SCORES, strict=True)), SCORES[None],
    ):  # fmt: skip
        assert np.array_equal(read_scores(given, SPACE), SCORES[None])
    masked = np.ma.array(SCORES, mask=np.arange(64) == 5)
    assert np.isnan(read_scores(masked, SPACE)[0]).tolist() == (np.arange(64) == 5).tolist()
    assert np.array_equal(read_scores(torch.tensor(SCORES), SPACE), SCORES[None])
    whole = {name: torch.tensor(score) for name, score in zip(NAMES, SCORES, strict=True)}
    assert np.array_equal(read_scores(whole, SPACE), SCORES[None])
    assert np.array_equal(read_scores(Rows(), SPACE), SCORES[None])
    assert np.array_equal(read_scores(FRAME, SPACE, lower_is_better=True), -SCORES[None])


def test_an_evaluations_own_frame_is_read(make):
    result = make()
    assert np.array_equal(read_scores(result.to_frame(), SPACE), result.scores)


def test_what_is_left_out_is_said():
    found = read_columns(WORSE, SPACE)
    assert (found.columns, found.left_out) == (("score",), ("params",))
    found = read_columns(WORSE, SPACE, ["params"])
    assert (found.columns, found.left_out) == (("params",), ("score",))
    assert np.array_equal(found.values[0], TABLE.column("params"))
    assert read_columns(LONG, SPACE).columns == ("score (seed 3)", "score (seed 4)") or read_columns(
        LONG, SPACE
    ).columns == ("score (seed 4)", "score (seed 3)")


def test_a_space_of_two_children(tmp_path):
    two = Space("two", 1, ("max_pool_3x3", "sep_conv_3x3"))
    for text in ("2,0.9\n1,0.1\n", "arch,score\n2,.9\n1,.1\n", ",arch,score\n0,2,.9\n1,1,.1\n", '{"2":0.9,"1":0.1}'):
        (tmp_path / "x").write_text(text)
        assert read_scores(tmp_path / "x", two).tolist() == [[0.1, 0.9]]


def test_missing_words_are_nan(write):
    for word in ("nan", "NaN", "NA", "", "null"):
        rows = [(e.name, word if i == 3 else i) for i, e in enumerate(TABLE)]
        expected = np.where(np.arange(64) == 3, np.nan, np.arange(64))[None]
        assert np.array_equal(read_scores(write(rows, "arch,score"), SPACE), expected, equal_nan=True)
    for frame in (
        FRAME.assign(score=FRAME["score"].where(FRAME["arch"] != "114")),
        FRAME.assign(score=FRAME["score"].astype("Float64").where(FRAME["arch"] != "114")),
        FRAME.assign(seed_0=SCORES[ORDER], score=np.nan).rename(columns={"score": "seed_1"}),
    ):
        for index in (True, False):  # pandas leaves the cell empty
            Path("mine.csv").write_text(frame.to_csv(index=index))
            expected = np.where(np.arange(64) == 3, np.nan, SCORES)[None]
            if "seed_0" in frame:
                expected = np.stack([np.full(64, np.nan), SCORES])
            for given in ("mine.csv", frame):
                assert np.array_equal(read_scores(given, SPACE), expected, equal_nan=True)


AMBIGUOUS = "mine.csv has the columns {}, and more than one could be the score; name those to read, one for each " \
    "instance: --column {}"  # fmt: skip


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (FRAME.assign(other=1.0), AMBIGUOUS.format("score, other", "score")),
        (FRAME.assign(top1=1.0, top5=2.0), AMBIGUOUS.format("score, top1, top5", "score")),
        (FRAME.assign(top5=2.0).rename(columns={"score": "top1"}), AMBIGUOUS.format("top1, top5", "top1")),
        (FRAME.assign(e2=2.0).rename(columns={"score": "e1"}), AMBIGUOUS.format("e1, e2", "e1")),
        (
            WORSE.rename(columns={"score": "macs"}),
            AMBIGUOUS.format("macs, params", "macs"),
        ),
        (
            FRAME.rename(columns={"arch": "a", "score": "b"}).assign(c=NAMES),
            "mine.csv has the columns 'a', 'b', 'c', and none is known to name the children; call that one 'child'",
        ),
        (
            FRAME.assign(hash=[SPACE[i].hash for i in range(64)]),
            f"mine.csv, line 2: arch {NAMES[ORDER[0]]} and hash {SPACE[0].hash} are two children; leave out the wrong "
            "column",
        ),
        (
            FRAME.assign(score="good"),
            "mine.csv has the columns arch, score, and no score in any (line 2 has 'good'); write a child and a number "
            "for each instance, as 434,0.83",
        ),
        (
            FRAME.assign(x=1).rename(columns={"x": "score"}),
            "mine.csv has two columns 'score'; give each a name of its own",
        ),
    ],
    ids=["other", "tops", "two tops", "epochs", "costs", "children", "two children", "words", "twice"],
)  # fmt: skip
def test_what_can_be_meant_in_two_ways_is_refused(write, frame, text):
    frame.to_csv("mine.csv", index=False)
    with pytest.raises(ResultError) as caught:
        read_scores("mine.csv", SPACE)
    assert str(caught.value) == text


def test_lines_that_are_numbered_are_refused_without_a_heading(write):
    RENUMBERED.to_csv("mine.csv", header=False)
    with pytest.raises(ResultError) as caught:
        read_scores("mine.csv", SPACE)
    assert str(caught.value) == (
        "mine.csv numbers its lines in its first column, and a further column names children too; write a heading "
        "whose word for the children is 'child'"
    )


THOUSANDS = "mine.csv has {} and {} in one column{}, which may be thousands or decimals; write no marks between " \
    "thousands, and as many decimals in each"  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (
            [f"{name},0,{8000 + i}" for i, name in enumerate(NAMES)],
            "mine.csv has whole numbers alone, and no heading: 0,8000 may be two scores, or one with a decimal comma; "
            "write a heading, as child,0,1, or decimal points",
        ),
        (
            ["arch,score", *(f"{name},0,{8000 + i}" for i, name in enumerate(NAMES))],
            "mine.csv, line 2 has 3 cells, and the heading 2 (arch, score); give each line as many",
        ),
        (["arch;params", *(f"{e.name};{e.params:,}" for e in TABLE)], THOUSANDS.format("1,394", "578", " (params)")),
        ([f"{e.name}\t{e.params:,}".replace(",", ".") for e in TABLE], THOUSANDS.format("1.394", "578", "")),
        (
            ["arch,score", *(f'{name},"{i},5"' for i, name in enumerate(NAMES))],
            "mine.csv has the columns arch, score, and no score in any (line 2 has '0,5'); write a child and a number "
            "for each instance, as 434,0.83",
        ),
        (
            [f"{name}|0.5" for name in NAMES],
            "mine.csv, line 2: '112|0.5' is one cell; write a child and a number for each instance, with commas, "
            "semicolons, tabs or blanks between them, as 434,0.83",
        ),
    ],
    ids=["decimal comma", "decimal comma, heading", "thousands", "German thousands", "quoted", "bars"],
)  # fmt: skip
def test_numbers_of_other_countries(write, rows, text):
    Path("mine.csv").write_text("\n".join(rows))
    with pytest.raises(ResultError) as caught:
        read_scores("mine.csv", SPACE)
    assert str(caught.value) == text


def test_whole_numbers_with_a_heading_are_two_instances(write):
    rows = [(name, i, 63 - i) for i, name in enumerate(NAMES)]
    assert read_scores(write(rows, "child,0,1"), SPACE).tolist() == [[*range(64)], [*range(63, -1, -1)]]
    odd = [(name, i, i, i) for i, name in enumerate(NAMES)]
    assert read_scores(write(odd), SPACE).tolist() == [[*range(64)]] * 3


def test_columns_that_are_not_there(write):
    path = write(FRAME.to_numpy(), "arch,score")
    with pytest.raises(ResultError) as caught:
        read_scores(path, SPACE, ["scores"])
    assert str(caught.value) == "mine.csv has no column 'scores' of numbers (did you mean score?); it has score"
    with pytest.raises(ResultError) as caught:
        read_scores(write(FRAME.to_numpy()), SPACE, ["score"])
    assert str(caught.value) == "mine.csv has no heading to find a column 'score' in; write one"
    with pytest.raises(ResultError) as caught:
        read_scores(write(FRAME.to_numpy(), "arch,score"), SPACE, ["score", "score"])
    assert str(caught.value) == "mine.csv: the column 'score' is asked for twice; it is one instance"


def test_numbers_that_would_tie_are_refused(write):
    rows = [(name, 2**53 + i) for i, name in enumerate(NAMES)]
    with pytest.raises(ResultError, match=r"line 3: 9007199254740993.0 has more digits"):
        read_scores(write([(name, f"{number}.0") for name, number in rows]), SPACE)
    with pytest.raises(ResultError, match="entry 2: 9007199254740993 has more digits"):
        read_scores(dict(rows), SPACE)
    with pytest.raises(ResultError) as caught:
        read_scores(write(rows), SPACE)
    assert str(caught.value) == (
        "mine.csv, line 3: 9007199254740993 has more digits than a 64-bit float keeps, and scores that differ would "
        "tie; divide them, or give ranks"
    )


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b'{"111": 1, "111": 2}', "the key '111' stands in it twice; give it once"),
        (npy(np.zeros((3, 5))), "an array of 3 x 5 numbers without names"),
        (npy(np.zeros((64, 3))), "an array of 64 x 3 numbers without names"),
        (npy(np.array(["a"])), "an array (1,) of <U1 has no scores by instance and child"),
        (npz(a=SCORES, b=SCORES), "it holds the arrays a, b, and one is wanted"),
        (b"\x1f\x8b\x08\x00", "it is compressed by gzip: unpack it first; give a CSV"),
        (b"PAR1\x15\x04", "it is a Parquet file: save it as CSV, as pandas.read_parquet(FILE).to_csv(OTHER) does;"),
        (b"\x89HDF\r\n", "it is an HDF5 file: save its scores as CSV; give"),
        (b"\x80\x05\x95", "it is perhaps a pickle, which would run as code: save it as CSV; give"),
        (b"arch,\xfcber\n", "it is no text in UTF-8 (byte 0xfc at 5): save it so; give"),
        ("111,1".encode("utf-16-le"), "it has zero bytes, as UTF-16 without a mark at its beginning has: save it as"),
        (b'{"111": 1e999}', "entry 1: 'inf' is no score"),
        (b'{"111": 1e999, "scores": "x"}', "has no child 'scores'"),
        (b"PK\x03\x04 a spreadsheet", "it is an archive (zipped, or a spreadsheet), not a file of rows: unpack it, or"),
        (zipped(b"111,1\n" * 64), "it is an archive (zipped, or a spreadsheet), not a file of rows: unpack it, or"),
        (b'{"scores": [[1, 2]], "children": ["111"]}', "'scores' are not one for each of its 1 'children'"),
        (b'["111", "112"]', "a list of str has no scores by child"),
        (b"[" * 100_000, "recursion"),
        (FRAME.to_html().encode(), "it is HTML or XML: save its scores as CSV; give"),
        (b"| arch | score |\n|---|---|\n| 111 | 1 |", "it is a table of Markdown: save it as CSV; give"),
        (b"111: 0.5\n112: 0.6", "line 1: '111:' describes no child of deeper64; a canonical string reads deeper64:|"),
    ],
)
def test_files_of_other_kinds(tmp_path, data, text):
    path = tmp_path / "x.dat"
    path.write_bytes(data)
    with pytest.raises((ResultError, ArchitectureError)) as caught:
        read_scores(path, SPACE)
    assert str(path) in str(caught.value)
    assert text in str(caught.value)


LEVELS = pd.DataFrame({("acc", "s0"): SCORES[ORDER], ("acc", "s1"): SCORES[ORDER]}, index=FRAME["arch"])


def test_a_frame_whose_columns_have_two_levels():
    np.testing.assert_array_equal(read_scores(LEVELS, SPACE), [SCORES, SCORES])
    np.testing.assert_array_equal(read_scores(LEVELS.reset_index(), SPACE), [SCORES, SCORES])
    wide = LONG.pivot(index="arch", columns="seed", values=["score"])
    assert read_columns(wide, SPACE).columns == ("score_3", "score_4")
    np.testing.assert_array_equal(read_scores(wide, SPACE), [SCORES, SCORES])
    with pytest.raises(ResultError) as caught:
        read_scores(FRAME.groupby("arch").agg({"score": ["mean", "std"]}), SPACE)
    assert str(caught.value) == AMBIGUOUS.format("score_mean, score_std", "score_mean").replace(
        "mine.csv", "the DataFrame"
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (LEVELS.to_csv(), ", s0, s1"),
        (LEVELS.reset_index().to_csv(index=False), ", s0, s1"),
        (LONG.pivot(index="arch", columns="seed", values=["score"]).to_csv(), "seed, 3, 4"),
        (FRAME.groupby("arch").agg(["mean"]).to_csv(), ", mean"),
        ("my scores\n" + FRAME.to_csv(index=False), "arch, score"),
    ],
    ids=["levels", "levels, no index", "pivoted", "aggregated", "a title"],
)
def test_a_heading_of_more_lines_is_named(tmp_path, text, line):
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(ResultError) as caught:
        read_scores(tmp_path / "x.csv", SPACE)
    assert str(caught.value) == (
        f"{tmp_path / 'x.csv'} has a heading of more than one line: line 2 ({line}) names no child and has words; "
        "write one line, with a name for each column"
    )


def test_arrays_that_name_their_children_are_read_by_name():
    """Of xarray, whose arrays are read by place where numpy alone is asked."""
    labelled = FRAME.set_index("arch").to_xarray()
    np.testing.assert_array_equal(read_scores(labelled["score"], SPACE), [SCORES])
    np.testing.assert_array_equal(read_scores(labelled, SPACE), [SCORES])
    unlabelled = labelled["score"].sortby("arch").drop_vars("arch")
    np.testing.assert_array_equal(read_scores(unlabelled, SPACE), [SCORES])
    by_seed = LONG.set_index(["seed", "arch"])["score"].to_xarray()
    np.testing.assert_array_equal(read_scores(by_seed, SPACE), [SCORES, SCORES])


def test_children_themselves_name_children_of_their_own_space():
    """Of a space with operations in another order, the same network is meant, and not the same digits."""
    turned_round = Space(SPACE.name, SPACE.nodes, SPACE.operations[::-1])
    others = {turned_round.architecture(child.spec): score for child, score in zip(SPACE, SCORES, strict=True)}
    assert [child.name for child in others][:2] == ["444", "443"]
    frame = pd.DataFrame({"arch": list(others), "score": list(others.values())})
    for given in (others, frame, frame.set_index("arch"), frame.set_index("arch")["score"]):
        np.testing.assert_array_equal(read_scores(given, SPACE), [SCORES])
    np.testing.assert_array_equal(read_scores({TABLE[i]: SCORES[i] for i in ORDER}, SPACE), [SCORES])


def test_arrays_of_objects_are_read_as_lists_are():
    np.testing.assert_array_equal(read_scores(SCORES.astype(object), SPACE), [SCORES])
    np.testing.assert_array_equal(read_scores(FRAME.to_numpy(), SPACE), [SCORES])
    lacks = [None, *SCORES[1:]]
    np.testing.assert_array_equal(read_scores(np.array(lacks), SPACE), [[np.nan, *SCORES[1:]]])
    with pytest.raises(ResultError) as caught:
        read_scores([2**70 + i for i in range(64)], SPACE)
    assert str(caught.value) == (
        f"the list, entry 1: {2**70 + 1} has more digits than a 64-bit float keeps, and scores that differ would tie; "
        "divide them, or give ranks"
    )
    pairs = np.array([(name, [1, 2]) for name in NAMES], dtype=[("arch", "U3"), ("score", "f8", (2,))])
    with pytest.raises(ResultError, match=r"no score in any \(entry 1 has '\[1\. 2\.\]'\)"):
        read_scores(pairs, SPACE)


@pytest.mark.parametrize("given", [None, 3, {1}, b"111"], ids=["none", "int", "set", "bytes"])
def test_what_is_no_source_is_refused(given):
    with pytest.raises(ResultError) as caught:
        read_scores(given, SPACE)
    name = type(given).__name__
    assert str(caught.value) == f"the {name} holds no scores by child; give a path, a frame, a mapping or an array"


def test_what_is_no_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, what in ((tmp_path / "pipe", "a device or a pipe"), ("/dev/zero", "a device or a pipe"),
                       (tmp_path, "a folder")):  # fmt: skip
        with pytest.raises(ResultError) as caught:
            read_scores(path, SPACE)
        text = f"{path} is {what}, not a file; give a CSV, JSON or .npy file with a line for each child"
        assert str(caught.value) == text


def test_a_sign_that_looks_turned(write, quick):
    assert turned(TABLE.truth, TABLE.truth) is None
    assert turned(-np.stack([TABLE.truth] * 2), TABLE.truth) == (
        "GT-Tau is -1.00: higher scores go to worse children; if lower is better, give --lower-is-better"
    )
    assert turned(-TABLE.truth, TABLE.truth, lower_is_better=True) == (
        "GT-Tau is -1.00: higher scores go to worse children; if higher is better, leave out --lower-is-better"
    )
    assert turned(np.stack([np.full(64, np.nan), np.ones(64), TABLE.truth, -TABLE.truth]), TABLE.truth) == (
        "GT-Tau of instance 3 of 0 to 3 is -1.00: higher scores go to worse children there; if lower is better in it "
        "alone, turn its sign"
    )
    path = write([(e.name, -e.test_accuracy.mean) for e in TABLE])
    result = CliRunner().invoke(group, ["assess", path, "--json"], catch_exceptions=False)
    assert "Warning: mine.csv: GT-Tau is -1.00" in result.stderr
    assert json.loads(result.stdout)["columns"] == [""]
    result = CliRunner().invoke(group, ["assess", path, "--lower-is-better"], catch_exceptions=False)
    assert result.stdout.startswith("mine.csv on fashion14: 1 instance\n\nGT-Tau 1.00 ")
    assert result.stderr == ""


def test_the_command_says_what_it_read(write, quick):
    WORSE.to_csv("mine.csv")
    result = CliRunner().invoke(group, ["assess", "mine.csv"], catch_exceptions=False)
    assert result.stderr == "read: score; left out: params\n"
    result = CliRunner().invoke(group, ["assess", "-", "--column", "params"], input=WORSE.to_csv())
    assert result.stdout.startswith("standard input on fashion14: 1 instance\n")
    assert result.stderr == "read: params; left out: score\n"


def test_the_command_says_what_has_no_score_and_what_sounds_turned(write, quick):
    Path("mine.csv").write_text(FRAME.assign(score=FRAME["score"].where(FRAME["arch"] != "114")).to_csv())
    result = CliRunner().invoke(group, ["assess", "mine.csv", "--json"], catch_exceptions=False)
    assert result.stderr == "no score for 1 of 64 children (114): ranked last\n"
    assert json.loads(result.stdout)["without_score"] == ["114"]
    path = write(FRAME.to_numpy(), "arch,valid_loss")
    result = CliRunner().invoke(group, ["assess", path], catch_exceptions=False)
    assert result.stderr == (
        "Warning: mine.csv: higher was taken for better, and 'valid_loss' sounds as if lower were: if so, give "
        "--lower-is-better\n"
    )
    assert CliRunner().invoke(group, ["assess", path, "--lower-is-better"]).stderr == ""


def test_any_order_and_any_name_give_the_tables_order(write):
    rng = np.random.default_rng(0)
    expected = rng.random((2, 64))
    names = [rng.choice([e.name, e.hash, e.architecture.spec, e.hash[:12]]) for e in TABLE]
    rows = [(name, *expected[:, i]) for i, name in enumerate(names)]
    shuffled = [rows[i] for i in rng.permutation(64)]
    for head in ("", "child,score1,score2"):
        assert np.array_equal(read_scores(write(shuffled, head), SPACE), expected)


def test_the_command_measures_it(write, quick):
    path = write([(e.name, e.params + i / 100, "nan" if i == 3 else i) for i, e in enumerate(TABLE)])
    result = CliRunner().invoke(group, ["assess", path, "--json"], catch_exceptions=False)
    found = json.loads(result.stdout)
    params = TABLE.column("params") + np.arange(64) / 100
    tau = stats.kendalltau(params, TABLE.truth).statistic
    assert found["metrics"]["kendall_tau"]["values"][0] == pytest.approx(tau, abs=1e-12)
    last = np.where(np.arange(64) == 3, -1, np.arange(64))
    assert found["metrics"]["kendall_tau"]["values"][1] == pytest.approx(stats.kendalltau(last, TABLE.truth).statistic)
    text = CliRunner().invoke(group, ["assess", path], catch_exceptions=False).stdout
    assert text.startswith("mine.csv on fashion14: 2 instances\n\nGT-Tau ")
    assert max(map(len, text.splitlines())) <= 80


WHOLE = [(e.name, 0.5) for e in TABLE]


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (
            WHOLE[:-6],
            "mine.csv has no score for 6 of 64 children (433, 434, 441, 442, 443, ...); a ranking needs all of them: "
            "write nan for one that diverged",
        ),
        ([*WHOLE, WHOLE[0]], "mine.csv, line 66: child 111 is there twice; give each one line"),
        (
            [*WHOLE[:2], ("113", "high"), *WHOLE[3:]],
            "mine.csv, line 4: 'high' is no score; write a child and a number for each instance, as 434,0.83",
        ),
        (
            [*WHOLE[:2], ("113", "inf"), *WHOLE[3:]],
            "mine.csv, line 4: 'inf' is no score; write a child and a number for each instance, as 434,0.83",
        ),
        ([("111", 0.1, 0.2), *WHOLE[1:]], "mine.csv has children with 1 and with 2 scores; give each as many"),
    ],
    ids=["absent", "twice", "word", "infinite", "ragged"],
)
def test_what_is_no_ranking(write, rows, text):
    with pytest.raises(ResultError) as caught:
        read_scores(write(rows), SPACE)
    assert str(caught.value) == text


def test_files_that_cannot_be_read(write, tmp_path):
    with pytest.raises(ResultError) as caught:
        read_scores("gone.csv", SPACE)
    text = "gone.csv cannot be read: No such file or directory; give a CSV, JSON or .npy file with a line for each"
    assert str(caught.value) == f"{text} child"
    Path("bytes.csv").write_bytes(b"\x80\xfe\x00")
    with pytest.raises(ResultError, match=r"bytes\.csv cannot be read: it is perhaps a pickle"):
        read_scores("bytes.csv", SPACE)
    with pytest.raises(ArchitectureError):
        read_scores(write([("999", 0.5)]), SPACE)
    Path("empty.csv").write_text("")
    with pytest.raises(ResultError, match=r"empty\.csv has no score for 64 of 64 children"):
        read_scores("empty.csv", SPACE)


def test_standard_input_that_is_closed_or_has_a_heading_alone(monkeypatch, tmp_path):
    (tmp_path / "x").write_text("x\n")
    with pytest.raises(ResultError) as caught:
        read_scores(tmp_path / "x", SPACE)
    assert str(caught.value) == (
        f"{tmp_path / 'x'} has the columns x, and no score in any; write a child and a number for each instance, as "
        "434,0.83"
    )
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(ResultError) as caught:
        read_scores("-", SPACE)
    assert str(caught.value) == (
        "standard input is closed; give a CSV, JSON or .npy file with a line for each child"
    )


@pytest.mark.parametrize(
    "text",
    [
        savetxt(),
        savetxt(header="arch score"),
        FRAME.assign(arch=FRAME.arch.astype(float)).to_csv(index=False),
        "".join(f"{float(NAMES[i]):.2E};{str(SCORES[i]).replace('.', ',')}\n" for i in ORDER),
    ],
    ids=["savetxt", "savetxt with a heading", "a float column", "a spreadsheet's"],
)
def test_digits_that_were_written_as_floats_are_children_still(tmp_path, text):
    (tmp_path / "x.csv").write_text(text)
    np.testing.assert_array_equal(read_scores(tmp_path / "x.csv", SPACE), [SCORES])


@pytest.mark.parametrize("name", ["3e+02", "341.5", "11.0", "1.1e+01", "3.4e+02", "1.110e+300"])
def test_floats_that_may_have_lost_a_digit_or_are_an_index_are_no_children(write, name):
    rows = [(name if child == "341" else child, score) for child, score in zip(NAMES, SCORES, strict=True)]
    with pytest.raises(ArchitectureError, match="has no child"):
        read_scores(write(rows), SPACE)


def test_percent_signs(write):
    """All of a column, or none."""
    signed = [(name, f"{100 * score:.4f}%") for name, score in zip(NAMES, SCORES, strict=True)]
    np.testing.assert_allclose(read_scores(write(signed), SPACE), [SCORES], rtol=1e-12)
    signed[3] = NAMES[3], "nan"
    assert np.isnan(read_scores(write(signed, "arch,acc"), SPACE)[0, 3])
    signed[3] = NAMES[3], "87.5"
    with pytest.raises(ResultError) as caught:
        read_scores(write(signed, "arch,acc"), SPACE)
    assert str(caught.value) == (
        f"mine.csv has {signed[0][1]} and 87.5 in one column (acc); write all with the sign, or none"
    )
    signed[3] = NAMES[3], "nan%"
    with pytest.raises(ResultError, match="'nan%' is no score"):
        read_scores(write(signed, "arch,acc"), SPACE)
