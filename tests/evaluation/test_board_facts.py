"""What is kept of the results that ship is what is measured of them, and serves nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from conftest import scored

from nasbench_ws.errors import ResultError
from nasbench_ws.evaluation import board_facts, board_page
from nasbench_ws.evaluation.board_facts import FORMAT, KEPT, Facts, digest_of, facts, facts_of
from nasbench_ws.evaluation.experiment import shipped_folders, shipped_results
from nasbench_ws.evaluation.fit import belongs
from nasbench_ws.evaluation.leaderboard import leaderboard
from nasbench_ws.json_files import read_record
from nasbench_ws.metrics.power import told_apart
from nasbench_ws.metrics.prior import Regime, shipped_prior
from nasbench_ws.rankers.plan import MATCHES
from nasbench_ws.rankers.rows import ROWS
from nasbench_ws.results.result import Result
from nasbench_ws.results.truth import judged
from nasbench_ws.tables.table import load, shipped

DATA = Path(__file__).parents[2] / "data"
TABLES = [name for name in sorted(shipped()) if not name.startswith("nasbench201-")]  # of which no result ships


@pytest.mark.parametrize("name", TABLES)
def test_what_is_kept_is_what_is_measured(name: str) -> None:
    table = load(name)
    judge, there = judged(table, allow_missing=False), read_record(DATA / KEPT, FORMAT)[table.digest]
    paths = [path for folder in shipped_folders(table.space.name) for path in sorted(folder.glob("*.json"))]
    results = {path.stem: (Result.load(path), digest_of(path)) for path in paths}
    here = {
        name: facts_of(one, judge, sha256=digest, fits=belongs(one, table)) for name, (one, digest) in results.items()
    }
    assert msgspec.convert(there, dict[str, Facts]) == here, "run benchmarks/keep_leaderboard.py --write"
    assert set(read_record(DATA / KEPT, FORMAT)) == {load(one).digest for one in TABLES}


def test_the_leaderboard_reads_what_ships_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    load_one = Result.load
    monkeypatch.setattr(Result, "load", lambda path: read.append(Path(path).stem) or load_one(path))
    board = leaderboard()
    assert read == []
    assert board.results["shuffle"].tau.mean == next(
        row.mean for row in board.rows if "shuffle" in row.files and row.batch_norm == "running"
    )
    assert board.results["shuffle"] is board.results["shuffle"]
    assert read == ["shuffle"]
    assert len(board.results) == len(list(board.results)) == len(dict(board.results))
    with pytest.raises(KeyError):
        board.results["absent"]
    assert repr(board.results).startswith(f"Results({len(board.results)}: ")


def test_a_file_that_is_not_the_kept_one_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: Any) -> None:
    table, names = load("fashion14"), ("shuffle", "private-bn", "drift")
    for name in names:
        shutil.copy(shipped_results() / f"{name}.json", tmp_path)
    shutil.copy(tmp_path / "private-bn.json", tmp_path / "shuffle.json")
    whole = facts(tmp_path, table, table)
    assert whole["shuffle"].readings == whole["private-bn"].readings  # of these bytes, whatever is kept under that name
    assert whole["shuffle"].title == "private:bn"
    assert set(facts(tmp_path, tiny.table, tiny.table)["drift"].readings) == set()  # of another table nothing is kept
    bytes_before = (tmp_path / "drift.json").read_bytes()
    (tmp_path / "drift.json").write_bytes(bytes_before.replace(b"0.8", b"0.9", 1))
    with pytest.raises(ResultError, match=r"drift\.json is damaged: "):
        facts(tmp_path, table, table)
    (tmp_path / "drift.json").write_bytes(bytes_before)
    for text in ("", '{"format": "another"}'):  # what is kept is broken, or absent
        (tmp_path / "kept").write_text(text)
        again = facts(tmp_path, table, table, tmp_path / "kept")
        assert {name: one.readings for name, one in again.items()} == {
            name: one.readings for name, one in whole.items()
        }
    monkeypatch.setattr(board_facts, "KEPT", "absent.json")
    assert facts(tmp_path, table, table) == again


def test_a_file_of_ones_own_hides_nothing_that_ships(make: Callable[..., Result], tiny: Any, tmp_path: Path) -> None:
    """Under the name of a file that ships, or of its row."""
    for name, seed in (("darts", 3), ("shuffle", 4)):
        make(strategy="full" if name == "shuffle" else name, scores={"running": scored(seed)}).save(
            tmp_path / f"{name}.json"
        )
    one = make(strategy="my.py:Mine", scores={"running": scored(5)})
    board = leaderboard({"darts": one, "full": one, "mine": one}, tiny.table, folder=tmp_path)
    rows = {row.name: row for row in board.rows if row.batch_norm}
    assert set(rows) == {"darts", "full", "darts (yours) = full (yours) = mine"}
    assert set(board.results) == {"darts", "shuffle", "darts (yours)", "full (yours)", "mine"}
    assert board.results["darts"].outcome.strategy == "darts"
    assert [row.given for row in rows.values()].count(True) == 1
    same = leaderboard({"full": Result.load(tmp_path / "shuffle.json")}, tiny.table, folder=tmp_path)
    assert {row.name: row.given for row in same.rows if row.batch_norm} == {"darts": False, "full (yours)": True}


def test_the_page_reads_each_result_once(
    make: Callable[..., Result], tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the matches that it stands at."""
    make(strategy="full", scores={"running": scored()}).save(tmp_path / "full.json")
    boards = [leaderboard((), tiny.table, folder=tmp_path, match=match) for match in MATCHES]
    read: list[str] = []
    load_one = Result.load
    monkeypatch.setattr(Result, "load", lambda path: read.append(Path(path).stem) or load_one(path))
    monkeypatch.setattr(board_page, "forest", lambda board: "<svg></svg>")
    html = board_page.board_page(boards[0], tiny.table, boards[1:])
    assert read == ["full"]
    assert html.count('<a href="#c0">full</a>') == 3
    assert html.count("<svg") == 2


def test_the_board_says_what_it_can_tell_apart() -> None:
    mode = "recalibrate:1024"
    board = leaderboard(batch_norm=mode)
    found: dict[int, set[float]] = {}
    for row in board.rows:
        if row.kind == "super-net":
            regime = Regime(own_way=row.name.partition(":")[0] in ROWS)  # which vary more
            prior = shipped_prior().by_metric(mode, regime)["kendall_tau"]
            found.setdefault(row.n, set()).add(told_apart(row.n, prior.std, prior.df))
    apart = {n: (min(found[n]), max(found[n])) for n in sorted(found, reverse=True)}
    assert board.detectable == apart
    assert list(apart) == [50, 10]
    assert 1.8 * apart[50][1] < 1.8 * apart[10][0] < apart[10][1]  # rows that move gates or draw children vary more
    shown = {n: dict.fromkeys(f"{end:.2f}" for end in ends) for n, ends in apart.items()}
    gaps = ", ".join(f"{' to '.join(ends)} (n = {n})" for n, ends in shown.items())
    said = f" Told apart with a chance of 80 %: rows that differ by {gaps}."
    assert said in board.caption().replace("\n", " ")
    assert max(map(len, board.caption().splitlines())) <= 80
    assert board.only(top=1).caption() == board.caption()
    assert board.to_dict()["detectable"] == {str(n): list(ends) for n, ends in apart.items()}
