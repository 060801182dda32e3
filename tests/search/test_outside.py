"""Searchers on tables that others made: judged by what is ground truth there, charged in what is known."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from foreign_tables import small

from nasbench_ws.errors import UsageError
from nasbench_ws.search import Oracle, Rules, World, search
from nasbench_ws.search.export import export_arrays, export_csv
from nasbench_ws.tables.table import load


def refused(call):
    with pytest.raises(UsageError) as caught:
        call()
    return str(caught.value)


def test_an_incumbent_is_judged_by_the_seeds_that_it_did_not_show():
    table = small()
    world, runs = World(Oracle.of(table), 3), table.by_seed("valid_accuracy")
    assert world("111").valid_accuracy in runs[0]
    assert world.truth(0) == pytest.approx(np.delete(runs[0], world.trials[0][1]).mean(), abs=1e-12)
    assert world.truth(1) == pytest.approx(table.truth[1], abs=1e-12)  # not asked for
    for _ in range(2):
        world(26)  # two seeds, and the third is missing
    assert np.isfinite(world.show(26, 0, None, 1.0).signal)
    assert world.truth(26) == pytest.approx(table.truth[26], abs=1e-12)


def test_every_built_in_searcher_searches_it():
    oracle = Oracle.of(small(part=20), Rules(budget=12))  # seven children that nobody trained
    for name in ("random", "re", "local", "bayes", "pnas", "metaqnn", "mnas", "ctr", "coevolution", "asha", "pbt"):
        result = search(name, oracle, repetitions=2)
        assert result.header["truth"] == "valid_accuracy"
        assert np.isfinite(result.regret[:, -1]).all(), name


def test_what_it_cannot_charge_or_show():
    table = small()
    assert refused(lambda: Oracle.of(table, Rules(unit="macs"))) == (
        "theirs does not know its macs; charge in evaluations or epochs"
    )
    assert refused(lambda: Oracle.of(table, Rules(unit="seconds"))) == (
        "theirs does not know its seconds; charge in evaluations or epochs"
    )
    assert refused(lambda: Oracle.of(table, Rules(signal="train_loss"))) == (
        "theirs does not know train_loss, the signal that searchers are to see; it has valid_accuracy"
    )


def test_where_there_is_nothing_to_choose():
    assert refused(lambda: Oracle.of(small(part=1))) == (
        "theirs has one network to choose, by its rows and the limit; a search needs two or more"
    )
    least = load("fashion14").column("macs").min()
    assert refused(lambda: Oracle.of(load("fashion14"), Rules(limit=float(least)))) == (
        "fashion14 has one network to choose, by its rows and the limit; a search needs two or more"
    )


def test_seconds_are_those_that_others_give():
    table = load("nasbench201-cifar10")
    oracle = Oracle.of(table, Rules(unit="seconds"))
    np.testing.assert_allclose(oracle.cost[:, 0], np.nanmean(table.by_seed("seconds"), axis=1), rtol=1e-6)
    assert search("random", oracle, repetitions=1).trials[0] > 40


def test_exports_have_what_it_knows():
    table = small()
    rows = list(csv.DictReader(io.StringIO(export_csv(table))))
    assert list(rows[0]) == ["name", "O01", "O02", "O12", "params", "seed", "epoch", "valid_accuracy"]
    assert len(rows) == np.isfinite(table.by_seed("valid_accuracy")).sum()
    stream = io.BytesIO()
    export_arrays(table, stream)
    stream.seek(0)
    with np.load(stream) as saved:
        assert saved["names"].tolist() == ["valid_error", "epochs"]
        assert saved["objectives"].shape == (27, 2, 1, 2)  # the third seed is not of all
        np.testing.assert_allclose(saved["objectives"][..., 0, 0], 1 - table.by_seed("truth")[:, :2])
