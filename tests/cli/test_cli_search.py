"""`search` and `export` from the command line: whole answers, files, refusals."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from foreign_tables import small

from nasbench_ws.cli import group
from nasbench_ws.search import SearchResult
from nasbench_ws.tables.table import write_table

FEW = ["--repetitions", "20", "--budget", "12", "--workers", "1"]


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(group, list(words))


def test_the_answer_the_page_and_the_files(run, tmp_path):
    done = run("search", "re", "pnas", *FEW, "--out", "kept", "-o", "page.html")
    assert done.exit_code == 0, done.output
    assert "fashion14: 20 repetitions, budget 12 full trainings (12 of a mean child's)" in done.stdout
    assert "Better than random-without:" in done.stdout
    page = Path("page.html").read_text()
    assert "Regret against cost" in page
    assert {p.name for p in Path("kept").iterdir()} == {"re.npz", "pnas.npz", "random-without.npz"}
    before = SearchResult.load("kept/re.npz")
    again = run("search", "re", "pnas", *FEW, "--out", "kept")
    assert again.stdout.splitlines()[:6] == done.stdout.splitlines()[:6]
    assert SearchResult.load("kept/re.npz").same(before)


def test_json_is_one_document(run):
    done = run("search", "re", *FEW, "--json", "--unit", "macs", "--budget", "1e13")
    data = json.loads(done.stdout)
    assert data["baseline"] == "random-without"
    assert data["rules"]["unit"] == "macs"
    (row,) = data["searchers"]
    assert row["name"] == "re"
    assert row["anytime"].keys() == {"mean", "low", "high"}
    assert row["final_verdict"] in ("better", "worse", "not distinguishable")


def test_a_super_net_as_the_source(run):
    import nasbench_ws.data

    path = Path(next(iter(nasbench_ws.data.__path__))) / "results" / "shuffle.json"
    done = run(
        "search", "spos", *FEW[:2], "--workers", "1", "--source", str(path), "--unit", "macs", "--budget", "1e12"
    )
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("full on fashion14: 20 repetitions")


def test_the_list_and_what_is_refused(run):
    listed = run("search", "--list")
    assert "re[:P[:S]]" in listed.stdout
    assert "nasbench-ws search my.py:Mine" in listed.stdout
    nothing = run("search")
    assert str(nothing.exception) == ("no searcher is named; give one or more, such as re bayes; `--list` has them all")
    wrong = run("search", "rex", *FEW)
    assert str(wrong.exception).startswith("unknown searcher 'rex' (did you mean re")


@pytest.mark.parametrize(("kind", "start"), [("csv", b"name,O01"), ("configspace", b"{"), ("syne-tune", b"PK")])
def test_exports(run, kind, start):
    done = run("export", "-o", "file", "--to", kind)
    assert done.exit_code == 0
    assert Path("file").read_bytes().startswith(start)
    assert done.stdout.startswith("file: ")


def test_several_tables_are_one_page(run, tmp_path):
    write_table(tmp_path / "theirs.h5", small().content)
    words = ["search", "re", "random", *FEW, "--also", "theirs.h5", "--keep", "kept", "-o", "page.html"]
    done = run(*words)
    assert done.exit_code == 0, done.output
    assert done.stdout.index("fashion14: 20 repetitions") < done.stdout.index("theirs.h5: 20 repetitions")
    page = Path("page.html").read_text()
    assert page.index("On every table") < page.index("fashion14: Verdict") < page.index("theirs.h5: Verdict")
    assert "Validation accuracy of the best child" in page
    assert "Test accuracy of the best child" in page
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids)) > 0
    assert {p.name for p in Path("kept").iterdir()} == {"re.npz", "random.npz", "random-without.npz", "theirs.h5"}
    data = json.loads(run("search", "re", *FEW, "--also", "theirs.h5", "--json").stdout)
    assert [one["table"]["name"] for one in data["tables"]] == ["fashion14", "theirs.h5"]
    assert str(run("search", "re", "--source", "x.json", "--also", "theirs.h5").exception) == (
        "--source is a super-net on one table; leave out --also"
    )
