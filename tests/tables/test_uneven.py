"""Children with different numbers of seeds: what nobody wanted is no run that is missing."""

from __future__ import annotations

import io
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats
from test_table import diverged, folder_of, run

from nasbench_ws import load
from nasbench_ws.cli import group
from nasbench_ws.errors import TableError, UsageError
from nasbench_ws.evaluation.evaluate import evaluate
from nasbench_ws.evaluation.leaderboard import leaderboard
from nasbench_ws.metrics.ceiling import noise_ceiling
from nasbench_ws.report.more_seeds import more_seeds
from nasbench_ws.results.truth import Among, Without, seeds_each
from nasbench_ws.search.costs import modelled_seconds
from nasbench_ws.search.export import export_arrays, export_csv
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.tables.checks import problems
from nasbench_ws.tables.columns import CURVES, STATUSES, Content
from nasbench_ws.tables.file import verify
from nasbench_ws.tables.merge import extract_runs, merge
from nasbench_ws.tables.over_seeds import alike, common
from nasbench_ws.tables.table import Table

FIRST = [run(i, seed) for i in range(64) for seed in (0, 1)]
MORE = [run(i, seed, device="B, 6 runs in lockstep") for i in (5, 60) for seed in (2, 3, 4)]
PLAIN = [i for i, child in enumerate(DEEPER64) if "1" not in child.name]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    folder = tmp_path_factory.mktemp("uneven")
    merge([folder_of(folder / "first", *FIRST), folder_of(folder / "more", *MORE)], folder / "t.h5", uneven=True)
    assert verify(folder / "t.h5") == []
    return load(folder / "t.h5")


def last(name: str, index: int, seeds: range) -> list[float]:
    return [run(index, seed).curves[name][-1] for seed in seeds]


def test_a_mean_is_over_the_seeds_of_the_child(table: Table) -> None:
    assert repr(table).startswith("Table('t.h5': 64 children x 2 to 5 seeds x 3 epochs")
    assert table.absent() == []
    for index, seeds in ((4, range(2)), (5, range(5))):
        entry, values = table.query(index), last("test_accuracy", index, seeds)
        assert entry.seeds == list(seeds) == entry.to_dict()["seeds"]
        assert entry.test_accuracy.values == tuple(values)
        assert entry.test_accuracy.mean == pytest.approx(np.mean(values), abs=1e-15)
        assert entry.test_accuracy.std == pytest.approx(np.std(values, ddof=1), abs=1e-15)
        assert entry.status == ("ok",) * len(seeds)
        assert entry.curve("train_loss").shape == (len(seeds), 3)
        assert table.truth[index] == pytest.approx(np.mean(values), abs=1e-15)
        assert table.mean_curves("test_accuracy")[index, -1] == pytest.approx(np.mean(values), abs=1e-15)
    assert common(table).tolist() == [0, 1]
    assert np.isnan(table.column("test_accuracy", seed=4)).sum() == 62


def test_what_was_wanted_and_is_not_there_is_still_missed(tmp_path: Path) -> None:
    sources = [folder_of(tmp_path / "a", *FIRST[:-1], diverged(63, 1)), folder_of(tmp_path / "b", *MORE)]
    table = merge(sources, tmp_path / "t.h5", uneven=True)
    assert [(child.index, *rest) for child, *rest in table.absent()] == [(63, 1, "diverged")]
    assert np.isnan(table.column("test_accuracy")).tolist() == [False] * 63 + [True]
    with pytest.raises(TableError, match="gives no ground truth: it lacks 444 seed 1"):
        _ = table.truth
    even = merge(sources, tmp_path / "even.h5")
    assert len(even.absent()) == 1 + 62 * 3
    nothing = merge([folder_of(tmp_path / "c", *FIRST[2:], *MORE)], tmp_path / "n.h5", uneven=True)
    assert [(child.index, *rest) for child, *rest in nothing.absent()] == [(0, s, "missing") for s in range(5)]


def test_a_table_knows_what_nobody_wanted_when_it_is_merged_again(table: Table, tmp_path: Path) -> None:
    assert len(extract_runs(table)) == len(FIRST) + len(MORE)
    again = merge([table], tmp_path / "again.h5")
    assert again.digest == table.digest
    more = merge([table, folder_of(tmp_path / "one", run(0, 2), run(1, 7))], tmp_path / "more.h5")
    counts = more.planned.sum(axis=1)
    assert counts[0] == 4  # seed 2, which it has now, and seed 7, which one child has and no source says of this one
    assert len(more.absent()) == 63
    both = merge([table, tmp_path / "one"], tmp_path / "both.h5", uneven=True)
    assert both.absent() == []
    assert both.planned.sum(axis=1)[[0, 1, 2, 5]].tolist() == [3, 3, 2, 5]


def test_a_number_of_a_run_that_nobody_wanted_is_refused(table: Table) -> None:
    columns = {name: values.copy() for name, values in table.content.columns.items()}
    columns["test_accuracy"][4, 2, 0] = 0.5
    message = "its test_accuracy of 121 with seed 2 at epoch 0.5 is a number, and the run's status is unplanned"
    assert problems(Content(table.content.attributes, columns)) == [message]
    columns["environment"][4, 3] = 0
    assert "its environment must be -1 where a run is missing, else below 2" in problems(
        Content(table.content.attributes, columns)
    )


def test_intervals_and_bounds_take_every_seed_and_rankings_those_of_all(table: Table) -> None:
    by_seed = table.by_seed("truth")
    found = noise_ceiling(by_seed, rng=np.random.default_rng(0))
    two = by_seed[:, :2]
    assert found.single_seeds.mean == pytest.approx(stats.kendalltau(two[:, 0], two[:, 1]).statistic)
    others = [np.nanmean(np.delete(by_seed, seed, axis=1), axis=1) for seed in (0, 1)]
    taus = [stats.kendalltau(two[:, seed], other).statistic for seed, other in enumerate(others)]
    assert found.held_out.mean == pytest.approx(np.mean(taus))
    some = noise_ceiling(by_seed[[5, 60, 5, 60]], rng=np.random.default_rng(0))
    assert some.held_out.n == 5


def test_seeds_that_a_ranking_looked_at_are_left_out(table: Table) -> None:
    rest = Without(table, [0])
    assert seeds_each(rest) == "1 to 4"
    assert rest.truth[[4, 5]] == pytest.approx([last("test_accuracy", 4, range(1, 2))[0],
                                                np.mean(last("test_accuracy", 5, range(1, 5)))])  # fmt: skip
    assert seeds_each(Among(table, [5, 60])) == "5"
    assert seeds_each(Among(table, [5, 6])) == "2 to 5"


def test_seconds_are_compared_on_one_machine(table: Table) -> None:
    assert alike(table).sum() == len(FIRST)
    seconds = np.array([min(last("seconds", i, range(2))) for i in range(64)])
    slope, constant = np.polyfit(table.column("macs").astype(float), seconds, 1)
    assert modelled_seconds(table) == pytest.approx(constant + slope * table.column("macs"))


def test_exports_leave_out_what_nobody_wanted(table: Table, tmp_path: Path) -> None:
    lines = export_csv(table).splitlines()
    assert len(lines) == 1 + 3 * (len(FIRST) + len(MORE))
    with open(tmp_path / "t.npz", "wb") as stream:
        export_arrays(table, stream)
    assert np.load(tmp_path / "t.npz")["objectives"].shape == (64, 2, 3, 3)


def test_frames_have_a_row_of_every_run_that_was_wanted(table: Table) -> None:
    frame, points = table.to_frame("seed"), table.to_frame("epoch")
    assert (len(frame), len(points)) == (len(FIRST) + len(MORE), 3 * (len(FIRST) + len(MORE)))
    assert list(frame.index) == list(range(len(frame)))
    assert set(frame.status) == {"ok"}
    by_hash = frame.groupby("hash").test_accuracy.mean()
    assert by_hash[table.column("hash")].to_numpy() == pytest.approx(table.truth, abs=1e-15)


def test_show_says_that_a_child_is_not_known(tmp_path: Path) -> None:
    """A run of 112, a neighbour of 111, is missing; there is no curve to draw and no gain to tell."""
    path = str(tmp_path / "t.h5")
    there = [run(i, seed) for i in range(64) for seed in (0, 1) if (i, seed) != (1, 1)]
    merge([folder_of(tmp_path / "runs", *there)], path)
    lines = CliRunner().invoke(group, ["show", "111", "--table", path]).output.splitlines()
    assert lines[-1] == "  112        -        -  1 -> 2  sep_conv_3x3"
    lines = CliRunner().invoke(group, ["show", "112", "--table", path]).output.splitlines()
    assert "test accuracy - +- - over 2 seeds" in lines
    at = lines.index("validation accuracy by epoch")
    assert [line.split()[1:] for line in lines[at + 1 : at + 4]] == [["-"]] * 3
    assert "nan" not in "\n".join(lines)


def test_the_command_line(table: Table, tmp_path: Path) -> None:
    one, two = folder_of(tmp_path / "first", *FIRST), folder_of(tmp_path / "more", *MORE)
    path = str(tmp_path / "t.h5")
    said = CliRunner().invoke(group, ["merge", str(one), str(two), "-o", path, "--uneven", "-q"])
    assert said.exit_code == 0, said.output
    assert f"64 children x 2 to 5 seeds x 3 epochs, deeper64), digest {table.digest}" in said.output
    assert "over 2 seeds:" in CliRunner().invoke(group, ["query", "111", "--table", path]).output
    assert "over 5 seeds:" in CliRunner().invoke(group, ["query", "122", "--table", path]).output
    lines = CliRunner().invoke(group, ["query", "111", "--table", path, "--csv"]).output.splitlines()
    assert [line.partition(",")[0] for line in lines] == ["seed", "0", "1"]
    refused = CliRunner().invoke(group, ["train", "111", "--seed", "3", "--table", path])
    assert str(refused.exception) == "t.h5 has no seed 3 of 111; it has 0, 1"
    refused = CliRunner().invoke(group, ["train", "111", "--seed", "9", "--table", path])
    assert str(refused.exception) == "t.h5 has no seed 9; it has 0, 1, 2, 3, 4"


def test_the_table_that_ships_has_more_seeds_where_children_are_close() -> None:
    """27 seeds of the children without pooling, of which the last 17 were trained on another machine."""
    table = load("fashion14")
    counts = table.planned.sum(axis=1)
    assert sorted(np.flatnonzero(counts == 27)) == PLAIN
    assert set(counts) == {10, 27}
    accuracies = table.by_seed("test_accuracy")[PLAIN]
    old, new = accuracies[:, :10], accuracies[:, 10:]
    error = np.sqrt((old.var(axis=1, ddof=1) / 10 + new.var(axis=1, ddof=1) / 17).sum()) / len(PLAIN)
    assert abs(new.mean() - old.mean()) < 2 * error  # no machine is seen in the numbers
    noise = accuracies.var(axis=1, ddof=1).mean() / 27
    assert 1 - noise / accuracies.mean(axis=1).var(ddof=1) == pytest.approx(0.954, abs=5e-4)  # reliability
    with h5py.File(Path(__file__).parents[2] / "data" / "fashion14.h5") as file:
        assert [code.decode() for code in file["status"].attrs["codes"]][5] == "unplanned"


def test_where_no_seed_is_of_every_child_none_ranks_them(tmp_path: Path) -> None:
    table = merge([folder_of(tmp_path / "r", *(run(i, i % 2) for i in range(64)))], tmp_path / "t.h5", uneven=True)
    assert common(table).tolist() == []
    for ranker in ("alone:1", "predictor:additive:8"):
        with pytest.raises(UsageError) as caught:
            evaluate(ranker, table)
        assert str(caught.value) == (
            "no seed is of every child, so that none ranks them all; build one for the children that lack it, and merge"
        )
    assert "alone" not in str(leaderboard((), table))


def test_a_child_whose_seeds_were_all_looked_at_is_not_measured(tmp_path: Path) -> None:
    runs = [run(i, 0) for i in range(64)], [run(i, 1) for i in range(60)]
    table = merge([folder_of(tmp_path / "r", *runs[0], *runs[1])], tmp_path / "t.h5", uneven=True)
    with pytest.raises(UsageError) as caught:
        _ = Without(table, [0]).truth
    assert str(caught.value) == (
        "t.h5 without seed 0 has no seed to measure 441, 442, 443, ... by; build another for each of these"
    )
    assert "alone" not in str(leaderboard((), table))


def test_copies_of_a_network_keep_their_runs_when_uneven_tables_are_merged(tmp_path: Path) -> None:
    """Of a space where children are the same network, those have the runs of the first, wanted or not."""
    whole = load("fashion14-topology")
    runs = extract_runs(whole)
    most = whole.space[int(np.bincount(whole.column("isomorph")).argmax())].hash
    some = [one for one in runs if one.seed == 0 or one.hash == most]
    table = merge([folder_of(tmp_path / "some", *some)], tmp_path / "t.h5", uneven=True)
    assert (table.absent(), seeds_each(table)) == ([], "1 to 7")
    assert merge([table], tmp_path / "again.h5").digest == table.digest
    assert merge([whole, table], tmp_path / "both.h5").digest == whole.digest


def test_what_one_table_misses_another_does_not_make_unwanted(table: Table, tmp_path: Path) -> None:
    fewer = merge([folder_of(tmp_path / "r", *FIRST, *MORE[:-1], run(7, 4))], tmp_path / "fewer.h5")  # all wanted
    assert len(fewer.absent()) == 3 * 62 - 1 + 1
    assert len(merge([table, fewer], tmp_path / "both.h5").absent()) == 3 * 62 - 1
    assert merge([table, fewer], tmp_path / "uneven.h5", uneven=True).absent() == []


def test_what_no_two_seeds_of_every_child_allow_is_left_out(tmp_path: Path) -> None:
    table = merge([folder_of(tmp_path / "r", *(run(i, i % 2) for i in range(64)))], tmp_path / "t.h5", uneven=True)
    assert more_seeds(table) == []
    with pytest.raises(TableError, match="has no seed that all its children have; a blackbox has no holes"):
        export_arrays(table, io.BytesIO())


def test_a_child_of_which_nobody_wanted_a_run_is_refused(table: Table) -> None:
    columns = {name: values.copy() for name, values in table.content.columns.items()}
    for name in (*CURVES, "status", "environment"):
        columns[name][4] = {"status": STATUSES.index("unplanned"), "environment": -1}.get(name, np.nan)
    message = "nobody wanted a run of 121, which has a row; it needs one that was wanted"
    assert problems(Content(table.content.attributes, columns)) == [message]
