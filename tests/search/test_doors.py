"""Doors to other people's optimisers: adapters, exports, HPOBench's signature, and the conformance check."""

from __future__ import annotations

import csv
import io
import sys

import numpy as np
import pytest
from small import NINE, oracle

from nasbench_ws.errors import SearcherError, TableError, UsageError
from nasbench_ws.search import Oracle, Rules, World, search
from nasbench_ws.search.export import export_arrays, export_csv
from nasbench_ws.search.front import reached
from nasbench_ws.search.hpobench import HpoBenchmark
from nasbench_ws.tables.table import load
from nasbench_ws.testing import check_searcher


@pytest.fixture(scope="module")
def table():
    return load("fashion14")


@pytest.mark.parametrize("name", ["optuna", "optuna:RandomSampler", "optuna:NSGAIISampler"])
def test_optuna(name):
    pytest.importorskip("optuna")
    result = search(name, oracle(holes=0.1), repetitions=2)
    assert (result.trials == 64).all()
    assert result.same(search(name, oracle(holes=0.1), repetitions=2))


def test_optunas_model_learns():
    """On a world where one edge is all that counts, TPE's last third is better than a random child's .825."""
    pytest.importorskip("optuna")
    world = oracle(noise="mean")
    world.shown["signal"][:] = (np.arange(64) // 16 == 2)[:, None, None] * 0.1 + 0.8
    result = search("optuna:TPESampler", world, repetitions=3)
    assert result.signal[:, -20:].mean() > 0.84


def test_what_a_library_does_not_have():
    pytest.importorskip("optuna")
    with pytest.raises(SearcherError, match=r"optuna has no 'TPESampl' \(did you mean TPESampler"):
        search("optuna:TPESampl", oracle(), repetitions=1)


def test_a_library_that_is_missing_names_its_extra(monkeypatch):
    for name in ("optuna", "nevergrad", "smac", "pymoo"):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(UsageError) as caught:
            search(name, oracle(), repetitions=1)
        assert str(caught.value) == (
            f"the searcher {name} needs {name}; get it with: pip install 'nasbench-ws[{name}]'"
        )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["nevergrad:NGOpt", "nevergrad:DiscreteOnePlusOne", "smac", "pymoo:SMSEMOA:6"])
def test_heavy_libraries(name):
    pytest.importorskip(name.partition(":")[0])
    result = search(name, oracle(budget=20.0), repetitions=1)
    assert result.trials.tolist() == [20]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pymoo:NSGA2", "pymoo:SMSEMOA"])
def test_pymoo_keeps_the_protocol_and_finds_more_of_the_front_than_a_search_for_accuracy(name):
    """Regularised evolution leaves the cheap end alone."""
    pytest.importorskip("pymoo")
    check_searcher(name)
    world = Oracle.of(load("fashion14-topology"), Rules(noise="mean", budget=60.0))
    found = [reached(search(one, world, repetitions=20)).mean() for one in (name, "re")]
    assert found[0] > found[1]


def test_a_world_serves_any_optimiser(table):
    """Adapter A: an objective of one line."""
    optuna = pytest.importorskip("optuna")
    world = World(table, seed=0)
    names = ["0->1", "0->2", "1->2"]

    def objective(trial):
        chosen = {name: trial.suggest_categorical(name, list(table.space.operations)) for name in names}
        return world(table.space.from_dict(chosen)).valid_accuracy

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
    study.optimize(objective, n_trials=10)
    assert len(world.trials) == 10
    assert study.best_value == max(trial.value for trial in study.trials)


def test_csv_holds_the_table(table):
    rows = list(csv.DictReader(io.StringIO(export_csv(table))))
    assert len(rows) == (37 * 10 + 27 * 27) * 10
    row = next(r for r in rows if (r["name"], r["seed"], r["epoch"]) == ("434", "3", "10.0"))
    assert float(row["test_accuracy"]) == table.by_seed("test_accuracy")[59, 3]
    assert table.space.from_dict({key: row[key] for key in ("O01", "O02", "O12")}).name == "434"
    assert float(row["modelled_seconds"]) == pytest.approx(18.5 + 5.57e-5 * int(row["macs"]), rel=2e-3)


def test_arrays_are_a_blackbox(table, tiny):
    stream = io.BytesIO()
    export_arrays(table, stream)
    arrays = np.load(io.BytesIO(stream.getvalue()), allow_pickle=False)
    assert arrays["objectives"].shape == (64, 10, 10, 3)
    np.testing.assert_array_equal(arrays["objectives"][59, :, -1, 0], 1 - table.by_seed("valid_accuracy")[59, :10])
    chosen = dict(zip(arrays["parameters"].tolist(), arrays["configurations"][59].tolist(), strict=True))
    assert table.space.from_dict(chosen).name == "434"
    assert (np.diff(arrays["objectives"][..., 1], axis=2) > 0).all()
    with pytest.raises(TableError) as caught:
        export_arrays(tiny.remade(tiny.recipe, status=1), io.BytesIO())
    assert str(caught.value) == (
        "tiny lacks 1 runs, the first 112 seed 1 (diverged), and a blackbox has no holes; export csv, or build what is "
        "missing"
    )


def test_hpobenchs_signature(table):
    benchmark, child = HpoBenchmark(table, rng=3), table.space.architecture("434")
    world = World(table, 3, unit="seconds")
    answer = benchmark.objective_function(child.choices_dict(), fidelity={"epoch": 3})
    seen = world("434", 3.0)
    assert (answer["function_value"], answer["cost"]) == (1 - seen.valid_accuracy, seen.cost)
    test = benchmark.objective_function_test(child.choices_dict())
    assert test["function_value"] == pytest.approx(1 - table.query("434").test_accuracy.mean)
    with pytest.raises(UsageError) as caught:
        benchmark.objective_function(child.choices_dict(), fidelity={"budget": 3})
    assert str(caught.value) == "there is no fidelity 'budget'; the one there is is epoch"
    with pytest.raises(UsageError) as caught:
        benchmark.objective_function_test(child.choices_dict(), fidelity={"epoch": 3})
    assert str(caught.value) == "test errors are of full trainings; leave the fidelity out, or give epoch 10"


class Good:
    def __init__(self, setting, rng):
        self.children, self.rng = len(setting.space), rng

    def ask(self):
        return int(self.rng.integers(self.children))

    def tell(self, trial, ask, seen):
        pass


class Global(Good):
    def ask(self):
        return int(np.random.randint(self.children))


class Seeded(Good):
    count = 0

    def ask(self):
        Seeded.count += 1
        return Seeded.count % self.children


class Fragile(Good):
    def tell(self, trial, ask, seen):
        int(seen.signal)


class Idle(Good):
    def ask(self):
        return None


class Beyond(Good):
    def incumbent(self):
        return 10_000


def test_a_good_searcher_passes():
    check_searcher(Good)
    check_searcher(Good, NINE)
    check_searcher("re")


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (Seeded, "searcher 'Seeded' searches otherwise with the same seed; draw from `rng` alone"),
        (Fragile, "searcher 'Fragile' raised when it was told in repetition 0: ValueError: cannot convert float NaN to "
                  "integer"),
        (Idle, "searcher 'Idle' trains nothing; ask() must return a child while there is budget"),
        (Beyond, "searcher 'Beyond' has an incumbent 10000, which does not exist; an index is 0 to 63"),
    ],
)  # fmt: skip
def test_what_a_searcher_must_not_do(make, text):
    with pytest.raises(SearcherError) as caught:
        check_searcher(make)
    assert str(caught.value) == text


def test_the_global_generator_is_left_alone():
    np.random.seed(0)
    with pytest.raises(SearcherError, match=r"draw from `rng` alone"):
        check_searcher(Global)
