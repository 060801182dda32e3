"""What tests of ways to train shared weights need: a run on the tiny images, in float64."""

from __future__ import annotations

from typing import Any

import torch

from nasbench_ws.rankers.plan import Plan
from nasbench_ws.rankers.run import Run
from nasbench_ws.space.problem import Problem
from nasbench_ws.space.registry import DEEPER64


def run_on(tiny: Any, steps: int = 64, hold: float = 0.5, seed: int = 0) -> Run:
    """A run whose budget is so many steps of full sharing."""
    plan = Plan("full", tiny.recipe, steps=steps, batch_norm=("recalibrate:64", "running"))
    return Run(plan, Problem.of(tiny.recipe, DEEPER64), tiny.images, seed, hold, torch.float64)


def trained(run: Run, way: Any) -> Run:
    """The run after its budget is spent, and not one iteration later."""
    way.start(run)
    while run.progress < 1:
        before = run.meter.macs
        way.iterate(run)
        assert before < run.meter.macs
    assert before < run.budget
    return run
