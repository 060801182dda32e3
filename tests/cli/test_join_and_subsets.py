"""assess among some children, and join: both by the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from scipy import stats

from nasbench_ws.cli import group
from nasbench_ws.errors import NasbenchError, ResultError, UsageError
from nasbench_ws.results.truth import Among
from nasbench_ws.results.yardstick import ceilings
from nasbench_ws.tables.columns import CURVES, MISSING, Content
from nasbench_ws.tables.table import load, write_table

TABLE = load("fashion14")


def run(*words: str) -> Result:
    return CliRunner().invoke(group, [*words], catch_exceptions=False)


@pytest.fixture
def scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: None) -> np.ndarray:
    monkeypatch.chdir(tmp_path)
    values = np.random.default_rng(0).random(64)
    Path("mine.csv").write_text("\n".join(f"{e.name},{values[e.index]}" for e in TABLE))
    return values


def test_the_best_children_are_measured_among_themselves(scores: np.ndarray) -> None:
    found = json.loads(run("assess", "mine.csv", "--top", "0.25", "--json").stdout)
    best = np.argsort(-TABLE.truth, kind="stable")[:16]
    tau = stats.kendalltau(scores[best], TABLE.truth[best]).statistic
    assert found["metrics"]["kendall_tau"]["mean"] == pytest.approx(tau, abs=1e-12)
    assert found["ceiling"]["all"]["children"] == 16
    theirs = ceilings(TABLE.by_seed("test_accuracy")[np.sort(best)])
    assert found["ceiling"]["all"]["held_out"]["mean"] == theirs.all.held_out.mean
    text = run("assess", "mine.csv", "--top", "0.25").stdout
    assert text.startswith("mine.csv on 16 of 64 children of fashion14: 1 instance\n")


def test_named_children_need_scores_and_no_others_do(scores: np.ndarray) -> None:
    names = [e.name for e in TABLE][3:40:4]
    Path("some.csv").write_text("\n".join(f"{name},{scores[TABLE.query(name).index]}" for name in names))
    Path("names.txt").write_text("\n".join(names))
    places = [TABLE.query(name).index for name in names]
    tau = stats.kendalltau(scores[places], TABLE.truth[places]).statistic
    for children in (",".join(names), "names.txt"):
        for file in ("some.csv", "mine.csv"):
            found = json.loads(run("assess", file, "--children", children, "--json").stdout)
            assert found["metrics"]["kendall_tau"]["mean"] == pytest.approx(tau, abs=1e-12)
    with pytest.raises(ResultError) as caught:
        run("assess", "some.csv", "--children", ",".join([*names, "444", "443"]))
    assert str(caught.value) == "some.csv has no score for 2 of these 12 children (443, 444); add them"


def test_what_makes_no_subset(scores: np.ndarray) -> None:
    for words, text in (
        (["--top", "0"], "the top 0 of the children: give a part in (0, 1], as 0.25"),
        (["--top", "nan"], "the top nan of the children: give a part in (0, 1], as 0.25"),
        (["--children", "111"], "1 child of fashion14 makes no ranking; name 2 or more"),
        (["--top", "0.5", "--children", "111"], "--top and --children both say which children; give one of them"),
    ):
        with pytest.raises(UsageError) as caught:
            run("assess", "mine.csv", *words)
        assert str(caught.value) == text


def test_a_table_that_lacks_runs_is_used_without_those_children(scores: np.ndarray) -> None:
    columns = {name: column.copy() for name, column in TABLE.content.columns.items()}
    columns["status"][7, 1], columns["environment"][7, 1] = MISSING, -1
    for name in CURVES:
        columns[name][7, 1] = np.nan
    write_table("holes.h5", Content(TABLE.content.attributes, columns))
    with pytest.raises(NasbenchError, match=r"holes\.h5 gives no ground truth: it lacks 124 seed 1 \(missing\)"):
        run("assess", "mine.csv", "--table", "holes.h5")
    done = run("assess", "mine.csv", "--table", "holes.h5", "--allow-missing", "--json")
    assert done.stderr == "left out, for the table lacks runs: 124\n"
    rest = np.delete(np.arange(64), 7)
    tau = stats.kendalltau(scores[rest], TABLE.truth[rest]).statistic
    assert json.loads(done.stdout)["metrics"]["kendall_tau"]["mean"] == pytest.approx(tau, abs=1e-12)
    with pytest.raises(UsageError, match=r"holes\.h5 lacks runs of 124; leave them out, as --allow-missing does"):
        _ = Among(load("holes.h5"), [0, 7]).truth


def test_instances_are_joined(make: Any, tiny: Any, tmp_path: Path) -> None:
    write_table(tmp_path / "t.h5", tiny.table.content)
    rng = np.random.default_rng(0)
    parts = [rng.random((1, 64)) for _ in range(3)]
    for seed, part in enumerate(parts):
        make(scores={"running": part}, seeds=[seed]).save(tmp_path / f"{seed}.json")
    files = [str(tmp_path / f"{seed}.json") for seed in (2, 0, 1)]
    out = tmp_path / "all.json"
    done = run("join", *files, "--out", str(out), "--table", str(tmp_path / "t.h5"))
    assert done.stdout.endswith(f"\n\n3 instances of 3 results in {out}\n")
    joined = json.loads(out.read_text())
    assert joined["seeds"] == [0, 1, 2]
    assert np.array_equal(joined["scores"], np.concatenate(parts))
