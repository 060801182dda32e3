"""Runs in lockstep equal the same runs alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from nasbench_ws.errors import UsageError
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.tables.columns import METRICS
from nasbench_ws.tables.run import read_runs
from nasbench_ws.training.building import standalone as alone
from nasbench_ws.training.building.builder import BuildInterrupted, build_together
from nasbench_ws.training.building.together import train_together
from nasbench_ws.training.lockstep import Lockstep
from nasbench_ws.training.supernet import SuperNet

pytestmark = pytest.mark.usefixtures("one_thread")

CHILDREN = [DEEPER64.architecture(name) for name in ("111", "124", "234", "342", "413", "441")]
RUNS = [(arch, 0) for arch in CHILDREN] + [(CHILDREN[2], 1)]


def recipe_of(tiny, **changes):
    return replace(tiny.recipe, epochs=2.0, points=2, **changes)


@pytest.mark.parametrize("changes", [{"cells": 2}, {"output": "sum", "flip": False, "shift": 0}])
def test_in_float64_they_are_the_same(tiny, monkeypatch, changes):
    recipe = recipe_of(tiny, **changes)
    monkeypatch.setattr(
        alone, "SuperNet", lambda *a, **k: SuperNet(*a, dtype=torch.float64, **k)
    )
    monkeypatch.setattr(
        alone, "Scorer", lambda images, split, mode, scorer=alone.Scorer: scorer(images, split, mode, torch.float64)
    )
    records = train_together(recipe, RUNS, tiny.images, "cpu", torch.float64)
    for (arch, seed), record in zip(RUNS, records, strict=True):
        expected = alone.train_run(recipe, arch, seed, tiny.images)
        assert (record.hash, record.seed, record.status, record.epochs) == (arch.hash, seed, "ok", expected.epochs)
        for name in METRICS:
            np.testing.assert_allclose(record.curves[name], expected.curves[name], rtol=1e-10, atol=1e-10, err_msg=name)
    assert records[2].curves != records[6].curves  # the same child, another seed
    assert records[0].device == "cpu, torch, 7 runs in lockstep"


def test_one_that_diverges_leaves_the_others_alone(tiny, monkeypatch):
    recipe = recipe_of(tiny)
    calm = train_together(recipe, RUNS[:3], tiny.images, "cpu")
    made = Lockstep.__init__

    def broken(self, *arguments, **options):
        made(self, *arguments, **options)
        with torch.no_grad():
            self._classifier[0][1] = float("inf")

    monkeypatch.setattr(Lockstep, "__init__", broken)
    records = train_together(recipe, RUNS[:3], tiny.images, "cpu")
    assert [record.status for record in records] == ["ok", "diverged", "ok"]
    assert records[1].error == f"the loss was not finite at step 1 of {recipe.steps}"
    assert np.isnan(records[1].curves["test_accuracy"]).all()
    for i in (0, 2):
        assert records[i].curves["test_accuracy"] == calm[i].curves["test_accuracy"]


def test_a_device_that_is_not_there(tiny):
    with pytest.raises(UsageError) as caught:
        train_together(recipe_of(tiny), RUNS[:1], tiny.images, "cuda:99")
    text = str(caught.value)
    assert text.startswith("there is no device 'cuda:99' here (")
    assert text.endswith("); take cpu, or leave --lockstep")
    assert train_together(recipe_of(tiny), [], tiny.images, "cuda:99") == []


def test_a_build_keeps_what_is_finished_and_goes_on(tiny, tmp_path):
    recipe, seen = recipe_of(tiny), []
    options = {"together": 2, "device": "cpu", "architectures": CHILDREN[:3]}
    options |= {"progress": seen.append, "load": tiny.load}

    def stop(progress):
        if progress.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(BuildInterrupted) as caught:
        build_together(recipe, [0], tmp_path, **{**options, "progress": stop})
    kept = f"interrupted: 2 of 3 runs are finished and kept in {tmp_path}; the same command goes on from there"
    assert caught.value.message == kept
    assert len(list(read_runs(tmp_path))) == 2
    found = build_together(recipe, [0], tmp_path, **options)
    assert (found.done, found.failed, found.total) == (3, 0, 3)
    assert (seen[0].done, seen[0].seconds_left, seen[-1].done) == (2, None, 3)
    assert all(progress.seconds_left >= 0 for progress in seen[1:])
    (last,) = [record for _, record in read_runs(tmp_path) if record.hash == CHILDREN[0].hash]
    (own,) = train_together(recipe, [(CHILDREN[0], 0)], tiny.images, "cpu")
    assert {name: last.curves[name] for name in METRICS} == {name: own.curves[name] for name in METRICS}
    with pytest.raises(UsageError) as wrong:
        build_together(recipe, [0], tmp_path, together=0)
    assert str(wrong.value) == "0 runs together; give at least 1"
