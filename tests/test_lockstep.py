"""Runs in lockstep equal the same runs alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from nasbench_ws import train as alone
from nasbench_ws.errors import UsageError
from nasbench_ws.lockstep import Lockstep, train_together
from nasbench_ws.schema import METRICS
from nasbench_ws.space import DEEPER64
from nasbench_ws.supernet import SuperNet

CHILDREN = [DEEPER64.architecture(name) for name in ("111", "124", "234", "342", "413", "441")]
RUNS = [(arch, 0) for arch in CHILDREN] + [(CHILDREN[2], 1)]


def recipe_of(tiny, **changes):
    return replace(tiny.recipe, epochs=2.0, points=2, **changes)


@pytest.mark.parametrize("changes", [{"cells": 2}, {"output": "sum", "flip": False, "shift": 0}])
def test_in_float64_they_are_the_same(tiny, monkeypatch, changes):
    recipe = recipe_of(tiny, **changes)
    monkeypatch.setattr(
        alone, "SuperNet", lambda *a, fast: SuperNet(*a, dtype=torch.float64, fast=fast)
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
