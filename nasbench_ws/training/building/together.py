"""Standalone runs of many children in lockstep, as records of a build. Needs torch.

The training itself is `nasbench_ws.training.lockstep`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nasbench_ws.errors import UsageError
from nasbench_ws.images.dataset import Images, Split
from nasbench_ws.recipe import Recipe
from nasbench_ws.space.cell import Architecture
from nasbench_ws.space.macro import macro_for
from nasbench_ws.tables.run import RunRecord
from nasbench_ws.training.building.standalone import record_of
from nasbench_ws.training.lockstep import Feed, Lockstep


def train_together(
    recipe: Recipe, runs: Sequence[tuple[Architecture, int]], images: Images, device: str | torch.device = "cuda",
    dtype: torch.dtype = torch.float32, on_step: Callable[[int], object] | None = None,
) -> list[RunRecord]:  # fmt: skip
    """Train every (child, seed) standalone, all of them in lockstep; a `RunRecord` each, in order.

    `seconds` are a run's share of the time. `on_step(steps done)` follows each step. A run that diverges does not
    touch the others. UsageError where the device is not available.
    """
    if not runs:
        return []
    _check(device)
    macro = macro_for(recipe, images)
    net = Lockstep(recipe, macro, runs, device, dtype)
    feed = Feed(images, recipe, runs, net)
    splits = {name: _on_device(images.splits[name], net.device) for name in ("valid", "test")}
    ends, started = recipe.recorded_steps, time.perf_counter()
    points: list[dict[str, npt.NDArray[np.float64]]] = []
    diverged = torch.zeros(len(runs), dtype=torch.int64, device=device)  # the step, from 1; 0 where none
    window = torch.zeros((2, len(runs)), dtype=torch.float64, device=device)
    for step in range(1, recipe.steps + 1):
        pixels, labels = next(feed)
        loss, accuracy = net.step(pixels, labels, recipe.learning_rate(step - 1, recipe.steps))
        diverged += torch.where((diverged == 0) & ~torch.isfinite(loss), step, 0)
        window += torch.stack([loss, accuracy]).double()
        if step == ends[len(points)]:
            before = ends[len(points) - 1] if points else 0
            found = dict(zip(("train_loss", "train_accuracy"), window / (step - before), strict=True))
            for name, (bytes_, right) in splits.items():
                scored = net.score(bytes_, right, feed.scale, feed.offset)
                found |= dict(zip((f"{name}_loss", f"{name}_accuracy"), scored, strict=True))
            points.append({name: values.cpu().numpy() for name, values in found.items()})
            points[-1]["seconds"] = np.full(len(runs), (time.perf_counter() - started) / len(runs))
            window.zero_()
        if on_step is not None:
            on_step(step)
    records = []
    for run, (arch, seed) in enumerate(runs):
        bad = int(diverged[run]) or None
        kept = [point for end, point in zip(ends, points, strict=True) if bad is None or end < bad]
        curves = {name: [float(point[name][run]) for point in kept] for name in points[0] if name != "test_loss"}
        seconds = float(points[-1]["seconds"][run])
        records.append(record_of(recipe, macro, images, arch, seed, curves, bad, seconds, _name(net)))
    return records


def _on_device(split: Split, device: torch.device) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(split.pixels).to(device), torch.from_numpy(split.labels).to(device)


def _check(device: str | torch.device) -> None:
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:  # whatever torch says of a device that is not there
        said = str(error).splitlines()[0]
        raise UsageError(f"there is no device {str(device)!r} here ({said}); take cpu, or leave --lockstep") from error


def _name(net: Lockstep) -> str:
    where = torch.cuda.get_device_name(net.device) if net.device.type == "cuda" else str(net.device)
    return f"{where}, torch, {len(net.runs)} runs in lockstep"
